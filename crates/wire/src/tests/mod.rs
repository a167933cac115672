//! Tests of the crate as its users see it.

mod bodies;
mod dialects;
mod edits;
mod hostile;
mod laws;
mod mcp;
mod responses;
mod streams;

use bartizan_core::{Exchange, Limits, Protocol};
use serde_json::Value;

/// A PNG's first bytes, and other data that cannot be read.
pub(super) const BLOB: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";

pub(super) fn limits() -> Limits {
    Limits::default()
}

pub(super) fn read(protocol: Protocol, body: &str) -> Exchange {
    crate::request(protocol, body.as_bytes().to_vec(), &limits()).unwrap()
}

pub(super) fn chat(body: &Value) -> Exchange {
    read(Protocol::OpenaiChat, &body.to_string())
}

pub(super) fn messages(body: &Value) -> Exchange {
    read(Protocol::AnthropicMessages, &body.to_string())
}

/// Every string, key and number of a value with its pointer, found by an independent parser.
pub(super) fn leaves(value: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, at: &str, out: &mut Vec<(String, String)>) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(n) => out.push((at.to_owned(), n.to_string())),
            Value::String(s) => out.push((at.to_owned(), s.clone())),
            Value::Array(list) => {
                for (i, item) in list.iter().enumerate() {
                    walk(item, &format!("{at}/{i}"), out);
                }
            }
            Value::Object(map) => {
                for (key, item) in map {
                    let below = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                    out.push((format!("{below}#key"), key.clone()));
                    walk(item, &below, out);
                }
            }
        }
    }
    let mut out = Vec::new();
    walk(value, "", &mut out);
    out
}

/// Asserts that every leaf of the body is a text, or an unread part of something opaque, and that nothing is there
/// twice.
pub(super) fn assert_complete(exchange: &Exchange) {
    let value: Value = serde_json::from_slice(&exchange.body).unwrap();
    let text = std::str::from_utf8(&exchange.body).unwrap();
    let mut unread = 0;
    let mut seen: std::collections::HashMap<&str, &str> = std::collections::HashMap::new();
    // What a text encodes is offered beside it.
    for text in exchange.texts.iter().filter(|t| t.container.is_none() && !t.pointer.ends_with("#data")) {
        assert!(seen.insert(&text.pointer, &text.value).is_none(), "{} came twice", text.pointer);
        let literal = text.literal.of(std::str::from_utf8(&exchange.body).unwrap());
        if text.kind == bartizan_core::Kind::Number {
            assert_eq!(literal, text.value);
        } else {
            assert_eq!(serde_json::from_str::<String>(literal).unwrap(), text.value, "{}", text.pointer);
        }
    }
    for (pointer, value) in leaves(&value) {
        match seen.remove(pointer.as_str()) {
            // Numbers may be written in other ways.
            Some(text) => assert!(text == value || text.parse::<f64>() == value.parse(), "{pointer}: {text} {value}"),
            None => {
                let holder = exchange.opaque.iter().find(|o| o.bytes > 0 && pointer.starts_with(&o.pointer));
                assert!(holder.is_some(), "{pointer} was lost");
                // A list of numbers is one part.
                if holder.is_some_and(|o| !o.literal.of(text).starts_with('[')) {
                    unread += crate::json::encode(&value).len();
                }
            }
        }
    }
    assert!(seen.is_empty(), "{seen:?} is not in the body");
    let lists = |o: &&bartizan_core::Opaque| o.literal.of(text).starts_with('[');
    assert_eq!(unread, exchange.opaque.iter().filter(|o| !lists(o)).map(|o| o.bytes).sum::<usize>());
}

/// `source[:tool] kind` of the text at a pointer, with `!` where it cannot change.
pub(super) fn at(exchange: &Exchange, pointer: &str) -> String {
    let Some(text) = exchange.texts.iter().find(|t| t.pointer == pointer) else {
        return format!("no text at {pointer}");
    };
    let tool = text.origin.tool.as_deref().map(|t| format!(":{t}")).unwrap_or_default();
    let server = text.origin.server.as_deref().map(|t| format!("@{t}")).unwrap_or_default();
    let fixed = if text.editable { "" } else { "!" };
    format!("{}{tool}{server} {:?}{fixed}", text.origin.source, text.kind)
}

/// `pointer kind source[ strippable]` of all opaque parts.
pub(super) fn opaque(exchange: &Exchange) -> Vec<String> {
    let part = |o: &bartizan_core::Opaque| {
        let strip = if o.strippable { " strippable" } else { "" };
        let unread = if o.bytes > 0 { " unread" } else { "" };
        format!("{} {} {}{unread}{strip}", o.pointer, o.kind, o.origin.source)
    };
    exchange.opaque.iter().map(part).collect()
}
