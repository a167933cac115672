//! Questions and replies as bytes, in the shapes of three APIs.

use serde_json::{Value, json};

/// An API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Chat,
    Messages,
    Responses,
}

impl Wire {
    pub(crate) const ALL: &[Self] = &[Self::Chat, Self::Messages, Self::Responses];

    /// A question for at most 50 tokens.
    pub(crate) fn question(self, text: &str, stream: bool) -> String {
        let message = json!([{"role": "user", "content": text}]);
        let (path, more, body) = match self {
            Self::Chat => (
                "/v1/chat/completions",
                "",
                json!({"model": "m", "stream": stream, "max_tokens": 50, "messages": message}),
            ),
            Self::Messages => (
                "/v1/messages",
                "anthropic-version: 2023-06-01\r\n",
                json!({"model": "m", "stream": stream, "max_tokens": 50, "messages": message}),
            ),
            Self::Responses => {
                ("/v1/responses", "", json!({"model": "m", "stream": stream, "max_output_tokens": 50, "input": text}))
            }
        };
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// A whole reply of 150 tokens that says a JSON string literal.
    pub(crate) fn reply(self, literal: &str) -> String {
        match self {
            Self::Chat => format!(
                r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":{literal}}},"finish_reason":"stop"}}],"usage":{CHAT_USAGE}}}"#
            ),
            Self::Messages => format!(
                r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":{literal}}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":100,"output_tokens":50}}}}"#
            ),
            Self::Responses => response("completed", &item("completed", literal), USAGE),
        }
    }

    /// A stream of 150 tokens that says these JSON string literals, and `whole` where the API repeats the text.
    pub(crate) fn stream(self, pieces: &[String], whole: &str) -> String {
        let mut out = String::new();
        match self {
            Self::Chat => {
                let chunk = |delta: &str, finish: &str, usage: &str| {
                    format!(
                        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]{usage}}}\n\n"
                    )
                };
                for piece in pieces {
                    out.push_str(&chunk(&format!("{{\"content\":{piece}}}"), "null", ""));
                }
                out.push_str(&chunk("{}", "\"stop\"", &format!(",\"usage\":{CHAT_USAGE}")));
                out.push_str("data: [DONE]\n\n");
            }
            Self::Messages => {
                let mut event = |kind: &str, rest: &str| {
                    out.push_str(&format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n"));
                };
                event(
                    "message_start",
                    r#","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":100,"output_tokens":1}}"#,
                );
                event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#);
                for piece in pieces {
                    event(
                        "content_block_delta",
                        &format!(r#","index":0,"delta":{{"type":"text_delta","text":{piece}}}"#),
                    );
                }
                event("content_block_stop", r#","index":0"#);
                event(
                    "message_delta",
                    r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":50}"#,
                );
                event("message_stop", "");
            }
            Self::Responses => {
                let mut number = 0;
                let mut event = |kind: &str, rest: &str| {
                    out.push_str(&format!(
                        "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number}{rest}}}\n\n"
                    ));
                    number += 1;
                };
                let at = r#","item_id":"msg_1","output_index":0,"content_index":0"#;
                let part = |text: &str| format!(r#"{{"type":"output_text","text":{text},"annotations":[]}}"#);
                event("response.created", &format!(r#","response":{}"#, response("in_progress", "", "null")));
                event(
                    "response.output_item.added",
                    r#","output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"in_progress","content":[]}"#,
                );
                event("response.content_part.added", &format!(r#"{at},"part":{}"#, part("\"\"")));
                for piece in pieces {
                    event("response.output_text.delta", &format!(r#"{at},"delta":{piece}"#));
                }
                event("response.output_text.done", &format!(r#"{at},"text":{whole}"#));
                event("response.content_part.done", &format!(r#"{at},"part":{}"#, part(whole)));
                let item = item("completed", whole);
                event("response.output_item.done", &format!(r#","output_index":0,"item":{item}"#));
                event("response.completed", &format!(r#","response":{}"#, response("completed", &item, USAGE)));
            }
        }
        out
    }

    /// An error of the upstream that says a JSON string literal.
    pub(crate) fn error(self, literal: &str) -> String {
        match self {
            Self::Messages => format!(r#"{{"type":"error","error":{{"type":"api_error","message":{literal}}}}}"#),
            _ => format!(r#"{{"error":{{"message":{literal},"type":"server_error"}}}}"#),
        }
    }

    /// What a client takes as the text of a body, or as the message of its error.
    pub(crate) fn said(self, body: &str) -> String {
        let said = |value: &Value| {
            let text = match self {
                Self::Chat => {
                    let choice = &value["choices"][0];
                    choice["delta"]["content"].as_str().or(choice["message"]["content"].as_str())
                }
                Self::Messages => value["delta"]["text"].as_str().or(value["content"][0]["text"].as_str()),
                Self::Responses => value["delta"].as_str().or(value["output"][0]["content"][0]["text"].as_str()),
            };
            text.or(value["error"]["message"].as_str()).unwrap_or_default().to_owned()
        };
        values(body).iter().map(said).collect()
    }

    /// True where a client takes the stream for complete, whether it ends well or in an error.
    pub(crate) fn ends(self, stream: &str) -> bool {
        let last = || data(stream).next_back().and_then(|d| serde_json::from_str::<Value>(d).ok());
        let among = |kinds: &[&str]| last().is_some_and(|v| kinds.iter().any(|kind| v["type"] == *kind));
        stream.ends_with("\n\n")
            && match self {
                Self::Chat => stream.ends_with("data: [DONE]\n\n"),
                Self::Messages => among(&["message_stop", "error"]),
                Self::Responses => among(&["response.completed", "response.failed", "response.incomplete", "error"]),
            }
    }
}

const USAGE: &str = r#"{"input_tokens":100,"output_tokens":50,"total_tokens":150}"#;
const CHAT_USAGE: &str = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150}"#;

fn item(status: &str, literal: &str) -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","status":"{status}","content":[{{"type":"output_text","text":{literal},"annotations":[]}}]}}"#
    )
}

fn response(status: &str, output: &str, usage: &str) -> String {
    format!(
        r#"{{"id":"resp_1","object":"response","created_at":1,"status":"{status}","error":null,"incomplete_details":null,"model":"m","output":[{output}],"usage":{usage}}}"#
    )
}

/// True where a body is a stream of events.
pub(crate) fn is_stream(body: &str) -> bool {
    body.starts_with("data: ") || body.starts_with("event: ")
}

fn data(stream: &str) -> impl DoubleEndedIterator<Item = &str> {
    stream.lines().filter_map(|line| line.strip_prefix("data: "))
}

/// The JSON values of a body: one, or those of a stream.
fn values(body: &str) -> Vec<Value> {
    match serde_json::from_str(body) {
        Ok(value) => vec![value],
        Err(_) => data(body).filter_map(|d| serde_json::from_str(d).ok()).collect(),
    }
}

/// Every string that a client can read in a body, with the escapes undone.
pub(crate) fn strings(body: &str) -> Vec<String> {
    fn walk(value: Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text),
            Value::Array(items) => items.into_iter().for_each(|item| walk(item, out)),
            Value::Object(members) => members.into_iter().for_each(|(key, value)| {
                out.push(key);
                walk(value, out);
            }),
            _ => {}
        }
    }
    let mut out = Vec::new();
    values(body).into_iter().for_each(|value| walk(value, &mut out));
    out
}
