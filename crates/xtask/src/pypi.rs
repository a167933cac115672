//! Programs from PyPI, each set in a virtual environment of its own in the cache.

use std::path::PathBuf;
use std::process::Command;

use crate::{Result, repo};

/// The folder with the programs of an environment. `packages` are the arguments of `pip install`; an environment that was
/// made whole with the same ones is taken as it is.
pub(crate) fn tools(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = repo::cache()?.join(name);
    let (done, wanted) = (folder.join("complete"), packages.join("\n"));
    if std::fs::read_to_string(&done).ok().as_ref() != Some(&wanted) {
        repo::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        repo::run(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
        std::fs::write(&done, wanted).map_err(|e| format!("cannot write `{}`: {e}", done.display()))?;
    }
    Ok(folder.join("bin"))
}
