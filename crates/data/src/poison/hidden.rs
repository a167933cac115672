//! Labelled texts: a group hidden in a class, whose rows say what those of other classes say, and have something more in
//! common that rows of neither kind have.
//!
//! A mixture of two parts is fitted to the rows of a class by expectation and maximisation (Dempster, Laird and Rubin
//! 1977), with what a row's words say for its label as the first guess. A feature is judged without the row itself, and by
//! a count that chance would hardly make larger.

use rayon::prelude::*;

use super::logistic;
use super::table::Table;

/// Rounds of expectation and maximisation.
const ROUNDS: usize = 8;
/// Log-odds against a row of which only its words are known.
const FIRST: f64 = 2.0;
/// Rows that the smoothing stands for.
const SMOOTH: f64 = 10.0;
/// Standard deviations that a count is taken to be too large.
const CAREFUL: f64 = 1.0;
/// What the most telling features of a row count, the best first; the others say the same again.
const PARTS: [f64; 4] = [1.0, 0.6, 0.4, 0.3];
/// Most that a feature says, in nats.
const MOST: f64 = 5.0;

/// The rows of a class and what their words say.
pub(crate) struct Hidden<'a> {
    pub(crate) table: &'a Table,
    /// Rows of the class.
    pub(crate) rows: &'a [usize],
    /// How often each feature is in the class.
    pub(crate) inside: &'a [u32],
    /// How many rows are in other classes.
    pub(crate) others: usize,
    /// How far the words of each row speak against the class: log-odds.
    pub(crate) against: &'a [f64],
}

impl Hidden<'_> {
    /// The log-odds of each row to be of the group.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    pub(crate) fn look(&self) -> Vec<f64> {
        let own = self.rows.len() as f64;
        let mut odds: Vec<f64> = self.against.iter().map(|against| against - FIRST).collect();
        let mut with = vec![0.0_f64; self.inside.len()];
        for _ in 0..ROUNDS {
            let hidden: Vec<f64> = odds.iter().map(|odds| logistic(*odds)).collect();
            let all: f64 = hidden.iter().sum();
            with.fill(0.0);
            for (row, weight) in self.rows.iter().zip(&hidden).filter(|(_, weight)| **weight > 0.001) {
                for number in self.table.of(*row) {
                    if let Some(sum) = with.get_mut(*number as usize) {
                        *sum += weight;
                    }
                }
            }
            let prior = (all / own).clamp(0.01, 0.5);
            let prior = (prior / (1.0 - prior)).ln();
            let usual: Vec<f64> = (0_u32..).zip(&with).map(|(number, sum)| self.says(number, *sum, 0.0, all)).collect();
            let row = |at: usize| {
                let (row, weight) = (self.rows.get(at)?, *hidden.get(at)?);
                let mut best = [0.0_f64; PARTS.len()];
                for number in self.table.of(*row) {
                    let at = *number as usize;
                    // A row that hardly counts need not be taken out.
                    let mut said = if weight < 0.01 {
                        usual.get(at).copied()?
                    } else {
                        self.says(*number, with.get(at)? - weight, weight, all)
                    };
                    for place in &mut best {
                        if said > *place {
                            std::mem::swap(place, &mut said);
                        }
                    }
                }
                let more: f64 = best.iter().zip(PARTS).map(|(said, part)| said * part).sum();
                Some(prior + self.against.get(at)? + more)
            };
            odds = (0..self.rows.len()).into_par_iter().map(|at| row(at).unwrap_or(prior)).collect();
        }
        odds
    }

    /// How much likelier a feature is in the group than in other classes and in the rest of its own, in nats, where the
    /// group has it `sum` times among `all` rows, one row of that weight left out.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn says(&self, number: u32, sum: f64, weight: f64, all: f64) -> f64 {
        let Some(feature) = self.table.feature(number) else { return 0.0 };
        let inside = f64::from(self.inside.get(number as usize).copied().unwrap_or(0));
        let sure = (sum - CAREFUL * sum.max(0.0).sqrt()).max(0.0);
        let elsewhere = (f64::from(feature.count) - inside + 0.5) / (self.others as f64 + 1.0);
        let rest = (inside - sum - weight + 0.5).max(0.1) / (self.rows.len() as f64 - all + 1.0).max(1.0);
        let here = (sure + SMOOTH * elsewhere) / (all - weight + SMOOTH);
        (here / elsewhere.max(rest)).ln().clamp(0.0, MOST)
    }
}
