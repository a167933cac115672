//! The gazetteer: classes of a few hundred thousand words, by hash.
//!
//! The file has 65,537 little-endian `u32` offsets, one for each value of the upper half of a hash, and then three
//! bytes an entry: the lower half, and the classes. Two words share a hash once in twenty thousand.

const BUCKETS: usize = 1 << 16;

/// The gazetteer in a file's bytes.
#[derive(Clone, Copy)]
pub(crate) struct Gazetteer<'a>(pub(crate) &'a [u8]);

impl Gazetteer<'_> {
    fn offset(&self, bucket: usize) -> usize {
        let bytes = self.0.get(bucket * 4..bucket * 4 + 4).and_then(|b| b.try_into().ok()).unwrap_or_default();
        u32::from_le_bytes(bytes) as usize
    }

    /// Classes of the word with this hash; none for words that are not in.
    pub(crate) fn classes(&self, hash: u32) -> u8 {
        let bucket = (hash >> 16) as usize;
        let [_, _, low, high] = hash.to_be_bytes();
        let entries = 4 * (BUCKETS + 1);
        let (from, to) = (entries + 3 * self.offset(bucket), entries + 3 * self.offset(bucket + 1));
        self.0
            .get(from..to)
            .unwrap_or_default()
            .chunks_exact(3)
            .find_map(|entry| match entry {
                [l, h, classes] if *l == high && *h == low => Some(*classes),
                _ => None,
            })
            .unwrap_or(0)
    }
}

/// The file for these words and classes.
#[allow(dead_code, reason = "the trainer writes the file, and a test reads one back")]
pub(crate) fn build(mut entries: Vec<(u32, u8)>) -> Vec<u8> {
    entries.sort_unstable();
    entries.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 |= next.1;
        }
        same
    });
    let mut bytes = Vec::new();
    let mut at = 0;
    for bucket in 0..=BUCKETS {
        at += entries.get(at..).unwrap_or_default().iter().take_while(|(h, _)| ((h >> 16) as usize) < bucket).count();
        bytes.extend(u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes());
    }
    for (hash, classes) in entries {
        let [_, _, low, high] = hash.to_be_bytes();
        bytes.extend([high, low, classes]);
    }
    bytes
}
