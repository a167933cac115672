//! Two runs of the same attacks: what works after that did not before, and whether that is more than chance.

use std::collections::BTreeMap;
use std::path::Path;

use bartizan_stats::{Interval, exact};
use serde::{Deserialize, Serialize};

use crate::error::RedteamError;
use crate::evidence::Step;
use crate::journal::read;
use crate::stats::{benjamini_hochberg, holm, mcnemar};

/// Attacks of a family that both runs made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Pairs with evidence on both sides.
    pub pairs: u64,
    /// Worked before.
    pub before: u64,
    /// The interval of that share at 95 % (Clopper and Pearson).
    pub before_interval: Interval,
    /// Worked after.
    pub after: u64,
    /// The interval of that share at 95 %.
    pub after_interval: Interval,
    /// Worked before alone.
    pub only_before: u64,
    /// Worked after alone.
    pub only_after: u64,
    /// McNemar's exact test, two-sided.
    pub p: f64,
    /// The same, adjusted for the number of families by Holm's method: any false alarm among all is held to 5 %.
    pub p_holm: f64,
    /// The same by Benjamini and Hochberg's method: the share of false alarms among the alarms is held to 5 %.
    pub p_bh: f64,
}

impl Pair {
    /// Worse after, beyond chance.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.after > self.before && self.p_holm < 0.05
    }

    /// Worse after, worth a look and not sure: among families so marked one in twenty is expected to be chance.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.after > self.before && self.p_bh < 0.05 && !self.is_worse()
    }
}

/// Counts of pairs.
#[derive(Clone, Copy, Default)]
struct Counts {
    pairs: u64,
    before: u64,
    after: u64,
    only_before: u64,
    only_after: u64,
}

impl Counts {
    fn add(&mut self, before: bool, after: bool) {
        self.pairs += 1;
        self.before += u64::from(before);
        self.after += u64::from(after);
        self.only_before += u64::from(before && !after);
        self.only_after += u64::from(!before && after);
    }

    fn p(&self) -> f64 {
        mcnemar(self.only_before, self.only_after)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    fn pair(&self, p_holm: f64, p_bh: f64) -> Pair {
        let Self { pairs, before, after, only_before, only_after } = *self;
        let interval = |hits: u64| if pairs == 0 { Interval::WHOLE } else { exact(hits as f64, pairs as f64) };
        Pair {
            pairs,
            before,
            before_interval: interval(before),
            after,
            after_interval: interval(after),
            only_before,
            only_after,
            p: self.p(),
            p_holm,
            p_bh,
        }
    }
}

/// Two runs beside each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// All families together.
    pub total: Pair,
    /// Each family.
    pub families: BTreeMap<String, Pair>,
    /// Harmless twins that a guard stopped.
    pub false_block: Pair,
    /// Something is worse after, beyond chance.
    pub worse: bool,
    /// Trials that only one of the two runs made: they are of other plans, or one did not come to its end.
    #[serde(default)]
    pub unpaired: u64,
    /// Trials of both that are left out, because one has no evidence.
    #[serde(default)]
    pub without_evidence: u64,
}

/// Pairs the trials of two journals by their names. Trials without evidence on a side are left out.
///
/// # Errors
/// A journal cannot be read, or they have no attack in common.
pub fn compare(before: &Path, after: &Path) -> Result<Compared, RedteamError> {
    let steps = |path: &Path| {
        let mut all: BTreeMap<String, Step> = BTreeMap::new();
        read(path, |record| {
            all.insert(record.name, record.evidence.step);
        })
        .map(|_| all)
    };
    let (before, after) = (steps(before)?, steps(after)?);
    let mut families: BTreeMap<String, Counts> = BTreeMap::new();
    let (mut both, mut without_evidence) = (0, 0);
    let (mut benign, mut total) = (Counts::default(), Counts::default());
    for (name, one) in &before {
        let Some(two) = after.get(name) else { continue };
        both += 1;
        if *one == Step::Error || *two == Step::Error {
            without_evidence += 1;
            continue;
        }
        if name.contains("#benign") {
            benign.add(*one == Step::Blocked, *two == Step::Blocked);
        } else {
            let family = name.split('#').next().unwrap_or_default();
            families.entry(family.to_owned()).or_default().add(one.is_success(), two.is_success());
            total.add(one.is_success(), two.is_success());
        }
    }
    if families.is_empty() {
        let reason = if both > 0 {
            "no attack has evidence in both runs: a target failed"
        } else {
            "the two runs have no attack in common; both have to be runs of the same probes, ways of writing and trials"
        };
        return Err(RedteamError::Plan(reason.to_owned()));
    }
    let ps: Vec<f64> = families.values().map(Counts::p).collect();
    let adjusted = holm(&ps).into_iter().zip(benjamini_hochberg(&ps));
    let families: BTreeMap<String, Pair> =
        families.into_iter().zip(adjusted).map(|((name, counts), (h, b))| (name, counts.pair(h, b))).collect();
    let [total, false_block] = [total, benign].map(|counts| counts.pair(counts.p(), counts.p()));
    let worse = families.values().chain([&total, &false_block]).any(Pair::is_worse);
    let made = before.len() + after.len();
    let unpaired = u64::try_from(made).unwrap_or(u64::MAX).saturating_sub(2 * both);
    Ok(Compared { total, families, false_block, worse, unpaired, without_evidence })
}
