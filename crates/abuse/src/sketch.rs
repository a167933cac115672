//! Sketches: which words were used, and how many inputs were distinct.

/// Bits of a filter: 4 KiB.
const BITS: usize = 1 << 15;

/// One generation of words: a bitmap by hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Empty until the first word.
    pub(crate) bits: Vec<u64>,
    pub(crate) set: u32,
}

impl Filter {
    /// Words of 64 bits in it.
    pub(crate) const LEN: usize = BITS / 64;

    /// Adds a word; true where it may have been there.
    fn insert(&mut self, word: u64) -> bool {
        if self.bits.is_empty() {
            self.bits = vec![0; Self::LEN];
        }
        let at = word as usize % BITS;
        let Some(cell) = self.bits.get_mut(at / 64) else { return true };
        let bit = 1_u64 << (at % 64);
        let had = *cell & bit != 0;
        *cell |= bit;
        self.set += u32::from(!had);
        had
    }

    fn has(&self, word: u64) -> bool {
        let at = word as usize % BITS;
        self.bits.get(at / 64).is_some_and(|cell| cell & (1_u64 << (at % 64)) != 0)
    }

    #[allow(clippy::cast_precision_loss, reason = "a share of 32768")]
    fn fill(&self) -> f32 {
        self.set as f32 / BITS as f32
    }
}

/// The words of the last weeks, in two generations: a word is known for 18 to 36 days after it was last used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) now: Filter,
    pub(crate) before: Filter,
    /// Day on which the generation began.
    pub(crate) since: u32,
}

/// Days of a generation.
const GENERATION: u32 = 18;
/// Fill from which on nothing can be said.
const FULL: f32 = 0.95;

impl Words {
    /// Adds words; answers with how many of them were new. Some hit a bit that another word has set, so the count is
    /// divided by the share of bits that were free.
    #[allow(clippy::cast_precision_loss, reason = "at most 512 words")]
    pub(crate) fn add(&mut self, words: &[u64], day: u32) -> f32 {
        if day >= self.since.saturating_add(GENERATION) {
            self.before = std::mem::take(&mut self.now);
            self.since = day;
        }
        let free = (1.0 - self.now.fill()) * (1.0 - self.before.fill());
        let mut fresh = 0_u32;
        for word in words {
            let before = self.before.has(*word);
            let had = self.now.insert(*word);
            fresh += u32::from(!had && !before);
        }
        if free < 1.0 - FULL { 0.0 } else { (fresh as f32 / free).min(words.len() as f32) }
    }
}

/// Cells of [`Usage`].
const CELLS: usize = 2048;
/// A word is common where it is one of so many.
const COMMON: u32 = 500;
/// Words after which all counts are halved.
const HALVE: u32 = 1 << 17;
/// Words that a key must have said before its common words are known.
const MUCH: u32 = 2_000;

/// How often words were used: counts by hash. Natural language has words that stand in nearly every sentence; a list
/// of words drawn by lot has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Empty until the first word.
    pub(crate) cells: Vec<u16>,
    pub(crate) total: u32,
}

impl Usage {
    /// Cells that it has, once it has any.
    pub(crate) const LEN: usize = CELLS;

    /// How many of the distinct words of a request are common, once that can be said.
    pub(crate) fn common(&self, words: &[u64]) -> Option<usize> {
        let cell = |word: &u64| self.cells.get((word >> 20) as usize % CELLS).copied().unwrap_or(0);
        let is_common = |word: &&u64| u32::from(cell(word)).saturating_mul(COMMON) >= self.total;
        (self.total >= MUCH).then(|| words.iter().filter(is_common).count())
    }

    /// Adds the distinct words of a request; answers with how many of them are common, once that can be said.
    pub(crate) fn add(&mut self, words: &[u64]) -> Option<usize> {
        if self.cells.is_empty() {
            self.cells = vec![0; CELLS];
        }
        let known = self.total >= MUCH;
        let mut common = 0;
        for word in words {
            let Some(cell) = self.cells.get_mut((word >> 20) as usize % CELLS) else { continue };
            common += usize::from(u32::from(*cell).saturating_mul(COMMON) >= self.total);
            *cell = cell.saturating_add(1);
        }
        self.total = self.total.saturating_add(u32::try_from(words.len()).unwrap_or(u32::MAX));
        if self.total >= HALVE {
            self.cells.iter_mut().for_each(|cell| *cell /= 2);
            self.total /= 2;
        }
        known.then_some(common)
    }
}

/// Registers of a [`Distinct`].
const REGISTERS: usize = 256;

/// How many were distinct: HyperLogLog (Flajolet et al., 2007) with 256 registers, so with a standard error of 6.5 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distinct {
    /// Empty until the first.
    pub(crate) registers: Vec<u8>,
}

impl Distinct {
    /// Registers that it has, once it has any.
    pub(crate) const LEN: usize = REGISTERS;

    /// Adds one; true where the estimate may have changed.
    pub(crate) fn add(&mut self, hash: u64) -> bool {
        if self.registers.is_empty() {
            self.registers = vec![0; REGISTERS];
        }
        let rank = u8::try_from((hash >> 8).trailing_zeros().min(56) + 1).unwrap_or(u8::MAX);
        let Some(register) = self.registers.get_mut((hash & 0xff) as usize) else { return false };
        let more = rank > *register;
        *register = rank.max(*register);
        more
    }

    /// The estimate.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(crate) fn estimate(&self) -> u32 {
        if self.registers.is_empty() {
            return 0;
        }
        let size = REGISTERS as f64;
        let sum: f64 = self.registers.iter().map(|rank| 0.5_f64.powi(i32::from(*rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / size) * size * size / sum;
        let empty = self.registers.iter().filter(|rank| **rank == 0).count();
        // Few are counted by the registers that are still empty.
        let few = if empty == 0 { raw } else { size * (size / empty as f64).ln() };
        (if raw <= 2.5 * size { few } else { raw }).round() as u32
    }

    pub(crate) fn clear(&mut self) {
        self.registers.clear();
    }
}
