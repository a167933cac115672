//! What is cut off goes nowhere: not in a request, not in a reply, not in a stream, in any protocol or spelling.

use std::sync::Arc;

use bartizan_core::{Containment, Mode, Protocol, Target, TenantId, Verdict};
use bartizan_guard::{Containments, Guard, ReplyContext, Route, Settings};
use bartizan_policy::{Cause, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};

fn one(target: Target, name: &str) -> Containment {
    Containment {
        id: format!("{target}:{name}"),
        tenant: TenantId::sole(),
        target,
        name: name.into(),
        reason: "ticket 7".into(),
        actor: "cli:test".into(),
        since: 0,
        until: 10,
    }
}

fn cut_off(target: Target, name: &str) -> Arc<Containments> {
    Arc::new(Containments::of(&TenantId::sole(), &[one(target, name)], 5))
}

/// In monitor mode, where nothing else is carried out.
fn guard() -> Guard {
    Guard::new(&Settings { mode: Mode::Monitor, ..Settings::default() }).unwrap()
}

/// The causes of a refusal; nothing where it is forwarded.
fn refused(guard: &Guard, protocol: Protocol, reply: bool, body: &Value, cut_off: &Containments) -> Vec<Cause> {
    let body = body.to_string().into_bytes();
    let read = if reply { guard.read_reply(protocol, body) } else { guard.read_request(protocol, body) };
    let mut parsed = read.unwrap();
    parsed.contain(cut_off, "ci");
    match guard.check(parsed, &ReplyContext::default(), Route::default()).outcome {
        Outcome::Refuse(refusal) | Outcome::Hold(refusal) => refusal.causes,
        Outcome::Forward { .. } => Vec::new(),
    }
}

fn requests(tool: &str) -> Vec<(&'static str, Protocol, Value)> {
    let schema = json!({"type": "object", "properties": {"to": {"type": "string"}}});
    let user = json!({"role": "user", "content": "hello"});
    let function = json!({"name": tool, "parameters": schema});
    let call = json!({"role": "assistant", "content": null,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": tool, "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "done"});
    let used = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": tool, "input": {}}]});
    let came = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "done"}]});
    let gemini = json!([{"role": "user", "parts": [{"text": "hello"}]}]);
    let bedrock = json!([{"role": "user", "content": [{"text": "hello"}]}]);
    let chat = |more: Value| {
        let mut body = json!({"model": "m", "messages": [user]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    vec![
        ("offered", Protocol::OpenaiChat, chat(json!({"tools": [{"type": "function", "function": function}]}))),
        ("old form", Protocol::OpenaiChat, chat(json!({"functions": [function]}))),
        ("called and answered", Protocol::OpenaiChat, json!({"model": "m", "messages": [user, call, result]})),
        (
            "offered",
            Protocol::AnthropicMessages,
            json!({"model": "m", "max_tokens": 9, "messages": [user], "tools": [{"name": tool, "input_schema": schema}]}),
        ),
        (
            "called and answered",
            Protocol::AnthropicMessages,
            json!({"model": "m", "max_tokens": 9, "messages": [user, used, came]}),
        ),
        (
            "offered",
            Protocol::OpenaiResponses,
            json!({"model": "m", "input": "hello", "tools": [{"type": "function", "name": tool, "parameters": schema}]}),
        ),
        (
            "answered",
            Protocol::OpenaiResponses,
            json!({"model": "m", "input": [
                {"type": "function_call", "call_id": "c1", "name": tool, "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "done"}]}),
        ),
        (
            "offered",
            Protocol::Gemini,
            json!({"contents": gemini, "tools": [{"functionDeclarations": [{"name": tool, "description": "x"}]}]}),
        ),
        (
            "answered",
            Protocol::Gemini,
            json!({"contents": [{"role": "user", "parts": [{"functionResponse": {"name": tool, "response": {"r": "x"}}}]}]}),
        ),
        (
            "offered",
            Protocol::BedrockConverse,
            json!({"messages": bedrock, "toolConfig": {"tools": [{"toolSpec": {"name": tool, "inputSchema": {"json": schema}}}]}}),
        ),
    ]
}

fn replies(tool: &str) -> Vec<(Protocol, Value)> {
    let call = json!({"id": "c1", "type": "function", "function": {"name": tool, "arguments": "{}"}});
    vec![
        (
            Protocol::OpenaiChat,
            json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]}),
        ),
        (
            Protocol::AnthropicMessages,
            json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
                "content": [{"type": "tool_use", "id": "t1", "name": tool, "input": {}}]}),
        ),
        (
            Protocol::OpenaiResponses,
            json!({"id": "r", "object": "response", "status": "completed", "model": "m",
                "output": [{"type": "function_call", "id": "f", "call_id": "c1", "name": tool, "arguments": "{}"}]}),
        ),
        (
            Protocol::Gemini,
            json!({"candidates": [{"index": 0, "finishReason": "STOP",
                "content": {"role": "model", "parts": [{"functionCall": {"name": tool, "args": {}}}]}}]}),
        ),
        (
            Protocol::BedrockConverse,
            json!({"output": {"message": {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "t1", "name": tool, "input": {}}}]}}, "stopReason": "tool_use"}),
        ),
    ]
}

fn events(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| match event["type"].as_str() {
            Some(kind) => format!("event: {kind}\ndata: {event}\n\n"),
            None => format!("data: {event}\n\n"),
        })
        .collect()
}

/// Streams in which a tool is called, the name in one piece or, where a client would put it together, in two.
fn streams(tool: &str) -> Vec<(&'static str, Protocol, String)> {
    let half = tool.floor_char_boundary(tool.len() / 2);
    let chunk = |delta: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    };
    let call = |name: &str, arguments: &str| {
        chunk(json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function",
            "function": {"name": name, "arguments": arguments}}]}))
    };
    let item = json!({"type": "function_call", "id": "f", "call_id": "c1", "name": tool, "arguments": ""});
    vec![
        ("whole", Protocol::OpenaiChat, events(&[call(tool, ""), call("", "{}")])),
        ("in two", Protocol::OpenaiChat, events(&[call(&tool[..half], ""), call(&tool[half..], "{}")])),
        (
            "whole",
            Protocol::AnthropicMessages,
            events(&[
                json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m",
                    "content": [], "stop_reason": null, "usage": {"input_tokens": 1, "output_tokens": 1}}}),
                json!({"type": "content_block_start", "index": 0,
                    "content_block": {"type": "tool_use", "id": "t1", "name": tool, "input": {}}}),
                json!({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
                json!({"type": "content_block_stop", "index": 0}),
            ]),
        ),
        (
            "whole",
            Protocol::OpenaiResponses,
            events(&[
                json!({"type": "response.created", "sequence_number": 0,
                    "response": {"id": "r", "object": "response", "status": "in_progress", "model": "m", "output": []}}),
                json!({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item}),
            ]),
        ),
        ("whole", Protocol::Gemini, events(&[replies(tool)[3].1.clone()])),
    ]
}

/// What of a stream reaches the caller, whether it was cut, and the ids of what it met.
fn through(guard: &Guard, protocol: Protocol, bytes: &str, cut_off: &Arc<Containments>) -> (String, bool, usize) {
    let mut stream = guard.reply_stream(protocol, ReplyContext::default(), "e1", false);
    let mut out = stream.contain(cut_off, "ci", "m").released.into_inner();
    let pushed = stream.push(bytes.as_bytes());
    let ended = pushed.ended;
    out.extend(pushed.released.into_inner());
    let noted = stream.noted();
    assert_eq!(ended, noted.verdict == Verdict::Deny);
    (String::from_utf8(out).unwrap(), ended, noted.contained.len())
}

const SPELLINGS: [&str; 5] =
    ["send_email", "SEND_email", "ｓｅｎｄ_ｅｍａｉｌ", "send\u{200b}_email", "s\u{435}nd_em\u{430}il"];

#[test]
fn a_tool_that_is_cut_off_is_refused_everywhere() {
    let guard = guard();
    let cut = cut_off(Target::Tool, "send_email");
    for tool in SPELLINGS {
        for (what, protocol, body) in requests(tool) {
            let causes = refused(&guard, protocol, false, &body, &cut);
            assert!(causes.iter().any(|c| matches!(c, Cause::Contained(_))), "{tool:?} {what} {protocol}: {causes:?}");
        }
        for (protocol, body) in replies(tool) {
            assert!(!refused(&guard, protocol, true, &body, &cut).is_empty(), "{tool:?} {protocol}");
        }
        for (what, protocol, bytes) in streams(tool) {
            let (out, ended, met) = through(&guard, protocol, &bytes, &cut);
            assert!(ended && met == 1, "{tool:?} {what} {protocol}: {out}");
            assert!(!out.contains("{\\\"") && !out.contains("\"args\""), "{tool:?} {what} {protocol}: {out}");
        }
    }
}

#[test]
fn other_tools_pass() {
    let guard = guard();
    let cut = cut_off(Target::Tool, "send_email");
    for tool in ["resend_email", "read_email", "email"] {
        for (what, protocol, body) in requests(tool) {
            assert!(refused(&guard, protocol, false, &body, &cut).is_empty(), "{tool} {what} {protocol}");
        }
        for (protocol, body) in replies(tool) {
            assert!(refused(&guard, protocol, true, &body, &cut).is_empty(), "{tool} {protocol}");
        }
        for (what, protocol, bytes) in streams(tool) {
            assert!(!through(&guard, protocol, &bytes, &cut).1, "{tool} {what} {protocol}");
        }
    }
}

#[test]
fn a_server_is_met_by_its_label_and_in_the_names_of_its_tools() {
    let guard = guard();
    let cut = cut_off(Target::Server, "Mail");
    let bodies = [
        (
            Protocol::OpenaiResponses,
            json!({"model": "m", "input": "hello", "tools": [
                {"type": "mcp", "server_label": "mail", "server_url": "https://mail.example/mcp"}]}),
        ),
        (
            Protocol::AnthropicMessages,
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}],
                "mcp_servers": [{"type": "url", "name": "MAIL", "url": "https://mail.example/mcp"}]}),
        ),
        (
            Protocol::OpenaiChat,
            json!({"model": "m", "messages": [{"role": "user", "content": "hello"}],
                "tools": [{"type": "function", "function": {"name": "mcp__mail__read"}}]}),
        ),
    ];
    for (protocol, body) in bodies {
        assert!(!refused(&guard, protocol, false, &body, &cut).is_empty(), "{protocol}");
        let other = cut_off(Target::Server, "calendar");
        assert!(refused(&guard, protocol, false, &body, &other).is_empty(), "{protocol}");
    }
}

#[test]
fn a_model_is_met_in_requests_and_by_what_replies_say_they_are_from() {
    let guard = guard();
    let cut = cut_off(Target::Model, "small");
    let ask = |model: &str, more: Value| {
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (model, more) in [
        ("small", json!({})),
        ("SMALL", json!({})),
        ("vendor/small", json!({})),
        ("fast", json!({"models": ["other", "small"]})),
        ("fast", json!({"fallbacks": ["small"]})),
    ] {
        let body = ask(model, more);
        assert!(!refused(&guard, Protocol::OpenaiChat, false, &body, &cut).is_empty(), "{body}");
    }
    assert!(refused(&guard, Protocol::OpenaiChat, false, &ask("fast", json!({})), &cut).is_empty());
    // A deployment by another name: its replies say what it is.
    let reply = json!({"id": "c", "object": "chat.completion", "model": "small-2024-08-06", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]});
    assert!(!refused(&guard, Protocol::OpenaiChat, true, &reply, &cut).is_empty());
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "model": "small",
        "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": null}]});
    assert!(through(&guard, Protocol::OpenaiChat, &events(&[chunk]), &cut).1);
    let started = json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant",
        "model": "small", "content": [], "stop_reason": null, "usage": {"input_tokens": 1, "output_tokens": 1}}});
    assert!(through(&guard, Protocol::AnthropicMessages, &events(&[started]), &cut).1);
}

#[test]
fn what_is_cut_off_meanwhile_ends_a_stream() {
    let guard = guard();
    let text = json!({"id": "c", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": {"content": "Good day. "}, "finish_reason": null}]});
    for (target, name) in [(Target::Key, "ci"), (Target::Tenant, "default"), (Target::Model, "M")] {
        let mut stream = guard.reply_stream(Protocol::OpenaiChat, ReplyContext::default(), "e1", false);
        assert!(!stream.contain(&Arc::default(), "ci", "m").ended);
        assert!(!stream.push(events(std::slice::from_ref(&text)).as_bytes()).ended);
        let cut = stream.contain(&cut_off(target, name), "ci", "m");
        assert!(cut.ended, "{target}");
        let said = String::from_utf8(cut.released.into_inner()).unwrap();
        assert!(said.contains("e1"), "{said}");
        assert!(stream.push(events(std::slice::from_ref(&text)).as_bytes()).released.into_inner().is_empty());
    }
}

#[test]
fn a_conversation_without_a_caller_is_held_to_it_too() {
    let guard = guard().containing(Containments::of(&TenantId::sole(), &[one(Target::Tool, "send_email")], 5));
    let call = json!([{"role": "user", "content": "hello"}, {"role": "assistant", "content": null, "tool_calls":
        [{"id": "c1", "type": "function", "function": {"name": "Send_Email", "arguments": "{}"}}]}]);
    let decision = guard.check_conversation(&call.to_string()).unwrap();
    assert_eq!((decision.verdict, decision.contained.as_slice()), (Verdict::Deny, &["tool:send_email".to_owned()][..]));
}

proptest! {
    #[test]
    fn no_name_makes_it_panic_and_the_folded_name_decides(name in "\\PC{0,40}", other in "\\PC{0,40}") {
        let cut = cut_off(Target::Tool, &name);
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}],
            "tools": [{"type": "function", "function": {"name": other}}]});
        let same = bartizan_engine::fold_name(&name) == bartizan_engine::fold_name(&other);
        let refused = !refused(guard_once(), Protocol::OpenaiChat, false, &body, &cut).is_empty();
        prop_assert!(refused || !same);
    }
}

/// One for all cases.
fn guard_once() -> &'static Guard {
    static GUARD: std::sync::OnceLock<Guard> = std::sync::OnceLock::new();
    GUARD.get_or_init(guard)
}
