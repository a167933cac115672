//! Everything that is forwarded was offered to the engine, or is named as unread.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bartizan_core::rule::{Confidence, Persona, Severity};
use bartizan_core::{Cost, Detector, Hold, Limits, Mode, Protocol, Rule, RuleId, Sink, Subject, Views};
use bartizan_guard::{Guard, ReplyContext, Route, Settings};
use bartizan_policy::Outcome;
use proptest::prelude::*;
use serde_json::{Value, json};

type Heard = Arc<Mutex<BTreeSet<String>>>;

/// Reports nothing and remembers every text that it was offered.
struct Listener {
    rules: Vec<Rule>,
    heard: Heard,
}

impl Detector for Listener {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }
    fn views(&self) -> Views {
        Views::RAW
    }
    fn hold(&self) -> Hold {
        Hold::Whole
    }
    fn cost(&self) -> Cost {
        Cost::Literal
    }
    fn inspect(&self, subject: &Subject<'_>, _: &Limits, _: &mut Sink<'_>) {
        self.heard.lock().unwrap().insert(subject.text.to_owned());
    }
}

fn build() -> (Guard, Heard) {
    let heard = Heard::default();
    let rule = Rule {
        id: RuleId::new("topic/listener"),
        summary: "".into(),
        doc: "".into(),
        severity: Severity::Info,
        confidence: Confidence::Low,
        persona: Persona::Auditor,
        references: (&[]).into(),
        since: "0.1.0".into(),
    };
    let listener = Listener { rules: vec![rule], heard: Arc::clone(&heard) };
    let settings = Settings { mode: Mode::Monitor, ..Settings::default() };
    (Guard::with_detectors(&settings, vec![Box::new(listener)]).unwrap(), heard)
}

thread_local! {
    static LISTENING: (Guard, Heard) = build();
}

/// Every string, key and number, with its pointer.
fn leaves(value: &Value, pointer: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => out.push((pointer.to_owned(), text.clone())),
        Value::Number(number) => out.push((pointer.to_owned(), number.to_string())),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                leaves(item, &format!("{pointer}/{i}"), out);
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                out.push((format!("{pointer}#key"), key.clone()));
                leaves(item, &pointer, out);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Fails where the body is not one of its protocol, or a leaf of it is forwarded uncovered.
fn assert_covered(protocol: Protocol, reply: bool, body: &Value) {
    assert!(is_covered(protocol, reply, body), "{protocol:?} cannot be read: {body}");
}

/// False where the body is not one of its protocol. Fails where a leaf of a forwarded body was neither offered to the
/// engine nor in a part that is named as unread.
fn is_covered(protocol: Protocol, reply: bool, body: &Value) -> bool {
    LISTENING.with(|(guard, heard)| is_covered_by(guard, heard, protocol, reply, body))
}

fn is_covered_by(guard: &Guard, heard: &Heard, protocol: Protocol, reply: bool, body: &Value) -> bool {
    heard.lock().unwrap().clear();
    let bytes = body.to_string().into_bytes();
    let parsed = if reply { guard.read_reply(protocol, bytes) } else { guard.read_request(protocol, bytes) };
    let Ok(parsed) = parsed else { return false };
    let checked = guard.check(parsed, &ReplyContext::default(), Route::default());
    let Outcome::Forward { permitted, .. } = checked.outcome else { panic!("monitor mode forwards") };
    let exchange = permitted.into_inner();
    let unread: Vec<String> = exchange.opaque.iter().map(|o| o.pointer.clone()).collect();
    let forwarded: Value = serde_json::from_slice(&exchange.body).unwrap();
    let mut all = Vec::new();
    leaves(&forwarded, "", &mut all);
    let heard = heard.lock().unwrap();
    for (pointer, text) in all {
        let named = unread.iter().any(|u| pointer.starts_with(u.as_str()));
        assert!(
            text.is_empty() || named || heard.contains(&text),
            "{pointer} was forwarded and never examined: {body}"
        );
    }
    true
}

#[test]
fn every_kind_of_part_in_every_protocol() {
    let chat = json!({
        "model": "m1", "user": "u2", "metadata": {"k3": "v4", "n": 56789}, "stop": ["s5"], "unknown6": {"deep": ["x7", {"y8": 9.25}]},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n10", "schema": {"description": "d11"}}},
        "tools": [{"type": "function", "function": {"name": "t12", "description": "d13", "parameters": {"properties": {"p14": {"enum": ["e15"]}}}}}],
        "messages": [
            {"role": "system", "content": "c16"},
            {"role": "developer", "content": [{"type": "text", "text": "c17"}]},
            {"role": "user", "name": "n18", "content": [
                {"type": "text", "text": "c19"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "d20"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/i.png"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "f21"}},
                {"type": "file", "file": {"file_id": "file-22"}},
                {"type": "novel23", "text": "c24"}]},
            {"role": "assistant", "content": null, "refusal": "r25", "reasoning_content": "r26", "audio": {"id": "audio_27"},
             "tool_calls": [{"id": "i28", "type": "function", "function": {"name": "t29", "arguments": "{\"a30\": \"v31\", \"b\": [32]}"}}],
             "function_call": {"name": "f33", "arguments": "not json 34"}},
            {"role": "tool", "tool_call_id": "i28", "content": "{\"r35\": {\"s36\": \"t37\"}}"},
            {"role": "function", "name": "f38", "content": "c39"}],
    });
    assert_covered(Protocol::OpenaiChat, false, &chat);
    let anthropic = json!({
        "model": "m1", "max_tokens": 64, "system": [{"type": "text", "text": "s2", "cache_control": {"type": "ephemeral"}}],
        "metadata": {"user_id": "u3"}, "stop_sequences": ["s4"], "unknown5": "x6",
        "tools": [{"name": "t7", "description": "d8", "input_schema": {"properties": {"p9": {"description": "d10"}}}},
                  {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["example.com"]}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "c11"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/i.png"}},
                {"type": "document", "title": "t12", "context": "c13", "source": {"type": "text", "media_type": "text/plain", "data": "d14"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "d15"}]}},
                {"type": "search_result", "source": "s16", "title": "t17", "content": [{"type": "text", "text": "c18"}]}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t19", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZW5j"},
                {"type": "text", "text": "c20", "citations": [{"type": "char_location", "cited_text": "c21", "document_title": "t22"}]},
                {"type": "tool_use", "id": "toolu_1", "name": "t23", "input": {"k24": "v25", "n": [26, {"x27": "y28"}]}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    {"type": "text", "text": "r29"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]}]}],
    });
    assert_covered(Protocol::AnthropicMessages, false, &anthropic);
    let reply = json!({
        "id": "i1", "model": "m2", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "c3", "refusal": "r4", "annotations": [{"type": "url_citation", "url_citation": {"title": "t5", "url": "https://example.com/6"}}]},
             "logprobs": {"content": [{"token": "tok7", "logprob": -0.5, "bytes": [1, 2], "top_logprobs": [{"token": "tok8"}]}]}},
            {"index": 1, "message": {"role": "assistant", "content": "c9", "tool_calls": [{"id": "i10", "type": "function", "function": {"name": "f11", "arguments": "{\"a12\": 13}"}}]}}],
        "usage": {"total_tokens": 12345}, "unknown14": "x15",
    });
    assert_covered(Protocol::OpenaiChat, true, &reply);
    let reply = json!({
        "id": "i1", "type": "message", "role": "assistant", "model": "m2", "stop_reason": "end_turn", "stop_sequence": "s3",
        "content": [{"type": "thinking", "thinking": "t4", "signature": "c2ln"}, {"type": "text", "text": "c5"},
                    {"type": "tool_use", "id": "toolu_6", "name": "f7", "input": {"a8": "b9"}}, {"type": "novel10", "field11": "x12"}],
        "usage": {"input_tokens": 1234567},
    });
    assert_covered(Protocol::AnthropicMessages, true, &reply);
    responses();
    other_protocols();
    for reply in [false, true] {
        let blocks = json!([{"type": "text", "text": "t1"}, {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "m2"}, {"type": "resource", "resource": {"uri": "u3", "blob": "AAECAw==", "text": "t4"}},
            {"type": "resource_link", "uri": "u5", "name": "n6"}, {"type": "novel7", "x8": ["y9"]}]);
        assert_covered(
            Protocol::Mcp,
            reply,
            &json!({"jsonrpc": "2.0", "id": "i1", "result": {"content": blocks, "structuredContent": {"k2": "v3"}, "contents": [{"uri": "u4", "text": "t5", "x6": "y7"}], "tools": [{"name": "n8", "description": "d9"}], "_meta": {"k10": 11}}}),
        );
        assert_covered(
            Protocol::Mcp,
            reply,
            &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "n1", "arguments": {"k2": ["v3", "{\"k4\": \"v5\"}"]}, "_meta": {"k6": "v7"}}, "x8": "y9"}),
        );
    }
    assert_covered(Protocol::Json, true, &json!({"data": [{"id": "m1", "owned_by": "o2"}]}));
}

fn other_protocols() {
    assert_covered(
        Protocol::OpenaiCompletions,
        false,
        &json!({"model": "m1", "prompt": ["p2", [3, 4]], "suffix": "s5", "stop": "s6", "unknown7": {"x8": 9.5}}),
    );
    assert_covered(
        Protocol::OpenaiCompletions,
        true,
        &json!({"id": "i1", "model": "m2", "choices": [{"index": 0, "text": "t3", "logprobs": {"tokens": ["k4"], "top_logprobs": [{"k5": -0.5}]}, "x6": "y7"}]}),
    );
    assert_covered(
        Protocol::OpenaiEmbeddings,
        false,
        &json!({"model": "m1", "input": ["i2", {"text": "t3"}], "unknown4": ["x5"]}),
    );
    assert_covered(
        Protocol::OpenaiEmbeddings,
        true,
        &json!({"object": "list", "data": [{"index": 0, "embedding": [0.25, 1.5], "x1": "y2"}, {"embedding": ["z3"]}], "model": "m4", "usage": {"n5": 6}}),
    );
    let gemini = json!({
        "systemInstruction": {"parts": [{"text": "s1"}]}, "cachedContent": "c2", "labels": {"k3": "v4"}, "unknown5": ["x6"],
        "contents": [{"role": "user", "unknown7": "x8", "parts": [
            {"text": "t9"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo=", "displayName": "d10"}},
            {"fileData": {"fileUri": "u11"}}, {"functionResponse": {"id": "i12", "name": "n13", "response": {"k14": ["v15", 16]}}},
            {"functionCall": {"name": "n17", "args": {"k18": {"v19": "w20"}}}}, {"executableCode": {"language": "L21", "code": "c22"}},
            {"codeExecutionResult": {"outcome": "O23", "output": "o24"}}, {"novel25": {"x26": "y27"}},
            {"text": "t28", "thought": true, "thoughtSignature": "iVBORw0KGgo="}]}],
        "tools": [{"functionDeclarations": [{"name": "f29", "description": "d30", "parameters": {"properties": {"p31": {"enum": ["e32"]}}}}]}, {"googleSearch": {"x33": "y34"}}],
        "generationConfig": {"responseSchema": {"title": "t35"}, "stopSequences": ["s36"], "x37": 38.5}});
    assert_covered(Protocol::Gemini, false, &gemini);
    assert_covered(
        Protocol::Gemini,
        true,
        &json!({"candidates": [{"index": 0, "content": {"parts": gemini["contents"][0]["parts"], "role": "model"}, "finishMessage": "f1", "groundingMetadata": {"webSearchQueries": ["q2"], "searchEntryPoint": {"renderedContent": "h3"}}, "logprobsResult": {"chosenCandidates": [{"token": "k4"}]}}], "promptFeedback": {"blockReason": "B5"}, "x6": "y7"}),
    );
    let blocks = json!([
        {"text": "t1"}, {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}, {"image": {"source": {"s3Location": {"uri": "u2", "bucketOwner": "b3"}}}},
        {"document": {"name": "n4", "context": "c5", "source": {"content": [{"text": "t6"}]}}}, {"guardContent": {"text": {"text": "t7", "qualifiers": ["q8"]}}},
        {"toolUse": {"toolUseId": "i9", "name": "n10", "input": {"k11": ["v12"]}}}, {"toolResult": {"toolUseId": "i9", "content": [{"json": {"k13": "v14"}}, {"text": "t15"}]}},
        {"reasoningContent": {"reasoningText": {"text": "t16", "signature": "iVBORw0KGgo="}}}, {"reasoningContent": {"redactedContent": "iVBORw0KGgo="}},
        {"citationsContent": {"content": [{"text": "t17"}], "citations": [{"title": "t18", "sourceContent": [{"text": "t19"}], "location": {"web": {"url": "u20"}}}]}},
        {"searchResult": {"source": "s21", "title": "t22", "content": [{"text": "t23"}]}}, {"cachePoint": {"type": "d24"}}, {"novel25": "x26"}]);
    assert_covered(
        Protocol::BedrockConverse,
        false,
        &json!({"system": [{"text": "s1"}], "messages": [{"role": "user", "content": blocks, "x27": "y28"}], "promptVariables": {"k29": {"text": "v30"}}, "requestMetadata": {"k31": "v32"},
            "toolConfig": {"tools": [{"toolSpec": {"name": "n33", "description": "d34", "inputSchema": {"json": {"k35": "v36"}}}}, {"systemTool": {"name": "n37"}}], "toolChoice": {"tool": {"name": "n38"}}}, "x39": ["y40"]}),
    );
    assert_covered(
        Protocol::BedrockConverse,
        true,
        &json!({"output": {"message": {"role": "assistant", "content": blocks}, "x1": "y2"}, "stopReason": "end_turn", "trace": {"k3": "v4"}, "usage": {"n5": 6}}),
    );
}

fn responses() {
    let responses = json!({
        "model": "m1", "instructions": "s2", "user": "u3", "metadata": {"k4": "v5"}, "unknown6": ["x7"], "previous_response_id": "resp_8",
        "text": {"format": {"type": "json_schema", "name": "n9", "schema": {"description": "d10"}}},
        "prompt": {"id": "pmpt_11", "variables": {"v12": "w13"}},
        "tools": [{"type": "function", "name": "t14", "parameters": {"properties": {"p15": {"description": "d16"}}}},
                  {"type": "mcp", "server_label": "l17", "server_url": "https://example.com/18", "headers": {"h19": "v20"}}],
        "input": [
            {"role": "user", "content": "c21"},
            {"role": "user", "content": [{"type": "input_text", "text": "c22"}, {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}, {"type": "novel23", "text": "c24"}]},
            {"type": "reasoning", "id": "rs_25", "summary": [{"type": "summary_text", "text": "r26"}], "encrypted_content": "ZW5j"},
            {"type": "function_call", "call_id": "c27", "name": "f28", "arguments": "{\"a29\": [30]}"},
            {"type": "function_call_output", "call_id": "c27", "output": "{\"r31\": \"s32\"}"},
            {"type": "computer_call", "call_id": "c33", "action": {"type": "type", "text": "t34"}, "pending_safety_checks": [{"id": "i35", "message": "m36"}]},
            {"type": "novel37", "field38": {"deep": "x39"}}],
    });
    assert_covered(Protocol::OpenaiResponses, false, &responses);
    let reply = json!({
        "id": "resp_1", "object": "response", "model": "m2", "status": "completed", "instructions": "i3", "error": {"code": "e4", "message": "m5"},
        "output": [
            {"type": "message", "id": "msg_6", "role": "assistant", "content": [
                {"type": "output_text", "text": "c7", "annotations": [{"type": "file_citation", "file_id": "file_8", "filename": "f9"}], "logprobs": [{"token": "tok10", "bytes": [11]}]},
                {"type": "refusal", "refusal": "r12"}]},
            {"type": "mcp_call", "name": "n13", "server_label": "s14", "arguments": "{\"a15\": 16}", "output": "o17", "error": null},
            {"type": "image_generation_call", "result": "iVBORw0KGgo=", "revised_prompt": "p18"},
            {"type": "novel19", "field20": "x21"}],
        "usage": {"total_tokens": 123456}, "unknown22": "x23",
    });
    assert_covered(Protocol::OpenaiResponses, true, &reply);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-z ]{0,12}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!("data:image/png;base64,iVBORw0KGgo=")),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "type",
            "text",
            "content",
            "role",
            "image_url",
            "url",
            "source",
            "data",
            "input",
            "name",
            "tool_calls",
            "function",
            "arguments",
            "file",
            "file_id",
            "parts",
            "inlineData",
            "functionCall",
            "functionResponse",
            "toolUse",
            "toolResult",
            "document",
            "bytes",
            "embedding",
            "prompt"
        ])
        .prop_map(str::to_owned),
        "[a-z/~]{1,6}",
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn whatever_is_forwarded_was_examined(part in any_json(), more in any_json()) {
        let role = |role: &str, content: Value| json!({"role": role, "content": content});
        for protocol in [Protocol::OpenaiChat, Protocol::OpenaiResponses, Protocol::AnthropicMessages] {
            for reply in [false, true] {
                for body in [
                    json!({"model": "m", "messages": [role("user", json!([part])), role("assistant", part.clone())], "x": more}),
                    json!({"model": "m", "choices": [{"index": 0, "message": part}], "content": [part], "x": more}),
                    json!({"model": "m", "messages": [{"role": "user", "content": "q", "x": part}], "tools": [more]}),
                    json!({"model": "m", "input": [part], "output": [part], "instructions": more}),
                    json!({"model": "m", "input": [role("user", json!([part]))], "output": [role("assistant", json!([part]))], "x": more}),
                ] {
                    is_covered(protocol, reply, &body);
                }
            }
        }
        for reply in [false, true] {
            is_covered(Protocol::OpenaiCompletions, reply, &json!({"prompt": part, "choices": [{"text": "t", "x": part}], "y": more}));
            is_covered(Protocol::OpenaiEmbeddings, reply, &json!({"input": [part], "data": [{"embedding": part}, part], "y": more}));
            let turn = |parts: &Value| json!({"role": "user", "parts": [parts], "x": more});
            is_covered(Protocol::Gemini, reply, &json!({"contents": [turn(&part)], "candidates": [{"content": turn(&part), "x": more}], "tools": [more]}));
            let turn = |blocks: &Value| json!({"role": "user", "content": [blocks], "x": more});
            is_covered(Protocol::BedrockConverse, reply, &json!({"messages": [turn(&part)], "output": {"message": turn(&part)}, "system": [more], "x": more}));
        }
    }
}
