//! Fetches what the end-to-end tests need, through `crates/bartizan/tests/components/fetch.py`.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::{Result, repo};

const FOLDER: &str = "crates/bartizan/tests/components";

/// The variable that tells the tests where components are: `name=path` lines.
pub(crate) const VARIABLE: &str = "BARTIZAN_COMPONENTS";

/// Which components are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Those of the gate.
    Gate,
    /// The large ones too.
    Heavy,
}

/// What is there, as the value of [`VARIABLE`], after trying to fetch what is not. On a CI machine a missing
/// component that is not on the committed list is an error; elsewhere its tests are skipped.
pub(crate) fn fetch(group: Group) -> Result<String> {
    let there = match python() {
        Some(python) => fetch_with(&python, group)?,
        None => {
            eprintln!("python 3.10 or newer with `venv` is needed for the end-to-end tests and was not found");
            BTreeMap::new()
        }
    };
    let wanted: &[&str] = match group {
        Group::Gate => &["python", "smollm2", "mcp", "oidc", "envoy", "postgres"],
        Group::Heavy => &["python", "smollm2", "mcp", "oidc", "envoy", "postgres", "qwen", "litellm"],
    };
    let optional = optional()?;
    for name in wanted.iter().filter(|name| !there.contains_key(**name)) {
        if repo::is_ci() && !optional.iter().any(|o| o == name) {
            return Err(format!("component `{name}` is missing and not listed in {FOLDER}/optional.txt"));
        }
        eprintln!("component `{name}` is missing: the tests that need it are skipped");
    }
    Ok(there.iter().map(|(name, path)| format!("{name}={path}\n")).collect())
}

/// `cargo xtask components`.
pub(crate) fn print_export() -> Result {
    let value = fetch(Group::Gate)?;
    println!("export {VARIABLE}='{}'", value.trim_end().replace('\'', r"'\''"));
    Ok(())
}

fn fetch_with(python: &str, group: Group) -> Result<BTreeMap<String, String>> {
    let mut command = Command::new(python);
    command.current_dir(repo::root()).arg(format!("{FOLDER}/fetch.py")).arg("--cache").arg(repo::cache()?);
    if group == Group::Heavy {
        command.arg("--e2e");
    }
    // What is missing is told apart by name, so the exit code adds nothing; errors are already on standard error.
    let done = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start `{python}`: {e}"))?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    Ok(text.lines().filter_map(|l| l.split_once('=')).map(|(n, p)| (n.to_owned(), p.to_owned())).collect())
}

fn python() -> Option<String> {
    let candidates = ["python3", "python", "python3.13", "python3.12", "python3.11", "python3.10"];
    let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    candidates.iter().find(|p| repo::works(Command::new(p).args(["-c", check]))).map(ToString::to_string)
}

fn optional() -> Result<Vec<String>> {
    let path = repo::root().join(FOLDER).join("optional.txt");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}
