//! Histories out of request bodies: OpenAI chat, OpenAI Responses, Anthropic messages.
//!
//! Whatever a dialect puts where, a tool result is never the user's words, and what is not known is nobody's.

use std::sync::Arc;

use bartizan_core::Protocol;
use serde_json::Value;

use super::history::{Call, History};
use super::rules::Rules;
use super::tool::Tool;

impl History {
    /// Reads a request. Bodies of other dialects give a history that trusts nothing.
    #[must_use]
    pub fn read(protocol: Protocol, body: &Value, rules: Option<Arc<Rules>>) -> Self {
        let tools = tools(body.get("tools"));
        let mut history = Self::new(tools, rules);
        match protocol {
            Protocol::OpenaiChat => messages(body).for_each(|m| history.push_chat(m)),
            Protocol::AnthropicMessages => {
                for text in texts(body.get("system").unwrap_or(&Value::Null)) {
                    history.push_system(text);
                }
                messages(body).for_each(|m| history.push_anthropic(m));
            }
            Protocol::OpenaiResponses => history.read_responses(body),
            _ => history.unseen(),
        }
        history
    }

    /// Adds a message of OpenAI chat completions.
    pub fn push_chat(&mut self, message: &Value) {
        let content = message.get("content").unwrap_or(&Value::Null);
        match message.get("role").and_then(Value::as_str).unwrap_or_default() {
            "system" | "developer" => texts(content).for_each(|t| self.push_system(t)),
            "user" => texts(content).for_each(|t| self.push_user(t)),
            "assistant" => {
                for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
                    self.push_call(chat_call(call));
                }
            }
            "tool" | "function" => {
                let id = message
                    .get("tool_call_id")
                    .or_else(|| message.get("name"))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                self.push_result(id, &joined(content));
            }
            _ => self.push_untrusted(&content.to_string()),
        }
    }

    fn push_anthropic(&mut self, message: &Value) {
        let user = message.get("role").and_then(Value::as_str) == Some("user");
        let content = message.get("content").unwrap_or(&Value::Null);
        if let Some(text) = content.as_str() {
            if user {
                self.push_user(text);
            }
            return;
        }
        for block in content.as_array().into_iter().flatten() {
            let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
            match kind {
                "text" if user => self.push_user(text_of(block)),
                "text" | "thinking" | "redacted_thinking" => {}
                "tool_use" if !user => self.push_call(Call {
                    id: string(block, "id"),
                    name: string(block, "name"),
                    args: block.get("input").cloned().unwrap_or_default(),
                }),
                "tool_result" => {
                    let id = string(block, "tool_use_id");
                    self.push_result(&id, &joined(block.get("content").unwrap_or(&Value::Null)));
                }
                _ => self.push_untrusted(&block.to_string()),
            }
        }
    }

    fn read_responses(&mut self, body: &Value) {
        let refers = |key: &str| body.get(key).is_some_and(|v| !v.is_null());
        if refers("previous_response_id") || refers("conversation") || refers("prompt") {
            self.unseen();
        }
        texts(body.get("instructions").unwrap_or(&Value::Null)).for_each(|t| self.push_system(t));
        let input = body.get("input").unwrap_or(&Value::Null);
        if let Some(text) = input.as_str() {
            self.push_user(text);
        }
        for item in input.as_array().into_iter().flatten() {
            match item.get("type").and_then(Value::as_str).unwrap_or("message") {
                "message" => self.push_chat(item),
                "function_call" | "custom_tool_call" => self.push_call(Call {
                    id: string(item, "call_id"),
                    name: string(item, "name"),
                    args: item
                        .get("arguments")
                        .and_then(Value::as_str)
                        .and_then(|a| serde_json::from_str(a).ok())
                        .unwrap_or_default(),
                }),
                "function_call_output" | "custom_tool_call_output" => {
                    let id = string(item, "call_id");
                    self.push_result(&id, &joined(item.get("output").unwrap_or(&Value::Null)));
                }
                "reasoning" => {}
                // What a provider's own tools read, items by reference, and all that is not known.
                "item_reference" => self.unseen(),
                _ => self.push_untrusted(&item.to_string()),
            }
        }
    }
}

/// The tools of a request.
#[must_use]
pub fn tools(list: Option<&Value>) -> Vec<Tool> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Tool::read).collect()
}

/// A call as OpenAI chat completions write it. Arguments that are no JSON become null, which no decision lets pass.
#[must_use]
pub fn chat_call(call: &Value) -> Call {
    let function = call.get("function").unwrap_or(call);
    let args = match function.get("arguments") {
        Some(Value::String(text)) if text.trim().is_empty() => Value::Object(serde_json::Map::new()),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(value) => value.clone(),
        None => Value::Object(serde_json::Map::new()),
    };
    Call { id: string(call, "id"), name: string(function, "name"), args }
}

fn messages(body: &Value) -> impl Iterator<Item = &Value> {
    body.get("messages").and_then(Value::as_array).into_iter().flatten()
}

fn string(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn text_of(block: &Value) -> &str {
    block.get("text").and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a content that is a string or a list of parts.
fn texts(content: &Value) -> impl Iterator<Item = &str> {
    let parts = content.as_array().into_iter().flatten().map(text_of);
    content.as_str().into_iter().chain(parts).filter(|t| !t.is_empty())
}

fn joined(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(_) => texts(content).collect::<Vec<_>>().join("\n"),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
