//! Writes what the second stage reads of each row: `passages ROWS.jsonl OUT.jsonl MODEL.bin [N]`.
//!
//! `training/injection/prepare.py` writes the rows. One line a row: `[[score of the first stage, passage], …]`, the
//! worst first, at most N (3). Where `MODEL.bin.0` to `.5` exist, a row is read with the weights of its fold.
#![allow(clippy::disallowed_methods, reason = "it reads rows and writes passages")]

use std::io::Write as _;

use bartizan_classifier::{Scorer, Weights};

mod common;

use common::{Reader, channel, rows};

const FOLDS: usize = 6;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let most = args.get(4).and_then(|a| a.parse().ok()).unwrap_or(3);
    let scorer = |path: &str| Some(Scorer::new(Weights::parse(&std::fs::read(path).ok()?).unwrap()).unwrap());
    let whole = scorer(&args[3]).unwrap();
    let folds: Vec<Scorer> = (0..FOLDS).filter_map(|fold| scorer(&format!("{}.{fold}", args[3]))).collect();
    let reader = Reader::new();
    let mut out = std::io::BufWriter::new(std::fs::File::create(&args[2]).unwrap());
    for (at, row) in rows(&args[1]).iter().enumerate() {
        let fold = if row.train { row.fold } else { at % FOLDS };
        let scorer = folds.get(fold).unwrap_or(&whole);
        let views = reader.views(&row.text);
        let mut all: Vec<(f32, String)> = Vec::new();
        for view in &views {
            for passage in scorer.passages(view, channel(&row.channel), most) {
                if !all.iter().any(|(_, text)| *text == passage.text) {
                    all.push((passage.hit.score, passage.text));
                }
            }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.truncate(most);
        serde_json::to_writer(&mut out, &all).unwrap();
        out.write_all(b"\n").unwrap();
    }
}
