//! What disguises cost: `ways ROWS.jsonl [MODEL.bin ENCODER.onnx TOKENIZER.json]`.
//!
//! Attacks and harmless requests of `training/injection/prepare.py`, each as it stands and in every way of
//! `bartizan-transform`, as words of the user. Without a model the shipped one is asked.
#![allow(clippy::print_stdout, reason = "a command-line tool")]
#![allow(clippy::cast_precision_loss, reason = "counts of texts")]
#![allow(clippy::disallowed_methods, reason = "it reads rows")]

use bartizan_classifier::{Classifier, Given};
use bartizan_core::{Context, Kind, Limits, Origin, Source};
use bartizan_engine::{Engine, Input};
use bartizan_transform::Way;

mod common;

/// Texts of each side.
const MOST: usize = 200;
/// Bytes of a text: as long as one message that somebody would take the trouble to disguise.
const BYTES: std::ops::Range<usize> = 30..240;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rows = common::rows(&args[1]);
    let rule = common::rule();
    let (detector, flag) = if args.len() > 4 {
        let read = |at: usize| std::fs::read(&args[at]).unwrap();
        let flag = bartizan_classifier::Weights::parse(&read(2)).unwrap().calibration(common::channel("user")).flag;
        (Given::parse(&read(2), Some((read(3), &read(4)))).unwrap().detector(rule, true), flag)
    } else {
        let weights = Classifier::scorer().unwrap();
        (Classifier::shipped(rule, true).unwrap(), weights.weights().calibration(common::channel("user")).flag)
    };
    let engine = Engine::new(vec![Box::new(detector)], vec![], Limits::default()).unwrap();
    let origin = Origin::new(Source::User);
    let flagged = |text: &str| {
        let scan = engine.scan(&Input { text, kind: Kind::Text, origin: &origin, context: Context::default() });
        scan.scores.injection.unwrap_or(0.0) >= flag
    };
    let groups = |wanted: &[&str]| -> Vec<&str> {
        let all = rows.iter().filter(|r| wanted.contains(&r.group.as_str()) && r.channel == "user");
        let all: Vec<&str> =
            all.map(|r| r.text.as_str()).filter(|t| t.is_ascii() && BYTES.contains(&t.len())).collect();
        let step = (all.len() / MOST).max(1);
        all.into_iter().step_by(step).take(MOST).collect()
    };
    let attacks = groups(&["direct", "extraction", "own direct", "own extraction"]);
    let harmless = groups(&["trigger words", "ordinary"]);
    let share = |texts: &[&str], way: Option<Way>| {
        let hits = texts.iter().filter(|t| flagged(&way.map_or_else(|| (**t).to_owned(), |way| way.apply(t)))).count();
        100.0 * hits as f32 / texts.len().max(1) as f32
    };
    let plain = share(&attacks, None);
    println!("plain | {plain:.1} | {:.1} of {} and {}", share(&harmless, None), attacks.len(), harmless.len());
    let mut lines: Vec<(f32, String)> = Way::all()
        .map(|way| {
            let recall = share(&attacks, Some(way));
            let seen = if way.seen_in_training() { "trained on" } else { "held out" };
            (recall, format!("{} | {recall:.1} | {:.1} | {seen}", way.name(), share(&harmless, Some(way))))
        })
        .collect();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, line) in lines {
        println!("{line}");
    }
}
