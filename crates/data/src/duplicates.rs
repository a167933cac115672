//! Rows that repeat others, word for word or nearly: MinHash signatures in bands (Broder 1997; Leskovec, Rajaraman and
//! Ullman, Mining of Massive Datasets, chapter 3), each pair then compared.
//!
//! Short texts get a signature of independent hashes; long ones get one permutation whose range is cut into bins (Li, Owen
//! and Zhang 2012), which costs one step per shingle. Texts between get both, so that no pair falls between them.

use std::collections::HashMap;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::layout::{Role, Row};
use crate::pass::At;
use crate::poison::alone;

/// Words of a shingle.
const SIZE: usize = 5;
/// Bands of a signature.
const BANDS: usize = 16;
/// Hashes of a band. At a similarity of 0.8 a pair shares a band with a probability of 0.99.
const DEEP: usize = 6;
const HASHES: usize = BANDS * DEEP;
/// Texts with fewer shingles than this get independent hashes.
const SHORT: usize = 512;
/// Texts with more shingles than this get one permutation.
const LONG: usize = 400;
/// Most shingles that a pair is compared by: the smallest ones, which are a random sample.
const KEPT: usize = 1024;
/// Similarity of what counts as a copy.
pub const SIMILAR: f32 = 0.8;
/// Rows of a bucket that each other row is compared with.
const COMPARED: usize = 8;

/// What has to be kept of a row.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// Digest of its words.
    whole: u64,
    /// The smallest hashes of its shingles, sorted.
    shingles: Box<[u64]>,
    bands: Box<[u64]>,
}

impl Sketch {
    /// Of a row; `None` where it says nothing.
    #[must_use]
    pub fn new(row: &Row) -> Option<Self> {
        let wanted = |role: Role| !matches!(role, Role::Label | Role::Origin | Role::Rejected | Role::Name);
        let texts = row.turns.iter().filter(|turn| wanted(turn.role)).map(|turn| turn.text.as_str());
        Self::of(texts)
    }

    /// Of texts, taken as one.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let words: Vec<u64> = texts.flat_map(words).collect();
        if words.is_empty() {
            return None;
        }
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let mut shingles: Vec<u64> = words.windows(SIZE).map(shingle).collect();
        shingles.sort_unstable();
        shingles.dedup();
        let mut bands = Vec::new();
        if !shingles.is_empty() && shingles.len() < SHORT {
            band(&independent(&shingles), 1, &mut bands);
        }
        if shingles.len() > LONG {
            band(&binned(&shingles), 2, &mut bands);
        }
        shingles.truncate(KEPT);
        Some(Self { whole: xxh3_64(&bytes), shingles: shingles.into(), bands: bands.into() })
    }

    /// Jaccard similarity of two rows, exact up to a number of shingles and otherwise from a sample of that many.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts of shingles")]
    pub fn similarity(&self, other: &Self) -> f32 {
        if self.whole == other.whole {
            return 1.0;
        }
        let (mut a, mut b) = (self.shingles.iter().peekable(), other.shingles.iter().peekable());
        let (mut both, mut either) = (0_usize, 0_usize);
        let sampled = self.shingles.len() == KEPT || other.shingles.len() == KEPT;
        loop {
            // Of a sample, only the smallest hashes of the union are known for certain.
            if sampled && either == KEPT {
                break;
            }
            match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x == y => {
                    both += 1;
                    a.next();
                    b.next();
                }
                (Some(x), Some(y)) if x < y => {
                    a.next();
                }
                (_, Some(_)) => {
                    b.next();
                }
                (Some(_), None) => {
                    a.next();
                }
                (None, None) => break,
            }
            either += 1;
        }
        // Two texts with the same shingles and other words differ, if hardly.
        (both as f32 / either.max(1) as f32).min(0.9999)
    }
}

/// Digests of the words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = u64> + '_ {
    spans(text).map(|(word, _)| word)
}

/// The same with the bytes that each begins and ends at. Where a script has no spaces, each character is a word.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = (u64, (usize, usize))> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let (skipped, first) = rest.char_indices().find(|(_, c)| c.is_alphanumeric())?;
        let word = rest.get(skipped..)?;
        let ends = |c: char| !c.is_alphanumeric() || alone(c);
        let long = if alone(first) {
            first.len_utf8()
        } else {
            word.char_indices().find(|(_, c)| ends(*c)).map_or(word.len(), |(at, _)| at)
        };
        let start = at + skipped;
        at = start + long;
        let word = word.get(..long)?;
        let digest = if word.is_ascii() && !word.bytes().any(|b| b.is_ascii_uppercase()) {
            xxh3_64(word.as_bytes())
        } else {
            xxh3_64(word.to_lowercase().as_bytes())
        };
        Some((digest, (start, at)))
    })
}

fn shingle(words: &[u64]) -> u64 {
    mix(words.iter().fold(0, |sum: u64, word| sum.rotate_left(13).wrapping_mul(5).wrapping_add(*word)))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn independent(shingles: &[u64]) -> [u64; HASHES] {
    let mut least = [u64::MAX; HASHES];
    let mut factor = [0_u64; HASHES];
    factor.iter_mut().zip(1_u64..).for_each(|(f, n)| *f = mix(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
    for shingle in shingles {
        for (least, factor) in least.iter_mut().zip(&factor) {
            // The multiplication spreads upwards only; the fold brings the low half back in.
            let product = (shingle ^ (factor >> 7)).wrapping_mul(*factor);
            *least = (*least).min(product ^ (product >> 32));
        }
    }
    least
}

fn binned(shingles: &[u64]) -> [u64; HASHES] {
    let mut least = [u64::MAX; HASHES];
    for shingle in shingles {
        let bin = usize::try_from((shingle >> 32) % HASHES as u64).unwrap_or(0);
        if let Some(least) = least.get_mut(bin) {
            *least = (*least).min(mix(*shingle));
        }
    }
    // A bin that stayed empty takes the value of another, the same one for every text.
    let filled = least;
    for (at, least) in least.iter_mut().enumerate().filter(|(_, least)| **least == u64::MAX) {
        let others = (1_u64..64).map(|n| mix((at as u64) << 8 | n) % HASHES as u64);
        let other = others.filter_map(|at| filled.get(usize::try_from(at).ok()?)).find(|value| **value != u64::MAX);
        *least = other.copied().unwrap_or(0);
    }
    least
}

fn band(signature: &[u64; HASHES], kind: u64, into: &mut Vec<u64>) {
    for (number, band) in (0_u64..).zip(signature.chunks_exact(DEEP)) {
        into.push(band.iter().fold(mix(kind << 32 | number), |sum, hash| mix(sum ^ hash)));
    }
}

/// Rows that repeat one another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// How many rows.
    pub rows: usize,
    /// How many of them repeat the first word for word.
    pub exact: usize,
    /// Number of the unit and row of the first.
    #[serde(skip)]
    pub first: At,
}

/// What repeats what.
#[derive(Debug, Default)]
pub struct Duplicates {
    of: HashMap<At, (At, f32)>,
    /// Clusters, the largest first.
    pub clusters: Vec<Cluster>,
    /// Rows that repeat an earlier one.
    pub rows: usize,
}

impl Duplicates {
    /// The first row of its cluster and the similarity to the closest row that it was compared with; `None` for a row
    /// that is the first or alone.
    #[must_use]
    pub fn of(&self, at: At) -> Option<(At, f32)> {
        self.of.get(&at).copied()
    }
}

/// Collects rows.
#[derive(Debug, Default)]
pub struct Collector {
    rows: Vec<(At, Sketch)>,
}

impl Collector {
    /// Adds a row.
    pub fn add(&mut self, at: At, sketch: Sketch) {
        self.rows.push((at, sketch));
    }

    /// Compares everything that may be alike.
    #[must_use]
    pub fn finish(mut self) -> Duplicates {
        // By content, so that what is compared with what does not depend on the order of the rows.
        self.rows.sort_by(|(a, x), (b, y)| (x.whole, a).cmp(&(y.whole, b)));
        let mut sets = Sets::new(self.rows.len());
        let mut best = vec![0.0_f32; self.rows.len()];
        let mut join = |sets: &mut Sets, a: usize, b: usize, alike: f32| {
            sets.join(a, b);
            for at in [a, b] {
                if let Some(place) = best.get_mut(at) {
                    *place = place.max(alike);
                }
            }
        };
        let mut leaders: Vec<usize> = Vec::new();
        for (at, (_, sketch)) in self.rows.iter().enumerate() {
            match leaders.last() {
                Some(leader) if self.rows.get(*leader).is_some_and(|(_, s)| s.whole == sketch.whole) => {
                    join(&mut sets, *leader, at, 1.0);
                }
                _ => leaders.push(at),
            }
        }
        let mut buckets: Vec<(u64, u32)> = Vec::new();
        for leader in &leaders {
            if let (Some((_, sketch)), Ok(row)) = (self.rows.get(*leader), u32::try_from(*leader)) {
                buckets.extend(sketch.bands.iter().map(|band| (*band, row)));
            }
        }
        buckets.sort_unstable();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for bucket in buckets.chunk_by(|a, b| a.0 == b.0).filter(|bucket| bucket.len() > 1) {
            for (n, (_, row)) in bucket.iter().enumerate() {
                pairs.extend(bucket.iter().take(n.min(COMPARED)).map(|(_, other)| (*other, *row)));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        for (a, b) in pairs {
            let (a, b) = (a as usize, b as usize);
            let alike = match (self.rows.get(a), self.rows.get(b)) {
                (Some((_, x)), Some((_, y))) => x.similarity(y),
                _ => continue,
            };
            if alike >= SIMILAR {
                join(&mut sets, a, b, alike);
            }
        }
        self.clusters(&mut sets, &best)
    }

    fn clusters(&self, sets: &mut Sets, best: &[f32]) -> Duplicates {
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        for at in 0..self.rows.len() {
            members.entry(sets.find(at)).or_default().push(at);
        }
        let mut found = Duplicates::default();
        for rows in members.into_values().filter(|rows| rows.len() > 1) {
            let all = || rows.iter().filter_map(|at| self.rows.get(*at));
            let Some((first, sketch)) = all().min_by_key(|(at, _)| *at) else { continue };
            let exact = all().filter(|(at, s)| at != first && s.whole == sketch.whole).count();
            found.clusters.push(Cluster { rows: rows.len(), exact, first: *first });
            for at in &rows {
                if let (Some((place, _)), Some(alike)) = (self.rows.get(*at), best.get(*at))
                    && place != first
                {
                    found.rows += 1;
                    found.of.insert(*place, (*first, *alike));
                }
            }
        }
        found.clusters.sort_by(|a, b| b.rows.cmp(&a.rows).then(a.first.cmp(&b.first)));
        found
    }
}

/// Disjoint sets, by path halving.
struct Sets(Vec<usize>);

impl Sets {
    fn new(size: usize) -> Self {
        Self((0..size).collect())
    }

    fn find(&mut self, mut at: usize) -> usize {
        loop {
            let above = self.0.get(at).copied().unwrap_or(at);
            if above == at {
                return at;
            }
            let next = self.0.get(above).copied().unwrap_or(above);
            if let Some(place) = self.0.get_mut(at) {
                *place = next;
            }
            at = next;
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        if let Some(place) = self.0.get_mut(a.max(b)) {
            *place = a.min(b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that do not repeat.
    fn text(seed: u64, from: usize, to: usize) -> Vec<String> {
        (from..to).map(|n| format!("w{:x}", mix(seed << 32 | n as u64) % 100_000)).collect()
    }

    fn sketch(words: &[String]) -> Sketch {
        Sketch::of(std::iter::once(words.join(" ").as_str())).unwrap()
    }

    fn at(row: u64) -> At {
        At { unit: 0, row }
    }

    #[test]
    fn similarity_is_that_of_the_sets() {
        for words in [40, 450, 3000] {
            let (a, b) = (text(1, 0, words), text(1, words / 10, words + words / 10));
            // The shared nine tenths of both, less the shingles that cross the border.
            let shared = words - words / 10 - 4;
            #[allow(clippy::cast_precision_loss, reason = "small")]
            let wanted = shared as f32 / (2 * (words - 4) - shared) as f32;
            let seen = sketch(&a).similarity(&sketch(&b));
            let error = if words > KEPT { 0.04 } else { 0.005 };
            assert!((seen - wanted).abs() < error, "{words}: {seen} and not {wanted}");
        }
    }

    #[test]
    fn near_copies_are_found_and_others_are_not() {
        for words in [30, 300, 430, 480, 2000] {
            let mut rows = Vec::new();
            for seed in 0..200 {
                let original = text(seed, 0, words);
                // About as different as a copy may be: a similarity of five sixths.
                let copy = original[words / 6..].to_vec();
                let other = text(seed + 1000, 0, words);
                let apart: Vec<String> = [&original[..words / 2], &other[words / 2..]].concat();
                rows.push((at(seed * 3), sketch(&original)));
                rows.push((at(seed * 3 + 1), sketch(&copy)));
                rows.push((at(seed * 3 + 2), sketch(&apart)));
            }
            let mut turned = rows.clone();
            turned.reverse();
            let finish = |rows: Vec<(At, Sketch)>| {
                let mut all = Collector::default();
                rows.into_iter().for_each(|(at, sketch)| all.add(at, sketch));
                all.finish()
            };
            let found = finish(rows.clone());
            let hits =
                (0..200).filter(|n| found.of(at(n * 3 + 1)).is_some_and(|(first, _)| first == at(n * 3))).count();
            assert!(hits >= 190, "{words}: {hits}");
            assert_eq!(found.rows, hits, "{words}: nothing else is a copy");
            assert_eq!(finish(turned).clusters, found.clusters);
        }
    }

    #[test]
    fn short_texts_are_compared_as_wholes() {
        let mut all = Collector::default();
        for (row, text) in ["Yes, it is.", "yes it is", "yes it was"].into_iter().enumerate() {
            all.add(at(row as u64), Sketch::of(std::iter::once(text)).unwrap());
        }
        let found = all.finish();
        assert_eq!(found.of(at(1)), Some((at(0), 1.0)));
        assert_eq!(found.of(at(2)), None);
        assert_eq!(found.clusters, [Cluster { rows: 2, exact: 1, first: at(0) }]);
        let text = "昔々ある所に、お爺さんとお婆さんが住んでいました。お爺さんは山へ柴刈りに行きました";
        let near = [text, &text.replacen("山", "川", 1)].map(|text| Sketch::of(std::iter::once(text)).unwrap());
        assert!((0.7..1.0).contains(&near[0].similarity(&near[1])), "scripts without spaces");
    }
}
