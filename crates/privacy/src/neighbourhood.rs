//! Neighbours of a text: the same text with a few words of others.
//!
//! A model that was trained on a text finds it likelier than its neighbours by more than it does with other texts (Mattern
//! et al., Membership inference attacks against language models via neighbourhood comparison, Findings of ACL 2023). There a
//! masked language model proposes the words; here they are drawn from the given texts, so that no other model is needed.

use crate::stats::Dice;
use crate::words::places;

/// Share of the words that differ.
const CHANGED: f64 = 0.15;
/// Most words that are kept to draw from.
const MOST: usize = 1 << 20;

/// Words to draw from, by how they are written.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    kinds: [Vec<String>; 3],
}

/// Numbers, words with a capital letter, and others.
fn kind(word: &str) -> usize {
    match word.chars().next() {
        Some(c) if c.is_numeric() => 0,
        Some(c) if c.is_uppercase() => 1,
        _ => 2,
    }
}

impl Pool {
    /// All words of texts; frequent ones are drawn as frequently.
    pub fn new<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut pool = Self::default();
        for word in texts.flat_map(str::split_whitespace).take(MOST) {
            if let Some(kind) = pool.kinds.get_mut(kind(word)) {
                kind.push(word.to_owned());
            }
        }
        pool
    }

    /// Neighbours of a text; the same for the same text and pool. Blanks stay as they are.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    pub fn neighbours(&self, text: &str, count: u32) -> Vec<String> {
        let words = places(text);
        let changed = ((words.len() as f64 * CHANGED).round() as usize).clamp(1, words.len().max(1));
        let seed =
            text.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut dice = Dice::new(seed);
        let mut one = || {
            let mut open: Vec<usize> = (0..words.len()).collect();
            let mut chosen: Vec<usize> =
                (0..changed.min(open.len())).map(|_| open.swap_remove(dice.below(open.len()))).collect();
            chosen.sort_unstable();
            let (mut out, mut at) = (String::with_capacity(text.len()), 0);
            for (from, to) in chosen.into_iter().filter_map(|n| words.get(n).copied()) {
                let word = text.get(from..to).unwrap_or_default();
                let pool = self.kinds.get(kind(word)).map(Vec::as_slice).unwrap_or_default();
                let other = if pool.is_empty() { None } else { pool.get(dice.below(pool.len())) };
                out.push_str(text.get(at..from).unwrap_or_default());
                out.push_str(other.map_or(word, String::as_str));
                at = to;
            }
            out.push_str(text.get(at..).unwrap_or_default());
            out
        };
        (0..count).map(|_| one()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_in_a_few_words_of_the_same_kind() {
        let pool = Pool::new(["red Anna 7 green", "blue Otto 12"].into_iter());
        let text = "one  two three four five six seven eight\nnine Carl 3 ten eleven";
        let all = pool.neighbours(text, 20);
        assert_eq!(all, pool.neighbours(text, 20));
        for other in &all {
            let pairs = text.split_whitespace().zip(other.split_whitespace());
            let changed: Vec<(&str, &str)> = pairs.filter(|(a, b)| a != b).collect();
            assert!(!changed.is_empty() && changed.len() <= 2, "{other}");
            assert!(changed.iter().all(|(a, b)| kind(a) == kind(b)), "{changed:?}");
            assert!(other.contains('\n'), "{other}");
        }
        assert!(pool.neighbours("", 2).iter().all(String::is_empty));
    }
}
