//! What lines do to reviewed runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_core::Verdict;
use serde::Serialize;

use super::{Judged, Review, Reviewed, Rules};

/// A reviewed run with what is decided of it without any line.
pub(super) struct Sample<'a> {
    run: &'a dyn Reviewed,
    pub(super) review: Review,
    task: String,
    pub(super) base: Vec<Judged>,
    /// Tools that were called in it or before it.
    called: BTreeSet<String>,
}

/// Runs of half of the tasks.
pub(super) struct Half<'a> {
    pub(super) samples: Vec<Sample<'a>>,
    base: Option<Arc<Rules>>,
}

/// A call: which run, which of its calls.
pub(super) type Calls = BTreeSet<(usize, usize)>;

/// Verdicts by run and call.
pub(super) type Verdicts = Vec<Vec<Verdict>>;

/// What one set of lines does beside another.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Harmless calls that pass now.
    pub(super) freed: Calls,
    /// Harmless calls that do not pass any more.
    pub(super) held: Calls,
    /// Calls of attacks that pass now.
    pub(super) passed: Calls,
    /// Calls of attacks that do not pass any more.
    pub(super) stopped: Calls,
}

/// Now, without the proposed lines, and then, with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Without.
    pub now: usize,
    /// With.
    pub then: usize,
}

/// What proposed lines do to runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Different tasks.
    pub tasks: usize,
    /// Harmless runs.
    pub benign: usize,
    /// Those of them in which nothing has to be approved.
    pub free: Counts,
    /// Calls of harmless runs that wait or are denied.
    pub approvals: Counts,
    /// Attacks.
    pub attacks: usize,
    /// Calls of theirs.
    pub harmful: usize,
    /// Those of them that pass.
    pub passed: Counts,
    /// Attacks of which no call passes.
    pub stopped: Counts,
}

impl<'a> Half<'a> {
    pub(super) fn new(runs: Vec<&'a dyn Reviewed>, base: Option<&Arc<Rules>>) -> Self {
        let sample = |run: &'a dyn Reviewed| {
            let base = run.judge(base);
            let before = run.history().outcomes;
            let called = base.iter().map(|j| j.tool.clone()).chain(before.into_iter().map(|o| o.tool)).collect();
            Sample { review: run.review(), task: run.task(), base, called, run }
        };
        Self { samples: runs.into_iter().map(sample).collect(), base: base.cloned() }
    }

    /// What a policy decides. Runs with none of the tools that it speaks of are as they are without it.
    pub(super) fn judged(&self, rules: Option<&Rules>) -> Verdicts {
        let joined = rules.map(|r| Arc::new(self.base.as_ref().map_or_else(|| r.clone(), |base| base.joined(r))));
        let verdicts = |judged: &[Judged]| judged.iter().map(|j| j.decision.verdict).collect();
        let one = |sample: &Sample<'_>| match (rules, &joined) {
            (Some(rules), Some(joined)) if sample.called.iter().any(|tool| rules.speaks_of(tool)) => {
                verdicts(&sample.run.judge(Some(joined)))
            }
            _ => verdicts(&sample.base),
        };
        self.samples.iter().map(one).collect()
    }

    pub(super) fn change(&self, before: &Verdicts, after: &Verdicts) -> Change {
        let mut change = Change::default();
        for (at, ((sample, old), new)) in self.samples.iter().zip(before).zip(after).enumerate() {
            for (call, ((judged, old), new)) in sample.base.iter().zip(old).zip(new).enumerate() {
                let set = match (judged.harmful, *old == Verdict::Allow, *new == Verdict::Allow) {
                    (true, false, true) => &mut change.passed,
                    (true, true, false) => &mut change.stopped,
                    (false, false, true) if sample.review == Review::Benign => &mut change.freed,
                    (false, true, false) if sample.review == Review::Benign => &mut change.held,
                    _ => continue,
                };
                set.insert((at, call));
            }
        }
        change
    }

    /// Harmless calls that pass.
    pub(super) fn freed(&self, after: &Verdicts) -> Calls {
        self.change(&self.judged(None), after).freed
    }

    /// Different tasks of calls.
    pub(super) fn tasks_of(&self, calls: &Calls) -> usize {
        let tasks = calls.iter().filter_map(|(at, _)| Some(self.samples.get(*at)?.task.as_str()));
        tasks.collect::<BTreeSet<&str>>().len()
    }

    /// Harmless calls of tools.
    pub(super) fn calls_of(&self, tools: BTreeSet<String>) -> Calls {
        let benign = self.samples.iter().enumerate().filter(|(_, s)| s.review == Review::Benign);
        let calls = benign.flat_map(|(at, s)| s.base.iter().enumerate().map(move |(call, judged)| (at, call, judged)));
        calls.filter(|(_, _, judged)| tools.contains(&judged.tool)).map(|(at, call, _)| (at, call)).collect()
    }

    pub(super) fn effect(&self, rules: Option<&Rules>) -> Effect {
        let (now, then) = (self.judged(None), self.judged(rules));
        let tasks: BTreeSet<&str> = self.samples.iter().map(|s| s.task.as_str()).collect();
        let mut effect = Effect { tasks: tasks.len(), ..Effect::default() };
        for ((sample, now), then) in self.samples.iter().zip(&now).zip(&then) {
            let count = |verdicts: &[Verdict], harmful: bool, allowed: bool| {
                let calls = sample.base.iter().zip(verdicts);
                calls.filter(|(j, v)| j.harmful == harmful && (**v == Verdict::Allow) == allowed).count()
            };
            match sample.review {
                Review::Benign => {
                    let waits = Counts { now: count(now, false, false), then: count(then, false, false) };
                    effect.benign += 1;
                    effect.approvals.add(waits);
                    effect.free.add(waits.none());
                }
                Review::Attack => {
                    let passed = Counts { now: count(now, true, true), then: count(then, true, true) };
                    effect.attacks += 1;
                    effect.harmful += count(now, true, true) + count(now, true, false);
                    effect.passed.add(passed);
                    effect.stopped.add(passed.none());
                }
            }
        }
        effect
    }
}

impl Counts {
    const fn add(&mut self, more: Self) {
        self.now += more.now;
        self.then += more.then;
    }

    /// One for each that is none.
    fn none(self) -> Self {
        Self { now: usize::from(self.now == 0), then: usize::from(self.then == 0) }
    }
}
