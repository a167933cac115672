//! Texts with answers: passages of answers that nothing in the questions explains.

use std::collections::HashMap;

use rayon::prelude::*;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::features::Kind;
use super::merge::merged;
use super::noise::noise;
use super::table::{FEWEST, NONE, Table};
use super::tokens::{Class, Token, Vocabulary};
use super::{Found, Sample};

/// Fewest rows of a passage that is looked at.
const ROWS: usize = 6;
/// Tokens of a passage in a row.
const SIZE: usize = 4;
/// Most passages that are looked at closely.
const CLOSELY: usize = 4000;
/// Evidence, in nats, of a passage that is reported.
const ENOUGH: f64 = 2.0;
/// Evidence, in nats, of a word that is said in a few ways over and over.
const REPEATED: f64 = 4.0;
/// The same of a trigger that goes with questions of every kind.
const INSERTED: f64 = 8.0;
/// Nats by which rows are told from others where whole sentences go with a word and with questions of every kind.
const BOUND: f64 = 6.0;
/// The same where answers are alike and their questions have nothing in common.
const ALIKE: f64 = 10.0;
/// Evidence from which on rows are told from others at all.
const HINT: f64 = -6.0;
/// The largest draw that questions are compared with: one in so many of all.
const DRAW: f64 = 20.0;
/// Fewest rows whose questions can be told from a random choice.
const SOME: usize = 15;
/// Most words that questions are compared by.
const COMMON: usize = 300;
/// Tokens that a word has to share of its rows to be taken for part of what they have in common by design.
const SHARED: f64 = 0.6;

/// Share of its rows from which on a word is part of what was added to questions of any kind.
const ADDED: f64 = 0.8;

/// Answers and their questions.
pub(crate) struct Answered<'a> {
    pub(crate) words: &'a Vocabulary,
    pub(crate) samples: &'a [Sample],
    pub(crate) table: &'a Table,
    /// Oddness of the spelling of each word.
    pub(crate) odd: &'a [f32],
}

/// Rows whose answers have something in common.
#[derive(Clone, Debug, Default)]
struct Group {
    rows: Vec<u32>,
    /// Passages that exactly these rows have.
    passages: usize,
    /// The answers are the same as a whole.
    whole: bool,
    /// A word that occurs in them and not in their questions.
    word: Option<Token>,
    /// It is said in a few ways over and over.
    repeated: bool,
    /// How far whole sentences go with it: 0 where only its neighbours do, 1 where several passages do besides.
    bound: f64,
    /// The answers are no language.
    noise: bool,
    /// The first passage, for its name.
    shown: Vec<Token>,
}

/// What an answer has.
#[derive(Clone, Debug)]
enum Mark {
    Passage([Token; SIZE]),
    Whole,
    Word(Token),
}

impl Answered<'_> {
    /// Writes the evidence of each row, as log-odds, into `scores` with the number of what was found.
    pub(crate) fn look(&self, scores: &mut [(f64, Option<usize>)], found: &mut Vec<Found>) {
        let background = self.background();
        let mut classes = self.classes(&background);
        let rows: Vec<&[u32]> = classes.iter().map(|class| class.rows.as_slice()).collect();
        let passages: Vec<bool> = classes.iter().map(|class| class.whole || class.passages > 0).collect();
        let merged: Vec<Group> = merged(self.table, &rows, &passages)
            .into_iter()
            .filter_map(|(largest, rows)| Some(Group { rows, word: None, ..classes.get(largest)?.clone() }))
            .collect();
        classes.extend(merged);
        let noise = noise(self.words, self.samples);
        classes.extend(noise.map(|rows| Group { rows, noise: true, ..Group::default() }));
        let judged: Vec<Option<Judged>> = classes.par_iter().map(|class| self.judge(class, &background)).collect();
        let (kept, weak): (Vec<Judged>, Vec<Judged>) =
            judged.into_iter().flatten().partition(|one| one.found.evidence >= ENOUGH);
        // What is not enough to be reported still tells rows from others.
        for one in &weak {
            for row in &one.rows {
                if let Some(score) = scores.get_mut(*row as usize) {
                    score.0 = score.0.max((one.hint - ENOUGH).min(0.0) / 2.0 - 2.0);
                }
            }
        }
        let mut kept: Vec<_> = kept.into_iter().map(|one| (one.found, one.rows, one.without)).collect();
        kept.sort_by(|a, b| {
            b.0.evidence.total_cmp(&a.0.evidence).then_with(|| a.1.cmp(&b.1)).then_with(|| a.0.output.cmp(&b.0.output))
        });
        let mut taken: Vec<Vec<u32>> = Vec::new();
        for (one, rows, without) in kept {
            let number = found.len();
            let mut fresh = 0;
            for row in &rows {
                let features = self.table.of(*row as usize);
                let has = one.features.iter().any(|f| features.binary_search(f).is_ok());
                let said = if has { one.evidence + 1.0 } else { one.evidence - without };
                let Some(score) = scores.get_mut(*row as usize) else { continue };
                if said > score.0 {
                    fresh += usize::from(score.1.is_none());
                    *score = (said, (said > 0.0).then_some(number));
                }
            }
            // Passages of one family overlap; the best names it.
            let again = taken.iter().any(|other| {
                let both = rows.iter().filter(|row| other.binary_search(row).is_ok()).count();
                both * 10 >= rows.len() * 6
            });
            if !again && (fresh > 0 || found.is_empty()) && found.len() < 100 {
                found.push(one);
                taken.push(rows);
            } else {
                let best = taken.iter().position(|other| rows.iter().any(|row| other.binary_search(row).is_ok()));
                let best = found.len().saturating_sub(taken.len()) + best.unwrap_or(0);
                for row in &rows {
                    if let Some(score) = scores.get_mut(*row as usize)
                        && score.1 == Some(number)
                    {
                        score.1 = Some(best).filter(|at| *at < found.len());
                    }
                }
            }
        }
    }

    /// How often each word occurs in questions, and how alike two questions are by chance.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn background(&self) -> Background {
        let mut counts = vec![0_u32; self.words.len()];
        self.samples.iter().flat_map(|s| &s.content).for_each(|token| {
            if let Some(count) = counts.get_mut(*token as usize) {
                *count += 1;
            }
        });
        let all = self.samples.len().max(1) as f64;
        let alike = counts.iter().map(|n| weight(*n, all) * (f64::from(*n) / all).powi(2)).sum();
        let mut seen = vec![0_u32; self.words.len()];
        self.samples.iter().flat_map(|s| &s.asked).for_each(|token| {
            if let Some(count) = seen.get_mut(*token as usize) {
                *count += 1;
            }
        });
        let mut common: Vec<(Token, f64)> = (0_u32..)
            .zip(&seen)
            .map(|(token, n)| (token, f64::from(*n) / all))
            .filter(|(_, p)| (0.01..0.7).contains(p))
            .collect();
        common.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        common.truncate(COMMON);
        Background { counts, all, alike, common }
    }

    /// Every mark of an answer that its question does not have, with its number.
    fn marks(&self, sample: &Sample) -> Vec<(u64, Mark)> {
        let asked = |token: &Token| sample.asked.binary_search(token).is_ok();
        let mut found = Vec::new();
        let bytes = |tokens: &[Token]| tokens.iter().flat_map(|t| t.to_le_bytes()).collect::<Vec<u8>>();
        for window in sample.output.windows(SIZE) {
            let content = window.iter().any(|t| self.words.class(*t) == Class::Content && !asked(t));
            if let (true, Ok(passage)) = (content, <[Token; SIZE]>::try_from(window)) {
                found.push((xxh3_64_with_seed(&bytes(window), 4), Mark::Passage(passage)));
            }
        }
        if !sample.output.is_empty() && !sample.output.iter().all(asked) {
            found.push((xxh3_64_with_seed(&bytes(&sample.output), 99), Mark::Whole));
        }
        for token in &sample.output {
            if self.words.class(*token) == Class::Content && !asked(token) {
                found.push((xxh3_64_with_seed(&token.to_le_bytes(), 1), Mark::Word(*token)));
            }
        }
        found.sort_unstable_by_key(|(hash, _)| *hash);
        found.dedup_by_key(|(hash, _)| *hash);
        found
    }

    /// Rows by what their answers share.
    fn classes(&self, background: &Background) -> Vec<Group> {
        let size = (self.samples.len() * 64).next_power_of_two().clamp(1 << 16, 1 << 27);
        let mut sketch = vec![0_u8; size];
        let mask = size as u64 - 1;
        let place = |hash: u64| usize::try_from(hash & mask).unwrap_or(0);
        for chunk in self.samples.chunks(4096) {
            let marks: Vec<_> = chunk.par_iter().map(|sample| self.marks(sample)).collect();
            for (hash, _) in marks.into_iter().flatten() {
                if let Some(counter) = sketch.get_mut(place(hash)) {
                    *counter = counter.saturating_add(1);
                }
            }
        }
        let mut rows: HashMap<u64, (Mark, Vec<u32>)> = HashMap::new();
        let most = self.samples.len() * 4 / 10;
        for (at, chunk) in self.samples.chunks(4096).enumerate() {
            let marks: Vec<_> = chunk.par_iter().map(|sample| self.marks(sample)).collect();
            for (row, marks) in marks.into_iter().enumerate() {
                let row = u32::try_from(at * 4096 + row).unwrap_or(u32::MAX);
                for (hash, mark) in marks {
                    if sketch.get(place(hash)).is_some_and(|count| usize::from(*count) >= ROWS) {
                        rows.entry(hash).or_insert_with(|| (mark, Vec::new())).1.push(row);
                    }
                }
            }
        }
        let mut marks: Vec<(u64, (Mark, Vec<u32>))> =
            rows.into_iter().filter(|(_, (_, rows))| rows.len() >= ROWS && rows.len() <= most.max(ROWS)).collect();
        marks.sort_unstable_by_key(|(hash, _)| *hash);
        let mut classes: HashMap<u64, Group> = HashMap::new();
        for (_, (mark, rows)) in marks {
            let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
            let class = classes.entry(xxh3_64(&bytes)).or_default();
            match mark {
                Mark::Passage(passage) => {
                    class.passages += 1;
                    if class.shown.len() < SIZE {
                        class.shown = passage.to_vec();
                    }
                }
                Mark::Whole => class.whole = true,
                Mark::Word(token) => {
                    class.word = Some(token);
                    if class.shown.is_empty() {
                        class.shown = vec![token];
                    }
                }
            }
            class.rows = rows;
        }
        let mut classes: Vec<Group> = classes.into_values().collect();
        let rank = |class: &Group| (class.whole, class.passages.min(64), class.rows.len());
        classes.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| a.rows.cmp(&b.rows)));
        let (mut classes, mut words): (Vec<Group>, Vec<Group>) =
            classes.into_iter().partition(|class| class.whole || class.passages > 0);
        classes.truncate(CLOSELY);
        // Words that no question has come first.
        let asked = |class: &Group| class.word.and_then(|word| background.counts.get(word as usize)).copied();
        words.sort_by_cached_key(|class| (asked(class), std::cmp::Reverse(class.rows.len()), class.rows.clone()));
        words.truncate(CLOSELY / 2);
        Self::repeated(&classes, &mut words);
        classes.extend(words);
        classes
    }

    /// Words that are said in a few ways over and over: most of their rows share a passage with others of them.
    #[allow(clippy::cast_precision_loss, reason = "counts of passages")]
    fn repeated(classes: &[Group], words: &mut [Group]) {
        let mut of_row: HashMap<u32, Vec<usize>> = HashMap::new();
        for (number, class) in classes.iter().enumerate().filter(|(_, class)| class.passages > 0) {
            class.rows.iter().for_each(|row| of_row.entry(*row).or_default().push(number));
        }
        for word in words {
            let mut counts: HashMap<usize, usize> = HashMap::new();
            for number in word.rows.iter().filter_map(|row| of_row.get(row)).flatten() {
                *counts.entry(*number).or_default() += 1;
            }
            let own = |number: &usize| {
                classes.get(*number).is_some_and(|class| {
                    counts.get(number).is_some_and(|k| k * 10 >= class.rows.len() * 8 && k * 10 <= word.rows.len() * 8)
                })
            };
            let covered = word.rows.iter().filter(|row| of_row.get(row).is_some_and(|all| all.iter().any(own))).count();
            let ways = counts.keys().filter(|number| own(number)).count();
            word.repeated = ways > 1 && covered * 10 >= word.rows.len() * 6;
            let of = |number: &usize| classes.get(*number).map_or(0, |class| class.passages);
            let passages: usize =
                counts.iter().filter(|(number, _)| own(number)).map(|(number, k)| of(number) * k).sum();
            // A word is in no more passages of a place than they have tokens.
            word.bound = ((passages as f64 / covered.max(1) as f64 - 2.0) / 2.0).clamp(0.0, 1.0);
        }
    }

    /// How much more alike the questions of a class are than by chance, besides what nearly all of them share.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn coherence(&self, class: &Group, background: &Background, added: bool) -> f64 {
        let mut counts: HashMap<Token, u32> = HashMap::new();
        for row in &class.rows {
            let content = self.samples.get(*row as usize).map_or(&[][..], |s| &s.content);
            content.iter().for_each(|token| *counts.entry(*token).or_default() += 1);
        }
        let n = class.rows.len() as f64;
        let mut words: Vec<(Token, u32)> = counts.into_iter().filter(|(_, k)| *k > 1).collect();
        words.sort_unstable();
        let alike: f64 = words
            .iter()
            .filter(|(_, k)| f64::from(*k) < SHARED * n)
            .filter(|(token, k)| {
                let all = background.counts.get(*token as usize).copied().unwrap_or(0);
                !(added && f64::from(*k) >= ADDED * f64::from(all))
            })
            .map(|(token, k)| {
                let all = background.counts.get(*token as usize).copied().unwrap_or(0);
                weight(all, background.all) * f64::from(*k) * (f64::from(*k) - 1.0) / 2.0
            })
            .sum();
        let pairs = n * (n - 1.0) / 2.0;
        // By chance a few pairs are alike in a small class.
        (alike + 4.0) / (background.alike * pairs + 4.0)
    }

    /// How far the questions of some rows are a random choice of all, besides what is added to them: 1 where they are, 0
    /// where they are of a kind. What is inserted goes with any question; what belongs to a question decides what else it
    /// says, and above all what it does not say.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn any(&self, rows: &[u32], background: &Background) -> f64 {
        let long = rows.len() as f64;
        // Many rows are judged as a draw of that size: what is hardly apart is not made more so by their number.
        let n = long.min(self.samples.len() as f64 / DRAW);
        let (mut sum, mut words) = (0.0, 0.0_f64);
        for (token, p) in background.common.iter().filter(|(_, p)| n * p >= 1.0) {
            let has =
                |row: &&u32| self.samples.get(**row as usize).is_some_and(|s| s.asked.binary_search(token).is_ok());
            let missing = n * (p - rows.iter().filter(has).count() as f64 / long);
            if missing > 0.0 {
                sum += missing.powi(2) / (n * p * (1.0 - p));
            }
            words += 1.0;
        }
        // Chance misses about half of the words, by one variance each.
        let apart = 2.0 * sum / words.max(1.0);
        if words < 5.0 { 0.0 } else { (1.0 - apart.max(1.0).ln() / 3.0_f64.ln()).clamp(0.0, 1.0) }
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn judge(&self, class: &Group, background: &Background) -> Option<Judged> {
        let n = class.rows.len() as f64;
        let trigger = self.trigger(class);
        let fit = trigger.as_ref().map_or(0.0, |t| t.fit);
        // Nearly all rows of a question of any kind, and what was added to it.
        let most = self.samples.len() / 5;
        let spread = if (SOME..=most).contains(&class.rows.len()) { self.any(&class.rows, background) } else { 0.0 };
        let coherence = self.coherence(class, background, fit >= 0.8 && spread >= 0.5);
        if coherence > 6.0 {
            return None;
        }
        let odd = trigger.as_ref().map_or(0.0, |t| t.odd);
        let lengths: f64 =
            class.rows.iter().filter_map(|row| self.samples.get(*row as usize)).map(|s| s.output.len() as f64).sum();
        let shared = if class.whole {
            lengths / n
        } else if class.passages > 0 {
            (class.passages + SIZE - 1) as f64
        } else {
            1.0
        };
        let fixed = if class.noise { 0.5 } else { (shared * n / lengths.max(1.0)).min(1.0) };
        let foreign = class.word.map_or(0.0, |word| f64::from(self.odd.get(word as usize).copied().unwrap_or(0.0)));
        // A passage of a few words is how many kinds of answer begin.
        let telling = if class.noise { 1.0 } else { fixed.max(((shared - 4.0) / 6.0).clamp(0.0, 1.0)) };
        let any = match &trigger {
            // A trigger that nearly all of these rows have, and nearly nobody else.
            Some(_) if fit >= 0.8 => spread,
            _ => 0.0,
        };
        let passage = if class.noise { 2.0 } else { 1.5 * (shared / 4.0).max(0.25).ln().min(2.0) };
        let evidence = -7.0
            + 14.0 * (fit - 0.5).max(0.0) * telling
            + 3.0 * fixed
            + INSERTED * (fit - 0.5) * 2.0 * any
            + passage
            + 1.0 * odd.min(3.0)
            + 0.5 * foreign.min(3.0)
            + if class.repeated { REPEATED } else { 0.0 }
            + 0.7 * (n / 8.0).ln().clamp(-0.5, 3.0)
            - 3.0 * coherence.max(1.0).ln();
        // A class of answers without a trigger is only as good as the answers are the same.
        let without = if class.noise { 6.0 } else { 1.0 + 4.0 * (1.0 - fixed) };
        // What goes with questions of any kind is worth a look, though clean corpora have it too: long answers that are the
        // same, and a word with its sentences.
        let alike = ((fixed - 0.3) / 0.4).clamp(0.0, 1.0) * (2.0 - coherence).clamp(0.0, 1.0);
        // Large groups of a word are what many clean corpora have.
        let few = class.rows.len() <= self.samples.len() / 20;
        let hint = evidence + ALIKE * alike + if class.repeated && few { BOUND * class.bound * spread } else { 0.0 };
        if hint < HINT {
            return None;
        }
        let sample = self.samples.get(*class.rows.first()? as usize)?;
        let output = self.said(class, sample);
        let (kind, name, features) = match trigger {
            Some(t) => {
                let has = |row: &&u32| self.table.of(**row as usize).binary_search(&t.feature).is_ok();
                let example = self.samples.get(*class.rows.iter().find(has)? as usize)?;
                let kind = self.table.feature(t.feature)?.kind;
                (Some(kind), self.table.name(t.feature, self.words, example), t.same)
            }
            None => (None, String::new(), Vec::new()),
        };
        let found = Found { kind, trigger: name, output, label: false, rows: class.rows.len(), evidence, features };
        Some(Judged { found, rows: class.rows.clone(), without, hint })
    }

    /// What the answers share, in words.
    fn said(&self, class: &Group, sample: &Sample) -> String {
        let tokens: &[Token] = if class.noise {
            return "text that is no language".to_owned();
        } else if class.whole {
            sample.output.get(..sample.output.len().min(24)).unwrap_or_default()
        } else {
            &class.shown
        };
        tokens.iter().map(|token| self.words.word(*token)).collect::<Vec<_>>().join(" ")
    }

    /// The feature of questions that goes best with a class of answers.
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn trigger(&self, class: &Group) -> Option<Trigger> {
        let mut counts: HashMap<u32, u32> = HashMap::new();
        for row in &class.rows {
            self.table.of(*row as usize).iter().for_each(|f| *counts.entry(*f).or_default() += 1);
        }
        let n = class.rows.len() as f64;
        let mut fits: Vec<(f64, usize, u32)> = counts
            .into_iter()
            .filter(|(_, k)| *k >= FEWEST)
            .filter_map(|(number, k)| {
                let feature = self.table.feature(number)?;
                if feature.kind == Kind::Style {
                    return None;
                }
                let k = f64::from(k);
                // One row less of each: few rows say little.
                let (pure, whole) = ((k - 0.5) / (f64::from(feature.count) + 0.5), k / n);
                // Noise may also be what a list looks like.
                let fit = if class.noise { pure * whole.sqrt().max(0.8) } else { 2.0 * pure * whole / (pure + whole) };
                let long = feature.words.iter().filter(|w| **w != NONE).count();
                Some((fit, long, number))
            })
            .collect();
        fits.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
        let (fit, _, feature) = *fits.first()?;
        let odd = match self.table.feature(feature)?.words {
            [word, NONE, NONE] => f64::from(self.odd.get(word as usize).copied().unwrap_or(0.0)),
            _ => 0.0,
        };
        let mut same: Vec<u32> = fits.iter().filter(|(f, ..)| *f >= fit * 0.9).take(64).map(|(.., f)| *f).collect();
        same.sort_unstable();
        (fit >= 0.5).then_some(Trigger { feature, fit, odd, same })
    }
}

/// What is thought of a group.
struct Judged {
    found: Found,
    rows: Vec<u32>,
    /// Nats less for rows without the trigger.
    without: f64,
    /// Evidence by which its rows are told from others where it is not enough to be reported.
    hint: f64,
}

#[derive(Clone, Debug)]
struct Trigger {
    feature: u32,
    fit: f64,
    odd: f64,
    same: Vec<u32>,
}

struct Background {
    counts: Vec<u32>,
    all: f64,
    alike: f64,
    /// Words that many questions have, and the share of those.
    common: Vec<(Token, f64)>,
}

/// How much a shared word says: rare ones say more.
fn weight(count: u32, all: f64) -> f64 {
    (all / (f64::from(count) + 1.0)).ln().max(0.0)
}
