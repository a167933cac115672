//! Anthropic messages (API version 2023-06-01).

use serde_json::{Map, Value, json};

use crate::ask::{Answer, Ask, Attachment, Block, Call, Finish, MediaKind, Reply, Role, Turn, Usage};
use crate::failure::Failure;

/// The body of a question.
pub(crate) fn encode(ask: &Ask, model: &str, max_tokens: u32, temperature: Option<f64>) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("max_tokens".to_owned(), json!(max_tokens.max(1)));
    if let Some(temperature) = temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    let system: Vec<&str> = ask.turns.iter().filter(|t| t.role == Role::System).map(|t| t.content.as_str()).collect();
    if !system.is_empty() {
        body.insert("system".to_owned(), json!(system.join("\n\n")));
    }
    let mut messages: Vec<Value> = Vec::new();
    for turn in ask.turns.iter().filter(|t| t.role != Role::System) {
        let (role, content) = blocks(turn);
        // Turns of one side in a row are one message: tool results belong into one.
        match messages.last_mut() {
            Some(last) if last["role"] == role => {
                if let Some(all) = last["content"].as_array_mut() {
                    all.extend(content);
                }
            }
            _ => messages.push(json!({"role": role, "content": content})),
        }
    }
    body.insert("messages".to_owned(), Value::Array(messages));
    if !ask.tools.is_empty() {
        let tools = ask.tools.iter();
        let tools = tools.map(|t| json!({"name": t.name, "description": t.description, "input_schema": t.parameters}));
        body.insert("tools".to_owned(), tools.collect());
    }
    Value::Object(body)
}

fn blocks(turn: &Turn) -> (&'static str, Vec<Value>) {
    match turn.role {
        Role::Tool => {
            let id = turn.call_id.as_deref().unwrap_or_default();
            ("user", vec![json!({"type": "tool_result", "tool_use_id": id, "content": turn.content})])
        }
        Role::Assistant => {
            let text = (!turn.content.is_empty()).then(|| json!({"type": "text", "text": turn.content}));
            let call = |c: &Call| {
                let input: Value = serde_json::from_str(&c.arguments).unwrap_or_else(|_| json!({}));
                json!({"type": "tool_use", "id": c.id, "name": c.name, "input": input})
            };
            ("assistant", text.into_iter().chain(turn.calls.iter().map(call)).collect())
        }
        Role::User | Role::System => {
            let file = |one: &Attachment| {
                let kind = if one.kind == MediaKind::Png { "image" } else { "document" };
                json!({"type": kind, "source": {"type": "base64", "media_type": one.kind.mime(), "data": one.data}})
            };
            let text = json!({"type": "text", "text": turn.content});
            ("user", turn.media.iter().map(file).chain([text]).collect())
        }
    }
}

/// What a body of status 200 says.
pub(crate) fn decode(body: &Value) -> Result<Answer, Failure> {
    let parts = body["content"].as_array().ok_or_else(|| Failure::malformed("no `content`"))?;
    let finish = match body["stop_reason"].as_str().unwrap_or_default() {
        "refusal" if parts.is_empty() => {
            return Ok(Answer::Blocked(Block { code: "refusal".to_owned(), ..Block::default() }));
        }
        "max_tokens" => Finish::Length,
        "tool_use" => Finish::Calls,
        _ => Finish::Stop,
    };
    let text: String = parts.iter().filter(|p| p["type"] == "text").filter_map(|p| p["text"].as_str()).collect();
    let reasoning: String = parts.iter().filter_map(|p| p["thinking"].as_str()).collect();
    let call = |p: &Value| {
        let id = p["id"].as_str().unwrap_or_default().to_owned();
        Some(Call { id, name: p["name"].as_str()?.to_owned(), arguments: p["input"].to_string() })
    };
    let calls = parts.iter().filter(|p| p["type"] == "tool_use").filter_map(call).collect();
    let count = |name: &str| body["usage"][name].as_u64();
    let usage = Usage {
        input: count("input_tokens").unwrap_or(0),
        output: count("output_tokens").unwrap_or(0),
        estimated: count("input_tokens").is_none(),
    };
    Ok(Answer::Reply(Reply { text, reasoning, calls, finish, usage, tokens: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_conversation_goes_there_and_back() {
        let call = Call { id: "c1".into(), name: "f".into(), arguments: "{\"a\":1}".into() };
        let turns = vec![
            Turn::new(Role::System, "s"),
            Turn::new(Role::User, "u"),
            Turn { calls: vec![call.clone()], ..Turn::new(Role::Assistant, "") },
            Turn { call_id: Some("c1".into()), ..Turn::new(Role::Tool, "r") },
            Turn::new(Role::User, "and?"),
        ];
        let body = encode(&Ask::chat(turns), "m", 5, None);
        assert_eq!(body["system"], "s");
        assert_eq!(body["messages"].as_array().unwrap().len(), 3);
        assert_eq!(body["messages"][1]["content"][0]["input"]["a"], 1);
        assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "c1");
        assert_eq!(body["messages"][2]["content"][1]["text"], "and?");

        let reply = json!({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "x"}, {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}],
            "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}});
        let Ok(Answer::Reply(reply)) = decode(&reply) else { panic!() };
        assert_eq!((reply.text.as_str(), &reply.calls[0], reply.finish), ("x", &call, Finish::Calls));
        assert_eq!(reply.reasoning, "hm");
        assert!(decode(&json!({"content": "x"})).is_err());
    }
}
