//! Intervals, tails and curves. Everything is a function of its arguments; what is random has a seed.

pub use bartizan_stats::SplitMix64 as Dice;
use bartizan_stats::{beta, exact, point};

/// An estimate with the interval that holds it with the stated confidence.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Share of intervals that hold the truth.
pub const CONFIDENCE: f64 = 0.95;

/// A share with its exact interval (Clopper, Pearson 1934).
#[must_use]
pub fn share(hits: u64, of: u64) -> Estimate {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let (k, n) = (hits as f64, of as f64);
    if of == 0 {
        return Estimate { value: 0.0, low: 0.0, high: 1.0 };
    }
    let within = exact(k, n);
    Estimate { value: k / n, low: within.low, high: within.high }
}

/// The largest ε that is refuted: with (ε, 0)-differential privacy a guess of membership by fair coin is right with
/// probability e^ε / (1 + e^ε) at most, so that many right ones are rare (Steinke, Nasr, Jagielski, Privacy auditing with
/// one (1) training run, NeurIPS 2023, theorem 5.2 with δ = 0). 0 where nothing is refuted.
#[must_use]
pub fn epsilon_bound(right: u64, guesses: u64) -> f64 {
    if right == 0 || guesses == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let (k, n) = (right as f64, guesses as f64);
    let p = point(1.0 - CONFIDENCE, |p| beta(p, k, n - k + 1.0)).clamp(0.5, 1.0 - 1e-12);
    (p / (1.0 - p)).ln()
}

/// Logarithm of the normal distribution function.
fn log_normal(z: f64) -> f64 {
    if z > -6.0 {
        return (0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)).ln();
    }
    let s = 1.0 / (z * z);
    -0.5 * z * z - (-z).ln() - 0.5 * (2.0 * std::f64::consts::PI).ln() + (-s + 2.5 * s * s).ln_1p()
}

/// A skew-normal distribution (Azzalini 1985), fitted by moments: what Carlini et al., The Secret Sharer (USENIX Security
/// 2019), extrapolate exposure with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkewNormal {
    place: f64,
    scale: f64,
    shape: f64,
}

impl SkewNormal {
    /// The distribution with mean, deviation and skewness of the values; `None` of fewer than eight, or without spread.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn fit(values: &[f64]) -> Option<Self> {
        if values.len() < 8 {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let moment = |power: i32| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
        let deviation = moment(2).sqrt();
        if deviation.is_nan() || deviation <= 1e-9 {
            return None;
        }
        let skew = (moment(3) / deviation.powi(3)).clamp(-0.99, 0.99);
        let power = skew.abs().powf(2.0 / 3.0);
        let limit = ((4.0 - std::f64::consts::PI) / 2.0).powf(2.0 / 3.0);
        let delta = (std::f64::consts::FRAC_PI_2 * power / (power + limit)).sqrt().min(0.999).copysign(skew);
        let scale = deviation / (1.0 - 2.0 * delta * delta / std::f64::consts::PI).sqrt();
        Some(Self {
            place: mean - scale * delta * (2.0 / std::f64::consts::PI).sqrt(),
            scale,
            shape: delta / (1.0 - delta * delta).sqrt(),
        })
    }

    /// Base-2 logarithm of the probability of a value at most this large.
    #[must_use]
    pub fn log2_below(&self, value: f64) -> f64 {
        const STEPS: u32 = 2000;
        let x = (value - self.place) / self.scale;
        let density = |t: f64| -0.5 * t * t + log_normal(self.shape * t);
        // The integral from far below up to x; density falls at least as fast as a normal one.
        let width = if x > 0.0 { x + 12.0 } else { 12.0 / (1.0 + x.abs() / 4.0) };
        let step = width / f64::from(STEPS);
        let logs: Vec<f64> = (0..=STEPS).map(|i| density(x - f64::from(i) * step)).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |i: usize| {
            if i == 0 || i == STEPS as usize {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        let sum: f64 = logs.iter().enumerate().map(|(i, log)| weight(i) * (log - most).exp()).sum::<f64>() * step / 3.0;
        let scale = (2.0 / (2.0 * std::f64::consts::PI).sqrt()).ln();
        ((sum.ln() + most + scale) / std::f64::consts::LN_2).min(0.0)
    }
}

/// The middle [`CONFIDENCE`] of a statistic over `rounds` samples with replacement.
pub fn bootstrap<T: Copy>(values: &[T], rounds: usize, seed: u64, statistic: impl Fn(&[T]) -> f64) -> (f64, f64) {
    let mut dice = Dice::new(seed);
    let mut all = Vec::with_capacity(rounds);
    let mut sample = Vec::with_capacity(values.len());
    for _ in 0..rounds {
        sample.clear();
        sample.extend((0..values.len()).filter_map(|_| values.get(dice.below(values.len())).copied()));
        all.push(statistic(&sample));
    }
    middle(all)
}

/// An interval of a mean over so many samples, widened where all samples had the same: no resampling shows what none of
/// them had. With 97.5 % confidence at most the share `1 - 0.025^(1/n)` has anything else (Clopper, Pearson 1934), which
/// moves the mean towards the ends of `range` by that share.
#[must_use]
pub fn spread((low, high): (f64, f64), samples: usize, (least, most): (f64, f64)) -> (f64, f64) {
    if low < high || samples == 0 || low.is_nan() {
        return (low, high);
    }
    let unseen = share(0, samples as u64).high;
    (low - unseen * (low - least).max(0.0), high + unseen * (most - high).max(0.0))
}

/// The middle [`CONFIDENCE`] of values.
#[must_use]
pub fn middle(mut values: Vec<f64>) -> (f64, f64) {
    values.retain(|v| !v.is_nan());
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "places in a short list"
    )]
    let at = |share: f64| values.get((share * (values.len().saturating_sub(1)) as f64).round() as usize).copied();
    let tail = (1.0 - CONFIDENCE) / 2.0;
    (at(tail).unwrap_or(f64::NAN), at(1.0 - tail).unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // The two ends of 10 of 100 and the rule of three are in every table.
        let ten = share(10, 100);
        assert!((ten.low - 0.049_005).abs() < 1e-5 && (ten.high - 0.176_223).abs() < 1e-5, "{ten:?}");
        assert!((share(0, 30).high - (1.0 - 0.025_f64.powf(1.0 / 30.0))).abs() < 1e-9);
        assert!((beta(0.3, 2.0, 5.0) - 0.579_825).abs() < 1e-6);
        // All of 20 right: p >= 0.05^(1/20).
        let p = 0.05_f64.powf(0.05);
        assert!((epsilon_bound(20, 20) - (p / (1.0 - p)).ln()).abs() < 1e-6);
        assert_eq!(epsilon_bound(10, 20), 0.0);
    }

    #[test]
    fn no_interval_is_of_no_width() {
        let of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (low, high) = spread(bootstrap(&[1.0; 20], 100, 1, of), 20, (0.0, 1.0));
        assert!((low - share(20, 20).low).abs() < 1e-12 && high == 1.0, "{low} {high}");
        assert_eq!(spread((0.2, 0.4), 20, (0.0, 1.0)), (0.2, 0.4));
    }

    #[test]
    fn tails_of_a_normal_distribution() {
        // Sums of twelve uniform numbers are nearly normal, with mean 6 and deviation 1.
        let mut dice = Dice::new(3);
        let values: Vec<f64> = (0..20_000).map(|_| (0..12).map(|_| dice.unit()).sum()).collect();
        let fitted = SkewNormal::fit(&values).unwrap();
        for (z, log2) in [(0.0, -1.0), (-2.0, -5.458), (-4.0, -14.946)] {
            let got = fitted.log2_below(6.0 + z);
            assert!((got - log2).abs() < 0.5, "{z}: {got}");
        }
        let normal = SkewNormal { place: 0.0, scale: 1.0, shape: 0.0 };
        for (z, log2) in [(0.0, -1.0), (-2.0, -5.457_98), (-6.0, -29.916_7), (-20.0, -294.3)] {
            assert!((normal.log2_below(z) - log2).abs() < 0.01 * log2.abs(), "{z}: {}", normal.log2_below(z));
        }
        assert!(normal.log2_below(5.0).abs() < 1e-3);
    }
}
