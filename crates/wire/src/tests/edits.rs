use std::fmt::Write as _;

use bartizan_core::{Edit, Exchange, Protocol, Span};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{BLOB, assert_complete, chat, limits, messages, read};
use crate::{WireError, rewrite};

fn find(exchange: &Exchange, pointer: &str) -> usize {
    exchange.texts.iter().position(|t| t.pointer == pointer).unwrap()
}

/// Replaces every occurrence of `what` in the text at a pointer.
fn replace(exchange: &Exchange, pointer: &str, what: &str, with: &str) -> Edit {
    let text = find(exchange, pointer);
    let start = exchange.texts[text].value.find(what).unwrap();
    Edit::Replace { text, span: Span::new(start, start + what.len()), with: with.to_owned() }
}

fn body(exchange: &Exchange) -> &str {
    std::str::from_utf8(&exchange.body).unwrap()
}

#[test]
fn nothing_but_the_replaced_range_changes() {
    let raw = "{ \"messages\" : [\n\t{\"role\":\"user\", \"content\":\"caf\\u00e9 \\/ token=abc \\ud83d\\ude00\\n\"} ],\"temperature\":1.0e0}";
    let exchange = read(Protocol::OpenaiChat, raw);
    let edited = rewrite(&exchange, &[replace(&exchange, "/messages/0/content", "abc", "[\"X\"]")], &limits()).unwrap();
    assert_eq!(body(&edited), raw.replace("abc", "[\\\"X\\\"]"));
    assert_eq!(edited.texts[find(&edited, "/messages/0/content")].value, "café / token=[\"X\"] 😀\n");
    assert_eq!(body(&rewrite(&exchange, &[], &limits()).unwrap()), raw);
}

#[test]
fn a_nested_document_is_escaped_again() {
    let exchange = chat(&json!({"messages": [{"role": "assistant", "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"q\": \"it\\n\\u0073 sk-1\", \"in\": \"[\\\"sk-2\\\"]\"}"}}]}]}));
    let base = "/messages/0/tool_calls/0/function/arguments";
    let edits = [
        replace(&exchange, &format!("{base}/q"), "sk-1", "a\"b"),
        replace(&exchange, &format!("{base}/in/0"), "sk-2", "c\\d"),
    ];
    let edited = rewrite(&exchange, &edits, &limits()).unwrap();
    assert_complete(&edited);
    let arguments = &edited.messages[0].calls[0].arguments;
    assert_eq!(arguments, r#"{"q": "it\n\u0073 a\"b", "in": "[\"c\\\\d\"]"}"#);
    assert_eq!(edited.texts[find(&edited, &format!("{base}/in/0"))].value, "c\\d");
}

#[test]
fn an_edit_of_the_raw_text_and_of_its_leaf_agree() {
    let exchange = chat(
        &json!({"messages": [{"role": "tool", "content": "{\"key\":\"is sk-1 here\",\"n\":4111111111111111,\"sk-1\":\"a\"}"}]}),
    );
    let base = "/messages/0/content";
    // What a detector sees in the raw text it sees in the leaf as well.
    let both = [replace(&exchange, base, "sk-1", "[R]"), replace(&exchange, &format!("{base}/key"), "sk-1", "[R]")];
    let edited = rewrite(&exchange, &both, &limits()).unwrap();
    assert_eq!(edited.texts[find(&edited, base)].value, r#"{"key":"is [R] here","n":4111111111111111,"sk-1":"a"}"#);
    // A number becomes a string, a key is changed in place: the document stays one.
    let number = replace(&exchange, base, "4111111111111111", "[CARD]");
    let key = replace(&exchange, base, "sk-1\":", "[R]");
    let edited = rewrite(&exchange, &[number, key], &limits()).unwrap();
    assert_eq!(edited.texts[find(&edited, base)].value, r#"{"key":"is sk-1 here","n":"[CARD]","[R]":"a"}"#);
    // A range over several values is replaced in each, and the keys on its way stay.
    let wide = replace(&exchange, base, "here\",\"n\":4111111111111111,\"sk", "[W]");
    let edited = rewrite(&exchange, &[wide], &limits()).unwrap();
    assert_eq!(edited.texts[find(&edited, base)].value, r#"{"key":"is sk-1 [W]","n":"[W]","sk-1":"a"}"#);
}

#[test]
fn keys_around_a_replaced_value_stay() {
    let mut inner = r#"{"password":"hunter two"}"#.to_owned();
    for level in 0..4 {
        inner = json!({ format!("level{level}"): inner }).to_string();
    }
    let exchange = chat(&json!({"messages": [{"role": "tool", "content": inner}]}));
    let base = "/messages/0/content";
    for (pointer, expected) in [
        // All of the document, and all of one that stands deeper.
        (base.to_owned(), "[R]"),
        (format!("{base}/level3"), "[R]"),
        (format!("{base}/level3/level2/level1"), "[R]"),
    ] {
        let text = find(&exchange, &pointer);
        let span = Span::new(0, exchange.texts[text].value.len());
        let edited = rewrite(&exchange, &[Edit::Replace { text, span, with: "[R]".to_owned() }], &limits()).unwrap();
        let keys = |e: &Exchange| -> Vec<String> {
            let keys = e.texts.iter().filter(|t| t.kind == bartizan_core::Kind::Key);
            keys.map(|t| t.value.clone()).collect()
        };
        assert_eq!(keys(&edited), keys(&exchange), "{pointer}");
        let deepest = find(&edited, &format!("{base}/level3/level2/level1"));
        assert_eq!(edited.texts[deepest].value, expected, "{pointer}");
    }
}

#[test]
fn overlapping_replacements_become_one() {
    let exchange = chat(&json!({"messages": [{"role": "user", "content": "one two three four"}]}));
    let at = "/messages/0/content";
    let edits = [
        replace(&exchange, at, "two three", "B"),
        replace(&exchange, at, "one two", "A"),
        replace(&exchange, at, "four", "C"),
    ];
    let edited = rewrite(&exchange, &edits, &limits()).unwrap();
    assert_eq!(edited.texts[find(&edited, at)].value, "A C");
}

#[test]
fn what_cannot_change_is_an_error() {
    let exchange = messages(&json!({"model": "m", "messages": [{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "signed words", "signature": BLOB}]}], "container": "c"}));
    for pointer in ["/model", "/messages/0/role", "/messages/0/content/0/thinking", "/messages#key"] {
        let text = find(&exchange, pointer);
        let edit = Edit::Replace { text, span: Span::new(0, 1), with: "x".to_owned() };
        assert_eq!(rewrite(&exchange, &[edit], &limits()), Err(WireError::NotEditable { pointer: pointer.to_owned() }));
    }
    let out_of_range = Edit::Replace { text: 0, span: Span::new(0, 99), with: String::new() };
    assert_eq!(rewrite(&exchange, &[out_of_range], &limits()), Err(WireError::BadEdit { index: 0 }));
    assert_eq!(rewrite(&exchange, &[Edit::Strip { opaque: 9 }], &limits()), Err(WireError::BadEdit { index: 0 }));
    let container = exchange.opaque.iter().position(|o| !o.strippable).unwrap();
    assert!(matches!(
        rewrite(&exchange, &[Edit::Strip { opaque: container }], &limits()),
        Err(WireError::NotStrippable { .. })
    ));
}

/// Strips the opaque parts with these indexes from a user message of the parts.
fn stripped(parts: &Value, which: &[usize]) -> Value {
    let exchange = chat(&json!({"messages": [{"role": "user", "content": parts}]}));
    let edits: Vec<_> = which.iter().map(|opaque| Edit::Strip { opaque: *opaque }).collect();
    let edited = rewrite(&exchange, &edits, &limits()).unwrap();
    assert_complete(&edited);
    let value: Value = serde_json::from_slice(&edited.body).unwrap();
    value["messages"][0]["content"].clone()
}

#[test]
fn parts_are_taken_out_with_their_comma() {
    let image = |n: u32| json!({"type": "image_url", "image_url": {"url": format!("https://e.org/{n}")}});
    let text = json!({"type": "text", "text": "hi"});
    assert_eq!(stripped(&json!([image(0), text]), &[0]), json!([text]));
    assert_eq!(stripped(&json!([text, image(0)]), &[0]), json!([text]));
    assert_eq!(stripped(&json!([image(0), text, image(1)]), &[1, 0]), json!([text]));
    assert_eq!(stripped(&json!([image(0), image(1), text, image(2), image(3)]), &[0, 1, 2, 3]), json!([text]));
    assert_eq!(stripped(&json!([text, image(0), image(1), text]), &[1]), json!([text, image(0), text]));
    assert_eq!(stripped(&json!([image(0), image(1)]), &[0, 1]), json!([{"type": "text", "text": "[removed]"}]));
}

#[test]
fn lists_that_become_empty_are_what_the_protocol_allows() {
    let exchange = chat(&json!({"messages": [], "tools": [{"type": "web_search"}], "z": 1}));
    let edited = rewrite(&exchange, &[Edit::Strip { opaque: 0 }], &limits()).unwrap();
    assert_eq!(body(&edited), r#"{"messages":[],"z":1}"#);
    let exchange = messages(&json!({"messages": [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"type": "base64", "data": BLOB}}]},
        {"type": "web_search_tool_result", "content": [{"type": "web_search_result", "encrypted_content": BLOB}]}
    ]}], "mcp_servers": [{"type": "url", "url": "https://e.org"}]}));
    let all: Vec<_> = (0..exchange.opaque.len()).map(|opaque| Edit::Strip { opaque }).collect();
    let edited: Value = serde_json::from_slice(&rewrite(&exchange, &all, &limits()).unwrap().body).unwrap();
    let content = &edited["messages"][0]["content"];
    assert_eq!(content[0]["content"], json!([{"type": "text", "text": "[removed]"}]));
    assert_eq!(content[1]["content"], json!([]));
    assert_eq!(edited["mcp_servers"], json!([]));
}

#[test]
fn log_probabilities_go_with_the_text_that_they_repeat() {
    let reply = json!({"choices": [
        {"index": 0, "message": {"role": "assistant", "content": "the canary"}, "logprobs": {"content": [{"token": "canary"}]}},
        {"index": 1, "message": {"role": "assistant", "content": "fine"}, "logprobs": {"content": [{"token": "fine"}]}}
    ]});
    let exchange = crate::reply(Protocol::OpenaiChat, reply.to_string().into_bytes(), &limits()).unwrap();
    let edit = replace(&exchange, "/choices/0/message/content", "canary", "[R]");
    let edited: Value = serde_json::from_slice(&rewrite(&exchange, &[edit], &limits()).unwrap().body).unwrap();
    assert_eq!(edited["choices"][0]["logprobs"], Value::Null);
    assert_eq!(edited["choices"][1], reply["choices"][1]);
}

#[test]
fn the_sound_goes_with_the_words_that_it_speaks() {
    let spoken = |i: u32| json!({"index": i, "message": {"role": "assistant", "content": null, "audio": {"id": "a", "data": BLOB, "transcript": "the canary"}}});
    let reply = json!({"choices": [spoken(0), spoken(1)]});
    let exchange = crate::reply(Protocol::OpenaiChat, reply.to_string().into_bytes(), &limits()).unwrap();
    let edit = replace(&exchange, "/choices/0/message/audio/transcript", "canary", "[R]");
    let edited: Value = serde_json::from_slice(&rewrite(&exchange, &[edit], &limits()).unwrap().body).unwrap();
    assert_eq!(edited["choices"][0]["message"]["audio"], json!({"id": "a", "data": "", "transcript": "the [R]"}));
    assert_eq!(edited["choices"][1], reply["choices"][1]);
}

#[test]
fn what_repeats_tokens_outside_of_the_choices_goes_with_any_change() {
    let tokens = json!({"content": [{"token": "canary"}]});
    let errored = json!({"error": {"message": "the canary", "detail": {"logprobs": tokens}}, "logprobs": tokens, "prompt_logprobs": [tokens]});
    let reply = json!({"prompt_logprobs": [tokens], "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "the canary"}, "logprobs": null},
        {"index": 1, "message": {"role": "assistant", "content": "fine"}, "logprobs": tokens, "prompt_logprobs": [tokens]}
    ]});
    for (protocol, body, pointer, voided, kept) in [
        (
            Protocol::Json,
            &errored,
            "/error/message",
            vec!["/error/detail/logprobs", "/logprobs", "/prompt_logprobs"],
            vec![],
        ),
        (
            Protocol::OpenaiChat,
            &reply,
            "/choices/0/message/content",
            vec!["/prompt_logprobs", "/choices/1/prompt_logprobs"],
            vec!["/choices/1/logprobs"],
        ),
    ] {
        let exchange = crate::reply(protocol, body.to_string().into_bytes(), &limits()).unwrap();
        let edit = replace(&exchange, pointer, "canary", "[R]");
        let edited: Value = serde_json::from_slice(&rewrite(&exchange, &[edit], &limits()).unwrap().body).unwrap();
        for pointer in voided {
            assert_eq!(edited.pointer(pointer), Some(&Value::Null), "{pointer}");
        }
        for pointer in kept {
            assert_eq!(edited.pointer(pointer), body.pointer(pointer), "{pointer}");
        }
        assert_eq!(rewrite(&exchange, &[], &limits()).unwrap().body, exchange.body);
    }
    // A request is the caller's own.
    let exchange = chat(&json!({"messages": [{"role": "user", "content": "canary"}], "prompt_logprobs": 1}));
    let edited = rewrite(&exchange, &[replace(&exchange, "/messages/0/content", "canary", "[R]")], &limits()).unwrap();
    assert!(body(&edited).contains(r#""prompt_logprobs":1"#));
}

#[test]
fn texts_and_conversations_are_rewritten_too() {
    let exchange = crate::request(Protocol::Text, b"say \"abc\" now".to_vec(), &limits()).unwrap();
    let edited = rewrite(&exchange, &[replace(&exchange, "", "abc", "\"")], &limits()).unwrap();
    assert_eq!(body(&edited), "say \"\"\" now");
    let exchange = crate::conversation(r#" [{"role":"user","content":"abc"}]"#, &limits()).unwrap();
    let edited = rewrite(&exchange, &[replace(&exchange, "/0/content", "abc", "x")], &limits()).unwrap();
    assert_eq!(body(&edited), r#" [{"role":"user","content":"x"}]"#);
}

/// A string literal in which every character is written in one of its forms.
fn literal() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z é😀/]{1,4}",
        Just("\\n".to_owned()),
        Just("\\\"".to_owned()),
        Just("\\u00e9".to_owned()),
        Just("\\ud83d\\ude00".to_owned()),
        Just("\\ud83d".to_owned()),
        Just("\\ude00".to_owned()),
        Just("\\\\".to_owned()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Cuts a range out of a text on character boundaries.
fn range(value: &str, a: prop::sample::Index, b: prop::sample::Index) -> Span {
    let floor = |at: usize| (0..=at).rev().find(|i| value.is_char_boundary(*i)).unwrap();
    let (a, b) = (floor(a.index(value.len() + 1)), floor(b.index(value.len() + 1)));
    Span::new(a.min(b), a.max(b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_replaced_leaf_has_exactly_the_expected_value(
        literals in proptest::collection::vec(literal(), 1..4),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[a-z\"\\\\é]{0,4}"), 0..6),
        nested: bool,
    ) {
        let mut inner = "[0".to_owned();
        for literal in &literals {
            write!(inner, " , {literal}").unwrap();
        }
        inner.push(']');
        let raw = if nested {
            format!(r#"{{"messages":[{{"role":"tool","content":{}}}]}}"#, crate::json::encode(&inner))
        } else {
            format!(r#"{{"messages":[],"x":{inner}}}"#)
        };
        let exchange = read(Protocol::OpenaiChat, &raw);
        let base = if nested { "/messages/0/content" } else { "/x" };
        let leaf = |n: usize| find(&exchange, &format!("{base}/{}", n + 1));
        let mut expected: Vec<Vec<(Span, String)>> = vec![Vec::new(); literals.len()];
        let mut list = Vec::new();
        for (which, a, b, with) in &edits {
            let n = which.index(literals.len());
            let span = range(&exchange.texts[leaf(n)].value, *a, *b);
            // Only ranges that stand apart, so that the expectation is plain.
            if expected[n].iter().any(|(s, _)| s.start <= span.end && span.start <= s.end) {
                continue;
            }
            expected[n].push((span, with.clone()));
            list.push(Edit::Replace { text: leaf(n), span, with: with.clone() });
        }
        let edited = rewrite(&exchange, &list, &limits()).unwrap();
        for (n, mut edits) in expected.into_iter().enumerate() {
            let mut value = exchange.texts[leaf(n)].value.clone();
            edits.sort_by_key(|e| std::cmp::Reverse(e.0.start));
            let untouched = edits.is_empty();
            for (span, with) in edits {
                value.replace_range(span.start..span.end, &with);
            }
            let text = &edited.texts[find(&edited, &format!("{base}/{}", n + 1))];
            prop_assert_eq!(&text.value, &value);
            if untouched {
                let holder = |e: &Exchange, t: &bartizan_core::Text| t.container.map_or(body(e).to_owned(), |c| e.texts[c].value.clone());
                let old = &exchange.texts[leaf(n)];
                let (old_holder, new_holder) = (holder(&exchange, old), holder(&edited, text));
                prop_assert_eq!(text.literal.of(&new_holder), old.literal.of(&old_holder));
            }
        }
        if list.is_empty() {
            prop_assert_eq!(&edited.body, &exchange.body);
        }
    }

    #[test]
    fn edits_of_a_raw_document_leave_a_document(
        literals in proptest::collection::vec(literal(), 1..4),
        a: prop::sample::Index, b: prop::sample::Index,
    ) {
        let inner = format!("{{\"k\": [{}], \"n\": 12.5}}", literals.join(" ,"));
        let raw = format!(r#"{{"messages":[{{"role":"tool","content":{}}}]}}"#, crate::json::encode(&inner));
        let exchange = read(Protocol::OpenaiChat, &raw);
        let text = find(&exchange, "/messages/0/content");
        let span = range(&exchange.texts[text].value, a, b);
        // Quotes alone are no value.
        let touches = exchange.texts.iter().any(|t| {
            t.literal.len() > 2 && t.container == Some(text) && t.literal.start + 1 < span.end && span.start + 1 < t.literal.end && !span.is_empty()
        });
        let edited = rewrite(&exchange, &[Edit::Replace { text, span, with: "[R]".to_owned() }], &limits()).unwrap();
        let value = &edited.texts[find(&edited, "/messages/0/content")].value;
        prop_assert!(value.contains("[R]"));
        if touches {
            prop_assert!(edited.texts.iter().any(|t| t.container.is_some()), "{} is no document", value);
        }
    }
}
