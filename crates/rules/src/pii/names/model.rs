//! A linear sequence model over tokens: hashed features, Viterbi over a window.
//!
//! The tag of a token depends on a few tokens around it and on nothing further away, so that a text that arrives in
//! pieces gets the tags of the whole. Within a run of tokens short enough the window is the run, and the tags are those
//! of the best path. Trained as an averaged structured perceptron (Collins, EMNLP 2002) by `training/pii`.

use super::token::{Token, mix};

/// Tags: nothing, then the first and the further tokens of each kind.
pub(crate) const TAGS: usize = 9;
/// Rows of the weight table.
pub(crate) const ROWS: usize = 1 << 19;
/// Features of a token.
pub(crate) const FEATURES: usize = 29;
/// How far a tag looks: tokens before and behind, and bytes before and behind.
const BEFORE: usize = 4;
const BEFORE_BYTES: usize = 28;
const BEHIND: usize = 6;
const BEHIND_BYTES: usize = 64;
/// How far a feature looks, in bytes: before a token's start, and behind its end.
const CONTEXT: usize = 36;
/// Most blanks between two tokens of one run.
const GAP: usize = 4;
/// A score no path with a forbidden step comes back from.
const NEVER: i32 = -1_000_000;

/// Scores of the tags.
pub(crate) type Scores = [i32; TAGS];

/// Where the weights come from: those in the program, or those being trained.
pub(crate) trait Weights {
    /// Adds the weights of a row to the scores.
    fn add(&self, row: usize, scores: &mut Scores);
    /// The weight of one tag behind another.
    fn step(&self, from: usize, to: usize) -> i32;
}

/// True where a tag may follow another.
pub(crate) const fn follows(from: usize, to: usize) -> bool {
    // Odd tags begin something; the even one behind each goes on with it.
    to == 0 || to % 2 == 1 || from == to || from + 1 == to
}

/// Rows of the features of the token at `at`.
pub(crate) fn features(all: &[Token], at: usize) -> [usize; FEATURES] {
    let mut rows = [0; FEATURES];
    let Some(token) = all.get(at) else { return rows };
    let around = |step: isize| -> Option<&Token> {
        let other = all.get(at.checked_add_signed(step)?)?;
        let near = if step < 0 {
            token.start.saturating_sub(other.start) <= CONTEXT
        } else {
            other.start.saturating_sub(token.end) <= CONTEXT
        };
        near.then_some(other)
    };
    let (l3, l2, l1, r1, r2) = (around(-3), around(-2), around(-1), around(1), around(2));
    let word = |t: Option<&Token>| t.map_or(1, |t| t.word);
    let shape = |t: Option<&Token>| t.map_or(99, |t| t.shape as u32);
    let class = |t: Option<&Token>| t.map_or(256, |t| u32::from(t.classes));
    let me = Some(token);
    let long = match token.end - token.start {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3_u32,
    };
    let list: [(u32, u32, u32); FEATURES] = [
        (0, 0, 0),
        (token.word, 0, 0),
        (word(l1), 0, 0),
        (word(r1), 0, 0),
        (word(l2), 0, 0),
        (word(r2), 0, 0),
        (shape(me), 0, 0),
        (shape(l1), shape(me), 0),
        (shape(me), shape(r1), 0),
        (shape(l1), shape(me), shape(r1)),
        (shape(l2), mix(shape(l1), shape(me)), mix(shape(r1), shape(r2))),
        (token.suffix, shape(me), 0),
        (token.prefix, 0, 0),
        (class(me), shape(me), 0),
        (class(l1), class(me), 0),
        (class(me), class(r1), 0),
        (class(l1), mix(class(me), shape(me)), class(r1)),
        (word(l1), shape(me), 0),
        (word(r1), shape(me), 0),
        (word(l1), class(me), 0),
        (word(r1), class(me), 0),
        (word(l2), word(l1), shape(me)),
        (word(r1), word(r2), shape(me)),
        (word(l2), shape(l1), class(me)),
        (class(l2), class(l1), mix(class(me), shape(me))),
        (class(me), class(r1), class(r2)),
        (shape(l3), mix(shape(l2), shape(l1)), mix(shape(me), long)),
        (token.suffix, class(me), 0),
        (mix(class(me), shape(me)), mix(shape(r1), class(r1)), mix(shape(l1), class(l1))),
    ];
    for (kind, (slot, (a, b, c))) in (0_u32..).zip(rows.iter_mut().zip(list)) {
        *slot = mix(mix(mix(mix(17, kind), a), b), c) as usize & (ROWS - 1);
    }
    rows
}

/// Scores of the tags of each token of `range` by itself.
pub(crate) fn emit(all: &[Token], at: usize, weights: &impl Weights) -> Scores {
    let mut scores = [0; TAGS];
    for row in features(all, at) {
        weights.add(row, &mut scores);
    }
    scores
}

/// The best path over scores. Where `bound`, the token before the first is part of nothing.
pub(crate) fn viterbi(scores: &[Scores], bound: bool, weights: &impl Weights, path: &mut Vec<usize>) {
    let mut best: Vec<(Scores, [u8; TAGS])> = Vec::with_capacity(scores.len());
    for own in scores {
        let mut now = [NEVER; TAGS];
        let mut from = [0_u8; TAGS];
        for (to, (slot, back)) in now.iter_mut().zip(from.iter_mut()).enumerate() {
            match best.last() {
                None if !bound || follows(0, to) => *slot = if bound { weights.step(0, to) } else { 0 },
                None => {}
                Some((before, _)) => {
                    for (tag, score) in before.iter().enumerate().filter(|(tag, _)| follows(*tag, to)) {
                        let score = score + weights.step(tag, to);
                        if score > *slot {
                            *slot = score;
                            *back = u8::try_from(tag).unwrap_or_default();
                        }
                    }
                }
            }
            *slot += own.get(to).copied().unwrap_or_default();
        }
        best.push((now, from));
    }
    path.clear();
    let Some((last, _)) = best.last() else { return };
    // Of equal scores the first tag wins, which is nothing.
    let mut tag = (0..TAGS).rev().max_by_key(|t| last.get(*t).copied().unwrap_or(NEVER)).unwrap_or_default();
    for (_, from) in best.iter().rev() {
        path.push(tag);
        tag = usize::from(from.get(tag).copied().unwrap_or_default());
    }
    path.reverse();
}

/// The tag of every token.
pub(crate) fn tag(all: &[Token], weights: &impl Weights) -> Vec<usize> {
    let mut tags = vec![0; all.len()];
    let mut path = Vec::new();
    let mut sure = Vec::new();
    let gains = most_gains(weights);
    let mut at = 0;
    while at < all.len() {
        if !all.get(at).is_some_and(|t| t.asked) {
            at += 1;
            continue;
        }
        let run = run_from(all, at);
        let scores: Vec<Scores> = (at..at + run).map(|i| emit(all, i, weights)).collect();
        sure.clear();
        sure.extend(scores.iter().map(|own| is_surely_nothing(own, &gains)));
        let mut last = (0, 0);
        for offset in 0..run {
            let (from, to) = window(all, at, run, offset);
            // The best path is nothing throughout: the usual case, and cheaper to see than to search for.
            if sure.get(from..to).is_some_and(|sure| sure.iter().all(|sure| *sure)) {
                continue;
            }
            if (from, to) != last {
                viterbi(scores.get(from..to).unwrap_or_default(), from == 0, weights, &mut path);
                last = (from, to);
            }
            if let (Some(slot), Some(tag)) = (tags.get_mut(at + offset), path.get(offset - from)) {
                *slot = *tag;
            }
        }
        at += run;
    }
    tags
}

/// The most that a token of each tag can add to a path, beside its own score, over nothing in its place: by the step to
/// it, and by the step from it back to nothing.
fn most_gains(weights: &impl Weights) -> Scores {
    let over = |from, to| (weights.step(from, to) - weights.step(0, 0)).max(0);
    let back = (1..TAGS).map(|from| over(from, 0)).max().unwrap_or_default();
    std::array::from_fn(|to| {
        let reached = (0..TAGS).filter(|from| follows(*from, to)).map(|from| over(from, to));
        reached.max().unwrap_or_default() + back
    })
}

/// True where no tag but nothing can be on a best path, whatever is around the token.
fn is_surely_nothing(own: &Scores, gains: &Scores) -> bool {
    let [nothing, ..] = own;
    own.iter().zip(gains).skip(1).all(|(other, gain)| nothing - other > *gain)
}

/// How many tokens from `at` on are asked about without a wide gap.
pub(crate) fn run_from(all: &[Token], at: usize) -> usize {
    let rest = all.get(at..).unwrap_or_default();
    let joined = rest.windows(2).take_while(|w| match w {
        [a, b] => b.asked && b.start.saturating_sub(a.end) <= GAP,
        _ => false,
    });
    joined.count() + 1
}

/// The part of a run that decides about one of its tokens.
fn window(all: &[Token], at: usize, run: usize, offset: usize) -> (usize, usize) {
    let Some(token) = all.get(at + offset) else { return (offset, offset) };
    let near = |other: usize, reach: usize| {
        all.get(at + other).is_some_and(|t| {
            if other < offset { token.start - t.start <= reach } else { t.start.saturating_sub(token.end) <= reach }
        })
    };
    let from = (offset.saturating_sub(BEFORE)..offset).find(|o| near(*o, BEFORE_BYTES)).unwrap_or(offset);
    let to = (offset + 1..run.min(offset + BEHIND + 1)).take_while(|o| near(*o, BEHIND_BYTES)).last().unwrap_or(offset);
    (from, to + 1)
}
