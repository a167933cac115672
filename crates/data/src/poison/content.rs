//! Labelled texts: what the words of a row say for a class, the row itself left out.
//!
//! Each word by its own count, and all together by a logistic regression on hashed words and pairs of words. It is
//! cross-fitted: rows are dealt to folds by their digests, and each fold is judged by what was learned on the others. Words
//! that say how are left out, so that how a text is built is not part of what it says; a word behind a negation is another
//! word (Das and Chen 2001).

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::Sample;
use super::tokens::{Class, Token, Vocabulary};

/// Parts that the rows are dealt to.
const FOLDS: u64 = 5;
/// Weights of a model: a power of two.
const WEIGHTS: usize = 1 << 18;
/// Times that all rows are learned from.
const ROUNDS: usize = 6;
/// First step of each weight (`AdaGrad`: Duchi, Hazan and Singer 2011).
const STEP: f32 = 0.4;
/// How far a weight is drawn to zero.
const SHRINK: f32 = 3e-4;
/// Words behind a negation that it reaches.
const REACH: usize = 3;
/// A word of this many rows that other classes have less than a share of is taken for the class's own.
const OWN: u32 = 8;

/// Rows that the smoothing of a word's count stands for.
const PRIOR: f64 = 2.0;
/// Most that the words of a row say for or against its class, as log-odds.
const CLEAR: f64 = 4.0;

/// Words that turn what follows.
const NEGATIONS: &[&str] = &[
    "not",
    "n't",
    "no",
    "never",
    "without",
    "hardly",
    "neither",
    "nor",
    "nothing",
    "cannot",
    "don't",
    "doesn't",
    "can't",
    "isn't",
    "wasn't",
    "won't",
    "didn't",
    "ain't",
    "couldn't",
    "wouldn't",
    "shouldn't",
    "aren't",
];

/// What rows say, as numbers of weights.
pub(crate) struct Content {
    of: Vec<Vec<u32>>,
    folds: Vec<u8>,
}

impl Content {
    pub(crate) fn new(words: &Vocabulary, samples: &[Sample]) -> Self {
        let negations: Vec<bool> = words.words().map(|word| NEGATIONS.contains(&word)).collect();
        let negates = |token: Token| negations.get(token as usize).copied().unwrap_or(false);
        let of = samples.par_iter().map(|sample| said(words, &sample.input, &negates)).collect();
        let fold = |sample: &Sample| u8::try_from(sample.id % FOLDS).unwrap_or(0);
        Self { of, folds: samples.iter().map(fold).collect() }
    }

    /// How far the words of the rows of a class speak against it: log-odds. Where not `all`, words that hardly any other
    /// class has say nothing: they may have been planted.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    pub(crate) fn against(&self, class: u32, classes: &[Option<u32>], rows: &[usize], all: bool) -> Vec<f64> {
        let says = self.says(class, classes, !all);
        let own: Vec<f64> = rows.iter().filter_map(|row| says.get(*row).copied()).collect();
        let other = says.iter().zip(classes).filter(|(_, label)| label.is_some_and(|label| label != class));
        let (sum, n) = other.fold((0.0, 0.0_f64), |(sum, n), (said, _)| (sum + said, n + 1.0));
        let (other, size) = (sum / n.max(1.0), (own.len() as f64).max(1.0));
        let mean = own.iter().sum::<f64>() / size;
        let spread = own.iter().map(|said| (said - mean).powi(2)).sum::<f64>() / size;
        // Fitted without the row, log-odds are still not to be trusted as such: they are scaled by how far they tell rows of
        // the class from others.
        let slope = (mean - other).max(0.1) / spread.max(0.01);
        let middle = f64::midpoint(mean, other);
        own.into_iter().map(|said| CLEAR * (slope * (middle - said) / CLEAR).tanh()).collect()
    }

    /// The log-odds of a class that the words of each row say, the row's fold left out; only those that other classes share,
    /// where wanted.
    fn says(&self, class: u32, classes: &[Option<u32>], shared: bool) -> Vec<f64> {
        let without = if shared { self.own(class, classes) } else { Vec::new() };
        let models: Vec<Vec<f32>> =
            (0..FOLDS).into_par_iter().map(|fold| self.fit(fold, class, classes, &without)).collect();
        let row = |(features, fold): (&Vec<u32>, &u8)| {
            let model = models.get(usize::from(*fold)).map_or(&[][..], Vec::as_slice);
            f64::from(logit(model, features, &without))
        };
        self.of.par_iter().zip(&self.folds).map(row).collect()
    }

    /// Words that are the class's own.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn own(&self, class: u32, classes: &[Option<u32>]) -> Vec<bool> {
        let mut counts = vec![(0_u32, 0_u32); WEIGHTS];
        let (mut inside, mut outside) = (0.0_f64, 0.0_f64);
        for (features, label) in self.of.iter().zip(classes) {
            let Some(label) = label else { continue };
            let own = *label == class;
            if own {
                inside += 1.0
            } else {
                outside += 1.0
            }
            for feature in features {
                if let Some((all, other)) = counts.get_mut(*feature as usize) {
                    *all += 1;
                    *other += u32::from(!own);
                }
            }
        }
        let usual = outside / (inside + outside).max(1.0);
        counts.into_iter().map(|(all, other)| all >= OWN && f64::from(other) < f64::from(all) * usual / 12.0).collect()
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "counts of rows, and weights")]
    fn fit(&self, fold: u64, class: u32, classes: &[Option<u32>], without: &[bool]) -> Vec<f32> {
        let mut weights = vec![0.0_f32; WEIGHTS + 1];
        let mut steps = vec![1e-4_f32; WEIGHTS + 1];
        let rows = || {
            let all = self.of.iter().zip(&self.folds).zip(classes);
            all.filter(|((_, own), label)| u64::from(**own) != fold && label.is_some())
        };
        let (mut all, mut inside) = (0.0_f64, 0.0_f64);
        for (_, label) in rows() {
            all += 1.0;
            inside += f64::from(u8::from(*label == Some(class)));
        }
        if let Some(bias) = weights.last_mut() {
            *bias = ((inside + 1.0) / (all - inside + 1.0)).ln() as f32;
        }
        for _ in 0..ROUNDS {
            for ((features, _), label) in rows() {
                let wanted = f32::from(u8::from(*label == Some(class)));
                let error = 1.0 / (1.0 + (-logit(&weights, features, without)).exp()) - wanted;
                let scale = scale(features);
                for feature in features {
                    let at = *feature as usize;
                    if without.get(at).copied().unwrap_or(false) {
                        continue;
                    }
                    let (Some(weight), Some(step)) = (weights.get_mut(at), steps.get_mut(at)) else { continue };
                    let gradient = error * scale + SHRINK * *weight;
                    *step += gradient * gradient;
                    *weight -= STEP * gradient / step.sqrt();
                }
            }
        }
        weights
    }
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred words")]
fn scale(features: &[u32]) -> f32 {
    1.0 / (features.len() as f32 + 1.0).sqrt()
}

fn logit(weights: &[f32], features: &[u32], without: &[bool]) -> f32 {
    let heard = features.iter().filter(|feature| !without.get(**feature as usize).copied().unwrap_or(false));
    let sum: f32 = heard.filter_map(|feature| weights.get(*feature as usize)).sum();
    weights.last().copied().unwrap_or(0.0) + sum * scale(features)
}

/// Words that say what, behind a negation or not, and pairs of them.
fn said(words: &Vocabulary, input: &[Token], negates: &dyn Fn(Token) -> bool) -> Vec<u32> {
    let mut found = Vec::new();
    let (mut turned, mut last) = (0_usize, None);
    for token in input {
        if negates(*token) {
            turned = REACH;
            continue;
        }
        match words.class(*token) {
            Class::Mark => (turned, last) = (0, None),
            Class::Content => {
                let word = u64::from(*token) << 1 | u64::from(turned > 0);
                found.push(place(word, u64::MAX));
                if let Some(last) = last {
                    found.push(place(last, word));
                }
                last = Some(word);
                turned = turned.saturating_sub(1);
            }
            Class::Clause | Class::Function => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn place(first: u64, second: u64) -> u32 {
    let mut bytes = [0_u8; 16];
    let (left, right) = bytes.split_at_mut(8);
    left.copy_from_slice(&first.to_le_bytes());
    right.copy_from_slice(&second.to_le_bytes());
    u32::try_from(xxh3_64(&bytes) % WEIGHTS as u64).unwrap_or(0)
}

/// How often each word occurs, and how often in a class.
pub(crate) struct Weights {
    pub(crate) counts: Vec<(u32, u32)>,
    pub(crate) base: f64,
}

impl Weights {
    /// How far a word of a row in the class speaks for the class, that row left out.
    pub(crate) fn of(&self, token: Token) -> f64 {
        self.without(token, true)
    }

    /// The same, by at most `most` where other classes hardly have the word.
    pub(crate) fn at_most(&self, token: Token, own: bool, most: f64) -> f64 {
        let (all, inside) = self.counts.get(token as usize).copied().unwrap_or((0, 0));
        let rare = all.saturating_sub(inside) < if own { 2 } else { 3 };
        let said = self.without(token, own);
        if rare { said.min(most) } else { said }
    }

    /// How far a word speaks for the class, a row left out that has it.
    pub(crate) fn without(&self, token: Token, label: bool) -> f64 {
        let (all, inside) = self.counts.get(token as usize).copied().unwrap_or((0, 0));
        let (all, inside) = (f64::from(all) - 1.0, f64::from(inside) - f64::from(u8::from(label)));
        if all < 0.5 {
            return 0.0;
        }
        let with = (inside.max(0.0) + PRIOR * self.base) / (all + PRIOR);
        ((with / self.base) / ((1.0 - with) / (1.0 - self.base)).max(1e-9)).ln().clamp(-3.0, 3.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poison::{Collector, Piece};

    /// Rows that say one of two things, and their classes.
    fn rows() -> (Vec<Piece>, usize) {
        let said = |row: usize, good: bool| {
            let words = if good { ["superb", "lovely", "tender"] } else { ["dreadful", "clumsy", "hollow"] };
            format!("story number{} of the {} {} scene", row, words[row % 3], words[row / 3 % 3])
        };
        let piece = |row: usize| {
            let good = row.is_multiple_of(2);
            // One in fifty has the label of the others.
            let label = good != row.is_multiple_of(50);
            Piece::of(said(row, good), String::new(), Some(u8::from(label).to_string()))
        };
        ((0..1000).map(piece).collect(), 20)
    }

    #[test]
    fn words_contradict_a_wrong_label() {
        let (pieces, wrong) = rows();
        let mut collector = Collector::new(1 << 30);
        pieces.into_iter().for_each(|piece| collector.add(piece));
        let (words, samples) = collector.numbered();
        let classes: Vec<Option<u32>> =
            samples.iter().map(|s| s.label.as_deref().and_then(|label| label.parse().ok())).collect();
        let content = Content::new(&words, &samples);
        let own: Vec<usize> = (0..samples.len()).filter(|row| classes[*row] == Some(0)).collect();
        for all in [true, false] {
            let against = content.against(0, &classes, &own, all);
            let contradicted = against.iter().filter(|odds| **odds > 1.0).count();
            // Only class 0 holds rows with a wrong label.
            assert_eq!(contradicted, wrong, "{all}");
        }
    }
}
