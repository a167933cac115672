//! The Python callers of the scanner against the real program.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, repo};

/// What the callers need, and the engines that they are for.
const NEEDED: &[&str] = &["pyarrow"];
const ENGINES: &[&str] = &["datasets", "ray[data]", "pyspark", "pandas"];

/// Builds the program and runs the tests; with `all` the engines are installed too (Spark needs Java).
pub(crate) fn run(all: bool) -> Result {
    let python = python(all)?;
    repo::run(&mut repo::cargo(&["build", "-q", "-p", "bartizan"]))?;
    let bartizan = repo::target()?.join("debug/bartizan");
    let folder = repo::root().join("python");
    let mut tests = Command::new(python);
    tests.args(["-m", "unittest", "discover", "-s", "tests", "-v"]).current_dir(&folder);
    repo::run(tests.env("PYTHONPATH", &folder).env("BARTIZAN", bartizan))
}

/// An interpreter with what is needed, in a virtual environment in the cache.
fn python(all: bool) -> Result<PathBuf> {
    let home = repo::cache()?.join(if all { "shims-all" } else { "shims" });
    let python = home.join("bin/python");
    if !python.is_file() {
        repo::run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        install(&home, NEEDED)?;
        if all {
            install(&home, ENGINES)?;
        }
    }
    Ok(python)
}

fn install(home: &Path, packages: &[&str]) -> Result {
    repo::run(Command::new(home.join("bin/pip")).args(["install", "-q"]).args(packages))
}
