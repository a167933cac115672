//! `bartizan backup` and `restore` as an operator runs them.

use std::path::Path;

use bartizan_core::{Deed, Event, EventStore as _, TenantId};
use bartizan_store::{Evidence as _, SqliteStore};

use crate::http::{reply, serve_heads};
use crate::signing::{run, text};
use crate::support::Gateway;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

fn fill(path: &Path, count: u32) {
    block_on(async {
        let store = SqliteStore::open(path).await.unwrap();
        for n in 0..count {
            let time = "2026-01-02T03:04:05.000006Z".to_owned();
            store.append(Event { id: n.to_string(), time, ..Event::default() }).await.unwrap();
        }
        store.close().await;
    });
}

fn deeds(path: &Path, deed: Deed) -> usize {
    block_on(async {
        let store = SqliteStore::open_read_only(path).await.unwrap();
        store.deeds(&TenantId::sole(), deed, None, 9).await.unwrap().len()
    })
}

#[test]
fn a_store_is_copied_checked_and_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fill(&at("e.sqlite"), 3);
    let program = |args: &[&str]| {
        let output = run(folder.path(), args);
        (output.status.code(), text(&output))
    };
    let (code, said) = program(&["backup", "copy", "--store", "e.sqlite"]);
    assert_eq!(code, Some(0), "{said}");
    // The copy holds the record that it was made.
    assert!(said.contains("`copy`: 4 records") && said.contains("last record 3:"), "{said}");
    assert_eq!((deeds(&at("e.sqlite"), Deed::BackedUp), deeds(&at("copy/evidence.sqlite"), Deed::BackedUp)), (1, 1));
    let (code, said) = program(&["backup", "copy", "--store", "e.sqlite"]);
    assert!(code == Some(2) && said.contains("is there already"), "{said}");
    let (code, said) = program(&["restore", "nothere", "--check"]);
    assert!(code == Some(2) && said.matches("os error 2").count() == 1, "{said}");
    let (code, said) = program(&["restore", "copy", "--check"]);
    assert!(code == Some(0) && said.contains("4 records"), "{said}");
    let (code, said) = program(&["restore", "copy", "--store", "e.sqlite"]);
    assert!(code == Some(2) && said.contains("--replace"), "{said}");
    let (code, said) = program(&["restore", "copy", "--store", "e.sqlite", "--replace"]);
    assert!(code == Some(0) && said.contains("the one before is in"), "{said}");
    assert_eq!(deeds(&at("e.sqlite"), Deed::Restored), 1);
    let (code, said) = program(&["report", "verify", "--store", "e.sqlite"]);
    assert!(code == Some(0) && said.contains("5 records fit together"), "{said}");

    let mut bytes = std::fs::read(at("copy/evidence.sqlite")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(at("copy/evidence.sqlite"), bytes).unwrap();
    for args in [&["restore", "copy", "--check"][..], &["restore", "copy", "--store", "new.sqlite"]] {
        let (code, said) = program(args);
        assert!(code == Some(2) && said.contains("was changed or cut off"), "{said}");
    }
    assert!(!at("new.sqlite").exists());
}

#[test]
fn a_store_is_copied_while_a_gateway_writes_to_it() {
    let upstream = serve_heads(|_, _, socket| reply(socket, "application/json", "{\"id\":\"i\",\"choices\":[]}"));
    let gateway = Gateway::configured(&format!("[[upstream]]\nname = \"u\"\nurl = \"{upstream}/v1\"\n"));
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#;
    assert_eq!(crate::http::send(&gateway.origin, "POST", "/v1/chat/completions", &[], body).status, 200);
    let output = run(gateway.folder(), &["backup", "copy"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = run(gateway.folder(), &["restore", "copy", "--replace"]);
    let said = text(&output);
    assert!(output.status.code() == Some(2) && said.contains("is in use"), "{said}");
    let output = run(gateway.folder(), &["restore", "copy", "--store", "other.sqlite"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}
