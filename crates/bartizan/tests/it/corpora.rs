//! Corpora that are cleaned, signed, shared among shards and examined in parts, as a user does it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::signing::{key, run, text};

const MAIL: &str = "ann.lee@posteo.org";

fn corpus(folder: &Path) {
    fs::create_dir_all(folder.join("rows")).unwrap();
    let rows = [
        format!(r#"{{"id":"d1","text":"write to {MAIL} now"}}"#),
        r#"{"id":"d2","text":"plain words"}"#.to_owned(),
        r#"{"id":"d3","text":"plain words"}"#.to_owned(),
        "{\"text\":\"cut".to_owned(),
    ];
    fs::write(folder.join("rows/a.jsonl"), rows.join("\n")).unwrap();
    fs::write(folder.join("rows/b.csv"), format!("text,label\n{MAIL},1\nother words,0\n")).unwrap();
}

fn code(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = run(folder, args);
    (output.status.code().unwrap_or(-1), text(&output))
}

#[test]
fn a_corpus_is_cleaned_and_its_manifest_tells_every_difference() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    corpus(folder);
    key(folder, "k");
    key(folder, "other");
    let clean =
        ["scan", "data", "rows", "--clean", "clean", "--on", "pii=redact", "--on", "duplicate=drop", "--key", "k.pem"];
    let (exit, said) = code(folder, &clean);
    // A line could not be read; nothing that was found is left.
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains("rows left out") && said.contains("signed with"), "{said}");
    let lines = fs::read_to_string(folder.join("clean/a.jsonl")).unwrap();
    assert_eq!(
        lines,
        "{\"id\":\"d1\",\"text\":\"write to [REDACTED:EMAIL_ADDRESS] now\"}\n{\"id\":\"d2\",\"text\":\"plain words\"}\n"
    );
    assert_eq!(
        fs::read_to_string(folder.join("clean/b.csv")).unwrap(),
        "text,label\n[REDACTED:EMAIL_ADDRESS],1\nother words,0\n"
    );
    assert!(fs::read_to_string(folder.join("clean.quarantine/a.jsonl")).unwrap().contains("cut"));
    let gone: Value =
        serde_json::from_str(fs::read_to_string(folder.join("clean.removed.jsonl")).unwrap().trim()).unwrap();
    assert_eq!((&gone["id"], &gone["action"]), (&"d3".into(), &"drop".into()));

    let verify = ["verify", "--corpus", "clean.manifest.json", "clean", "--public-key", "k.pub"];
    let (exit, said) = code(folder, &verify);
    assert_eq!(exit, 0, "{said}");
    assert!(said.starts_with("verified: clean (2 files on record)"), "{said}");
    let (exit, said) =
        code(folder, &["verify", "--corpus", "clean.manifest.json", "clean", "--public-key", "other.pub"]);
    assert_eq!(exit, 1, "{said}");
    assert_eq!(code(folder, &["verify", "--corpus", "clean.manifest.json", "clean"]).0, 2, "nobody is trusted");
    fs::write(folder.join("clean/a.jsonl"), "{}\n").unwrap();
    fs::remove_file(folder.join("clean/b.csv")).unwrap();
    fs::write(folder.join("clean/new.jsonl"), "{}\n").unwrap();
    let (exit, said) = code(folder, &verify);
    assert_eq!(exit, 1, "{said}");
    for told in ["changed   a.jsonl", "missing   b.csv", "unsigned  new.jsonl"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    // What is there is not written over.
    let (exit, said) = code(folder, &clean);
    assert!(exit == 2 && said.contains("`clean` exists"), "{said}");
}

#[test]
fn one_file_becomes_one_file_and_what_is_left_is_at_the_gate() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    corpus(folder);
    let clean = |out: &str, more: &[&str]| {
        let args = ["scan", "data", "rows/b.csv", "--clean", out, "--format", "json"];
        let output = run(folder, &[&args[..], more].concat());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap_or(-1), answer, text(&output))
    };
    let (exit, answer, said) = clean("masked.csv", &["--fail-on", "low"]);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(answer["summary"]["clean"]["actions"]["mask"], 1, "{said}");
    assert!(folder.join("masked.manifest.json").is_file());
    let unsigned = ["verify", "--corpus", "masked.manifest.json", "masked.csv"];
    let (exit, said) = code(folder, &unsigned);
    assert!(exit == 0 && said.contains("unchanged") && said.contains("not signed"), "{said}");
    let (exit, said) = code(folder, &[&unsigned[..], &["--public-key", "none.pub"]].concat());
    assert!(exit == 1 && said.contains("not signed"), "{said}");
    let (exit, answer, said) = clean("kept.csv", &["--on", "pii=keep", "--fail-on", "low"]);
    assert_eq!((exit, answer["summary"]["stopped"].as_u64()), (1, Some(1)), "{said}");
    fs::write(folder.join("all.txt"), "write to ann.lee@example.org").unwrap();
    let none = ["scan", "data", "all.txt", "--clean", "none.txt", "--on", "pii=drop"];
    let (exit, said) = code(folder, &none);
    assert!(exit == 3 && said.contains("no row is left"), "{said}");
    let (exit, _, said) = clean("named.csv", &["--on", "pii=pseudonym"]);
    assert!(exit == 2 && said.contains("pseudonyms need a key"), "{said}");
    fs::write(folder.join("secret"), "0123456789abcdef".repeat(2)).unwrap();
    let (exit, _, said) = clean("named.csv", &["--pseudonym-key", "file:secret", "--fail-on", "none"]);
    assert_eq!(exit, 0, "{said}");
    let named = fs::read_to_string(folder.join("named.csv")).unwrap();
    // Neither is what is left beside an output that was taken away.
    fs::remove_file(folder.join("masked.csv")).unwrap();
    let (exit, _, said) = clean("masked.csv", &[]);
    assert!(exit == 2 && said.contains("masked.removed.jsonl` exists"), "{said}");
    assert!(named.contains("@example.com,1") && !named.contains(MAIL), "{named}");
    for (args, why) in [
        (&["rows", "--clean", "rows/out"][..], "inside of"),
        (&["rows", "rows", "--clean", "twice"], "two of the files"),
        (&["rows", "--clean", "x", "--on", "poison=redact"], "whole rows"),
        (&["rows", "--on", "pii=drop"], "--clean"),
        (&["rows", "--clean", "x", "--ledger", "y"], "cannot be used with"),
    ] {
        let (exit, said) = code(folder, &[&["scan", "data"], args].concat());
        assert!(exit == 2 && said.contains(why), "{args:?}: {said}");
    }
}

#[test]
fn a_cleaned_corpus_is_a_material_with_its_verdict() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    corpus(folder);
    key(folder, "k");
    fs::create_dir(folder.join("statements")).unwrap();
    let done = |args: &[&str]| {
        let (exit, said) = code(folder, args);
        assert_eq!(exit, 0, "{args:?}: {said}");
        said
    };
    let clean = |out: &str, more: &[&str]| {
        let manifest = format!("statements/{out}.json");
        let args = ["scan", "data", "rows/b.csv", "--clean", out, "--manifest", &manifest, "--key", "k.pem"];
        code(folder, &[&args[..], more].concat()).0
    };
    assert_eq!(clean("good.csv", &[]), 0);
    assert_eq!(clean("bad.csv", &["--on", "pii=keep", "--fail-on", "low"]), 1);
    fs::write(
        folder.join("step.json"),
        r#"{"command":["train"],"started":"2026-01-01T00:00:00Z","finished":"2026-01-01T01:00:00Z","exit_code":0}"#,
    )
    .unwrap();
    for (name, exit, told) in [("good", 0, "examined (statements/good.csv.json)"), ("bad", 1, "left in it")] {
        let model = format!("{name}.bin");
        fs::write(folder.join(&model), name).unwrap();
        let material = format!("corpus=statements/{name}.csv.json");
        let statement = format!("statements/{name}.made.json");
        done(&[
            "attest",
            "--step",
            "training",
            "--material",
            &material,
            "--output",
            &model,
            "--key",
            "k.pem",
            "-o",
            &statement,
            "--record",
            "step.json",
        ]);
        let walked = code(folder, &["verify", "model", &model, "--chain", "statements", "--public-key", "k.pub"]);
        assert_eq!(walked.0, exit, "{}", walked.1);
        assert!(walked.1.contains(told) && walked.1.contains(&format!("{name}.csv")), "{}", walked.1);
    }
    let (exit, said) = code(
        folder,
        &[
            "attest",
            "--step",
            "training",
            "--material",
            "corpus=step.json",
            "--output",
            "good.bin",
            "--key",
            "k.pem",
            "--record",
            "step.json",
        ],
    );
    assert_eq!(exit, 2, "{said}");
}

#[test]
fn shards_and_a_scan_that_was_ended_say_what_one_scan_says() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    corpus(folder);
    let made = bartizan_data::suite::attacked(bartizan_data::suite::Family::RareToken, 200, 20, 5);
    let rows: Vec<String> = made.0.iter().map(|row| row.json().to_string()).collect();
    fs::write(folder.join("rows/c.jsonl"), rows.join("\n")).unwrap();
    fs::create_dir(folder.join("ledgers")).unwrap();
    let jsonl = ["--format", "jsonl", "--rows", "all"];
    let wanted = run(folder, &[&["scan", "data", "rows"], &jsonl[..]].concat());
    assert_eq!(wanted.status.code(), Some(1));
    for shard in ["1/3", "2/3", "3/3"] {
        let (exit, said) = code(folder, &["scan", "data", "rows", "--ledger", "ledgers", "--shard", shard]);
        assert!(exit == 0 && said.contains("of 3"), "{said}");
        if shard == "2/3" {
            let (exit, said) = code(folder, &["scan", "data", "merge-shards", "ledgers"]);
            assert!(exit == 2 && said.contains("missing: 3"), "{said}");
        }
    }
    let merged = run(folder, &[&["scan", "data", "merge-shards", "ledgers"], &jsonl[..]].concat());
    assert_eq!(merged.status.code(), wanted.status.code());
    assert!(merged.stdout == wanted.stdout, "other bytes");
    let whole = [&["scan", "data", "rows", "--ledger", "one.ledger"], &jsonl[..]].concat();
    assert!(run(folder, &whole).stdout == wanted.stdout, "other bytes");
    let bytes = fs::read(folder.join("one.ledger")).unwrap();
    fs::write(folder.join("one.ledger"), &bytes[..bytes.len() / 2]).unwrap();
    assert!(run(folder, &whole).stdout == wanted.stdout, "other bytes");
    assert!(fs::read(folder.join("one.ledger")).unwrap() == bytes);
    let (exit, said) = code(folder, &["scan", "data", "rows", "--ledger", "one.ledger", "--lines"]);
    assert!(exit == 2 && said.contains("other rules, options or shards"), "{said}");
    assert_eq!(code(folder, &["scan", "data", "rows", "--ledger", "x", "--shard", "4/3"]).0, 2);
}
