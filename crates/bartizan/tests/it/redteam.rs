//! The red team from the command line, against the guard alone and a scripted model.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bartizan(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .args(args)
        .current_dir(folder)
        .env_remove("BARTIZAN_CONFIG")
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts")
}

fn json(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"))
}

#[test]
fn the_guard_alone_is_attacked_replayed_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let run = |out: &str| {
        let args = ["redteam", "run", "--guard", "--probe", "injection", "--probe", "LLM07", "--transform", "plain"];
        bartizan(folder.path(), &[&args[..], &["--trials", "1", "--out", out, "--format", "json"]].concat())
    };
    let first = run("one");
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let report = json(&first);
    assert_eq!(report["complete"], true);
    assert!(report["total"]["attacks"]["blocked"].as_u64().unwrap() > 0);
    assert!(report["total"]["attacks"]["proven"].is_null(), "nothing is proven without a model");
    // Nothing is left to do, and the report is the same.
    assert_eq!(json(&run("one")), report);
    let replayed = json(&bartizan(folder.path(), &["redteam", "replay", "one", "--format", "json"]));
    assert_eq!(replayed["total"], report["total"]);
    run("two");
    let compared = bartizan(folder.path(), &["redteam", "compare", "one", "two", "--format", "json"]);
    assert_eq!((compared.status.code(), json(&compared)["worse"].as_bool()), (Some(0), Some(false)));
    for format in ["human", "sarif", "junit", "markdown", "html"] {
        let shown = bartizan(folder.path(), &["redteam", "replay", "one", "--format", format]);
        assert!(String::from_utf8_lossy(&shown.stdout).contains("system-prompt/direct"), "{format}");
    }
}

#[cfg(unix)]
#[test]
fn a_command_that_tells_everything_is_proven_to() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "probes = ['system-prompt/direct']\ntransforms = ['plain']\ntrials = 1\ngates = ['asr_upper95(system-prompt) < 2%']\n[target]\nkind = 'command'\ncommand = ['cat']\n";
    std::fs::write(folder.path().join("plan.toml"), plan).unwrap();
    let dry = bartizan(folder.path(), &["redteam", "run", "plan.toml", "--dry-run"]);
    assert!(dry.status.success() && String::from_utf8_lossy(&dry.stderr).contains("7 requests"));
    assert!(!folder.path().join("redteam-run").exists());
    let output = bartizan(folder.path(), &["redteam", "run", "plan.toml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(
        (&report["total"]["attacks"]["proven"], &report["gates"][0]["met"]),
        (&Value::from(3), &Value::from(false))
    );
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "probez = 1").unwrap();
    for (args, word) in [
        (&["redteam", "run"][..], "there is no target"),
        (&["redteam", "run", "bad.toml"], "probez"),
        (&["redteam", "run", "--guard", "--probe", "none"], "no probe is `none`"),
        (&["redteam", "run", "--guard", "--gate", "x < 1%"], "MEASURE"),
        (&["redteam", "run", "--target", "http://example.com", "--key", "abc"], "env:NAME"),
        (&["redteam", "replay", "nowhere"], "nowhere"),
    ] {
        let output = bartizan(folder.path(), args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
        assert!(!said.contains("abc"));
    }
}
