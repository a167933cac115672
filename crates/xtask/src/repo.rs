//! Where things are, and how processes are run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    // Two levels above this crate, fixed when it was compiled.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

/// Cargo's target folder: this program runs from `TARGET/PROFILE/xtask`.
pub(crate) fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    exe.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| format!("`{}` is not in a target folder", exe.display()))
}

/// The user's cache for downloads, shared by all checkouts.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(path) = set("BARTIZAN_CACHE") {
        return Ok(path);
    }
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|b| b.join("bartizan")).ok_or_else(|| "neither BARTIZAN_CACHE nor HOME is set".into())
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// True on a CI machine, where a skipped test is a failed test.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true")
}

/// The cargo that started this program, in the workspace's root.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(args).stdin(Stdio::null());
    command
}

/// Runs to the end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", name(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", name(command))) }
}

/// Standard output of a command that succeeded.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start {}: {e}", name(command)))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(format!("{} ended with {}", name(command), done.status))
    }
}

/// True where the command can be run and succeeds; what it prints is dropped.
pub(crate) fn works(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// The first words of a command, as a person would type it.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args().take(4)).map(|w| w.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

/// A folder that is removed again.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(purpose: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("bartizan-{purpose}-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| format!("cannot create `{}`: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
