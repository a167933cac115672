//! One set of cases through every surface, with equal verdicts. See `conformance/README.md`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::checks;
use crate::envoy::Envoy;
use crate::http::{reply, send, serve};
use crate::support::Gateway;

struct Case {
    name: String,
    origin: String,
    text: String,
    verdict: String,
}

fn cases() -> Vec<Case> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("`{key}`")).to_owned();
    include_str!("../../../../conformance/cases.jsonl")
        .lines()
        .map(|line| {
            let case: Value = serde_json::from_str(line).expect("JSON lines");
            Case {
                name: text(&case, "name"),
                origin: text(&case, "origin"),
                text: text(&case, "text"),
                verdict: text(&case, "verdict"),
            }
        })
        .collect()
}

/// `bartizan check --jsonl`: a verdict a line.
fn checked(lines: &[Value]) -> Vec<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .args(["check", "--jsonl"])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).expect("it reads"));
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    let verdicts = out
        .lines()
        .map(|line| {
            let answer: Value = serde_json::from_str(&line.expect("a line")).expect("JSON lines");
            answer["verdict"].as_str().expect("a verdict").to_owned()
        })
        .collect();
    writer.join().expect("all is written");
    assert!(child.wait().expect("it ends").success());
    verdicts
}

/// The conversation in which the text stands where its origin says.
fn openai(case: &Case) -> Vec<Value> {
    let ask = json!({"role": "user", "content": "Go on."});
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]});
    match case.origin.as_str() {
        "system" => vec![json!({"role": "system", "content": case.text}), ask],
        "tool" => vec![ask, call, json!({"role": "tool", "tool_call_id": "c1", "content": case.text})],
        "model" => vec![ask.clone(), json!({"role": "assistant", "content": case.text}), ask],
        _ => vec![json!({"role": "user", "content": case.text})],
    }
}

fn anthropic(case: &Case) -> Value {
    let ask = json!({"role": "user", "content": "Go on."});
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {}}]});
    let messages = match case.origin.as_str() {
        "system" => json!([ask]),
        "tool" => {
            json!([ask, call, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": case.text}]}])
        }
        _ => json!([{"role": "user", "content": case.text}]),
    };
    let mut body = json!({"model": "m", "max_tokens": 5, "messages": messages});
    if case.origin == "system" {
        body["system"] = json!(case.text);
    }
    body
}

fn gemini(case: &Case) -> Value {
    let turn = |role: &str, part: Value| json!({"role": role, "parts": [part]});
    let ask = turn("user", json!({"text": "Go on."}));
    let call = turn("model", json!({"functionCall": {"id": "c1", "name": "look", "args": {}}}));
    let result = |text: &str| json!({"functionResponse": {"id": "c1", "name": "look", "response": {"result": text}}});
    let contents = match case.origin.as_str() {
        "system" => json!([ask]),
        "tool" => json!([ask, call, turn("user", result(&case.text))]),
        "model" => json!([ask.clone(), turn("model", json!({"text": case.text})), ask]),
        _ => json!([turn("user", json!({"text": case.text}))]),
    };
    let mut body = json!({"contents": contents});
    if case.origin == "system" {
        body["systemInstruction"] = json!({"parts": [{"text": case.text}]});
    }
    body
}

fn converse(case: &Case) -> Value {
    let turn = |role: &str, block: Value| json!({"role": role, "content": [block]});
    let ask = turn("user", json!({"text": "Go on."}));
    let call = turn("assistant", json!({"toolUse": {"toolUseId": "c1", "name": "look", "input": {}}}));
    let result = |text: &str| json!({"toolResult": {"toolUseId": "c1", "content": [{"text": text}]}});
    let messages = match case.origin.as_str() {
        "system" => json!([ask]),
        "tool" => json!([ask, call, turn("user", result(&case.text))]),
        "model" => json!([ask.clone(), turn("assistant", json!({"text": case.text})), ask]),
        _ => json!([turn("user", json!({"text": case.text}))]),
    };
    let mut body = json!({"messages": messages});
    if case.origin == "system" {
        body["system"] = json!([{"text": case.text}]);
    }
    body
}

const GEMINI: &str = "/v1beta/models/m:generateContent";
const GEMINI_STREAM: &str = "/v1beta/models/m:streamGenerateContent?alt=sse";
const CONVERSE: &str = "/model/m/converse";

/// Requests of the protocols besides chat and messages in which the text can stand.
fn other_requests(case: &Case) -> Vec<(&'static str, Value)> {
    let mut all = vec![(GEMINI, gemini(case)), (CONVERSE, converse(case))];
    if case.origin == "user" {
        all.push(("/v1/completions", json!({"model": "m", "prompt": case.text})));
        all.push(("/v1/embeddings", json!({"model": "m", "input": [case.text], "input_type": "query"})));
        all.push((
            "/openai/deployments/m/chat/completions?api-version=2024-10-21",
            json!({"messages": [{"role": "user", "content": case.text}]}),
        ));
        all.push(("/v1/messages/count_tokens", anthropic(case)));
    }
    all
}

/// Whole replies of the same in which a model says the text.
fn other_replies(case: &Case) -> Vec<(&'static str, Value, Value)> {
    let ask = Case { name: String::new(), origin: "user".into(), text: "Go on.".into(), verdict: String::new() };
    vec![
        (
            "/v1/completions",
            json!({"model": "m", "prompt": "Go on."}),
            json!({"id": "i", "object": "text_completion", "choices": [{"index": 0, "text": case.text, "finish_reason": "stop"}]}),
        ),
        (
            GEMINI,
            gemini(&ask),
            json!({"candidates": [{"content": {"parts": [{"text": case.text}], "role": "model"}, "finishReason": "STOP"}]}),
        ),
        (
            CONVERSE,
            converse(&ask),
            json!({"output": {"message": {"role": "assistant", "content": [{"text": case.text}]}}, "stopReason": "end_turn"}),
        ),
    ]
}

/// An event of a stream that says a text.
type Event = fn(&str) -> Value;

fn responses(case: &Case) -> Value {
    let ask = json!({"role": "user", "content": "Go on."});
    let call = json!({"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"});
    let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": case.text}]});
    let input = match case.origin.as_str() {
        "tool" => json!([ask, call, {"type": "function_call_output", "call_id": "c1", "output": case.text}]),
        "model" => json!([ask, said, ask]),
        "system" => json!([ask]),
        _ => json!(case.text),
    };
    let mut body = json!({"model": "m", "input": input});
    if case.origin == "system" {
        body["instructions"] = json!(case.text);
    }
    body
}

/// A reply of OpenAI Responses that says this.
fn response(text: &str) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": text, "annotations": []}]}]})
}

/// The events of the same reply, two letters each.
fn response_events(text: &str) -> String {
    let whole = response(text);
    let place = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
    let at = |kind: &str, key: &str, value: Value| {
        let mut event = place.clone();
        event["type"] = json!(kind);
        event[key] = value;
        event
    };
    let mut started = whole.clone();
    (started["status"], started["output"]) = (json!("in_progress"), json!([]));
    let mut item = whole["output"][0].clone();
    item["content"] = json!([]);
    let mut events = vec![
        json!({"type": "response.created", "response": started}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        at("response.content_part.added", "part", json!({"type": "output_text", "text": "", "annotations": []})),
    ];
    let letters: Vec<char> = text.chars().collect();
    let pieces = letters.chunks(2).map(|c| json!(c.iter().collect::<String>()));
    events.extend(pieces.map(|piece| at("response.output_text.delta", "delta", piece)));
    events.push(at("response.output_text.done", "text", json!(text)));
    events.push(at("response.content_part.done", "part", whole["output"][0]["content"][0].clone()));
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": whole["output"][0]}));
    events.push(json!({"type": "response.completed", "response": whole}));
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type"))
    });
    numbered.collect()
}

/// An upstream that remembers what it got and answers what it is told.
struct Upstream {
    origin: String,
    seen: Arc<Mutex<Vec<u8>>>,
    answer: Arc<Mutex<(&'static str, String)>>,
}

impl Upstream {
    fn start() -> Self {
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let answer = Arc::new(Mutex::new(("application/json", String::new())));
        let (remember, told) = (Arc::clone(&seen), Arc::clone(&answer));
        let origin = serve(move |body, socket| {
            *remember.lock().expect("no panic") = body;
            let (kind, text) = told.lock().expect("no panic").clone();
            reply(socket, kind, &text);
        });
        Self { origin, seen, answer }
    }

    fn say(&self, kind: &'static str, text: String) {
        *self.answer.lock().expect("no panic") = (kind, text);
    }
}

/// What a gateway did with a request, as a verdict.
fn request_verdict(origin: &str, upstream: &Upstream, path: &str, body: &Value) -> &'static str {
    let headers: &[&str] = if path == "/v1/messages" { &["anthropic-version: 2023-06-01"] } else { &[] };
    let body = body.to_string();
    let reply = send(origin, "POST", path, headers, body.as_bytes());
    match reply.status {
        400 => "deny",
        200 if *upstream.seen.lock().expect("no panic") == body.as_bytes() => "allow",
        200 => "redact",
        _ => panic!("{reply:?}"),
    }
}

#[test]
fn every_surface_gives_the_same_verdict() {
    let cases = cases();
    let bare: Vec<Value> = cases.iter().map(|c| json!({"id": c.name, "text": c.text, "origin": c.origin})).collect();
    let turns: Vec<Value> = cases.iter().map(|c| json!({"id": c.name, "messages": openai(c)})).collect();
    for (surface, verdicts) in [("check", checked(&bare)), ("check messages", checked(&turns))] {
        assert_eq!(verdicts.len(), cases.len());
        for (case, verdict) in cases.iter().zip(verdicts) {
            assert_eq!(verdict, case.verdict, "{} through {surface}", case.name);
        }
    }

    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream.origin, "");
    for case in &cases {
        for (surface, verdict) in checks::verdicts(&gateway.origin, &case.origin, &case.text, &openai(case)) {
            // Some APIs only say that something is wrong.
            let expected = if verdict == "flagged" && case.verdict != "allow" { "flagged" } else { &case.verdict };
            assert_eq!(verdict, expected, "{} through {surface}", case.name);
        }
        passed_on(case, &gateway.origin, &upstream);
    }
}

#[test]
fn envoy_with_the_gateway_beside_it_gives_the_same_verdicts() {
    let upstream = Upstream::start();
    let Some(envoy) = Envoy::start(&upstream.origin, "") else { return };
    for case in &cases() {
        passed_on(case, &envoy.origin, &upstream);
    }
}

/// A case in requests and replies of every protocol, through what passes them on at this address.
fn passed_on(case: &Case, origin: &str, upstream: &Upstream) {
    let harmless = json!({"role": "assistant", "content": "ok"});
    upstream.say(
        "application/json",
        json!({"id": "i", "model": "m", "choices": [{"index": 0, "message": harmless, "finish_reason": "stop"}]})
            .to_string(),
    );
    let body = json!({"model": "m", "messages": openai(case)});
    let verdict = request_verdict(origin, upstream, "/v1/chat/completions", &body);
    assert_eq!(verdict, case.verdict, "{} in an OpenAI request", case.name);
    // What they answer does not matter here.
    upstream.say("application/json", "{}".to_owned());
    for (path, body) in other_requests(case) {
        let verdict = request_verdict(origin, upstream, path, &body);
        assert_eq!(verdict, case.verdict, "{} in a request to {path}", case.name);
    }
    upstream.say("application/json", response("ok").to_string());
    let verdict = request_verdict(origin, upstream, "/v1/responses", &responses(case));
    assert_eq!(verdict, case.verdict, "{} in a Responses request", case.name);
    if case.origin == "model" {
        replies(case, origin, upstream);
        response_replies(case, origin, upstream);
        return;
    }
    upstream.say("application/json", json!({"id": "i", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn", "usage": {}}).to_string());
    let verdict = request_verdict(origin, upstream, "/v1/messages", &anthropic(case));
    assert_eq!(verdict, case.verdict, "{} in an Anthropic request", case.name);
}

fn replies(case: &Case, origin: &str, upstream: &Upstream) {
    let ask = json!({"model": "m", "messages": [{"role": "user", "content": "Go on."}]}).to_string();
    let message = json!({"role": "assistant", "content": case.text});
    let whole =
        json!({"id": "i", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    upstream.say("application/json", whole.to_string());
    let reply = send(origin, "POST", "/v1/chat/completions", &[], ask.as_bytes());
    let verdict = match reply.status {
        400 => "deny",
        _ if reply.body == whole.to_string().as_bytes() => "allow",
        _ => "redact",
    };
    assert_eq!(verdict, case.verdict, "{} in an OpenAI reply", case.name);

    for (path, ask, whole) in other_replies(case) {
        upstream.say("application/json", whole.to_string());
        let reply = send(origin, "POST", path, &[], ask.to_string().as_bytes());
        let verdict = match reply.status {
            400 => "deny",
            _ if reply.body == whole.to_string().as_bytes() => "allow",
            _ => "redact",
        };
        assert_eq!(verdict, case.verdict, "{} in a reply of {path}", case.name);
    }

    let letters: Vec<char> = case.text.chars().collect();
    let pieces: Vec<String> = letters.chunks(2).map(|c| c.iter().collect()).collect();
    let streams: [(&str, Value, Event, &str); 2] = [
        (
            "/v1/completions",
            json!({"model": "m", "prompt": "Go on.", "stream": true}),
            |text| json!({"id": "i", "choices": [{"index": 0, "text": text, "finish_reason": null}]}),
            "/choices/0/text",
        ),
        (
            GEMINI_STREAM,
            json!({"contents": [{"parts": [{"text": "Go on."}]}]}),
            |text| json!({"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}]}),
            "/candidates/0/content/parts/0/text",
        ),
    ];
    for (path, ask, event, place) in streams {
        let stream: String = pieces.iter().map(|p| format!("data: {}\n\n", event(p))).collect();
        upstream.say("text/event-stream", stream);
        let reply = send(origin, "POST", path, &[], ask.to_string().as_bytes()).text();
        let events = reply.lines().filter_map(|l| serde_json::from_str::<Value>(l.strip_prefix("data: ")?).ok());
        let said: String = events.filter_map(|e| e.pointer(place)?.as_str().map(str::to_owned)).collect();
        let verdict = match () {
            () if reply.contains("blocked by policy") => "deny",
            () if said == case.text => "allow",
            () => "redact",
        };
        assert_eq!(verdict, case.verdict, "{} in a stream of {path}: {said:?}", case.name);
    }

    let event = |delta: Value, finish: Value| {
        let chunk = json!({"id": "i", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut stream: String = pieces.iter().map(|piece| event(json!({"content": piece}), Value::Null)).collect();
    stream += &event(json!({}), json!("stop"));
    upstream.say("text/event-stream", stream + "data: [DONE]\n\n");
    let streamed = ask.replace("{\"messages\"", "{\"stream\":true,\"messages\"");
    let reply = send(origin, "POST", "/v1/chat/completions", &[], streamed.as_bytes()).text();
    let said: String = reply
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l.strip_prefix("data: ")?).ok())
        .filter_map(|c| c["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    let verdict = if reply.contains("content_policy_violation") {
        "deny"
    } else if said == case.text {
        "allow"
    } else {
        "redact"
    };
    assert_eq!(verdict, case.verdict, "{} in an OpenAI stream: {said:?}", case.name);
}

fn response_replies(case: &Case, origin: &str, upstream: &Upstream) {
    let ask = json!({"model": "m", "input": "Go on."}).to_string();
    let whole = response(&case.text).to_string();
    upstream.say("application/json", whole.clone());
    // The same is said of a response that was stored and is asked for later.
    for (method, path, body) in [("POST", "/v1/responses", ask.as_str()), ("GET", "/v1/responses/resp_1", "")] {
        let reply = send(origin, method, path, &[], body.as_bytes());
        let verdict = match reply.status {
            400 => "deny",
            _ if reply.body == whole.as_bytes() => "allow",
            _ => "redact",
        };
        assert_eq!(verdict, case.verdict, "{} in the reply to {method} {path}", case.name);
    }

    upstream.say("text/event-stream", response_events(&case.text));
    let streamed = ask.replace("{\"input\"", "{\"stream\":true,\"input\"");
    for (method, path, body) in
        [("POST", "/v1/responses", streamed.as_str()), ("GET", "/v1/responses/resp_1?stream=true", "")]
    {
        let reply = send(origin, method, path, &[], body.as_bytes()).text();
        let events: Vec<Value> =
            reply.lines().filter_map(|l| serde_json::from_str::<Value>(l.strip_prefix("data: ")?).ok()).collect();
        let said: String = events
            .iter()
            .filter(|e| e["type"] == "response.output_text.delta")
            .filter_map(|e| e["delta"].as_str().map(str::to_owned))
            .collect();
        let last = events.last().unwrap_or_else(|| panic!("{} {method} {path}: {reply}", case.name));
        let verdict = if reply.contains("content_policy_violation") {
            assert_eq!(last["type"], "response.failed");
            "deny"
        } else {
            assert_eq!(last["response"]["output"][0]["content"][0]["text"], said, "pieces and copies are one text");
            if said == case.text { "allow" } else { "redact" }
        };
        assert_eq!(verdict, case.verdict, "{} in the stream of {method} {path}: {said:?}", case.name);
    }
}
