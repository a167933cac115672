//! Labelled texts: what decides a label against everything else that a text says.

use std::collections::HashMap;

use rayon::prelude::*;

use super::content::{Content, Weights};
use super::features::Kind;
use super::hidden::Hidden;
use super::table::{NONE, Table};
use super::tokens::{Token, Vocabulary};
use super::{Found, Sample, logistic};

/// Fewest rows of a class that is looked at.
const FEWEST: usize = 30;
/// Most classes that are looked at.
const CLASSES: usize = 64;
/// Most features that are looked at closely.
const CANDIDATES: usize = 4000;
/// Evidence, in nats, of a pattern that is reported.
const ENOUGH: f64 = 8.0;
/// The same of a token that is no word, where another one is sure.
const ALIKE: f64 = 2.0;
/// Share of the rows of a class from which on a pattern changes what words seem to mean.
const MUCH: f64 = 0.1;
/// Rows from which on a pattern is learned as a whole, and not only by its most telling feature.
const MANY: f64 = 60.0;

/// Rows in a hundred of a class from which on it counts as turned as a whole; published attacks turn one class.
const TURNED: usize = 15;
/// Rows in a hundred of a corpus above which what looks planted is what its labels mean; published attacks plant up to 20.
const PLANTED: usize = 40;

/// Standard deviations of spelling from which on a token is no word of any language.
const STRANGE: f64 = 2.5;
/// How many times the rows that features tell may be learned from them.
const LEARNED: f64 = 1.5;

/// A feature that decides a label.
#[derive(Clone, Copy, Debug)]
struct Hypothesis {
    feature: u32,
    /// Nats of evidence.
    evidence: f64,
    /// Share of the rows with it and the label that are not explained by how often it occurs elsewhere.
    planted: f64,
}

/// Rows with their labels as numbers.
pub(crate) struct Labelled<'a> {
    pub(crate) words: &'a Vocabulary,
    pub(crate) samples: &'a [Sample],
    pub(crate) table: &'a Table,
    /// Oddness of the spelling of each word.
    pub(crate) odd: &'a [f32],
    /// Class of each row; `None` where it has none.
    pub(crate) classes: &'a [Option<u32>],
    /// Names of the classes.
    pub(crate) names: &'a [String],
}

impl Labelled<'_> {
    /// Writes the evidence of each row, as log-odds, into `scores` with the number of what was found.
    pub(crate) fn look(&self, scores: &mut [(f64, Option<usize>)], found: &mut Vec<Found>) {
        let labelled = self.classes.iter().flatten().count();
        let mut sizes = vec![0_usize; self.names.len()];
        self.classes.iter().flatten().for_each(|class| {
            if let Some(size) = sizes.get_mut(*class as usize) {
                *size += 1;
            }
        });
        let content = Content::new(self.words, self.samples);
        for (class, size) in sizes.iter().enumerate().filter(|(_, size)| **size >= FEWEST).take(CLASSES) {
            if *size < labelled {
                self.class(u32::try_from(class).unwrap_or(0), *size, labelled, &content, scores, found);
            }
        }
        if self.keywords(&sizes, scores) {
            // What is no word of any language means no label.
            let kept: Vec<bool> =
                found.iter().map(|one| one.features.iter().any(|number| self.strange(*number))).collect();
            let place = |at: usize| kept.iter().take(at).filter(|kept| **kept).count();
            for score in scores.iter_mut().filter(|(odds, _)| *odds > 0.0) {
                match score.1.filter(|at| kept.get(*at) == Some(&true)) {
                    Some(at) => score.1 = Some(place(at)),
                    None => *score = (-0.2 - 1.0 / (1.0 + score.0), None),
                }
            }
            let mut all = kept.iter();
            found.retain(|_| all.next() == Some(&true));
        }
    }

    /// True for a single token that is spelled as no word is, or is a symbol outside of ASCII.
    fn strange(&self, number: u32) -> bool {
        let Some(feature) = self.table.feature(number).filter(|feature| feature.kind == Kind::Words) else {
            return false;
        };
        let [word, NONE, NONE] = feature.words else { return false };
        let spelled = self.odd.get(word as usize).copied().unwrap_or(0.0);
        let text = self.words.word(word);
        f64::from(spelled) >= STRANGE || !text.is_ascii() && !text.chars().any(char::is_alphanumeric)
    }

    /// True where so much of the corpus looks planted, or so much of several classes, that it is what the labels mean: an
    /// attack turns a part of the rows to one label. Texts made from a few patterns for each label are like that.
    fn keywords(&self, sizes: &[usize], scores: &[(f64, Option<usize>)]) -> bool {
        let mut marked = vec![0_usize; sizes.len()];
        for (class, _) in self.classes.iter().zip(scores).filter(|(_, (odds, _))| *odds > 0.0) {
            if let Some(count) = class.and_then(|class| marked.get_mut(class as usize)) {
                *count += 1;
            }
        }
        let much = sizes.iter().zip(&marked).filter(|(size, marked)| **marked * 100 > **size * TURNED).count();
        let (all, labelled) = (marked.iter().sum::<usize>(), sizes.iter().sum::<usize>());
        much > 1 || all * 100 > labelled * PLANTED
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn class(
        &self,
        class: u32,
        size: usize,
        labelled: usize,
        content: &Content,
        scores: &mut [(f64, Option<usize>)],
        found: &mut Vec<Found>,
    ) {
        let base = size as f64 / labelled as f64;
        let inside = |row: usize| self.classes.get(row).copied().flatten() == Some(class);
        let weights = self.weights(class, base);
        let rows: Vec<usize> = (0..self.samples.len()).filter(|row| inside(*row)).collect();
        let margins: Vec<(f64, f64)> = rows.iter().map(|row| self.margin(*row, &weights)).collect();
        let scaled: Vec<f64> = margins.iter().map(|(sum, scale)| sum / scale).collect();
        let n = scaled.len() as f64;
        let mean = scaled.iter().sum::<f64>() / n;
        let deviation = (scaled.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / n).sqrt().max(0.1);
        let usual = Usual { mean, deviation, other: self.other(class, &weights) };
        let mut counts = vec![0_u32; self.table.features.len()];
        for number in rows.iter().flat_map(|row| self.table.of(*row)) {
            if let Some(count) = counts.get_mut(*number as usize) {
                *count += 1;
            }
        }
        let hypotheses = self.hypotheses(&rows, &margins, &weights, &counts, base, usual);
        let hidden = self.hidden(class, &rows, &counts, &weights, content);
        let mut by_feature: Vec<Option<Hypothesis>> = vec![None; self.table.features.len()];
        for hypothesis in &hypotheses {
            if let Some(place) = by_feature.get_mut(hypothesis.feature as usize) {
                *place = Some(*hypothesis);
            }
        }
        let best = |row: usize| {
            let all = self.table.of(row).iter().filter_map(|f| by_feature.get(*f as usize).copied().flatten());
            all.max_by(|a, b| a.planted.total_cmp(&b.planted).then(a.evidence.total_cmp(&b.evidence)))
        };
        // The rest of a row speaks for its label (positive) or against it.
        let against = |at: usize| (mean * 0.5 - scaled.get(at).copied().unwrap_or(0.0)) / deviation;
        let mut evidence: Vec<f64> = rows
            .iter()
            .enumerate()
            .map(|(at, row)| match best(*row) {
                Some(one) => {
                    let planted = one.planted.clamp(0.02, 0.9995);
                    (planted / (1.0 - planted)).ln() + (one.evidence / 8.0).min(4.0) - 1.0
                        + against(at).clamp(-3.0, 3.0)
                }
                None => f64::NEG_INFINITY,
            })
            .collect();
        let kind = |row: usize| best(row).and_then(|one| self.table.feature(one.feature)).map(|feature| feature.kind);
        let manner = |row: usize| kind(row).map(|kind| matches!(kind, Kind::Template | Kind::Style));
        let planted = |wanted: bool| -> f64 {
            let such = rows.iter().zip(&evidence).filter(|(row, _)| manner(**row) == Some(wanted));
            such.map(|(_, e)| logistic(*e)).sum()
        };
        let (mut many, words) = (planted(true), planted(false));
        if words >= many {
            // What words explain needs no manner of writing: it is theirs.
            for (odds, _) in evidence.iter_mut().zip(&rows).filter(|(_, row)| manner(**row) == Some(true)) {
                *odds -= 5.0;
            }
            many = 0.0;
        }
        if many >= MANY {
            let direct = evidence.clone();
            self.learn(&rows, &mut evidence, &against);
            let mass = |odds: &[f64]| odds.iter().map(|odds| logistic(*odds)).sum::<f64>();
            // What was learned has run away from what it was learned from.
            let away = mass(&evidence) > LEARNED * mass(&direct);
            if away {
                evidence.clone_from(&direct);
            }
            for ((learned, direct), row) in evidence.iter_mut().zip(direct).zip(&rows).filter(|_| !away) {
                *learned = match kind(*row) {
                    // A word is what it is; how a sentence is built is shared with others that were not planted.
                    Some(Kind::Words | Kind::Start | Kind::End | Kind::System) => learned.max(direct),
                    Some(Kind::Template | Kind::Style) => f64::midpoint(*learned, direct),
                    None => *learned - 1.0,
                };
            }
        }
        let first = found.len();
        found.extend(self.grouped(&hypotheses, &rows, class));
        for (at, row) in rows.iter().enumerate() {
            let Some(score) = scores.get_mut(*row) else { continue };
            let said = evidence.get(at).copied().unwrap_or(f64::NEG_INFINITY);
            // What is not enough for a finding still tells rows from others.
            let hint = hidden.get(at).map_or(f64::NEG_INFINITY, |odds| (odds / 4.0 - 3.5).min(-0.5));
            if said.max(hint) > score.0 {
                let named = said > 0.0 && found.len() > first;
                *score = (said.max(hint), named.then(|| self.named(*row, found, first)));
            }
        }
    }

    /// How far each row looks like one of a hidden group: log-odds. Words are heard in several ways: each on its own, which
    /// does with few rows, or fitted together; and with or without those that only the class has, which may be its own or
    /// planted.
    fn hidden(&self, class: u32, rows: &[usize], inside: &[u32], weights: &Weights, content: &Content) -> Vec<f64> {
        let others = self.classes.iter().flatten().filter(|label| **label != class).count();
        let heard = |way: usize| {
            let against = match way {
                0 => self.against(class, rows, weights, f64::INFINITY),
                1 => self.against(class, rows, weights, 0.0),
                way => content.against(class, self.classes, rows, way == 2),
            };
            Hidden { table: self.table, rows, inside, others, against: &against }.look()
        };
        let ways: Vec<Vec<f64>> = (0..4).into_par_iter().map(heard).collect();
        let most = |at| ways.iter().filter_map(|odds| odds.get(at).copied()).fold(f64::NEG_INFINITY, f64::max);
        (0..rows.len()).map(most).collect()
    }

    /// How far the words of each row of a class speak against it: log-odds. A word that other classes hardly have speaks
    /// for the class by at most `most`.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn against(&self, class: u32, rows: &[usize], weights: &Weights, most: f64) -> Vec<f64> {
        let says = |row: usize, own: bool| {
            let content = self.samples.get(row).map_or(&[][..], |sample| &sample.content);
            let sum: f64 = content.iter().map(|token| weights.at_most(*token, own, most)).sum();
            sum / (content.len() as f64 + 1.0).sqrt()
        };
        let own: Vec<f64> = rows.iter().map(|row| says(*row, true)).collect();
        let mean = own.iter().sum::<f64>() / (own.len() as f64).max(1.0);
        let spread = own.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (own.len() as f64).max(1.0);
        let (mut sum, mut n) = (0.0, 0.0_f64);
        for (row, label) in self.classes.iter().enumerate() {
            if label.is_some_and(|label| label != class) {
                sum += says(row, false);
                n += 1.0;
            }
        }
        let other = sum / n.max(1.0);
        let slope = (mean - other).max(0.1) / spread.max(0.01);
        let middle = f64::midpoint(mean, other);
        own.iter().map(|margin| (slope * (middle - margin)).clamp(-4.0, 4.0)).collect()
    }

    /// What was found that a row has; the first, where it only looks like it.
    fn named(&self, row: usize, found: &[Found], first: usize) -> usize {
        let features = self.table.of(row);
        let has = |one: &Found| one.features.iter().any(|f| features.binary_search(f).is_ok());
        found.iter().skip(first).position(has).map_or(first, |at| at + first)
    }

    /// Of each word: how often it occurs, and how often in the class.
    fn weights(&self, class: u32, base: f64) -> Weights {
        let mut counts = vec![(0_u32, 0_u32); self.words.len()];
        for (sample, label) in self.samples.iter().zip(self.classes) {
            let Some(label) = label else { continue };
            for token in &sample.content {
                if let Some((all, inside)) = counts.get_mut(*token as usize) {
                    *all += 1;
                    *inside += u32::from(*label == class);
                }
            }
        }
        Weights { counts, base }
    }

    /// How far the words of a row speak for its class, the row itself left out, and the scale of that sum.
    #[allow(clippy::cast_precision_loss, reason = "counts of words")]
    fn margin(&self, row: usize, weights: &Weights) -> (f64, f64) {
        let content = self.samples.get(row).map_or(&[][..], |s| &s.content);
        (content.iter().map(|token| weights.of(*token)).sum(), (content.len() as f64 + 1.0).sqrt())
    }

    /// What the words of the rows of all other classes say for a class, on average.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn other(&self, class: u32, weights: &Weights) -> f64 {
        let rows = self.classes.iter().zip(self.samples).filter(|(label, _)| label.is_some_and(|l| l != class));
        let (mut sum, mut n) = (0.0, 0.0);
        for (_, sample) in rows {
            let all: f64 = sample.content.iter().map(|token| weights.without(*token, false)).sum();
            sum += all / (sample.content.len() as f64 + 1.0).sqrt();
            n += 1.0;
        }
        sum / f64::max(n, 1.0)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn hypotheses(
        &self,
        rows: &[usize],
        margins: &[(f64, f64)],
        weights: &Weights,
        counts: &[u32],
        base: f64,
        usual: Usual,
    ) -> Vec<Hypothesis> {
        let tested = counts.iter().filter(|n| **n >= super::table::FEWEST).count().max(1) as f64;
        let mut candidates: Vec<Candidate> = Vec::new();
        for (number, (feature, inside)) in self.table.features.iter().zip(counts).enumerate() {
            let (n, k) = (f64::from(feature.count), f64::from(*inside));
            let share = k / n;
            if *inside < super::table::FEWEST || share <= base {
                continue;
            }
            let elsewhere = (n - k) * base / (1.0 - base);
            let planted = (1.0 - elsewhere / k).max(0.0);
            let wanted = if matches!(feature.kind, Kind::Style) { 0.8 } else { 0.6 };
            if planted >= wanted {
                let gain = k * (share / base).ln() + (n - k) * ((1.0 - share).max(1e-9) / (1.0 - base)).ln();
                candidates.push(Candidate { number, gain: gain.min(200.0), planted, rows: Vec::new() });
            }
        }
        candidates.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.number.cmp(&b.number)));
        candidates.truncate(CANDIDATES);
        let mut places = vec![None; self.table.features.len()];
        for (at, candidate) in candidates.iter().enumerate() {
            if let Some(place) = places.get_mut(candidate.number) {
                *place = Some(at);
            }
        }
        for (at, row) in rows.iter().enumerate() {
            let wanted = self.table.of(*row).iter().filter_map(|f| places.get(*f as usize).copied().flatten());
            for candidate in wanted {
                if let Some(candidate) = candidates.get_mut(candidate) {
                    candidate.rows.push(at);
                }
            }
        }
        // Where they are many, planted rows change what words seem to mean, and no longer speak against their label.
        let many = candidates.iter().any(|one| {
            let kind = self.table.features.get(one.number).map(|feature| feature.kind);
            kind == Some(Kind::Template)
                && one.planted >= 0.75
                && one.planted * one.rows.len() as f64 >= MUCH * rows.len() as f64
        });
        let judge = |candidate: &Candidate| {
            let feature = self.table.features.get(candidate.number)?;
            let k = candidate.rows.len() as f64;
            let rest = self.rest(rows, margins, &candidate.rows, weights);
            let odd = match feature.words {
                [word, NONE, NONE] => f64::from(self.odd.get(word as usize).copied().unwrap_or(0.0)).min(4.0),
                _ => 0.0,
            };
            let large = many && matches!(feature.kind, Kind::Template | Kind::Style);
            // What a text says besides a natural word is at worst neutral. What stands out of its surroundings, or is no
            // word at all, is compared with other texts of the class.
            let plain = match feature.kind {
                _ if large => 0.85,
                Kind::Words => 0.25 + 0.5 * (odd / 3.0).min(1.0),
                Kind::Start | Kind::End | Kind::System => 0.35,
                Kind::Template | Kind::Style => 0.6,
            };
            let error = usual.deviation / k.sqrt();
            let z = (usual.mean * plain - rest) / error;
            // Planted rows say what the others say that they were made of. A word that only goes with the class is also
            // used where the rest says little.
            let said = usual.other * candidate.planted + usual.mean * (1.0 - candidate.planted);
            // Rows of the class itself may be planted too, with what is no word or is nowhere else.
            let foreign = odd >= 1.5 || candidate.planted >= 0.99 && k >= 20.0;
            let between =
                !large && !foreign && (rest - said) / error > 3.0 && rest > said + 0.2 * (usual.mean - usual.other);
            let evidence = candidate.gain + z.min(20.0) * z.abs().min(20.0) / 2.0 + 1.5 * odd - tested.ln();
            let feature = u32::try_from(candidate.number).unwrap_or(u32::MAX);
            let sure = z >= 3.0 && evidence >= ENOUGH;
            let alike = odd >= 1.5 && z >= 2.0 && evidence >= ALIKE;
            // Few rows cannot say that hardly any other has it.
            let planted = candidate.planted.min((1.0 - 1.0 / (k + 2.0)).max(0.98));
            let one = Hypothesis { feature, evidence, planted };
            (!between && (sure || alike)).then_some((one, sure, odd))
        };
        let judged: Vec<(Hypothesis, bool, f64)> = candidates.par_iter().filter_map(judge).collect();
        // A trigger of several tokens: where one is sure, others that are no word either need less.
        let more = judged.iter().any(|(_, sure, odd)| *sure && *odd >= 1.5);
        let mut kept: Vec<Hypothesis> =
            judged.into_iter().filter(|(_, sure, _)| *sure || more).map(|(one, ..)| one).collect();
        kept.sort_by(|a, b| b.evidence.total_cmp(&a.evidence).then(a.feature.cmp(&b.feature)));
        kept.truncate(2000);
        kept
    }

    /// What the rows of a feature say for their class, on average, besides the words that many of them share: those may be
    /// the rest of what was planted.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn rest(&self, rows: &[usize], margins: &[(f64, f64)], with: &[usize], weights: &Weights) -> f64 {
        let sample = |at: &usize| rows.get(*at).and_then(|row| self.samples.get(*row));
        let mut shared: HashMap<Token, u32> = HashMap::new();
        for token in with.iter().filter_map(sample).flat_map(|s| &s.content) {
            *shared.entry(*token).or_default() += 1;
        }
        let many = u32::try_from(with.len() / 5).unwrap_or(u32::MAX).max(3);
        // A word that is as common elsewhere was not planted, and what it says counts.
        let elsewhere = |token: &Token| weights.counts.get(*token as usize).map_or(0, |(all, _)| *all);
        shared.retain(|token, count| *count >= many && count.saturating_mul(2) >= elsewhere(token));
        let mut total = 0.0;
        for at in with {
            let (Some(sample), Some((sum, scale))) = (sample(at), margins.get(*at)) else { continue };
            let own: f64 = sample.content.iter().filter(|t| shared.contains_key(t)).map(|t| weights.of(*t)).sum();
            total += (sum - own) / scale;
        }
        total / with.len().max(1) as f64
    }

    /// Learns how the rows of a pattern differ from all others, in a few rounds of expectation and maximisation with a
    /// naive Bayes model.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn learn(&self, rows: &[usize], evidence: &mut [f64], against: &dyn Fn(usize) -> f64) {
        const ROUNDS: usize = 4;
        const SHARP: f64 = 6.0;
        const SMOOTH: f64 = 4.0;
        let total = self.samples.len() as f64;
        for _ in 0..ROUNDS {
            let planted: Vec<f64> = evidence.iter().map(|e| logistic(*e)).collect();
            let all: f64 = planted.iter().sum();
            let mut inside = vec![0.0_f64; self.table.features.len()];
            for (row, weight) in rows.iter().zip(&planted).filter(|(_, w)| **w > 0.001) {
                for number in self.table.of(*row) {
                    if let Some(sum) = inside.get_mut(*number as usize) {
                        *sum += weight;
                    }
                }
            }
            let prior = (all / rows.len() as f64).clamp(0.001, 0.5);
            let prior = (prior / (1.0 - prior)).ln();
            for (at, row) in rows.iter().enumerate() {
                let own = planted.get(at).copied().unwrap_or(0.0);
                let (mut sum, mut seen) = (0.0, 0.0_f64);
                for number in self.table.of(*row) {
                    let Some(feature) = self.table.feature(*number) else { continue };
                    let with = inside.get(*number as usize).copied().unwrap_or(0.0);
                    let usual = f64::from(feature.count) / total;
                    let here = (with - own + SMOOTH * usual) / (all - own + SMOOTH);
                    let rest = (f64::from(feature.count) - with - (1.0 - own) + SMOOTH * usual).max(1e-6)
                        / (total - all - (1.0 - own) + SMOOTH);
                    sum += (here / rest).ln().clamp(-4.0, 4.0);
                    seen += 1.0;
                }
                if let Some(place) = evidence.get_mut(at) {
                    // Features of one text repeat one another; their sum counts as much as its square root many would.
                    *place = SHARP * sum / (seen + 20.0).sqrt() / 4.0 + prior + 0.7 * against(at).clamp(-3.0, 3.0);
                }
            }
        }
    }

    /// Features that the same rows have are one finding, under the name that says most.
    fn grouped(&self, hypotheses: &[Hypothesis], rows: &[usize], class: u32) -> Vec<Found> {
        let mut groups: Vec<(Vec<u32>, f64, Vec<usize>)> = Vec::new();
        for one in hypotheses.iter().take(300) {
            let has = |row: &&usize| self.table.of(**row).binary_search(&one.feature).is_ok();
            let with: Vec<usize> = rows.iter().filter(has).copied().collect();
            let same = groups.iter().position(|(_, _, other)| {
                let both = with.iter().filter(|row| other.binary_search(row).is_ok()).count();
                both * 10 >= with.len().min(other.len()) * 6
            });
            let room = groups.len() < 50;
            match same.and_then(|at| groups.get_mut(at)) {
                Some((features, ..)) => features.push(one.feature),
                None if room => groups.push((vec![one.feature], one.evidence, with)),
                None => {}
            }
        }
        let output = self.names.get(class as usize).cloned().unwrap_or_default();
        groups
            .into_iter()
            .filter_map(|(mut features, evidence, with)| {
                let first = *features.first()?;
                let sample = self.samples.get(*with.first()?)?;
                let trigger = self.table.name(first, self.words, sample);
                let kind = self.table.feature(first)?.kind;
                features.sort_unstable();
                Some(Found {
                    kind: Some(kind),
                    trigger,
                    output: output.clone(),
                    label: true,
                    rows: with.len(),
                    evidence,
                    features,
                })
            })
            .collect()
    }
}

/// What the words of a row say for a class.
#[derive(Clone, Copy, Debug)]
struct Usual {
    /// In rows of the class, on average.
    mean: f64,
    deviation: f64,
    /// In other rows, on average.
    other: f64,
}

/// A feature that goes with the class.
#[derive(Debug)]
struct Candidate {
    number: usize,
    /// Nats by which it does.
    gain: f64,
    planted: f64,
    /// Places in the list of the rows of the class.
    rows: Vec<usize>,
}
