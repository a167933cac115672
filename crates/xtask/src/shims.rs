//! The Python callers of the scanner against the real program.

use std::process::Command;

use crate::{Result, pypi, repo};

/// What the callers need, and the engines that they are for.
const NEEDED: &[&str] = &["pyarrow"];
const ENGINES: &[&str] = &["datasets", "ray[data]", "pyspark", "pandas"];

/// Builds the program and runs the tests; with `all` the engines are installed too (Spark needs Java).
pub(crate) fn run(all: bool) -> Result {
    let tools = if all { pypi::tools("shims-all", &[NEEDED, ENGINES].concat()) } else { pypi::tools("shims", NEEDED) }?;
    repo::run(&mut repo::cargo(&["build", "-q", "-p", "bartizan"]))?;
    let bartizan = repo::target()?.join("debug/bartizan");
    let folder = repo::root().join("python");
    let mut tests = Command::new(tools.join("python"));
    tests.args(["-m", "unittest", "discover", "-s", "tests", "-v"]).current_dir(&folder);
    repo::run(tests.env("PYTHONPATH", &folder).env("BARTIZAN", bartizan))
}
