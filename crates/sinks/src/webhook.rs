//! Signed webhooks, as Standard Webhooks 1.0 describes them.

use aws_lc_rs::hmac;
use bartizan_core::Record;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use serde_json::json;

use crate::error::SinkError;
use crate::http::{Http, address};

pub(crate) struct Webhook {
    uri: Uri,
    key: hmac::Key,
    http: Http,
}

impl Webhook {
    pub(crate) fn new(url: &str, secret: &str, http: Http) -> Result<Self, String> {
        let bytes = match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| "the secret after `whsec_` is not base64")?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.len() < 24 {
            return Err("the secret is shorter than 24 bytes".to_owned());
        }
        Ok(Self { uri: address(url)?, key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), http })
    }

    /// `now` is in seconds since 1970.
    pub(crate) async fn deliver(&self, records: &[Record], now: u64) -> Result<(), SinkError> {
        let id = delivery_id(records);
        let body = json!({ "type": "bartizan.records", "records": records }).to_string();
        let signature = sign(&self.key, &id, now, &body);
        let request = Request::post(self.uri.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| SinkError::Unreachable(e.to_string()))?;
        self.http.send(request).await
    }
}

/// The same records have the same id, so that a receiver can leave out what it has already.
fn delivery_id(records: &[Record]) -> String {
    match (records.first(), records.last()) {
        (Some(first), Some(last)) => format!("{}-{}", first.id(), last.id()),
        _ => String::new(),
    }
}

/// `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`.
fn sign(key: &hmac::Key, id: &str, now: u64, body: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    for part in [id, ".", &now.to_string(), ".", body] {
        context.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of the specification's own example.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
