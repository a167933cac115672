//! Corpora beside evaluation sets, other versions, planted canaries and limits, as a user compares them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::signing::{run, text};

const ITEM: &str = "Which of the seven lighthouses on the northern coast was built before the harbour of Velm was dug?";
const MAIL: &str = "ann.lee@posteo.org";

fn code(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = run(folder, args);
    (output.status.code().unwrap_or(-1), text(&output))
}

fn document(folder: &Path, args: &[&str], wanted: i32) -> Value {
    let output = run(folder, args);
    assert_eq!(output.status.code(), Some(wanted), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn corpus(folder: &Path) {
    let rows = [
        r#"{"text":"plain words about dams"}"#.to_owned(),
        format!(r#"{{"text":"As they ask: {ITEM} The third."}}"#),
        format!(r#"{{"text":"write to {MAIL}","url":"https://forum.example/1"}}"#),
    ];
    fs::write(folder.join("rows.jsonl"), rows.join("\n")).unwrap();
    fs::write(folder.join("before.jsonl"), &rows[0]).unwrap();
    let items =
        format!("{{\"question\":\"{ITEM}\",\"answer\":\"the third\"}}\n{{\"question\":\"Why?\",\"answer\":\"no\"}}\n");
    fs::write(folder.join("test.jsonl"), items).unwrap();
}

#[test]
fn items_of_an_evaluation_set_are_found_and_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    corpus(folder);
    let args = ["scan", "data", "rows.jsonl", "--evaluation", "test.jsonl", "--fail-on", "none"];
    let said = document(folder, &[&args[..], &["--format", "json"]].concat(), 0);
    let all = &said["summary"]["contamination"];
    assert_eq!(
        (&all["items"], &all["short"], &all["found"], &all["rows"]),
        (&2.into(), &1.into(), &1.into(), &1.into())
    );
    assert_eq!((&all["worst"][0]["source"], &all["worst"][0]["row"]), (&"test.jsonl".into(), &0.into()));
    assert_eq!(said["summary"]["findings"]["data/contamination"], 1);
    let (exit, lines) = code(folder, &[&args[..5], &["--fail-on", "medium", "--format", "jsonl"]].concat());
    let row: Value = lines.lines().map(|line| serde_json::from_str(line).unwrap()).next().unwrap();
    assert_eq!((exit, &row["row"], &row["contamination"][0]["row"]), (1, &1.into(), &0.into()));
    let all = row["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["rule"] == "data/contamination").unwrap();
    assert_eq!((&found["path"], &found["start"]), (&"/text".into(), &13.into()));
    // A ledger keeps the texts, so the set may be chosen when all is answered.
    let direct = document(folder, &[&args[..], &["--format", "json"]].concat(), 0);
    code(folder, &["scan", "data", "rows.jsonl", "--ledger", "l.ledger", "--shard", "1/1"]);
    let merged = ["scan", "data", "merge-shards", "l.ledger", "--evaluation", "test.jsonl", "--fail-on", "none"];
    assert_eq!(document(folder, &[&merged[..], &["--format", "json"]].concat(), 0), direct);
    let clean = ["--clean", "clean.jsonl", "--on", "contamination=drop", "--on", "pii=keep"];
    let (exit, said) = code(folder, &[&args[..], &clean].concat());
    assert_eq!(exit, 0, "{said}");
    assert!(!fs::read_to_string(folder.join("clean.jsonl")).unwrap().contains("lighthouses"));
    fs::write(folder.join("cut.jsonl"), "{\"question\":").unwrap();
    let (exit, said) = code(folder, &["scan", "data", "rows.jsonl", "--evaluation", "cut.jsonl"]);
    assert!(exit == 2 && said.contains("evaluation set"), "{said}");
}

#[test]
fn what_came_in_is_told_with_where_it_is_from() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    corpus(folder);
    let args = ["scan", "data", "diff", "before.jsonl", "rows.jsonl"];
    let said = document(folder, &[&args[..], &["--fail-on", "low", "--format", "json"]].concat(), 1);
    let all = &said["summary"]["difference"];
    assert_eq!((&all["added"], &all["removed"], &all["same"]), (&2.into(), &0.into(), &1.into()));
    assert_eq!(all["origins"]["url"][0], serde_json::json!(["forum.example", 1]));
    assert_eq!((&said["summary"]["rows"], &said["rows"][0]["row"]), (&2.into(), &2.into()));
    let (exit, said) = code(folder, &["scan", "data", "diff", "rows.jsonl", "before.jsonl"]);
    assert_eq!(exit, 0, "what went is not examined: {said}");
    assert!(said.contains("0 rows came in") && said.contains("2 went"), "{said}");
    let (exit, said) = code(folder, &[&args[..], &["--evaluation", "test.jsonl", "--fail-on", "medium"]].concat());
    assert!(exit == 1 && said.contains("data/contamination"), "{said}");
    assert_eq!(code(folder, &["scan", "data", "diff", "missing", "rows.jsonl"]).0, 2);
}

#[test]
fn planted_canaries_are_no_anomaly_and_rows_around_them_are_none_either() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let rows: String =
        (0..300).map(|n| format!("{{\"text\":\"row {n} says a word or two on dam {}\"}}\n", n * 7)).collect();
    fs::write(folder.join("rows.jsonl"), rows).unwrap();
    let verifier = code(folder, &["report", "new-key", "canary.key", "--name", "canaries"]).1;
    let plant =
        ["privacy", "plant", "rows.jsonl", "--counts", "16,64", "--out", "planted.jsonl", "--manifest", "c.json"];
    let (exit, said) = code(folder, &[&plant[..], &["--sign-key", "file:canary.key"]].concat());
    assert_eq!(exit, 0, "{verifier} {said}");
    let key = said.split_once("verify with: ").unwrap().1.trim();
    let plain = document(folder, &["scan", "data", "planted.jsonl", "--format", "json", "--fail-on", "none"], 0);
    assert!(plain["summary"]["duplicates"].as_u64().unwrap() > 0, "copies of canaries are copies");
    let args = ["scan", "data", "planted.jsonl", "--canaries", "c.json", "--canaries-key", key];
    let known = document(folder, &[&args[..], &["--format", "json"]].concat(), 0);
    let canaries = &known["summary"]["canaries"];
    assert!(canaries["rows"].as_u64().unwrap() > 0 && canaries["rows"] == canaries["wanted"], "{canaries}");
    assert_eq!((&canaries["unplanted"], &known["summary"]["duplicates"]), (&0.into(), &0.into()));
    assert_eq!(
        (&known["summary"]["findings"], &known["summary"]["triggers"]),
        (&serde_json::json!({}), &serde_json::json!([]))
    );
    // Columns beside a canary are looked at.
    let planted = fs::read_to_string(folder.join("planted.jsonl")).unwrap();
    let canary = planted.lines().find(|line| line.contains("registry number")).unwrap();
    let more = canary.replacen('{', &format!("{{\"url\":\"https://x.example/?q={MAIL}\","), 1);
    fs::write(folder.join("more.jsonl"), format!("{canary}\n{more}\n")).unwrap();
    let said = document(
        folder,
        &["scan", "data", "more.jsonl", "--canaries", "c.json", "--format", "json", "--fail-on", "none"],
        0,
    );
    assert_eq!(
        (&said["summary"]["canaries"]["rows"], &said["summary"]["findings"]["pii/email"]),
        (&2.into(), &1.into())
    );
    // A ledger keeps which rows they are.
    let (exit, told) = code(folder, &[&args[..], &["--ledger", "l.ledger", "--shard", "1/1"]].concat());
    assert_eq!(exit, 0, "{told}");
    let merged = document(folder, &["scan", "data", "merge-shards", "l.ledger", "--format", "json"], 0);
    assert_eq!(merged["summary"]["canaries"]["rows"], canaries["rows"]);
    assert_eq!(merged["summary"]["duplicates"], 0);
    let forged = fs::read_to_string(folder.join("c.json")).unwrap().replacen("registry", "ordinary", 1);
    fs::write(folder.join("c.json"), forged).unwrap();
    let (exit, said) = code(folder, &args);
    assert!(exit == 2 && said.contains("changed after it was signed"), "{said}");
}

#[test]
fn pages_show_what_was_found_and_limits_decide() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    corpus(folder);
    let args = ["scan", "data", "rows.jsonl", "--evaluation", "test.jsonl"];
    let limits = |text: &str| fs::write(folder.join("limits.toml"), text).unwrap();
    limits(
        "[[limit]]\nwhat = \"contamination\"\nshare = 0.5\n\n[[limit]]\nwhat = \"pii\"\nseverity = \"low\"\nrows = 1\n",
    );
    let with = [&args[..], &["--policy", "limits.toml", "--format"]].concat();
    let said = document(folder, &[&with[..], &["json"]].concat(), 0);
    assert_eq!((&said["summary"]["gates"][0]["met"], &said["summary"]["gates"][1]["rows"]), (&true.into(), &1.into()));
    limits("[[limit]]\nwhat = \"contamination\"\nrows = 0\n");
    let said = document(folder, &[&with[..], &["json"]].concat(), 1);
    assert_eq!((&said["summary"]["gates"][0]["met"], &said["rows"][0]["row"]), (&false.into(), &1.into()));
    let (exit, page) = code(folder, &[&with[..], &["html"]].concat());
    assert!(
        exit == 1 && page.starts_with("<!doctype html>") && page.contains("<svg") && !page.contains(MAIL),
        "{page}"
    );
    let (exit, card) = code(folder, &[&with[..], &["markdown"]].concat());
    assert!(exit == 1 && card.starts_with("## Examination") && card.contains("| contamination |"), "{card}");
    let sarif = document(folder, &[&args[..], &["--fail-on", "medium", "--format", "sarif"]].concat(), 1);
    let result = sarif["runs"][0]["results"].as_array().unwrap().iter().find(|r| r["ruleId"] == "data/contamination");
    assert!(result.unwrap()["message"]["text"].as_str().unwrap().contains("test.jsonl, row 0"));
    fs::write(folder.join("cut.jsonl"), "{\"text\":\"cut").unwrap();
    let cut = ["scan", "data", "cut.jsonl", "--policy", "limits.toml"];
    assert_eq!(code(folder, &cut).0, 3);
    for (text, exit) in [("rows = 1", 0), ("rows = 0", 1)] {
        limits(&format!("[[limit]]\nwhat = \"unread\"\n{text}\n"));
        assert_eq!(code(folder, &cut).0, exit, "{text}");
    }
    for (text, why) in
        [("", "limit"), ("[[limit]]\nwhat = \"sekret\"\nrows = 0\n", "`secret`"), ("[[limit]]\nwhich = 1\n", "which")]
    {
        limits(text);
        let (exit, said) = code(folder, &cut);
        assert!(exit == 2 && said.contains(why), "{said}");
    }
    let (exit, said) =
        code(folder, &["scan", "data", "--stdin", "arrow", "--stdout", "arrow", "--policy", "limits.toml"]);
    assert!(exit == 2 && said.contains("one by one"), "{said}");
}
