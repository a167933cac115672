//! Chat messages as several APIs send them.

use serde_json::{Value, json};

/// A message of one role.
pub(crate) fn message(role: &str, content: Value) -> Value {
    json!({"role": role, "content": content})
}

/// A reply with one choice for each message, so that texts of different choices are never read as one.
pub(crate) fn reply(messages: impl IntoIterator<Item = Value>, model: Option<&str>) -> Value {
    let choices: Vec<Value> = messages
        .into_iter()
        .enumerate()
        .map(|(index, message)| json!({"index": index, "message": message, "finish_reason": "stop"}))
        .collect();
    with_model(json!({"choices": choices}), model)
}

/// A request.
pub(crate) fn request(messages: Vec<Value>, model: Option<&str>) -> Value {
    with_model(json!({"messages": messages}), model)
}

fn with_model(mut body: Value, model: Option<&str>) -> Value {
    if let (Some(model), Value::Object(members)) = (model, &mut body) {
        members.insert("model".to_owned(), json!(model));
    }
    body
}

/// Role of a message.
pub(crate) fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

/// The operator's texts of a conversation.
pub(crate) fn system(messages: &[Value]) -> Vec<String> {
    let of_operator = messages.iter().filter(|m| matches!(role(m), "system" | "developer"));
    of_operator.flat_map(|message| texts(message).into_iter().map(|(_, text)| text.to_owned())).collect()
}

/// The texts of a message in order, with where they stand in it.
pub(crate) fn texts(message: &Value) -> Vec<(String, &str)> {
    match message.get("content") {
        Some(Value::String(text)) => vec![("/content".to_owned(), text)],
        Some(Value::Array(parts)) => parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| Some((format!("/content/{at}/text"), part.get("text")?.as_str()?)))
            .collect(),
        _ => Vec::new(),
    }
}
