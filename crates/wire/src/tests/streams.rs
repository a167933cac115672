use bartizan_core::{Limits, Protocol};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{BLOB, limits};
use crate::{Channel, ChannelPart, Chunk, Ending, ErrorKind, SseDecoder, SseEvent, StreamReader, WireError};

fn decode(bytes: &[u8]) -> Vec<SseEvent> {
    let mut decoder = SseDecoder::new(&limits());
    let mut events = Vec::new();
    decoder.push(bytes, &mut events).unwrap();
    assert_eq!(decoder.finish().unwrap(), None);
    events
}

fn stream(protocol: Protocol, events: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        let name = match protocol {
            Protocol::AnthropicMessages => event["type"].as_str().unwrap(),
            _ => "",
        };
        crate::sse::write_event(name, &event.to_string(), &mut out);
    }
    if protocol == Protocol::OpenaiChat {
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
    out
}

fn read(reader: &mut StreamReader, bytes: &[u8]) -> Vec<Chunk> {
    decode(bytes).iter().map(|e| reader.event(e).unwrap()).collect()
}

fn channel(choice: u32, block: u32, part: ChannelPart) -> Channel {
    Channel { choice, block, part }
}

fn arguments(name: &str) -> ChannelPart {
    ChannelPart::ToolArguments { name: name.into() }
}

/// The texts of all channels, put together.
fn joined(chunks: &[Chunk]) -> Vec<(Channel, String)> {
    let mut out: Vec<(Channel, String)> = Vec::new();
    for delta in chunks.iter().flat_map(|c| &c.deltas) {
        match out.iter_mut().find(|(c, _)| *c == delta.channel) {
            Some((_, text)) => text.push_str(&delta.text),
            None => out.push((delta.channel.clone(), delta.text.clone())),
        }
    }
    out
}

fn chat_chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x",
           "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]})
}

fn chat_stream() -> Vec<u8> {
    let call = |body: Value| chat_chunk(&json!({"tool_calls": [body]}), None);
    stream(
        Protocol::OpenaiChat,
        &[
            chat_chunk(&json!({"role": "assistant", "content": "", "refusal": null}), None),
            chat_chunk(&json!({"reasoning_content": "hm"}), None),
            chat_chunk(&json!({"content": "Hel"}), None),
            chat_chunk(&json!({"content": "lo \"you\"\n"}), None),
            call(json!({"index": 0, "id": "c0", "type": "function", "function": {"name": "send", "arguments": ""}})),
            call(json!({"index": 0, "function": {"arguments": "{\"a\":"}})),
            call(json!({"index": 1, "id": "c1", "function": {"name": "read", "arguments": "{}"}})),
            call(json!({"index": 0, "function": {"arguments": "1}"}})),
            chat_chunk(&json!({"audio": {"id": "a", "transcript": "spoken", "data": BLOB}}), None),
            chat_chunk(&json!({"refusal": "no"}), None),
            chat_chunk(&json!({}), Some("tool_calls")),
            json!({"id": "chatcmpl-1", "choices": [], "usage": {"total_tokens": 9}}),
        ],
    )
}

#[test]
fn a_chat_stream_falls_into_channels() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let chunks = read(&mut reader, &chat_stream());
    assert_eq!(
        joined(&chunks),
        [
            (channel(0, 0, ChannelPart::Text), "Hello \"you\"\n".to_owned()),
            (channel(0, 0, ChannelPart::Reasoning), "hm".to_owned()),
            (channel(0, 0, arguments("send")), "{\"a\":1}".to_owned()),
            (channel(0, 1, arguments("read")), "{}".to_owned()),
            (channel(0, 0, ChannelPart::Transcript), "spoken".to_owned()),
            (channel(0, 0, ChannelPart::Refusal), "no".to_owned()),
        ]
    );
    let opened: Vec<_> = chunks.iter().flat_map(|c| c.opens.clone()).collect();
    assert_eq!(opened.len(), 6);
    assert_eq!(chunks[10].closes, opened, "a finish reason closes the choice");
    assert_eq!(chunks.iter().filter(|c| c.terminal).count(), 1);
    assert!(chunks.last().unwrap().terminal && chunks.iter().all(|c| !c.model_error));
    assert_eq!(chunks[8].opaque[0].kind, bartizan_core::OpaqueKind::Audio);
    assert_eq!(chunks[0].texts.iter().find(|t| t.pointer == "/model").unwrap().value, "gpt-x");
    assert!(reader.open().is_empty());
}

fn messages_stream() -> Vec<u8> {
    let start =
        |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    stream(
        Protocol::AnthropicMessages,
        &[
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "stop_reason": null, "usage": {"input_tokens": 1}}}),
            start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(0, json!({"type": "signature_delta", "signature": BLOB})),
            stop(0),
            start(1, json!({"type": "text", "text": "He"})),
            json!({"type": "ping"}),
            delta(1, json!({"type": "text_delta", "text": "llo"})),
            delta(
                1,
                json!({"type": "citations_delta", "citation": {"type": "page_location", "cited_text": "cited words"}}),
            ),
            stop(1),
            start(2, json!({"type": "tool_use", "id": "t", "name": "send", "input": {}})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "1}"})),
            stop(2),
            start(
                3,
                json!({"type": "web_search_tool_result", "tool_use_id": "x", "content": [{"type": "web_search_result", "title": "found words", "encrypted_content": BLOB}]}),
            ),
            stop(3),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 5}}),
            json!({"type": "message_stop"}),
        ],
    )
}

#[test]
fn a_messages_stream_falls_into_channels() {
    let mut reader = StreamReader::new(Protocol::AnthropicMessages, &limits());
    let chunks = read(&mut reader, &messages_stream());
    assert_eq!(
        joined(&chunks),
        [
            (channel(0, 0, ChannelPart::Reasoning), "hm".to_owned()),
            (channel(0, 1, ChannelPart::Text), "Hello".to_owned()),
            (channel(0, 2, arguments("send")), "{\"a\":1}".to_owned()),
        ]
    );
    assert_eq!(chunks[1].opens, [channel(0, 0, ChannelPart::Reasoning)]);
    assert_eq!(chunks[4].closes, chunks[1].opens);
    assert_eq!(chunks[13].closes, [channel(0, 2, arguments("send"))]);
    assert_eq!(
        chunks[8].texts.iter().find(|t| t.value == "cited words").unwrap().origin.source,
        bartizan_core::Source::Document
    );
    let found = chunks[14].texts.iter().find(|t| t.value == "found words").unwrap();
    assert_eq!(found.origin, bartizan_core::Origin::tool("web_search"));
    assert_eq!((chunks[3].opaque.len(), chunks[14].opaque.len()), (1, 1));
    assert!(chunks.last().unwrap().terminal);
}

#[test]
fn events_without_a_change_keep_their_bytes() {
    for (protocol, bytes) in [(Protocol::OpenaiChat, chat_stream()), (Protocol::AnthropicMessages, messages_stream())] {
        let mut reader = StreamReader::new(protocol, &limits());
        let mut out = Vec::new();
        for chunk in read(&mut reader, &bytes) {
            let same: Vec<_> = chunk.deltas.iter().map(|d| d.text.clone()).enumerate().collect();
            assert_eq!(chunk.rewrite(&same), chunk.raw());
            out.extend(chunk.rewrite(&[]));
        }
        assert_eq!(out, bytes);
    }
}

#[test]
fn a_changed_piece_leaves_the_rest_of_the_event() {
    let raw = ": note\r\nid: 5\r\ndata: {\"choices\": [{\"delta\":\r\ndata:  {\"content\": \"abc\"}, \"logprobs\": {\"content\": [{\"token\": \"abc\"}]}}]}\r\n\r\n";
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let chunks = read(&mut reader, raw.as_bytes());
    assert_eq!(chunks[0].deltas[0].text, "abc");
    let out = String::from_utf8(chunks[0].rewrite(&[(0, "x\ny".to_owned())])).unwrap();
    assert_eq!(
        out,
        raw.replace("\"content\": \"abc\"", "\"content\": \"x\\ny\"")
            .replace("{\"content\": [{\"token\": \"abc\"}]}", "null")
    );
    assert!(chunks[0].texts.iter().any(|t| t.value.contains(": note")), "comments are read as well");
}

#[test]
fn a_signature_does_not_outlive_a_change() {
    let mut reader = StreamReader::new(Protocol::AnthropicMessages, &limits());
    let mut out = String::new();
    for event in decode(&messages_stream()) {
        let chunk = reader.event(&event).unwrap();
        let mut edits = Vec::new();
        for (index, delta) in chunk.deltas.iter().enumerate() {
            if delta.text == "hm" {
                reader.altered(&delta.channel);
                edits.push((index, "[R]".to_owned()));
            }
        }
        out.push_str(std::str::from_utf8(&chunk.rewrite(&edits)).unwrap());
    }
    let plain = String::from_utf8(messages_stream()).unwrap();
    let expected =
        plain.replace("\"hm\"", "\"[R]\"").replacen(&format!("\"signature\":\"{BLOB}\""), "\"signature\":\"\"", 1);
    assert_eq!(out, expected);
    assert_ne!(expected.matches(BLOB).count(), plain.matches(BLOB).count());
}

#[test]
fn held_text_goes_out_in_the_shape_of_its_channel() {
    for (protocol, bytes) in [(Protocol::OpenaiChat, chat_stream()), (Protocol::AnthropicMessages, messages_stream())] {
        let mut reader = StreamReader::new(protocol, &limits());
        let chunks = read(&mut reader, &bytes);
        let mut expected = joined(&chunks);
        let mut all = Vec::new();
        for chunk in &chunks {
            for channel in &chunk.closes {
                all.extend(reader.synth(channel, " +\"held\""));
            }
            all.extend(chunk.raw());
        }
        for (_, text) in &mut expected {
            text.push_str(" +\"held\"");
        }
        let mut again = StreamReader::new(protocol, &limits());
        assert_eq!(joined(&read(&mut again, &all)), expected);
        assert!(reader.synth(&expected[0].0, "").is_empty());
    }
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let body = chat_chunk(
        &json!({"reasoning": "a", "tool_calls": [{"index": 2, "type": "custom", "custom": {"name": "sh", "input": "ls"}}], "function_call": {"name": "f", "arguments": "{"}}),
        None,
    );
    let chunks = read(&mut reader, format!("data: {body}\n\n").as_bytes());
    let mut texts = String::new();
    for (channel, _) in joined(&chunks) {
        texts.push_str(std::str::from_utf8(&reader.synth(&channel, "T")).unwrap());
    }
    for shape in [
        r#""delta":{"reasoning":"T"}"#,
        r#""delta":{"tool_calls":[{"index":2,"custom":{"input":"T"}}]}"#,
        r#""delta":{"function_call":{"arguments":"T"}}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-x","#,
    ] {
        assert!(texts.contains(shape), "{shape} is not in {texts}");
    }
}

fn events(bytes: &[u8]) -> Vec<(String, Value)> {
    decode(bytes).into_iter().map(|e| (e.name, serde_json::from_str(&e.data.unwrap()).unwrap_or(Value::Null))).collect()
}

#[test]
fn a_chat_stream_ends_as_its_clients_expect() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    read(&mut reader, format!("data: {}\n\n", chat_chunk(&json!({"content": "Hel"}), None)).as_bytes());
    let out = events(&reader.ending(Ending::Refusal { message: "not \"this\"", event_id: "e1" }));
    assert_eq!(out.len(), 3);
    assert_eq!(out[0].1["choices"][0]["delta"], json!({"refusal": "not \"this\""}));
    assert_eq!((&out[0].1["id"], &out[0].1["model"]), (&json!("chatcmpl-1"), &json!("gpt-x")));
    assert_eq!(out[1].1["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(out[1].1["event_id"], "e1");
    assert_eq!(out[2].1, Value::Null);
    assert!(reader.ending(Ending::Refusal { message: "again", event_id: "e1" }).is_empty());

    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let out = reader.ending(Ending::Error { message: "blocked", event_id: "e1" });
    assert!(out.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(
        events(&out)[0].1,
        json!({"error": {"message": "blocked", "type": "invalid_request_error", "param": null, "code": "content_policy_violation", "event_id": "e1"}})
    );
}

#[test]
fn a_messages_stream_ends_as_its_clients_expect() {
    let mut reader = StreamReader::new(Protocol::AnthropicMessages, &limits());
    let start: Vec<u8> = decode(&messages_stream()).into_iter().take(8).flat_map(|e| e.raw).collect();
    read(&mut reader, &start);
    let out = events(&reader.ending(Ending::Refusal { message: "no", event_id: "e1" }));
    let names: Vec<_> = out.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!((&out[0].1["index"], &out[1].1["index"]), (&json!(1), &json!(2)));
    assert_eq!(out[4].1["delta"]["stop_reason"], "refusal");
    assert!(out.iter().all(|(name, data)| data["type"] == name.as_str()));

    let mut reader = StreamReader::new(Protocol::AnthropicMessages, &limits());
    let out = events(&reader.failure(ErrorKind::Upstream, "gone", None));
    assert_eq!(
        out,
        [("error".to_owned(), json!({"type": "error", "error": {"type": "api_error", "message": "gone"}}))]
    );
}

#[test]
fn a_refusal_as_a_whole_is_a_complete_stream() {
    for protocol in [Protocol::OpenaiChat, Protocol::AnthropicMessages] {
        let bytes = crate::refusal_stream(protocol, "some-model", "e1", "I cannot do that");
        let mut reader = StreamReader::new(protocol, &limits());
        let chunks = read(&mut reader, &bytes);
        assert!(chunks.last().unwrap().terminal);
        assert_eq!(joined(&chunks).iter().map(|(_, t)| t.as_str()).collect::<Vec<_>>(), ["I cannot do that"]);
        assert!(chunks.iter().flat_map(|c| &c.texts).any(|t| t.value == "some-model"));
        let body = crate::refusal_body(protocol, "some-model", "e1", "I cannot do that");
        let reply = crate::reply(protocol, body, &limits()).unwrap();
        assert_eq!(reply.model, "some-model");
        assert!(reply.texts.iter().any(|t| t.value == "I cannot do that"));
        for kind in ErrorKind::ALL {
            let (status, body) = crate::error_body(protocol, kind, "why \"so\"", Some("e1"));
            assert!((400..600).contains(&status));
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["message"], "why \"so\"");
        }
    }
}

#[test]
fn an_event_that_was_cut_off_is_ended() {
    let data = chat_chunk(&json!({"content": "abc"}), None);
    for end in ["", "\n", "\r", "\r\n"] {
        let mut decoder = SseDecoder::new(&limits());
        let mut events = Vec::new();
        decoder.push(format!("data: {data}{end}").as_bytes(), &mut events).unwrap();
        events.extend(decoder.finish().unwrap());
        let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
        let chunk = reader.event(&events[0]).unwrap();
        for edits in [vec![], vec![(0, "x".to_owned())]] {
            let mut out = chunk.rewrite(&edits);
            out.extend(reader.synth(&chunk.deltas[0].channel, "held"));
            let texts: Vec<String> = decode(&out)
                .into_iter()
                .filter_map(|e| e.data)
                .map(|d| {
                    let value: Value = serde_json::from_str(&d).unwrap();
                    value["choices"][0]["delta"]["content"].as_str().unwrap().to_owned()
                })
                .collect();
            assert_eq!(texts, [if edits.is_empty() { "abc" } else { "x" }, "held"], "{end:?}");
        }
    }
}

#[test]
fn errors_in_a_stream_are_seen() {
    for (protocol, bytes) in [
        (Protocol::OpenaiChat, "data: {\"error\":{\"message\":\"words\"}}\n\n"),
        (
            Protocol::AnthropicMessages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"words\"}}\n\n",
        ),
    ] {
        let mut reader = StreamReader::new(protocol, &limits());
        let chunks = read(&mut reader, bytes.as_bytes());
        assert!(chunks[0].model_error);
        assert!(chunks[0].texts.iter().any(|t| t.value == "words"));
        let event = SseEvent { data: Some("[DONE] and more".to_owned()), ..SseEvent::default() };
        assert!(matches!(reader.event(&event), Err(WireError::Json(_))));
    }
}

#[test]
fn a_late_name_does_not_split_a_call() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let call = |body: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{body}}}]}}}}]}}\n\n")
    };
    let bytes = [call(r#"{"name":"a","arguments":"x"}"#), call(r#"{"name":"b","arguments":"y"}"#)].concat();
    let chunks = read(&mut reader, bytes.as_bytes());
    assert_eq!(joined(&chunks), [(channel(0, 0, arguments("a")), "xy".to_owned())]);
}

#[test]
fn unknown_fields_of_a_delta_grow_in_channels_of_their_own() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let block = |text: &str| json!({"thinking_blocks": [{"type": "thinking", "index": 0, "thinking": text, "cited": {"a/b~c": text}}], "foo": text});
    let first = event(&mut reader, &chat_chunk(&block("half of a se"), None)).unwrap();
    let second = event(&mut reader, &chat_chunk(&block("cret"), None)).unwrap();
    let field = |pointer: &str| channel(0, 0, ChannelPart::Field { pointer: pointer.into() });
    let pointers = ["/foo", "/thinking_blocks/0/cited/a~1b~0c", "/thinking_blocks/0/thinking"];
    assert_eq!(
        joined(&[first.clone(), second.clone()]),
        pointers.map(|pointer| (field(pointer), "half of a secret".to_owned()))
    );
    assert_eq!((first.opens.len(), second.opens.len()), (3, 0));
    for (pointer, shape) in pointers.into_iter().zip([
        r#""delta":{"foo":"T"}"#,
        r#""delta":{"thinking_blocks":[{"type":"thinking","index":0,"cited":{"a/b~c":"T"}}]}"#,
        r#""delta":{"thinking_blocks":[{"type":"thinking","index":0,"thinking":"T"}]}"#,
    ]) {
        let bytes = reader.synth(&field(pointer), "T");
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(shape), "{text}");
        assert_eq!(joined(&read(&mut reader, &bytes)), [(field(pointer), "T".to_owned())]);
    }
    let changed = second.rewrite(&[(0, "[R]".to_owned())]);
    assert!(std::str::from_utf8(&changed).unwrap().contains(r#""foo":"[R]""#));
    let end = event(&mut reader, &chat_chunk(&json!({}), Some("stop"))).unwrap();
    assert_eq!(end.closes.len(), 3);
    // What stands beside a text is repeated only where it is no text itself.
    let part = json!({"content": [{"type": "text", "id": "sk-live", "text": "x", "foo": "y"}]});
    let chunk = event(&mut StreamReader::new(Protocol::OpenaiChat, &limits()), &chat_chunk(&part, None)).unwrap();
    assert!(chunk.deltas.iter().any(|d| d.text == "sk-live"));
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    event(&mut reader, &chat_chunk(&part, None)).unwrap();
    let out = String::from_utf8(reader.synth(&field("/content/0/foo"), "T")).unwrap();
    assert!(out.contains(r#"{"content":[{"type":"text","foo":"T"}]}"#), "{out}");
    // Each choice has its own; what is whole or a name, and the log probabilities, are leaves as before.
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let chunk = event(&mut reader, &json!({"choices": [
        {"index": 3, "delta": {"role": "assistant", "foo": "x y", "tool_calls": [{"index": 0, "function": {"name": "n", "arguments": {"a": "b c"}}}]},
         "logprobs": {"content": [{"token": "x y"}]}},
        {"index": 1, "delta": {"foo": "z", "annotations": [{"type": "url_citation", "url_citation": {"title": "long words"}}]}}
    ]}))
    .unwrap();
    let channels: Vec<_> = chunk.deltas.iter().map(|d| (d.channel.choice, d.text.as_str(), d.origin.source)).collect();
    use bartizan_core::Source::Model;
    assert_eq!(channels, [(3, "x y", Model), (1, "z", Model)]);
    for leaf in ["assistant", "b c", "url_citation", "long words", "n"] {
        assert!(chunk.texts.iter().any(|t| t.value == leaf && t.kind != bartizan_core::Kind::Key), "{leaf}");
    }
    let long = json!({"k".repeat(600): "words"});
    assert!(matches!(event(&mut reader, &chat_chunk(&long, None)), Err(WireError::Stream(_))));
    assert!(reader.synth(&field("/never"), "T").is_empty());
}

#[test]
fn results_in_a_stream_come_whole() {
    for (block, words, source) in [
        (
            json!({"type": "mcp_tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "found words"}]}),
            "found words",
            "tool",
        ),
        (json!({"type": "mcp_tool_result", "tool_use_id": "t", "content": "found words"}), "found words", "tool"),
        (
            json!({"type": "code_execution_tool_result", "content": {"type": "code_execution_result", "stdout": "printed words"}}),
            "printed words",
            "tool",
        ),
        (
            json!({"type": "search_result", "content": [{"type": "text", "text": "found words"}]}),
            "found words",
            "document",
        ),
    ] {
        let mut reader = StreamReader::new(Protocol::AnthropicMessages, &limits());
        let data = json!({"type": "content_block_start", "index": 0, "content_block": block});
        let chunk = event(&mut reader, &data).unwrap();
        assert!(chunk.deltas.is_empty() && chunk.opens.is_empty() && reader.open().is_empty(), "{data}");
        let text = chunk.texts.iter().find(|t| t.value == words).unwrap();
        assert_eq!(text.origin.source.to_string(), source);
    }
    let mut reader = StreamReader::new(Protocol::AnthropicMessages, &limits());
    let start = json!({"type": "message_start", "message": {"role": "assistant", "content": [{"type": "text", "text": "early words"}]}});
    let chunk = event(&mut reader, &start).unwrap();
    assert!(chunk.deltas.is_empty() && chunk.texts.iter().any(|t| t.value == "early words"));
    // A summary grows from its start, and goes out as one.
    let start =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "compaction", "content": "sum"}});
    let chunk = event(&mut reader, &start).unwrap();
    assert_eq!(chunk.deltas[0].channel, channel(0, 0, ChannelPart::Text));
    let out = String::from_utf8(reader.synth(&chunk.deltas[0].channel, "med")).unwrap();
    assert!(out.contains(r#"{"type":"compaction_delta","content":"med"}"#), "{out}");
}

#[test]
fn the_sound_of_a_changed_transcript_is_not_passed_on() {
    let said = |text: &str| chat_chunk(&json!({"audio": {"id": "a", "data": BLOB, "transcript": text}}), None);
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let data = |bytes: &[u8]| events(bytes)[0].1["choices"][0]["delta"]["audio"]["data"].clone();
    let mut bytes = Vec::new();
    crate::sse::write_event("", &said("the canary").to_string(), &mut bytes);
    let chunk = read(&mut reader, &bytes).remove(0);
    assert_eq!(data(&chunk.rewrite(&[])), BLOB);
    assert_eq!(data(&chunk.rewrite(&[(0, "the [R]".to_owned())])), "");
    reader.altered(&chunk.deltas[0].channel);
    let chunk = read(&mut reader, &bytes).remove(0);
    assert_eq!(data(&chunk.rewrite(&[])), "");
    // Another choice, and other text of the same choice, have nothing to do with it.
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    reader.altered(&channel(1, 0, ChannelPart::Transcript));
    reader.altered(&channel(0, 0, ChannelPart::Text));
    assert_eq!(data(&read(&mut reader, &bytes)[0].rewrite(&[])), BLOB);
}

#[test]
fn log_probabilities_of_the_prompt_go_with_any_change() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let chunk = event(
        &mut reader,
        &json!({"prompt_logprobs": [1], "choices": [
            {"index": 0, "delta": {"content": "a"}, "logprobs": [1]},
            {"index": 1, "delta": {"content": "b"}, "logprobs": [1], "prompt_logprobs": [1]}
        ]}),
    )
    .unwrap();
    let out = events(&chunk.rewrite(&[(0, "x".to_owned())])).remove(0).1;
    for (pointer, expected) in [
        ("/prompt_logprobs", Value::Null),
        ("/choices/0/logprobs", Value::Null),
        ("/choices/1/logprobs", json!([1])),
        ("/choices/1/prompt_logprobs", Value::Null),
    ] {
        assert_eq!(out.pointer(pointer), Some(&expected), "{pointer}");
    }
}

/// Reads one event whose data is this.
fn event(reader: &mut StreamReader, data: &Value) -> Result<Chunk, WireError> {
    let mut bytes = Vec::new();
    crate::sse::write_event("", &data.to_string(), &mut bytes);
    reader.event(&decode(&bytes)[0])
}

#[test]
fn a_closed_choice_never_opens_again() {
    let finished = |delta: Value, finish: &str| {
        let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
        event(&mut reader, &chat_chunk(&json!({"content": "ab"}), Some(finish))).unwrap();
        event(&mut reader, &chat_chunk(&delta, None))
    };
    let call = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
    // An empty reason is none.
    assert_eq!(finished(json!({"content": "c"}), "").unwrap().deltas.len(), 1);
    for delta in [json!({"content": "c"}), json!({"refusal": "c"}), call("{")] {
        assert!(matches!(finished(delta, "stop"), Err(WireError::Stream(_))));
    }
    for delta in [json!({"content": ""}), call(""), json!({})] {
        let chunk = finished(delta, "stop").unwrap();
        assert!(chunk.deltas.is_empty() && chunk.opens.is_empty());
    }
    // The same within one event, and after the end of the reply.
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let twice = json!({"choices": [
        {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}, {"index": 0, "delta": {"content": "b"}}]});
    assert!(matches!(event(&mut reader, &twice), Err(WireError::Stream(_))));
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    read(&mut reader, b"data: [DONE]\n\n");
    assert!(matches!(event(&mut reader, &chat_chunk(&json!({"content": "c"}), None)), Err(WireError::Stream(_))));
}

#[test]
fn a_block_opens_once() {
    let start = |name: &str| json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": name, "input": {}}});
    let delta = |index: u32, text: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": text}});
    let stop = json!({"type": "content_block_stop", "index": 0});
    let after = |events: &[Value], last: &Value| {
        let mut reader = StreamReader::new(Protocol::AnthropicMessages, &limits());
        for data in events {
            event(&mut reader, data).unwrap();
        }
        event(&mut reader, last)
    };
    assert_eq!(after(&[start("a")], &delta(0, "{")).unwrap().deltas[0].channel, channel(0, 0, arguments("a")));
    // Never begun, ended, begun again, and begun again by an event of another type.
    let hidden = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": ""},
        "content_block": {"type": "tool_use", "id": "t", "name": "b", "input": {}}});
    for (events, last) in [
        (vec![], delta(0, "{")),
        (vec![start("a")], delta(1, "{")),
        (vec![start("a"), stop.clone()], delta(0, "{")),
        (vec![start("a")], start("b")),
        (vec![start("a"), stop.clone()], start("a")),
        (vec![start("a")], hidden),
        (vec![start("a"), json!({"type": "error", "error": {"message": "m"}})], delta(0, "{")),
        (vec![json!({"type": "message_stop"})], start("a")),
    ] {
        assert!(matches!(after(&events, &last), Err(WireError::Stream(_))), "{last}");
    }
    let empty = after(&[start("a"), stop], &delta(0, "")).unwrap();
    assert!(empty.deltas.is_empty() && empty.opens.is_empty());
}

#[test]
fn sources_and_pictures_come_whole() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let source = |url: &str| json!({"annotations": [{"type": "url_citation", "url_citation": {"url": url, "title": "A title"}}]});
    for delta in [
        source("https://a.example/1"),
        source("https://b.example/2"),
        json!({"images": [{"image_url": {"url": "data:image/png;base64,QUJD"}}]}),
    ] {
        let chunk = event(&mut reader, &chat_chunk(&delta, None)).unwrap();
        assert!(chunk.deltas.is_empty() && chunk.opens.is_empty(), "{delta}");
        assert_eq!(chunk.rewrite(&[]), chunk.raw());
    }
}

#[test]
fn a_message_beside_its_delta_says_nothing() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let both = |new: &str, all: &str| json!({"choices": [{"index": 0, "delta": {"content": new}, "message": {"role": "assistant", "content": all}}]});
    let chunks = [both("Hel", "Hel"), both("lo", "Hello")].map(|data| event(&mut reader, &data).unwrap());
    assert_eq!(joined(&chunks), [(channel(0, 0, ChannelPart::Text), "Hello".to_owned())]);
    let out = String::from_utf8(chunks[1].rewrite(&[])).unwrap();
    assert!(out.contains(r#""message":null"#) && !out.contains("Hello"), "{out}");
}

#[test]
fn parts_with_thinking_are_read() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    let part = |text: &str| json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]});
    let chunks = ["half of a se", "cret"].map(|text| event(&mut reader, &chat_chunk(&part(text), None)).unwrap());
    assert!(chunks.iter().all(|chunk| chunk.opaque.is_empty()));
    assert!(joined(&chunks).iter().any(|(_, text)| text == "half of a secret"));
}

#[test]
fn held_text_goes_before_an_error() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits());
    event(&mut reader, &chat_chunk(&json!({"content": "Hel"}), None)).unwrap();
    let chunk = event(&mut reader, &json!({"error": {"message": "overloaded"}})).unwrap();
    assert!(chunk.model_error);
    assert_eq!(chunk.closes, [channel(0, 0, ChannelPart::Text)]);
}

#[test]
fn an_index_is_a_number_that_all_read_alike() {
    let choice = |index: &Value| json!({"choices": [{"index": index, "delta": {"content": "x"}}]});
    let call =
        |index: &Value| chat_chunk(&json!({"tool_calls": [{"index": index, "function": {"arguments": "x"}}]}), None);
    let details = |index: &Value| chat_chunk(&json!({"reasoning_details": [{"index": index, "text": "x"}]}), None);
    let block = |index: &Value| json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": "x"}});
    let read = |protocol, data: &Value| event(&mut StreamReader::new(protocol, &limits()), data);
    for shape in [&choice as &dyn Fn(&Value) -> Value, &call, &details] {
        for good in [json!(0), json!(7), Value::Null] {
            assert_eq!(read(Protocol::OpenaiChat, &shape(&good)).unwrap().deltas.len(), 1);
        }
        for bad in [json!(1.0), json!("1"), json!(-1), json!(4_294_967_296_u64), json!([0]), json!(true)] {
            let result = read(Protocol::OpenaiChat, &shape(&bad));
            assert!(matches!(result, Err(WireError::Shape { .. })), "{bad}: {result:?}");
            let result = read(Protocol::AnthropicMessages, &block(&bad));
            assert!(matches!(result, Err(WireError::Shape { .. })), "{bad}: {result:?}");
        }
    }
    // The index of `function_call`'s channel.
    assert!(read(Protocol::OpenaiChat, &call(&json!(u32::MAX))).is_err());
}

#[test]
fn channels_are_bounded() {
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &Limits::default());
    let choices: Vec<_> = (0..5000).map(|i| json!({"index": i, "delta": {"content": "x"}})).collect();
    let event = SseEvent { data: Some(json!({"choices": choices}).to_string()), ..SseEvent::default() };
    assert_eq!(reader.event(&event).unwrap_err(), WireError::Stream("too many channels"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_rewritten_piece_reads_as_what_was_put_there(text: String, with: String, anthropic: bool) {
        let (protocol, data) = if anthropic {
            (Protocol::AnthropicMessages, json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}))
        } else {
            (Protocol::OpenaiChat, chat_chunk(&json!({"content": text}), None))
        };
        let mut bytes = Vec::new();
        crate::sse::write_event("x", &serde_json::to_string_pretty(&data).unwrap(), &mut bytes);
        let mut reader = StreamReader::new(protocol, &limits());
        if anthropic {
            let start = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
            read(&mut reader, &stream(protocol, &[start]));
        }
        let chunks = read(&mut reader, &bytes);
        prop_assert_eq!(&chunks[0].deltas[0].text, &text);
        let again = read(&mut reader, &chunks[0].rewrite(&[(0, with.clone())]));
        prop_assert_eq!(&again[0].deltas[0].text, &with);
        prop_assert_eq!(again[0].texts.len(), chunks[0].texts.len());
    }
}
