//! Splunk's HTTP event collector.

use bartizan_core::Record;
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use serde_json::json;

use crate::error::SinkError;
use crate::http::{Http, below};
use crate::time::seconds;

pub(crate) struct Splunk {
    uri: Uri,
    token: String,
    index: Option<String>,
    http: Http,
}

impl Splunk {
    pub(crate) fn new(url: &str, token: &str, index: Option<String>, http: Http) -> Result<Self, String> {
        let uri = below(url, "/services/collector/event")?;
        Ok(Self { uri, token: format!("Splunk {token}"), index, http })
    }

    pub(crate) async fn deliver(&self, records: &[Record]) -> Result<(), SinkError> {
        let mut body = String::new();
        for record in records {
            let kind = if matches!(record, Record::Act(_)) { "bartizan:act" } else { "bartizan:decision" };
            let mut event = json!({ "source": "bartizan", "sourcetype": kind, "event": record });
            if let Some(time) = seconds(record.time()) {
                event["time"] = json!(time);
            }
            if let Some(index) = &self.index {
                event["index"] = json!(index);
            }
            body.push_str(&event.to_string());
            body.push('\n');
        }
        let request = Request::post(self.uri.clone())
            .header("content-type", "application/json")
            .header("authorization", &self.token)
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| SinkError::Unreachable(e.to_string()))?;
        self.http.send(request).await
    }
}
