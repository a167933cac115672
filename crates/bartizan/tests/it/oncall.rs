//! What people on call do: cut off, mark, except, hunt.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::evidence::Keys;
use crate::http::{Reply, reply, send, serve};
use crate::support::Gateway;

const CHAT: &str = "/v1/chat/completions";
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

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

/// The same where it has to succeed; answers with standard output.
fn done(folder: &Path, args: &[&str]) -> String {
    let (code, out, errors) = run(folder, args);
    assert_eq!(code, Some(0), "{args:?}\n{out}{errors}");
    out
}

/// Runs `contain` and answers with the id.
fn contain(folder: &Path, args: &[&str]) -> String {
    let mut all = vec!["contain"];
    all.extend(args);
    all.extend(["--reason", "ticket 7"]);
    let out = done(folder, &all);
    out.trim().rsplit(' ').next().expect("an id").to_owned()
}

/// A model that calls the tool that the user names, whole or in a stream; else it says good day.
fn upstream() -> String {
    serve(|request, socket| {
        let request: Value = serde_json::from_slice(&request).unwrap_or_default();
        let asked = request["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        let tool = asked.strip_prefix("call ");
        let function = |name: &str| json!({"name": name, "arguments": "{\"to\": \"x\"}"});
        if request["stream"] != true {
            let message = match tool {
                Some(name) => json!({"role": "assistant", "content": null,
                    "tool_calls": [{"id": "c1", "type": "function", "function": function(name)}]}),
                None => json!({"role": "assistant", "content": "Good day."}),
            };
            let body = json!({"id": "i", "object": "chat.completion", "model": "real-model",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
            return reply(socket, "application/json", &body.to_string());
        }
        let _ = socket.write_all(STREAM_HEAD.as_bytes());
        let mut write = |delta: Value, finish: Option<&str>| {
            let chunk = json!({"id": "i", "object": "chat.completion.chunk", "model": "real-model",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
            socket.write_all(format!("data: {chunk}\n\n").as_bytes()).is_ok()
        };
        match tool {
            Some(name) => {
                let call = json!({"index": 0, "id": "c1", "type": "function", "function": function(name)});
                write(json!({"tool_calls": [call]}), None);
                write(json!({}), Some("tool_calls"));
            }
            None => {
                write(json!({"content": "Good day. "}), None);
                // Until the caller is gone.
                if asked == "talk" {
                    while write(json!({"content": "More words. "}), None) {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            }
        }
    })
}

fn body(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

fn post(gateway: &Gateway, headers: &[&str], body: &Value) -> Reply {
    send(&gateway.origin, "POST", CHAT, headers, body.to_string().as_bytes())
}

/// Waits until something holds; says how long it took.
fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} does not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

fn records(folder: &Path) -> Vec<Value> {
    let text = done(folder, &["report", "export", "--format", "jsonl"]);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_is_cut_off_is_refused_within_a_second_until_it_is_let_back_in() {
    let clients = "[[client]]\nname = \"ci\"\nkey = \"env:CI_KEY\"\n[[client]]\nname = \"other\"\nkey = \"env:OTHER_KEY\"\n\
        [[client]]\nname = \"foreign\"\nkey = \"env:FOREIGN_KEY\"\ntenant = \"acme\"\n";
    let config = format!("[[upstream]]\nname = \"u\"\nurl = \"{}/v1\"\n{clients}", upstream());
    let variables = [
        ("CI_KEY", "0123456789abcdef-ci"),
        ("OTHER_KEY", "0123456789abcdef-other"),
        ("FOREIGN_KEY", "0123456789abcdef-f"),
    ];
    let gateway = Gateway::with_variables(&config, &variables);
    let at = gateway.folder().to_owned();
    let (ci, header) = ("Authorization: Bearer 0123456789abcdef-ci", "X-Api-Key: 0123456789abcdef-ci");
    let other = "Authorization: Bearer 0123456789abcdef-other";
    let foreign = "Authorization: Bearer 0123456789abcdef-f";
    assert_eq!(post(&gateway, &[ci], &body("hi")).status, 200);

    let id = contain(&at, &["key", "ci", "--ttl", "2h"]);
    let took = until("the refusal", || post(&gateway, &[ci], &body("hi")).status == 403);
    assert!(took < Duration::from_secs(2), "{took:?}");
    let refusal = post(&gateway, &[header], &body("hi"));
    assert_eq!(refusal.json()["error"]["code"], "permission_denied");
    let event = refusal.json()["error"]["event_id"].as_str().expect("an event id").to_owned();
    let anthropic = send(&gateway.origin, "POST", "/v1/messages", &[header], b"{}");
    assert_eq!((anthropic.status, anthropic.json()["error"]["type"].as_str()), (403, Some("permission_error")));
    let check = send(&gateway.origin, "POST", "/v2/guard", &[ci], body("hi").to_string().as_bytes());
    assert_eq!(check.json()["flagged"], true, "{}", check.text());
    assert_eq!(post(&gateway, &[other], &body("hi")).status, 200);
    let record = records(&at).into_iter().find(|r| r["id"] == *event).expect("the refusal is on record");
    assert_eq!(
        (&record["verdict"], &record["key"], &record["contained"]),
        (&json!("deny"), &json!("ci"), &json!([id]))
    );

    // Another tenant can neither see nor end it, and its own are nothing to this one.
    let (code, _, errors) = run(&at, &["contain", "release", &id, "--tenant", "acme", "--reason", "x"]);
    assert!(code == Some(2) && errors.contains("nothing of tenant `acme`"), "{errors}");
    assert!(done(&at, &["contain", "list", "--tenant", "acme"]).contains("nothing of the tenant"));
    contain(&at, &["key", "other", "--ttl", "2h", "--tenant", "acme"]);
    let said = done(&at, &["contain", "tenant", "acme", "--ttl", "2h", "--reason", "ticket 7"]);
    assert!(said.contains("bartizan contain release --tenant acme --reason WHY "), "{said}");
    until("the tenant's end", || post(&gateway, &[foreign], &body("hi")).status == 403);
    assert_eq!(post(&gateway, &[other], &body("hi")).status, 200);

    // It is still cut off after a restart, and by its time it is not any more.
    let short = contain(&at, &["model", "m", "--ttl", "3s"]);
    assert!(done(&at, &["contain", "list"]).contains(&short));
    until("the model's end", || post(&gateway, &[other], &body("hi")).status == 403);
    until("its return", || post(&gateway, &[other], &body("hi")).status == 200);
    assert_eq!(post(&gateway, &[ci], &body("hi")).status, 403);
    until("the record of it", || {
        records(&at).iter().any(|r| {
            r["deed"] == "released"
                && r["actor"] == "bartizan"
                && r["subject"] == "model:m"
                && r["detail"]["id"] == *short
        })
    });
    done(&at, &["contain", "release", &id, "--reason", "false alarm"]);
    until("the key's return", || post(&gateway, &[ci], &body("hi")).status == 200);
    let acts: Vec<Value> = records(&at).into_iter().filter(|r| r["subject"] == "key:ci").collect();
    let deeds: Vec<&str> = acts.iter().filter_map(|r| r["deed"].as_str()).collect();
    assert_eq!(deeds, ["contained", "released"]);
    assert_eq!(acts[0]["reason"], "ticket 7");
}

#[test]
fn a_tool_that_is_cut_off_is_offered_answered_for_and_called_by_nobody() {
    let gateway = Gateway::start(&upstream(), "mode = \"monitor\"\n");
    let at = gateway.folder().to_owned();
    let streamed = |text: &str| {
        let mut body = body(text);
        body["stream"] = json!(true);
        post(&gateway, &[], &body).text()
    };
    assert!(post(&gateway, &[], &body("call Send_Email")).text().contains("Send_Email"));
    contain(&at, &["tool", "send_email", "--ttl", "2h"]);
    until("the block", || !post(&gateway, &[], &body("call Send_Email")).text().contains("Send_Email"));
    let stream = streamed("call Send_Email");
    assert!(!stream.contains("arguments") && stream.contains("blocked by policy"), "{stream}");
    assert!(streamed("call other_tool").contains("other_tool"));
    let mut offer = body("hi");
    offer["tools"] = json!([{"type": "function", "function": {"name": "ＳＥＮＤ_email"}}]);
    assert_eq!(post(&gateway, &[], &offer).status, 403);

    // Without a gateway it is known from the store, and `check` says so.
    let folder = gateway.kill();
    let conversation = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "tool_calls":
        [{"id": "c1", "type": "function", "function": {"name": "send_email", "arguments": "{}"}}]}]);
    std::fs::write(folder.path().join("talk.json"), conversation.to_string()).expect("written");
    let (code, out, errors) = run(folder.path(), &["check", "talk.json"]);
    assert!(code == Some(1) && out.contains("cut off"), "{out}{errors}");
    let gateway = Gateway::again_in_front_of(folder, &upstream());
    assert_eq!(post(&gateway, &[], &offer).status, 403, "it lasts over a restart");
}

#[test]
fn a_stream_ends_when_its_model_is_cut_off() {
    let gateway = Gateway::start(&upstream(), "");
    let at = gateway.folder().to_owned();
    let mut talk = body("talk");
    talk["stream"] = json!(true);
    let text = std::thread::scope(|scope| {
        let stream = scope.spawn(|| post(&gateway, &[], &talk).text());
        std::thread::sleep(Duration::from_millis(300));
        contain(&at, &["model", "real-model", "--ttl", "2h"]);
        stream.join().expect("it ends")
    });
    assert!(text.contains("More words") && text.contains("blocked by policy"), "{text}");
}

/// The record of a decision in which this rule fired.
fn fired(folder: &Path, rule: &str) -> Value {
    records(folder).into_iter().find(|r| !r["rules"][rule].is_null()).expect("the rule fired")
}

fn day(from_now: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * from_now);
    at.to_string()[..10].to_owned()
}

#[test]
fn what_people_say_of_findings_is_counted_listed_and_becomes_an_exception() {
    let gateway = Gateway::start(&upstream(), "");
    let at = gateway.folder().to_owned();
    assert_eq!(post(&gateway, &[], &body("write to joe.doe@example.org")).status, 200);
    let record = fired(&at, "pii/email");
    let event = record["id"].as_str().expect("an id").to_owned();
    done(&at, &["mark", &event, "true", "--reason", "looked at it"]);
    let proposed =
        done(&at, &["mark", &event, "false", "--rule", "pii/email", "--reason", "a \"public\" address", "--propose"]);

    for args in [
        &["mark", "nothing", "true", "--reason", "x"][..],
        &["mark", &event, "true", "--rule", "pii/iban", "--reason", "x"],
        &["mark", &event, "true", "--tenant", "acme", "--reason", "x"],
        &["mark", &event, "true", "--reason", " "],
        &["mark", &event, "maybe", "--reason", "x"],
    ] {
        assert_eq!(run(&at, args).0, Some(2), "{args:?}");
    }
    // What was said last stands.
    let counts: Value = serde_json::from_str(&done(&at, &["report", "precision", "--format", "json"])).expect("JSON");
    assert_eq!(
        (&counts[0]["rule"], &counts[0]["true"], &counts[0]["false"]),
        (&json!("pii/email"), &json!(0), &json!(1))
    );
    assert_eq!(counts[0]["months"].as_object().map(serde_json::Map::len), Some(1));
    assert!(done(&at, &["report", "precision"]).contains("0.00 (0.00 to 0.79)"));
    assert_eq!(run(&at, &["report", "precision", "--tenant", "acme"]).0, Some(2), "there is no such tenant");
    let labels = done(&at, &["report", "labels", "--format", "jsonl"]);
    let label: Value = serde_json::from_str(labels.trim()).expect("one line");
    assert_eq!(
        (&label["event"], &label["rule"], &label["label"]),
        (&json!(event), &json!("pii/email"), &json!("false"))
    );
    assert!(!labels.contains("joe"), "content only by unsealing");

    // The proposal is a configuration, and covers what it is about.
    gateway.replace("bartizan.toml", &proposed);
    assert!(done(&at, &["config", "check"]).contains("can be used"));
    until("the exception", || {
        post(&gateway, &[], &body("write to joe.doe@example.org"));
        records(&at).iter().any(|r| r["exceptions"].is_object() && r["suppressed"] == 1 && r["verdict"] == "allow")
    });
    let marks: Vec<Value> = records(&at).into_iter().filter(|r| r["deed"] == "marked").collect();
    assert_eq!((marks.len(), &marks[0]["subject"], &marks[1]["detail"]["label"]), (2, &json!(event), &json!("false")));
    until("the record of it", || records(&at).iter().any(|r| r["deed"] == "exception-added"));
}

#[test]
fn exceptions_lapse_loudly_and_none_lasts_too_long() {
    let exception = |rule: &str, expires: &str| {
        format!("[[exception]]\nrule = \"{rule}\"\nreason = \"r\"\nowner = \"ann\"\nexpires = \"{expires}\"\n")
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (text, part) in [
        (exception("pii/email", &day(92)), "90 days at most"),
        (exception("pii/email", "soon"), "is no day"),
        (exception("pii/emial", &day(3)), "pii/emial"),
        (
            exception("pii/email", &day(3)) + "scope = { tenant = \"acme\" }\n[[tenant]]\nname = \"other\"\n",
            "not configured",
        ),
    ] {
        std::fs::write(folder.path().join("bartizan.toml"), &text).expect("written");
        let (code, _, errors) = run(folder.path(), &["config", "check"]);
        assert!(code == Some(2) && errors.contains(part), "{text}{errors}");
    }
    let config = exception("pii/email", &day(3)) + &exception("pii/iban", &day(-1));
    let mut gateway = Gateway::start(&upstream(), &config);
    let notes = done(gateway.folder(), &["config", "check"]);
    assert!(notes.contains("`pii/email` (owner ann) lapses in") && notes.contains("`pii/iban` (owner ann) has lapsed"));
    gateway.until("the warning", |gateway| gateway.log().contains("an exception has lapsed"));
    assert!((gateway.metric("bartizan_exceptions_lapsed_total") - 1.0).abs() < f64::EPSILON);
    post(&gateway, &[], &body("mail joe.doe@example.org about DE89 3704 0044 0532 0130 00"));
    let record = fired(gateway.folder(), "pii/iban");
    assert_eq!(
        (record["suppressed"].as_u64(), record["rules"].as_object().map(serde_json::Map::len)),
        (Some(1), Some(1))
    );
    let at = gateway.folder().to_owned();
    until("the record", || records(&at).iter().any(|r| r["deed"] == "exception-lapsed"));
    let mut gateway = Gateway::again_in_front_of(gateway.kill(), &upstream());
    gateway.until("the warning", |gateway| gateway.log().contains("an exception has lapsed"));
    std::thread::sleep(Duration::from_millis(600));
    let of = |deed: &str| records(gateway.folder()).iter().filter(|r| r["deed"] == deed).count();
    assert_eq!((of("exception-lapsed"), of("exception-added")), (1, 1), "once, whoever restarts");
}

#[test]
fn a_new_rule_is_hunted_in_what_is_recorded_and_that_is_on_record() {
    let keys = Keys::make("");
    let gateway = Gateway::start(&upstream(), &keys.config);
    post(&gateway, &[], &body("the codeword is heron-7731"));
    post(&gateway, &[], &body("nothing to see"));
    let at = gateway.folder().to_owned();
    let pack = "[[rule]]\nid = \"topic/codeword\"\nsummary = \"An agreed codeword\"\n\
                description = \"A codeword.\"\nseverity = \"high\"\nconfidence = \"high\"\ntype = \"CODEWORD\"\n\
                references = [\"CWE-200\"]\n\
                regex = 'heron-[0-9]{4}\\b'\nliterals = [\"heron-\"]\n\
                fire = [\"heron-{digit:4}\"]\nsilent = [\"a heron\"]\n";
    std::fs::write(at.join("pack.toml"), pack).expect("written");
    let key = format!("file:{}", keys.path("privacy.key"));
    let hunt = |more: &[&str]| {
        let mut args = vec!["hunt", "--role-key", &key];
        args.extend(more);
        run(&at, &args)
    };
    let (code, out, errors) = hunt(&["--pack", "pack.toml", "--reason", "ticket 7", "--format", "jsonl"]);
    assert_eq!(code, Some(1), "{out}{errors}");
    let lines: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[0]["findings"][0]["rule"]), (2, &json!("topic/codeword")));
    assert_eq!((&lines[1]["summary"]["findings"], &lines[1]["summary"]["exchanges"]), (&json!(1), &json!(2)));
    assert!(!out.contains("7731"), "no content unless it is asked for");
    let (_, out, _) = hunt(&["--pack", "pack.toml", "--reason", "ticket 7", "--show"]);
    assert!(out.contains("heron-7731"), "{out}");
    assert_eq!(hunt(&["pii/*", "--reason", "ticket 7"]).0, Some(0));
    assert_eq!(hunt(&["topic/none", "--reason", "x"]).0, Some(2));
    assert_eq!(hunt(&["pii/*", "--reason", " "]).0, Some(2));
    let (code, _, errors) = hunt(&["--pack", "pack.toml", "--reason", "x", "--tenant", "acme"]);
    assert!(code == Some(2) && errors.contains("the store has no tenant `acme`"), "{errors}");
    let (code, _, errors) =
        run(&at, &["hunt", "pii/*", "--reason", "x", "--role-key", &format!("file:{}", keys.path("master.key"))]);
    assert!(code == Some(2) && errors.contains("no role"), "{errors}");
    let acts: Vec<Value> = records(&at).into_iter().filter(|r| r["deed"] == "hunted").collect();
    assert_eq!(
        (acts.len(), &acts[0]["detail"]["step"], &acts[0]["subject"]),
        (6, &json!("begun"), &json!("topic/codeword"))
    );
    assert_eq!((&acts[1]["detail"]["findings"], &acts[1]["detail"]["role"]), (&json!("1"), &json!("privacy")));
    assert_eq!(acts[1]["detail"]["begun"], acts[0]["id"]);
}
