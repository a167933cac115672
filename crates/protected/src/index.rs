//! The file of an index: a checked head, entries by bucket, where buckets begin, and a sealed list of sources.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::build::Ids;
use crate::grams::{Around, Gram};
use crate::{CONTEXT, Key, ProtectedError};

/// What a file begins with: name and version of the form.
const MAGIC: &[u8; 8] = b"BZPTXT\x01\n";
/// Bytes of the head.
pub(crate) const HEAD: usize = 160;
/// Bytes of the head before its tag.
const TAGGED: usize = HEAD - 32;
/// Bytes of an entry.
pub(crate) const ENTRY: usize = 7;
/// Entries in a bucket, on average.
pub(crate) const PER_BUCKET: u64 = 32;
/// Most bits of a record number.
pub(crate) const MOST_ID_BITS: u32 = 20;
/// Bits of what is not the record number: remainder of the fingerprint above, two bits a word around it below.
const CONTEXT_BITS: u32 = 4 * CONTEXT as u32;
/// Bits of an entry.
const ENTRY_BITS: u32 = 8 * ENTRY as u32;
/// Most entries of a bucket that are looked at: no honest bucket has so many.
const MOST_IN_BUCKET: usize = 4096;

/// The bytes of an index, wherever they are.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The head of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) ids: Ids,
    pub(crate) buckets: u64,
    pub(crate) entries: u64,
    pub(crate) records: u64,
    pub(crate) words: u64,
    pub(crate) short: u64,
    pub(crate) common: u64,
    pub(crate) sealed: u64,
    pub(crate) digest: [u8; 32],
}

impl Head {
    pub(crate) fn bytes(&self, key: &Key) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(self.ids.bits.to_le_bytes());
        out.extend(self.ids.shift.to_le_bytes());
        for number in [self.buckets, self.entries, self.records, self.words, self.short, self.common, self.sealed] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.digest);
        out.resize(TAGGED, 0);
        let tag = key.tag(&out);
        out.extend(tag);
        out
    }

    fn read(bytes: &[u8], key: &Key) -> Result<Self, ProtectedError> {
        let head = bytes.get(..HEAD).ok_or(ProtectedError::Form("it is shorter than a head"))?;
        let (tagged, tag) = head.split_at_checked(TAGGED).ok_or(ProtectedError::Form("it is shorter than a head"))?;
        let rest = tagged.strip_prefix(MAGIC).ok_or(ProtectedError::Form("it does not begin as one"))?;
        if !key.is_tag(tagged, tag) {
            return Err(ProtectedError::Key);
        }
        let small = |at: usize| rest.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let large = |at: usize| number(rest, 8 + 8 * at).unwrap_or(0);
        let head = Self {
            ids: Ids { bits: small(0), shift: small(4) },
            buckets: large(0),
            entries: large(1),
            records: large(2),
            words: large(3),
            short: large(4),
            common: large(5),
            sealed: large(6),
            digest: rest.get(64..96).and_then(|b| b.try_into().ok()).unwrap_or([0; 32]),
        };
        let fits = head.ids.bits <= MOST_ID_BITS && head.ids.shift < 32 && head.buckets > 0;
        if fits { Ok(head) } else { Err(ProtectedError::Form("its head does not fit together")) }
    }

    /// Where the entries end, the starts of buckets end, and the file ends.
    fn layout(&self) -> Option<[usize; 3]> {
        let entries = self.entries.checked_mul(ENTRY as u64)?.checked_add(HEAD as u64)?;
        let starts = self.buckets.checked_add(1)?.checked_mul(8)?.checked_add(entries)?;
        let end = starts.checked_add(self.sealed)?;
        Some([usize::try_from(entries).ok()?, usize::try_from(starts).ok()?, usize::try_from(end).ok()?])
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

/// The bucket of a fingerprint among so many.
pub(crate) const fn bucket(print: u64, buckets: u64) -> u64 {
    ((print as u128 * buckets as u128) >> 64) as u64
}

const fn low(value: u64, bits: u32) -> u64 {
    if bits >= 64 { value } else { value & ((1 << bits) - 1) }
}

/// An entry: record number lowest, then the words around, then the lowest bits of the fingerprint.
pub(crate) const fn pack(print: u64, context: u16, record: u32, ids: Ids) -> u64 {
    let id = low((record >> ids.shift) as u64, ids.bits);
    let rest = low(print, ENTRY_BITS - CONTEXT_BITS - ids.bits);
    id | (context as u64) << ids.bits | rest << (ids.bits + CONTEXT_BITS)
}

/// Numbers of records, from 0 in the order of the corpus. Of a corpus with more than a million records the index knows
/// only which group of records in a row something is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Records {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// What an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Records that were read.
    pub records: u64,
    /// Records of fewer words than can be protected.
    pub short: u64,
    /// Canonical words that were read.
    pub words: u64,
    /// Fingerprints.
    pub entries: u64,
    /// Runs of words left out because many records have them.
    pub common: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// An index that is open.
#[derive(Clone)]
pub struct Index {
    bytes: Bytes,
    key: Key,
    head: Head,
    layout: [usize; 3],
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("entries", &self.head.entries).finish_non_exhaustive()
    }
}

impl Index {
    /// Opens an index. The head is checked against the key; the rest is checked by [`Index::verify`], because it may be
    /// larger than memory. An index whose rest was changed finds less or more, and does no other harm.
    ///
    /// # Errors
    /// The bytes are no index, or of another key, or cut short.
    pub fn open(bytes: Bytes, key: Key) -> Result<Self, ProtectedError> {
        let all = bytes.as_ref().as_ref();
        let head = Head::read(all, &key)?;
        let layout = head.layout().filter(|[.., end]| *end == all.len());
        let layout = layout.ok_or(ProtectedError::Form("it is cut short, or has something behind its end"))?;
        Ok(Self { bytes, key, head, layout })
    }

    fn all(&self) -> &[u8] {
        self.bytes.as_ref().as_ref()
    }

    /// Reads everything and compares it with the digest in the head.
    ///
    /// # Errors
    /// The index was changed.
    pub fn verify(&self) -> Result<(), ProtectedError> {
        let body = self.all().get(HEAD..).unwrap_or_default();
        let is_same = digest::digest(&digest::SHA256, body).as_ref() == self.head.digest;
        if is_same { Ok(()) } else { Err(ProtectedError::Changed) }
    }

    /// What it holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let Head { records, short, words, entries, common, .. } = self.head;
        Stats { records, short, words, entries, common, bytes: self.all().len() as u64 }
    }

    /// Names the content: the SHA-256 of everything behind the head.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.head.digest
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// The files that the corpus was read from, with the number of the first record of each.
    ///
    /// # Errors
    /// The list was changed.
    pub fn sources(&self) -> Result<Vec<(String, u32)>, ProtectedError> {
        let [_, starts, end] = self.layout;
        let list = self.key.open(self.all().get(starts..end).unwrap_or_default())?;
        let list = String::from_utf8(list).map_err(|_| ProtectedError::Changed)?;
        let line = |line: &str| line.split_once('\t').and_then(|(n, name)| Some((name.to_owned(), n.parse().ok()?)));
        list.lines().map(|l| line(l).ok_or(ProtectedError::Changed)).collect()
    }

    /// Calls `found` with how many words before and after the run agree too, for each entry of the run.
    pub(crate) fn look(&self, gram: &Gram, mut found: impl FnMut(usize, usize, Records)) {
        let [entries, ..] = self.layout;
        let starts = self.all().get(entries..).unwrap_or_default();
        let place = usize::try_from(bucket(gram.print, self.head.buckets)).unwrap_or(usize::MAX / 16);
        let (Some(from), Some(to)) = (number(starts, place * 8), number(starts, place * 8 + 8)) else { return };
        let offset = |count: u64| usize::try_from(count).ok()?.checked_mul(ENTRY)?.checked_add(HEAD);
        let (Some(from), Some(to)) = (offset(from), offset(to)) else { return };
        let of_bucket = self.all().get(from..to.min(entries)).unwrap_or_default();
        let ids = self.head.ids;
        let wanted = low(gram.print, ENTRY_BITS - CONTEXT_BITS - ids.bits);
        for entry in of_bucket.chunks_exact(ENTRY).take(MOST_IN_BUCKET) {
            let mut word = [0; 8];
            word.iter_mut().zip(entry).for_each(|(to, from)| *to = *from);
            let word = u64::from_le_bytes(word);
            if word >> (ids.bits + CONTEXT_BITS) != wanted {
                continue;
            }
            let context = (word >> ids.bits) as u16;
            let id = u32::try_from(low(word, ids.bits)).unwrap_or(0);
            let first = id.checked_shl(ids.shift).unwrap_or(0);
            let last = first | low(u64::MAX, ids.shift) as u32;
            let last = last.min(u32::try_from(self.head.records.saturating_sub(1)).unwrap_or(u32::MAX));
            found(agree(context, &gram.left), agree(context >> 8, &gram.right), Records { first, last });
        }
    }
}

/// How many words agree, from the nearest on.
fn agree(context: u16, around: &Around) -> usize {
    around
        .iter()
        .enumerate()
        .take_while(|(distance, bits)| **bits == Some((context >> (2 * distance) & 3) as u8))
        .count()
}
