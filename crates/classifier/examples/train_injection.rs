//! Fits the shipped weights: `train_injection ROWS.jsonl MODEL.bin [epochs] [dropout] [rate] [decay]`.
//!
//! `training/injection/prepare.py` writes the rows. Every figure it prints is of texts from sources, templates,
//! transforms or languages that the weights which judged them were not fitted to.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
#![allow(clippy::cast_precision_loss, reason = "counts of texts")]
#![allow(clippy::disallowed_methods, reason = "it reads rows and writes weights")]

use std::collections::BTreeMap;

use bartizan_classifier::fit::{Example, Fitter, Options, platt};
use bartizan_classifier::{Calibration, Channel, Family, Stages, Weights};

mod common;

use common::{Reader, Row, channel, rows};

const FOLDS: usize = 6;

fn family(name: Option<&str>) -> Option<Family> {
    Some(match name? {
        "direct" => Family::DirectOverride,
        "indirect" => Family::IndirectInstruction,
        "jailbreak" => Family::JailbreakFrame,
        "extraction" => Family::PromptExtraction,
        _ => Family::Obfuscation,
    })
}

/// Share of the scores at or above a threshold.
fn share(scores: &[f32], threshold: f32) -> f32 {
    scores.iter().filter(|s| **s >= threshold).count() as f32 / scores.len().max(1) as f32
}

/// The lowest threshold at which the mean over sources of the share above it is at most `most`.
fn threshold(by_source: &BTreeMap<String, Vec<f32>>, most: f32) -> f32 {
    let mut all: Vec<f32> = by_source.values().flatten().copied().collect();
    all.sort_by(f32::total_cmp);
    let mean = |t: f32| by_source.values().map(|s| share(s, t)).sum::<f32>() / by_source.len() as f32;
    let at = all.partition_point(|t| mean(*t) > most);
    all.get(at).copied().unwrap_or(10.0) + 1e-3
}

/// What is flagged, and the probability, of some texts.
type Judged = (Vec<f32>, Vec<f32>);

/// The chance that an attack scores higher than a harmless text.
fn area(attacks: &[f32], harmless: &[f32]) -> f32 {
    let mut sorted = harmless.to_vec();
    sorted.sort_by(f32::total_cmp);
    let below = |s: f32| (sorted.partition_point(|h| *h < s) + sorted.partition_point(|h| *h <= s)) as f32 / 2.0;
    let sum: f32 = attacks.iter().map(|s| below(*s)).sum();
    sum / (attacks.len() * sorted.len()).max(1) as f32
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: f32| args.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    let defaults = Options::default();
    let options = Options {
        epochs: number(3, defaults.epochs as f32) as usize,
        dropout: number(4, defaults.dropout),
        rate: number(5, defaults.rate),
        decay: number(6, defaults.decay),
        ..defaults
    };
    println!("{options:?}");
    let reader = Reader::new();
    let fitter = Fitter::new().unwrap();
    let rows = rows(&args[1]);
    let mut examples: Vec<Example> = Vec::new();
    let mut counts: BTreeMap<(String, u8), f32> = BTreeMap::new();
    for row in &rows {
        *counts.entry((row.source.clone(), row.attack)).or_default() += 1.0;
    }
    let start = std::time::Instant::now();
    for row in &rows {
        let views = reader.views(&row.text);
        let views: Vec<&str> = views.iter().map(String::as_str).collect();
        // Large sources count for less: variety is in their number, not in their rows.
        let count = counts[&(row.source.clone(), row.attack)];
        let fair = (600.0 / count).sqrt().min(1.0);
        let weight = if row.train { [row.u * fair, row.d * fair] } else { [0.0; 2] };
        examples.push(fitter.example(&views, row.attack == 1, weight, family(row.family.as_deref())));
    }
    println!("{} rows read in {:.0?}", rows.len(), start.elapsed());
    let mut scores = vec![[-9.0f32; 2]; rows.len()];
    for fold in 0..FOLDS {
        let part: Vec<&Example> =
            rows.iter().zip(&examples).filter(|(r, _)| r.train && r.fold != fold).map(|(_, e)| e).collect();
        let weights = fitter.fit(&part, None, options);
        std::fs::write(format!("{}.{fold}", args[2]), weights.to_bytes()).unwrap();
        for (at, (row, example)) in rows.iter().zip(&examples).enumerate() {
            if if row.train { row.fold == fold } else { at % FOLDS == fold } {
                let score = |c| weights.score(example, c).unwrap_or(-9.0);
                scores[at] = [score(Channel::User), score(Channel::Document)];
            }
        }
        eprintln!("fold {fold} after {:.0?}", start.elapsed());
    }
    let mut calibrations = Vec::new();
    for c in Channel::ALL {
        let table = usize::from(c != Channel::User);
        let mut ordinary: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        let mut points: Vec<(f32, bool, &str)> = Vec::new();
        for (row, score) in rows.iter().zip(&scores) {
            let belongs = match c {
                Channel::User => row.channel == "user" || row.group.starts_with("ordinary") && row.channel != "tool",
                Channel::Tool => {
                    row.channel == "tool" || row.group.starts_with("ordinary:") && row.channel == "document"
                }
                Channel::Document => row.channel != "user" && row.group != "agent tool results",
            };
            if !belongs || row.group == "other" || row.group == "system prompts" {
                continue;
            }
            points.push((score[table], row.attack == 1, &row.source));
            if row.group.starts_with("ordinary") {
                ordinary.entry(row.source.clone()).or_default().push(score[table]);
            }
        }
        let mut mass: BTreeMap<(&str, bool), f32> = BTreeMap::new();
        for (_, attack, source) in &points {
            *mass.entry((source, *attack)).or_default() += 1.0;
        }
        let sides = [false, true].map(|side| mass.keys().filter(|(_, a)| *a == side).count() as f32);
        let weighted: Vec<(f32, bool, f32)> = points
            .iter()
            .map(|(s, a, source)| (*s, *a, 1000.0 / mass[&(*source, *a)] / sides[usize::from(*a)]))
            .collect();
        let (slope, intercept) = platt(&weighted);
        let (flag, block) = (threshold(&ordinary, 0.007), threshold(&ordinary, 0.0007));
        let raw = Calibration { slope, intercept, flag: 0.0, block: 0.0, second: Stages::NEVER };
        // Rounded up, and never so near to 1 that no text could reach it.
        let rounded = |p: f32| ((p * 1000.0).ceil() / 1000.0).min(0.997);
        let calibration =
            Calibration { flag: rounded(raw.probability(flag)), block: rounded(raw.probability(block)), ..raw };
        println!("\n{} {calibration:?} raw thresholds {flag:.2} {block:.2}", c.as_str());
        let (mut error, mut bins) = (0.0, [(0.0f32, 0.0f32, 0.0f32); 10]);
        for (s, a, w) in &weighted {
            let p = raw.probability(*s);
            let bin = &mut bins[((p * 10.0) as usize).min(9)];
            *bin = (bin.0 + p * w, bin.1 + w * f32::from(u8::from(*a)), bin.2 + w);
        }
        let total: f32 = bins.iter().map(|b| b.2).sum();
        for bin in bins {
            error += (bin.0 - bin.1).abs() / total;
        }
        println!("expected calibration error {error:.3}, prior 0.5, sources of a side weigh the same");
        calibrations.push(calibration);
    }
    let calibration: [Calibration; 3] = calibrations.try_into().unwrap();
    let mut lines: BTreeMap<(u8, String, String), Vec<f32>> = BTreeMap::new();
    // Harmless texts and attacks.
    let mut languages: BTreeMap<String, [Judged; 2]> = BTreeMap::new();
    let judged = |row: &Row, score: &[f32; 2]| {
        let c = channel(&row.channel);
        let at = Channel::ALL.iter().position(|x| *x == c).unwrap();
        (calibration[at].probability(score[usize::from(c != Channel::User)]), calibration[at])
    };
    for (row, score) in rows.iter().zip(&scores) {
        let (p, c) = judged(row, score);
        let value = if p >= c.block {
            2.0
        } else if p >= c.flag {
            1.0
        } else {
            0.0
        };
        lines
            .entry((row.attack, row.group.clone(), format!("{} ({})", row.source, row.channel)))
            .or_default()
            .push(value);
        lines.entry((row.attack, row.group.clone(), "*".into())).or_default().push(value);
        if row.lang != "en" && row.lang != "code" && row.lang != "mul" {
            let (flags, scores) = &mut languages.entry(row.lang.clone()).or_default()[usize::from(row.attack)];
            flags.push(value);
            scores.push(p);
        }
    }
    println!("\nattack | group | source | n | flagged % | blocked %");
    for ((attack, group, source), values) in &lines {
        println!(
            "{attack} | {group} | {source} | {} | {:.1} | {:.2}",
            values.len(),
            100.0 * share(values, 1.0),
            100.0 * share(values, 2.0)
        );
    }
    let mut means: BTreeMap<(u8, String), Vec<f32>> = BTreeMap::new();
    for ((attack, group, source), values) in &lines {
        if source != "*" && values.len() >= 20 {
            means.entry((*attack, group.clone())).or_default().push(100.0 * share(values, 1.0));
        }
    }
    println!("\nmean over sources of what is flagged:");
    for ((attack, group), values) in &means {
        print!("{attack} {group} {:.1}; ", values.iter().sum::<f32>() / values.len() as f32);
    }
    println!();
    println!("\nlanguage | attacks | flagged % | harmless | flagged % | area");
    for (lang, [(calm, calm_p), (attacks, attacks_p)]) in &languages {
        println!(
            "{lang} | {} | {:.1} | {} | {:.1} | {:.3}",
            attacks.len(),
            100.0 * share(attacks, 1.0),
            calm.len(),
            100.0 * share(calm, 1.0),
            area(attacks_p, calm_p)
        );
    }
    let mut wrong: Vec<(f32, &Row)> = Vec::new();
    for (row, score) in rows.iter().zip(&scores) {
        if row.attack == 0 {
            wrong.push((judged(row, score).0, row));
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    if let Some(path) = args.get(7) {
        let mut out = String::new();
        for (p, row) in wrong.iter().take(400) {
            let text: String = row.text.chars().take(300).collect();
            out += &format!("{p:.3} {} {} {text:?}\n", row.source, row.channel);
        }
        std::fs::write(path, out).unwrap();
        let mut out = String::new();
        for (row, score) in rows.iter().zip(&scores) {
            let (p, c) = judged(row, score);
            if row.attack == 1 && p < c.flag && !row.source.starts_with("slabs") {
                let text: String = row.text.chars().take(250).collect();
                out += &format!("{p:.3} {} {} {text:?}\n", row.source, row.channel);
            }
        }
        std::fs::write(format!("{path}.missed"), out).unwrap();
        let lines: Vec<String> = scores.iter().map(|[u, d]| format!("{u} {d}\n")).collect();
        std::fs::write(format!("{path}.scores"), lines.concat()).unwrap();
    }
    let all: Vec<&Example> = rows.iter().zip(&examples).filter(|(r, _)| r.train).map(|(_, e)| e).collect();
    let weights: Weights = fitter.fit(&all, None, options).calibrated(calibration);
    std::fs::write(&args[2], weights.to_bytes()).unwrap();
    println!("written after {:.0?}", start.elapsed());
}
