//! Histories out of request bodies: OpenAI chat, OpenAI Responses, Anthropic messages, Gemini, Bedrock Converse.
//!
//! Whatever a dialect puts where, a tool result is never the user's words, and what is not known is nobody's.

use std::collections::HashMap;
use std::sync::Arc;

use bartizan_core::Protocol;
use serde_json::Value;

use super::history::{Call, History};
use super::ledger::Known;
use super::rules::Rules;
use super::tool::Tool;
use super::trace::Writer;

impl History {
    /// Reads a request in which a person writes the user messages. Bodies of other dialects give a history that trusts
    /// nothing.
    #[must_use]
    pub fn read(protocol: Protocol, body: &Value, rules: Option<Arc<Rules>>) -> Self {
        Self::read_of(protocol, body, rules, Writer::Human, None)
    }

    /// The same where it is known who writes the user messages, and what models and tools have produced before.
    #[must_use]
    pub fn read_of(
        protocol: Protocol,
        body: &Value,
        rules: Option<Arc<Rules>>,
        writer: Writer,
        known: Option<Known>,
    ) -> Self {
        let offered = match protocol {
            Protocol::BedrockConverse => body.get("toolConfig").and_then(|config| config.get("tools")),
            _ => body.get("tools"),
        };
        let mut history = Self::new(tools(offered), rules).knowing(known);
        history.writer = writer;
        match protocol {
            Protocol::OpenaiChat => messages(body).for_each(|m| history.push_chat(m)),
            Protocol::AnthropicMessages => {
                for text in texts(body.get("system").unwrap_or(&Value::Null)) {
                    history.push_system(text);
                }
                messages(body).for_each(|m| history.push_anthropic(m));
            }
            Protocol::OpenaiResponses => history.read_responses(body),
            Protocol::BedrockConverse => {
                for text in texts(body.get("system").unwrap_or(&Value::Null)) {
                    history.push_system(text);
                }
                messages(body).for_each(|m| history.push_converse(m));
            }
            Protocol::Gemini => history.read_gemini(body),
            _ => history.unseen(),
        }
        history
    }

    fn push_converse(&mut self, message: &Value) {
        let user = message.get("role").and_then(Value::as_str) == Some("user");
        for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            let member = |key: &str| block.get(key).filter(|v| !v.is_null());
            if let Some(call) = member("toolUse") {
                let (id, name) = (string(call, "toolUseId"), string(call, "name"));
                self.push_call(Call { id, name, args: call.get("input").cloned().unwrap_or_default() });
            } else if let Some(result) = member("toolResult") {
                let parts = result.get("content").and_then(Value::as_array).into_iter().flatten();
                let parts = parts.map(|p| p.get("json").map_or_else(|| text_of(p).to_owned(), Value::to_string));
                let text = parts.collect::<Vec<_>>().join("\n");
                self.push_result(&string(result, "toolUseId"), &text);
            } else if member("text").is_some() {
                if user {
                    self.push_user(text_of(block));
                }
            } else if user {
                self.push_untrusted(&block.to_string());
            }
        }
    }

    /// Its calls have no ids in older versions: results answer the calls of a name in their order.
    fn read_gemini(&mut self, body: &Value) {
        if either(body, "cachedContent", "cached_content").is_some_and(|v| !v.is_null()) {
            self.unseen();
        }
        let body = either(body, "generateContentRequest", "generate_content_request").unwrap_or(body);
        let system = either(body, "systemInstruction", "system_instruction").and_then(|s| s.get("parts"));
        texts(system.unwrap_or(&Value::Null)).for_each(|t| self.push_system(t));
        let (mut called, mut answered) = (Counts::new(), Counts::new());
        for content in body.get("contents").and_then(Value::as_array).into_iter().flatten() {
            let user = matches!(content.get("role").and_then(Value::as_str), Some("user") | None);
            for part in content.get("parts").and_then(Value::as_array).into_iter().flatten() {
                if let Some(call) = either(part, "functionCall", "function_call") {
                    let name = string(call, "name");
                    let id = numbered(call, &name, &mut called);
                    self.push_call(Call { id, name, args: call.get("args").cloned().unwrap_or_default() });
                } else if let Some(response) = either(part, "functionResponse", "function_response") {
                    let id = numbered(response, &string(response, "name"), &mut answered);
                    let text = response.get("response").map(Value::to_string).unwrap_or_default();
                    self.push_result(&id, &text);
                } else if part.get("text").is_some() {
                    if user {
                        self.push_user(text_of(part));
                    }
                } else if user {
                    self.push_untrusted(&part.to_string());
                }
            }
        }
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
                "function_call" | "custom_tool_call" => {
                    let given = item.get("arguments").or_else(|| item.get("input")).and_then(Value::as_str);
                    let (id, name) = (string(item, "call_id"), string(item, "name"));
                    let call = self.call(&id, &name, given.unwrap_or_default());
                    self.push_call(call);
                }
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

/// The tools of a request. Lists of declarations (Gemini) and namespaces (Responses) stand for what is in them.
#[must_use]
pub fn tools(list: Option<&Value>) -> Vec<Tool> {
    let mut all = Vec::new();
    for definition in list.and_then(Value::as_array).into_iter().flatten() {
        let inner = either(definition, "functionDeclarations", "function_declarations")
            .or_else(|| definition.get("tools"))
            .and_then(Value::as_array);
        match inner {
            Some(inner) => all.extend(inner.iter().filter_map(Tool::read)),
            None => all.extend(Tool::read(definition)),
        }
    }
    all
}

type Counts = HashMap<String, usize>;

/// The id of a call or result, or a number among those of its name.
fn numbered(value: &Value, name: &str, counts: &mut Counts) -> String {
    let id = string(value, "id");
    if !id.is_empty() {
        return id;
    }
    let count = counts.entry(name.to_owned()).or_default();
    *count += 1;
    format!("{name}#{count}")
}

/// A member in camel or in snake case.
fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

/// A call as OpenAI chat completions write it. Arguments that are no JSON become null, which no decision lets pass.
#[must_use]
pub fn chat_call(call: &Value) -> Call {
    // Tools that take any text: it is the argument `input`, as for the call that is decided.
    if let Some(custom) = call.get("custom").filter(|custom| custom.get("input").is_some()) {
        let args = serde_json::json!({ "input": string(custom, "input") });
        return Call { id: string(call, "id"), name: string(custom, "name"), args };
    }
    let function = call.get("function").or_else(|| call.get("custom")).unwrap_or(call);
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
pub(super) fn texts(content: &Value) -> impl Iterator<Item = &str> {
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
