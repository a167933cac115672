//! The long form of the fault run and of the smuggling test: the same tests as in the gate, with more cases.

use crate::{Result, repo};

/// Tests that go on for as long as they are told.
const TESTS: &[&str] = &["generated_framings_mean_one_thing", "nothing_unexamined_passes"];

/// Plays generated faults and framings for so many seconds each. The same seed makes the same exchanges.
pub(crate) fn run(args: &[&str]) -> Result {
    let (mut seed, mut seconds) = (2, 60);
    for pair in args.chunks(2) {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is not a number"));
        match *pair {
            ["--seed", text] => seed = number(text)?,
            ["--seconds", text] => seconds = number(text)?,
            _ => return Err("usage: cargo xtask faults [--seed N] [--seconds N]".into()),
        }
    }
    let mut command = repo::cargo(&["test", "--package", "bartizan-gateway", "--test", "it", "--"]);
    command.args(["--nocapture", "--test-threads=1"]).args(TESTS).env("BARTIZAN_FAULTS", format!("{seed} {seconds}"));
    repo::run(&mut command)
}
