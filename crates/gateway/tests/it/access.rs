//! Tokens of an identity provider, and upstreams that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::{get, post};
use bartizan_gateway::Upstream;
use http::{Request, StatusCode};
use http_body_util::Full;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{ANSWER, QUESTION, Running, http1, question, start, timely};

/// A provider of identities: signs tokens, and serves its key set.
struct Provider {
    key: EncodingKey,
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    async fn start() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = json!("1");
        let set = json!({"keys": [jwk]}).to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let serve = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(set.clone())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/keys", get(serve))).await });
        Self { key, url, asked }
    }

    fn token(&self, id: &str, change: impl FnOnce(&mut Value)) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({"iss": "https://id.example", "aud": "gw", "sub": "app", "org": "acme", "exp": now + 60, "models": "m"});
        change(&mut claims);
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &self.key).unwrap()
    }

    async fn gateway(&self) -> Running {
        let jwt = json!({
            "issuer": "https://id.example", "audience": ["gw"], "jwks": self.url,
            "claims": {"tenant": "org", "models": "models"},
        });
        start(|settings| {
            settings.jwt = Some(serde_json::from_value(jwt).unwrap());
            settings.tenant = serde_json::from_value(json!([{"name": "acme"}])).unwrap();
        })
        .await
    }
}

async fn ask(gateway: &Running, token: &str, body: &'static str, path: &str) -> (StatusCode, Value) {
    let request = Request::post(format!("http://localhost{path}"))
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::from(body))
        .unwrap();
    let response = http1(TcpStream::connect(gateway.address).await.unwrap(), request).await;
    (response.status(), serde_json::from_slice(response.body()).unwrap())
}

#[test]
fn tokens_let_in_who_they_are_for_and_nobody_else() {
    timely(async {
        let provider = Provider::start().await;
        let gateway = provider.gateway().await;
        let good = provider.token("1", |_| {});
        // Before the key set is there, nobody is told that a good token is wrong.
        let mut status = StatusCode::SERVICE_UNAVAILABLE;
        while status == StatusCode::SERVICE_UNAVAILABLE {
            status = ask(&gateway, &good, QUESTION, "/v1/chat/completions").await.0;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(status, StatusCode::OK);
        let other = r#"{"model":"other","messages":[{"role":"user","content":"Good day"}]}"#;
        assert_eq!(ask(&gateway, &good, other, "/v1/chat/completions").await.0, StatusCode::FORBIDDEN);
        for bad in [
            provider.token("1", |c| c["exp"] = json!(1_000_000)),
            provider.token("1", |c| c["iss"] = json!("https://other.example")),
            provider.token("1", |c| c["aud"] = json!("other")),
            provider.token("1", |c| c["org"] = json!("unknown")),
            provider.token("1", |c| c["org"] = Value::Null),
            format!("{good}x"),
            "a.b.c".to_owned(),
            format!("{}.{}.{}", "e".repeat(9000), "e".repeat(9000), "e".repeat(100)),
        ] {
            let (status, body) = ask(&gateway, &bad, QUESTION, "/v1/chat/completions").await;
            assert_eq!((status, &body["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("invalid_api_key")));
            let (status, body) = ask(&gateway, &bad, QUESTION, "/v1/messages").await;
            assert_eq!((status, &body["error"]["type"]), (StatusCode::UNAUTHORIZED, &json!("authentication_error")));
        }
    });
}

#[test]
fn unknown_keys_do_not_make_the_gateway_ask_the_provider_each_time() {
    timely(async {
        let provider = Provider::start().await;
        let gateway = provider.gateway().await;
        let good = provider.token("1", |_| {});
        while ask(&gateway, &good, QUESTION, "/v1/chat/completions").await.0 != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let unknown = provider.token("2", |_| {});
        for _ in 0..20 {
            assert_eq!(ask(&gateway, &unknown, QUESTION, "/v1/chat/completions").await.0, StatusCode::UNAUTHORIZED);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(provider.asked.load(Ordering::Relaxed), 2, "the first time, and once for all of these");
    });
}

/// A model server that is busy for so many requests and then answers; counts requests.
async fn busy(times: usize, head: [(&'static str, &'static str); 1]) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let serve = move || {
        let at = counted.fetch_add(1, Ordering::Relaxed);
        let busy = at < times;
        let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let head = if busy { head } else { [("x-ignored", "1")] };
        std::future::ready((status, [("content-type", "application/json")], head, ANSWER))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/chat/completions", post(serve))).await });
    (url, count)
}

async fn status(gateway: &Running, headers: &[(&'static str, &'static str)]) -> StatusCode {
    let mut request = question();
    for (name, value) in headers {
        request.headers_mut().insert(*name, http::HeaderValue::from_static(value));
    }
    http1(TcpStream::connect(gateway.address).await.unwrap(), request).await.status()
}

#[test]
fn only_what_cannot_have_been_processed_is_sent_again() {
    timely(async {
        let come_back = [("retry-after", "0")];
        let (url, count) = busy(1, come_back).await;
        let gateway = start(|s| s.upstream = vec![Upstream::at("a", &url)]).await;
        assert_eq!(status(&gateway, &[]).await, StatusCode::SERVICE_UNAVAILABLE, "a question may have side effects");
        assert_eq!(count.load(Ordering::Relaxed), 1);

        let (url, count) = busy(1, come_back).await;
        let gateway = start(|s| s.upstream = vec![Upstream::at("a", &url)]).await;
        assert_eq!(status(&gateway, &[("idempotency-key", "k1")]).await, StatusCode::OK);
        assert_eq!(count.load(Ordering::Relaxed), 2);

        let (url, count) = busy(5, come_back).await;
        let gateway =
            start(|s| s.upstream = vec![Upstream { retry_busy: true, retries: 2, ..Upstream::at("a", &url) }]).await;
        assert_eq!(status(&gateway, &[]).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(count.load(Ordering::Relaxed), 3, "the first and two more");

        let (url, count) = busy(1, [("x-other", "1")]).await;
        let gateway = start(|s| s.upstream = vec![Upstream { retry_busy: true, ..Upstream::at("a", &url) }]).await;
        assert_eq!(status(&gateway, &[]).await, StatusCode::SERVICE_UNAVAILABLE, "it may have worked on it");
        assert_eq!(count.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_fallback_takes_over_and_a_dead_upstream_is_left_alone() {
    timely(async {
        let (url, count) = busy(0, [("x-other", "1")]).await;
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead_url = format!("http://{}", dead.local_addr().unwrap());
        drop(dead);
        let gateway = start(|s| {
            let first =
                Upstream { fallback: vec!["b".into()], retries: 0, breaker: Some(2), ..Upstream::at("a", &dead_url) };
            s.upstream = vec![first, Upstream::at("b", &url)];
        })
        .await;
        for _ in 0..4 {
            assert_eq!(status(&gateway, &[]).await, StatusCode::OK);
        }
        assert_eq!(count.load(Ordering::Relaxed), 4);

        let gateway = start(|s| {
            s.upstream = vec![Upstream { retries: 0, breaker: Some(2), ..Upstream::at("a", &dead_url) }];
        })
        .await;
        assert_eq!(status(&gateway, &[]).await, StatusCode::BAD_GATEWAY);
        assert_eq!(status(&gateway, &[]).await, StatusCode::BAD_GATEWAY);
        assert_eq!(status(&gateway, &[]).await, StatusCode::SERVICE_UNAVAILABLE, "it rests");
    });
}
