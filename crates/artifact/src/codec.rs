//! Compressed data: expanded within the budget, then examined as what it is.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bartizan_core::Reason;

use crate::bytes::{from, size, u32le};
use crate::desk::Desk;
use crate::rules;

/// Expansion from which small files are bombs.
const RATIO: usize = 1000;
/// Size below which no expansion is a bomb.
const HARMLESS: usize = 64 << 20;

/// A compression by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Zlib,
    Bzip2,
    Xz,
    Lzma,
    Zstd,
    Lz4,
    /// Only inside of zip archives.
    Deflate,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Deflate => "deflate",
        }
    }
}

/// The compression that the bytes begin as.
pub(crate) fn recognise(bytes: &[u8]) -> Option<Coding> {
    let bytes = match unskipped(bytes) {
        [first @ (0x28 | 0x04), ..] if bytes.first() != Some(first) => unskipped(bytes),
        _ => bytes,
    };
    Some(match bytes {
        [0x1f, 0x8b, 8, ..] => Coding::Gzip,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Coding::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Coding::Xz,
        [0x5d, 0, ..] if is_alone(bytes) => Coding::Lzma,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Coding::Zstd,
        [0x04, 0x22, 0x4d, 0x18, ..] => Coding::Lz4,
        [0x78, second @ (0x01 | 0x5e | 0x9c | 0xda), ..] if (0x7800 + u16::from(*second)) % 31 == 0 => Coding::Zlib,
        _ => return None,
    })
}

/// True for the header of LZMA without a container: its size is known or not, and the coder's first byte is zero.
pub(crate) fn is_alone(bytes: &[u8]) -> bool {
    let [properties, _, _, _, _, size @ .., 0] = bytes.get(..14).unwrap_or_default() else { return false };
    let unknown = size.iter().all(|b| *b == 0xff);
    *properties < 225 && (unknown || size.iter().skip(5).all(|b| *b == 0) && size.iter().any(|b| *b != 0))
}

/// What follows frames that decoders of zstd and lz4 skip.
fn unskipped(mut bytes: &[u8]) -> &[u8] {
    while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = bytes {
        let len = u32le(bytes, 4).map(|len| size(u64::from(len)).saturating_add(8));
        match len.and_then(|len| bytes.get(len..)) {
            Some(rest) => bytes = rest,
            None => break,
        }
    }
    bytes
}

/// How an expansion ended.
pub(crate) enum Expanded {
    Whole(Vec<u8>),
    /// There is more than the limit; what there was.
    Cut(Vec<u8>),
    /// It broke off; what there was.
    Broken(Vec<u8>),
}

/// How an expansion ends with what there was.
type Ending = fn(Vec<u8>) -> Expanded;

/// Reads at most `limit` bytes of what a decoder gives.
pub(crate) fn read(mut from: impl Read, limit: usize) -> Expanded {
    let mut out = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match from.by_ref().take(most).read_to_end(&mut out) {
        Ok(_) if out.len() > limit => Expanded::Cut(out),
        Ok(_) => Expanded::Whole(out),
        Err(_) => Expanded::Broken(out),
    }
}

/// Expands at most `limit` bytes of all streams that follow one another, and what is left behind them. The decoders are
/// of other crates: a panic of theirs is an error.
pub(crate) fn expand(bytes: &[u8], coding: Coding, limit: usize) -> (Expanded, &[u8]) {
    let mut rest = if matches!(coding, Coding::Zstd | Coding::Lz4) { unskipped(bytes) } else { bytes };
    let mut out = Vec::new();
    loop {
        let (before, room) = (rest.len(), limit.saturating_sub(out.len()));
        let one = guarded(|| one(&mut rest, coding, room));
        let (more, ending): (_, Option<Ending>) = match one {
            Expanded::Whole(more) => (more, None),
            Expanded::Cut(more) => (more, Some(Expanded::Cut)),
            Expanded::Broken(more) => (more, Some(Expanded::Broken)),
        };
        if out.is_empty() {
            out = more;
        } else {
            out.extend(more);
        }
        if let Some(ending) = ending {
            return (ending(out), &[]);
        }
        match coding {
            Coding::Gzip | Coding::Xz => rest = from(rest, rest.iter().position(|b| *b != 0).unwrap_or(rest.len())),
            Coding::Zstd | Coding::Lz4 => rest = unskipped(rest),
            _ => {}
        }
        let follows = !matches!(coding, Coding::Deflate | Coding::Zlib | Coding::Lzma);
        if !follows || rest.len() >= before || recognise(rest) != Some(coding) {
            return (Expanded::Whole(out), rest);
        }
    }
}

/// Expands one stream.
fn one(bytes: &mut &[u8], coding: Coding, limit: usize) -> Expanded {
    const DICTIONARY: u32 = 64 << 10;
    match coding {
        Coding::Gzip => read(flate2::bufread::GzDecoder::new(bytes), limit),
        Coding::Zlib => read(flate2::bufread::ZlibDecoder::new(bytes), limit),
        Coding::Deflate => read(flate2::bufread::DeflateDecoder::new(bytes), limit),
        Coding::Bzip2 => read(bzip2::bufread::BzDecoder::new(bytes), limit),
        Coding::Xz => read(lzma_rust2::XzReader::new(bytes, false), limit),
        Coding::Lzma => match lzma_rust2::LzmaReader::new_mem_limit(bytes, DICTIONARY, None) {
            Ok(reader) => read(reader, limit),
            Err(_) => Expanded::Broken(Vec::new()),
        },
        Coding::Zstd => match ruzstd::decoding::StreamingDecoder::new(bytes) {
            Ok(reader) => read(reader, limit),
            Err(_) => Expanded::Broken(Vec::new()),
        },
        Coding::Lz4 => read(lz4_flex::frame::FrameDecoder::new(bytes), limit),
    }
}

/// Runs a decoder of another crate: a panic of its is an error.
pub(crate) fn guarded(run: impl FnOnce() -> Expanded) -> Expanded {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Expanded::Broken(Vec::new()))
}

/// Expands under the budget of the desk and says what was left out; what there was.
pub(crate) fn expanded(bytes: &[u8], coding: Coding, desk: &mut Desk<'_>) -> Vec<u8> {
    let (expanded, rest) = expand(bytes, coding, desk.left());
    let out = settle(bytes.len(), expanded, desk);
    if rest.iter().any(|b| *b != 0) {
        let what = format!("{} bytes follow the compressed data", rest.len());
        desk.find(&rules::TRAILING, what, bytes.len() - rest.len(), rest.len());
        desk.attempt("appended", rest, crate::kind::examine);
    }
    out
}

/// Takes an expansion of `stored` bytes from the budget and says what was left out; what there was.
pub(crate) fn settle(stored: usize, expanded: Expanded, desk: &mut Desk<'_>) -> Vec<u8> {
    let (out, gap) = match expanded {
        Expanded::Whole(out) => (out, None),
        Expanded::Cut(out) => (out, Some((Reason::DecodedTooLarge, "it expands beyond the limit"))),
        Expanded::Broken(out) => (out, Some((Reason::Malformed, "its compressed data is broken"))),
    };
    desk.spend(out.len());
    if out.len() > HARMLESS && out.len() / RATIO > stored {
        desk.find(&rules::BOMB, format!("{stored} bytes expand to more than {}", out.len()), 0, stored);
    }
    if let Some((reason, why)) = gap {
        desk.partial(reason, stored, why);
    }
    out
}

/// Examines what is compressed.
pub(crate) fn examine(bytes: &[u8], coding: Coding, desk: &mut Desk<'_>) -> &'static str {
    desk.within(coding.name(), bytes.len(), |desk| {
        let out = expanded(bytes, coding, desk);
        crate::kind::examine(&out, desk);
    });
    coding.name()
}
