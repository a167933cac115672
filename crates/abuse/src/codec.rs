//! What is known of a key as bytes: a version, then its parts, integers in LEB128 or of fixed width, little endian.
//!
//! The bytes are the program's own. They are read as if they were not: every length is checked before anything is
//! allocated.

use crate::days::{Counts, Day, Days};
use crate::refused::{One, Refused};
use crate::ring::{LANES, Ring, Signature};
use crate::signal::{Measure, Signal};
use crate::sketch::{Distinct, Filter, Usage, Words};
use crate::watch::{Raised, Watch};

/// First bytes: what it is, and the version.
const MAGIC: &[u8; 8] = b"BZABUSE\x01";
/// Most days of one key.
const FEW: usize = 64;

/// Why a state cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// It does not begin as one does.
    #[error("this is no state of a watched key, or one of another version")]
    Version,
    /// It ends too early or holds something that cannot be.
    #[error("the state of a watched key is damaged at byte {0}")]
    Damaged(usize),
}

impl Watch {
    /// All of it as bytes: keyed hashes and counts, and no text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Out(MAGIC.to_vec());
        out.watch(self);
        out.0
    }

    /// Reads what [`Watch::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are no such state, or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or(CodecError::Version)?;
        let mut input = In { rest, len: bytes.len() };
        let watch = input.watch()?;
        if input.rest.is_empty() { Ok(watch) } else { Err(input.damaged()) }
    }
}

struct Out(Vec<u8>);

impl Out {
    fn int(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn time(&mut self, value: i64) {
        self.int(u64::try_from(value).unwrap_or_default());
    }

    fn float(&mut self, value: f32) {
        self.0.extend(value.to_le_bytes());
    }

    fn hash(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn hashes(&mut self, hashes: &[u64]) {
        self.int(hashes.len() as u64);
        hashes.iter().for_each(|hash| self.hash(*hash));
    }

    fn counts(&mut self, counts: &Counts) {
        counts.0.iter().for_each(|count| self.int(u64::from(*count)));
    }

    fn filter(&mut self, filter: &Filter) {
        self.hashes(&filter.bits);
    }

    fn watch(&mut self, watch: &Watch) {
        self.time(watch.first);
        self.time(watch.last);
        self.int(watch.requests);
        self.int(u64::from(watch.day));
        self.counts(&watch.today);
        self.float(watch.rest);
        self.time(watch.hour);
        self.int(u64::from(watch.hour_tokens));
        self.int(u64::from(watch.hour_spend));
        self.int(watch.days.over.len() as u64);
        for day in &watch.days.over {
            self.int(u64::from(day.day));
            self.counts(&day.counts);
        }
        watch.days.sums.iter().for_each(|sum| self.float(*sum));
        self.int(u64::from(watch.words.since));
        self.filter(&watch.words.now);
        self.filter(&watch.words.before);
        self.int(watch.usage.cells.len() as u64);
        watch.usage.cells.iter().for_each(|cell| self.0.extend(cell.to_le_bytes()));
        self.int(u64::from(watch.usage.total));
        self.int(watch.ring.kept.len() as u64);
        for (exact, signature) in &watch.ring.kept {
            self.hash(*exact);
            signature.0.iter().for_each(|lane| self.0.extend(lane.to_le_bytes()));
        }
        self.int(watch.ring.next as u64);
        self.int(watch.inputs.registers.len() as u64);
        self.0.extend(&watch.inputs.registers);
        self.hashes(&watch.biases);
        self.int(watch.next_bias as u64);
        self.int(u64::from(watch.refused.is_some()));
        if let Some(refused) = &watch.refused {
            self.int(refused.texts.len() as u64);
            for One { at, user, variants, sample } in &refused.texts {
                self.time(*at);
                self.hash(*user);
                self.int(u64::from(*variants));
                self.hashes(sample);
            }
            self.hashes(&refused.seen);
            self.int(refused.next as u64);
        }
        self.int(watch.raised.len() as u64);
        for one in &watch.raised {
            self.int(one.signal as u64);
            self.int(one.measure as u64);
            self.int(u64::from(one.count));
            self.int(u64::from(one.level));
            self.time(one.since);
            self.time(one.until);
            self.int(one.requests);
        }
        self.int(watch.unsaid.iter().fold(0, |bits, signal| bits | 1 << signal as u64));
    }
}

struct In<'a> {
    rest: &'a [u8],
    len: usize,
}

impl In<'_> {
    fn damaged(&self) -> CodecError {
        CodecError::Damaged(self.len - self.rest.len())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let at = self.damaged();
        self.take(N)?.try_into().map_err(|_| at)
    }

    fn int(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.damaged())
    }

    fn small(&mut self) -> Result<u32, CodecError> {
        let value = self.int()?;
        u32::try_from(value).map_err(|_| self.damaged())
    }

    fn time(&mut self) -> Result<i64, CodecError> {
        let value = self.int()?;
        i64::try_from(value).map_err(|_| self.damaged())
    }

    fn float(&mut self) -> Result<f32, CodecError> {
        let value = f32::from_le_bytes(self.array()?);
        if value.is_finite() { Ok(value) } else { Err(self.damaged()) }
    }

    fn hash(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn length(&mut self, most: usize) -> Result<usize, CodecError> {
        let value = self.int()?;
        usize::try_from(value).ok().filter(|length| *length <= most).ok_or_else(|| self.damaged())
    }

    fn hashes(&mut self, most: usize) -> Result<Vec<u64>, CodecError> {
        let length = self.length(most)?;
        (0..length).map(|_| self.hash()).collect()
    }

    fn counts(&mut self) -> Result<Counts, CodecError> {
        let mut counts = Counts::default();
        for measure in Measure::ALL {
            counts.set(measure, self.small()?);
        }
        Ok(counts)
    }

    fn filter(&mut self) -> Result<Filter, CodecError> {
        let bits = self.hashes(Filter::LEN)?;
        if !bits.is_empty() && bits.len() != Filter::LEN {
            return Err(self.damaged());
        }
        let set = bits.iter().map(|cell| cell.count_ones()).sum();
        Ok(Filter { bits, set })
    }

    fn usage(&mut self) -> Result<Usage, CodecError> {
        let length = self.length(Usage::LEN)?;
        if length != 0 && length != Usage::LEN {
            return Err(self.damaged());
        }
        let cells = (0..length).map(|_| Ok(u16::from_le_bytes(self.array()?))).collect::<Result<_, _>>()?;
        Ok(Usage { cells, total: self.small()? })
    }

    fn ring(&mut self) -> Result<Ring, CodecError> {
        let length = self.length(Ring::KEPT)?;
        let mut kept = Vec::with_capacity(length);
        for _ in 0..length {
            let exact = self.hash()?;
            let mut lanes = [0; LANES];
            for lane in &mut lanes {
                *lane = u16::from_le_bytes(self.array()?);
            }
            kept.push((exact, Signature(lanes)));
        }
        let next = self.length(kept.len())?;
        Ok(Ring { kept, next: next % Ring::KEPT })
    }

    fn refused(&mut self) -> Result<Refused, CodecError> {
        let texts = (0..self.length(Refused::TEXTS)?).map(|_| {
            let (at, user, variants) = (self.time()?, self.hash()?, self.small()?);
            let mut sample = self.hashes(Refused::SAMPLE)?;
            sample.sort_unstable();
            Ok(One { at, user, variants, sample })
        });
        let texts = texts.collect::<Result<_, _>>()?;
        let seen = self.hashes(Refused::SEEN)?;
        let next = self.length(seen.len())? % Refused::SEEN;
        Ok(Refused { texts, seen, next })
    }

    fn raised(&mut self) -> Result<Raised, CodecError> {
        let signal = self.int()?;
        let measure = self.int()?;
        let signal = Signal::ALL.into_iter().find(|s| *s as u64 == signal).ok_or_else(|| self.damaged())?;
        let measure = Measure::ALL.into_iter().find(|m| *m as u64 == measure).ok_or_else(|| self.damaged())?;
        let (count, level) = (self.small()?, self.small()?);
        let (since, until, requests) = (self.time()?, self.time()?, self.int()?);
        Ok(Raised { signal, measure, count, level, since, until, requests })
    }

    fn watch(&mut self) -> Result<Watch, CodecError> {
        let mut watch = Watch::new(self.time()?);
        watch.last = self.time()?;
        watch.requests = self.int()?;
        watch.day = self.small()?;
        watch.today = self.counts()?;
        watch.rest = self.float()?.clamp(0.0, 1.0);
        watch.hour = self.time()?;
        (watch.hour_tokens, watch.hour_spend) = (self.small()?, self.small()?);
        let mut days = Days::default();
        for _ in 0..self.length(FEW)? {
            days.over.push(Day { day: self.small()?, counts: self.counts()? });
        }
        days.over.sort_by_key(|day| day.day);
        for sum in &mut days.sums {
            *sum = self.float()?.clamp(0.0, 1e9);
        }
        watch.days = days;
        watch.words = Words { since: self.small()?, now: self.filter()?, before: self.filter()? };
        watch.usage = self.usage()?;
        watch.ring = self.ring()?;
        let registers = self.length(Distinct::LEN)?;
        if registers != 0 && registers != Distinct::LEN {
            return Err(self.damaged());
        }
        watch.inputs = Distinct { registers: self.take(registers)?.iter().map(|rank| (*rank).min(60)).collect() };
        watch.biases = self.hashes(Watch::BIASES)?;
        watch.next_bias = self.length(watch.biases.len())? % Watch::BIASES;
        watch.refused = if self.length(1)? == 1 { Some(Box::new(self.refused()?)) } else { None };
        watch.raised = (0..self.length(Signal::ALL.len())?).map(|_| self.raised()).collect::<Result<_, _>>()?;
        let unsaid = self.int()?;
        for signal in Signal::ALL.into_iter().filter(|signal| unsaid & (1 << *signal as u64) != 0) {
            watch.unsaid.add(signal);
        }
        Ok(watch)
    }
}
