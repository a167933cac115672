//! Agent policies on past traffic: what another policy would have decided, and what is proposed of what people marked.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::evidence::Keys;
use crate::http::{reply, send, serve};
use crate::support::Gateway;

const CHAT: &str = "/v1/chat/completions";
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const THEN: &str = "[calls]\nmove_ticket = { ticket_id = \"ref\" }\n";
const RUNS: &str = include_str!("../../../../conformance/agents/reviewed.jsonl");

/// Runs the program in a folder; exit code, standard output, standard error.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

/// A model that moves the ticket that was listed, and says good day where no ticket was.
fn upstream() -> String {
    serve(|request, socket| {
        let request: Value = serde_json::from_slice(&request).unwrap_or_default();
        let arguments = "{\"ticket_id\":\"4100\",\"queue\":\"printing\"}";
        let call = json!({"index": 0, "id": "c2", "type": "function", "function": {"name": "move_ticket", "arguments": arguments}});
        let calls = request["messages"].as_array().is_some_and(|all| all.len() > 2);
        if request["stream"] == true {
            use std::io::Write as _;
            let chunk = |delta: Value, finish: Value| {
                let chunk = json!({"id": "i", "object": "chat.completion.chunk", "model": "m",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
                format!("data: {chunk}\n\n")
            };
            let body = chunk(json!({"tool_calls": [call]}), Value::Null) + &chunk(json!({}), json!("tool_calls"));
            let _ = socket.write_all(format!("{STREAM_HEAD}{body}data: [DONE]\n\n").as_bytes());
            return;
        }
        let message = if calls {
            json!({"role": "assistant", "content": null, "tool_calls": [call]})
        } else {
            json!({"role": "assistant", "content": "Good day."})
        };
        let body = json!({"id": "i", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": if calls { "tool_calls" } else { "stop" }}]});
        reply(socket, "application/json", &body.to_string());
    })
}

fn ask(week: usize, stream: bool) -> Vec<u8> {
    let tool = |name: &str, args: &[&str]| {
        let all: serde_json::Map<String, Value> =
            args.iter().map(|a| ((*a).to_owned(), json!({"type": "string"}))).collect();
        json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": all}}})
    };
    let listed = json!([{"id": "4100", "subject": "The copier jams", "body": "It has been like this since last week, have a look when you can."}]);
    let made = json!({"id": "c1", "type": "function", "function": {"name": "list_tickets", "arguments": "{}"}});
    json!({"model": "m", "stream": stream, "tools": [tool("list_tickets", &[]), tool("move_ticket", &["ticket_id", "queue"])], "messages": [
        {"role": "user", "content": format!("Move all open tickets of week {week} to the queue printing.")},
        {"role": "assistant", "content": null, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c1", "content": listed.to_string()},
    ]})
    .to_string()
    .into_bytes()
}

fn event_of(head: &str) -> String {
    let line = head.lines().find_map(|l| l.strip_prefix("x-bartizan-event: ")).expect("the reply names its event");
    line.trim().to_owned()
}

fn records(folder: &Path, deed: &str) -> Vec<Value> {
    let (code, text, errors) = run(folder, &["report", "export", "--format", "jsonl"]);
    assert_eq!(code, Some(0), "{errors}");
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    all.filter(|record| record["deed"] == deed).collect()
}

#[test]
fn recorded_calls_are_decided_by_another_policy_and_lines_are_learned_from_what_people_marked() {
    let keys = Keys::make("");
    let gateway = Gateway::start(&upstream(), &keys.config);
    let at = gateway.folder().to_owned();
    std::fs::write(at.join("then.toml"), THEN).expect("written");
    let mut events = Vec::new();
    for week in 0..6 {
        let answer = send(&gateway.origin, "POST", CHAT, &[], &ask(week, week == 1));
        assert!(answer.text().contains("waits for the approval"), "{}", answer.text());
        events.push(event_of(&answer.head));
    }
    send(&gateway.origin, "POST", CHAT, &[], br#"{"model": "m", "messages": [{"role": "user", "content": "hi"}]}"#);
    let role = format!("file:{}", keys.path("privacy.key"));
    let opened = |command: &[&str], more: &[&str]| {
        let mut args = command.to_vec();
        args.extend(["--role-key", &role, "--reason", "ticket 7"]);
        args.extend(more);
        run(&at, &args)
    };

    let (code, out, errors) = opened(&["policy", "replay", "then.toml"], &[]);
    assert_eq!(code, Some(0), "{out}{errors}");
    assert!(out.contains("approvals: 6 -> 0 in 6 tasks, 0 -> 6 of them without any"), "{out}");
    assert!(out.contains("6 calls of 6 runs: 6 loosened, 0 tightened"), "{out}");
    assert!(out.contains("move_ticket: hold -> allow"), "{out}");
    assert!(out.contains("/ticket_id <- ref (list_tickets /0/id)"), "{out}");
    assert!(!out.contains("4100") && !out.contains("on record"), "no content, and decided as it was: {out}");
    let replay = |more: &[&str]| opened(&["policy", "replay", "then.toml", "--format", "json"], more);
    let (code, out, _) = replay(&["--fail-on", "loosened"]);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (code, &json["tools"][0]["decisions"]),
        (Some(1), &json!([{"now": "hold", "then": "allow", "calls": 6}]))
    );
    assert_eq!((replay(&["--fail-on", "tightened"]).0, replay(&["--fail-on", "any"]).0), (Some(0), Some(1)));
    // The other way round the same calls are tightened.
    std::fs::write(at.join("none.toml"), "").expect("written");
    let back = opened(&["policy", "replay", "none.toml", "--now", "then.toml"], &["--fail-on", "tightened"]);
    assert!(back.0 == Some(1) && back.1.contains("0 loosened, 6 tightened"), "{}", back.1);
    assert!(opened(&["policy", "replay", "then.toml"], &["--tenant", "acme"]).1.contains("0 calls of 0 runs"));

    // Without a role, a reason or recordings nothing is opened.
    assert_eq!(run(&at, &["policy", "replay", "then.toml"]).0, Some(2));
    assert_eq!(run(&at, &["policy", "replay", "then.toml", "--role-key", &role, "--reason", " "]).0, Some(2));
    let other = format!("file:{}", keys.path("master.key"));
    assert_eq!(run(&at, &["policy", "replay", "then.toml", "--role-key", &other, "--reason", "x"]).0, Some(2));
    let acts = records(&at, "hunted");
    let subjects: Vec<&str> = acts.iter().filter_map(|act| act["subject"].as_str()).collect();
    assert_eq!((subjects.len(), subjects[0]), (12, "policy replay"));
    assert_eq!((&acts[0]["detail"]["step"], &acts[0]["detail"]["role"]), (&json!("begun"), &json!("privacy")));
    assert_eq!((&acts[1]["detail"]["calls"], &acts[1]["reason"]), (&json!("6"), &json!("ticket 7")));

    // Nothing is learned before a person has said what the calls were.
    let learn = |more: &[&str]| opened(&["policy", "learn", "--min-calls", "2", "--min-tasks", "2"], more);
    let (code, out, errors) = learn(&[]);
    assert!(code == Some(0) && out.contains("No line is proposed"), "{out}{errors}");
    for event in &events {
        let (code, out, errors) = run(&at, &["mark", event, "false", "--reason", "asked the desk"]);
        assert!(code == Some(0) && out.contains("`tool/calls`"), "{out}{errors}");
    }
    let (_, out, errors) = learn(&[]);
    assert!(out.contains("move_ticket = { ticket_id = \"ref\" }"), "{out}{errors}");
    assert!(out.contains("NO ATTACK WAS AMONG") && !out.contains("4100"), "{out}");
    // One of them was an attack after all: the line would let it pass.
    run(&at, &["mark", &events[5], "true", "--reason", "it was not the desk"]);
    let (_, out, _) = learn(&[]);
    assert!(!out.lines().any(|line| line.starts_with("move_ticket")), "{out}");
    assert_eq!(records(&at, "hunted").len(), 18);
}

#[test]
fn runs_are_replayed_and_learned_from_without_a_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("runs.jsonl"), RUNS).expect("written");
    let (code, out, errors) = run(at, &["policy", "learn", "runs.jsonl"]);
    assert_eq!(code, Some(0), "{errors}");
    std::fs::write(at.join("proposed.toml"), &out).expect("written");
    assert!(out.starts_with("# Proposed by `bartizan policy learn`"), "{out}");
    let (code, checked, _) = run(at, &["policy", "check", "proposed.toml", "--tools", "runs.jsonl"]);
    assert!(code == Some(0) && checked.contains("0 to look at"), "{checked}");
    let json: Value =
        serde_json::from_str(&run(at, &["policy", "learn", "runs.jsonl", "--format", "json"]).1).expect("JSON");
    assert_eq!(json["held_out"]["stopped"]["then"], json["held_out"]["attacks"]);
    assert_eq!(json["policy"], out);
    assert!(json["lines"].as_array().is_some_and(|lines| lines.len() == 5), "{json}");

    let replay = |more: &[&str]| {
        let mut args = vec!["policy", "replay", "proposed.toml", "runs.jsonl"];
        args.extend(more);
        run(at, &args)
    };
    let (code, out, errors) = replay(&["--fail-on", "tightened"]);
    assert!(code == Some(0) && out.contains(" 0 tightened"), "{out}{errors}");
    assert_eq!(replay(&["--fail-on", "loosened"]).0, Some(1));
    assert_eq!(replay(&["--fail-on", "any", "--now", "proposed.toml"]).0, Some(0));
    // What no person has reviewed is not learned from, and what is no policy is said.
    std::fs::write(at.join("bare.jsonl"), RUNS.replace("\"label\":\"benign\"", "\"label\":null")).expect("written");
    let (_, out, errors) = run(at, &["policy", "learn", "bare.jsonl"]);
    assert!(out.contains("No line is proposed") && errors.contains("40 runs have no label"), "{out}{errors}");
    std::fs::write(at.join("bad.toml"), "[calls]\nmove_ticket = { ticket = \"user\" }\n").expect("written");
    let (code, _, errors) = run(at, &["policy", "replay", "bad.toml", "runs.jsonl"]);
    assert!(code == Some(2) && errors.contains("bad.toml:2:26"), "{errors}");
    let (code, out, _) = run(at, &["policy", "check", "bad.toml"]);
    assert!(code == Some(0) && out.contains("well-formed"), "{out}");
    std::fs::write(at.join("twice.toml"), "open = [\"a\", \"a\"]\n").expect("written");
    let (code, out, _) = run(at, &["policy", "check", "twice.toml"]);
    assert!(code == Some(1) && out.contains("twice.toml:1:14: `a` is in this list already"), "{out}");
}
