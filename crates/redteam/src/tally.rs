//! What came of the trials, one byte each.

use std::collections::BTreeMap;

use crate::evidence::Step;
use crate::journal::Record;
use crate::plan::Work;
use crate::stats::Cluster;

/// Counts of a run. Its size is a byte a trial.
#[derive(Clone, Debug)]
pub struct Tally {
    /// 0 where there is nothing yet, otherwise one more than the place of the step.
    codes: Vec<u8>,
    /// How often each rule stopped something.
    pub rules: BTreeMap<String, u64>,
    /// How often each kind of failure came.
    pub failures: BTreeMap<String, u64>,
    /// Trials by the logarithm of their time in milliseconds, in steps of a quarter of a doubling.
    times: [u64; 80],
    /// Questions that were asked, and tokens.
    pub questions: u64,
    /// Tokens of questions.
    pub input: u64,
    /// Tokens of replies.
    pub output: u64,
}

impl Tally {
    /// Nothing yet, of so many trials.
    #[must_use]
    pub fn new(trials: u64) -> Self {
        Self {
            codes: vec![0; usize::try_from(trials).unwrap_or(0)],
            rules: BTreeMap::new(),
            failures: BTreeMap::new(),
            times: [0; 80],
            questions: 0,
            input: 0,
            output: 0,
        }
    }

    /// Counts a trial. A second record of it takes the place of the first.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to the table"
    )]
    pub fn add(&mut self, record: &Record) {
        let step = record.evidence.step;
        let place = Step::ALL.iter().position(|s| *s == step).unwrap_or(0);
        let Some(slot) = usize::try_from(record.n).ok().and_then(|n| self.codes.get_mut(n)) else { return };
        *slot = u8::try_from(place + 1).unwrap_or(0);
        for rule in &record.evidence.rules {
            *self.rules.entry(rule.clone()).or_default() += 1;
        }
        if step == Step::Error {
            *self.failures.entry(record.evidence.why.clone()).or_default() += 1;
        }
        let bucket = (4.0 * (record.ms as f64 + 1.0).log2()).round().clamp(0.0, 79.0) as usize;
        if let Some(slot) = self.times.get_mut(bucket) {
            *slot += 1;
        }
        self.questions += record.turns.len() as u64;
        self.input += record.usage.input;
        self.output += record.usage.output;
    }

    /// What came of a trial.
    #[must_use]
    pub fn step(&self, trial: u64) -> Option<Step> {
        let code = *self.codes.get(usize::try_from(trial).ok()?)?;
        Step::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// True where the trial need not be made (again). One without evidence is made again.
    #[must_use]
    pub fn is_done(&self, trial: u64) -> bool {
        self.step(trial).is_some_and(|step| step != Step::Error)
    }

    /// Trials that something came of.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.codes.iter().filter(|c| **c != 0).count() as u64
    }

    /// The time below which this share of trials stayed, milliseconds, to about a tenth.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times of trials"
    )]
    pub fn time(&self, share: f64) -> u64 {
        let all: u64 = self.times.iter().sum();
        let mut seen = 0;
        for (bucket, count) in self.times.iter().enumerate() {
            seen += count;
            if all > 0 && seen as f64 >= share * all as f64 {
                return ((bucket as f64 / 4.0).exp2() - 1.0).round() as u64;
            }
        }
        0
    }

    /// Counts by step of the trials of selected cells, and hits and trials of each wording. Those without evidence are no
    /// trials there.
    pub(crate) fn of(
        &self,
        work: &Work,
        wanted: impl Fn(crate::plan::Cell) -> bool,
        hit: impl Fn(Step) -> bool,
    ) -> (BTreeMap<Step, u64>, Vec<Cluster>) {
        let mut counts = BTreeMap::new();
        let mut clusters: BTreeMap<(usize, usize, bool), Cluster> = BTreeMap::new();
        for trial in 0..work.trials() {
            let Some(step) = self.step(trial) else { continue };
            let cell = work.cell_of(trial).and_then(|(at, _)| work.cells().get(at)).copied();
            let Some(cell) = cell.filter(|c| wanted(*c)) else { continue };
            *counts.entry(step).or_default() += 1;
            let cluster = clusters.entry((cell.probe, cell.wording, cell.benign)).or_default();
            if step != Step::Error {
                cluster.trials += 1;
                cluster.hits += u64::from(hit(step));
            }
        }
        (counts, clusters.into_values().collect())
    }
}
