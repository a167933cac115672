//! How much a model knows of canaries: exposure, extraction, and what that says about differential privacy.

use std::collections::{BTreeMap, HashSet};

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::about::{About, digest};
use crate::canary::{Canary, Manifest, digits};
use crate::journal::Missing;
use crate::signal::{Probe, Signal};
use crate::stats::{self, Dice, Estimate, SkewNormal};

/// Most references where each of their tokens is a question.
const MOST_FORCED: u32 = 32;
/// Fewest guesses that a bound on ε is made from.
const FEWEST_GUESSES: u64 = 8;

/// How much is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// Random secrets that each canary is compared with, where given texts have probabilities.
    pub references: u32,
    /// Samples of what follows each canary's prefix, where only text comes.
    pub samples: u32,
    /// Samples in which extraction is to succeed.
    pub within: u32,
    /// Around a prefix, `{prefix}` in it: the template of a chat model on a raw endpoint.
    pub template: Option<String>,
}

/// What was measured of one canary. Probabilities are per sample at temperature 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Number in the manifest, from 0.
    pub canary: usize,
    /// How often it is in the corpus, 0 if it was not planted.
    pub count: u32,
    /// Exposure in bits: base-2 logarithm of the number of possible secrets by the rank of this one among them.
    pub exposure: Estimate,
    /// How the exposure was found.
    pub method: Method,
    /// The exposure by rank among the references alone; it cannot exceed the logarithm of their number.
    pub by_rank: Option<Estimate>,
    /// Probability that one sample is the secret.
    pub extraction: Estimate,
    /// Probability that one of the wanted number of samples is.
    pub extraction_within: Estimate,
    /// References or samples that were measured.
    pub of: u32,
}

/// How an exposure was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By the rank among random references.
    Rank,
    /// By a skew-normal tail that was fitted to the references.
    Fitted,
    /// A lower bound: at most 1/p secrets have the probability p or more.
    Bound,
}

/// Canaries of one count together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// How often each is in the corpus, if it was planted.
    pub count: u32,
    /// Planted ones that were measured.
    pub planted: usize,
    /// Others that were measured.
    pub others: usize,
    /// Mean exposure of the planted ones, bits.
    pub exposure: Option<Mean>,
    /// Mean exposure of the others, bits: what chance gives is 1.44.
    pub exposure_of_others: Option<Mean>,
    /// Planted ones that one of the wanted number of samples gives with a probability of a half or more.
    pub extractable: usize,
    /// The same by the lower and by the upper ends of the intervals.
    pub extractable_interval: (usize, usize),
    /// A lower bound on ε. None of too few canaries.
    pub epsilon_at_least: Option<Bound>,
}

/// A mean of exposures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean. Its interval goes from the lower ends of the members' intervals to their upper ends, and holds the mean
    /// over canaries of this kind.
    #[serde(flatten)]
    pub of: Estimate,
    /// Exposures of members are lower bounds, and so is the mean.
    pub at_least: bool,
}

/// A lower bound on ε of differential privacy at 95 % confidence, with δ = 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// Of one record: that of the group by the number of copies. A mechanism that is ε-private for a record is
    /// (copies · ε)-private for all copies together (group privacy; Dwork, Roth 2014, theorem 2.2).
    pub record: f64,
    /// Of all copies of a canary together, which is what the coin adds or leaves out.
    pub copies: f64,
    /// Guesses that it is from.
    pub guesses: u64,
}

/// The whole test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The circumstances.
    pub about: About,
    /// What the endpoint tells.
    pub signal: Signal,
    /// What can and cannot be said with it.
    pub says: String,
    /// Base-2 logarithm of the number of possible secrets.
    pub bits: f64,
    /// How much was asked.
    pub effort: Effort,
    /// By count.
    pub groups: Vec<Group>,
    /// By canary.
    pub canaries: Vec<Measured>,
    /// Canaries that could not be measured, by reason.
    pub missing: BTreeMap<String, u64>,
}

/// Measures every canary. What could not be measured is in the report.
pub async fn test(probe: &Probe, manifest: &Manifest, effort: &Effort) -> Report {
    let width = probe.asked.concurrency();
    let one = |(number, canary): (usize, &Canary)| {
        let canary = canary.clone();
        async move { (number, measure(probe, manifest, &canary, number, effort).await, canary) }
    };
    let all: Vec<_> = stream::iter(manifest.canaries.iter().enumerate().map(one)).buffered(width).collect().await;
    let (mut canaries, mut missing) = (Vec::new(), BTreeMap::new());
    for (_, measured, _) in all {
        match measured {
            Ok(measured) => canaries.push(measured),
            Err(why) => *missing.entry(reason(&why)).or_default() += 1,
        }
    }
    let subject = serde_json::to_vec(manifest).unwrap_or_default();
    Report {
        about: About::new(probe, digest([subject.as_slice()])),
        signal: probe.signal,
        says: probe.signal.says().to_owned(),
        bits: bits(manifest),
        effort: effort.clone(),
        groups: groups(manifest, &canaries),
        canaries,
        missing,
    }
}

pub(crate) fn reason(why: &Missing) -> String {
    match why {
        Missing::Blocked => "blocked by a guard".to_owned(),
        Missing::NotOnRecord => "not on record".to_owned(),
        Missing::Rejected => "rejected, or an answer that does not fit what was asked".to_owned(),
        Missing::Inconsistent => {
            "probabilities that cannot be true: those of secrets that exclude each other add up to more than 1"
                .to_owned()
        }
        Missing::Failed(kind) => kind.to_string(),
    }
}

fn bits(manifest: &Manifest) -> f64 {
    f64::from(manifest.digits) * 10_f64.log2()
}

pub(crate) fn power(p: Estimate, n: u32) -> Estimate {
    let of = |p: f64| -(f64::from(n) * (-p).ln_1p()).exp_m1();
    Estimate { value: of(p.value), low: of(p.low), high: of(p.high) }
}

async fn measure(
    probe: &Probe,
    manifest: &Manifest,
    canary: &Canary,
    number: usize,
    effort: &Effort,
) -> Result<Measured, Missing> {
    let prefix = prefix(probe.signal, canary, effort);
    let count = if canary.planted { canary.count } else { 0 };
    let bits = bits(manifest);
    // References depend on the canary alone, so that a repeated test asks the same.
    let mut dice = Dice::new(number as u64 ^ 0x9e37_79b9 ^ u64::from(manifest.digits) << 32);
    if matches!(probe.signal, Signal::Text | Signal::Chat) {
        return sampled(probe, canary, &prefix, number, effort, bits).await;
    }
    let own = probe.score(&prefix, &canary.secret).await?;
    let extraction = own.probability();
    if !own.exact {
        // Less likely than everything that the endpoint shows: nothing is known of its rank.
        let exposure = Estimate { value: 0.0, low: 0.0, high: bits };
        return Ok(Measured {
            canary: number,
            count,
            exposure,
            method: Method::Bound,
            by_rank: None,
            extraction,
            extraction_within: power(extraction, effort.within),
            of: 0,
        });
    }
    let (mut below, mut of, mut losses) = (0.0_f64, 0_u32, Vec::new());
    let (mut total, mut seen) = (own.log.exp(), HashSet::new());
    // Without echo each secret is scored token by token.
    let most = if probe.signal == Signal::Echo { effort.references } else { effort.references.min(MOST_FORCED) };
    for _ in 0..most {
        let other = digits(&mut dice, manifest.digits);
        if other == canary.secret {
            continue;
        }
        let Ok(scored) = probe.score(&prefix, &other).await else { continue };
        of += 1;
        if scored.exact && seen.insert(other) {
            total += scored.log.exp();
        }
        let tie = (scored.log - own.log).abs() < 1e-9 && scored.exact;
        // Among equals the secret is in the middle.
        below += if tie { 0.5 } else { f64::from(u8::from(scored.log > own.log && scored.exact)) };
        if scored.exact {
            losses.push(-scored.log);
        }
    }
    if of == 0 {
        return Err(Missing::Rejected);
    }
    // What is printed is rounded.
    if total > 1.01 {
        return Err(probe.distrust());
    }
    let by_rank = ranked(below, of, bits);
    // At most 1/p secrets are as likely as one with probability p.
    let bound = (bits + own.log / std::f64::consts::LN_2).max(0.0);
    let is_beyond = below < 0.75;
    let fitted = (is_beyond && losses.len() as f64 >= 0.9 * f64::from(of))
        .then(|| SkewNormal::fit(&losses))
        .flatten()
        .map(|tail| (-tail.log2_below(-own.log)).clamp(0.0, bits));
    let (exposure, method) = match fitted {
        _ if !is_beyond => (Estimate { low: by_rank.low.max(bound), ..by_rank }, Method::Rank),
        // How far the tail may be trusted is not known; what the rank and the probability imply is.
        Some(value) => (Estimate { value, low: by_rank.low.max(bound), high: bits }, Method::Fitted),
        None => (Estimate { value: bound.max(by_rank.value), low: bound.max(by_rank.low), high: bits }, Method::Bound),
    };
    let value = exposure.value.clamp(exposure.low, bits);
    Ok(Measured {
        canary: number,
        count,
        exposure: Estimate { value, low: exposure.low, high: exposure.high.clamp(value, bits) },
        method,
        by_rank: Some(by_rank),
        extraction,
        extraction_within: power(extraction, effort.within),
        of,
    })
}

fn prefix(signal: Signal, canary: &Canary, effort: &Effort) -> String {
    let bare = canary.prefix.trim_end();
    match &effort.template {
        Some(template) => template.replace("{prefix}", bare),
        None if signal == Signal::Chat => bare.to_owned(),
        None => canary.prefix.clone(),
    }
}

/// Exposure by rank: the share of references that are at least as likely, with its interval.
fn ranked(below: f64, of: u32, bits: f64) -> Estimate {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of at most 2^32")]
    let share = stats::share(below.round() as u64, u64::from(of));
    let exposure = |p: f64| (-p.log2()).clamp(0.0, bits);
    Estimate {
        value: exposure((below + 0.5) / (f64::from(of) + 1.0)),
        low: exposure(share.high),
        high: exposure(share.low),
    }
}

async fn sampled(
    probe: &Probe,
    canary: &Canary,
    prefix: &str,
    number: usize,
    effort: &Effort,
    bits: f64,
) -> Result<Measured, Missing> {
    let (mut hits, mut of, mut last) = (0, 0_u32, Missing::Rejected);
    let longest = canary.secret.len() as u32 + if probe.signal == Signal::Chat { 48 } else { 4 };
    for sample in 0..effort.samples {
        match probe.sample(prefix, u64::from(sample), longest, 1.0).await {
            Ok(text) => {
                of += 1;
                let is_hit = match probe.signal {
                    Signal::Chat => text.contains(&canary.secret),
                    _ => text.trim_start().starts_with(&canary.secret),
                };
                hits += u64::from(is_hit);
            }
            Err(why) => last = why,
        }
    }
    if of == 0 {
        return Err(last);
    }
    let extraction = stats::share(hits, u64::from(of));
    let bound = |p: f64| if p > 0.0 { (bits + p.log2()).clamp(0.0, bits) } else { 0.0 };
    Ok(Measured {
        canary: number,
        count: if canary.planted { canary.count } else { 0 },
        exposure: Estimate { value: bound(extraction.value), low: bound(extraction.low), high: bits },
        method: Method::Bound,
        by_rank: None,
        extraction,
        extraction_within: power(extraction, effort.within),
        of,
    })
}

fn groups(manifest: &Manifest, measured: &[Measured]) -> Vec<Group> {
    let mut by_count: BTreeMap<u32, Vec<(&Measured, bool)>> = BTreeMap::new();
    for one in measured {
        if let Some(canary) = manifest.canaries.get(one.canary) {
            by_count.entry(canary.count).or_default().push((one, canary.planted));
        }
    }
    let group = |(count, all): (u32, Vec<(&Measured, bool)>)| {
        let of = |wanted: bool| -> Vec<&Measured> {
            all.iter().filter(|(_, planted)| *planted == wanted).map(|(one, _)| *one).collect()
        };
        let (planted, others) = (of(true), of(false));
        Group {
            count,
            exposure: mean(&planted, bits(manifest), u64::from(count)),
            exposure_of_others: mean(&others, bits(manifest), u64::from(count) + 1),
            extractable: planted.iter().filter(|one| one.extraction_within.value >= 0.5).count(),
            extractable_interval: likely(planted.iter().map(|one| one.extraction_within)),
            planted: planted.len(),
            others: others.len(),
            epsilon_at_least: epsilon(&all, count),
        }
    };
    by_count.into_iter().map(group).collect()
}

/// How many are at a half or more by the lower and by the upper ends of their intervals.
pub(crate) fn likely(all: impl Iterator<Item = Estimate> + Clone) -> (usize, usize) {
    (all.clone().filter(|one| one.low >= 0.5).count(), all.filter(|one| one.high >= 0.5).count())
}

fn mean(all: &[&Measured], bits: f64, seed: u64) -> Option<Mean> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let of = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let each = |part: fn(&Estimate) -> f64| all.iter().map(|one| part(&one.exposure)).collect::<Vec<f64>>();
    if all.is_empty() {
        return None;
    }
    let ends = |part: fn(&Estimate) -> f64| {
        let values = each(part);
        let (low, high) = stats::bootstrap(&values, 1000, seed, of);
        stats::spread((low, high), values.len(), (0.0, bits))
    };
    let (low, high) = (ends(|e| e.low).0, ends(|e| e.high).1);
    Some(Mean {
        of: Estimate { value: of(&each(|e| e.value)), low, high },
        at_least: all.iter().any(|one| one.method == Method::Bound),
    })
}

/// Guesses of the coin: the third with the highest exposure was planted, the third with the lowest was not.
fn epsilon(all: &[(&Measured, bool)], count: u32) -> Option<Bound> {
    let mut order: Vec<&(&Measured, bool)> = all.iter().collect();
    // Equals stand in the order of the manifest, which the coin knows nothing of.
    order.sort_by(|a, b| {
        b.0.exposure.value.total_cmp(&a.0.exposure.value).then(b.0.extraction.value.total_cmp(&a.0.extraction.value))
    });
    let third = order.len() / 3;
    let guesses = 2 * third as u64;
    if guesses < FEWEST_GUESSES {
        return None;
    }
    let right = order.iter().take(third).filter(|(_, planted)| *planted).count()
        + order.iter().rev().take(third).filter(|(_, planted)| !planted).count();
    let copies = stats::epsilon_bound(right as u64, guesses);
    Some(Bound { record: copies / f64::from(count.max(1)), copies, guesses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(canary: usize, (low, value, high): (f64, f64, f64), method: Method) -> Measured {
        let exposure = Estimate { value, low, high };
        let none = Estimate { value: 0.0, low: 0.0, high: 0.1 };
        Measured {
            canary,
            count: 64,
            exposure,
            method,
            by_rank: None,
            extraction: none,
            extraction_within: none,
            of: 9,
        }
    }

    #[test]
    fn a_bound_of_many_copies_is_none_of_one() {
        let all: Vec<Measured> = (0..60)
            .map(|n| measured(n, if n % 2 == 0 { (20.0, 25.0, 30.0) } else { (0.0, 1.0, 2.0) }, Method::Rank))
            .collect();
        let told: Vec<(&Measured, bool)> = all.iter().map(|one| (one, one.canary % 2 == 0)).collect();
        let (one, many) = (epsilon(&told, 1).unwrap(), epsilon(&told, 64).unwrap());
        assert!(one.record > 2.0 && one.record == one.copies && many.copies == one.copies);
        assert!((many.record * 64.0 - one.record).abs() < 1e-9);
    }

    #[test]
    fn a_mean_of_bounds_is_a_bound() {
        let bounds: Vec<Measured> = (0..8).map(|n| measured(n, (0.0, 0.0, 30.0), Method::Bound)).collect();
        let got = mean(&bounds.iter().collect::<Vec<_>>(), 30.0, 1).unwrap();
        assert_eq!((got.at_least, got.of), (true, Estimate { value: 0.0, low: 0.0, high: 30.0 }));
        let ranks: Vec<Measured> = (0..8).map(|n| measured(n, (0.5, 1.0, 2.0), Method::Rank)).collect();
        let got = mean(&ranks.iter().collect::<Vec<_>>(), 30.0, 1).unwrap();
        // Eight of one kind do not rule out that a third are of another.
        assert!(!got.at_least && got.of.value == 1.0 && got.of.low < 0.4 && got.of.high > 8.0, "{got:?}");
    }
}
