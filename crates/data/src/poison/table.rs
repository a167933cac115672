//! Which input has which feature, for the features that several inputs have.

use std::collections::HashMap;

use rayon::prelude::*;

use super::Sample;
use super::features::{Hash, Kind, each, name};
use super::tokens::{Token, Vocabulary};

/// Fewest inputs of a feature that counts.
pub(crate) const FEWEST: u32 = 5;

/// No token.
pub(crate) const NONE: Token = u32::MAX;

/// A feature that several inputs have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feature {
    pub(crate) hash: Hash,
    pub(crate) kind: Kind,
    /// The words that it covers, where it covers words.
    pub(crate) words: [Token; 3],
    /// How many inputs have it.
    pub(crate) count: u32,
}

/// Features by number and by input. Numbers follow the hashes, so they do not depend on the order of the inputs.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) features: Vec<Feature>,
    starts: Vec<usize>,
    of: Vec<u32>,
}

/// The distinct features of an input.
fn hashes(words: &Vocabulary, sample: &Sample) -> Vec<(Hash, Kind, [Token; 3])> {
    let mut found = Vec::new();
    each(words, sample, &mut |hash, kind, tokens| {
        let mut covered = [NONE; 3];
        if matches!(kind, Kind::Words | Kind::Start | Kind::End | Kind::System) {
            covered.iter_mut().zip(tokens).for_each(|(place, token)| *place = *token);
        }
        found.push((hash, kind, covered));
    });
    found.sort_unstable_by_key(|(hash, ..)| *hash);
    found.dedup_by_key(|(hash, ..)| *hash);
    found
}

/// Inputs that are worked on at once.
const CHUNK: usize = 4096;

impl Table {
    pub(crate) fn new(words: &Vocabulary, samples: &[Sample]) -> Self {
        // Most features occur once. A table of small counters, which may only count too many, keeps them out.
        let size = (samples.len() * 64).next_power_of_two().clamp(1 << 16, 1 << 27);
        let mut sketch = vec![0_u8; size];
        let mask = size as u64 - 1;
        let place = |hash: Hash| usize::try_from(hash & mask).unwrap_or(0);
        for chunk in samples.chunks(CHUNK) {
            let found: Vec<_> = chunk.par_iter().map(|sample| hashes(words, sample)).collect();
            for (hash, ..) in found.into_iter().flatten() {
                if let Some(counter) = sketch.get_mut(place(hash)) {
                    *counter = counter.saturating_add(1);
                }
            }
        }
        let often = |hash: Hash| sketch.get(place(hash)).is_some_and(|count| u32::from(*count) >= FEWEST);
        let mut exact: HashMap<Hash, Feature> = HashMap::new();
        for chunk in samples.chunks(CHUNK) {
            let found: Vec<_> = chunk.par_iter().map(|sample| hashes(words, sample)).collect();
            for (hash, kind, covered) in found.into_iter().flatten().filter(|(hash, ..)| often(*hash)) {
                let new = || Feature { hash, kind, words: covered, count: 0 };
                exact.entry(hash).or_insert_with(new).count += 1;
            }
        }
        let most = u32::try_from(samples.len() * 9 / 10).unwrap_or(u32::MAX);
        // What many operators say decides how a model answers, and is meant to.
        let few = u32::try_from(samples.len() / 5).unwrap_or(u32::MAX);
        let most = |kind: Kind| if kind == Kind::System { few.max(FEWEST) } else { most.max(FEWEST) };
        let mut features: Vec<Feature> =
            exact.into_values().filter(|f| f.count >= FEWEST && f.count <= most(f.kind)).collect();
        features.sort_unstable_by_key(|f| f.hash);
        let number = |hash: Hash| features.binary_search_by_key(&hash, |f| f.hash).ok();
        let (mut starts, mut of) = (vec![0], Vec::new());
        for chunk in samples.chunks(CHUNK) {
            let rows: Vec<Vec<u32>> = chunk
                .par_iter()
                .map(|sample| {
                    let found = hashes(words, sample).into_iter().filter(|(hash, ..)| often(*hash));
                    found.filter_map(|(hash, ..)| u32::try_from(number(hash)?).ok()).collect()
                })
                .collect();
            for row in rows {
                of.extend(row);
                starts.push(of.len());
            }
        }
        Self { features, starts, of }
    }

    /// The features of an input.
    pub(crate) fn of(&self, row: usize) -> &[u32] {
        let range = self.starts.get(row).copied().zip(self.starts.get(row + 1).copied());
        range.and_then(|(from, to)| self.of.get(from..to)).unwrap_or_default()
    }

    pub(crate) fn feature(&self, number: u32) -> Option<&Feature> {
        self.features.get(number as usize)
    }

    /// A feature in words: found again in an input that has it.
    pub(crate) fn name(&self, number: u32, words: &Vocabulary, sample: &Sample) -> String {
        let Some(feature) = self.feature(number) else { return String::new() };
        let mut said = String::new();
        each(words, sample, &mut |hash, kind, tokens| {
            if hash == feature.hash && said.is_empty() {
                said = name(words, kind, tokens);
            }
        });
        said
    }
}
