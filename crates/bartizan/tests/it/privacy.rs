//! Protected text, from the corpus to the gateway.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::http::{reply, send, serve};
use crate::support::Gateway;

const RECORD: &str = "Patient 4471 came back on Tuesday because the wound on the left heel had opened again after the long \
    walk, and the nurse who dressed it wrote that he must not know about the second scan before his daughter arrives.";
const OTHER: &str =
    "The wound is better now. Patients should rest, keep the heel dry, and call the nurse when it opens.";

fn program(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan")).args(args).current_dir(folder).output().expect("it runs")
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A folder with an index and a configuration that names it.
fn protected() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is written");
    write("protect.key", &"k9".repeat(20));
    write("notes.jsonl", &format!("{}\n{}\n", json!({"id": 1, "note": "too short"}), json!({"id": 2, "note": RECORD})));
    write("bartizan.toml", "[[protected]]\nindex = \"notes.bzp\"\nkey = \"file:protect.key\"\n");
    let args = ["privacy", "protect", "build", "notes.jsonl", "-o", "notes.bzp", "--key", "file:protect.key"];
    let made = program(folder.path(), &args);
    assert!(made.status.success() && text(&made).contains("not protected: 1 record of"), "{}", text(&made));
    folder
}

/// An upstream that replies with the last message, three letters a chunk where it streams.
fn repeating() -> String {
    serve(|body, socket| {
        let asked: Value = serde_json::from_slice(&body).expect("JSON");
        let said = asked["messages"][0]["content"].as_str().expect("a text");
        if asked["stream"] != true {
            let message = json!({"role": "assistant", "content": said});
            let whole = json!({"id": "i", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
            return reply(socket, "application/json", &whole.to_string());
        }
        let letters: Vec<char> = said.chars().collect();
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            format!(
                "data: {}\n\n",
                json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})
            )
        };
        let pieces: String =
            letters.chunks(3).map(|c| chunk(json!({"content": c.iter().collect::<String>()}), Value::Null)).collect();
        reply(socket, "text/event-stream", &(pieces + &chunk(json!({}), json!("stop")) + "data: [DONE]\n\n"));
    })
}

#[test]
fn what_is_protected_does_not_get_out() {
    let folder = protected();
    let check = |text: &str| {
        std::fs::write(folder.path().join("reply.txt"), text).expect("it is written");
        program(folder.path(), &["check", "reply.txt", "--origin", "model"])
    };
    let leak = check(&format!("As the file says: {}", RECORD.to_uppercase().replace(' ', "  ")));
    assert!(leak.status.code() == Some(1) && text(&leak).contains("output/protected-text"), "{}", text(&leak));
    assert_eq!(check(OTHER).status.code(), Some(0));

    // An administrator learns which record it was; without the key nobody does.
    std::fs::write(folder.path().join("reply.txt"), format!("It says: {RECORD}")).expect("it is written");
    let find = ["privacy", "protect", "find", "notes.bzp", "reply.txt", "--key", "file:protect.key"];
    let found = program(folder.path(), &find);
    assert!(found.status.code() == Some(1) && text(&found).contains("notes.jsonl:2"), "{}", text(&found));
    std::fs::write(folder.path().join("wrong.key"), "w".repeat(40)).expect("it is written");
    let refused = program(folder.path(), &["privacy", "protect", "show", "notes.bzp", "--key", "file:wrong.key"]);
    assert!(
        refused.status.code() == Some(2) && text(&refused).contains("the key is not the one"),
        "{}",
        text(&refused)
    );

    let gateway = Gateway::again_in_front_of(folder, &repeating());
    let ask = |content: &str, stream: bool| {
        let body = json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": content}]});
        send(&gateway.origin, "POST", "/v1/chat/completions", &[], body.to_string().as_bytes())
    };
    let blocked = ask(RECORD, false);
    assert_eq!(blocked.status, 400, "{}", blocked.text());
    // The caller sees a block like any other.
    let said = blocked.text();
    assert_eq!(blocked.json()["error"]["code"], "content_policy_violation", "{said}");
    assert!(!said.contains("protected") && !said.contains("notes") && !said.contains("heel"), "{said}");
    assert_eq!(ask(OTHER, false).status, 200);

    let long = format!("{OTHER} {OTHER} Now the file. {RECORD}");
    let streamed = ask(&long, true).text();
    let out: String = streamed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert!(out.starts_with("The wound is better now."), "{streamed}");
    assert!(!out.contains("Patient 4471") && !out.contains("scan"), "{out}");
}

/// A model server that tells text only, and keeps the keys that it was shown.
fn telling(keys: &std::sync::Arc<std::sync::Mutex<Vec<String>>>) -> String {
    let keys = std::sync::Arc::clone(keys);
    crate::http::serve_heads(move |head, _, socket| {
        let key = head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization"));
        keys.lock().expect("keys").push(key.unwrap_or_default().to_owned());
        let choice = json!({"index": 0, "text": "and so on", "finish_reason": "stop"});
        reply(socket, "application/json", &json!({"id": "i", "model": "m", "choices": [choice]}).to_string())
    })
}

#[test]
fn what_was_not_measured_is_no_clean_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = std::sync::Arc::default();
    let url = format!("{}/v1", telling(&keys));
    std::fs::write(folder.path().join("own.key"), "the key of the target").expect("it is written");
    let line = |n: usize| json!({"text": format!("record {n} is far too short to be cut")}).to_string() + "\n";
    std::fs::write(folder.path().join("rows.jsonl"), (0..4).map(line).collect::<String>()).expect("it is written");
    std::fs::write(folder.path().join("held-out.jsonl"), (4..8).map(line).collect::<String>()).expect("it is written");
    let extract = |more: &[&str]| {
        let args = ["privacy", "extract", "rows.jsonl", "--target", &url, "--samples", "2"];
        program(folder.path(), &[&args[..], more].concat())
    };
    let short = extract(&[]);
    let said = text(&short);
    assert!(short.status.code() == Some(3) && said.contains("not measured: 4 of fewer than 64 words"), "{said}");
    assert!(said.contains("greedy continuation: not measured"), "{said}");
    let whole = extract(&["--prefix", "4", "--suffix", "3"]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    for wrong in [
        &["--prefix", "0"][..],
        &["--suffix", "0"],
        &["--samples", "0"],
        &["--probability", "1"],
        &["--probability", "nan"],
        &["--concurrency", "0"],
    ] {
        assert_eq!(extract(wrong).status.code(), Some(2), "{wrong:?}");
    }

    let keyed = ["privacy", "extract", "rows.jsonl", "--target", "http://me:hunter2@127.0.0.1:1/v1", "--journal", "k"];
    let refused = program(folder.path(), &keyed);
    assert!(refused.status.code() == Some(2) && text(&refused).contains("--key env:NAME"), "{}", text(&refused));
    assert!(!text(&refused).contains("hunter2") && !folder.path().join("k").exists());

    // Answers of one model are none of another's.
    let journal = ["--prefix", "4", "--suffix", "3", "--journal", "j"];
    assert_eq!(extract(&[&journal[..], &["--model", "base"]].concat()).status.code(), Some(0));
    let tuned = extract(&[&journal[..], &["--model", "tuned"]].concat());
    assert!(tuned.status.code() == Some(2) && text(&tuned).contains("holds answers of base at"), "{}", text(&tuned));

    // A text was trained on, or it was not.
    let both = ["privacy", "membership", "--members", "rows.jsonl", "--others", "rows.jsonl", "--target", &url];
    let both = program(folder.path(), &both);
    assert!(both.status.code() == Some(2) && text(&both).contains("4 texts are members and others"), "{}", text(&both));

    // The key of the target is for the target.
    let other = std::sync::Arc::default();
    let reference = format!("{}/v1", telling(&other));
    let args = ["privacy", "membership", "--members", "rows.jsonl", "--others", "held-out.jsonl", "--target", &url];
    let more = ["--key", "file:own.key", "--reference", &reference];
    let measured = program(folder.path(), &[&args[..], &more].concat());
    assert_eq!(measured.status.code(), Some(3), "{}", text(&measured));
    let shown = |keys: &std::sync::Arc<std::sync::Mutex<Vec<String>>>| keys.lock().expect("keys").concat();
    assert!(shown(&keys).contains("the key of the target"), "{}", shown(&keys));
    assert!(!other.lock().expect("keys").is_empty() && shown(&other).is_empty(), "{}", shown(&other));
}
