//! Requests and replies: reading, and changing single texts.

use bartizan_core::{Edit, Exchange, Limits, Protocol, Span};
use serde::de::IgnoredAny;

const PROTOCOLS: [Protocol; 9] = [
    Protocol::OpenaiChat,
    Protocol::AnthropicMessages,
    Protocol::Json,
    Protocol::Text,
    Protocol::OpenaiCompletions,
    Protocol::OpenaiEmbeddings,
    Protocol::Gemini,
    Protocol::BedrockConverse,
    Protocol::OpenaiResponses,
];

/// Texts and parts of one body that are changed one by one.
const CHANGED: usize = 12;

/// What is read stands where it is said to, no edit changes no byte, and an edit changes what it names and nothing
/// else. The first byte chooses the protocol and the direction.
pub fn run(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let body = body.get(..super::LONGEST).unwrap_or(body);
    let limits = Limits::default();
    let protocol = PROTOCOLS[usize::from(first & 3 | first >> 1 & 12) % PROTOCOLS.len()];
    let read = if first & 4 == 0 { bartizan_wire::request } else { bartizan_wire::reply };
    let Ok(exchange) = read(protocol, body.to_vec(), &limits) else { return };
    assert_eq!(exchange.body, body);
    check(&exchange);

    let same = bartizan_wire::rewrite(&exchange, &[], &limits).expect("nothing was asked for");
    assert_eq!(same.body, body, "no edit changed something");
    for text in (0..exchange.texts.len()).filter(|i| exchange.texts[*i].editable).take(CHANGED) {
        replace(&exchange, text, &limits);
    }
    for opaque in (0..exchange.opaque.len()).filter(|i| exchange.opaque[*i].strippable).take(CHANGED) {
        let stripped = bartizan_wire::rewrite(&exchange, &[Edit::Strip { opaque }], &limits);
        check(&stripped.unwrap_or_else(|e| panic!("{:?} cannot be taken out: {e}", exchange.opaque[opaque])));
    }
}

fn check(exchange: &Exchange) {
    let body = std::str::from_utf8(&exchange.body).expect("it was read");
    if exchange.protocol != Protocol::Text {
        serde_json::from_str::<IgnoredAny>(body).expect("JSON");
    }
    for text in &exchange.texts {
        let holder = text.container.map_or(body, |i| &exchange.texts[i].value);
        let literal = holder.get(text.literal.start..text.literal.end).expect("the literal is in what holds it");
        // serde_json refuses lone surrogates and ours are U+FFFD; `#data` is what the data in the literal says.
        if literal.starts_with('"')
            && !text.pointer.ends_with("#data")
            && exchange.protocol != Protocol::Text
            && let Ok(value) = serde_json::from_str::<String>(literal)
        {
            assert_eq!(text.value, value, "{}", text.pointer);
        }
    }
    for part in &exchange.opaque {
        assert!(body.get(part.literal.start..part.literal.end).is_some(), "{part:?}");
    }
    for message in &exchange.messages {
        assert!(message.parts.iter().all(|p| *p < exchange.texts.len()));
    }
}

fn replace(exchange: &Exchange, index: usize, limits: &Limits) {
    const NEW: &str = "[\"new\\\u{1}é]";
    let text = &exchange.texts[index];
    let edit = Edit::Replace { text: index, span: Span::new(0, text.value.len()), with: NEW.to_owned() };
    let changed = match bartizan_wire::rewrite(exchange, &[edit], limits) {
        Ok(changed) => changed,
        Err(error) => panic!("{} is editable, but: {error}", text.pointer),
    };
    check(&changed);
    // In a text that is a document of its own the strings inside are replaced.
    let document = exchange.texts.iter().any(|t| t.container == Some(index));
    // Log probabilities repeat tokens, so they go with any change.
    let echo = text
        .pointer
        .split('/')
        .any(|step| matches!(step, "logprobs" | "prompt_logprobs" | "logprobsResult" | "logprobs_result"));
    if text.container.is_none() && !document && !echo {
        let there = changed.texts.iter().any(|t| t.container.is_none() && t.pointer == text.pointer && t.value == NEW);
        assert!(there, "{} was not replaced in {}", text.pointer, String::from_utf8_lossy(&changed.body));
    }
}
