//! `cargo xtask test`: everything that has to pass before a change lands.

use std::time::{Duration, Instant};

use crate::components::{self, Group};
use crate::runner::{self, Count, Selection};
use crate::{Result, bench, console, deps, generated, repo};

struct Gate<'a> {
    only: &'a [&'a str],
    done: Vec<(&'static str, Duration, Option<String>)>,
}

impl Gate<'_> {
    /// Runs one phase unless others were asked for; the rest goes on if it fails, so that one run shows everything.
    fn phase<T: Default>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        if !self.only.is_empty() && !self.only.contains(&name) {
            return Some(T::default());
        }
        println!("── {name}");
        let started = Instant::now();
        let (value, error) = match work() {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        if let Some(error) = &error {
            eprintln!("error: {error}");
        }
        self.done.push((name, started.elapsed(), error));
        value
    }

    fn summary(&self, count: Option<Count>) -> Result {
        println!("── summary");
        for (name, took, error) in &self.done {
            let first = error.as_deref().and_then(|e| e.lines().next());
            let state = first.map_or_else(|| "ok".to_owned(), |first| format!("FAILED  {first}"));
            println!("{name:<12} {:>7.1} s  {state}", took.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|(_, took, _)| *took).sum();
        println!("{:<12} {:>7.1} s", "total", total.as_secs_f64());
        let broken: Vec<&str> = self.done.iter().filter(|(.., e)| e.is_some()).map(|(name, ..)| *name).collect();
        if let Some(Count { passed, failed, skipped }) = count {
            println!("{passed} passed, {failed} failed, {skipped} skipped");
        }
        if broken.is_empty() { Ok(()) } else { Err(format!("failed: {}", broken.join(", "))) }
    }
}

const PHASES: &[&str] = &["components", "deps", "format", "lint", "build", "generated", "docs", "tests", "budgets"];

/// Runs the named phases, or all.
pub(crate) fn run(only: &[&str]) -> Result {
    if let Some(unknown) = only.iter().find(|p| !PHASES.contains(p)) {
        return Err(format!("no phase `{unknown}`; there are {}", PHASES.join(", ")));
    }
    let mut gate = Gate { only, done: Vec::new() };
    let fetched = gate.phase("components", || components::fetch(Group::Gate)).unwrap_or_default();
    gate.phase("deps", deps::check);
    gate.phase("format", || {
        repo::run(&mut repo::cargo(&["fmt", "--all", "--", "--check", "-l"]))?;
        repo::run(&mut repo::cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--", "--check", "-l"]))
    });
    gate.phase("lint", || {
        repo::run(&mut repo::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    });
    let built = gate.phase("build", || {
        repo::run(&mut runner::command(Selection { no_run: true, ..Selection::default() }, &fetched))
    });
    if built.is_none() {
        return gate.summary(None);
    }
    gate.phase("generated", || generated::check().and_then(|()| console::check()));
    gate.phase("docs", || {
        // nextest runs no doc tests.
        if runner::has_nextest() {
            repo::run(&mut repo::cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
        }
        repo::run(repo::cargo(&["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
    // The corpora of the fuzz targets are replayed by tests of the binary.
    let mut count = None;
    gate.phase("tests", || {
        let (counted, done) = runner::run(runner::command(Selection::default(), &fetched));
        count = Some(counted);
        done
    });
    // Processor time of the release binary, which the README's first command builds as well. One program takes up to
    // three times as long on one machine as on another; the gate sees what grows beyond that, and prints the rest.
    gate.phase("budgets", || bench::run("budgets", &["--slack", "2"]));
    gate.summary(count)
}
