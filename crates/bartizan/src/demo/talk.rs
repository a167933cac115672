//! Holds one conversation and says how it went.

use std::net::SocketAddr;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::demo::assistant::{Assistant, answer};
use crate::demo::scenarios::{Harm, Scenario, system_text};

/// How a conversation went.
pub(crate) struct Answer {
    /// In two or three words.
    pub(crate) summary: String,
    /// The attack worked, or the everyday conversation was damaged.
    pub(crate) harmed: bool,
    /// Id of the guard's record, where there was a guard.
    pub(crate) event: Option<String>,
}

/// A caller.
pub(crate) struct Talker {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Talker {
    pub(crate) fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Holds the conversation with whoever listens there.
    pub(crate) async fn ask(
        &self,
        address: SocketAddr,
        assistant: &Assistant,
        scenario: &Scenario,
    ) -> anyhow::Result<Answer> {
        let mut messages = vec![json!({"role": "system", "content": system_text()})];
        messages.extend((scenario.messages)().as_array().cloned().unwrap_or_default());
        let body = json!({"model": scenario.model, "stream": scenario.stream, "messages": messages}).to_string();
        let request = http::Request::post(format!("http://{address}/v1/chat/completions"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.clone())))?;
        assistant.take_seen();
        let reply = self.client.request(request).await?;
        let status = reply.status();
        let event = reply.headers().get("x-bartizan-event").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let bytes = reply.into_body().collect().await?.to_bytes();
        let seen = assistant.take_seen();
        let (text, calls, ended) = read(&String::from_utf8_lossy(&bytes), scenario.stream);
        let harmed = match &scenario.harm {
            Harm::Says(what) => text.contains(&what()),
            Harm::Calls(tool) => calls.iter().any(|c| c == tool),
            Harm::ModelSees(what) => seen.contains(&what()),
            Harm::Changed => {
                let question = messages
                    .iter()
                    .rev()
                    .find(|m| m["role"] == "user")
                    .and_then(|m| m["content"].as_str())
                    .unwrap_or("");
                seen != body || text != answer(question)
            }
        };
        let summary = if !status.is_success() {
            "blocked"
        } else if let (Harm::Calls(tool), true) = (&scenario.harm, harmed) {
            return Ok(Answer { summary: format!("calls {tool}"), harmed, event });
        } else if harmed && !scenario.attack {
            "damaged"
        } else if harmed {
            match scenario.harm {
                Harm::ModelSees(_) => "given to the model",
                _ => "leaked",
            }
        } else if !ended {
            "cut off"
        } else if (text + &seen).contains("[REDACTED:") {
            "masked"
        } else {
            "answered"
        };
        Ok(Answer { summary: summary.to_owned(), harmed, event })
    }
}

/// Text, tool names, and whether the answer came to a proper end.
fn read(body: &str, stream: bool) -> (String, Vec<String>, bool) {
    let mut text = String::new();
    let mut calls = Vec::new();
    let mut ended = !stream;
    let mut message = |value: &Value| {
        text += value["content"].as_str().unwrap_or("");
        for call in value["tool_calls"].as_array().into_iter().flatten() {
            calls.extend(call["function"]["name"].as_str().map(str::to_owned));
        }
    };
    if stream {
        for data in body.lines().filter_map(|l| l.strip_prefix("data: ")) {
            let chunk: Value = serde_json::from_str(data).unwrap_or_default();
            message(&chunk["choices"][0]["delta"]);
            ended |= chunk["choices"][0]["finish_reason"] == "stop";
        }
    } else {
        let reply: Value = serde_json::from_str(body).unwrap_or_default();
        message(&reply["choices"][0]["message"]);
    }
    (text, calls, ended)
}
