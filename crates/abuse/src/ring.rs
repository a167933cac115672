//! Signatures of the latest requests of a key.

/// Lanes of a signature.
pub(crate) const LANES: usize = 64;
/// Signatures that are kept.
const KEPT: usize = 32;
/// Share of lanes in which two requests agree that are nearly the same: an estimate of the Jaccard similarity of their
/// words and pairs of words.
const NEAR: (usize, usize) = (11, 20);
/// Least lanes that have to agree: shorter texts are alike by chance.
const AGREE: usize = 4;

/// A one-permutation MinHash (Li, Owen, Zhang, 2012): the smallest hash of each of 64 classes of features, 16 bits of
/// it; all ones where a class is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature(pub(crate) [u16; LANES]);

impl Default for Signature {
    fn default() -> Self {
        Self([u16::MAX; LANES])
    }
}

impl Signature {
    pub(crate) fn add(&mut self, feature: u64) {
        // The features are sums of hashes; mixed once more, so that their high bits are as good as any.
        let mixed = (feature ^ (feature >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let lane = (mixed >> 58) as usize % LANES;
        let value = u16::try_from((mixed >> 42) & 0xffff).unwrap_or(u16::MAX).min(u16::MAX - 1);
        if let Some(kept) = self.0.get_mut(lane) {
            *kept = value.min(*kept);
        }
    }

    /// True where the two are nearly the same.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        let (mut agree, mut filled) = (0_usize, 0_usize);
        for (a, b) in self.0.iter().zip(&other.0) {
            let some = *a != u16::MAX || *b != u16::MAX;
            filled += usize::from(some);
            agree += usize::from(some && a == b);
        }
        agree >= AGREE && agree * NEAR.1 >= filled * NEAR.0
    }
}

/// How a request stands to the latest ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// It is another one.
    New,
    /// It is nearly one of them.
    Near,
    /// It is one of them.
    Same,
}

/// The latest requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ring {
    pub(crate) kept: Vec<(u64, Signature)>,
    pub(crate) next: usize,
}

impl Ring {
    /// Most that are kept.
    pub(crate) const KEPT: usize = KEPT;

    /// Compares and keeps.
    pub(crate) fn push(&mut self, exact: u64, signature: &Signature) -> Likeness {
        if self.kept.iter().any(|(hash, _)| *hash == exact) {
            return Likeness::Same;
        }
        let near = self.kept.iter().any(|(_, kept)| kept.is_near(signature));
        match self.kept.get_mut(self.next) {
            Some(place) => *place = (exact, signature.clone()),
            None => self.kept.push((exact, signature.clone())),
        }
        self.next = (self.next + 1) % KEPT;
        if near { Likeness::Near } else { Likeness::New }
    }
}
