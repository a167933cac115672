//! Two gateways over one database, as docs/guide/operations.md says.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::{reply, send, serve};
use crate::support::Gateway;

#[path = "../../../store/src/pg/server.rs"]
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
mod server;

const CHAT: &str = "/v1/chat/completions";

fn bartizan(gateway: &Gateway, url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    command.args(args).current_dir(gateway.folder()).env("DATABASE_URL", url).env("NO_COLOR", "1");
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_gateways_share_one_chain_and_its_keys_and_one_that_is_killed_loses_nothing() {
    let Some(mut database) = server::Server::start() else { return };
    let url = database.url();
    let origin = serve(|_, socket| {
        let message = json!({"role": "assistant", "content": "Good day."});
        let whole = json!({"id": "i", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
        reply(socket, "application/json", &whole.to_string());
    });
    let config =
        format!("[store]\nurl = \"env:DATABASE_URL\"\n\n[[upstream]]\nname = \"main\"\nurl = \"{origin}/v1\"\n");
    let start = || {
        let gateway = Gateway::with_variables(&config, &[("DATABASE_URL", &url)]);
        gateway.ready();
        gateway
    };
    let (one, two) = (start(), start());

    // A key that a command makes is one of both, and what has none is refused by both.
    let key = said(&bartizan(&one, &url, &["keys", "create", "app"]));
    let header = format!("Authorization: Bearer {key}");
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Good day"}]}).to_string();
    let ask =
        |gateway: &Gateway, headers: &[&str]| send(&gateway.origin, "POST", CHAT, headers, body.as_bytes()).status;
    for gateway in [&one, &two] {
        until("the key is asked for", || ask(gateway, &[]) == 401);
        until("the key is known", || ask(gateway, &[&header]) == 200);
    }

    // Both are under load, and one is killed.
    let answered = AtomicU64::new(0);
    let victim = two.origin.clone();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (victim, header, body, answered) = (&victim, &header, &body, &answered);
            scope.spawn(move || {
                let ask = || send(victim, "POST", CHAT, &[header.as_str()], body.as_bytes()).status;
                while std::panic::catch_unwind(ask).is_ok_and(|status| status == 200) {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until("it answers", || answered.load(Ordering::Relaxed) >= 20);
        for n in 0..40 {
            assert_eq!(ask(&one, &[&header]), 200, "{n}");
            answered.fetch_add(1, Ordering::Relaxed);
        }
        drop(two.kill());
    });
    let verified = said(&bartizan(&one, &url, &["report", "verify"]));
    let (_, after) = verified.split_once(", ").expect("it says how many");
    let records: u64 = after.split(' ').next().expect("a number").parse().expect("a number");
    // One for each request that was answered, and one for its reply.
    assert!(records >= 2 * answered.load(Ordering::Relaxed), "{verified}");

    // Without the database nothing passes; with it again, everything does, without a restart.
    database.stop();
    until("it is refused", || ask(&one, &[&header]) == 503);
    assert_eq!(send(&one.origin, "GET", "/readyz", &[], b"").status, 503);
    database.again();
    until("it passes again", || ask(&one, &[&header]) == 200);
    let after: u64 = {
        let verified = said(&bartizan(&one, &url, &["report", "verify"]));
        let (_, after) = verified.split_once(", ").expect("it says how many");
        after.split(' ').next().expect("a number").parse().expect("a number")
    };
    assert!(after > records);
    assert!(said(&bartizan(&one, &url, &["doctor"])).contains("Postgres can be reached"));
}

#[test]
fn a_store_that_cannot_be_used_is_an_error_that_hides_its_password() {
    let place = tempfile::tempdir().expect("a folder");
    let config = "[store]\nurl = \"env:DATABASE_URL\"\n";
    std::fs::write(place.path().join("bartizan.toml"), config).expect("it is written");
    for (url, said) in [
        ("postgres://u:hidden@db.example/x", "sslmode"),
        ("postgres://u:hidden@127.0.0.1:1/x", "postgres://127.0.0.1:1/x"),
        ("mysql://u:hidden@db/x", "postgres://USER"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
        command.args(["report", "verify"]).current_dir(place.path()).env("DATABASE_URL", url);
        let output = command.output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said) && !error.contains("hidden"), "{error}");
    }
    let mut backup = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    backup.args(["backup", "copy"]).current_dir(place.path()).env("DATABASE_URL", "postgres://u@localhost/x");
    let output = backup.output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pg_dump"));
}
