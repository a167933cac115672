//! Time kept per rule family. The engine has no clock of its own: whoever scans brings one.

use bartizan_core::Family;

const FAMILIES: usize = Family::ALL.len();

/// Tells the time in nanoseconds from any start. It never goes back.
pub type Clock = fn() -> u64;

/// What the detectors of one rule family took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Nanoseconds of wall clock inside detectors.
    pub nanos: u64,
    /// How often a detector was called.
    pub calls: u64,
    /// How often a detector was not called because the budget was used up.
    pub skips: u64,
    /// Bytes of the texts that were not looked at for that reason.
    pub skipped_bytes: usize,
}

/// Keeps the time of one request or reply, per rule family, and stops a family whose budget is used up.
///
/// A detector is never interrupted: it is bounded and pure. The budget is looked at before each call, so that a slow
/// family costs at most one call more than its budget and takes nothing from the others.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    clock: Option<Clock>,
    /// Nanoseconds, by family.
    budgets: [Option<u64>; FAMILIES],
    spent: [Spent; FAMILIES],
    skips: u64,
    /// Bytes not looked at since they were asked for last, by family.
    untold: [usize; FAMILIES],
    /// Passages that slow models have read.
    passages: usize,
}

impl Meter {
    /// A meter over a clock; `budget` says how many nanoseconds a family has.
    #[must_use]
    pub fn new(clock: Clock, budget: impl Fn(Family) -> Option<u64>) -> Self {
        Self { clock: Some(clock), budgets: Family::ALL.map(budget), ..Self::default() }
    }

    /// What each family took that was called or stopped.
    pub fn spent(&self) -> impl Iterator<Item = (Family, Spent)> + '_ {
        Family::ALL.into_iter().zip(self.spent).filter(|(_, spent)| spent.calls + spent.skips > 0)
    }

    /// How many calls did not happen because a budget was used up.
    #[must_use]
    pub const fn skips(&self) -> u64 {
        self.skips
    }

    /// The families that were stopped since this was asked last, with the bytes of text that they did not look at.
    pub fn take_skipped(&mut self) -> Vec<(Family, usize)> {
        if self.untold == [0; FAMILIES] {
            return Vec::new();
        }
        let untold = std::mem::take(&mut self.untold);
        Family::ALL.into_iter().zip(untold).filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// Calls a detector of the family on a text of so many bytes, if its budget allows it.
    pub(crate) fn run(&mut self, family: Family, bytes: usize, work: impl FnOnce(&mut Passages)) {
        let mut passages = Passages { read: self.passages, short: false };
        self.timed(family, bytes, || work(&mut passages));
        self.passages = passages.read;
        // What was answered with less than was wanted is not to be kept.
        self.skips += u64::from(passages.short);
    }

    fn timed(&mut self, family: Family, bytes: usize, work: impl FnOnce()) {
        let Some(clock) = self.clock else { return work() };
        let at = family as usize;
        let budget = self.budgets.get(at).copied().flatten();
        let Some(spent) = self.spent.get_mut(at) else { return work() };
        if budget.is_some_and(|budget| spent.nanos >= budget) {
            spent.skips += 1;
            spent.skipped_bytes = spent.skipped_bytes.saturating_add(bytes);
            self.skips += 1;
            if let Some(untold) = self.untold.get_mut(at) {
                *untold = untold.saturating_add(bytes);
            }
            return;
        }
        let start = clock();
        work();
        spent.nanos = spent.nanos.saturating_add(clock().saturating_sub(start));
        spent.calls += 1;
    }
}

/// What slow models have read of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passages {
    pub(crate) read: usize,
    /// More was wanted than the limit allows.
    pub(crate) short: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local!(static NOW: Cell<u64> = const { Cell::new(0) });

    fn clock() -> u64 {
        NOW.get()
    }

    #[test]
    fn families_are_numbered_in_the_order_of_the_list() {
        assert!(Family::ALL.iter().enumerate().all(|(at, family)| *family as usize == at));
    }

    #[test]
    fn a_slow_family_is_stopped_and_the_others_are_not() {
        let mut meter = Meter::new(clock, |family| (family == Family::Pii).then_some(100));
        let mut calls = Vec::new();
        for _ in 0..3 {
            for family in [Family::Pii, Family::Secret] {
                meter.run(family, 10, |_| {
                    NOW.set(NOW.get() + 60);
                    calls.push(family);
                });
            }
        }
        assert_eq!(calls.iter().filter(|f| **f == Family::Pii).count(), 2);
        assert_eq!(calls.len(), 5);
        let spent: Vec<_> = meter.spent().collect();
        assert_eq!(spent.len(), 2);
        assert!(spent.contains(&(Family::Pii, Spent { nanos: 120, calls: 2, skips: 1, skipped_bytes: 10 })));
        assert_eq!(meter.skips(), 1);
        assert_eq!(meter.take_skipped(), [(Family::Pii, 10)]);
        assert_eq!(meter.take_skipped(), []);
    }
}
