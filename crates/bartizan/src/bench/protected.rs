//! `bartizan bench protected`: what an index of protected text takes, costs and misses.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bartizan_privacy::corpus;
use bartizan_protected::{Builder, Common, Index, Key, Public, Writer, count, find};

use super::cpu_seconds;
use crate::DONE;
use crate::problem::Problem;

/// Records of the generated corpus.
const RECORDS: usize = 20_000;
/// Words of each.
const WORDS: usize = 300;

/// Builds an index of the corpus in memory, reads the texts with it, and prints the figures.
pub(super) fn run(paths: &[PathBuf], texts: &[PathBuf]) -> anyhow::Result<u8> {
    let corpus = if paths.is_empty() { generated(1, RECORDS) } else { read(paths)? };
    let texts = if texts.is_empty() { generated(2, RECORDS / 10) } else { read(texts)? };
    let bytes: usize = corpus.iter().map(String::len).sum();
    let key = Key::new("a key for measuring, which is long enough")?;
    let mut out = std::io::stdout().lock();

    let clock = Clock::start();
    let mut builder = Builder::new(key.clone(), 0, 1);
    for record in &corpus {
        builder.record(record)?;
    }
    let read = clock.seconds();
    let mut body = Vec::new();
    let records = builder.records();
    let mut writer =
        Writer::new(&mut body, key.clone(), Common::default(), Public::new(key.clone()), builder.chosen(), records);
    writer.part(&mut builder)?;
    let written = writer.finish(&builder, &[])?;
    let built = clock.seconds();
    let size = written.head.len() + body.len();
    let mb = bytes as f64 / 1e6;
    writeln!(out, "corpus: {records} records, {} words, {mb:.1} MB", written.words)?;
    writeln!(
        out,
        "build: {:.1} MB/s of processor time ({:.1} MB/s before sorting and writing)",
        mb / built,
        mb / read
    )?;
    writeln!(
        out,
        "index: {size} bytes, {:.2} bytes a word, {} runs left out as common",
        size as f64 / written.words as f64,
        written.common
    )?;

    let index = Index::open(Arc::new([written.head, body].concat()), key)?;
    let words: usize = texts.iter().map(|text| count(text)).sum();
    let (mut alarms, mut passages) = (0, 0);
    let mut pass = || {
        (alarms, passages) = (0, 0);
        for text in &texts {
            let (mut end, mut at) = (0, 0);
            let mut take = |found: bartizan_protected::Match| {
                at += 1;
                if found.span.start >= end {
                    passages += 1;
                }
                end = end.max(found.span.end);
            };
            find(&index, text, &mut take);
            alarms += at;
        }
    };
    pass();
    let clock = Clock::start();
    pass();
    let each = clock.seconds() / words as f64;
    writeln!(out, "texts: {} of {words} words", texts.len())?;
    writeln!(out, "read: {:.0} ns a word of processor time, warm", each * 1e9)?;
    writeln!(out, "alarms: {passages} passages, {:.2} per million words", passages as f64 / words as f64 * 1e6)?;
    Ok(DONE)
}

/// Processor time where the system tells it, else time.
struct Clock(Instant, Option<f64>);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), cpu_seconds())
    }

    fn seconds(&self) -> f64 {
        match (self.1, cpu_seconds()) {
            (Some(before), Some(after)) => after - before,
            _ => self.0.elapsed().as_secs_f64(),
        }
    }
}

fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for file in corpus::files(paths).map_err(|e| Problem::new(e.to_string()))? {
        corpus::records(&file, None, |text| {
            all.push(text.to_owned());
            Ok(())
        })
        .map_err(|e| Problem::new(e.to_string()))?;
    }
    Ok(all)
}

/// Records of words that are as rare as words are: the frequency of each falls with its rank.
fn generated(seed: u64, records: usize) -> Vec<String> {
    let mut dice = bartizan_privacy::stats::Dice::new(seed);
    let mut record = |_| {
        let mut text = String::new();
        for number in 0..WORDS {
            let rank = (20_000_f64.powf(dice.unit())) as u64;
            let mut name = bartizan_privacy::stats::Dice::new(rank);
            let letters = 2 + name.below(8);
            text.extend((0..letters).filter_map(|_| char::from_u32(u32::from(b'a') + name.below(26) as u32)));
            text.push_str(if number % 12 == 11 { ". " } else { " " });
        }
        text
    };
    (0..records).map(&mut record).collect()
}
