//! Laws about any bytes: they go in, nothing may panic, and what is read must hold together.

use bartizan_core::{Edit, Exchange, Limits, Protocol, Span};

use crate::{Ending, StreamReader};
use crate::{SseDecoder, conversation, reply, request, rewrite};

const PROTOCOLS: [Protocol; 10] = [
    Protocol::OpenaiChat,
    Protocol::OpenaiResponses,
    Protocol::AnthropicMessages,
    Protocol::OpenaiCompletions,
    Protocol::OpenaiEmbeddings,
    Protocol::Gemini,
    Protocol::BedrockConverse,
    Protocol::Mcp,
    Protocol::Json,
    Protocol::Text,
];

/// Small enough that a fuzzer meets them.
fn limits() -> Limits {
    Limits { max_body: 1 << 16, max_json_depth: 16, max_json_values: 1 << 12, ..Limits::default() }
}

/// Reads the bytes as every kind of body and rewrites what is read. True where any of them could be read as a
/// conversation.
///
/// # Panics
/// Where a law does not hold: a rewrite without edits keeps the bytes, a rewrite with edits that are allowed succeeds
/// or is refused for what the result is.
#[must_use = "says whether the bytes were of any use"]
pub(super) fn body(data: &[u8]) -> bool {
    let limits = limits();
    let mut read = false;
    for protocol in PROTOCOLS {
        for result in [request(protocol, data.to_vec(), &limits), reply(protocol, data.to_vec(), &limits)] {
            let Ok(exchange) = result else { continue };
            read |= !exchange.messages.is_empty();
            edit(&exchange, &limits);
        }
    }
    if let Some(exchange) = std::str::from_utf8(data).ok().and_then(|text| conversation(text, &limits).ok()) {
        edit(&exchange, &limits);
    }
    read
}

fn edit(exchange: &Exchange, limits: &Limits) {
    let same = rewrite(exchange, &[], limits);
    assert!(same.is_ok_and(|same| same == *exchange), "a rewrite without edits must change nothing");
    let mut edits = Vec::new();
    for (text, found) in exchange.texts.iter().enumerate().filter(|(_, t)| t.editable) {
        let end = found.value.chars().next().map_or(0, char::len_utf8);
        edits.push(Edit::Replace { text, span: Span::new(0, end), with: "\"\\\u{1}é".to_owned() });
    }
    edits.extend(
        (0..exchange.opaque.len())
            .filter(|o| exchange.opaque.get(*o).is_some_and(|o| o.strippable))
            .map(|opaque| Edit::Strip { opaque }),
    );
    if let Err(error) = rewrite(exchange, &edits, limits) {
        // An edit may make a body too large, or two keys in a document alike; it never makes it malformed.
        assert!(!matches!(error, crate::WireError::BadEdit { .. }), "{error}");
        if let crate::WireError::Json(json) = &error {
            assert!(matches!(json.fault, crate::json::JsonFault::TooMany | crate::json::JsonFault::TooDeep), "{error}");
        }
    }
}

/// Reads the bytes as an event stream of every protocol, cut at an arbitrary place. True where there was an event
/// that a protocol could read.
///
/// # Panics
/// Where a law does not hold: what is not changed keeps its bytes, and what is written reads as an event stream.
#[must_use = "says whether the bytes were of any use"]
pub(super) fn stream(data: &[u8]) -> bool {
    let limits = limits();
    let mut decoder = SseDecoder::new(&limits);
    let mut events = Vec::new();
    let (head, tail) = data.split_at_checked(data.len() / 2).unwrap_or((data, &[]));
    if decoder.push(head, &mut events).is_err() || decoder.push(tail, &mut events).is_err() {
        return false;
    }
    if let Ok(Some(rest)) = decoder.finish() {
        events.push(rest);
    }
    let mut read = false;
    for protocol in PROTOCOLS {
        let mut reader = StreamReader::new(protocol, &limits);
        for event in &events {
            let Ok(chunk) = reader.event(event) else { break };
            let same = chunk.rewrite(&[]);
            assert!(same.starts_with(&event.raw), "an event without a change must keep its bytes");
            assert!(same.len() == event.raw.len() || !event.complete, "only an event that was cut off gets an end");
            read |= !chunk.deltas.is_empty();
            let edits: Vec<_> = (0..chunk.deltas.len()).map(|i| (i, "\n\"x\r".to_owned())).collect();
            well_formed(&chunk.rewrite(&edits), &limits);
            well_formed(&reader.write(&chunk, &edits, &[]), &limits);
            for delta in &chunk.deltas {
                well_formed(&reader.synth(&delta.channel, "\u{2028}\r\n"), &limits);
            }
        }
        well_formed(&reader.ending(Ending::Refusal { message: "m\n", event_id: "e" }), &limits);
    }
    read
}

fn well_formed(bytes: &[u8], limits: &Limits) {
    let mut events = Vec::new();
    let mut decoder = SseDecoder::new(limits);
    let result = decoder.push(bytes, &mut events);
    assert!(!matches!(result, Err(crate::WireError::Stream(_))), "what is written must be an event stream");
}
