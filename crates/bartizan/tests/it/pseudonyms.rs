//! Pseudonyms through the gateway, the check APIs and the command line.

use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{reply, send, serve};
use crate::support::Gateway;

const MAIL: &str = "ann.lee@acme-mail.com";

const CONFIG: &str = "
[record]
master_key = \"file:master.key\"
[[record.role]]
name = \"privacy\"
key_sha256 = \"ROLE\"
[[policy.operator]]
entity = \"CREDIT_CARD\"
operator = \"encrypt\"
[[policy.operator]]
rule = \"pii/*\"
operator = \"pseudonym\"
";

/// An upstream that says what it was told, and remembers it.
fn echo() -> (String, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let remember = Arc::clone(&seen);
    let origin = serve(move |body, socket| {
        remember.lock().expect("no panic").push(String::from_utf8_lossy(&body).into_owned());
        let asked: Value = serde_json::from_slice(&body).expect("JSON");
        let last = asked["messages"].as_array().and_then(|m| m.last()).expect("a message");
        let said = format!("You said: {}", last["content"].as_str().expect("a text"));
        let anthropic = !asked["max_tokens"].is_null();
        if asked["stream"] != true {
            let whole = if anthropic {
                json!({"id": "i", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": said}], "stop_reason": "end_turn", "usage": {}})
            } else {
                json!({"id": "i", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]})
            };
            return reply(socket, "application/json", &whole.to_string());
        }
        let letters: Vec<char> = said.chars().collect();
        let chunk = |delta: Value, finish: Value| {
            let chunk = json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
            format!("data: {chunk}\n\n")
        };
        let pieces = letters.chunks(3).map(|c| chunk(json!({"content": c.iter().collect::<String>()}), Value::Null));
        let stream: String = pieces.collect();
        reply(socket, "text/event-stream", &(stream + &chunk(json!({}), json!("stop")) + "data: [DONE]\n\n"));
    });
    (origin, seen)
}

fn program(folder: &std::path::Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_bartizan")).args(args).current_dir(folder).output().expect("it runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}

#[test]
fn pseudonyms_go_out_and_values_come_back_also_after_a_restart() {
    let (upstream, seen) = echo();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("master.key"), "k".repeat(40)).expect("it is written");
    let role = program(folder.path(), &["record", "role", "privacy", "role.key"]);
    let sum = role.split("key_sha256 = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a digest");
    std::fs::write(folder.path().join("bartizan.toml"), CONFIG.replace("ROLE", sum)).expect("it is written");
    let gateway = Gateway::again_in_front_of(folder, &upstream);
    let ask = |gateway: &Gateway, path: &str, headers: &[&str], body: &Value| {
        let reply = send(&gateway.origin, "POST", path, headers, body.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply
    };
    let text = format!("Write to {MAIL}, card 4111 1111 1111 1111.");
    let messages = json!([{"role": "user", "content": text}]);

    let whole = ask(&gateway, "/v1/chat/completions", &[], &json!({"model": "m", "messages": messages})).json();
    let said = whole["choices"][0]["message"]["content"].as_str().expect("a text").to_owned();
    assert!(said.starts_with(&format!("You said: Write to {MAIL}, card [CREDIT_CARD:enc:")), "{said}");
    let body = json!({"model": "m", "stream": true, "messages": messages});
    let stream = ask(&gateway, "/v1/chat/completions", &[], &body).text().to_string();
    let events = stream.lines().filter_map(|l| serde_json::from_str::<Value>(l.strip_prefix("data: ")?).ok());
    let streamed: String =
        events.filter_map(|e| e["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect();
    assert_eq!(streamed, said);
    let body = json!({"model": "m", "max_tokens": 50, "messages": messages});
    let whole = ask(&gateway, "/v1/messages", &["anthropic-version: 2023-06-01"], &body).json();
    assert_eq!(whole["content"][0]["text"], said.as_str());
    for body in seen.lock().expect("no panic").iter() {
        assert!(!body.contains(MAIL) && !body.contains("4111") && body.contains("<EMAIL_ADDRESS_"), "{body}");
    }

    // A session knows its pseudonyms after a restart, and another one does not.
    let session = |name: &str| format!("x-bartizan-session: {name}");
    let talk = |gateway: &Gateway, name: &str, content: &str| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        let whole = ask(gateway, "/v1/chat/completions", &[&session(name)], &body).json();
        whole["choices"][0]["message"]["content"].as_str().expect("a text").to_owned()
    };
    talk(&gateway, "one", &format!("Write to {MAIL}"));
    let told = seen.lock().expect("no panic").last().expect("a body").clone();
    let name = format!("<EMAIL_ADDRESS_{}", told.split("<EMAIL_ADDRESS_").nth(1).expect("a pseudonym"));
    let name = format!("{}>", name.split('>').next().expect("an end"));
    let folder = gateway.kill();
    let gateway = Gateway::again_in_front_of(folder, &upstream);
    assert_eq!(talk(&gateway, "one", &format!("Who is {name}?")), format!("You said: Who is {MAIL}?"));
    assert_eq!(talk(&gateway, "two", &format!("Who is {name}?")), format!("You said: Who is {name}?"));

    // What is encrypted opens for a role with a reason.
    let token = said.split(' ').next_back().expect("a token").trim_end_matches('.');
    let open = ["record", "reveal", token, "--reason", "ticket 7", "--role-key", "file:role.key"];
    assert_eq!(program(gateway.folder(), &open), "4111 1111 1111 1111\n");
}

#[test]
fn a_check_api_gives_pseudonyms_and_takes_them_back() {
    let config = "[check_api]\nstandalone = true\n[[policy.operator]]\nrule = \"pii/*\"\noperator = \"pseudonym\"\n";
    let gateway = Gateway::configured(config);
    let ask = |kind: &str, trace: &str, text: &str| {
        let body = json!({"input_type": kind, "texts": [text], "litellm_trace_id": trace, "request_data": {}});
        let path = "/beta/litellm_basic_guardrail_api";
        send(&gateway.origin, "POST", path, &[], body.to_string().as_bytes()).json()
    };
    let masked = ask("request", "t1", &format!("Write to {MAIL}"));
    let text = masked["texts"][0].as_str().expect("a text");
    assert!(text.starts_with("Write to <EMAIL_ADDRESS_"), "{masked}");
    let back = ask("response", "t1", &format!("Done: {text}"));
    assert_eq!(back["texts"][0], format!("Done: Write to {MAIL}"));
    assert_eq!(ask("response", "t2", &format!("Done: {text}"))["action"], "NONE");
    // A stream so far: what may still become a pseudonym is held back.
    let back = ask("response", "t1", &text[..text.len() - 4]);
    assert_eq!(back["stream_holdback_chars"][0], text.len() - 4 - "Write to ".len());
}
