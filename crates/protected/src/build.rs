//! Making an index: fingerprints chosen by winnowing, what is common or public left out.

use std::collections::{HashSet, VecDeque};
use std::io::Write;
use std::ops::RangeInclusive;

use aws_lc_rs::digest;

use crate::grams::{Around, Gram, Grams, Place};
use crate::index::{self, Head, PER_BUCKET};
use crate::words::modulo;
use crate::{GRAM, Key, ProtectedError, RUN};

/// Runs of which one at least is in the index.
const WINDOW: usize = RUN - GRAM + 1;

/// In how many different records a run of words may be before it counts as boilerplate and is left out. It is counted
/// among the chosen ones, so that where boilerplate meets other text a little of it may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Common(pub u32);

impl Default for Common {
    fn default() -> Self {
        Self(16)
    }
}

/// Text that everybody may repeat: its runs of words are left out.
#[derive(Clone, Debug)]
pub struct Public {
    key: Key,
    prints: Vec<u64>,
}

impl Public {
    /// Nothing yet.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self { key, prints: Vec::new() }
    }

    /// Adds a text.
    pub fn add(&mut self, text: &str) {
        let mut grams = Grams::new(&self.key);
        let prints = &mut self.prints;
        grams.push(text, |gram, _| prints.push(gram.print));
        grams.finish(|gram, _| prints.push(gram.print));
        prints.sort_unstable();
        prints.dedup();
    }

    fn has(&self, print: u64) -> bool {
        self.prints.binary_search(&print).is_ok()
    }
}

/// One fingerprint of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    print: u64,
    record: u32,
    context: u16,
}

/// Collects the fingerprints of records, those in a range: a corpus that does not fit memory is read once for each
/// range.
#[derive(Debug)]
pub struct Builder {
    key: Key,
    range: RangeInclusive<u64>,
    entries: Vec<Entry>,
    /// Hashes of whole records: copies of one record count once.
    known: HashSet<u64>,
    records: u32,
    words: u64,
    short: u64,
    chosen: u64,
}

impl Builder {
    /// For part `part` of `parts`.
    #[must_use]
    pub fn new(key: Key, part: u32, parts: u32) -> Self {
        let parts = u64::from(parts.max(1));
        let step = u64::MAX / parts;
        let start = u64::from(part).saturating_mul(step);
        let end = if u64::from(part) + 1 >= parts { u64::MAX } else { start.saturating_add(step - 1) };
        Self {
            key,
            range: start..=end,
            entries: Vec::new(),
            known: HashSet::new(),
            records: 0,
            words: 0,
            short: 0,
            chosen: 0,
        }
    }

    /// Adds the next record and answers with its number.
    ///
    /// # Errors
    /// Too many records.
    pub fn record(&mut self, text: &str) -> Result<u32, ProtectedError> {
        let number = self.records;
        self.records = number.checked_add(1).ok_or(ProtectedError::TooMany)?;
        let mut window = Winnow::default();
        let mut grams = Grams::new(&self.key);
        let mut name = 0_u64;
        let from = self.entries.len();
        let Self { key, range, entries, chosen, .. } = self;
        let mut take = |gram: Gram, _: Place<'_>| {
            name = modulo(u128::from(name) * u128::from(key.word) + u128::from(gram.print >> 3));
            if let Some(gram) = window.push(gram) {
                *chosen += 1;
                if range.contains(&gram.print) {
                    let context = pack(&gram.left, &gram.right);
                    entries.push(Entry { print: gram.print, record: number, context });
                }
            }
        };
        grams.push(text, &mut take);
        let words = grams.finish(&mut take);
        self.words += words as u64;
        if words < RUN {
            self.short += 1;
        } else if !self.known.insert(name) {
            // A copy: it would only make its words look common.
            self.entries.truncate(from);
        }
        Ok(number)
    }

    /// Records read so far.
    #[must_use]
    pub const fn records(&self) -> u32 {
        self.records
    }

    /// Fingerprints chosen so far, whatever their range.
    #[must_use]
    pub const fn chosen(&self) -> u64 {
        self.chosen
    }

    /// Bytes that the collected fingerprints take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>()
    }
}

/// Two bits a word, the nearest in the lowest; left in the lower half.
fn pack(left: &Around, right: &Around) -> u16 {
    let side = |around: &Around| around.iter().rev().fold(0_u16, |all, bits| all << 2 | u16::from(bits.unwrap_or(0)));
    side(left) | side(right) << 8
}

/// Chooses the smallest fingerprint of every [`WINDOW`] in a row, the last of equals.
#[derive(Debug, Default)]
struct Winnow {
    /// Candidates with their numbers, smaller ones later.
    queue: VecDeque<(usize, Gram)>,
    read: usize,
    last: Option<usize>,
}

impl Winnow {
    fn push(&mut self, gram: Gram) -> Option<Gram> {
        let number = self.read;
        self.read += 1;
        while self.queue.back().is_some_and(|(_, waiting)| waiting.print >= gram.print) {
            self.queue.pop_back();
        }
        self.queue.push_back((number, gram));
        if self.queue.front().is_some_and(|(first, _)| first + WINDOW <= number) {
            self.queue.pop_front();
        }
        if self.read < WINDOW {
            return None;
        }
        let (chosen, gram) = self.queue.front()?;
        (self.last.replace(*chosen) != Some(*chosen)).then_some(*gram)
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The first bytes of the file, to be put over the place that was left for them.
    pub head: Vec<u8>,
    /// Entries in the index.
    pub entries: u64,
    /// Runs of words that were left out as common.
    pub common: u64,
    /// Runs of words that were left out as public.
    pub public: u64,
    /// Records read.
    pub records: u64,
    /// Records of fewer than [`RUN`] words, which cannot be protected.
    pub short: u64,
    /// Canonical words read.
    pub words: u64,
}

/// Writes an index: first [`Writer::HEAD`] bytes that are filled in last, then the parts in order, then the rest.
pub struct Writer<W> {
    out: W,
    key: Key,
    common: Common,
    public: Public,
    buckets: u64,
    /// Where each bucket begins, in entries.
    starts: Vec<u64>,
    digest: digest::Context,
    entries: u64,
    left_out: (u64, u64),
    id: Ids,
}

/// How record numbers are kept: the lowest `bits` after `shift` are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) bits: u32,
    pub(crate) shift: u32,
}

impl Ids {
    /// For so many records.
    fn of(records: u32) -> Self {
        let needed = u32::BITS - records.saturating_sub(1).leading_zeros();
        Self { bits: needed.clamp(8, index::MOST_ID_BITS), shift: needed.saturating_sub(index::MOST_ID_BITS) }
    }
}

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl<W: Write> Writer<W> {
    /// Bytes to leave free at the beginning of the file.
    pub const HEAD: usize = index::HEAD;

    /// A writer for `chosen` fingerprints of `records` records; `out` stands behind the free bytes.
    pub fn new(out: W, key: Key, common: Common, public: Public, chosen: u64, records: u32) -> Self {
        Self {
            out,
            key,
            common,
            public,
            buckets: chosen / PER_BUCKET + 1,
            starts: vec![0],
            digest: digest::Context::new(&digest::SHA256),
            entries: 0,
            left_out: (0, 0),
            id: Ids::of(records),
        }
    }

    /// Writes one part.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn part(&mut self, builder: &mut Builder) -> Result<(), ProtectedError> {
        let mut entries = std::mem::take(&mut builder.entries);
        entries.sort_unstable();
        let mut bytes = Vec::with_capacity(1 << 16);
        for same in entries.chunk_by(|a, b| a.print == b.print) {
            let Some(first) = same.first() else { continue };
            let records = same.chunk_by(|a, b| a.record == b.record).count();
            if records > self.common.0 as usize {
                self.left_out.0 += 1;
                continue;
            }
            if self.public.has(first.print) {
                self.left_out.1 += 1;
                continue;
            }
            let bucket = index::bucket(first.print, self.buckets);
            while (self.starts.len() as u64) <= bucket {
                self.starts.push(self.entries);
            }
            let mut contexts: Vec<u16> = Vec::with_capacity(same.len());
            for entry in same {
                if !contexts.contains(&entry.context) {
                    contexts.push(entry.context);
                    let word = index::pack(entry.print, entry.context, entry.record, self.id);
                    bytes.extend(word.to_le_bytes().into_iter().take(index::ENTRY));
                    self.entries += 1;
                }
            }
            if bytes.len() >= 1 << 16 {
                self.write(&bytes)?;
                bytes.clear();
            }
        }
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ProtectedError> {
        self.digest.update(bytes);
        self.out.write_all(bytes).map_err(|error| ProtectedError::Write(error.to_string()))
    }

    /// Writes what comes behind the parts. `counted` is any builder that read all records, `sources` names the files
    /// with the number of the first record of each; it is sealed.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn finish(mut self, counted: &Builder, sources: &[(String, u32)]) -> Result<Written, ProtectedError> {
        while (self.starts.len() as u64) <= self.buckets {
            self.starts.push(self.entries);
        }
        for start in std::mem::take(&mut self.starts).chunks(1 << 13) {
            let bytes: Vec<u8> = start.iter().flat_map(|s| s.to_le_bytes()).collect();
            self.write(&bytes)?;
        }
        let list: String = sources
            .iter()
            .map(|(name, first)| format!("{first}\t{}\n", name.replace(['\t', '\n', '\r'], " ")))
            .collect();
        let sealed = self.key.seal(list.into_bytes())?;
        self.write(&sealed)?;
        self.out.flush().map_err(|error| ProtectedError::Write(error.to_string()))?;
        let head = Head {
            ids: self.id,
            buckets: self.buckets,
            entries: self.entries,
            records: u64::from(counted.records),
            words: counted.words,
            short: counted.short,
            common: self.left_out.0,
            sealed: sealed.len() as u64,
            digest: self.digest.finish().as_ref().try_into().map_err(|_| ProtectedError::Crypto)?,
        };
        Ok(Written {
            head: head.bytes(&self.key),
            entries: head.entries,
            common: self.left_out.0,
            public: self.left_out.1,
            records: head.records,
            short: head.short,
            words: head.words,
        })
    }
}
