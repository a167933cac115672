//! Texts that were refused, and who comes back with variants of them.

use crate::query::Text;

/// Refused texts that are remembered.
const TEXTS: usize = 8;
/// Hashes that are kept of each: the smallest, which are a sample of its words and pairs of words.
const SAMPLE: usize = 32;
/// Least hashes that a text must have to be told from others.
const LEAST: usize = 6;
/// Exact hashes of variants that are remembered: a client that sends the very same again is not trying something else.
const SEEN: usize = 32;
/// How long they are remembered, in milliseconds.
const LASTS: i64 = crate::DAY;

/// One refused text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct One {
    /// When it, or a variant, was last refused.
    pub(crate) at: i64,
    /// The end user; 0 where nobody says.
    pub(crate) user: u64,
    /// Variants of it that came.
    pub(crate) variants: u32,
    /// Sorted.
    pub(crate) sample: Vec<u64>,
}

/// The refused texts of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) texts: Vec<One>,
    pub(crate) seen: Vec<u64>,
    pub(crate) next: usize,
}

fn sample(text: &Text) -> Vec<u64> {
    let mut all = text.shingles.clone();
    if all.len() > 4 * SAMPLE {
        // Twice and more may be the same, so some more than the sample.
        all.select_nth_unstable(4 * SAMPLE);
        all.truncate(4 * SAMPLE);
    }
    all.sort_unstable();
    all.dedup();
    all.truncate(SAMPLE);
    all
}

impl Refused {
    pub(crate) const TEXTS: usize = TEXTS;
    pub(crate) const SAMPLE: usize = SAMPLE;
    pub(crate) const SEEN: usize = SEEN;

    /// The refused text that this one is a variant of: at least half of it is in it.
    fn of(&self, text: &Text, user: u64, now: i64) -> Option<usize> {
        if self.texts.is_empty() || text.shingles.len() < LEAST {
            return None;
        }
        let live = |one: &One| now.saturating_sub(one.at) < LASTS && one.user == user;
        self.texts.iter().position(|one| {
            if !live(one) || one.sample.len() < LEAST {
                return false;
            }
            let mut met = 0_u64;
            for shingle in &text.shingles {
                if let Ok(at) = one.sample.binary_search(shingle) {
                    met |= 1 << (at % SAMPLE);
                }
            }
            met.count_ones() as usize * 2 >= one.sample.len()
        })
    }

    fn is_seen(&self, exact: u64) -> bool {
        self.seen.contains(&exact)
    }

    fn see(&mut self, exact: u64) {
        match self.seen.get_mut(self.next) {
            Some(place) => *place = exact,
            None => self.seen.push(exact),
        }
        self.next = (self.next + 1) % SEEN;
    }

    /// Where this is a variant of a refused text that was not there yet: how many of it there are now.
    pub(crate) fn variant(&mut self, text: &Text, user: u64, now: i64) -> Option<u32> {
        if self.texts.is_empty() || self.is_seen(text.exact) {
            return None;
        }
        let at = self.of(text, user, now)?;
        self.see(text.exact);
        let one = self.texts.get_mut(at)?;
        one.variants = one.variants.saturating_add(1);
        Some(one.variants)
    }

    /// Notes a refusal; true where the text was not refused before.
    pub(crate) fn refuse(&mut self, text: &Text, user: u64, now: i64) -> bool {
        let known = self.of(text, user, now);
        let distinct = !self.is_seen(text.exact);
        if distinct {
            self.see(text.exact);
        }
        let variants = known.and_then(|at| self.texts.get(at)).map_or(0, |one| one.variants);
        let one = One { at: now, user, variants, sample: sample(text) };
        let oldest = self.texts.iter().enumerate().min_by_key(|(_, one)| one.at).map(|(at, _)| at);
        let place = known.or_else(|| oldest.filter(|_| self.texts.len() >= TEXTS));
        match place.and_then(|at| self.texts.get_mut(at)) {
            // The newest variant is what the next one will be like.
            Some(old) => *old = one,
            None => self.texts.push(one),
        }
        distinct
    }

    /// True where nothing of it counts any more.
    pub(crate) fn is_over(&self, now: i64) -> bool {
        self.texts.iter().all(|one| now.saturating_sub(one.at) >= LASTS)
    }
}
