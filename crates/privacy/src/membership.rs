//! Membership inference: experimental scores that tell texts of the training data from others, if they do.
//!
//! A score says nothing about one text. What is reported is how well each score separates two given sets, beside a blind
//! baseline that knows the texts and no model: where that separates them too, the sets differ in themselves (Meeus et al.,
//! SoK: Membership inference attacks on LLMs are rushing nowhere, 2024; Das et al., Blind baselines, 2024).

use std::collections::HashSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use bartizan_client::Token;

use crate::PrivacyError;
use crate::about::{About, digest};
use crate::exposure::reason;
use crate::neighbourhood::Pool;
use crate::signal::{Probe, Signal};
use crate::stats::{self, Dice, Estimate};

/// Share of the least likely tokens that Min-K% looks at.
const LEAST: f64 = 0.2;
/// Alternatives that are asked for with each token.
const ALTERNATIVES: u8 = 20;
/// Fewest alternatives that a distribution is approximated from.
const FEWEST: usize = 5;
/// Folds of the blind baseline.
const FOLDS: usize = 5;
/// Hashed features of the blind baseline.
const FEATURES: usize = 1 << 14;

/// How well one score separates the sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Separation {
    /// Name of the score.
    pub score: String,
    /// Said of the score where it is not what its name says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Probability that a member scores higher than another text; 0.5 is chance.
    pub auroc: Estimate,
    /// Share of members above the score that 1 % of the others reach. None of fewer than 100 others.
    pub tpr_at_1_percent: Option<Estimate>,
    /// The same for 0.1 %. None of fewer than 1000 others.
    pub tpr_at_0_1_percent: Option<Estimate>,
    /// Points of its ROC curve: share of others, share of members.
    pub roc: Vec<(f64, f64)>,
    /// True where it separates better than chance and than the blind baseline, by whole intervals.
    pub evidence: bool,
}

/// The whole test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The circumstances.
    pub about: About,
    /// What the endpoint tells.
    pub signal: Signal,
    /// What can and cannot be said.
    pub says: String,
    /// Texts that were measured: members, others.
    pub texts: (usize, usize),
    /// The baseline that knows no model.
    pub blind: Separation,
    /// Scores of the model, none without probabilities of given texts.
    pub scores: Vec<Separation>,
    /// What the figures come to.
    pub verdict: String,
    /// Texts that could not be measured, by reason.
    pub missing: std::collections::BTreeMap<String, u64>,
}

/// Scores of one text; higher means a member.
#[derive(Clone, Copy, Debug)]
struct Scores {
    loss: f64,
    zlib: f64,
    least: f64,
    least_plus: Option<f64>,
    reference: Option<f64>,
    neighbourhood: Option<f64>,
}

/// Makes sure that no text is on both sides.
///
/// # Errors
/// Some are: [`PrivacyError::Overlap`] with their number.
pub fn apart(members: &[String], others: &[String]) -> Result<(), PrivacyError> {
    let members: HashSet<&str> = members.iter().map(|text| text.trim()).collect();
    match others.iter().filter(|text| members.contains(text.trim())).count() {
        0 => Ok(()),
        both => Err(PrivacyError::Overlap(both)),
    }
}

/// Measures how well scores separate members from others. `reference` is a model that was not trained on either,
/// `neighbours` the number of neighbours that each text is compared with. What could not be measured is in the report.
pub async fn test(
    probe: &Probe,
    reference: Option<&Probe>,
    members: &[String],
    others: &[String],
    neighbours: u32,
) -> Report {
    let texts: Vec<(&str, bool)> =
        members.iter().map(|t| (t.as_str(), true)).chain(others.iter().map(|t| (t.as_str(), false))).collect();
    let sides = [members.len().to_le_bytes(), others.len().to_le_bytes()];
    let subject = digest(sides.iter().map(|side| side.as_slice()).chain(texts.iter().map(|(text, _)| text.as_bytes())));
    let blind = separation("blind baseline", None, &blind_scores(&texts));
    let mut report = Report {
        about: About::new(probe, subject.clone()),
        signal: probe.signal,
        says: probe.signal.says().to_owned(),
        texts: (members.len(), others.len()),
        blind,
        scores: Vec::new(),
        verdict: "not measured: the endpoint does not give the probabilities of given texts".to_owned(),
        missing: std::collections::BTreeMap::new(),
    };
    if probe.signal != Signal::Echo {
        return report;
    }
    let pool = Pool::new(texts.iter().filter(|_| neighbours > 0).map(|(text, _)| *text));
    let pool = &pool;
    let one = |(text, member): (&str, bool)| {
        let text = text.to_owned();
        async move {
            let near = pool.neighbours(&text, neighbours);
            (score(probe, reference, &text, &near).await, member)
        }
    };
    let width = probe.asked.concurrency();
    let all: Vec<_> = stream::iter(texts.iter().copied().map(one)).buffered(width).collect().await;
    let mut measured = Vec::new();
    for (scores, member) in all {
        match scores {
            Ok(scores) => measured.push((scores, member)),
            Err(why) => *report.missing.entry(reason(&why)).or_default() += 1,
        }
    }
    report.about = About::new(probe, subject);
    let count = |wanted: bool| measured.iter().filter(|(_, member)| *member == wanted).count();
    report.texts = (count(true), count(false));
    if report.texts.0 < 2 || report.texts.1 < 2 {
        report.verdict = "not measured: two texts of each kind are needed at least".to_owned();
        return report;
    }
    type Get = fn(&Scores) -> Option<f64>;
    let approximate = "approximate: from the likeliest alternatives, not the whole distribution";
    let drawn = "approximate: neighbours have words of the given texts, not those of a masked model";
    let kinds: [(&str, Option<&str>, Get); 6] = [
        ("loss", None, |s| Some(s.loss)),
        ("zlib ratio", None, |s| Some(s.zlib)),
        ("Min-20%", None, |s| Some(s.least)),
        ("Min-20%++", Some(approximate), |s| s.least_plus),
        ("reference", None, |s| s.reference),
        ("neighbourhood", Some(drawn), |s| s.neighbourhood),
    ];
    for (name, note, get) in kinds {
        let values: Vec<(f64, bool)> =
            measured.iter().filter_map(|(scores, member)| Some((get(scores)?, *member))).collect();
        if values.len() == measured.len() {
            let mut one = separation(name, note, &values);
            one.evidence = one.auroc.low > report.blind.auroc.high.max(0.5);
            report.scores.push(one);
        }
    }
    let shown: Vec<&str> = report.scores.iter().filter(|s| s.evidence).map(|s| s.score.as_str()).collect();
    report.verdict = if shown.is_empty() {
        "no evidence: no score separates the sets better than chance and than a baseline that knows no model".to_owned()
    } else {
        format!(
            "the model treats the sets differently ({}), beyond what the texts alone tell; that is a hint of training on \
             the first set, and no proof for any text of it",
            shown.join(", ")
        )
    };
    report
}

async fn score(
    probe: &Probe,
    reference: Option<&Probe>,
    text: &str,
    neighbours: &[String],
) -> Result<Scores, crate::journal::Missing> {
    let tokens = probe.tokens(text, ALTERNATIVES).await?;
    let logs: Vec<f64> = tokens.iter().filter_map(|(_, token)| token.logprob).collect();
    if logs.is_empty() {
        return Err(crate::journal::Missing::Rejected);
    }
    let loss = mean(&logs);
    let other = match reference {
        Some(reference) => {
            let logs: Vec<f64> = reference.tokens(text, 1).await?.iter().filter_map(|(_, t)| t.logprob).collect();
            Some(loss - mean(&logs))
        }
        None => None,
    };
    let mut near = Vec::new();
    for other in neighbours {
        let logs: Vec<f64> = probe.tokens(other, 1).await?.iter().filter_map(|(_, t)| t.logprob).collect();
        near.push(mean(&logs));
    }
    let plus: Vec<f64> = tokens.iter().filter(|(_, t)| t.logprob.is_some()).filter_map(|(_, t)| standing(t)).collect();
    Ok(Scores {
        loss,
        zlib: loss / zlib(text),
        least: least(&logs),
        least_plus: (plus.len() == logs.len()).then(|| least(&plus)),
        reference: other,
        neighbourhood: (!near.is_empty()).then(|| loss - mean(&near)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Bytes of the compressed text.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn zlib(text: &str) -> f64 {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
    let _ = out.write_all(text.as_bytes());
    out.finish().map_or(1.0, |bytes| bytes.len() as f64)
}

/// The mean of the lowest (Shi et al., Detecting pretraining data, ICLR 2024).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count"
)]
fn least(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.truncate(((values.len() as f64 * LEAST) as usize).max(1));
    mean(&sorted)
}

/// Where a token stands among all, in deviations (Zhang et al., Min-K%++, ICLR 2025), from the alternatives and one
/// bucket for what is left.
fn standing(token: &Token) -> Option<f64> {
    let own = token.logprob?;
    if token.top.len() < FEWEST {
        return None;
    }
    let seen: f64 = token.top.iter().map(|(_, log)| log.exp()).sum();
    let least = token.top.iter().map(|(_, log)| *log).fold(0.0, f64::min);
    let left = f64::max(1.0 - seen, 0.0);
    let moment = |power: i32| {
        token.top.iter().map(|(_, log)| log.exp() * log.powi(power)).sum::<f64>() + left * (least - 1.0).powi(power)
    };
    let mean = moment(1);
    let deviation = (moment(2) - mean * mean).max(1e-12).sqrt();
    Some((own - mean) / deviation)
}

pub(crate) fn auroc(values: &[(f64, bool)]) -> f64 {
    let mut sorted: Vec<(f64, bool)> = values.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut at) = (0.0, 0.0);
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let (count, members) = (same.len() as f64, same.iter().filter(|(_, member)| *member).count() as f64);
        ranks += members * (at + (count + 1.0) / 2.0);
        at += count;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let members = values.iter().filter(|(_, member)| *member).count() as f64;
    let others = at - members;
    if members == 0.0 || others == 0.0 {
        f64::NAN
    } else {
        (ranks - members * (members + 1.0) / 2.0) / (members * others)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count"
)]
fn tpr(values: &[(f64, bool)], fpr: f64) -> f64 {
    let mut others: Vec<f64> = values.iter().filter(|(_, member)| !member).map(|(score, _)| *score).collect();
    others.sort_by(|a, b| b.total_cmp(a));
    // So many others may be above the threshold.
    let above = (others.len() as f64 * fpr) as usize;
    let threshold = others.get(above).copied().unwrap_or(f64::NEG_INFINITY);
    let members: Vec<f64> = values.iter().filter(|(_, member)| *member).map(|(score, _)| *score).collect();
    members.iter().filter(|score| **score > threshold).count() as f64 / members.len().max(1) as f64
}

pub(crate) fn with_interval(values: &[(f64, bool)], statistic: impl Fn(&[(f64, bool)]) -> f64) -> Estimate {
    const ROUNDS: usize = 500;
    let members = values.iter().filter(|(_, member)| *member).count();
    let ends = stats::bootstrap(values, ROUNDS, values.len() as u64, &statistic);
    let (low, high) = stats::spread(ends, members.min(values.len() - members), (0.0, 1.0));
    Estimate { value: statistic(values), low, high }
}

fn separation(score: &str, note: Option<&str>, values: &[(f64, bool)]) -> Separation {
    let others = values.iter().filter(|(_, member)| !member).count();
    let at = |fpr: f64, fewest: usize| (others >= fewest).then(|| with_interval(values, |v| tpr(v, fpr)));
    Separation {
        score: score.to_owned(),
        note: note.map(str::to_owned),
        auroc: with_interval(values, auroc),
        tpr_at_1_percent: at(0.01, 100),
        tpr_at_0_1_percent: at(0.001, 1000),
        roc: (0..=50).map(|step| f64::from(step) / 50.0).map(|fpr| (fpr, tpr(values, fpr))).collect(),
        evidence: false,
    }
}

/// Out-of-fold scores of a logistic model of hashed words and pairs of words.
fn blind_scores(texts: &[(&str, bool)]) -> Vec<(f64, bool)> {
    let features: Vec<Vec<usize>> = texts.iter().map(|(text, _)| hashed(text)).collect();
    let mut dice = Dice::new(texts.len() as u64);
    let folds: Vec<usize> = texts.iter().map(|_| dice.below(FOLDS)).collect();
    let mut scores = vec![0.0; texts.len()];
    for fold in 0..FOLDS {
        let mut weights = vec![0.0_f64; FEATURES + 1];
        for _ in 0..8 {
            for ((found, (_, member)), own) in features.iter().zip(texts).zip(&folds) {
                if *own == fold {
                    continue;
                }
                let wanted = f64::from(u8::from(*member));
                let error = wanted - 1.0 / (1.0 + (-sum(&weights, found)).exp());
                let step = 0.5 * error / (found.len().max(1) as f64).sqrt();
                found.iter().chain([&FEATURES]).for_each(|at| {
                    if let Some(weight) = weights.get_mut(*at) {
                        *weight += step;
                    }
                });
            }
        }
        for ((found, own), score) in features.iter().zip(&folds).zip(&mut scores) {
            if *own == fold {
                *score = sum(&weights, found);
            }
        }
    }
    scores.into_iter().zip(texts.iter().map(|(_, member)| *member)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn sum(weights: &[f64], found: &[usize]) -> f64 {
    let of = |at: &usize| weights.get(*at).copied().unwrap_or(0.0);
    found.iter().map(of).sum::<f64>() / (found.len().max(1) as f64).sqrt() + of(&FEATURES)
}

fn hashed(text: &str) -> Vec<usize> {
    let hash =
        |seed: u64, word: &str| word.bytes().fold(seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut last = 0;
    let mut all = Vec::new();
    for word in text.split_whitespace().take(2000) {
        let own = hash(0xcbf2_9ce4_8422_2325, word);
        for value in [own, hash(last, word)] {
            all.push(usize::try_from(Dice::new(value).bits() % FEATURES as u64).unwrap_or(0));
        }
        last = own;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_of_known_scores() {
        let perfect: Vec<(f64, bool)> = (0..200).map(|n| (f64::from(n), n >= 100)).collect();
        assert_eq!((auroc(&perfect), tpr(&perfect, 0.01)), (1.0, 1.0));
        let ties: Vec<(f64, bool)> = (0..200).map(|n| (1.0, n >= 100)).collect();
        assert_eq!((auroc(&ties), tpr(&ties, 0.01)), (0.5, 0.0));
    }

    #[test]
    fn no_text_is_on_both_sides() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert!(apart(&texts(&["a", "b"]), &texts(&["c"])).is_ok());
        let both = apart(&texts(&["a", "b"]), &texts(&["b\n", "c", "a"])).unwrap_err();
        assert!(both.to_string().starts_with("2 texts"), "{both}");
    }

    #[test]
    fn a_blind_baseline_sees_sets_that_differ() {
        let date = |n: usize, year: u32| format!("on day {n} of the year {year} the river rose by {} feet", n % 7);
        let shifted: Vec<String> = (0..120).map(|n| date(n, if n < 60 { 2019 } else { 2024 })).collect();
        let texts: Vec<(&str, bool)> = shifted.iter().enumerate().map(|(n, t)| (t.as_str(), n < 60)).collect();
        assert!(auroc(&blind_scores(&texts)) > 0.95);
        let same: Vec<String> = (0..120).map(|n| date(n, 2019)).collect();
        let texts: Vec<(&str, bool)> = same.iter().enumerate().map(|(n, t)| (t.as_str(), n % 2 == 0)).collect();
        let got = auroc(&blind_scores(&texts));
        assert!((0.3..0.7).contains(&got), "{got}");
    }
}
