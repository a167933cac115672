//! Data without a header: weights that lie beside the file that describes them.

use crate::bytes::{piece, u16le, u32le};

/// Shortest file that is called one of numbers.
const SHORTEST: usize = 32;
/// Values that are looked at.
const SAMPLES: usize = 4096;

/// True where the bytes are numbers as weights have them: nearly all zero, or small floats of one width.
///
/// Random bytes, text and code are not: their exponents are anywhere. Nothing that a loader runs is decided here, only
/// whether a file that is of no known format is called a file of numbers or one that was not read.
pub(crate) fn is_numbers(bytes: &[u8]) -> bool {
    // Short files fit anything, and a long run of letters is a name or a text between zeros.
    if bytes.len() < SHORTEST || bytes.len() > 64 && has_text(bytes) {
        return false;
    }
    // Weights without a file type have a whole number of values; what is left over would be something else.
    let single = bytes.len().is_multiple_of(4) && share(bytes, 4, is_single) >= 90;
    let double = bytes.len().is_multiple_of(8) && share(bytes, 8, is_double) >= 90;
    let half = bytes.len().is_multiple_of(2) && (share(bytes, 2, is_half) >= 97 || share(bytes, 2, is_brain) >= 97);
    single || double || half
}

/// True where so many letters stand in a row as numbers do not have by chance.
fn has_text(bytes: &[u8]) -> bool {
    const RUN: usize = 24;
    let mut run = 0;
    bytes.iter().any(|b| {
        run = if b.is_ascii_graphic() || *b == b' ' { run + 1 } else { 0 };
        // The same letter over and over is a number, too.
        run >= RUN
    }) && bytes.windows(RUN).any(|w| {
        w.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
            && w.iter().filter(|b| b.is_ascii_lowercase() || **b == b'/').count() * 2 > RUN
    })
}

/// Per cent of the values that fit, of a sample over the whole. Zeros say nothing where there are others.
fn share(bytes: &[u8], width: usize, fits: impl Fn(&[u8]) -> bool) -> usize {
    let count = bytes.len() / width;
    let step = count.div_ceil(SAMPLES).max(1);
    let sample = (0..count).step_by(step);
    let (mut all, mut good) = (0, 0);
    for value in sample.filter_map(|index| piece(bytes, index * width, width)) {
        if value.iter().any(|b| *b != 0) {
            all += 1;
            good += usize::from(fits(value));
        }
    }
    (good * 100usize).checked_div(all).unwrap_or(100)
}

/// Zero, or between 2^-30 and 2^12.
fn is_single(value: &[u8]) -> bool {
    u32le(value, 0).is_some_and(|bits| bits == 0 || (97..=139).contains(&(bits >> 23 & 0xff)))
}

fn is_double(value: &[u8]) -> bool {
    u32le(value, 4).is_some_and(|high| value.iter().all(|b| *b == 0) || (993..=1035).contains(&(high >> 20 & 0x7ff)))
}

/// Zero, or smaller than two.
fn is_half(value: &[u8]) -> bool {
    u16le(value, 0).is_some_and(|bits| bits & 0x7c00 < 0x4000)
}

/// Brain floats have the exponents of single ones.
fn is_brain(value: &[u8]) -> bool {
    u16le(value, 0).is_some_and(|bits| bits == 0 || (97..=139).contains(&(bits >> 7 & 0xff)))
}
