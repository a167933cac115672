//! `bartizan scan model` as a user runs it.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn scan(folder: &tempfile::TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .current_dir(folder.path())
        .env_clear()
        .args(["scan", "model"])
        .args(args)
        .output()
        .unwrap()
}

/// One file of each kind. The payload is inert, and nothing is loaded.
fn models() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plain.pkl"), b"\x80\x04}\x8c\x01aK\x01s.").unwrap();
    fs::write(folder.path().join("hostile.pkl"), b"cos\nsystem\n(S'true'\ntR.").unwrap();
    fs::write(folder.path().join("cut.pkl"), b"\x80\x04K").unwrap();
    folder
}

#[test]
fn the_exit_code_says_what_was_found_and_read() {
    let folder = models();
    for (args, code) in [
        (&["plain.pkl"][..], 0),
        (&["hostile.pkl"], 1),
        (&["hostile.pkl", "--fail-on", "none"], 0),
        (&["cut.pkl"], 3),
        (&["."], 1),
        (&["missing.pkl"], 2),
    ] {
        let output = scan(&folder, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    }
}

#[test]
fn formats_of_frameworks_are_read() {
    let folder = models();
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (file, code) in [
        ("hdf5/attributes", 1),
        ("hdf5/external", 1),
        ("hdf5/data", 0),
        ("onnx/model", 0),
        ("onnx/external", 1),
        ("onnx/graph", 1),
        ("artifact/tflite", 0),
        ("artifact/7z", 1),
        ("artifact/7z-copy", 0),
        ("artifact/xgboost", 0),
        ("artifact/python", 1),
        ("artifact/elf", 3),
    ] {
        let output = scan(&folder, &[corpus.join(file).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{file}: {output:?}");
    }
}

#[test]
fn every_format_names_the_call_and_its_place() {
    let folder = models();
    let human = scan(&folder, &["hostile.pkl", "--explain"]);
    let human = String::from_utf8(human.stdout).unwrap();
    assert!(human.contains("critical[model/pickle-code-execution]: calls `os.system`"), "{human}");
    assert!(human.contains("os.system('true')"), "{human}");

    let json: Value = serde_json::from_slice(&scan(&folder, &[".", "--format", "json"]).stdout).unwrap();
    let verdicts: Vec<_> = json["files"].as_array().unwrap().iter().map(|f| f["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["allow", "deny", "allow"]);
    assert_eq!(json["files"][0]["coverage"]["status"], "partial");
    assert_eq!(json["files"][1]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(json["summary"]["findings"]["critical"], 1);

    let sarif: Value =
        serde_json::from_slice(&scan(&folder, &["hostile.pkl", "--format", "sarif", "--no-hash"]).stdout).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "model/pickle-code-execution");
    let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][at]["id"], "model/pickle-code-execution");
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "hostile.pkl");
}
