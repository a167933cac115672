use bartizan_core::{Edit, Exchange, Protocol, Span};
use serde_json::{Value, json};

use super::{BLOB, assert_complete, at, limits, opaque};
use crate::{Channel, ChannelPart, Chunk, Ending, ErrorKind, SseDecoder, SseEvent, StreamReader, WireError};

const RESPONSES: Protocol = Protocol::OpenaiResponses;

fn request(body: &Value) -> Exchange {
    let exchange = super::read(RESPONSES, &body.to_string());
    assert_complete(&exchange);
    exchange
}

fn reply(body: &Value) -> Exchange {
    let exchange = crate::reply(RESPONSES, body.to_string().into_bytes(), &limits()).unwrap();
    assert_complete(&exchange);
    exchange
}

#[test]
fn every_kind_of_item_has_its_origin() {
    let body = json!({
        "model": "m", "stream": true, "instructions": "be kind", "metadata": {"k": "v"}, "user": "u",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"description": "d"}}},
        "input": [
            {"role": "user", "content": "plain"},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": format!("data:image/png;base64,{BLOB}"), "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": BLOB}]},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
                {"type": "output_text", "text": "said", "annotations": [{"type": "url_citation", "title": "quoted", "url": "https://example.com"}]},
                {"type": "refusal", "refusal": "no"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
             "content": [{"type": "reasoning_text", "text": "so"}], "encrypted_content": BLOB},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{\"a\": [\"b\"]}"},
            {"type": "function_call_output", "call_id": "c1", "output": "{\"found\": \"it\"}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "files"}]},
            {"type": "mcp_call", "id": "mcp_1", "server_label": "wiki", "name": "read", "arguments": "{}", "output": "page"},
            {"type": "file_search_call", "id": "fs_1", "queries": ["q"], "results": [{"text": "doc", "filename": "f"}]},
            {"type": "shell_call", "call_id": "c3", "action": {"commands": ["pwd"]}},
            {"type": "shell_call_output", "call_id": "c3", "output": [{"stdout": "here", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]},
            {"type": "local_shell_call", "id": "ls_1", "call_id": "c4", "action": {"type": "exec", "command": ["id"], "env": {}}},
            {"type": "local_shell_call_output", "id": "c4", "output": "root"},
            {"type": "mcp_list_tools", "server_label": "wiki", "tools": [{"name": "read", "description": "reads", "input_schema": {}}]},
            {"type": "mcp_approval_response", "approval_request_id": "a", "approve": true, "reason": "fine"},
        ],
        "tools": [{"type": "function", "name": "look", "description": "looks", "parameters": {"properties": {"p": {"description": "d"}}}}],
    });
    let exchange = request(&body);
    assert!(exchange.stream && exchange.model == "m");
    let table = [
        ("/instructions", "system Text"),
        ("/metadata/k", "parameter Text"),
        ("/text/format/schema/description", "definition Text"),
        ("/input/0/content", "user Text"),
        ("/input/1/content/0/text", "system Text"),
        ("/input/2/content/0/text", "user Text"),
        ("/input/2/content/2/filename", "user Text"),
        ("/input/3/content/0/text", "model Text"),
        ("/input/3/content/0/annotations/0/title", "document Text"),
        ("/input/3/content/1/refusal", "model Refusal"),
        ("/input/4/summary/0/text", "model Reasoning"),
        ("/input/4/content/0/text", "model Reasoning"),
        ("/input/5/arguments", "model ToolArguments"),
        ("/input/5/arguments/a/0", "model ToolArguments"),
        ("/input/6/output", "tool:look Text"),
        ("/input/6/output/found", "tool:look Text"),
        ("/input/7/input", "model ToolArguments"),
        ("/input/8/output/0/text", "tool:sh Text"),
        ("/input/9/arguments", "model ToolArguments"),
        ("/input/9/output", "tool:read@wiki Text"),
        ("/input/10/queries/0", "model ToolArguments"),
        ("/input/10/results/0/text", "document:file_search Text"),
        ("/input/11/action/commands/0", "model ToolArguments"),
        ("/input/12/output/0/stdout", "tool:shell Text"),
        ("/input/13/action/command/0", "model ToolArguments"),
        ("/input/14/output", "tool:local_shell Text"),
        ("/input/15/tools/0/description", "definition@wiki Text"),
        ("/input/16/reason", "user Text"),
        ("/tools/0/description", "definition Text"),
    ];
    for (pointer, expected) in table {
        assert_eq!(at(&exchange, pointer), expected, "{pointer}");
    }
    assert_eq!(
        opaque(&exchange),
        [
            "/input/2/content/1 image user unread strippable",
            "/input/2/content/2 file user unread strippable",
            "/input/4 encrypted-reasoning model unread strippable",
        ]
    );
    let calls: Vec<_> =
        exchange.messages.iter().flat_map(|m| &m.calls).map(|c| (c.id.as_str(), c.name.as_str())).collect();
    assert_eq!(calls[..3], [("c1", "look"), ("c2", "sh"), ("mcp_1", "read")]);
    assert_eq!(exchange.messages.iter().flat_map(|m| &m.calls).next().unwrap().arguments, "{\"a\": [\"b\"]}");
}

#[test]
fn what_the_provider_looks_up_or_runs_is_named() {
    let exchange = request(&json!({
        "model": "m", "input": "hi", "previous_response_id": "resp_1", "conversation": {"id": "conv_1"},
        "prompt": {"id": "pmpt_1", "variables": {"name": "Ann", "picture": {"type": "input_image", "file_id": "file_1"}}},
        "tools": [{"type": "web_search"}, {"type": "mcp", "server_label": "w", "server_url": "https://example.com/mcp", "authorization": "t"},
                  {"type": "shell", "environment": {"type": "container_auto"}}, {"type": "local_shell"}],
    }));
    assert_eq!(
        opaque(&exchange),
        [
            "/conversation reference parameter",
            "/previous_response_id reference parameter",
            "/prompt reference parameter",
            "/prompt/variables/picture reference user",
            "/tools/0 provider-tool definition strippable",
            "/tools/1 provider-tool definition strippable",
            "/tools/2 provider-tool definition strippable",
        ]
    );
    assert_eq!(at(&exchange, "/input"), "user Text");
    assert_eq!(at(&exchange, "/prompt/variables/name"), "user Text");
    assert_eq!(at(&exchange, "/tools/1/server_url"), "definition Text!");
    assert_eq!(at(&exchange, "/tools/1/authorization"), "definition Text!");
    let items = json!({"input": [
        {"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}, {"type": "novel", "words": "w"},
        {"type": "compaction", "encrypted_content": BLOB},
        {"type": "computer_call_output", "call_id": "x", "output": {"type": "computer_screenshot", "image_url": "https://example.com/i.png"}},
        {"role": "user", "content": [{"type": "input_file", "file_url": "https://example.com/f.pdf"}, {"type": "odd", "x": "y"}]},
    ]});
    let exchange = request(&items);
    assert_eq!(
        opaque(&exchange),
        [
            "/input/0 reference parameter strippable",
            "/input/1 reference parameter strippable",
            "/input/2 unknown tool strippable",
            "/input/3 encrypted-reasoning parameter unread strippable",
            "/input/4/output reference tool",
            "/input/5/content/0 reference user strippable",
            "/input/5/content/1 unknown user strippable",
        ]
    );
    assert_eq!(at(&exchange, "/input/2/words"), "tool Text");
}

#[test]
fn unclear_requests_are_refused() {
    for (body, pointer) in [
        (r#"[]"#, "/"),
        (r#"{"input": 7}"#, "/input"),
        (r#"{"input": [7]}"#, "/input/0"),
        (r#"{"input": [{"role": "king", "content": "x"}]}"#, "/input/0/role"),
        (r#"{"input": [{"type": "message", "content": "x"}]}"#, "/input/0/role"),
        (r#"{"input": [{"role": "user", "content": 7}]}"#, "/input/0/content"),
        (r#"{"stream": "yes"}"#, "/stream"),
        (r#"{"tools": {}}"#, "/tools"),
    ] {
        match crate::request(RESPONSES, body.as_bytes().to_vec(), &limits()) {
            Err(WireError::Shape { pointer: found, .. }) => assert_eq!(found, pointer, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    for body in
        [r#"{"input": "a", "input": "b"}"#, r#"{"Input": "a"}"#, r#"{"input": [{"role": "user", "Content": "x"}]}"#]
    {
        let result = crate::request(RESPONSES, body.as_bytes().to_vec(), &limits());
        assert!(matches!(result, Err(WireError::Ambiguous { .. })), "{body}");
    }
}

fn item(text: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
           "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": [{"token": text, "logprob": 0}]}]})
}

fn response(status: &str, output: &Value) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 5, "status": status, "model": "m", "instructions": "be kind",
           "tools": [{"type": "web_search"}], "previous_response_id": "resp_0", "top_logprobs": 2, "output": output})
}

#[test]
fn a_reply_is_the_models_and_its_tools() {
    let output = json!([
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": BLOB},
        item("words"),
        {"id": "mcp_1", "type": "mcp_call", "server_label": "wiki", "name": "read", "arguments": "{\"a\":1}", "output": "page"},
        {"id": "ci_1", "type": "code_interpreter_call", "code": "print(1)", "container_id": "c", "outputs": [{"type": "logs", "logs": "1"}]},
        {"id": "ig_1", "type": "image_generation_call", "result": BLOB, "revised_prompt": "a cat"},
        {"id": "ws_1", "type": "web_search_call", "action": {"type": "search", "query": "q", "sources": [{"type": "url", "url": "https://example.com"}]}},
    ]);
    let exchange = reply(&response("completed", &output));
    for (pointer, expected) in [
        ("/instructions", "system Text"),
        ("/previous_response_id", "model Name!"),
        ("/output/0/summary/0/text", "model Reasoning"),
        ("/output/1/content/0/text", "model Text"),
        ("/output/2/arguments/a", "model Number!"),
        ("/output/2/output", "tool:read@wiki Text"),
        ("/output/3/code", "model ToolArguments"),
        ("/output/3/outputs/0/logs", "tool:code_interpreter Text"),
        ("/output/4/revised_prompt", "model Text"),
        ("/output/5/action/query", "model ToolArguments"),
        ("/output/5/action/sources/0/url", "document Text"),
    ] {
        assert_eq!(at(&exchange, pointer), expected, "{pointer}");
    }
    // What the request asked for was decided about there.
    assert_eq!(
        opaque(&exchange),
        ["/output/0 encrypted-reasoning model unread strippable", "/output/4 image model unread strippable"]
    );
    let listed = reply(
        &json!({"object": "list", "data": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]}], "has_more": false}),
    );
    assert_eq!(at(&listed, "/data/0/content/0/text"), "user Text");
    reply(&json!({"id": "resp_1", "object": "response.deleted", "deleted": true}));
}

#[test]
fn an_edit_leaves_every_other_byte() {
    let body = response("completed", &json!([item("one"), item("two")])).to_string();
    let exchange = crate::reply(RESPONSES, body.clone().into_bytes(), &limits()).unwrap();
    let text = exchange.texts.iter().position(|t| t.pointer == "/output/1/content/0/text").unwrap();
    let edit = Edit::Replace { text, span: Span::new(0, 3), with: "[R]".to_owned() };
    let out = String::from_utf8(crate::rewrite(&exchange, &[edit], &limits()).unwrap().body).unwrap();
    // The tokens of the other item stay, and so does the setting.
    let expected =
        body.replace("\"text\":\"two\"", "\"text\":\"[R]\"").replace(r#"[{"logprob":0,"token":"two"}]"#, "[]");
    assert_eq!(out, expected);
    assert!(out.contains(r#""token":"one""#) && out.contains(r#""top_logprobs":2"#));

    let body = json!({"tools": [{"type": "web_search"}], "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/x"}]}]});
    let exchange = request(&body);
    let strips: Vec<_> = (0..exchange.opaque.len()).map(|opaque| Edit::Strip { opaque }).collect();
    let out: Value = serde_json::from_slice(&crate::rewrite(&exchange, &strips, &limits()).unwrap().body).unwrap();
    assert_eq!(out, json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "[removed]"}]}]}));
}

fn decode(bytes: &[u8]) -> Vec<SseEvent> {
    let mut decoder = SseDecoder::new(&limits());
    let mut events = Vec::new();
    decoder.push(bytes, &mut events).unwrap();
    assert_eq!(decoder.finish().unwrap(), None);
    events
}

fn stream(events: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event["sequence_number"] = json!(number);
        crate::sse::write_event(event["type"].as_str().unwrap(), &event.to_string(), &mut out);
    }
    out
}

fn read(reader: &mut StreamReader, bytes: &[u8]) -> Vec<Chunk> {
    decode(bytes).iter().map(|e| reader.event(e).unwrap()).collect()
}

fn data(bytes: &[u8]) -> Vec<Value> {
    decode(bytes).iter().map(|e| serde_json::from_str(e.data.as_deref().unwrap()).unwrap()).collect()
}

fn channel(choice: u32, block: u32, part: ChannelPart) -> Channel {
    Channel { choice, block, part }
}

const SUMMARY: u32 = 1 << 31;

fn events() -> Vec<Value> {
    let at = |index: u32, id: &str, kind: &str, more: Value| {
        let mut event = json!({"type": kind, "item_id": id, "output_index": index});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let text = |kind: &str, more: Value| {
        let mut event = at(1, "msg_1", kind, more);
        event["content_index"] = json!(0);
        event
    };
    let call = |status: &str, arguments: &str| json!({"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "look", "status": status, "arguments": arguments});
    let thought = json!({"type": "summary_text", "text": "I think"});
    let thinking = json!({"id": "rs_1", "type": "reasoning", "summary": [thought]});
    vec![
        json!({"type": "response.created", "response": response("in_progress", &json!([]))}),
        json!({"type": "response.in_progress", "response": response("in_progress", &json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "rs_1", "type": "reasoning", "summary": []}}),
        at(
            0,
            "rs_1",
            "response.reasoning_summary_part.added",
            json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        ),
        at(0, "rs_1", "response.reasoning_summary_text.delta", json!({"summary_index": 0, "delta": "I "})),
        at(0, "rs_1", "response.reasoning_summary_text.delta", json!({"summary_index": 0, "delta": "think"})),
        at(0, "rs_1", "response.reasoning_summary_text.done", json!({"summary_index": 0, "text": "I think"})),
        at(0, "rs_1", "response.reasoning_summary_part.done", json!({"summary_index": 0, "part": thought})),
        json!({"type": "response.output_item.done", "output_index": 0, "item": thinking}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}}),
        text("response.content_part.added", json!({"part": {"type": "output_text", "text": "", "annotations": []}})),
        text("response.output_text.delta", json!({"delta": "wo", "logprobs": [{"token": "wo"}], "obfuscation": "xyz"})),
        text("response.output_text.delta", json!({"delta": "rds", "logprobs": []})),
        text(
            "response.output_text.annotation.added",
            json!({"annotation_index": 0, "annotation": {"type": "url_citation", "title": "quoted", "url": "https://example.com"}}),
        ),
        text("response.output_text.done", json!({"text": "words", "logprobs": [{"token": "wo"}, {"token": "rds"}]})),
        text(
            "response.content_part.done",
            json!({"part": {"type": "output_text", "text": "words", "annotations": []}}),
        ),
        json!({"type": "response.output_item.done", "output_index": 1, "item": item("words")}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": call("in_progress", "")}),
        at(2, "fc_1", "response.function_call_arguments.delta", json!({"delta": "{\"a\":"})),
        at(2, "fc_1", "response.function_call_arguments.delta", json!({"delta": "1}"})),
        at(2, "fc_1", "response.function_call_arguments.done", json!({"name": "look", "arguments": "{\"a\":1}"})),
        json!({"type": "response.output_item.done", "output_index": 2, "item": call("completed", "{\"a\":1}")}),
        json!({"type": "response.completed", "response": response("completed", &json!([thinking, item("words"), call("completed", "{\"a\":1}")]))}),
    ]
}

#[test]
fn pieces_and_copies_belong_to_one_channel() {
    let mut reader = StreamReader::new(RESPONSES, &limits());
    let chunks = read(&mut reader, &stream(&events()));
    let mut joined: Vec<(Channel, String)> = Vec::new();
    for delta in chunks.iter().flat_map(|c| &c.deltas) {
        match joined.iter_mut().find(|(c, _)| *c == delta.channel) {
            Some((_, text)) => text.push_str(&delta.text),
            None => joined.push((delta.channel.clone(), delta.text.clone())),
        }
    }
    let call = ChannelPart::ToolArguments { name: "look".into() };
    let expected = [
        (channel(0, SUMMARY, ChannelPart::Reasoning), "I think".to_owned()),
        (channel(1, 0, ChannelPart::Text), "words".to_owned()),
        (channel(2, 0, call), "{\"a\":1}".to_owned()),
    ];
    assert_eq!(joined, expected);
    for (channel, text) in &expected {
        let copies: Vec<&str> = chunks
            .iter()
            .flat_map(|c| c.wholes.iter().filter(|(_, own)| own == channel).map(|(at, _)| c.texts[*at].value.as_str()))
            .collect();
        let least = if channel.choice == 2 { 3 } else { 4 };
        assert_eq!(copies, vec![text.as_str(); least], "{channel:?}");
        let closing = chunks.iter().position(|c| c.closes.contains(channel)).unwrap();
        assert_eq!(chunks.iter().filter(|c| c.closes.contains(channel)).count(), 1);
        assert!(chunks[closing].wholes.iter().any(|(_, own)| own == channel), "it ends with its first copy");
    }
    assert!(chunks.last().unwrap().terminal && reader.open().is_empty());
    let title = chunks[13].texts.iter().find(|t| t.value == "quoted").unwrap();
    assert_eq!(title.origin.source, bartizan_core::Source::Document);
    assert!(chunks[0].texts.iter().any(|t| t.value == "be kind" && t.origin.source == bartizan_core::Source::System));
}

#[test]
fn what_does_not_change_keeps_its_bytes_and_numbers() {
    let bytes = stream(&events());
    let mut reader = StreamReader::new(RESPONSES, &limits());
    let mut out = Vec::new();
    for event in decode(&bytes) {
        let chunk = reader.event(&event).unwrap();
        out.extend(reader.write(&chunk, &[], &[]));
    }
    assert_eq!(out, bytes);
    assert!(reader.ending(Ending::Refusal { message: "m", event_id: "e" }).is_empty());
}

#[test]
fn held_text_and_changes_leave_numbers_that_grow_and_no_tokens() {
    let mut reader = StreamReader::new(RESPONSES, &limits());
    let text = channel(1, 0, ChannelPart::Text);
    let mut out = Vec::new();
    for event in decode(&stream(&events())) {
        let chunk = reader.event(&event).unwrap();
        if chunk.closes.contains(&text) {
            out.extend(reader.synth(&text, "[R]"));
        }
        let deltas: Vec<_> = chunk
            .deltas
            .iter()
            .enumerate()
            .filter(|(_, d)| d.channel == text)
            .map(|(at, _)| (at, String::new()))
            .collect();
        if !deltas.is_empty() {
            reader.altered(&text);
        }
        let leaves: Vec<_> =
            chunk.wholes.iter().filter(|(_, c)| *c == text).map(|(at, _)| (*at, "[R]".to_owned())).collect();
        out.extend(reader.write(&chunk, &deltas, &leaves));
    }
    let out = data(&out);
    let numbers: Vec<u64> = out.iter().map(|e| e["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
    assert_eq!(numbers.len(), events().len() + 1);
    let all = Value::from(out.clone()).to_string();
    assert!(!all.contains("words") && !all.contains("rds") && !all.contains(r#""token":"wo""#), "{all}");
    let synthetic = out.iter().find(|e| e["delta"] == "[R]").unwrap();
    assert_eq!(
        *synthetic,
        json!({"type": "response.output_text.delta", "sequence_number": 14, "item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": "[R]", "logprobs": []})
    );
    assert_eq!(all.matches("[R]").count(), 5, "one piece and four copies");
}

#[test]
fn a_stream_goes_on_where_the_caller_left_it() {
    let mut reader = StreamReader::new(RESPONSES, &limits());
    reader.resume_after(11);
    let mut out = Vec::new();
    for event in decode(&stream(&events())) {
        let chunk = reader.event(&event).unwrap();
        out.extend(reader.write(&chunk, &[], &[]));
    }
    assert_eq!(data(&out)[0]["sequence_number"], 12);
}

#[test]
fn endings_close_what_was_shown() {
    let all = events();
    for cut in 0..all.len() {
        let mut reader = StreamReader::new(RESPONSES, &limits()).with_model("m");
        let mut out = Vec::new();
        for event in decode(&stream(&all[..cut])) {
            let chunk = reader.event(&event).unwrap();
            out.extend(reader.write(&chunk, &[], &[]));
        }
        out.extend(reader.ending(Ending::Refusal { message: "no \"more\"", event_id: "e1" }));
        let out = data(&out);
        let numbers: Vec<u64> = out.iter().map(|e| e["sequence_number"].as_u64().unwrap()).collect();
        assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
        let count = |kind: &str| out.iter().filter(|e| e["type"] == kind).count();
        for what in ["output_item", "content_part", "reasoning_summary_part"] {
            assert_eq!(
                count(&format!("response.{what}.added")),
                count(&format!("response.{what}.done")),
                "{cut}: {what}"
            );
        }
        assert_eq!(count("response.created"), 1, "{cut}");
        let last = out.last().unwrap();
        assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.completed"), &json!("completed")));
        assert_eq!(last["response"]["output"][0]["content"], json!([{"type": "refusal", "refusal": "no \"more\""}]));
        assert_eq!(last["response"]["id"], if cut == 0 { "resp_e1" } else { "resp_1" });
        // It reads as a stream of its own protocol, and as a reply.
        reply(&last["response"]);
        // Each item ends as the one that began.
        for done in out.iter().filter(|e| e["type"] == "response.output_item.done") {
            let added = out
                .iter()
                .find(|e| e["type"] == "response.output_item.added" && e["output_index"] == done["output_index"]);
            for key in ["id", "type", "call_id"] {
                assert_eq!(added.unwrap()["item"][key], done["item"][key], "{cut}: {key}");
            }
        }
    }
    let mut reader = StreamReader::new(RESPONSES, &limits());
    read(&mut reader, &stream(&all[..3])).iter().for_each(|chunk| drop(reader.write(chunk, &[], &[])));
    let out = data(&reader.failure(ErrorKind::Blocked, "blocked", Some("e1")));
    assert_eq!((&out[0]["type"], &out[0]["code"]), (&json!("error"), &json!("content_policy_violation")));
    assert_eq!(out[0]["error"]["event_id"], "e1");
    assert_eq!((&out[1]["type"], &out[1]["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!((&out[1]["response"]["id"], &out[1]["sequence_number"]), (&json!("resp_1"), &json!(4)));
}

#[test]
fn streams_that_two_clients_would_read_differently_are_refused() {
    let delta = |index: Value, id: &str, text: &str| json!({"type": "response.output_text.delta", "item_id": id, "output_index": index, "content_index": 0, "delta": text});
    let done = json!({"type": "response.output_text.done", "item_id": "a", "output_index": 0, "content_index": 0, "text": "x"});
    for events in [
        vec![delta(json!(0), "a", "x"), delta(json!(1), "a", "y")],
        vec![delta(json!("0"), "a", "x")],
        vec![delta(json!(0), "a", "x"), done.clone(), delta(json!(0), "a", "y")],
        vec![json!({"type": "response.completed", "response": {}}), delta(json!(0), "a", "y")],
    ] {
        let mut reader = StreamReader::new(RESPONSES, &limits());
        let results: Vec<_> = decode(&stream(&events)).iter().map(|e| reader.event(e)).collect();
        assert!(results.last().unwrap().is_err(), "{events:?}");
    }
    // An event without an index is about the item with its id; servers that make up a new id for each event give one.
    let mut reader = StreamReader::new(RESPONSES, &limits());
    let chunks = read(
        &mut reader,
        &stream(&[delta(Value::Null, "a", "x"), delta(Value::Null, "a", "y"), delta(json!(0), "b", "z")]),
    );
    assert!(chunks.iter().all(|c| c.deltas[0].channel == channel(0, 0, ChannelPart::Text)));
}

#[test]
fn strings_of_unknown_events_grow_too() {
    let mut reader = StreamReader::new(RESPONSES, &limits());
    let event = |text: &str| json!({"type": "response.novel.delta", "item_id": "a", "output_index": 0, "delta": text, "extra": "e f"});
    let chunks = read(&mut reader, &stream(&[event("half of a se"), event("cret")]));
    let field = |pointer: &str| channel(0, 0, ChannelPart::Field { pointer: pointer.into() });
    let found: Vec<_> = chunks[0].deltas.iter().map(|d| d.channel.clone()).collect();
    assert_eq!(found.len(), 2);
    assert!(found.contains(&field("/delta")) && found.contains(&field("/extra")));
    let out = data(&reader.synth(&field("/delta"), "T"));
    assert_eq!((&out[0]["type"], &out[0]["delta"]), (&json!("response.novel.delta"), &json!("T")));
    let out = data(&reader.synth(&field("/extra"), "T"));
    assert_eq!(out[0]["extra"], "T");
    let shell = json!({"type": "response.shell_call_output_content.delta", "item_id": "s", "output_index": 1, "command_index": 0, "delta": {"stdout": "some"}});
    let chunks = read(&mut reader, &stream(&[shell]));
    let delta = &chunks[0].deltas[0];
    assert_eq!((delta.origin.source, delta.text.as_str()), (bartizan_core::Source::Tool, "some"));
    assert_eq!(data(&reader.synth(&delta.channel, "T"))[0]["delta"], json!({"stdout": "T"}));
}

#[test]
fn refusals_and_errors_have_the_shape_of_a_response() {
    let body: Value = serde_json::from_slice(&crate::refusal_body(RESPONSES, "m", "e1", "no")).unwrap();
    assert_eq!(
        (&body["object"], &body["status"], &body["event_id"]),
        (&json!("response"), &json!("completed"), &json!("e1"))
    );
    assert_eq!(body["output"][0]["content"][0], json!({"type": "refusal", "refusal": "no"}));
    reply(&body);
    let (status, body) = crate::error_body(RESPONSES, ErrorKind::Blocked, "no", Some("e1"));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["error"]["code"]), (400, &json!("content_policy_violation")));
    let events = data(&crate::refusal_stream(RESPONSES, "m", "e1", "no"));
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(events.last().unwrap()["response"]["output"][0]["content"][0]["refusal"], "no");
}
