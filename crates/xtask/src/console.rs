//! The console's built files: made from `console/` with npm, committed, and checked without it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, components, repo};

const SOURCES: &str = "console";
const BUILT: &str = "crates/gateway/console";
/// What the built files were made of, and what they are.
const LOCK: &str = "console/built.lock";

/// Builds them anew.
pub(crate) fn build() -> Result {
    let folder = repo::root().join(SOURCES);
    repo::run(Command::new("npm").args(["install", "--no-save", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    repo::run(Command::new("npm").args(["run", "build"]).current_dir(&folder))?;
    let path = repo::root().join(LOCK);
    std::fs::write(&path, state()?).map_err(|e| format!("cannot write `{}`: {e}", path.display()))
}

/// Fails where sources or built files are not those of the last build.
pub(crate) fn check() -> Result {
    let path = repo::root().join(LOCK);
    let known = std::fs::read_to_string(&path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    let now = state()?;
    if known == now {
        return Ok(());
    }
    let differ: Vec<_> = now.lines().filter(|line| !known.lines().any(|k| k == *line)).collect();
    Err(format!("the built console is not current, run `cargo xtask console`\n  {}", differ.join("\n  ")))
}

/// The main ways through the console, in a real browser.
pub(crate) fn walk() -> Result {
    repo::run(&mut repo::cargo(&["build", "--package", "bartizan"]))?;
    let folder = repo::root().join(SOURCES);
    repo::run(Command::new("npm").args(["install", "--no-save", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    let binary = repo::target()?.join("debug/bartizan");
    let components = components::fetch(components::Group::Gate)?;
    let mut walk = Command::new("node");
    walk.arg("walk.mjs").env("BARTIZAN", binary).env(components::VARIABLE, components).current_dir(&folder);
    repo::run(&mut walk)
}

/// One line for each file: path and digest.
fn state() -> Result<String> {
    let mut lines = Vec::new();
    for file in files()? {
        let path = repo::root().join(&file);
        let bytes = std::fs::read(&path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
        lines.push(format!("{:016x}  {}\n", fnv1a(&bytes), file.display()));
    }
    Ok(lines.concat())
}

fn files() -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        ["package.json", "package-lock.json", "tsconfig.json", "vite.config.js", "index.html"]
            .iter()
            .map(|name| Path::new(SOURCES).join(name))
            .collect();
    for folder in [&format!("{SOURCES}/src"), &format!("{SOURCES}/public"), BUILT] {
        let entries = std::fs::read_dir(repo::root().join(folder));
        let entries = entries.map_err(|e| format!("cannot list `{folder}`: {e}"))?;
        found.extend(entries.flatten().map(|entry| Path::new(folder).join(entry.file_name())));
    }
    found.sort();
    Ok(found)
}

/// FNV-1a, 64 bits. It notices a file that somebody forgot, and is no proof against anybody.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_is_the_published_one() {
        // From the reference of the algorithm (Fowler, Noll, Vo).
        assert_eq!(super::fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
