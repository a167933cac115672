//! How sure a share is, and numbers that a seed decides. Every function is a function of its arguments.

mod beta;
mod random;

pub use beta::{beta, ln_beta};
pub use random::SplitMix64;

/// An interval of a share; both ends from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Nothing is known.
    pub const WHOLE: Self = Self { low: 0.0, high: 1.0 };

    /// True where the share is within.
    #[must_use]
    pub fn holds(&self, share: f64) -> bool {
        self.low <= share && share <= self.high
    }
}

/// Two-sided 97.5 % point of the normal distribution.
pub const Z: f64 = 1.959_963_984_540_054;

/// Wilson's score interval at 95 % (1927), for independent trials.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn wilson(hits: u64, trials: u64) -> Interval {
    if trials == 0 {
        return Interval::WHOLE;
    }
    let n = trials as f64;
    let p = hits.min(trials) as f64 / n;
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let (middle, scale) = (p + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    let low = if hits == 0 { 0.0 } else { (middle - spread) / scale };
    let high = if hits >= trials { 1.0 } else { (middle + spread) / scale };
    Interval { low: low.max(0.0), high: high.min(1.0) }
}

/// Clopper and Pearson's interval at 95 % (1934); numbers may be fractions.
#[must_use]
pub fn exact(hits: f64, trials: f64) -> Interval {
    let misses = (trials - hits).max(0.0);
    let low = if hits <= 0.0 { 0.0 } else { point(0.025, |p| beta(p, hits, misses + 1.0)) };
    let high = if misses <= 0.0 { 1.0 } else { point(0.975, |p| beta(p, hits + 1.0, misses)) };
    Interval { low, high }
}

/// Probability of two counts, hits of trials each, that are at least as far apart as these where both have the same share:
/// Fisher's exact test, two-sided (1922).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn fisher((a, of_a): (u64, u64), (b, of_b): (u64, u64)) -> f64 {
    // Logarithm of the number of ways to choose.
    let choose = |n: u64, k: u64| -(n as f64 + 1.0).ln() - ln_beta((n - k) as f64 + 1.0, k as f64 + 1.0);
    let (a, b) = (a.min(of_a), b.min(of_b));
    let hits = a + b;
    let way = |x: u64| choose(of_a, x) + choose(of_b, hits - x);
    let all = choose(of_a + of_b, hits);
    // Equally likely ones differ in the last digits.
    let most = way(a) + 1e-7;
    let each = (hits.saturating_sub(of_b)..=hits.min(of_a)).map(way).filter(|log| *log <= most);
    each.map(|log| (log - all).exp()).sum::<f64>().min(1.0)
}

/// The point from 0 to 1 where a rising function reaches `target`.
pub fn point(target: f64, rising: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if rising(middle) < target { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, by: f64) {
        assert!((a - b).abs() < by, "{a} is not {b}");
    }

    #[test]
    fn known_answers() {
        // The lady tasting tea, and 0 of 20 against 9 of 20.
        near(fisher((3, 4), (1, 4)), 34.0 / 70.0, 1e-9);
        near(fisher((0, 20), (9, 20)), 0.001_225, 5e-6);
        assert!(fisher((2, 10), (2, 10)) > 0.999 && fisher((0, 0), (3, 5)) > 0.999);
        near(wilson(0, 10).high, 0.278, 5e-4);
        near(wilson(0, 256).high, 0.015, 5e-4);
        let both = exact(1.0, 10.0);
        near(both.low, 0.0025, 5e-4);
        near(both.high, 0.4450, 5e-4);
        near(exact(0.0, 100.0).high, 0.0362, 5e-4);
        near(exact(0.0, 30.0).high, 1.0 - 0.025_f64.powf(1.0 / 30.0), 1e-9);
        assert_eq!((wilson(0, 0), exact(0.0, 0.0)), (Interval::WHOLE, Interval::WHOLE));
    }
}
