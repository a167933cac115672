//! Model signatures both ways between this program and the reference implementation.

use std::path::Path;
use std::process::Command;

use crate::{Result, pypi, repo};

/// The reference, and what it needs beside what it declares.
const REFERENCE: [&str; 2] = ["model-signing==1.1.1", "pyOpenSSL==26.4.0"];

/// Names of curves, as OpenSSL writes them.
const CURVES: [&str; 3] = ["prime256v1", "secp384r1", "secp521r1"];

/// Signs with each and verifies with the other, for every curve and for certificates.
pub(crate) fn run() -> Result {
    let reference = pypi::tools("model-signing", &REFERENCE)?.join("model_signing");
    repo::run(&mut repo::cargo(&["build", "-q", "-p", "bartizan"]))?;
    let bartizan = repo::target()?.join("debug/bartizan");
    let folder = repo::Scratch::new("signing")?;
    let home = folder.0.as_path();
    let step = |program: &Path, args: &[&str]| repo::run(Command::new(program).args(args).current_dir(home));
    let openssl = |args: &[&str]| step(Path::new("openssl"), args);
    for path in ["model/sub", "model/a"] {
        std::fs::create_dir_all(home.join(path)).map_err(|e| e.to_string())?;
    }
    for (path, text) in
        [("model/a.txt", "hello"), ("model/a/b", "y"), ("model/sub/w.bin", "weights"), ("model/empty", "")]
    {
        std::fs::write(home.join(path), text).map_err(|e| e.to_string())?;
    }
    for curve in CURVES {
        openssl(&["ecparam", "-name", curve, "-genkey", "-noout", "-out", "key.pem"])?;
        openssl(&["ec", "-in", "key.pem", "-pubout", "-out", "key.pub"])?;
        step(&bartizan, &["sign", "model", "model", "--key", "key.pem", "-o", "ours.sig"])?;
        step(&reference, &["verify", "key", "--public_key", "key.pub", "--signature", "ours.sig", "model"])?;
        step(&reference, &["sign", "key", "--private_key", "key.pem", "--signature", "theirs.sig", "model"])?;
        step(&bartizan, &["verify", "model", "model", "--signature", "theirs.sig", "--public-key", "key.pub"])?;
    }
    openssl(&["ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "root.key"])?;
    openssl(&["req", "-x509", "-new", "-key", "root.key", "-days", "2", "-subj", "/CN=root", "-out", "root.pem"])?;
    openssl(&["req", "-new", "-key", "key.pem", "-subj", "/CN=signer", "-out", "leaf.csr"])?;
    std::fs::write(
        home.join("leaf.ext"),
        "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n",
    )
    .map_err(|e| e.to_string())?;
    openssl(&[
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-CAcreateserial",
        "-days",
        "1",
        "-extfile",
        "leaf.ext",
        "-out",
        "leaf.pem",
    ])?;
    let signed = ["--key", "key.pem", "--certificate", "leaf.pem", "--certificate-chain", "root.pem", "-o", "ours.sig"];
    step(&bartizan, &[&["sign", "model", "model"][..], &signed].concat())?;
    step(
        &reference,
        &["verify", "certificate", "--certificate_chain", "root.pem", "--signature", "ours.sig", "model"],
    )?;
    step(
        &reference,
        &[
            "sign",
            "certificate",
            "--private_key",
            "key.pem",
            "--signing_certificate",
            "leaf.pem",
            "--certificate_chain",
            "root.pem",
            "--signature",
            "theirs.sig",
            "model",
        ],
    )?;
    step(&bartizan, &["verify", "model", "model", "--signature", "theirs.sig", "--certificate-chain", "root.pem"])?;
    println!("both ways, for {} and certificates", CURVES.join(", "));
    Ok(())
}
