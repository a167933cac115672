//! How sure a share is.
//!
//! Trials of one prompt go together: a prompt that works once tends to work again. An interval that takes them for
//! independent is too narrow, so shares come with a cluster-aware interval whose effective number of trials shrinks with
//! the correlation within prompts (Kish, 1965; Korn and Graubard, 1998) and that uses the binomial distribution itself
//! (Clopper and Pearson, 1934), which stays honest at no hits at all.

use bartizan_stats::{Interval, Z, beta, exact, ln_beta};

/// Hits and trials of one prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cluster {
    /// Trials that hit.
    pub hits: u64,
    /// Trials that count.
    pub trials: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
const fn real(n: u64) -> f64 {
    n as f64
}

/// The interval at 95 % of a share whose trials go together in clusters.
///
/// The correlation within clusters is estimated by analysis of variance. Few hits say little about it, so it is taken to be
/// at least one over one more than the hits (or misses, if these are fewer): with none at all each cluster counts as one
/// trial.
#[must_use]
pub fn clustered(clusters: &[Cluster]) -> Interval {
    let used: Vec<(f64, f64)> =
        clusters.iter().filter(|c| c.trials > 0).map(|c| (real(c.hits.min(c.trials)), real(c.trials))).collect();
    let n: f64 = used.iter().map(|c| c.1).sum();
    if n == 0.0 {
        return Interval::WHOLE;
    }
    let hits: f64 = used.iter().map(|c| c.0).sum();
    let k = real(used.len() as u64);
    let squares: f64 = used.iter().map(|c| c.1 * c.1).sum();
    let size = squares / n;
    let least = 1.0 / (1.0 + hits.min(n - hits));
    let icc =
        if used.len() < 2 || n <= k { 1.0 } else { correlation(&used, hits / n, n, k, squares).clamp(least, 1.0) };
    let effective = (n / (1.0 + (size - 1.0).max(0.0) * icc)).max(1.0);
    // The correlation is estimated from few clusters: Student's distribution is wider than the normal.
    let widen = if k > 1.0 { (Z / student(k - 1.0)).powi(2) } else { 1.0 };
    let effective = if n > k && hits > 0.0 && hits < n { (effective * widen).max(1.0) } else { effective };
    exact(hits / n * effective, effective)
}

/// Correlation within clusters, estimated by analysis of variance.
fn correlation(used: &[(f64, f64)], share: f64, n: f64, k: f64, squares: f64) -> f64 {
    let between: f64 = used.iter().map(|(h, m)| m * (h / m - share).powi(2)).sum::<f64>() / (k - 1.0);
    let within: f64 = used.iter().map(|(h, m)| h * (1.0 - h / m)).sum::<f64>() / (n - k);
    let m0 = (n - squares / n) / (k - 1.0);
    let whole = between + (m0 - 1.0) * within;
    if whole > 0.0 { (between - within) / whole } else { 0.0 }
}

/// Two-sided 97.5 % point of Student's distribution (Cornish and Fisher's expansion; exact for 1 and 2 degrees).
fn student(degrees: f64) -> f64 {
    if degrees < 1.5 {
        return 12.706;
    }
    if degrees < 2.5 {
        return 4.303;
    }
    let (z, v) = (Z, degrees);
    let z2 = z * z;
    z + z * (z2 + 1.0) / (4.0 * v)
        + z * (5.0 * z2 * z2 + 16.0 * z2 + 3.0) / (96.0 * v * v)
        + z * (3.0 * z2.powi(3) + 19.0 * z2 * z2 + 17.0 * z2 - 15.0) / (384.0 * v.powi(3))
}

/// A sequence of intervals at 95 % that holds at every number of trials at once, so that a run may be stopped for any
/// reason: the mixture of betting martingales with a uniform prior (Robbins, 1970; Ville's inequality).
#[must_use]
pub fn anytime(hits: u64, trials: u64) -> Interval {
    if trials == 0 {
        return Interval::WHOLE;
    }
    let (s, f) = (real(hits), real(trials - hits.min(trials)));
    let mixture = ln_beta(s + 1.0, f + 1.0);
    let limit = 20f64.ln();
    // How much a bet against `p` has won, as a logarithm.
    let won = |p: f64| {
        let part = |n: f64, q: f64| if n > 0.0 { n * q.ln() } else { 0.0 };
        mixture - part(s, p) - part(f, 1.0 - p)
    };
    let share = s / (s + f);
    let edge = |outside: f64| {
        if won(outside) < limit {
            return outside;
        }
        let (mut out, mut inside) = (outside, share);
        for _ in 0..60 {
            let middle = f64::midpoint(out, inside);
            if won(middle) < limit { inside = middle } else { out = middle }
        }
        out
    };
    Interval { low: if hits == 0 { 0.0 } else { edge(1e-15) }, high: if f == 0.0 { 1.0 } else { edge(1.0 - 1e-15) } }
}

/// The share of prompts of which at least one of `k` trials hits, without bias from the trials that were made (Chen et al.,
/// 2021, "pass@k"). Prompts with fewer than `k` trials are left out; `None` where none is left.
#[must_use]
pub fn hit_at(k: u64, clusters: &[Cluster]) -> Option<f64> {
    let each = clusters.iter().filter(|c| c.trials >= k && k > 0).map(|c| {
        let misses = c.trials - c.hits.min(c.trials);
        if misses < k {
            return 1.0;
        }
        1.0 - (0..k).map(|i| real(misses - i) / real(c.trials - i)).product::<f64>()
    });
    let all: Vec<f64> = each.collect();
    if all.is_empty() { None } else { Some(all.iter().sum::<f64>() / real(all.len() as u64)) }
}

/// Trials a side to tell two shares apart at 5 % two-sided with a power of 80 %.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
pub fn trials_to_tell(a: f64, b: f64) -> u64 {
    let (p, power) = (f64::midpoint(a, b), 0.841_621_233_572_914);
    let top = Z * (2.0 * p * (1.0 - p)).sqrt() + power * (a * (1.0 - a) + b * (1.0 - b)).sqrt();
    let n = (top / (a - b)).powi(2).ceil();
    if n.is_finite() { n.clamp(1.0, 1e15) as u64 } else { u64::MAX }
}

/// The smallest share above `a` that so many trials a side tell from it, at 5 % two-sided with a power of 80 %. `None` where
/// there is none.
#[must_use]
pub fn tellable(a: f64, trials: u64) -> Option<f64> {
    if trials == 0 || a >= 1.0 || trials_to_tell(a, 1.0) > trials {
        return None;
    }
    let (mut low, mut high) = (a, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if trials_to_tell(a, middle) <= trials { high = middle } else { low = middle }
    }
    Some(high)
}

/// Two-sided p-value of McNemar's exact test: `only_a` pairs hit in the first run alone, `only_b` in the second alone.
#[must_use]
pub fn mcnemar(only_a: u64, only_b: u64) -> f64 {
    let (n, k) = (only_a + only_b, only_a.min(only_b));
    if n == 0 {
        return 1.0;
    }
    // P(X <= k) of a fair coin is an incomplete beta function.
    let below = if k == n { 1.0 } else { 1.0 - beta(0.5, real(k) + 1.0, real(n - k)) };
    (2.0 * below).min(1.0)
}

/// Holm's adjusted p-values (1979): control of any false alarm among all.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut out = vec![1.0; p.len()];
    let mut worst: f64 = 0.0;
    for (rank, (at, p)) in order.iter().enumerate() {
        worst = worst.max(p * real((order.len() - rank) as u64)).min(1.0);
        if let Some(slot) = out.get_mut(*at) {
            *slot = worst;
        }
    }
    out
}

/// Benjamini and Hochberg's adjusted p-values (1995): control of the share of false alarms.
#[must_use]
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut out = vec![1.0; p.len()];
    let (mut best, n) = (1f64, order.len());
    for (place, (at, p)) in order.iter().enumerate() {
        best = best.min(p * real(n as u64) / real((n - place) as u64));
        if let Some(slot) = out.get_mut(*at) {
            *slot = best;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use bartizan_stats::SplitMix64;

    use super::*;

    fn near(a: f64, b: f64, by: f64) {
        assert!((a - b).abs() < by, "{a} is not {b}");
    }

    #[test]
    fn known_answers() {
        assert_eq!((trials_to_tell(0.05, 0.10), trials_to_tell(0.01, 0.02)), (435, 2319));
        near(tellable(0.05, 435).unwrap(), 0.10, 1e-3);
        assert_eq!((tellable(0.05, 2), tellable(1.0, 100), tellable(0.5, 0)), (None, None, None));
        near(mcnemar(10, 2), 0.0386, 5e-4);
        near(mcnemar(5, 5), 1.0, 1e-9);
        near(mcnemar(0, 6), 0.03125, 1e-6);
        near(student(4.0), 2.776, 1e-2);
        near(student(30.0), 2.042, 1e-3);
        let three = [0.01, 0.04, 0.03];
        for (got, want) in holm(&three).into_iter().zip([0.03, 0.06, 0.06]) {
            near(got, want, 1e-9);
        }
        for (got, want) in benjamini_hochberg(&three).into_iter().zip([0.03, 0.04, 0.04]) {
            near(got, want, 1e-9);
        }
        near(hit_at(2, &[Cluster { hits: 1, trials: 4 }, Cluster { hits: 0, trials: 4 }]).unwrap(), 0.25, 1e-9);
        assert_eq!(hit_at(5, &[Cluster { hits: 1, trials: 4 }]), None);
        assert_eq!((clustered(&[]), anytime(0, 0)), (Interval::WHOLE, Interval::WHOLE));
    }

    /// 10,000 targets in all: shares from none to half, prompts that go together not at all, somewhat and wholly.
    #[test]
    fn intervals_hold_the_truth() {
        let mut dice = SplitMix64::new(7);
        for share in [0.0, 0.005, 0.02, 0.05, 0.2, 0.5] {
            for together in [0.0, 0.3, 0.6, 1.0] {
                let (mut held, mut runs) = (0, 0);
                for _ in 0..417 {
                    let prompts = 8 + (dice.unit() * 25.0) as usize;
                    let clusters: Vec<Cluster> = (0..prompts)
                        .map(|_| {
                            // With this chance all trials of a prompt do what the first one does.
                            let fixed = (dice.unit() < together).then(|| dice.unit() < share);
                            let hits = (0..5).filter(|_| fixed.unwrap_or(dice.unit() < share)).count();
                            Cluster { hits: hits as u64, trials: 5 }
                        })
                        .collect();
                    held += u32::from(clustered(&clusters).holds(share));
                    runs += 1;
                }
                let coverage = f64::from(held) / f64::from(runs);
                assert!(coverage >= 0.93, "share {share}, together {together}: {coverage}");
            }
        }
    }

    #[test]
    fn a_run_may_stop_at_any_time() {
        let mut dice = SplitMix64::new(9);
        for share in [0.0, 0.03, 0.4] {
            let mut broken = 0;
            for _ in 0..400 {
                let mut hits = 0;
                broken += u32::from((1..=200).any(|n| {
                    hits += u64::from(dice.unit() < share);
                    !anytime(hits, n).holds(share)
                }));
            }
            assert!(broken <= 30, "share {share}: {broken} of 400");
        }
        let (short, long) = (anytime(5, 50), anytime(50, 500));
        assert!(long.high - long.low < short.high - short.low);
    }
}
