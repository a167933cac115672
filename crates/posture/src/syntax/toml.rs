//! TOML with places.

use bartizan_core::Span;
use toml_edit::{Document, Item, Table, Value};

use crate::tree::{Broken, Data, Node};

/// Reads one document.
///
/// # Errors
/// Where and why it is none.
pub(crate) fn parse(text: &str) -> Result<Node, Broken> {
    // The library nests as deep as its own limit; a longer line of brackets is refused before it is asked.
    let document = Document::parse(text)
        .map_err(|error| Broken::new(error.span().map_or(0, |s| s.start), "this is no TOML from here on"))?;
    Ok(table(document.as_table(), Span::new(0, text.len())))
}

fn span(range: Option<std::ops::Range<usize>>, or: Span) -> Span {
    range.map_or(or, |r| Span::new(r.start, r.end))
}

fn table(table: &Table, home: Span) -> Node {
    let at = span(table.span(), home);
    let entries = table
        .iter()
        .map(|(key, value)| {
            let place = table.key(key).and_then(toml_edit::Key::span);
            let place = span(place, at);
            (Node::scalar(key, place), item(value, place))
        })
        .collect();
    Node { data: Data::Map(entries), span: at }
}

fn item(item: &Item, home: Span) -> Node {
    match item {
        Item::None => Node { data: Data::Null, span: home },
        Item::Value(inner) => value(inner, home),
        Item::Table(inner) => table(inner, home),
        Item::ArrayOfTables(tables) => {
            let at = span(tables.span(), home);
            Node { data: Data::List(tables.iter().map(|t| table(t, at)).collect()), span: at }
        }
    }
}

fn value(inner: &Value, home: Span) -> Node {
    let at = span(inner.span(), home);
    let data = match inner {
        Value::String(text) => Data::Scalar(text.value().clone()),
        Value::Integer(number) => Data::Scalar(number.value().to_string()),
        Value::Float(number) => Data::Scalar(number.value().to_string()),
        Value::Boolean(flag) => Data::Scalar(flag.value().to_string()),
        Value::Datetime(time) => Data::Scalar(time.value().to_string()),
        Value::Array(items) => Data::List(items.iter().map(|v| value(v, at)).collect()),
        Value::InlineTable(entries) => {
            Data::Map(entries.iter().map(|(key, inner)| (Node::scalar(key, at), value(inner, at))).collect())
        }
    };
    Node { data, span: at }
}
