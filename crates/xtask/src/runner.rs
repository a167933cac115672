//! Runs tests with nextest where it is installed, and counts them.

use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use crate::{Result, repo};

/// What a test run said at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

/// Which tests to run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Selection<'a> {
    /// One package instead of the whole workspace.
    pub(crate) package: Option<&'a str>,
    /// Part of the tests' names.
    pub(crate) filter: Option<&'a str>,
    /// The ignored tests instead of the others.
    pub(crate) ignored: bool,
    /// Only compile.
    pub(crate) no_run: bool,
}

/// True where `cargo nextest` is installed.
pub(crate) fn has_nextest() -> bool {
    repo::works(&mut repo::cargo(&["nextest", "--version"]))
}

/// The command that runs a selection.
pub(crate) fn command(selection: Selection<'_>, components: &str) -> Command {
    let nextest = has_nextest();
    let mut command = repo::cargo(if nextest { &["nextest", "run"] } else { &["test", "--all-targets"] });
    match selection.package {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    command.arg(if selection.no_run { "--no-run" } else { "--no-fail-fast" });
    if nextest {
        command.args(selection.ignored.then_some("--run-ignored=only")).args(selection.filter);
    } else {
        command.args(selection.filter).args(selection.ignored.then_some(["--", "--ignored"]).into_iter().flatten());
    }
    command.env(crate::components::VARIABLE, components);
    command
}

/// Runs the tests, shows their output and counts. No test at all is an error: a filter or a build went wrong.
pub(crate) fn run(command: Command) -> (Count, Result) {
    let mut count = Count::default();
    let done = run_counting(command, &mut count);
    (count, done)
}

fn run_counting(mut command: Command, count: &mut Count) -> Result {
    let pipe = |e: std::io::Error| format!("cannot open a pipe: {e}");
    let (reader, writer) = std::io::pipe().map_err(pipe)?;
    command.stdout(writer.try_clone().map_err(pipe)?).stderr(writer);
    let mut child = command.spawn().map_err(|e| format!("cannot start the tests: {e}"))?;
    // The command holds the write ends; the pipe only ends when they are closed.
    drop(command);
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line.map_err(pipe)?).into_owned();
        let _ = writeln!(out, "{line}");
        add(count, &line);
    }
    drop(out);
    let status = child.wait().map_err(|e| format!("cannot wait for the tests: {e}"))?;
    if !status.success() {
        Err(format!("tests failed ({} of {})", count.failed, count.passed + count.failed))
    } else if count.passed == 0 {
        Err("no test ran".into())
    } else {
        Ok(())
    }
}

/// Adds what a closing line of nextest or of a cargo test binary says.
fn add(count: &mut Count, line: &str) {
    let nextest = line.trim_start().starts_with("Summary [") && line.contains("run:");
    // nextest shows the output of a failing test indented, with a closing line of its own.
    if !nextest && !line.starts_with("test result:") {
        return;
    }
    let numbers = |word: &str| -> u64 {
        let mut words = line.split([' ', ',', ';', '(', ')']).filter(|w| !w.is_empty()).peekable();
        let mut found = 0;
        while let Some(current) = words.next() {
            if words.peek() == Some(&word) {
                found += current.parse::<u64>().unwrap_or(0);
            }
        }
        found
    };
    count.passed += numbers("passed");
    count.failed += numbers("failed") + numbers("timed");
    count.skipped += numbers("skipped") + numbers("ignored");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let mut count = Count::default();
        add(&mut count, "     Summary [   0.512s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped");
        assert_eq!(count, Count { passed: 10, failed: 2, skipped: 3 });
        add(
            &mut count,
            "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        assert_eq!(count, Count { passed: 15, failed: 2, skipped: 5 });
        add(&mut count, "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 226 filtered out");
        add(&mut count, "a test that says 7 passed");
        assert_eq!(count, Count { passed: 15, failed: 2, skipped: 5 });
    }
}
