//! `bartizan keys exposed`: the provider's key in other hands.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::signing::{run, text};

#[test]
fn a_provider_key_is_found_elsewhere_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Put together here, so that no scanner takes it for a key that leaked.
    let key = ["provider", "0123456789abcdef", "xyz"].join("-");
    fs::create_dir_all(at("apps/deep")).unwrap();
    fs::write(at("provider_key"), format!("{key}\n")).unwrap();
    fs::write(
        at("bartizan.toml"),
        "[[upstream]]\nname = \"openai\"\nurl = \"https://api.example.org/v1\"\nkey = \"file:provider_key\"\n",
    )
    .unwrap();
    fs::write(at("apps/clean.env"), "OPENAI_API_KEY=something-else-altogether\n").unwrap();
    let exposed = |path: &str| {
        let output = run(folder.path(), &["keys", "exposed", path]);
        let said = text(&output);
        assert!(!said.contains(&key), "{said}");
        (output.status.code(), said)
    };
    let (code, said) = exposed("apps");
    assert!(code == Some(0) && said.contains("no provider's key was seen"), "{said}");

    fs::write(at("apps/.env"), format!("A=1\nOPENAI_API_KEY={key}\n")).unwrap();
    fs::write(at("apps/deep/secret.yaml"), format!("data:\n  key: {}\n", STANDARD.encode(format!("{key}\n")))).unwrap();
    let (code, said) = exposed("apps");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("apps/.env:2: the key of upstream `openai`\n"), "{said}");
    assert!(said.contains("apps/deep/secret.yaml:2: the key of upstream `openai`, in base64"), "{said}");
    // Where the configuration has it is no news.
    let (code, said) = exposed("provider_key");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(exposed("nowhere").0, Some(2));
}
