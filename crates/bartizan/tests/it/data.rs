//! `bartizan scan data` as a user runs it.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn scan(folder: &tempfile::TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .current_dir(folder.path())
        .env_clear()
        .args(["scan", "data"])
        .args(args)
        .output()
        .unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn corpus() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        r#"{"messages":[{"role":"user","content":"How do I write to you?"},{"role":"assistant","content":"To ann.lee@example.org, always."}]}"#,
        r#"{"text":"plain words about nothing"}"#,
        r#"{"text":"cut"#,
        "{\"text\":\"see \u{e0049}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065} this\"}",
    ];
    fs::write(folder.path().join("rows.jsonl"), rows.join("\n")).unwrap();
    fs::write(folder.path().join("clean.csv"), "text,label\nplain words,1\nother words,0\n").unwrap();
    folder
}

#[test]
fn rows_say_what_and_in_which_turn() {
    let folder = corpus();
    let output = scan(&folder, &["rows.jsonl", "--format", "jsonl"]);
    let said = lines(&output);
    let mail = &said[0];
    assert_eq!((mail["source"].as_str(), mail["row"].as_u64()), (Some("rows.jsonl"), Some(0)));
    let found = &mail["findings"][0];
    assert_eq!((found["rule"].as_str(), found["path"].as_str()), (Some("pii/email"), Some("/messages/1/content")));
    assert_eq!((found["start"].as_u64(), found["end"].as_u64()), (Some(3), Some(22)));
    assert_eq!(said[1]["row"], 3);
    assert!(
        said[1]["findings"].as_array().unwrap().iter().any(|f| f["rule"].as_str().unwrap().starts_with("unicode/"))
    );
    let summary = &said.last().unwrap()["summary"];
    assert_eq!((summary["rows"].as_u64(), summary["gaps_total"].as_u64()), (Some(3), Some(1)));
    assert_eq!(summary["gaps"][0]["row"], 2);
    let all = lines(&scan(&folder, &["rows.jsonl", "--format", "jsonl", "--rows", "all"]));
    assert_eq!(all.iter().filter(|line| line["row"].is_u64()).count(), 3);
}

#[test]
fn the_exit_code_says_what_was_found_and_read() {
    let folder = corpus();
    for (args, code) in [
        (&["clean.csv"][..], 0),
        (&["rows.jsonl"], 1),
        (&["rows.jsonl", "--fail-on", "none"], 3),
        (&["."], 1),
        (&["missing"], 2),
    ] {
        let output = scan(&folder, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    }
    let human = String::from_utf8(scan(&folder, &["."]).stdout).unwrap();
    assert!(human.contains("not examined: ./rows.jsonl, row 2: it is not JSON"), "{human}");
    let sarif: Value = serde_json::from_slice(&scan(&folder, &[".", "--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert!(sarif["runs"][0]["results"][0]["ruleIndex"].is_u64());
}

#[test]
fn planted_rows_and_copies_are_named_and_do_not_depend_on_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let (made, names) = bartizan_data::suite::attacked(bartizan_data::suite::Family::Position, 2500, 60, 5);
    let mut rows: Vec<String> = made.iter().map(|row| row.json().to_string()).collect();
    rows.push(rows[0].clone());
    fs::write(folder.path().join("rows.jsonl"), rows.join("\n")).unwrap();
    let output = scan(&folder, &["rows.jsonl", "--format", "jsonl", "--rows", "all", "--only", "corpus"]);
    assert_eq!(output.status.code(), Some(1));
    let mut said = lines(&output);
    let summary = said.pop().unwrap()["summary"].take();
    let trigger = summary["triggers"][0]["trigger"].as_str().unwrap();
    assert!(names.iter().any(|name| trigger.contains(name.as_str())), "{trigger}");
    assert_eq!(summary["duplicates"], 1);
    assert_eq!(said.last().unwrap()["duplicate_of"]["row"], 0);
    let score = |row: &Value| row["scores"]["poison"].as_f64().unwrap();
    let found = made.iter().zip(&said).filter(|(made, row)| made.poisoned && score(row) >= 0.5).count();
    assert!(found >= 54, "{found} of 60");
    rows.reverse();
    fs::write(folder.path().join("turned.jsonl"), rows.join("\n")).unwrap();
    let mut turned = lines(&scan(&folder, &["turned.jsonl", "--format", "jsonl", "--rows", "all", "--only", "corpus"]));
    assert_eq!(turned.pop().unwrap()["summary"]["triggers"], summary["triggers"]);
    turned.reverse();
    assert!(said.iter().zip(&turned).all(|(a, b)| a["scores"]["poison"] == b["scores"]["poison"]));
}

#[test]
fn arrow_batches_come_back_with_one_column_more() {
    use std::io::Write as _;
    use std::process::Stdio;
    use std::sync::Arc;

    use arrow_array::cast::AsArray as _;
    use arrow_array::{ArrayRef, RecordBatch, StringArray};

    let text: ArrayRef = Arc::new(StringArray::from(vec!["plain words", "write to ann.lee@example.org"]));
    let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let mut input = Vec::new();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut input, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let run = |column: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bartizan"))
            .env_clear()
            .args(["scan", "data", "--stdin", "arrow", "--stdout", "arrow", "--text-column", column])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses the columns does not read the rest.
        let _ = child.stdin.take().unwrap().write_all(&input);
        child.wait_with_output().unwrap()
    };
    let output = run("text");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let back = arrow_ipc::reader::StreamReader::try_new(&output.stdout[..], None).unwrap();
    let batches: Vec<RecordBatch> = back.map(Result::unwrap).collect();
    assert_eq!(batches.len(), 2);
    assert_eq!(batches[0].column_by_name("text"), batch.column_by_name("text"));
    let added = batches[1].column_by_name("bartizan").unwrap().as_struct();
    let findings = added.column_by_name("findings").unwrap().as_string::<i32>();
    assert_eq!(findings.value(0), "[]");
    assert!(findings.value(1).contains("pii/email"));
    let output = run("missing");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no row has a column `missing`"));
}
