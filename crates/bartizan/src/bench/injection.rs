//! What the two stages of the injection classifier cost.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bartizan_classifier::Classifier;
use bartizan_core::Source;
use bartizan_guard::{ClassifierSettings, Guard, Settings};

use crate::DONE;

/// `bartizan bench injection`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// JSON lines `{"text", "origin"?}` of realistic traffic: what a message costs on average.
    #[arg(value_name = "FILE")]
    traffic: Option<PathBuf>,
}

/// Readings of a passage of which the middle one counts.
const ROUNDS: usize = 41;

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    let before = process_seconds();
    Classifier::load()?;
    writeln!(out, "loading the second stage: {:.0} ms of processor", (process_seconds() - before) * 1e3)?;
    let encoder = Classifier::encoder()?;
    writeln!(out, "{:>8}  {:>12}", "words", "CPU ms")?;
    for words in [12, 30, 60, 124] {
        // Each word is one token of the encoder's vocabulary; two marks are added.
        let passage = "the committee will read your report before next week and ".repeat(13);
        let passage = passage.split(' ').take(words).collect::<Vec<_>>().join(" ");
        let mut taken: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let before = process_seconds();
                std::hint::black_box(encoder.read(std::hint::black_box(&passage)));
                process_seconds() - before
            })
            .collect();
        taken.sort_by(f64::total_cmp);
        writeln!(out, "{words:>8}  {:>12.2}", taken.get(ROUNDS / 2).copied().unwrap_or(0.0) * 1e3)?;
    }
    if let Some(path) = &args.traffic {
        let texts = texts(path)?;
        for second_stage in [false, true] {
            let settings = Settings { classifier: ClassifierSettings { second_stage }, ..Settings::default() };
            let guard = Guard::new(&settings)?;
            let before = process_seconds();
            for (text, source) in &texts {
                std::hint::black_box(guard.check_text(text, *source));
            }
            let count = u32::try_from(texts.len().max(1)).unwrap_or(u32::MAX);
            let each = (process_seconds() - before) / f64::from(count);
            let stages = if second_stage { "both stages" } else { "first stage" };
            writeln!(
                out,
                "{stages}, all rules on: {:.3} ms of processor for each of {} messages",
                each * 1e3,
                texts.len()
            )?;
        }
    }
    Ok(DONE)
}

fn texts(path: &Path) -> anyhow::Result<Vec<(String, Source)>> {
    let file = std::fs::read_to_string(path)?;
    let mut all = Vec::new();
    for line in file.lines().filter(|line| !line.trim().is_empty()) {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let text = row.get("text").and_then(serde_json::Value::as_str).unwrap_or_default();
        let source = match row.get("origin").or_else(|| row.get("channel")).and_then(serde_json::Value::as_str) {
            Some("tool") => Source::Tool,
            Some("document") => Source::Document,
            _ => Source::User,
        };
        all.push((text.to_owned(), source));
    }
    Ok(all)
}

/// Processor time of all threads of this process, where the system says (Linux); else 0.
fn process_seconds() -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let of = |path: PathBuf| -> Option<f64> {
        let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse().ok()
    };
    threads.flatten().filter_map(|thread| of(thread.path())).sum::<f64>() / 1e9
}
