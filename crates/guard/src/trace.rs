//! A recorded exchange as an agent trace: the form that `policy eval`, replay and hunting read.

use bartizan_core::{Direction, Limits, Source};
use bartizan_wire::{Channel, ChannelPart, SseDecoder, StreamReader};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::vault::Opened;

/// `{"id", "tools", "messages", "calls"}` of what is recorded of an exchange. Messages have `role` and `content`, and
/// those of a tool its name; `calls` are what the model wants to call in the last reply, `index` the number of messages
/// that come before. A part that cannot be read is left out and named in `unread`.
#[must_use]
pub fn trace(id: &str, recorded: &[Opened], limits: &Limits) -> Value {
    let (mut tools, mut messages, mut calls, mut unread) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for opened in recorded {
        if opened.cut {
            unread.push(json!({"direction": opened.direction, "reason": "the recording was cut"}));
        }
        if opened.stream {
            streamed(opened, limits, &mut messages, &mut calls, &mut unread);
            continue;
        }
        let body = opened.body.clone();
        let exchange = match opened.direction {
            Direction::Request => bartizan_wire::request(opened.protocol, body, limits),
            Direction::Reply => bartizan_wire::reply(opened.protocol, body, limits),
        };
        let exchange = match exchange {
            Ok(exchange) => exchange,
            Err(error) => {
                unread.push(json!({"direction": opened.direction, "reason": error.to_string()}));
                continue;
            }
        };
        let body: Value = serde_json::from_slice(&exchange.body).unwrap_or_default();
        tools.extend(exchange.tools.iter().filter_map(|tool| body.pointer(&tool.pointer)).cloned());
        for message in &exchange.messages {
            let texts = message.parts.iter().filter_map(|part| exchange.texts.get(*part));
            let content: Vec<&str> = texts.map(|text| text.value.as_str()).collect();
            let mut out = json!({"role": role(message.origin.source), "content": content.join("\n")});
            let wanted: Vec<Value> = message
                .calls
                .iter()
                .map(|call| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}))
                .collect();
            if opened.direction == Direction::Reply {
                let index = messages.len();
                calls.extend(message.calls.iter().map(|c| one_call(&c.id, index, &c.name, &c.arguments)));
            }
            if let (false, Some(members)) = (wanted.is_empty(), out.as_object_mut()) {
                members.insert("tool_calls".to_owned(), Value::Array(wanted));
            }
            messages.push(out);
        }
    }
    let mut out = json!({"id": id, "tools": tools, "messages": messages, "calls": calls});
    if let (false, Some(members)) = (unread.is_empty(), out.as_object_mut()) {
        members.insert("unread".to_owned(), Value::Array(unread));
    }
    out
}

fn one_call(id: &str, index: usize, name: &str, arguments: &str) -> Value {
    let args = serde_json::from_str(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()));
    json!({"id": id, "index": index, "name": name, "args": args})
}

fn role(source: Source) -> &'static str {
    match source {
        Source::System => "system",
        Source::Model => "assistant",
        Source::Tool => "tool",
        _ => "user",
    }
}

/// Puts a stream together: prose of a choice is one message, each tool call one call.
fn streamed(
    opened: &Opened,
    limits: &Limits,
    messages: &mut Vec<Value>,
    calls: &mut Vec<Value>,
    unread: &mut Vec<Value>,
) {
    let mut decoder = SseDecoder::new(limits);
    let mut reader = StreamReader::new(opened.protocol, limits);
    let mut events = Vec::new();
    let mut failed = decoder.push(&opened.body, &mut events).err();
    if let Ok(Some(last)) = decoder.finish() {
        events.push(last);
    }
    let mut texts: BTreeMap<Channel, String> = BTreeMap::new();
    for event in &events {
        match reader.event(event) {
            Ok(chunk) => {
                for delta in chunk.deltas {
                    texts.entry(delta.channel).or_default().push_str(&delta.text);
                }
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if let Some(error) = failed {
        unread.push(json!({"direction": opened.direction, "reason": error.to_string()}));
    }
    let index = messages.len();
    let mut prose: BTreeMap<u32, String> = BTreeMap::new();
    for (channel, text) in texts {
        match channel.part {
            ChannelPart::Text | ChannelPart::Refusal => prose.entry(channel.choice).or_default().push_str(&text),
            ChannelPart::ToolArguments { name } => {
                // The id of a streamed call is no part of its channel; its place in the reply names it.
                calls.push(one_call(&format!("{}.{}", channel.choice, channel.block), index, &name, &text));
            }
            _ => {}
        }
    }
    messages.extend(prose.into_values().map(|text| json!({"role": "assistant", "content": text})));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_becomes_a_trace() {
        let request = json!({"model": "m", "tools": [{"type": "function", "function": {"name": "pay"}}],
            "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "pay bob"}]});
        let call =
            json!({"id": "c1", "type": "function", "function": {"name": "pay", "arguments": "{\"to\":\"bob\"}"}});
        let reply = json!({"id": "i", "choices": [{"index": 0, "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]});
        let recorded = [
            Opened::of(Direction::Request, false, &request.to_string()),
            Opened::of(Direction::Reply, false, &reply.to_string()),
        ];
        let trace = trace("x", &recorded, &Limits::default());
        assert_eq!(trace["tools"], request["tools"]);
        assert_eq!(trace["messages"][0], json!({"role": "system", "content": "be kind"}));
        assert_eq!(trace["messages"][1]["content"], "pay bob");
        assert_eq!(trace["calls"], json!([{"id": "c1", "index": 2, "name": "pay", "args": {"to": "bob"}}]));
        assert!(trace.get("unread").is_none());
    }

    #[test]
    fn a_stream_is_put_together_and_what_is_broken_is_named() {
        let event = |text: &str| {
            let chunk = json!({"id": "i", "object": "chat.completion.chunk", "model": "m",
                "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
            format!("data: {chunk}\n\n")
        };
        let body = event("hel") + &event("lo") + "data: [DONE]\n\n";
        let whole = trace("x", &[Opened::of(Direction::Reply, true, &body)], &Limits::default());
        assert_eq!(whole["messages"], json!([{"role": "assistant", "content": "hello"}]));
        let broken = trace("x", &[Opened::of(Direction::Request, false, "{\"half")], &Limits::default());
        assert_eq!(broken["unread"][0]["direction"], "request");
    }
}
