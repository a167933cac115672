//! What a corpus is compared with, and held against.

use std::path::Path;

use bartizan_data::canaries::Canaries;
use bartizan_data::contamination::Evaluation;
use bartizan_data::limits::{Gates, Limits};
use bartizan_data::{Columns, Corpus, Reading, Scanner, Shard, Whole, units};
use bartizan_privacy::canary::Signed;
use bartizan_sign::NoteVerifier;

use super::args::{AnswerArgs, CanaryArgs};
use crate::config;
use crate::problem::Problem;

/// Evaluation sets, canaries and limits, where they are given.
pub(super) struct Beside {
    pub(super) evaluation: Option<Evaluation>,
    pub(super) canaries: Option<Canaries>,
    pub(super) gates: Option<Gates>,
}

impl Beside {
    /// Reads them.
    pub(super) fn read(args: &AnswerArgs, canaries: Option<&CanaryArgs>) -> anyhow::Result<Self> {
        let gates = args.policy.as_deref().map(limits).transpose()?;
        let evaluation = match args.evaluation.as_slice() {
            [] => None,
            paths => {
                let help = "give files or folders that can be read with `--evaluation`";
                let units = units(paths).map_err(|error| Problem::new(error.to_string()).help(help))?;
                let corpus =
                    Corpus { units, reading: Reading::default(), columns: Columns::default(), shard: Shard::ALL };
                let set = Evaluation::read(&corpus)?;
                if set.is_empty() {
                    return Err(Problem::new("the evaluation set has no rows").help(help).into());
                }
                if let Some(gap) = set.gaps.iter().find(|gap| !gap.structural) {
                    let place = format!("{}, {}: {}", gap.source, gap.place, gap.why);
                    let title = format!("a part of the evaluation set cannot be read: {place}");
                    return Err(Problem::new(title).help("mend it: what is not read is not found").into());
                }
                Some(set)
            }
        };
        let canaries = canaries.map(planted).transpose()?.flatten();
        Ok(Self { evaluation, canaries, gates })
    }

    /// A scanner of rows that looks at all of it.
    pub(super) fn with<'a>(&'a self, scanner: Scanner<'a>, whole: Option<&'a Whole>) -> Scanner<'a> {
        Scanner { whole, evaluation: self.evaluation.as_ref(), canaries: self.canaries.as_ref(), ..scanner }
    }
}

fn limits(path: &Path) -> anyhow::Result<Gates> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::new(format!("cannot read `{shown}`: {error}")).help("give a file of limits with `--policy`")
    })?;
    let limits: Limits = config::toml(path, &text, "docs/guide/data.md shows a file of limits")?;
    let help = "a limit is `[[limit]]` with `what` and one of `rows`, `findings` and `share`";
    Ok(Gates::new(limits).map_err(|why| Problem::new(format!("`{shown}`: {why}")).help(help))?)
}

/// The canaries of a manifest.
fn planted(args: &CanaryArgs) -> anyhow::Result<Option<Canaries>> {
    let Some(path) = &args.canaries else { return Ok(None) };
    let key = args.canaries_key.as_deref().map(NoteVerifier::parse).transpose();
    let key = key.map_err(|error| Problem::of_setting("--canaries-key", error))?;
    let manifest = Signed::read(path, key.as_ref()).map_err(|error| {
        Problem::new(error.to_string()).help("give the manifest that `privacy plant` wrote, and the key that it named")
    })?;
    let mut all = Canaries::default();
    for canary in &manifest.canaries {
        all.add(&format!("{}{}", canary.prefix, canary.secret), canary.planted, u64::from(canary.count));
    }
    Ok(Some(all))
}
