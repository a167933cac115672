//! OpenTelemetry logs over HTTP with JSON bodies (OTLP 1.x).

use bartizan_core::{Record, Verdict};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::error::SinkError;
use crate::http::{Http, below};
use crate::time::nanoseconds;

pub(crate) struct Otlp {
    uri: Uri,
    authorization: Option<String>,
    http: Http,
}

impl Otlp {
    pub(crate) fn new(url: &str, authorization: Option<String>, http: Http) -> Result<Self, String> {
        Ok(Self { uri: below(url, "/v1/logs")?, authorization, http })
    }

    pub(crate) async fn deliver(&self, records: &[Record]) -> Result<(), SinkError> {
        let logs: Vec<Value> = records.iter().map(log).collect();
        let body = json!({ "resourceLogs": [{
            "resource": { "attributes": [text("service.name", "bartizan"), text("service.version", env!("CARGO_PKG_VERSION"))] },
            "scopeLogs": [{ "scope": { "name": "bartizan.evidence" }, "logRecords": logs }],
        }] });
        let mut request = Request::post(self.uri.clone()).header("content-type", "application/json");
        if let Some(value) = &self.authorization {
            request = request.header("authorization", value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|e| SinkError::Unreachable(e.to_string()))?;
        self.http.send(request).await
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Severity numbers of the OpenTelemetry log data model: 9 is INFO, 13 WARN, 17 ERROR.
fn log(record: &Record) -> Value {
    let (name, severity, word, mut attributes) = match record {
        Record::Act(act) => {
            let attributes = vec![
                text("bartizan.deed", act.deed.as_str()),
                text("bartizan.actor", &act.actor),
                text("bartizan.subject", &act.subject),
            ];
            ("bartizan.act", 9, "INFO", attributes)
        }
        Record::Decision(event) => {
            let (severity, word) = match event.verdict {
                Verdict::Allow => (9, "INFO"),
                Verdict::Redact => (13, "WARN"),
                Verdict::Hold | Verdict::Deny => (17, "ERROR"),
            };
            let rules: Vec<&str> = event.rules.keys().map(bartizan_core::RuleId::as_str).collect();
            let attributes = vec![
                text("bartizan.verdict", event.verdict.as_str()),
                text("bartizan.action", event.action.as_str()),
                text("bartizan.rules", &rules.join(" ")),
                text("bartizan.exchange", &event.exchange),
                text("gen_ai.request.model", &event.model),
            ];
            ("bartizan.decision", severity, word, attributes)
        }
    };
    attributes.push(text("bartizan.tenant", record.tenant().as_str()));
    attributes.push(text("bartizan.record.id", record.id()));
    let nanos = nanoseconds(record.time()).unwrap_or_default().to_string();
    json!({
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": severity,
        "severityText": word,
        "eventName": name,
        "body": { "stringValue": serde_json::to_string(record).unwrap_or_default() },
        "attributes": attributes,
    })
}
