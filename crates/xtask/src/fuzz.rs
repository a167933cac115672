//! Fuzzing with libFuzzer on the toolchain that builds everything else, and the replay of its corpora.
//!
//! Coverage is LLVM's SanitizerCoverage pass, which a stable compiler runs when it is asked to. Only the address
//! sanitizer needs cargo-fuzz and nightly, and the crates that read hostile input have no `unsafe`.
//! <https://llvm.org/docs/LibFuzzer.html>, <https://clang.llvm.org/docs/SanitizerCoverage.html>

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::runner::{self, Selection};
use crate::{Result, bench, repo};

/// Counters on every edge, the table that names them, and the operands of comparisons.
const COVERAGE: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Cforce-frame-pointers",
];

/// Longest input, in bytes: most laws of the targets cost more than linear time in tests.
const LONGEST: usize = 8192;

/// What was fuzzed so far.
#[derive(Clone, Copy, Default)]
struct Total {
    inputs: u64,
    /// Processor time.
    seconds: u64,
    /// Edges that the last run reached.
    edges: u64,
    corpus: u64,
}

/// Fuzzes one target for so many seconds of processor time (a minute, where nothing is said). What it finds is kept in
/// the cache folder, where the next run goes on.
pub(crate) fn run(target: &str, seconds: Option<&str>) -> Result {
    let root = repo::root();
    let seeds = root.join("fuzz/corpus").join(target);
    if !root.join("fuzz/targets").join(format!("{target}.rs")).exists() {
        return Err(format!("no fuzz target `{target}`; see fuzz/targets"));
    }
    let seconds: u64 =
        seconds.unwrap_or("60").parse().map_err(|_| "`--seconds` needs a whole number of seconds".to_owned())?;
    let program = build(target)?;
    let home = repo::cache()?.join("fuzz").join(target);
    let (corpus, crashes) = (home.join("corpus"), home.join("crashes"));
    for folder in [&corpus, &crashes] {
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot create `{}`: {e}", folder.display()))?;
    }
    let state = home.join("total");
    let mut total = read(&state);
    let mut left = seconds;
    while left > 0 {
        let mut command = Command::new(&program);
        command
            .args([format!("-max_total_time={left}"), format!("-max_len={LONGEST}")])
            .args(["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=2048", "-reload=0"])
            .arg(format!("-artifact_prefix={}/", crashes.display()))
            .args([&corpus, &seeds]);
        let before = bench::children_cpu().unwrap_or_default();
        let ended = follow(&mut command, &mut total);
        let used = bench::children_cpu().unwrap_or(Duration::MAX).saturating_sub(before).as_secs().max(1).min(left);
        total.seconds += used;
        left -= used;
        write(&state, total)?;
        ended.map_err(|e| {
            format!("{e}; the input is in `{}`: mend it, and keep it in fuzz/corpus", crashes.display())
        })?;
    }
    println!(
        "{target}: {} inputs in {} CPU minutes so far; {} edges, {} files in `{}`",
        total.inputs,
        total.seconds / 60,
        total.edges,
        total.corpus,
        corpus.display()
    );
    Ok(())
}

/// Builds one target with coverage; answers with the program.
fn build(target: &str) -> Result<std::path::PathBuf> {
    let host = repo::output(Command::new("rustc").arg("-vV").current_dir(repo::root()))?;
    let host = host.lines().find_map(|l| l.strip_prefix("host: ")).ok_or("rustc does not name its host")?.to_owned();
    let folder = repo::root().join("fuzz/target");
    // With `--target`, build scripts and macros are not instrumented.
    let mut command =
        repo::cargo(&["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", &host, "--bin", target]);
    command.arg("--target-dir").arg(&folder).env("RUSTFLAGS", COVERAGE.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    repo::run(&mut command)?;
    Ok(folder.join(host).join("release").join(target))
}

/// Runs the fuzzer, passes on what it says, and adds up what it did.
fn follow(command: &mut Command, total: &mut Total) -> Result {
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|e| format!("cannot start the fuzzer: {e}"))?;
    let said = child.stderr.take().ok_or("the fuzzer has no standard error")?;
    for line in BufReader::new(said).split(b'\n').map_while(std::result::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            total.inputs += count.trim().parse::<u64>().unwrap_or(0);
        }
        total.edges = after(&line, " cov: ").unwrap_or(total.edges);
        total.corpus = after(&line, " corp: ").unwrap_or(total.corpus);
        // A line for each new input would bury the rest.
        if !line.contains("\tNEW ") && !line.contains("\tREDUCE ") {
            eprintln!("{line}");
        }
    }
    let status = child.wait().map_err(|e| format!("cannot wait for the fuzzer: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("the fuzzer ended with {status}")) }
}

/// The number behind a word of one of libFuzzer's lines.
fn after(line: &str, word: &str) -> Option<u64> {
    let rest = line.split_once(word)?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn read(state: &Path) -> Total {
    let text = std::fs::read_to_string(state).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Total { inputs: next(), seconds: next(), edges: next(), corpus: next() }
}

fn write(state: &Path, total: Total) -> Result {
    let Total { inputs, seconds, edges, corpus } = total;
    std::fs::write(state, format!("{inputs} {seconds} {edges} {corpus}\n"))
        .map_err(|e| format!("cannot write `{}`: {e}", state.display()))
}

/// Runs every corpus file through its target's body.
pub(crate) fn replay() -> Result {
    let selection = Selection { package: Some("bartizan"), filter: Some("fuzz_replay"), ..Selection::default() };
    runner::run(runner::command(selection, "")).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_line_are_read() {
        let line = "#524288\tpulse  cov: 1374 ft: 5230 corp: 1130/95Kb lim: 1200 exec/s: 87381 rss: 75Mb";
        assert_eq!(
            (after(line, " cov: "), after(line, " corp: "), after(line, " none: ")),
            (Some(1374), Some(1130), None)
        );
    }
}
