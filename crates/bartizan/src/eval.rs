//! `bartizan eval injection` and `bartizan tune`: what the guard says of texts with known labels.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bartizan_core::{Source, Verdict};
use bartizan_guard::Guard;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::args::ConfigArgs;
use crate::problem::Problem;
use crate::{DONE, config};

#[derive(Debug, Subcommand)]
pub(crate) enum EvalCommand {
    /// Recall and false alarms of the injection guard by origin, family, language and source.
    ///
    /// Each line of the file is {"text", "label": 0 or 1, "origin"?, "family"?, "lang"?, "source"?}.
    Injection(EvalArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// JSON lines with labels
    pub(crate) file: PathBuf,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: EvalFormat,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// How figures are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalFormat {
    Human,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    /// JSON lines with labels
    pub(crate) file: PathBuf,
    /// Most harmless texts that may be flagged, as a share
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub(crate) flag_rate: f64,
    /// Most harmless texts that may be stopped, as a share
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    pub(crate) block_rate: f64,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// One line in.
#[derive(Deserialize)]
struct Row {
    text: String,
    /// 1 for an attack.
    label: u8,
    #[serde(default)]
    origin: Source,
    #[serde(alias = "kind")]
    family: Option<String>,
    #[serde(alias = "language")]
    lang: Option<String>,
    source: Option<String>,
}

const FORM: &str = "each line is {\"text\", \"label\": 0 or 1, \"origin\"?, \"family\"?, \"lang\"?, \"source\"?}";

/// A row and what was said of it.
struct Judged {
    attack: bool,
    origin: Source,
    groups: Vec<(&'static str, String)>,
    score: f32,
    flagged: bool,
    stopped: bool,
}

/// A share of so many, with its 95 % interval (Wilson, 1927).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Share {
    n: usize,
    hits: usize,
    share: f64,
    low: f64,
    high: f64,
}

impl Share {
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn new(hits: usize, n: usize) -> Self {
        if n == 0 {
            return Self { n, hits, share: 0.0, low: 0.0, high: 1.0 };
        }
        let within = bartizan_stats::wilson(hits as u64, n as u64);
        Self { n, hits, share: hits as f64 / n as f64, low: within.low, high: within.high }
    }

    fn of<'a>(rows: impl Iterator<Item = &'a Judged>, hit: impl Fn(&Judged) -> bool) -> Self {
        let (mut hits, mut n) = (0, 0);
        for row in rows {
            n += 1;
            hits += usize::from(hit(row));
        }
        Self::new(hits, n)
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.1} ({:.1}-{:.1})", self.share * 100.0, self.low * 100.0, self.high * 100.0);
        f.pad(&text)
    }
}

/// One line of the report.
#[derive(Serialize)]
struct Line {
    by: &'static str,
    group: String,
    attack: bool,
    flagged: Share,
    stopped: Share,
}

/// The whole report.
#[derive(Serialize)]
struct Report {
    rows: usize,
    /// Chance that an attack scores higher than a harmless text, ties by half.
    auroc: Option<f64>,
    /// Expected calibration error in ten bins, attacks and harmless texts weighing the same.
    ece: Option<f64>,
    lines: Vec<Line>,
}

/// `bartizan eval injection`.
pub(crate) fn injection(args: &EvalArgs) -> anyhow::Result<u8> {
    let guard = config::load(&args.config, &[])?.guard()?;
    let rows = judge(&guard, &args.file)?;
    let report = report(&rows);
    let mut out = std::io::stdout().lock();
    match args.format {
        EvalFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        EvalFormat::Human => {
            writeln!(out, "{} texts; per cent, with 95 % intervals", report.rows)?;
            if let (Some(auroc), Some(ece)) = (report.auroc, report.ece) {
                writeln!(out, "AUROC {auroc:.3}, calibration error {ece:.3} at a prior of one half")?;
            }
            for (attack, title) in [(true, "attacks, worst first"), (false, "harmless texts, worst first")] {
                writeln!(out, "\n{title}\n{:40} {:>7} {:>18} {:>18}", "group", "texts", "flagged", "stopped")?;
                for line in report.lines.iter().filter(|line| line.attack == attack) {
                    let name = format!("{} {}", line.by, line.group);
                    writeln!(out, "{name:40} {:>7} {:>18} {:>18}", line.flagged.n, line.flagged, line.stopped)?;
                }
            }
        }
    }
    Ok(DONE)
}

/// `bartizan tune`.
pub(crate) fn tune(args: &TuneArgs) -> anyhow::Result<u8> {
    let (flag, block) = (args.flag_rate, args.block_rate);
    if !(flag > 0.0 && flag < 1.0 && block > 0.0 && block <= flag) {
        let problem = Problem::new("the rates do not fit: 0 < --block-rate <= --flag-rate < 1");
        return Err(problem.help("leave them out for 0.01 and 0.001").into());
    }
    let guard = config::load(&args.config, &[])?.guard()?;
    let rows = judge(&guard, &args.file)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "[policy.injection]")?;
    for origin in [Source::User, Source::Tool, Source::Document] {
        let of = |attack: bool| rows.iter().filter(move |r| r.attack == attack && r.origin == origin);
        let harmless: Vec<f32> = of(false).map(|r| r.score).collect();
        if harmless.is_empty() {
            writeln!(out, "# {origin}: no harmless text in the file, left as shipped")?;
            continue;
        }
        let (at_flag, at_block) = (threshold(harmless.clone(), flag), threshold(harmless.clone(), block));
        let recall = |level: f32| Share::of(of(true), move |r| r.score >= level);
        let alarms = |level: f32| Share::of(of(false), move |r| r.score >= level);
        writeln!(out, "# {origin}: {} harmless texts, {} attacks", harmless.len(), of(true).count())?;
        writeln!(out, "# flag: {} % of harmless, {} % of attacks", alarms(at_flag), recall(at_flag))?;
        writeln!(out, "# block: {} % of harmless, {} % of attacks", alarms(at_block), recall(at_block))?;
        #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
        if (harmless.len() as f64) * block < 3.0 {
            writeln!(out, "# too few harmless texts for the rate of block: it is above all of them")?;
        }
        writeln!(out, "{origin} = {{ flag = {at_flag:.4}, block = {at_block:.4} }}")?;
    }
    Ok(DONE)
}

/// The lowest threshold that at most this share of the scores reaches, rounded up to four digits.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a count of rows"
)]
fn threshold(mut scores: Vec<f32>, rate: f64) -> f32 {
    scores.sort_by(|a, b| b.total_cmp(a));
    let allowed = (scores.len() as f64 * rate).floor() as usize;
    let first = scores.get(allowed).copied().unwrap_or(0.0);
    (((first * 10_000.0).floor() + 1.0) / 10_000.0).min(1.0)
}

fn judge(guard: &Guard, file: &Path) -> anyhow::Result<Vec<Judged>> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| Problem::new(format!("cannot read `{name}`: {e}")))?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |why: String| Problem::new(format!("`{name}`: line {}: {why}", number + 1)).help(FORM);
        let row: Row = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        if row.label > 1 {
            return Err(bad(format!("label `{}` is neither 0 nor 1", row.label)).into());
        }
        let decision = guard.check_text(&row.text, row.origin);
        let mut groups = vec![("all", String::new()), ("origin", row.origin.to_string())];
        let named = [("family", row.family), ("language", row.lang), ("source", row.source)];
        groups.extend(named.into_iter().filter_map(|(by, name)| Some((by, name?))));
        rows.push(Judged {
            attack: row.label == 1,
            origin: row.origin,
            groups,
            score: decision.scores.injection.unwrap_or(0.0),
            flagged: decision.flags.injection,
            stopped: decision.verdict >= Verdict::Deny,
        });
    }
    Ok(rows)
}

fn report(rows: &[Judged]) -> Report {
    let mut groups: BTreeMap<(bool, &'static str, &str), Vec<&Judged>> = BTreeMap::new();
    for row in rows {
        for (by, group) in &row.groups {
            groups.entry((row.attack, by, group)).or_default().push(row);
        }
    }
    let mut lines: Vec<Line> = groups
        .into_iter()
        .map(|((attack, by, group), rows)| Line {
            by,
            group: group.to_owned(),
            attack,
            flagged: Share::of(rows.iter().copied(), |r| r.flagged),
            stopped: Share::of(rows.iter().copied(), |r| r.stopped),
        })
        .collect();
    lines.sort_by(|a, b| {
        let worst = |l: &Line| if l.attack { l.flagged.share } else { -l.flagged.share };
        b.attack.cmp(&a.attack).then(worst(a).total_cmp(&worst(b)))
    });
    Report { rows: rows.len(), auroc: auroc(rows), ece: ece(rows), lines }
}

#[allow(clippy::cast_precision_loss, reason = "counts of rows")]
fn auroc(rows: &[Judged]) -> Option<f64> {
    let mut sorted: Vec<&Judged> = rows.iter().collect();
    sorted.sort_by(|a, b| a.score.total_cmp(&b.score));
    let (mut below, mut sum) = (0usize, 0.0);
    for tied in sorted.chunk_by(|a, b| a.score.total_cmp(&b.score).is_eq()) {
        let attacks = tied.iter().filter(|r| r.attack).count();
        let harmless = tied.len() - attacks;
        sum += attacks as f64 * (below as f64 + harmless as f64 / 2.0);
        below += harmless;
    }
    let attacks = rows.len() - below;
    (attacks > 0 && below > 0).then(|| sum / attacks as f64 / below as f64)
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and bins"
)]
fn ece(rows: &[Judged]) -> Option<f64> {
    let attacks = rows.iter().filter(|r| r.attack).count();
    let harmless = rows.len() - attacks;
    if attacks == 0 || harmless == 0 {
        return None;
    }
    let mut bins = [0.0f64; 10];
    for row in rows {
        let weight = 0.5 / if row.attack { attacks as f64 } else { harmless as f64 };
        let gap = f64::from(row.score) - f64::from(u8::from(row.attack));
        if let Some(bin) = bins.get_mut(((row.score * 10.0) as usize).min(9)) {
            *bin += gap * weight;
        }
    }
    Some(bins.iter().map(|b| b.abs()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(attack: bool, score: f32) -> Judged {
        Judged {
            attack,
            origin: Source::User,
            groups: vec![("all", String::new())],
            score,
            flagged: score >= 0.5,
            stopped: false,
        }
    }

    #[test]
    fn intervals_are_wilsons() {
        let share = Share::new(8, 10);
        assert!((share.low - 0.4902).abs() < 1e-3 && (share.high - 0.9433).abs() < 1e-3, "{share:?}");
        assert_eq!(Share::new(0, 0).high, 1.0);
    }

    #[test]
    fn the_order_of_scores_is_what_auroc_sees() {
        assert_eq!(auroc(&[row(true, 0.9), row(false, 0.1), row(false, 0.9)]), Some(0.75));
        assert_eq!(auroc(&[row(true, 0.9)]), None);
    }

    #[test]
    fn certain_and_right_is_no_error() {
        assert!(ece(&[row(true, 1.0), row(false, 0.0)]).unwrap() < 1e-6);
        assert!(ece(&[row(true, 0.0), row(false, 0.0)]).unwrap() > 0.4);
    }

    #[test]
    fn a_threshold_keeps_its_rate() {
        let scores: Vec<f32> = (0..1000u16).map(|i| f32::from(i) / 1000.0).collect();
        let t = threshold(scores.clone(), 0.01);
        assert_eq!(scores.iter().filter(|s| **s >= t).count(), 10);
    }
}
