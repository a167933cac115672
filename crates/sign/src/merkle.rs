//! The Merkle tree over the hashes of records (RFC 6962, section 2.1): a checkpoint signs its root, and a path of a few
//! hashes shows that a record is under it without showing any other record.

use aws_lc_rs::digest;

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// The hash of a leaf.
#[must_use]
pub fn leaf(data: &[u8]) -> Hash {
    sha256(&[&[0], data])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

/// The tree over the first leaves, as the roots of its perfect parts: what is needed to go on, a hash for each set bit
/// of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Largest part first.
    peaks: Vec<Hash>,
}

impl Tree {
    /// The tree over nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree that was kept as its parts; `None` where their number does not fit the size.
    #[must_use]
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        let wanted = usize::try_from(size.count_ones()).ok()?;
        (peaks.len() == wanted).then_some(Self { size, peaks })
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Its perfect parts, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut rest = self.size;
        while rest & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
            rest >>= 1;
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut parts = self.peaks.iter().rev();
        let Some(last) = parts.next() else { return sha256(&[]) };
        parts.fold(*last, |right, left| node(left, &right))
    }
}

/// Makes the path from a leaf to the root in one pass over the leaves, in memory of the logarithm of their number.
#[derive(Clone, Debug)]
pub struct PathMaker {
    index: u64,
    /// The leaves before the one that the path is for.
    left: Tree,
    at: u64,
    /// Siblings to the right, nearest first: their ends and what is known of them.
    right: Vec<(u64, Tree)>,
    /// From the leaf up: true for a sibling on the left.
    sides: Vec<bool>,
}

impl PathMaker {
    /// A path for the leaf at `index` in the tree of `size` leaves. `start` is the tree over the leaves that are not
    /// there to be fed. `None` where the leaf is not in the tree or not there.
    #[must_use]
    pub fn new(index: u64, size: u64, start: Tree) -> Option<Self> {
        if index >= size || start.size() > index {
            return None;
        }
        let (mut low, mut high) = (0, size);
        let mut sides = Vec::new();
        let mut right = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                right.push((high, Tree::new()));
                sides.push(false);
                high = middle;
            } else {
                sides.push(true);
                low = middle;
            }
        }
        sides.reverse();
        right.reverse();
        Some(Self { index, at: start.size(), left: start, right, sides })
    }

    /// Takes the hash of the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        if self.at < self.index {
            self.left.push(leaf);
        } else if self.at > self.index
            && let Some((_, tree)) = self.right.iter_mut().find(|(end, _)| self.at < *end)
        {
            tree.push(leaf);
        }
        self.at = self.at.saturating_add(1);
    }

    /// The path, from the leaf up.
    #[must_use]
    pub fn finish(self) -> Vec<Hash> {
        // The siblings on the left are the perfect parts of the tree before the leaf, the smallest nearest.
        let mut left = self.left.peaks.iter().rev();
        let mut right = self.right.iter();
        self.sides
            .iter()
            .filter_map(|is_left| if *is_left { left.next().copied() } else { right.next().map(|(_, t)| t.root()) })
            .collect()
    }
}

/// Largest power of two below a number above 1.
const fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// Whether a path leads from a leaf to a root (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn is_under(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::hex;

    /// The definition, as RFC 6962 writes it.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(&[]),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(usize::try_from(split(leaves.len() as u64)).unwrap());
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let mut tree = Tree::new();
        // Of the test vectors of certificate transparency: the empty tree, and one empty leaf.
        assert_eq!(hex(&tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(&leaf(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        let all = leaves(70);
        for (count, leaf) in all.iter().enumerate() {
            assert_eq!(tree.root(), by_definition(&all[..count]), "{count}");
            assert_eq!(Tree::from_parts(tree.size(), tree.peaks().to_vec()), Some(tree.clone()));
            tree.push(*leaf);
        }
        assert_eq!(Tree::from_parts(3, vec![]), None);
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_does() {
        for size in 1..34_u64 {
            let all = leaves(size);
            let root = by_definition(&all);
            for index in 0..size {
                for start in [0, index / 2, index] {
                    let mut kept = Tree::new();
                    all.iter().take(usize::try_from(start).unwrap()).for_each(|l| kept.push(*l));
                    let mut maker = PathMaker::new(index, size, kept).unwrap();
                    all.iter().skip(usize::try_from(start).unwrap()).for_each(|l| maker.push(*l));
                    let path = maker.finish();
                    let own = &all[usize::try_from(index).unwrap()];
                    assert!(is_under(own, index, size, &path, &root), "{index} of {size} from {start}");
                    assert!(!is_under(&leaf(b"other"), index, size, &path, &root));
                    if size > 1 {
                        assert!(!is_under(own, (index + 1) % size, size, &path, &root));
                        assert!(!is_under(own, index, size, &path[1..], &root));
                    }
                }
            }
            assert!(PathMaker::new(size, size, Tree::new()).is_none());
        }
    }
}
