//! `bartizan privacy protect`: indexes of text that replies must not repeat.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use bartizan_gateway::SecretRef;
use bartizan_privacy::protect::{self as making, Plan};
use bartizan_protected::{Common, Index, Key, RUN};
use bartizan_scan::Map;
use serde_json::json;

use super::args::{BuildArgs, FindArgs, Format, ShowArgs};
use crate::problem::Problem;
use crate::terminal::counted;
use crate::{DONE, FOUND};

/// An index up to this size is read and compared with its digest when it is opened.
const CHECKED: u64 = 256 << 20;
/// Longest text that is asked about, bytes.
const LONGEST: u64 = 64 << 20;

/// Opens an index; the text says what is wrong.
pub(crate) fn open(path: &Path, key: &SecretRef) -> Result<Index, String> {
    let name = path.display();
    let key = Key::new(&key.resolve()?).map_err(|e| e.to_string())?;
    let map = Map::open(path).map_err(|e| format!("cannot read the index `{name}`: {e}"))?;
    let index = Index::open(Arc::new(map), key).map_err(|e| format!("the index `{name}` cannot be used: {e}"))?;
    if index.stats().bytes <= CHECKED {
        index.verify().map_err(|e| format!("the index `{name}` cannot be used: {e}"))?;
    }
    Ok(index)
}

/// `bartizan privacy protect build`.
pub(crate) fn build(args: &BuildArgs) -> anyhow::Result<u8> {
    let wrong = |why: String| Problem::of_setting("--key", why).help("`openssl rand -hex 32` makes a key");
    let key = Key::new(&args.key.resolve().map_err(wrong)?).map_err(|e| wrong(e.to_string()))?;
    let plan = Plan {
        corpus: args.corpus.clone(),
        public: args.public.clone(),
        column: args.text_column.clone(),
        common: Common(args.common),
        memory: args.memory.saturating_mul(1 << 20),
    };
    let written = making::build(&plan, &key, &args.out).map_err(|e| Problem::new(e.to_string()))?;
    let size = std::fs::metadata(&args.out).map(|m| m.len()).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let each = size as f64 / written.words.max(1) as f64;
    writeln!(
        out,
        "`{}`: {}, {}, {size} bytes ({each:.2} a word)",
        args.out.display(),
        counted(written.records, "record"),
        counted(written.words, "word")
    )?;
    if written.short > 0 {
        writeln!(out, "not protected: {} of fewer than {RUN} words", counted(written.short, "record"))?;
    }
    if written.common + written.public > 0 {
        writeln!(
            out,
            "left out because more than {} have them in common: {} of words; because they are public: {}",
            counted(args.common.into(), "record"),
            counted(written.common, "run"),
            written.public
        )?;
    }
    Ok(DONE)
}

/// `bartizan privacy protect find`.
pub(crate) fn find(args: &FindArgs) -> anyhow::Result<u8> {
    let index = open(&args.index, &args.key).map_err(Problem::new)?;
    let mut text = String::new();
    let name = args.text.display().to_string();
    let problem = |e: std::io::Error| Problem::new(format!("cannot read `{name}`: {e}"));
    let source: Box<dyn std::io::Read> = if name == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(&args.text).map_err(problem)?)
    };
    source.take(LONGEST + 1).read_to_string(&mut text).map_err(problem)?;
    if text.len() as u64 > LONGEST {
        return Err(Problem::new(format!("`{name}` is larger than 64 MiB")).help("ask in parts").into());
    }
    let found = making::find(&index, &text).map_err(|e| Problem::new(e.to_string()))?;
    let mut out = std::io::stdout().lock();
    let points = |bytes: usize| text.get(..bytes).map_or(0, |before| before.chars().count());
    match args.format {
        Format::Human => {
            for passage in &found {
                let (start, end) = (points(passage.bytes.0), points(passage.bytes.1));
                writeln!(out, "characters {start} to {end}: {}", passage.records.join(", "))?;
            }
            if found.is_empty() {
                writeln!(out, "nothing is repeated")?;
            }
        }
        Format::Json => {
            let all: Vec<_> = found
                .iter()
                .map(|p| json!({"start": points(p.bytes.0), "end": points(p.bytes.1), "records": p.records}))
                .collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "passages": all }))?)?;
        }
    }
    Ok(if found.is_empty() { DONE } else { FOUND })
}

/// `bartizan privacy protect show`.
pub(crate) fn show(args: &ShowArgs) -> anyhow::Result<u8> {
    let index = open(&args.index, &args.key).map_err(Problem::new)?;
    index.verify().map_err(|e| Problem::new(e.to_string()))?;
    let stats = index.stats();
    let sources = index.sources().map_err(|e| Problem::new(e.to_string()))?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}, {}, {}, {} bytes",
        counted(stats.records, "record"),
        counted(stats.words, "word"),
        counted(stats.entries, "fingerprint"),
        stats.bytes
    )?;
    let (short, common) = (counted(stats.short, "record"), counted(stats.common, "run"));
    writeln!(out, "too short to be protected: {short}; left out as common: {common} of words")?;
    for (name, first) in sources {
        writeln!(out, "from record {}: {}", first + 1, crate::terminal::line(&name))?;
    }
    writeln!(out, "unchanged since it was made")?;
    Ok(DONE)
}
