//! Fuzzing with cargo-fuzz, and the replay of its corpora on stable.

use crate::runner::{self, Selection};
use crate::{Result, repo};

/// Fuzzes one target for some seconds, or until it is stopped.
pub(crate) fn run(target: &str, seconds: Option<&str>) -> Result {
    if !repo::root().join("fuzz/targets").join(format!("{target}.rs")).exists() {
        return Err(format!("no fuzz target `{target}`; see fuzz/targets"));
    }
    // Through the toolchain's own cargo: the sanitizers need nightly.
    let nightly = || {
        let mut command = std::process::Command::new("cargo");
        command
            .current_dir(repo::root())
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .arg("+nightly")
            .arg("fuzz");
        command
    };
    if !repo::works(nightly().arg("--version")) {
        return Err("needs a nightly toolchain and cargo-fuzz (`cargo install cargo-fuzz`)".into());
    }
    let mut command = nightly();
    command.args(["run", target, "--"]);
    if let Some(seconds) = seconds {
        let seconds: u32 = seconds.parse().map_err(|_| format!("`{seconds}` is not a number of seconds"))?;
        command.arg(format!("-max_total_time={seconds}"));
    }
    repo::run(&mut command)
}

/// Runs every corpus file through its target's body.
pub(crate) fn replay() -> Result {
    let selection = Selection { package: Some("bartizan"), filter: Some("fuzz_replay"), ..Selection::default() };
    runner::run(runner::command(selection, "")).1
}
