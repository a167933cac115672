//! Bills of materials, and the chain of custody from data to a served model, as a user makes and follows them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::signing::{key, masked, run, text};

fn done(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output));
    text(&output)
}

fn model(folder: &Path) {
    fs::create_dir_all(folder.join("model")).unwrap();
    fs::write(folder.join("model/weights.pkl"), b"\x80\x04}\x8c\x01aK\x01s.").unwrap();
    fs::write(folder.join("model/README.md"), "---\nlicense: mit\n---\n").unwrap();
}

#[test]
fn a_bill_of_materials_is_printed_signed_and_asked_to_be_complete() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    model(folder);
    key(folder, "k");
    let bill = ["scan", "model", "model", "--format", "cyclonedx", "--attest", "bill.json", "--key", "k.pem"];
    let output = run(folder, &bill);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["metadata"]["component"]["licenses"][0]["license"]["id"], "MIT");
    let bundle: Value = serde_json::from_slice(&fs::read(folder.join("bill.json")).unwrap()).unwrap();
    let payload = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap()
    };
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&statement["predicateType"], &statement["predicate"]), (&"https://cyclonedx.org/bom".into(), &printed));

    let output = run(folder, &["scan", "model", "model", "--format", "cyclonedx", "--require-complete"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("missing: version, supplier, datasets, task, architecture"), "{told}");
    for args in [
        &["scan", "model", "model", "--require-complete"][..],
        &["scan", "model", "model", "model", "--format", "cyclonedx"],
        &["scan", "model", "model", "--format", "cyclonedx", "--no-hash"],
        &["scan", "model", "model", "--attest", "x"],
    ] {
        assert_eq!(run(folder, args).status.code(), Some(2), "{args:?}");
    }
}

/// Fits a line to rows by gradient descent from a base, and writes what came out: the smallest fine-tune there is.
const TUNE: &str = "\
import json, sys
base, rows, out = sys.argv[1:4]
w = json.load(open(base + '/weights.json'))
rows = [json.loads(line) for line in open(rows)]
for _ in range(200):
    for r in rows:
        error = w['a'] * r['x'] + w['b'] - r['y']
        w['a'] -= 0.05 * error * r['x']
        w['b'] -= 0.05 * error
import os
os.makedirs(out, exist_ok=True)
json.dump(w, open(out + '/weights.json', 'w'))
";

/// Writes the weights as a safetensors file.
const CONVERT: &str = "\
import json, struct, sys
w = json.load(open(sys.argv[1] + '/weights.json'))
head = json.dumps({'w': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 8]}}).encode()
head += b' ' * (-len(head) % 8)
open(sys.argv[2], 'wb').write(struct.pack('<Q', len(head)) + head + struct.pack('<2f', w['a'], w['b']))
";

/// A base that is signed, tuned on rows, and converted: every step is run, and leaves its statement.
fn tuned() -> Option<tempfile::TempDir> {
    let python = std::process::Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success());
    if !python {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "python3 is missing");
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    key(folder, "k");
    fs::create_dir(folder.join("base")).unwrap();
    fs::create_dir(folder.join("statements")).unwrap();
    fs::write(folder.join("base/weights.json"), r#"{"a": 0.0, "b": 0.0}"#).unwrap();
    fs::write(folder.join("rows.jsonl"), "{\"x\": 0, \"y\": 1}\n{\"x\": 1, \"y\": 3}\n{\"x\": 2, \"y\": 5}\n").unwrap();
    fs::write(folder.join("tune.py"), TUNE).unwrap();
    fs::write(folder.join("convert.py"), CONVERT).unwrap();
    done(folder, &["sign", "model", "base", "--key", "k.pem", "-o", "statements/base.sig"]);
    let python = which("python3");
    done(
        folder,
        &[
            "attest",
            "--step",
            "tuning",
            "--material",
            "model=base",
            "--material",
            "data=rows.jsonl",
            "--material",
            "code=tune.py",
            "--output",
            "tuned",
            "--key",
            "k.pem",
            "-o",
            "statements/tune.json",
            "--",
            &python,
            "tune.py",
            "base",
            "rows.jsonl",
            "tuned",
        ],
    );
    done(
        folder,
        &[
            "attest",
            "--step",
            "conversion",
            "--material",
            "model=tuned",
            "--output",
            "served.safetensors",
            "--key",
            "k.pem",
            "-o",
            "statements/convert.json",
            "--",
            &python,
            "convert.py",
            "tuned",
            "served.safetensors",
        ],
    );
    done(folder, &["scan", "model", "served.safetensors", "--attest", "statements/scan.json", "--key", "k.pem"]);
    Some(home)
}

/// The program runs without an environment, so it finds nothing by name.
fn which(name: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|p| p.is_file());
    found.unwrap().display().to_string()
}

const VERIFY: [&str; 9] =
    ["verify", "model", "served.safetensors", "--chain", "statements", "--materials", ".", "--public-key", "k.pub"];

#[test]
fn a_chain_is_followed_to_its_data_and_every_changed_link_is_refused() {
    let Some(home) = tuned() else { return };
    let folder = home.path();
    let weights: Value = serde_json::from_slice(&fs::read(folder.join("tuned/weights.json")).unwrap()).unwrap();
    assert!((weights["a"].as_f64().unwrap() - 2.0).abs() < 0.1, "it was tuned: {weights}");
    insta::assert_snapshot!(masked(&done(folder, &VERIFY)), @"
    chain holds: statements are intact; whether their signers told the truth is not shown
      made model served.safetensors [HEX] by conversion (statements/convert.json, signed by key [HEX])
        made model tuned [HEX] by tuning (statements/tune.json, signed by key [HEX])
          signed model base [HEX] (statements/base.sig, signed by key [HEX])
          known data rows.jsonl [HEX] by its digest only
          known code tune.py [HEX] by its digest only
    ");
    let json = run(folder, &[&VERIFY[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["chain"]["holds"], json["chain"]["links"].as_array().unwrap().len()), (&true.into(), 5));

    for (file, told) in [
        ("served.safetensors", "missing model served.safetensors"),
        ("tuned/weights.json", "changed model tuned"),
        ("base/weights.json", "changed model base"),
        ("rows.jsonl", "changed data rows.jsonl"),
        ("tune.py", "changed code tune.py"),
    ] {
        let path = folder.join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, [before.as_slice(), b"\n"].concat()).unwrap();
        let output = run(folder, &VERIFY);
        assert_eq!(output.status.code(), Some(1), "{file}: {}", text(&output));
        assert!(text(&output).contains(told), "{file}: {}", text(&output));
        fs::write(&path, before).unwrap();
    }
    for (file, told) in [("base.sig", "model base"), ("tune.json", "model tuned"), ("convert.json", "model served")] {
        let path = folder.join("statements").join(file);
        let before = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let output = run(folder, &VERIFY);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(&format!("missing {told}")), "{file}: {}", text(&output));
        // The signature of another statement.
        let other = fs::read_to_string(folder.join("statements/scan.json")).unwrap();
        let signature = |text: &str| serde_json::from_str::<Value>(text).unwrap()["dsseEnvelope"]["signatures"].clone();
        let mut forged: Value = serde_json::from_slice(&before).unwrap();
        forged["dsseEnvelope"]["signatures"] = signature(&other);
        fs::write(&path, forged.to_string()).unwrap();
        let output = run(folder, &VERIFY);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(&format!("unsigned {told}")), "{file}: {}", text(&output));
        fs::write(&path, before).unwrap();
    }
    key(folder, "other");
    let output =
        run(folder, &["verify", "model", "served.safetensors", "--chain", "statements", "--public-key", "other.pub"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(run(folder, &VERIFY).status.code(), Some(0));
}

#[test]
fn a_step_that_fails_or_makes_nothing_is_not_signed() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    key(folder, "k");
    fs::write(folder.join("in"), "x").unwrap();
    let attest = [
        "attest",
        "--step",
        "conversion",
        "--material",
        "model=in",
        "--output",
        "out",
        "--key",
        "k.pem",
        "-o",
        "a.json",
    ];
    let fails = which("false");
    let passes = which("true");
    for (more, told) in [
        (vec!["--", fails.as_str()], "exit code 1"),
        (vec!["--", passes.as_str()], "cannot read `out`"),
        (vec!["--", "/no/such/program"], "cannot run"),
        (vec!["--record", "in"], "is not the record"),
        (vec![], "--record"),
    ] {
        let output = run(folder, &[&attest[..], &more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(told), "{}", text(&output));
        assert!(!folder.join("a.json").exists());
    }
    fs::write(folder.join("out"), "y").unwrap();
    let record = r#"{"command": ["convert"], "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:00:01Z", "exit_code": 0}"#;
    fs::write(folder.join("run.json"), record).unwrap();
    done(folder, &[&attest[..], &["--record", "run.json"]].concat());
    assert!(folder.join("a.json").exists());
}

/// A folder as the Hugging Face hub gives it, signed inside: what signs it and what examines it name the same model.
#[test]
fn a_signature_inside_of_a_model_does_not_change_its_digest() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    model(folder);
    key(folder, "k");
    fs::write(folder.join("model/.gitattributes"), "*.bin filter=lfs").unwrap();
    let sign = ["sign", "model", "model", "--key", "k.pem", "-o", "model/model.sig"];
    let printed = |text: &str| text.split("sha256:").nth(1).and_then(|rest| rest.get(..64)).map(str::to_owned);
    let first = printed(&done(folder, &sign)).unwrap();
    assert_eq!(printed(&done(folder, &sign)), Some(first.clone()), "signed again it is the same model");
    done(folder, &["verify", "model", "model", "--signature", "model/model.sig", "--public-key", "k.pub"]);
    done(folder, &["scan", "model", "model", "--attest", "scan.json", "--key", "k.pem"]);
    let bundle: Value = serde_json::from_slice(&fs::read(folder.join("scan.json")).unwrap()).unwrap();
    let payload = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap()
    };
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(statement["subject"][0]["digest"]["sha256"], first.as_str());
}

#[test]
fn an_upstream_gets_requests_only_while_its_model_is_on_record() {
    use crate::http::{reply, send, serve_heads};
    use crate::support::Gateway;

    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    model(folder);
    key(folder, "k");
    fs::create_dir(folder.join("statements")).unwrap();
    done(folder, &["sign", "model", "model", "--key", "k.pem", "-o", "model.sig"]);
    done(folder, &["scan", "model", "model", "--attest", "statements/scan.json", "--key", "k.pem"]);
    let upstream = serve_heads(|_, _, socket| reply(socket, "application/json", "{\"id\":\"i\",\"choices\":[]}"));
    let at = folder.display();
    let config = |require: &str| {
        format!(
            "[[upstream]]\nname = \"u\"\nurl = \"{upstream}/v1\"\n[models]\npublic_keys = [\"{at}/k.pub\"]\n\
             [[models.artifact]]\nupstream = \"u\"\nrequire = \"{require}\"\npath = \"{at}/model\"\n\
             signature = \"{at}/model.sig\"\nstatements = [\"{at}/statements\"]\n"
        )
    };
    let mut gateway = Gateway::configured(&config("signature"));
    let ask = |gateway: &mut Gateway| {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        send(&gateway.origin, "POST", "/v1/chat/completions", &[], body.as_bytes()).status
    };
    assert_eq!(ask(&mut gateway), 200);

    // The examination is taken off the record, and put back.
    let scan = folder.join("statements/scan.json");
    let before = fs::read(&scan).unwrap();
    fs::remove_file(&scan).unwrap();
    gateway.until("it is held back", |g| ask(g) == 503);
    let reply = send(&gateway.origin, "GET", "/readyz", &[], b"");
    assert_eq!((reply.status, reply.text().trim()), (503, "upstream `u` is held back"));
    assert!(gateway.log().contains("no examination of this model is on record"));
    fs::write(&scan, &before).unwrap();
    gateway.until("it is routed to again", |g| ask(g) == 200);

    // A file that nobody signed.
    fs::write(folder.join("model/new.py"), "").unwrap();
    gateway.hang_up();
    gateway.until("it is held back", |g| ask(g) == 503);
    fs::remove_file(folder.join("model/new.py")).unwrap();
    gateway.hang_up();
    gateway.until("it is routed to again", |g| ask(g) == 200);

    // Nothing says where the model is from.
    gateway.replace("bartizan.toml", &config("chain"));
    gateway.until("it is held back", |g| ask(g) == 503);
    assert!(gateway.log().contains("its chain is broken at model `model`"), "{}", gateway.log());
}
