//! Benchmarks print numbers; tests do not time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, artifacts, phones, repo};

/// Runs one benchmark.
pub(crate) fn run(name: &str, args: &[&str]) -> Result {
    match name {
        "startup" => startup(),
        "build" => cold_build(),
        "artifacts" => artifacts::run(&release_binary()?, args),
        "abuse" => simulated(args),
        "phones" => phones::run(&release_binary()?),
        "vault" => vault(),
        _ => inside(name, args),
    }
}

/// The simulation of the crate `abuse`, which needs nothing of the binary.
fn simulated(args: &[&str]) -> Result {
    repo::run(&mut repo::cargo(&[
        "build",
        "--release",
        "--quiet",
        "--package",
        "bartizan-abuse",
        "--example",
        "simulate",
    ]))?;
    let program = repo::target()?.join("release").join("examples").join("simulate");
    let used = measure(Command::new(program).args(args).current_dir(repo::root()))?;
    println!("process: {}", used.line());
    Ok(())
}

/// The ignored test of the crate `guard` that plays 10,000 conversations of agents through the vault and counts what
/// got where it must not.
fn vault() -> Result {
    let test =
        ["nextest", "run", "--package", "bartizan-guard", "--run-ignored", "only", "--no-capture", "ten_thousand"];
    let used = measure(&mut repo::cargo(&test))?;
    println!("process: {}", used.line());
    Ok(())
}

/// A benchmark that the release binary brings, run as a process of its own and measured from outside as well.
fn inside(name: &str, args: &[&str]) -> Result {
    let binary = release_binary()?;
    let used = measure(Command::new(binary).arg("bench").arg(name).args(args).current_dir(repo::root()))?;
    println!("process: {}", used.line());
    Ok(())
}

/// Size of the binary, and the time of a command that does nothing.
fn startup() -> Result {
    let binary = release_binary()?;
    let size = std::fs::metadata(&binary).map_err(|e| format!("cannot read `{}`: {e}", binary.display()))?.len();
    println!("binary: {:.1} MB", size as f64 / 1e6);
    let mut walls = Vec::new();
    for _ in 0..51 {
        walls.push(measure(Command::new(&binary).arg("--version").stdout(Stdio::null()))?.wall);
    }
    walls.sort_unstable();
    println!("bartizan --version: median {:.1} ms, worst {:.1} ms of {}", ms(walls[25]), ms(walls[50]), walls.len());
    Ok(())
}

/// The README's first command on a machine that has the sources of all crates but built nothing.
fn cold_build() -> Result {
    repo::run(&mut repo::cargo(&["fetch", "--locked"]))?;
    let scratch = repo::Scratch::new("cold-build")?;
    let crates = repo::output(&mut repo::cargo(&[
        "tree",
        "--package",
        "bartizan",
        "--prefix",
        "none",
        "-e",
        "normal,build",
        "--no-dedupe",
    ]))?;
    let mut names: Vec<&str> = crates.lines().collect();
    names.sort_unstable();
    names.dedup();
    let used =
        measure(repo::cargo(&["build", "--release", "--locked", "--quiet"]).env("CARGO_TARGET_DIR", &scratch.0))?;
    println!("cold release build of {} crates: {}", names.len(), used.line());
    Ok(())
}

fn release_binary() -> Result<PathBuf> {
    repo::run(&mut repo::cargo(&["build", "--release", "--quiet", "--package", "bartizan"]))?;
    let binary = repo::target()?.join("release").join("bartizan");
    if binary.exists() { Ok(binary) } else { Err(format!("`{}` was not built", binary.display())) }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What a process used.
struct Used {
    wall: Duration,
    /// User and system time of it and of the children it waited for.
    cpu: Option<Duration>,
    /// Largest resident size seen, in bytes.
    resident: Option<u64>,
}

impl Used {
    fn line(&self) -> String {
        let cpu = self.cpu.map_or("cpu unknown".into(), |c| format!("{:.2} s cpu", c.as_secs_f64()));
        let resident =
            self.resident.map_or("memory unknown".into(), |r| format!("{:.1} MiB at most", r as f64 / 1_048_576.0));
        format!("{:.2} s wall, {cpu}, {resident}", self.wall.as_secs_f64())
    }
}

/// Runs a command to its end and says what it used.
pub(crate) fn used(command: &mut Command) -> Result<String> {
    measure(command).map(|used| used.line())
}

/// Runs a command to its end; anything but success is an error.
fn measure(command: &mut Command) -> Result<Used> {
    let before = children_cpu();
    let started = Instant::now();
    let mut child = command.spawn().map_err(|e| format!("cannot start the benchmark: {e}"))?;
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut resident = None;
    let mut pause = Duration::from_micros(200);
    let status = loop {
        resident = peak(&status_file).or(resident);
        if let Some(status) = child.try_wait().map_err(|e| format!("cannot wait for the benchmark: {e}"))? {
            break status;
        }
        std::thread::sleep(pause);
        // Short runs are timed finely, long ones are not disturbed.
        pause = (pause * 2).min(Duration::from_millis(50)).min(started.elapsed() / 20 + Duration::from_micros(200));
    };
    let wall = started.elapsed();
    let cpu = before.zip(children_cpu()).map(|(before, after)| after.saturating_sub(before));
    if status.success() { Ok(Used { wall, cpu, resident }) } else { Err(format!("the benchmark ended with {status}")) }
}

/// Linux: the high-water mark of a process.
fn peak(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Linux: processor time of all children that were waited for. The unit of /proc is a hundredth of a second.
pub(crate) fn children_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in the second field may hold spaces, so counting starts behind it.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(13..15)?.iter().filter_map(|f| f.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured() {
        // A tenth of a second of work, so that it shows in hundredths.
        let used = measure(Command::new("sh").args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]));
        let used = used.expect("it runs");
        assert!(used.cpu.expect("known on Linux") > Duration::ZERO);
        assert!(used.resident.expect("known on Linux") > 100_000);
        assert!(used.wall > Duration::ZERO);
    }

    #[test]
    fn a_failing_process_is_an_error() {
        assert!(measure(&mut Command::new("false")).is_err());
    }
}
