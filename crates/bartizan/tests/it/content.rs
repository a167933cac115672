//! Content packs as an operator builds, installs and takes them back.

use std::fs;
use std::path::Path;

use bartizan_core::{Deed, Event, EventStore as _, TenantId};
use bartizan_store::{Evidence as _, SqliteStore};

use crate::http::{reply, send, serve_heads};
use crate::signing::{key, run, text};
use crate::support::Gateway;

const RULE: &str = r#"
[[rule]]
id = "secret/acme-badge"
summary = "Badge of ACME"
severity = "high"
confidence = "high"
type = "ACME_BADGE"
shapes = ["acme-badge-{digit:8}"]
references = ["CWE-798"]
fire = ["my acme-badge-{digit:8} is lost"]
silent = ["my acme-badge is lost"]
"#;

fn program(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = run(folder, args);
    (output.status.code(), text(&output))
}

/// A folder with two keys, a configuration that trusts the first, and a store.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    key(at, "vendor");
    key(at, "stranger");
    fs::write(
        at.join("bartizan.toml"),
        "[store]\npath = \"e.sqlite\"\n[content]\npublic_keys = [\"vendor.pub\"]\n[[client]]\nname = \"a\"\nkey = \"env:A\"\nprofile = \"strict\"\n[profile.strict]\n",
    )
    .unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = SqliteStore::open(&at.join("e.sqlite")).await.unwrap();
        store.append(Event { id: "e".into(), ..Event::default() }).await.unwrap();
        store.close().await;
    });
    folder
}

/// Builds a pack of these files.
fn pack(at: &Path, version: u32, signer: &str, files: &[(&str, &str)]) -> String {
    let name = format!("{signer}-{version}");
    for (path, text) in files {
        let path = at.join(&name).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let (file, key) = (format!("{name}.pack"), format!("{signer}.pem"));
    let version = version.to_string();
    let args = ["pack", "build", &name, "--name", "acme", "--version", &version, "--key", &key, "-o", &file];
    let (code, said) = program(at, &args);
    assert_eq!(code, Some(0), "{said}");
    file
}

fn fires(at: &Path) -> bool {
    fs::write(at.join("text"), "I lost acme-badge-73914820 today").unwrap();
    let (code, said) = program(at, &["check", "text"]);
    assert!(matches!(code, Some(0 | 1)), "{said}");
    assert_eq!(code == Some(1), said.contains("secret/acme-badge"), "{said}");
    code == Some(1)
}

#[test]
fn a_pack_is_in_force_until_it_is_rolled_back() {
    let folder = place();
    let at = folder.path();
    let one = pack(at, 1, "vendor", &[("rules/acme.toml", RULE)]);
    let two = pack(at, 2, "vendor", &[("rules/other.toml", &RULE.replace("acme-badge", "acme-plate"))]);
    let (code, said) = program(at, &["pack", "show", &one, "--public-key", "vendor.pub"]);
    assert!(code == Some(0) && said.contains("acme 1,") && said.contains("rules/acme.toml"), "{said}");

    assert!(!fires(at));
    let (code, said) = program(at, &["update", "--from", &one]);
    assert!(code == Some(0) && said.contains("acme 1 is in force (1 files of rules)"), "{said}");
    assert!(fires(at));
    let (_, said) = program(at, &["doctor"]);
    assert!(said.contains("acme 1, made") && said.contains("signed by key"), "{said}");
    let (code, said) = program(at, &["update", "--from", &one]);
    assert!(code == Some(0) && said.contains("already"), "{said}");

    assert_eq!(program(at, &["update", "--from", &two]).0, Some(0));
    assert!(!fires(at));
    let (code, said) = program(at, &["update", "--from", &one]);
    assert!(code == Some(2) && said.contains("is not newer than 2"), "{said}");
    let (code, said) = program(at, &["update", "--roll-back"]);
    assert!(code == Some(0) && said.contains("acme 1 is in force again"), "{said}");
    assert!(fires(at));
    // What was rolled back comes again only where somebody says so.
    let (code, said) = program(at, &["update", "--from", &two]);
    assert!(code == Some(2) && said.contains("is not newer than 2"), "{said}");
    // The file that keeps the versions may be damaged or gone; the records keep them too.
    let versions = at.join("e.sqlite.content/highest");
    let kept = fs::read(&versions).unwrap();
    fs::write(&versions, "acme\n").unwrap();
    let (code, said) = program(at, &["update", "--from", &two]);
    assert!(code == Some(2) && said.contains("line 1 is no name with a version"), "{said}");
    fs::remove_file(&versions).unwrap();
    let (code, said) = program(at, &["update", "--from", &two]);
    assert!(code == Some(2) && said.contains("is not newer than 2"), "{said}");
    fs::write(&versions, kept).unwrap();
    assert_eq!(program(at, &["update", "--from", &two, "--allow-older"]).0, Some(0));
    assert_eq!(program(at, &["update", "--from", &one, "--allow-older"]).0, Some(0));
    assert_eq!(program(at, &["update", "--roll-back"]).0, Some(0));
    let (code, said) = program(at, &["update", "--roll-back"]);
    assert!(code == Some(0) && said.contains("shipped is in force again"), "{said}");
    assert!(!fires(at));
    assert_eq!(program(at, &["update", "--roll-back"]).0, Some(2));

    let acts = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = SqliteStore::open_read_only(&at.join("e.sqlite")).await.unwrap();
        store.deeds(&TenantId::sole(), Deed::ContentChanged, None, 99).await.unwrap()
    });
    assert_eq!(acts.len(), 7);
    assert_eq!(acts[0].subject, "acme 1");
    assert!(acts[0].detail["rules"] != acts[1].detail["rules"] && acts[0].detail.contains_key("digest"));
}

#[test]
fn what_nobody_trusted_signed_or_cannot_be_used_is_refused_and_changes_nothing() {
    let folder = place();
    let at = folder.path();
    let good = pack(at, 3, "vendor", &[("rules/acme.toml", RULE)]);
    assert_eq!(program(at, &["update", "--from", &good]).0, Some(0));
    let refused = |file: &str, why: &str| {
        let (code, said) = program(at, &["update", "--from", file]);
        assert!(code == Some(2) && said.contains(why), "{why}: {said}");
        assert!(fires(at), "{why}");
    };
    refused(&pack(at, 9, "stranger", &[("rules/acme.toml", RULE)]), "another key than the trusted ones");
    let mut bytes = fs::read(at.join(&good)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(at.join("changed.pack"), bytes).unwrap();
    refused("changed.pack", "is not the file that was signed");
    fs::write(at.join("none.pack"), "text").unwrap();
    refused("none.pack", "not a content pack");
    refused("missing.pack", "cannot read");

    let args =
        ["pack", "build", "vendor-3", "--name", "acme", "--version", "4", "--key", "vendor.pem", "-o", "later.pack"];
    assert_eq!(program(at, &[&args[..], &["--program", "99.0.0"]].concat()).0, Some(2));
    // Weights that do not load are found when the pack is made.
    fs::create_dir_all(at.join("bad/classifier")).unwrap();
    fs::write(at.join("bad/classifier/injection.bin"), "weights").unwrap();
    let args = ["pack", "build", "bad", "--name", "acme", "--version", "5", "--key", "vendor.pem", "-o", "bad.pack"];
    let (code, said) = program(at, &args);
    assert!(code == Some(2) && said.contains("the model cannot be read") && !at.join("bad.pack").exists(), "{said}");
    fs::create_dir_all(at.join("odd")).unwrap();
    fs::write(at.join("odd/notes.txt"), "x").unwrap();
    let args = ["pack", "build", "odd", "--name", "acme", "--version", "5", "--key", "vendor.pem", "-o", "odd.pack"];
    let (code, said) = program(at, &args);
    assert!(code == Some(2) && said.contains("no place for it"), "{said}");
}

#[test]
fn an_installed_pack_that_was_changed_is_never_passed_over() {
    let folder = place();
    let at = folder.path();
    let one =
        pack(at, 1, "vendor", &[("profiles.toml", "[strict]\nmode = \"monitor\"\n[relaxed]\nmode = \"monitor\"\n")]);
    assert_eq!(program(at, &["update", "--from", &one]).0, Some(0));
    // What the configuration says goes before what a pack says.
    let config = fs::read_to_string(at.join("bartizan.toml")).unwrap();
    fs::write(at.join("bartizan.toml"), config.replace("profile = \"strict\"", "profile = \"relaxed\"")).unwrap();
    assert_eq!(program(at, &["config", "check"]).0, Some(0));

    fs::write(at.join("text"), "hello").unwrap();
    let installed = at.join("e.sqlite.content/current.pack");
    let bytes = fs::read(&installed).unwrap();
    fs::write(&installed, &bytes[..bytes.len() - 1]).unwrap();
    for args in [&["check", "text"][..], &["config", "check"], &["up", "--upstream", "http://127.0.0.1:9/v1"]] {
        let (code, said) = program(at, args);
        assert!(code == Some(2) && said.contains("the installed content pack"), "{args:?}: {said}");
    }
    // The way out refuses too where the configuration needs the pack, and works where it does not.
    assert_eq!(program(at, &["update", "--roll-back"]).0, Some(2));
    fs::write(at.join("bartizan.toml"), config).unwrap();
    assert_eq!(program(at, &["update", "--roll-back"]).0, Some(0));
    assert_eq!(program(at, &["config", "check"]).0, Some(0));
}

#[test]
fn a_running_gateway_takes_a_pack_and_gives_it_back() {
    let upstream = serve_heads(|_, _, socket| reply(socket, "application/json", "{\"id\":\"i\",\"choices\":[]}"));
    let folder = place();
    let one = pack(folder.path(), 1, "vendor", &[("rules/acme.toml", RULE)]);
    let mut gateway = Gateway::configured_with(
        &format!(
            "[[upstream]]\nname = \"u\"\nurl = \"{upstream}/v1\"\n[content]\npublic_keys = [\"vendor.pub\"]\n\
             [[policy.rows]]\nrule = \"secret/*\"\nverdict = \"deny\"\n"
        ),
        &[("vendor.pub", &fs::read_to_string(folder.path().join("vendor.pub")).unwrap())],
    );
    fs::copy(folder.path().join(&one), gateway.folder().join("one.pack")).unwrap();
    let ask = |gateway: &Gateway| {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"I lost acme-badge-73914820 today"}]}"#;
        send(&gateway.origin, "POST", "/v1/chat/completions", &[], body).status
    };
    assert_eq!(ask(&gateway), 200);
    let (code, said) = program(gateway.folder(), &["update", "--from", "one.pack"]);
    assert_eq!(code, Some(0), "{said}");
    gateway.until("the pack is in force", |g| ask(g) == 400);
    assert_eq!(program(gateway.folder(), &["update", "--roll-back"]).0, Some(0));
    gateway.until("the pack is gone", |g| ask(g) == 200);
}
