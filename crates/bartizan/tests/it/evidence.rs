//! Evidence from end to end: recorded content, its seal, retention, checkpoints, exports and cases.

use std::path::Path;
use std::process::Command;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::{Value, json};

use crate::http::{reply, send, serve};
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

/// A folder beside the gateway's with master key, role and signing key; the configuration that uses them.
pub(crate) struct Keys {
    folder: tempfile::TempDir,
    public: String,
    pub(crate) config: String,
}

impl Keys {
    pub(crate) fn make(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("master.key"), "0123456789abcdef".repeat(4)).expect("written");
        let (code, role, errors) = run(folder.path(), &["record", "role", "privacy", "privacy.key"]);
        assert_eq!(code, Some(0), "{errors}");
        let (code, public, errors) = run(folder.path(), &["report", "new-key", "sign.key"]);
        assert_eq!(code, Some(0), "{errors}");
        let at = folder.path().display();
        let config = format!(
            "[record]\nmode = \"all\"\nmaster_key = \"file:{at}/master.key\"\n{role}\n\
             [evidence]\nsign_key = \"file:{at}/sign.key\"\ncheckpoint_to = \"file:{at}/checkpoints\"\n\
             checkpoint_records = 1\n{more}"
        );
        Self { public: public.trim().to_owned(), config, folder }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Waits until so many checkpoints are there.
    fn wait_for_checkpoints(&self, count: usize) -> String {
        for _ in 0..300 {
            let text = std::fs::read_to_string(self.path("checkpoints")).unwrap_or_default();
            if text.matches("\u{2014} bartizan ").count() >= count {
                return text;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no checkpoint came");
    }
}

fn ask(text: &str, stream: bool) -> Vec<u8> {
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}).to_string().into_bytes()
}

fn upstream() -> String {
    serve(|request, socket| {
        use std::io::Write as _;
        if String::from_utf8_lossy(&request).contains("\"stream\":true") {
            let chunk = json!({"id": "i", "object": "chat.completion.chunk", "model": "m",
                "choices": [{"index": 0, "delta": {"content": "streamed answer"}, "finish_reason": null}]});
            let _ = socket.write_all(format!("{STREAM_HEAD}data: {chunk}\n\ndata: [DONE]\n\n").as_bytes());
        } else {
            let message = json!({"role": "assistant", "content": "whole answer"});
            let body = json!({"id": "i", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
            reply(socket, "application/json", &body.to_string());
        }
    })
}

fn event_of(head: &str) -> String {
    let line = head.lines().find_map(|l| l.strip_prefix("x-bartizan-event: ")).expect("the reply names its event");
    line.trim().to_owned()
}

#[test]
fn what_is_recorded_survives_a_kill_and_opens_only_with_a_role_and_a_reason() {
    let keys = Keys::make("");
    let gateway = Gateway::start(&upstream(), &keys.config);
    let whole = send(&gateway.origin, "POST", CHAT, &[], &ask("the blue heron", false));
    let stream = send(&gateway.origin, "POST", CHAT, &[], &ask("the grey heron", true));
    assert!(whole.text().contains("whole answer") && stream.text().ends_with("data: [DONE]\n\n"));
    let (whole, stream) = (event_of(&whole.head), event_of(&stream.head));
    let folder = gateway.kill();
    let at = folder.path();

    for entry in std::fs::read_dir(at).expect("the folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        for content in ["heron", "whole answer", "streamed answer"] {
            assert!(!String::from_utf8_lossy(&bytes).contains(content), "{content} is in {:?}", entry.path());
        }
    }
    let key = format!("file:{}", keys.path("privacy.key"));
    let (_, seen, _) = run(at, &["report", "export", "--format", "jsonl"]);
    let records: Vec<Value> = seen.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    for (event, question, answer) in
        [(&whole, "the blue heron", "whole answer"), (&stream, "the grey heron", "streamed answer")]
    {
        let record = records.iter().find(|r| r["id"] == **event).expect("the record is there");
        let exchange = record["exchange"].as_str().expect("an id");
        let (code, out, errors) = run(at, &["record", "unseal", exchange, "--reason", "ticket 7", "--role-key", &key]);
        assert_eq!(code, Some(0), "{errors}");
        let trace: Value = serde_json::from_str(&out).expect("a trace");
        assert_eq!(trace["messages"][0]["content"], question, "{trace}");
        assert_eq!(trace["messages"][1]["content"], answer, "{trace}");
        assert!(trace["calls"].as_array().is_some_and(Vec::is_empty) && trace.get("unread").is_none());
    }
    std::fs::write(at.join("other.key"), "x".repeat(64)).expect("written");
    let (code, out, errors) = run(at, &["record", "unseal", &whole, "--reason", "r", "--role-key", "file:other.key"]);
    assert!(code == Some(2) && out.is_empty() && errors.contains("no role"), "{errors}");
    let (code, _, errors) = run(at, &["record", "unseal", &whole, "--reason", " ", "--role-key", &key]);
    assert!(code == Some(2) && errors.contains("a reason is needed"), "{errors}");
    let (code, ..) = run(at, &["record", "unseal", &whole, "--tenant", "b", "--reason", "r", "--role-key", &key]);
    assert_eq!(code, Some(2), "another tenant opens it");

    let (code, out, errors) = run(at, &["record", "erase", "--tenant", "default", "--reason", "request 9"]);
    assert!(code == Some(0) && out.contains("4 recorded bodies are gone"), "{out}{errors}");
    let (code, ..) = run(at, &["record", "unseal", &whole, "--reason", "r", "--role-key", &key]);
    assert_eq!(code, Some(2), "it opens after its key was destroyed");
    let (code, out, _) = run(at, &["report", "verify"]);
    assert_eq!(code, Some(0), "{out}");
    let (_, seen, _) = run(at, &["report", "export"]);
    for deed in [
        "\"deed\":\"unsealed\"",
        "\"role\":\"privacy\"",
        "\"reason\":\"ticket 7\"",
        "\"deed\":\"erased\"",
        "\"deed\":\"exported\"",
    ] {
        assert!(seen.contains(deed), "{deed}: {seen}");
    }
}

/// A recording that somebody took out of the store or changed is told; one that was erased with a record of it is not.
#[test]
fn recordings_that_were_taken_away_or_changed_are_missed() {
    let keys = Keys::make("");
    let gateway = Gateway::start(&upstream(), &keys.config);
    for text in ["the blue heron", "the grey heron"] {
        send(&gateway.origin, "POST", CHAT, &[], &ask(text, false));
    }
    let folder = gateway.kill();
    let at = folder.path();
    let key = format!("file:{}", keys.path("privacy.key"));
    let hunt = |more: &[&str]| {
        let args = ["hunt", "pii/*", "--role-key", &key, "--reason", "ticket 7", "--format", "jsonl"];
        let (code, out, errors) = run(at, &[&args, more].concat());
        let last = out.lines().last().unwrap_or_else(|| panic!("{errors}"));
        let said: Value = serde_json::from_str(last).expect("JSON");
        (code, said["summary"]["missing"].as_u64(), said["summary"]["altered"].as_u64())
    };
    let verify = || {
        let (code, out, _) = run(at, &["report", "verify"]);
        (code, out.lines().last().unwrap_or_default().to_owned())
    };
    assert_eq!((verify().0, hunt(&[])), (Some(0), (Some(0), Some(0), Some(0))));
    let db = at.join("bartizan.sqlite");
    let kept = std::fs::read(&db).expect("the store");
    let put_back = || {
        for more in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(at.join(format!("bartizan.sqlite{more}")));
        }
        std::fs::write(&db, &kept).expect("put back");
    };
    for (change, missing, altered, says) in [
        (
            "DELETE FROM sealed WHERE event = (SELECT min(event) FROM sealed)",
            1,
            0,
            "1 recording of which no record says",
        ),
        (
            "UPDATE sealed SET body = zeroblob(length(body)) WHERE event = (SELECT min(event) FROM sealed)",
            0,
            1,
            "1 recording is not the one",
        ),
        // What is said about a body is not sealed, and belongs to it.
        ("UPDATE sealed SET cut = 1 WHERE event = (SELECT min(event) FROM sealed)", 0, 1, "1 recording is not the one"),
        ("DELETE FROM sealed", 4, 0, "4 recordings of which no record says"),
    ] {
        sql(&db, change);
        let (code, said) = verify();
        assert!(code == Some(1) && said.contains(says) && said.contains("belongs to record"), "{change}: {said}");
        assert_eq!(hunt(&[]), (Some(1), Some(missing), Some(altered)), "{change}");
        // Of another time nothing is missing.
        let (_, missing, altered) = hunt(&["--until", "2020-01-01"]);
        assert_eq!((missing, altered), (Some(0), Some(0)), "{change}");
        put_back();
    }
    // What was erased before a day that is still to come, and what a copy leaves out, is gone with a record of that.
    let (code, _, errors) = run(at, &["backup", "copy", "--without-content"]);
    assert_eq!(code, Some(0), "{errors}");
    let (code, _, errors) = run(at, &["restore", "copy", "--store", "restored.sqlite"]);
    assert_eq!(code, Some(0), "{errors}");
    let (code, out, _) = run(at, &["report", "verify", "--store", "restored.sqlite"]);
    assert_eq!(code, Some(0), "{out}");
    let (code, out, errors) =
        run(at, &["record", "erase", "--tenant", "default", "--reason", "request 9", "--before", "2100-01-01"]);
    assert!(code == Some(0) && out.contains("4 recorded bodies are gone"), "{out}{errors}");
    assert_eq!((verify().0, hunt(&[])), (Some(0), (Some(0), Some(0), Some(0))));
    // A record of an erasure of days before explains nothing.
    put_back();
    let (code, ..) = run(at, &["record", "erase", "--tenant", "default", "--reason", "r", "--before", "2020-01-01"]);
    assert_eq!(code, Some(0));
    sql(&db, "DELETE FROM sealed");
    assert_eq!((verify().0, hunt(&[])), (Some(1), (Some(1), Some(4), Some(0))));
}

#[test]
fn checkpoints_show_what_a_chain_alone_cannot() {
    let keys = Keys::make("");
    let gateway = Gateway::start(&upstream(), &keys.config);
    let first = event_of(&send(&gateway.origin, "POST", CHAT, &[], &ask("one", false)).head);
    keys.wait_for_checkpoints(1);
    let second = event_of(&send(&gateway.origin, "POST", CHAT, &[], &ask("two", false)).head);
    keys.wait_for_checkpoints(2);
    let folder = gateway.kill();
    let at = folder.path();
    let checkpoints = keys.path("checkpoints");
    let verify = |more: &[&str]| {
        let args = ["report", "verify", "--checkpoints", &checkpoints, "--public-key", &keys.public];
        run(at, &[&args, more].concat())
    };
    let (code, out, errors) = verify(&[]);
    assert!(code == Some(0) && out.contains("vouches up to record"), "{out}{errors}");

    // A case stands alone, and shows nothing of the other exchange.
    let (code, out, errors) = run(at, &["case", &first, "--checkpoints", &checkpoints, "--output", "one"]);
    assert!(code == Some(0) && out.starts_with("2 records"), "{out}{errors}");
    let case = std::fs::read_to_string(at.join("one.json")).expect("the case");
    assert!(case.contains(&first) && !case.contains(&second));
    let check =
        |file: &str| run(keys.folder.path(), &["report", "verify", "--case", file, "--public-key", &keys.public]);
    let file = at.join("one.json").display().to_string();
    let (code, out, errors) = check(&file);
    assert!(code == Some(0) && out.contains("2 records, under the checkpoint"), "{out}{errors}");
    for (from, to) in [
        ("\\\"verdict\\\":\\\"allow\\\"", "\\\"verdict\\\":\\\"deny\\\""),
        ("\"path\": [\n        \"", "\"path\": [\n        \"00"),
    ] {
        assert!(case.contains(from), "{from}");
        std::fs::write(at.join("changed.json"), case.replace(from, to)).expect("written");
        let (code, out, _) = check(&at.join("changed.json").display().to_string());
        assert_eq!(code, Some(1), "{out}");
    }
    assert!(std::fs::read_to_string(at.join("one.md")).expect("the page").contains("| request |"));

    // The end is cut off, and then all of it is another chain: links alone do not show either.
    let db = at.join("bartizan.sqlite");
    let kept = std::fs::read(&db).expect("the store");
    sql(&db, "DELETE FROM events WHERE seq > 0");
    assert_eq!(run(at, &["report", "verify"]).0, Some(0));
    let (code, out, _) = verify(&[]);
    assert!(code == Some(1) && out.contains("the end was cut off"), "{out}");
    std::fs::remove_file(&db).expect("removed");
    std::fs::write(&db, kept).expect("put back");
    let another = Keys::make("");
    let (code, _, errors) =
        run(at, &["report", "verify", "--checkpoints", &checkpoints, "--public-key", &another.public]);
    assert!(code == Some(2) && errors.contains("did not sign"), "{errors}");
}

#[test]
fn exports_are_read_by_others() {
    let keys = Keys::make("");
    let gateway = Gateway::start(&upstream(), &keys.config);
    send(&gateway.origin, "POST", CHAT, &[], &ask("write to ann.lee@example.org", false));
    // While the gateway runs: the record of the export takes its place in the same chain.
    let at = std::path::absolute(gateway.folder()).expect("a path");
    let (code, out, errors) = run(&at, &["report", "export", "--format", "ocsf"]);
    assert_eq!(code, Some(0), "{errors}");
    let classes: Vec<u64> = out
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["class_uid"].as_u64().expect("a class"))
        .collect();
    assert!(classes.contains(&2004) && classes.contains(&6003), "{classes:?}");
    let (code, out, errors) = run(&at, &["report", "export", "--format", "parquet", "--output", "r.parquet"]);
    assert!(code == Some(0) && out.contains("`r.parquet`"), "{errors}");
    let file = std::fs::File::open(at.join("r.parquet")).expect("the file");
    let reader = SerializedFileReader::new(file).expect("Parquet");
    let rows: Vec<_> = reader.get_row_iter(None).expect("rows").map(|r| r.expect("a row")).collect();
    assert!(rows.len() >= 4, "{}", rows.len());
    let text = |row: &parquet::record::Row, at| row.get_string(at).expect("text").clone();
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row.get_long(0).ok(), i64::try_from(at).ok());
        let whole: Value = serde_json::from_str(&text(row, 11)).expect("JSON");
        assert_eq!((whole["id"].as_str(), whole["hash"].as_str()), (Some(&*text(row, 3)), Some(&*text(row, 10))));
    }
    assert!(rows.iter().any(|r| text(r, 2) == "act" && text(r, 8) == "exported"));
    assert_eq!(send(&gateway.origin, "POST", CHAT, &[], &ask("hello", false)).status, 200);
    let (code, out, _) = run(&at, &["report", "verify"]);
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn recording_needs_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bartizan.toml"), "[record]\nmode = \"all\"\n").expect("written");
    let (code, _, errors) =
        run(folder.path(), &["up", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9/v1"]);
    assert!(code == Some(2) && errors.contains("master_key"), "{errors}");
}

/// Runs a statement on a store behind its back.
fn sql(path: &Path, text: &'static str) {
    let done = Command::new("python3")
        .args([
            "-c",
            "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit(); c.close()",
        ])
        .arg(path)
        .arg(text)
        .status()
        .expect("python3 runs");
    assert!(done.success());
}
