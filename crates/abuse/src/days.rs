//! What was counted of a key on its days, and what follows for today.

use crate::settings::Levels;
use crate::signal::Measure;

/// Days that are remembered: five weeks, so that a job that runs once a month is usual.
pub(crate) const KEPT: u32 = 35;
/// Days with requests after which a key has a past.
const ACTIVE: usize = 3;
/// Days that are left out of what is compared with when small surpluses are added up: a slow attack must not become its
/// own past too soon.
const LAG: u32 = 14;
/// So many times what is usual may a day have without a surplus.
const SLACK: f32 = 2.0;
/// Level of the added surpluses, in levels of a day.
const SUM: f32 = 4.0;
/// A day counts as at most so many times its level. One large day does not make the next usual.
const WINSOR: f32 = 2.0;

/// Counts by measure, in the order of [`Measure::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(pub(crate) [u32; Measure::COUNT]);

impl Counts {
    pub(crate) fn get(&self, measure: Measure) -> u32 {
        self.0.get(measure as usize).copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, measure: Measure, count: u32) {
        if let Some(kept) = self.0.get_mut(measure as usize) {
            *kept = count;
        }
    }

    pub(crate) fn add(&mut self, measure: Measure, more: u32) {
        self.set(measure, self.get(measure).saturating_add(more));
    }
}

/// A day that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// Days since 1970.
    pub(crate) day: u32,
    /// What counts of it.
    pub(crate) counts: Counts,
}

/// The days of a key that are over.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Days {
    /// Oldest first; only days with requests.
    pub(crate) over: Vec<Day>,
    /// Surpluses that have added up, by measure.
    pub(crate) sums: [f32; Measure::COUNT],
}

impl Days {
    /// The most of a measure on one day.
    pub(crate) fn usual(&self, measure: Measure) -> u32 {
        self.over.iter().map(|day| day.counts.get(measure)).max().unwrap_or_default()
    }

    /// True where there is a past to compare with.
    pub(crate) fn is_established(&self, born: u32, today: u32, learn: u32) -> bool {
        today.saturating_sub(born) >= learn && self.over.len() >= ACTIVE
    }

    /// From where on today's count is reported; `None` for never.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a threshold"
    )]
    pub(crate) fn level(&self, measure: Measure, levels: &Levels, established: bool) -> Option<u32> {
        let level = levels.of(measure);
        let least = if established { level.least } else { level.fresh };
        if !established && level.fresh == 0 {
            return None;
        }
        let times = self.usual(measure) as f32 * level.factor;
        Some(least.max(times as u32))
    }

    /// The days that lie far enough back; `None` where they are too few to say what was usual then.
    fn old(&self, today: u32) -> Option<&[Day]> {
        let until = self.over.partition_point(|day| day.day < today.saturating_sub(LAG));
        self.over.get(..until).filter(|old| old.len() >= ACTIVE)
    }

    /// True where the surpluses of many days add up, with today's count.
    #[allow(clippy::cast_precision_loss, reason = "a threshold")]
    pub(crate) fn adds_up(&self, measure: Measure, count: u32, today: u32, levels: &Levels) -> bool {
        let sum = self.sums.get(measure as usize).copied().unwrap_or_default();
        let Some(old) = self.old(today).filter(|_| measure.adds_up() && sum > 0.0) else { return false };
        let usual = old.iter().map(|day| day.counts.get(measure)).max().unwrap_or_default();
        let level = levels.of(measure);
        sum + count as f32 > SUM * (usual as f32 * level.factor).max(level.least as f32)
    }

    /// Mean of the days that lie far enough back, those without requests included.
    #[allow(clippy::cast_precision_loss, reason = "an average")]
    fn reference(&self, measure: Measure, today: u32) -> Option<f32> {
        let old = self.old(today)?;
        let span = today.saturating_sub(LAG).saturating_sub(old.first()?.day).max(1);
        Some(old.iter().map(|day| day.counts.get(measure) as f32).sum::<f32>() / span as f32)
    }

    /// Ends a day.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of a day"
    )]
    pub(crate) fn end(&mut self, day: u32, mut counts: Counts, levels: &Levels, established: bool) {
        for measure in Measure::ALL {
            let count = counts.get(measure);
            // What a key without a past does is its past, within the level that it would have with one.
            let level = levels.of(measure);
            let least = if established { level.least } else { level.least.max(level.fresh) };
            let most = (self.usual(measure) as f32 * level.factor).max(least as f32) * WINSOR;
            let unbounded = !established && level.fresh == 0;
            if measure == Measure::NewWords && self.over.len() < ACTIVE {
                // Every word is new to a new key.
                counts.set(measure, 0);
            } else if !unbounded {
                counts.set(measure, count.min(most as u32));
            }
            if let Some(reference) = self.reference(measure, day) {
                let slack = 0.1 * level.least as f32;
                let surplus = count as f32 - SLACK * reference - slack;
                if let Some(sum) = self.sums.get_mut(measure as usize) {
                    *sum = (*sum + surplus).clamp(0.0, 1e9);
                }
            }
        }
        self.over.retain(|old| old.day.saturating_add(KEPT) > day);
        self.over.push(Day { day, counts });
    }

    /// Takes away what is too long ago.
    pub(crate) fn forget(&mut self, today: u32) {
        self.over.retain(|old| old.day.saturating_add(KEPT) >= today);
    }

    /// What an operator calls usual: today's counts of some measures hold from now on.
    pub(crate) fn accept(&mut self, today: u32, measure: Measure, count: u32) {
        if let Some(sum) = self.sums.get_mut(measure as usize) {
            *sum = 0.0;
        }
        match self.over.last_mut() {
            Some(last) => last.counts.set(measure, last.counts.get(measure).max(count)),
            None => {
                let mut counts = Counts::default();
                counts.set(measure, count);
                self.over.push(Day { day: today.saturating_sub(1), counts });
            }
        }
    }
}
