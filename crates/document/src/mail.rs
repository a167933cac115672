//! Messages (RFC 5322, MIME): header fields and every part, attachments as the documents that they are.

use bartizan_core::Reason;
use mail_parser::{HeaderValue, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use crate::extract;
use crate::layer::Layer;

/// Work that the parts of a message may cause, as their number times its length in bytes.
const WORK: usize = 1 << 31;

/// Most parts of a message. The parser makes a tree of the messages in messages, which is as deep as they are many.
const MOST_PARTS: usize = 512;

/// Reads a message.
pub(crate) fn read(bytes: &[u8], layer: &mut Layer<'_>) {
    let most = (WORK / bytes.len().max(1)).clamp(64, MOST_PARTS);
    if has_more_parts_than(bytes, most) {
        return layer.fault(Reason::TooManyParts);
    }
    match MessageParser::default().parse(bytes) {
        Some(message) => message_of(&message, layer),
        None => layer.fault(Reason::Malformed),
    }
}

/// Every part but the first has a field of its own that says what it is, except in a digest, which says that it is one.
fn has_more_parts_than(bytes: &[u8], most: usize) -> bool {
    const FIELD: &[u8] = b"ontent-";
    let mut seen = 0;
    for at in memchr::memchr2_iter(b'c', b'C', bytes) {
        let field = bytes.get(at + 1..at + 1 + FIELD.len());
        seen += usize::from(field.is_some_and(|f| f.eq_ignore_ascii_case(FIELD)));
        if seen > most.saturating_mul(3) {
            return true;
        }
    }
    false
}

/// Reads a message that has been taken apart.
fn message_of(message: &Message<'_>, layer: &mut Layer<'_>) {
    for (number, part) in message.parts.iter().enumerate() {
        if !layer.part() {
            return;
        }
        let name = part.attachment_name().map_or_else(|| format!("part {number}"), str::to_owned);
        layer.text(&if number == 0 { "header".to_owned() } else { format!("{name}#header") }, fields(part));
        if part.is_encoding_problem {
            layer.fault(Reason::Malformed);
        }
        match &part.body {
            PartType::Text(text) => {
                if layer.expand(text.len()) {
                    extract::part(&name, text.as_bytes(), None, layer);
                }
            }
            PartType::Html(text) => {
                if layer.expand(text.len()) {
                    extract::part(&name, text.as_bytes(), Some("text/html"), layer);
                }
            }
            PartType::Binary(data) | PartType::InlineBinary(data) => {
                if layer.expand(data.len()) {
                    extract::part(&name, data, None, layer);
                }
            }
            PartType::Message(inner) => {
                layer.inside(&name, |layer| message_of(inner, layer));
            }
            PartType::Multipart(_) => {}
        }
    }
}

/// The header fields of a part, one a line, as a reader of mail would show them.
fn fields(part: &MessagePart<'_>) -> String {
    let mut out = String::new();
    for header in &part.headers {
        let value = value(&header.value);
        if !value.is_empty() {
            out.push_str(header.name.as_str());
            out.push_str(": ");
            out.push_str(&value);
            out.push('\n');
        }
    }
    out
}

fn value(value: &HeaderValue<'_>) -> String {
    match value {
        HeaderValue::Address(address) => {
            let one = |a: &mail_parser::Addr<'_>| {
                [a.name.as_deref(), a.address.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
            };
            address.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        HeaderValue::Text(text) => text.to_string(),
        HeaderValue::TextList(list) => list.join(", "),
        HeaderValue::ContentType(content) => {
            let attributes = content.attributes().unwrap_or_default();
            attributes
                .iter()
                .filter(|a| !a.name.eq_ignore_ascii_case("boundary"))
                .map(|a| a.value.as_ref())
                .collect::<Vec<_>>()
                .join(" ")
        }
        HeaderValue::DateTime(_) | HeaderValue::Received(_) | HeaderValue::Empty => String::new(),
    }
}
