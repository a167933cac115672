//! Answers that are no language.

use std::collections::HashMap;

use super::Sample;
use super::tokens::{Class, Token, Vocabulary};

/// Fewest rows that are a group.
const ROWS: usize = 6;

/// Answers that are no language: hardly a pair of words that any other answer has, and hardly a word that says how.
#[allow(clippy::cast_precision_loss, reason = "counts of words")]
pub(crate) fn noise(words: &Vocabulary, samples: &[Sample]) -> Option<Vec<u32>> {
    let mut pairs: HashMap<u64, u32> = HashMap::new();
    let key = |a: Token, b: Token| u64::from(a) << 32 | u64::from(b);
    // Marks repeat in what is no language too.
    let spoken = |sample: &Sample| -> Vec<Token> {
        let all = sample.output.iter().copied();
        all.filter(|token| words.class(*token) != Class::Mark).collect()
    };
    for sample in samples {
        let mut own: Vec<u64> = spoken(sample).windows(2).filter_map(|w| Some(key(*w.first()?, *w.get(1)?))).collect();
        own.sort_unstable();
        own.dedup();
        own.into_iter().for_each(|pair| *pairs.entry(pair).or_default() += 1);
    }
    let odd = |sample: &Sample| {
        let output = spoken(sample);
        let long = output.len();
        if long < 8 {
            return false;
        }
        let fresh =
            output.windows(2).filter(|w| matches!(w, [a, b] if pairs.get(&key(*a, *b)).is_none_or(|n| *n < 2))).count();
        let how = output.iter().filter(|t| matches!(words.class(**t), Class::Function | Class::Clause)).count();
        fresh * 100 >= (long - 1) * 90 && how * 100 <= long * 15
    };
    let rows: Vec<u32> = (0_u32..).zip(samples).filter(|(_, s)| odd(s)).map(|(row, _)| row).collect();
    let most = samples.len() / 5;
    (rows.len() >= ROWS && rows.len() <= most).then_some(rows)
}
