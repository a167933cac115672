//! `bartizan bench sensitive`, its half about secrets: recall, false alarms and speed of the `secret/*` rules.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use bartizan_core::{Family, Source, Verdict};
use bartizan_guard::{Guard, Settings};
use serde::Deserialize;

use super::cpu_seconds;

/// Largest file of a code tree that is read; larger ones are data.
const LARGEST: u64 = 4 << 20;

/// A text, the rule that it was written for, and whether it holds a secret (`tp`) or only looks so (`fp`).
#[derive(Deserialize)]
struct Case {
    rule: String,
    kind: String,
    text: String,
}

/// Which cases one tool found something in, and in how many seconds of processor time.
struct Answers {
    name: String,
    found: Vec<bool>,
    seconds: Option<f64>,
}

fn guard() -> anyhow::Result<Guard> {
    let families = bartizan_rules::catalogue().into_iter().map(|rule| rule.id.family());
    let others: BTreeSet<String> = families.filter(|f| *f != Family::Secret).map(|f| format!("{f}/*")).collect();
    let disabled = others.into_iter().collect();
    let rules = bartizan_rules::Settings { disabled, ..Default::default() };
    Ok(Guard::new(&Settings { rules, ..Settings::default() })?)
}

/// Runs the benchmark on what is given.
pub(super) fn run(cases: Option<&Path>, code: Option<&Path>, peers: &[String]) -> anyhow::Result<()> {
    let guard = guard()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} rules for secrets", guard.rules().filter(|r| r.id.family() == Family::Secret).count())?;
    if let Some(path) = cases {
        let text = if path == Path::new("-") {
            std::io::read_to_string(std::io::stdin())?
        } else {
            std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?
        };
        let cases = text
            .lines()
            .enumerate()
            .map(|(n, line)| serde_json::from_str(line).with_context(|| format!("line {}: not a case", n + 1)))
            .collect::<anyhow::Result<Vec<Case>>>()?;
        let start = cpu_seconds();
        let (found, acted): (Vec<bool>, Vec<bool>) = cases
            .iter()
            .map(|case| {
                let decision = guard.check_text(&case.text, Source::User);
                (!decision.findings.is_empty(), decision.verdict > Verdict::Allow)
            })
            .unzip();
        let seconds = cpu_seconds().zip(start).map(|(now, then)| now - then);
        let ours = Answers { name: "bartizan".to_owned(), found, seconds };
        let gate = Answers { name: "  acted on".to_owned(), found: acted, seconds: None };
        writeln!(out, "{:16}  {:>7}  {:>8}  {:>13}  {:>8}", "tool", "recall", "per rule", "false alarms", "CPU s")?;
        print(&mut out, &cases, &ours)?;
        print(&mut out, &cases, &gate)?;
        for peer in peers {
            print(&mut out, &cases, &ask(peer, &cases)?)?;
        }
        for (rule, (hit, all)) in by_rule(&cases, &ours.found) {
            if hit < all {
                writeln!(out, "  {rule}: {hit} of {all}")?;
            }
        }
    }
    if let Some(folder) = code {
        tree(&mut out, &guard, folder)?;
    }
    Ok(())
}

fn by_rule<'a>(cases: &'a [Case], found: &[bool]) -> BTreeMap<&'a str, (usize, usize)> {
    let mut rules = BTreeMap::new();
    for (case, found) in cases.iter().zip(found).filter(|(c, _)| c.kind == "tp") {
        let (hit, all) = rules.entry(case.rule.as_str()).or_default();
        *hit += usize::from(*found);
        *all += 1;
    }
    rules
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn print(out: &mut impl std::io::Write, cases: &[Case], answers: &Answers) -> anyhow::Result<()> {
    let rules = by_rule(cases, &answers.found);
    let (hit, all) = rules.values().fold((0, 0), |(h, a), (hit, all)| (h + hit, a + all));
    let mean = rules.values().map(|(hit, all)| *hit as f64 / *all as f64).sum::<f64>() / rules.len().max(1) as f64;
    let lookalikes: Vec<bool> =
        cases.iter().zip(&answers.found).filter(|(c, _)| c.kind == "fp").map(|(_, f)| *f).collect();
    let wrong = lookalikes.iter().filter(|f| **f).count();
    writeln!(
        out,
        "{:16}  {:>7.4}  {mean:>8.4}  {:>13}  {:>8}",
        answers.name,
        hit as f64 / f64::max(all as f64, 1.0),
        format!("{wrong} of {}", lookalikes.len()),
        answers.seconds.map_or("-".to_owned(), |s| format!("{s:.2}")),
    )?;
    Ok(())
}

/// Another tool, `NAME=COMMAND …`, with `{}` for a folder of one file per case. A case is found where the tool prints
/// the name of its file.
fn ask(peer: &str, cases: &[Case]) -> anyhow::Result<Answers> {
    let (name, command) = peer.split_once('=').context("a peer is `NAME=COMMAND … {} …`")?;
    let folder = std::env::temp_dir().join(format!("bartizan-cases-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for (number, case) in cases.iter().enumerate() {
        std::fs::write(folder.join(format!("case{number:06}.txt")), &case.text)?;
    }
    let path = folder.display().to_string();
    let mut words = command.split_whitespace().map(|word| word.replace("{}", &path));
    let program = words.next().context("a peer is `NAME=COMMAND … {} …`")?;
    let output = Command::new(&program).args(words).output();
    let removed = std::fs::remove_dir_all(&folder);
    let output = output.with_context(|| format!("cannot run `{program}`"))?;
    removed?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: HashSet<usize> =
        text.match_indices("case").filter_map(|(at, _)| text.get(at + 4..at + 10)?.parse().ok()).collect();
    let found = (0..cases.len()).map(|n| numbers.contains(&n)).collect();
    Ok(Answers { name: name.to_owned(), found, seconds: None })
}

/// Alarms and speed over all text files of a folder. Files of tests are counted apart: test keys are keys.
fn tree(out: &mut impl std::io::Write, guard: &Guard, folder: &Path) -> anyhow::Result<()> {
    let mut files = Vec::new();
    walk(folder, &mut files)?;
    let (mut bytes, mut seconds) = (0_usize, 0.0);
    let (mut plain, mut tests): (Vec<String>, usize) = (Vec::new(), 0);
    let mut test_files = BTreeSet::new();
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        bytes += text.len();
        let wall = Instant::now();
        let cpu = cpu_seconds();
        let findings = guard.check_text(&text, Source::User).findings;
        seconds += cpu_seconds().zip(cpu).map_or_else(|| wall.elapsed().as_secs_f64(), |(now, then)| now - then);
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        if findings.is_empty() {
        } else if is_test(&name, &text) {
            tests += findings.len();
            test_files.insert(name);
        } else {
            plain.extend(findings.iter().map(|f| format!("{name}: {}", f.rule)));
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let megabytes = bytes as f64 / 1e6;
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let rate = plain.len() as f64 / megabytes * 100.0;
    writeln!(
        out,
        "code: {megabytes:.1} MB, {:.1} MB/s of processor time; {} alarms ({rate:.2} per 100 MB), and {tests} in {} files of tests",
        megabytes / seconds,
        plain.len(),
        test_files.len()
    )?;
    for line in plain {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// True for a file that holds tests or test data, by its path, or by the attribute that marks tests in Rust.
fn is_test(name: &str, text: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["test", "example", "fixture", "bench", "mock"].iter().any(|word| name.contains(word)) || text.contains("#[test]")
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read `{}`", folder.display()))?
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if kind.is_file() && entry.metadata()?.len() <= LARGEST {
            files.push(entry.path());
        }
    }
    Ok(())
}
