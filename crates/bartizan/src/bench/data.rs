//! Corpora: speed of the passes, and attacks made from a seed.

use std::io::Write as _;
use std::time::Instant;

use bartizan_data::duplicates::Sketch;
use bartizan_data::suite::{Family, Made, clean, measure, plant};
use bartizan_data::{Columns, Corpus, Passed, Reading, Shard, Unit, examine, look};
use bartizan_guard::{Guard, Settings};

use crate::DONE;

/// `bartizan bench data`.
#[derive(Debug, clap::Args)]
pub(crate) struct DataArgs {
    /// Rows of each corpus of the attack suite; 0 leaves it out.
    #[arg(long, default_value_t = 20_000)]
    rows: usize,
    /// Planted rows.
    #[arg(long, value_delimiter = ',', default_values_t = [8, 20, 50, 100, 250])]
    poisoned: Vec<usize>,
    /// Clean corpora that are looked at for false alarms.
    #[arg(long, default_value_t = 10)]
    clean: u64,
    /// Planted rows in percent of a corpus of labelled texts, besides; the published attacks take 1 and 20.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 20])]
    percent: Vec<usize>,
    /// Clean corpora to plant in instead of made ones: files of labelled texts, or of questions and answers.
    #[arg(long, value_name = "FILE")]
    corpus: Vec<std::path::PathBuf>,
    /// Corpora of each family and number of planted rows.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Megabytes of text for the speed of the passes; 0 leaves it out.
    #[arg(long, default_value_t = 16)]
    megabytes: usize,
}

/// Runs it.
pub(crate) fn run(args: &DataArgs) -> anyhow::Result<u8> {
    if args.megabytes > 0 {
        speed(args.megabytes)?;
    }
    if args.rows > 0 {
        suite(args)?;
    }
    Ok(DONE)
}

fn speed(megabytes: usize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let path = std::env::temp_dir().join(format!("bartizan-bench-data-{}.jsonl", std::process::id()));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    let (mut bytes, mut texts) = (0_usize, Vec::new());
    for row in clean(false, megabytes * 8000, 1) {
        let line = row.json().to_string();
        bytes += line.len() + 1;
        writeln!(file, "{line}")?;
        texts.push(format!("{} {}", row.input, row.output));
        if bytes >= megabytes << 20 {
            break;
        }
    }
    file.into_inner()?;
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds.max(1e-3);
    let corpus = Corpus {
        units: vec![Unit::new(path.clone(), "rows".to_owned())],
        reading: Reading::default(),
        columns: Columns::default(),
        shard: Shard::ALL,
    };
    let rows = |disabled: &[&str]| -> anyhow::Result<f64> {
        let disabled = disabled.iter().map(ToString::to_string).collect();
        let rules = bartizan_rules::Settings { disabled, ..Default::default() };
        let guard = Guard::new(&Settings { rules, ..Settings::default() })?;
        let start = Instant::now();
        let before = cpu();
        corpus.each(&|at, row| examine(&guard, "rows", at.row, row), &mut |_: Passed<_>| Ok(()))?;
        Ok(seconds(before, start))
    };
    writeln!(out, "JSON lines of {bytes} bytes, MB per second and core")?;
    writeln!(out, "row pass, all rules                      {:8.1}", rate(rows(&[])?))?;
    writeln!(out, "row pass, without personal data          {:8.1}", rate(rows(&["pii/*"])?))?;
    let (start, before) = (Instant::now(), cpu());
    let whole = look(&corpus, 4 << 30)?;
    let taken = seconds(before, start);
    writeln!(
        out,
        "corpus pass, poisoning and copies        {:8.1} ({} distinct rows)",
        rate(taken),
        whole.poisoning.rows
    )?;
    std::fs::remove_file(&path)?;
    let (start, before) = (Instant::now(), cpu());
    let sketched = texts.iter().filter_map(|text| Sketch::of(std::iter::once(text.as_str()))).count();
    writeln!(out, "signatures for copies                    {:8.1} ({sketched} rows)", rate(seconds(before, start)))?;
    let long: Vec<String> = texts.chunks(64).map(|texts| texts.join(" ")).collect();
    let (start, before) = (Instant::now(), cpu());
    let sketched = long.iter().filter_map(|text| Sketch::of(std::iter::once(text.as_str()))).count();
    writeln!(out, "signatures for copies, long texts        {:8.1} ({sketched} rows)", rate(seconds(before, start)))?;
    Ok(())
}

/// Processor seconds of the whole process, where the system says (Linux): in hundredths.
fn cpu() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn seconds(before: Option<f64>, start: Instant) -> f64 {
    match (before, cpu()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed().as_secs_f64(),
    }
}

/// A file as rows of the suite.
fn rows_of(path: &std::path::Path) -> anyhow::Result<Vec<Made>> {
    let corpus = Corpus {
        units: vec![Unit::new(path.to_owned(), path.display().to_string())],
        reading: Reading::default(),
        columns: Columns::default(),
        shard: Shard::ALL,
    };
    let mut made = Vec::new();
    corpus.each(
        &|_, row| Made {
            input: row.input(),
            output: row.output(),
            label: row.label().map(str::to_owned),
            poisoned: false,
        },
        &mut |passed| {
            if let Passed::Row(_, row) = passed {
                made.push(row);
            }
            Ok(())
        },
    )?;
    anyhow::ensure!(!made.is_empty(), "`{}` has no rows", path.display());
    Ok(made)
}

fn suite(args: &DataArgs) -> anyhow::Result<()> {
    if args.corpus.is_empty() {
        for labelled in [true, false] {
            let corpora: Vec<_> = (0..args.clean).map(|seed| clean(labelled, args.rows, 1000 + seed)).collect();
            let what = if labelled { "labelled texts" } else { "questions and answers" };
            alarms(what, &corpora)?;
            families(args, labelled, &|seed| clean(labelled, args.rows, seed))?;
        }
        return Ok(());
    }
    for path in &args.corpus {
        let rows = rows_of(path)?;
        let labelled = rows.iter().filter(|row| row.label.is_some()).count() * 2 > rows.len();
        alarms(&path.display().to_string(), std::slice::from_ref(&rows))?;
        families(args, labelled, &|_| rows.clone())?;
    }
    Ok(())
}

fn alarms(what: &str, corpora: &[Vec<Made>]) -> anyhow::Result<()> {
    let alarm = |rows: &&Vec<Made>| {
        let (figures, said) = measure(rows, &[]);
        !said.is_empty() || figures.false_alarms > 0
    };
    let alarms = corpora.iter().filter(alarm).count();
    let rows: usize = corpora.iter().map(Vec::len).sum();
    let count = corpora.len();
    writeln!(std::io::stdout(), "{what}: {alarms} of {count} clean corpora with an alarm, {rows} rows in all")?;
    Ok(())
}

/// Every family in a clean corpus that a seed decides.
fn families(args: &DataArgs, labelled: bool, corpus: &dyn Fn(u64) -> Vec<Made>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "family        half      planted  recall at 1 %  reported  false  named")?;
    for family in Family::ALL.into_iter().filter(|family| family.labelled() == labelled) {
        let size = corpus(0).len();
        let shares = args.percent.iter().filter(|_| labelled).map(|percent| size * percent / 100);
        for poisoned in args.poisoned.iter().copied().chain(shares) {
            let (mut recall, mut reported, mut false_alarms, mut named, mut asked) = (0.0, 0.0, 0, 0, 0);
            for seed in 0..args.seeds {
                let seed = 77 + poisoned as u64 + seed;
                let mut made = corpus(seed);
                let names = plant(&mut made, family, poisoned, seed);
                let (figures, _) = measure(&made, &names);
                recall += figures.recall;
                reported += figures.reported;
                false_alarms += figures.false_alarms;
                named += u64::from(figures.named);
                asked += u64::from(!names.is_empty());
            }
            #[allow(clippy::cast_precision_loss, reason = "a few seeds")]
            let seeds = args.seeds.max(1) as f64;
            let half = if family.tuned() { "tuned" } else { "held out" };
            let named = if asked == 0 { "-".to_owned() } else { format!("{named}/{asked}") };
            writeln!(
                out,
                "{:12}  {half:8}  {poisoned:7}  {:13.2}  {:8.2}  {false_alarms:5}  {named}",
                format!("{family:?}"),
                recall / seeds,
                reported / seeds,
            )?;
        }
    }
    Ok(())
}
