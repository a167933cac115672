//! Two models on the same probes: what changed between a base and a tuned one.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_stats::fisher;
use serde::{Deserialize, Serialize};

use crate::about::About;
use crate::behaviour::{self, Refusals};
use crate::signal::Signal;
use crate::stats::{self, Estimate};
use crate::{PrivacyError, exposure, extraction, personal};

/// A report of one of the tests that can be compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// Of canaries.
    Exposure(exposure::Report),
    /// Of given records.
    Extraction(extraction::Report),
    /// Of personal data in given records.
    Personal(personal::Report),
    /// Of refusals and suspected triggers.
    Behaviour(behaviour::Report),
}

impl<'de> Deserialize<'de> for Report {
    /// Tells a report by what is in it. An untagged enum does not read maps whose keys are numbers; a value does.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        exposure::Report::deserialize(&value)
            .map(Self::Exposure)
            .or_else(|_| extraction::Report::deserialize(&value).map(Self::Extraction))
            .or_else(|_| personal::Report::deserialize(&value).map(Self::Personal))
            .or_else(|_| behaviour::Report::deserialize(&value).map(Self::Behaviour))
            .map_err(serde::de::Error::custom)
    }
}

/// Chance of any false difference among those that were counted over samples.
const FALSE: f64 = 1.0 - stats::CONFIDENCE;

impl Report {
    fn about(&self) -> &About {
        match self {
            Self::Exposure(report) => &report.about,
            Self::Extraction(report) => &report.about,
            Self::Personal(report) => &report.about,
            Self::Behaviour(report) => &report.about,
        }
    }

    const fn signal(&self) -> Signal {
        match self {
            Self::Exposure(report) => report.signal,
            Self::Extraction(report) => report.signal,
            Self::Personal(report) => report.signal,
            Self::Behaviour(report) => report.signal,
        }
    }
}

/// One canary or record that both models were asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Number of the canary or record, from 0.
    pub number: usize,
    /// What the base model gives away: exposure in bits, or the probability of extraction.
    pub base: Estimate,
    /// What the tuned one does.
    pub tuned: Estimate,
    /// Probability of counts at least as different where nothing changed (Fisher's exact test); none of what was not
    /// counted over samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared.
    pub measure: String,
    /// The circumstances of the two.
    pub about: (About, About),
    /// Signals of the two.
    pub signals: (Signal, Signal),
    /// What limits the comparison, if something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Canaries or records that both were asked about.
    pub compared: usize,
    /// Those that were measured of one model alone.
    #[serde(default)]
    pub unpaired: usize,
    /// Those of which the tuned model gives away more: by whole intervals, or where they were counted over samples, by an
    /// exact test that is wrong about any of them in one of twenty comparisons (Holm 1979).
    pub more: Vec<Change>,
    /// Those of which it gives away less.
    pub less: Vec<Change>,
    /// How many of those that both were asked about come out of each model.
    pub extractable: (usize, usize),
    /// How refusals changed, where prompts were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals: Option<Refusals>,
}

/// One measured thing.
struct One {
    number: usize,
    value: Estimate,
    /// Samples that the value was counted over; 0 where it was not.
    of: u64,
    /// It comes out of the model.
    is_out: bool,
}

/// Those of both models with the same number, and how many one of them has alone.
fn paired(base: &[One], tuned: &[One]) -> Pairs {
    let by_number: BTreeMap<usize, &One> = tuned.iter().map(|one| (one.number, one)).collect();
    let (mut changes, mut extractable) = (Vec::new(), (0, 0));
    for a in base {
        let Some(b) = by_number.get(&a.number) else { continue };
        let hits = |one: &One| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of samples")]
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let hits = (one.value.value * one.of as f64).round() as u64;
            (hits, one.of)
        };
        let p = (a.of > 0 && b.of > 0).then(|| fisher(hits(a), hits(b)));
        changes.push(Change { number: a.number, base: a.value, tuned: b.value, p });
        extractable.0 += usize::from(a.is_out);
        extractable.1 += usize::from(b.is_out);
    }
    let unpaired = base.len() + tuned.len() - 2 * changes.len();
    Pairs { changes, unpaired, extractable }
}

struct Pairs {
    changes: Vec<Change>,
    unpaired: usize,
    extractable: (usize, usize),
}

impl Pairs {
    /// The numbers of those that differ.
    fn different(&self) -> BTreeSet<usize> {
        let mut counted: Vec<(f64, usize)> = self.changes.iter().filter_map(|one| Some((one.p?, one.number))).collect();
        counted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all = counted.len();
        // Each is held against what is left of the chance of a false one.
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let sure = counted.iter().enumerate().take_while(|(at, (p, _))| *p <= FALSE / (all - at) as f64);
        let sure = sure.map(|(_, (_, number))| *number);
        // An exact probability has no interval; tenfold is more than a new rounding or another batch makes of it.
        let apart = |a: Estimate, b: Estimate| {
            let exact = a.low >= a.high && b.low >= b.high;
            a.low > b.high && (!exact || a.value > 10.0 * b.value)
        };
        let whole = |one: &&Change| one.p.is_none() && (apart(one.base, one.tuned) || apart(one.tuned, one.base));
        self.changes.iter().filter(whole).map(|one| one.number).chain(sure).collect()
    }
}

/// Compares two reports of the same kind, on the same canaries, records or prompts.
///
/// # Errors
/// The reports are of different kinds or subjects, or nothing is in both.
pub fn compare(base: &Report, tuned: &Report) -> Result<Comparison, PrivacyError> {
    let signals = (base.signal(), tuned.signal());
    let mut refusals = None;
    let mut is_asked_alike = true;
    let (measure, pairs) = match (base, tuned) {
        (Report::Exposure(base), Report::Exposure(tuned)) => {
            // Intervals of bounds go up to everything, so that none is above another.
            let bounds = [base.signal, tuned.signal].iter().any(|s| matches!(s, Signal::Text | Signal::Chat));
            let all = |report: &exposure::Report| -> Vec<One> {
                let is_counted = matches!(report.signal, Signal::Text | Signal::Chat);
                let one = |one: &exposure::Measured| One {
                    number: one.canary,
                    value: if bounds { one.extraction } else { one.exposure },
                    of: if is_counted { u64::from(one.of) } else { 0 },
                    is_out: one.extraction_within.value >= 0.5,
                };
                report.canaries.iter().map(one).collect()
            };
            is_asked_alike = base.effort == tuned.effort;
            let measure = if bounds { "probability of extraction of canaries" } else { "exposure of canaries, bits" };
            (measure, paired(&all(base), &all(tuned)))
        }
        (Report::Extraction(base), Report::Extraction(tuned)) => {
            let all = |report: &extraction::Report| -> Vec<One> {
                let one = |one: &extraction::Measured| One {
                    number: one.record,
                    value: one.extraction,
                    of: one.of,
                    is_out: one.near,
                };
                report.records.iter().map(one).collect()
            };
            is_asked_alike = base.effort == tuned.effort;
            ("probability of extraction of records", paired(&all(base), &all(tuned)))
        }
        (Report::Personal(base), Report::Personal(tuned)) => {
            let all = |report: &personal::Report| -> Vec<One> {
                let one = |one: &personal::Measured| One {
                    number: one.number,
                    value: one.extraction,
                    of: one.of,
                    is_out: one.extraction_within.value >= 0.5,
                };
                report.values.iter().map(one).collect()
            };
            is_asked_alike = base.effort == tuned.effort;
            ("probability of extraction of values", paired(&all(base), &all(tuned)))
        }
        (Report::Behaviour(base), Report::Behaviour(tuned)) => {
            refusals = Some(Refusals::new(base, tuned));
            let all = |report: &behaviour::Report| -> Vec<One> {
                let one =
                    |one: &behaviour::Suspected| One { number: one.suspect, value: one.with, of: 0, is_out: one.shows };
                report.suspects.iter().map(one).collect()
            };
            ("payloads of suspected triggers", paired(&all(base), &all(tuned)))
        }
        _ => return Err(PrivacyError::Compare("the reports are of different tests")),
    };
    if base.about().subject != tuned.about().subject {
        return Err(PrivacyError::Compare(
            "they are of other canaries, records or prompts, or of records that were cut at other places",
        ));
    }
    if pairs.changes.is_empty() && refusals.is_none_or(|refusals| refusals.prompts == 0) {
        return Err(PrivacyError::Compare("no canary or record is in both reports"));
    }
    let mut notes = Vec::new();
    if signals.0 != signals.1 {
        notes.push("the endpoints gave different signals, so that a difference may be one of what could be measured");
    }
    if !is_asked_alike {
        notes.push(
            "the two were not asked in the same way or as often, so that a difference may be one of the questions",
        );
    }
    let different = pairs.different();
    let some = |wanted: &dyn Fn(&Change) -> bool| -> Vec<Change> {
        pairs.changes.iter().filter(|one| different.contains(&one.number) && wanted(one)).cloned().collect()
    };
    Ok(Comparison {
        measure: measure.to_owned(),
        about: (base.about().clone(), tuned.about().clone()),
        signals,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        compared: pairs.changes.len(),
        unpaired: pairs.unpaired,
        more: some(&|one| one.tuned.value > one.base.value),
        less: some(&|one| one.tuned.value < one.base.value),
        extractable: pairs.extractable,
        refusals,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(signal: Signal, exposures: &[(f64, f64, f64)]) -> Report {
        let certain = |value: f64| Estimate { value, low: value, high: value };
        let canary = |(number, (low, value, high)): (usize, &(f64, f64, f64))| exposure::Measured {
            canary: number,
            count: 4,
            exposure: Estimate { value: *value, low: *low, high: *high },
            method: exposure::Method::Rank,
            by_rank: None,
            extraction: certain(0.1),
            extraction_within: certain(if *value > 20.0 { 0.9 } else { 0.1 }),
            of: 100,
        };
        Report::Exposure(exposure::Report {
            about: About::of("canaries"),
            signal,
            says: String::new(),
            bits: 29.9,
            effort: exposure::Effort { references: 100, samples: 0, within: 10, template: None },
            groups: Vec::new(),
            canaries: exposures.iter().enumerate().map(canary).collect(),
            missing: std::collections::BTreeMap::new(),
        })
    }

    #[test]
    fn only_whole_intervals_count() {
        let base = report(Signal::Echo, &[(0.0, 1.0, 3.0), (0.5, 2.0, 4.0), (20.0, 25.0, 29.0)]);
        let tuned = report(Signal::Sampled, &[(10.0, 22.0, 29.0), (1.0, 3.0, 6.0), (0.0, 1.0, 2.0)]);
        let got = compare(&base, &tuned).unwrap();
        let numbers = |of: &[Change]| of.iter().map(|one| one.number).collect::<Vec<_>>();
        assert_eq!((numbers(&got.more), numbers(&got.less)), (vec![0], vec![2]));
        assert_eq!((got.compared, got.extractable, got.note.is_some()), (3, (1, 1), true));
        assert!(compare(&base, &report(Signal::Echo, &[])).is_err());
        // What one of the models was not asked about does not come out of the other alone.
        let few = compare(&report(Signal::Echo, &[(0.0, 1.0, 3.0)]), &base).unwrap();
        assert_eq!((few.compared, few.unpaired, few.extractable), (1, 2, (0, 0)));
        // A report is read as what it is.
        let text = serde_json::to_string(&base).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), base);
    }

    #[test]
    fn reports_of_other_canaries_are_not_compared() {
        let (base, mut tuned) = (report(Signal::Echo, &[(0.0, 1.0, 3.0)]), report(Signal::Echo, &[(0.0, 1.0, 3.0)]));
        if let Report::Exposure(of) = &mut tuned {
            of.about = About::of("others");
        }
        assert!(compare(&base, &tuned).unwrap_err().to_string().contains("other canaries"));
        if let Report::Exposure(of) = &mut tuned {
            of.about = About::of("canaries");
            of.effort.within = 1000;
        }
        assert!(compare(&base, &tuned).unwrap().note.is_some());
    }

    #[test]
    fn counts_are_compared_together() {
        let of = |hits: &[u64]| {
            let mut report = report(Signal::Text, &vec![(0.0, 0.0, 29.9); hits.len()]);
            if let Report::Exposure(of) = &mut report {
                for (one, hits) in of.canaries.iter_mut().zip(hits) {
                    (one.extraction, one.of) = (stats::share(*hits, 40), 40);
                }
            }
            report
        };
        let got = compare(&of(&[0]), &of(&[36])).unwrap();
        assert_eq!((got.more.len(), got.measure.as_str()), (1, "probability of extraction of canaries"));
        assert!(compare(&of(&[3]), &of(&[4])).unwrap().more.is_empty());
        // What is seldom in one comparison is not seldom in forty.
        assert_eq!(compare(&of(&[0]), &of(&[6])).unwrap().more.len(), 1);
        let (mut base, mut tuned) = (vec![2; 40], vec![2; 40]);
        (base[7], tuned[7]) = (0, 6);
        assert!(compare(&of(&base), &of(&tuned)).unwrap().more.is_empty());
        tuned[7] = 30;
        assert_eq!(compare(&of(&base), &of(&tuned)).unwrap().more[0].number, 7);
    }
}
