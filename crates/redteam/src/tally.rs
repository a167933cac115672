//! What came of the trials, counted by wording and way: the size does not depend on how many trials there are.

use std::collections::BTreeMap;
use std::ops::Range;

use bartizan_client::Usage;
use serde::{Deserialize, Serialize};

use crate::evidence::{Seen, Step};
use crate::journal::Record;
use crate::plan::{Cell, Work};
use crate::stats::Cluster;

/// Numbers from 0, as runs. Trials are made nearly in order, so there are few.
#[derive(Clone, Debug, Default)]
struct Numbers {
    /// The end of each run by its start.
    runs: BTreeMap<u64, u64>,
    count: u64,
}

impl Numbers {
    fn has(&self, n: u64) -> bool {
        self.runs.range(..=n).next_back().is_some_and(|(_, end)| n < *end)
    }

    fn put(&mut self, n: u64) {
        if self.has(n) {
            return;
        }
        self.count += 1;
        let start = match self.runs.range(..n).next_back() {
            Some((start, end)) if *end == n => *start,
            _ => n,
        };
        let end = self.runs.remove(&(n + 1)).unwrap_or(n + 1);
        self.runs.insert(start, end);
    }

    fn take(&mut self, n: u64) -> bool {
        let Some((start, end)) = self.runs.range(..=n).next_back().map(|(s, e)| (*s, *e)).filter(|(_, e)| n < *e)
        else {
            return false;
        };
        self.count -= 1;
        self.runs.remove(&start);
        if start < n {
            self.runs.insert(start, n);
        }
        if n + 1 < end {
            self.runs.insert(n + 1, end);
        }
        true
    }

    /// Runs of what is missing below a bound.
    fn gaps(&self, below: u64) -> Vec<Range<u64>> {
        let mut out = Vec::new();
        let mut from = 0;
        for (start, end) in self.runs.iter().map(|(s, e)| (*s, *e)).chain([(below, below)]) {
            if from < start.min(below) {
                out.push(from..start.min(below));
            }
            from = from.max(end);
        }
        out
    }
}

/// Most kinds of failures that are told apart by what was said. What a target says may be different each time.
const MOST_FAULTS: usize = 200;

/// Trials without evidence of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The kind of failure, or what else was no evidence: `empty`.
    pub kind: String,
    /// More, such as the status.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The status of HTTP, where one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the target said the first time, redacted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Where a redirect pointed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// How often, repeated trials counted.
    pub count: u64,
}

impl Fault {
    pub(crate) fn of(record: &Record) -> Self {
        let kind = record.evidence.why.clone();
        match record.turns.last().map(|turn| &turn.seen) {
            Some(Seen::Failed(failure)) => Self {
                kind,
                detail: failure.detail.clone(),
                status: failure.status,
                said: failure.said.clone(),
                redirect: failure.redirect.clone(),
                count: 0,
            },
            _ => Self { kind, ..Self::default() },
        }
    }

    /// What those of one kind have in common: numbers and ids in what is said are of one request.
    fn shape(&self) -> String {
        let told = format!("{} {} {}", self.detail, self.said, self.redirect.as_deref().unwrap_or_default());
        let word = |word: &str| {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            if word.len() >= 12 && digits >= 3 {
                "#".to_owned()
            } else {
                word.replace(|c: char| c.is_ascii_digit(), "")
            }
        };
        told.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
    }

    /// In words: `rejected: status 400 (bad_model), no such model`.
    #[must_use]
    pub fn told(&self) -> String {
        let mut out = self.kind.clone();
        let redirect = self.redirect.as_ref().map(|place| format!("a redirect to {place}"));
        for (at, more) in [Some(&self.detail), redirect.as_ref(), Some(&self.said)].into_iter().flatten().enumerate() {
            if !more.is_empty() {
                out.push_str(if at == 0 { ": " } else { ", " });
                out.push_str(more);
            }
        }
        out
    }
}

/// Counts of a run.
#[derive(Clone, Debug)]
pub struct Tally {
    trials: u64,
    /// Trials of each cell.
    each: Vec<(Range<u64>, Cell)>,
    /// By cell and step.
    counts: Vec<[u32; Step::ALL.len()]>,
    /// Trials with evidence.
    proved: Numbers,
    /// Trials that ended without, so far.
    failed: Numbers,
    /// How often each rule stopped something.
    pub rules: BTreeMap<String, u64>,
    /// Failures by kind, status and what all of them say.
    failures: BTreeMap<(String, Option<u16>, String), Fault>,
    /// Questions that were asked, repeated trials counted.
    pub questions: u64,
    /// Tokens that these took.
    pub usage: Usage,
}

fn place(step: Step) -> usize {
    Step::ALL.iter().position(|s| *s == step).unwrap_or(0)
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new(work: &Work) -> Self {
        let mut from = 0;
        let cells = work.cells().iter().map(|cell| {
            let times = if cell.benign { work.plan.benign_trials } else { work.plan.trials };
            let range = from..from + u64::from(times);
            from = range.end;
            (range, *cell)
        });
        let each: Vec<_> = cells.collect();
        Self {
            trials: work.trials(),
            counts: vec![[0; Step::ALL.len()]; each.len()],
            each,
            proved: Numbers::default(),
            failed: Numbers::default(),
            rules: BTreeMap::new(),
            failures: BTreeMap::new(),
            questions: 0,
            usage: Usage::default(),
        }
    }

    /// Counts a trial. A second record of one that had ended without evidence takes the place of the first; of one with
    /// evidence it counts as asked and nothing else.
    pub fn add(&mut self, record: &Record) {
        let step = record.evidence.step;
        let at = self.each.partition_point(|(range, _)| range.end <= record.n);
        let Some(counts) = self.counts.get_mut(at).filter(|_| record.n < self.trials) else { return };
        self.questions += record.turns.len() as u64;
        self.usage.input += record.usage.input;
        self.usage.output += record.usage.output;
        if self.proved.has(record.n) {
            return;
        }
        let mut count = |step: Step, more: bool| {
            if let Some(slot) = counts.get_mut(place(step)) {
                *slot = if more { slot.saturating_add(1) } else { slot.saturating_sub(1) };
            }
        };
        if self.failed.take(record.n) {
            count(Step::Error, false);
        }
        count(step, true);
        for rule in &record.evidence.rules {
            *self.rules.entry(rule.clone()).or_default() += 1;
        }
        if step == Step::Error {
            self.fault(Fault::of(record));
            self.failed.put(record.n);
        } else {
            self.proved.put(record.n);
        }
    }

    fn fault(&mut self, mut fault: Fault) {
        let mut key = (fault.kind.clone(), fault.status, fault.shape());
        if self.failures.len() >= MOST_FAULTS && !self.failures.contains_key(&key) {
            (fault.said, fault.redirect, key.2) = (String::new(), None, String::new());
        }
        self.failures.entry(key).or_insert(fault).count += 1;
    }

    /// Trials without evidence by kind, the most frequent first.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut all: Vec<Fault> = self.failures.values().cloned().collect();
        all.sort_by_key(|fault| std::cmp::Reverse(fault.count));
        all
    }

    /// Trials that need to be made, or made again because they gave no evidence.
    #[must_use]
    pub fn missing(&self) -> Vec<Range<u64>> {
        self.proved.gaps(self.trials)
    }

    /// Trials that something came of.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.proved.count + self.failed.count
    }

    /// Counts by step of the trials of selected cells, and hits and trials of each wording. Those without evidence are no
    /// trials there.
    pub(crate) fn of(
        &self,
        wanted: impl Fn(Cell) -> bool,
        hit: impl Fn(Step) -> bool,
    ) -> (BTreeMap<Step, u64>, Vec<Cluster>) {
        let mut by_step = BTreeMap::new();
        let mut clusters: BTreeMap<(usize, usize, bool), Cluster> = BTreeMap::new();
        for ((_, cell), counts) in self.each.iter().zip(&self.counts).filter(|((_, cell), _)| wanted(*cell)) {
            for (step, count) in Step::ALL.into_iter().zip(counts).filter(|(_, count)| **count > 0) {
                let count = u64::from(*count);
                *by_step.entry(step).or_default() += count;
                let cluster = clusters.entry((cell.probe, cell.wording, cell.benign)).or_default();
                if step != Step::Error {
                    cluster.trials += count;
                    cluster.hits += if hit(step) { count } else { 0 };
                }
            }
        }
        (by_step, clusters.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_numbers_are_a_set() {
        let mut numbers = Numbers::default();
        let mut plain = std::collections::BTreeSet::new();
        let mut dice = bartizan_stats::SplitMix64::new(5);
        for _ in 0..2000 {
            let n = dice.bits() % 60;
            if dice.unit() < 0.6 {
                numbers.put(n);
                plain.insert(n);
            } else {
                assert_eq!(numbers.take(n), plain.remove(&n));
            }
            assert_eq!(numbers.count, plain.len() as u64);
            let missing: Vec<u64> = numbers.gaps(50).into_iter().flatten().collect();
            assert_eq!(missing, (0..50).filter(|n| !plain.contains(n)).collect::<Vec<_>>());
        }
        numbers.runs.iter().zip(numbers.runs.iter().skip(1)).for_each(|((_, end), (start, _))| assert!(end < start));
    }
}
