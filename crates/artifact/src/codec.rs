//! Compressed data: expanded within the budget, then examined as what it is.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bartizan_core::Reason;

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
    Some(match bytes {
        [0x1f, 0x8b, 8, ..] => Coding::Gzip,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Coding::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Coding::Xz,
        [0x5d, 0, 0, _, _, ..] if bytes.len() > 13 => Coding::Lzma,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Coding::Zstd,
        [0x04, 0x22, 0x4d, 0x18, ..] => Coding::Lz4,
        [0x78, second @ (0x01 | 0x5e | 0x9c | 0xda), ..] if (0x7800 + u16::from(*second)) % 31 == 0 => Coding::Zlib,
        _ => return None,
    })
}

/// How an expansion ended.
pub(crate) enum Expanded {
    Whole(Vec<u8>),
    /// There is more than the limit; what there was.
    Cut(Vec<u8>),
    /// It broke off; what there was.
    Broken(Vec<u8>),
}

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

/// Expands at most `limit` bytes. The decoders are of other crates: a panic of theirs is an error.
pub(crate) fn expand(bytes: &[u8], coding: Coding, limit: usize) -> Expanded {
    const DICTIONARY: u32 = 64 << 10;
    let run = || match coding {
        Coding::Gzip => read(flate2::read::MultiGzDecoder::new(bytes), limit),
        Coding::Zlib => read(flate2::read::ZlibDecoder::new(bytes), limit),
        Coding::Deflate => read(flate2::read::DeflateDecoder::new(bytes), limit),
        Coding::Bzip2 => read(bzip2::read::MultiBzDecoder::new(bytes), limit),
        Coding::Xz => read(lzma_rust2::XzReader::new(bytes, true), limit),
        Coding::Lzma => match lzma_rust2::LzmaReader::new_mem_limit(bytes, DICTIONARY, None) {
            Ok(reader) => read(reader, limit),
            Err(_) => Expanded::Broken(Vec::new()),
        },
        Coding::Zstd => match ruzstd::decoding::StreamingDecoder::new(bytes) {
            Ok(reader) => read(reader, limit),
            Err(_) => Expanded::Broken(Vec::new()),
        },
        Coding::Lz4 => read(lz4_flex::frame::FrameDecoder::new(bytes), limit),
    };
    guarded(run)
}

/// Runs a decoder of another crate: a panic of its is an error.
pub(crate) fn guarded(run: impl FnOnce() -> Expanded) -> Expanded {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Expanded::Broken(Vec::new()))
}

/// Expands under the budget of the desk and says what was left out; what there was.
pub(crate) fn expanded(bytes: &[u8], coding: Coding, desk: &mut Desk<'_>) -> Vec<u8> {
    let limit = desk.left();
    settle(bytes.len(), expand(bytes, coding, limit), desk)
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
