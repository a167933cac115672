//! `bartizan sign` and `verify` as a user runs them, on signatures that the reference implementation made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sign/fixtures").join(name)
}

pub(crate) fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan")).current_dir(folder).env_clear().args(args).output().unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The text with what differs between runs, digests and keys, as one word.
pub(crate) fn masked(text: &str) -> String {
    let masked = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let hex = bare.len() >= 12 && bare.chars().all(|c| c.is_ascii_hexdigit());
        if hex { word.replace(bare, "[HEX]") } else { word.to_owned() }
    };
    text.split_inclusive(' ').flat_map(|part| part.split_inclusive('\n')).map(masked).collect()
}

/// A fresh key in the folder, as `NAME.pem` and `NAME.pub`.
pub(crate) fn key(folder: &Path, name: &str) {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let pem = |word: &str, der: &[u8]| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {word}-----\n{text}\n-----END {word}-----\n")
    };
    // Split, so that no scanner of secrets takes it for a key that leaked.
    let private = pem(&["PRIVATE", "KEY"].join(" "), pair.to_pkcs8v1().unwrap().as_ref());
    fs::write(folder.join(format!("{name}.pem")), private).unwrap();
    fs::write(folder.join(format!("{name}.pub")), pem("PUBLIC KEY", pair.public_key().as_der().unwrap().as_ref()))
        .unwrap();
}

/// A copy of the model that the reference signed.
fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in ["a.txt", "a b.txt", "a/b", "empty.py", "sub/w.bin"] {
        let to = folder.path().join("model").join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(fixture("model").join(path), to).unwrap();
    }
    folder
}

fn verify(folder: &Path, more: &[&str]) -> Output {
    let signature = fixture("p384.sig");
    let key = fixture("p384.pub");
    let mut args = vec!["verify", "model", "model", "--signature", signature.to_str().unwrap()];
    args.extend(["--public-key", key.to_str().unwrap()]);
    args.extend(more);
    run(folder, &args)
}

#[test]
fn models_that_the_reference_signed_verify() {
    let folder = model();
    for (signature, trust) in [("p256", "p256.pub"), ("p384", "p384.pub"), ("p521", "p521.pub"), ("leaf", "root.pem")] {
        let (file, trust) = (fixture(&format!("{signature}.sig")), fixture(trust));
        let flag = if signature == "leaf" { "--certificate-chain" } else { "--public-key" };
        let args = ["verify", "model", "model", "--signature", file.to_str().unwrap(), flag, trust.to_str().unwrap()];
        let output = run(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let sigstore = fixture("sigstore");
    let args = [
        "verify",
        "model",
        "model",
        "--signature",
        "model.sig",
        "--trust-root",
        "trusted_root.json",
        "--identity",
        "stefanb@us.ibm.com",
        "--identity-provider",
        "https://sigstore.verify.ibm.com/oauth2",
    ];
    let output = run(&sigstore, &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn every_difference_is_told_and_makes_the_exit_code_one() {
    let folder = model();
    let at = |path: &str| folder.path().join("model").join(path);
    assert_eq!(verify(folder.path(), &[]).status.code(), Some(0));
    fs::write(at("a.txt"), "hellO").unwrap();
    fs::remove_file(at("sub/w.bin")).unwrap();
    // The reference passes empty files where models are signed in shards.
    fs::write(at("sub/__init__.py"), "").unwrap();
    let output = verify(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(masked(&text(&output)), @"
    not verified: model (5 signed files), signed by key [HEX]
      changed   a.txt  signed [HEX] found [HEX]
      unsigned  sub/__init__.py
      missing   sub/w.bin
    ");
    let output = verify(folder.path(), &["--format", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &json["verified"]), (Some(1), &Value::Bool(false)));
    let of =
        |path: &str| json["files"].as_array().unwrap().iter().find(|f| f["path"] == path).unwrap()["status"].clone();
    assert_eq!(
        (of("a.txt"), of("sub/w.bin"), of("sub/__init__.py")),
        ("changed".into(), "missing".into(), "unsigned".into())
    );

    let folder = model();
    fs::write(folder.path().join("model/new"), "").unwrap();
    assert_eq!(verify(folder.path(), &["--ignore-unsigned-files"]).status.code(), Some(3));
    assert_eq!(verify(folder.path(), &["--ignore-path", "new"]).status.code(), Some(0));
}

#[test]
fn who_did_not_sign_is_not_believed() {
    let folder = model();
    for (signature, flag, trust, why) in [
        ("p384.sig", "--public-key", "p256.pub", "another key"),
        ("expired.sig", "--certificate-chain", "root.pem", "expired"),
        ("p384.sig", "--certificate-chain", "root.pem", "signed with a key"),
    ] {
        let (signature, trust) = (fixture(signature), fixture(trust));
        let args =
            ["verify", "model", "model", "--signature", signature.to_str().unwrap(), flag, trust.to_str().unwrap()];
        let output = run(folder.path(), &args);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
    }
    // An identity holds for certificates beside a trust root, too, and a bare key has none.
    let path = |name: &str| fixture(name).to_str().unwrap().to_owned();
    let (leaf, chain, root) = (path("leaf.sig"), path("root.pem"), path("sigstore/trusted_root.json"));
    let issuer = "https://accounts.example";
    let named = |identity: &str| {
        let args = ["verify", "model", "model", "--signature", &leaf, "--certificate-chain", &chain];
        let more = ["--trust-root", &root, "--identity", identity, "--identity-provider", issuer];
        run(folder.path(), &[&args[..], &more].concat())
    };
    assert_eq!(named("signer@models.example").status.code(), Some(0));
    let other = named("other@models.example");
    assert!(other.status.code() == Some(1) && text(&other).contains("names somebody else"), "{}", text(&other));
    let bare = verify(folder.path(), &["--identity", "signer@models.example"]);
    assert!(bare.status.code() == Some(2) && text(&bare).contains("a bare key names nobody"), "{}", text(&bare));

    let bundle = fs::read_to_string(fixture("p384.sig")).unwrap();
    fs::write(folder.path().join("cut.sig"), &bundle[..bundle.len() / 2]).unwrap();
    for (args, why) in [
        (&["verify", "model", "model", "--signature", "cut.sig", "--public-key", "k"][..], "cannot read `k`"),
        (&["verify", "model", "model", "--signature", "cut.sig"], "nobody is trusted"),
        (&["sign", "model", "model", "--key", "model/a.txt"], "there is no private key"),
        (&["sign", "model", "nowhere", "--key", "env:NO_SUCH_KEY"], "is not set"),
    ] {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
    }
}

#[test]
fn what_is_signed_here_verifies_and_a_change_does_not() {
    let folder = model();
    key(folder.path(), "k");
    let sign = ["sign", "model", "model", "--key", "k.pem", "-o", "model/model.sig", "--ignore-path", "a"];
    let output = run(folder.path(), &sign);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let verify = ["verify", "model", "model", "--signature", "model/model.sig", "--public-key", "k.pub"];
    // The signature leaves out files that are there.
    let output = run(folder.path(), &verify);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("ignored   a/b"), "{}", text(&output));
    fs::remove_dir_all(folder.path().join("model/a")).unwrap();
    assert_eq!(run(folder.path(), &verify).status.code(), Some(0));
    fs::write(folder.path().join("model/empty.py"), "x").unwrap();
    assert_eq!(run(folder.path(), &verify).status.code(), Some(1));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a.txt", folder.path().join("model/link")).unwrap();
        let output = run(folder.path(), &sign);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains("--allow-symlinks"), "{}", text(&output));
    }
}
