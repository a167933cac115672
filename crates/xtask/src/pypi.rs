//! Tools from PyPI, at fixed versions, each set in an environment of its own in the cache.

use std::path::PathBuf;
use std::process::Command;

use crate::{Result, repo};

/// The folder with the programs of these packages.
pub(crate) fn tools(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = repo::cache()?.join(name);
    let python = folder.join("bin/python");
    if !python.exists() {
        repo::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    repo::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"]).args(packages))?;
    Ok(folder.join("bin"))
}
