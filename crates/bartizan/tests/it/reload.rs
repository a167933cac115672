//! Another configuration while the gateway serves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::http::{reply, send, serve_heads};
use crate::support::Gateway;

const CHAT: &str = "/v1/chat/completions";
const TAKEN: &str = "bartizan_config_reloads_total{result=\"success\"}";
const REJECTED: &str = "bartizan_config_reloads_total{result=\"rejected\"}";

fn ask() -> Vec<u8> {
    json!({"model": "m", "messages": [{"role": "user", "content": "write to ann.lee@example.org"}]})
        .to_string()
        .into_bytes()
}

/// Two configurations that differ in the guard and in the upstream's key.
fn config(upstream: &str, which: &str, verdict: &str) -> String {
    format!(
        "[[upstream]]\nname = \"u\"\nurl = \"{upstream}/v1\"\nkey = \"file:{which}\"\n\
         [[policy.rows]]\nrule = \"pii/*\"\nverdict = \"{verdict}\"\n"
    )
}

#[test]
fn under_load_no_request_fails_or_mixes_two_configurations() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let upstream = serve_heads(move |head, body, socket| {
        let key = if head.contains("bearer key-one") { 1 } else { 2 };
        let masked = !String::from_utf8_lossy(&body).contains("ann.lee");
        log.lock().expect("no panic").push((key, masked));
        reply(socket, "application/json", "{\"id\":\"i\",\"choices\":[]}");
    });
    // A gateway that starts has its key: the folder is not there yet, so the first one has none.
    let mut gateway = Gateway::configured(&format!("[[upstream]]\nname = \"u\"\nurl = \"{upstream}/v1\"\n"));
    gateway.replace("one", "key-one");
    gateway.replace("two", "key-two");
    gateway.replace("bartizan.toml", &config(&upstream, "one", "redact"));
    gateway.until("the first configuration", |g| g.metric(TAKEN) >= 2.0);
    seen.lock().expect("no panic").clear();

    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (origin, stop) = (gateway.origin.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut statuses = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    statuses.push(send(&origin, "POST", CHAT, &[], &ask()).status);
                }
                statuses
            })
        })
        .collect();
    for (turn, (which, verdict)) in [("two", "allow"), ("one", "redact"), ("two", "allow")].iter().enumerate() {
        gateway.replace("bartizan.toml", &config(&upstream, which, verdict));
        gateway.until("the next configuration", |g| g.metric(TAKEN) >= 3.0 + f64::from(turn as u32));
    }
    stop.store(true, Ordering::Relaxed);
    let statuses: Vec<u16> = callers.into_iter().flat_map(|c| c.join().expect("no panic")).collect();
    assert!(statuses.len() > 20 && statuses.iter().all(|s| *s == 200), "{statuses:?}");
    let seen = seen.lock().expect("no panic");
    assert!(seen.contains(&(1, true)) && seen.contains(&(2, false)), "both were in force");
    assert!(seen.iter().all(|s| [(1, true), (2, false)].contains(s)), "mixed: {seen:?}");
}

#[test]
fn what_the_program_writes_and_what_is_the_same_is_no_change() {
    let config = "[[upstream]]\nname = \"u\"\nurl = \"http://127.0.0.1:9/v1\"\nkey = \"file:key\"\n\
                  [evidence]\nsign_key = \"file:sign.key\"\ncheckpoint_to = \"file:checkpoints\"\ncheckpoint_records = 1\n";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bartizan.toml"), config).expect("written");
    std::fs::write(folder.path().join("key"), "a-key").expect("written");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .args(["report", "new-key", "sign.key"])
        .current_dir(folder.path())
        .output()
        .expect("it starts");
    assert!(made.status.success(), "{made:?}");
    let mut gateway = Gateway::again(folder);
    let notes = |g: &Gateway| std::fs::read_to_string(g.folder().join("checkpoints")).unwrap_or_default();
    gateway.until("a checkpoint", |g| !notes(g).is_empty());
    let first = notes(&gateway);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(gateway.metric(TAKEN), 1.0, "{}", gateway.log());
    assert_eq!(notes(&gateway), first, "an idle gateway has nothing new to sign");
    gateway.replace("key", "b-key");
    gateway.until("the changed key", |g| g.metric(TAKEN) >= 2.0);
}

#[test]
fn what_cannot_be_used_changes_nothing_and_is_named() {
    let mut gateway = Gateway::configured("[[upstream]]\nname = \"u\"\nurl = \"http://127.0.0.1:9/v1\"\n");
    let broken = "[[upstream]]\nname = \"u\"\nurl = \"http://127.0.0.1:9/v1\"\nnope = 1\n";
    gateway.replace("bartizan.toml", broken);
    gateway.until("a rejection", |g| g.metric(REJECTED) >= 1.0);
    let log = gateway.log();
    assert!(log.contains("unknown key `nope`") && log.contains("line=4") && log.contains("column=1"), "{log}");
    assert!(log.contains("file=\"bartizan.toml\""), "{log}");
    assert_eq!(send(&gateway.origin, "GET", "/readyz", &[], b"").status, 200);
    assert_eq!(gateway.metric(TAKEN), 1.0);

    // What is read at the start only is refused by name.
    let moved = "listen = \"127.0.0.1:1\"\n[[upstream]]\nname = \"u\"\nurl = \"http://127.0.0.1:9/v1\"\n\
                 [store]\npath = \"other.sqlite\"\n";
    gateway.replace("bartizan.toml", moved);
    gateway.until("a rejection", |g| g.metric(REJECTED) >= 2.0);
    let log = gateway.log();
    assert!(log.contains("a restart is needed for a change of `store`"), "{log}");

    // A key that is not there yet is waited for.
    let keyed = "[[upstream]]\nname = \"u\"\nurl = \"http://127.0.0.1:9/v1\"\nkey = \"file:later\"\n";
    gateway.replace("bartizan.toml", keyed);
    gateway.until("a rejection", |g| g.metric(REJECTED) >= 3.0);
    gateway.replace("later", "a-key");
    gateway.until("the key", |g| g.metric(TAKEN) >= 2.0);
    // The file of a secret counts like the configuration itself, and so does the signal.
    gateway.replace("later", "b-key");
    gateway.until("the changed key", |g| g.metric(TAKEN) >= 3.0);
    gateway.hang_up();
    gateway.until("the signal", |g| g.metric(TAKEN) >= 4.0);
}
