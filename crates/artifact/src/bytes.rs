//! Reads of numbers and pieces that never leave the data.

/// `len` bytes from `at`.
pub(crate) fn piece(data: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(len)?)
}

/// Everything from `at`; nothing where that is past the end.
pub(crate) fn from(data: &[u8], at: usize) -> &[u8] {
    data.get(at..).unwrap_or_default()
}

fn array<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    piece(data, at, N)?.try_into().ok()
}

/// A little-endian 16-bit number.
pub(crate) fn u16le(data: &[u8], at: usize) -> Option<u16> {
    array(data, at).map(u16::from_le_bytes)
}

/// A little-endian 32-bit number.
pub(crate) fn u32le(data: &[u8], at: usize) -> Option<u32> {
    array(data, at).map(u32::from_le_bytes)
}

/// A little-endian 64-bit number.
pub(crate) fn u64le(data: &[u8], at: usize) -> Option<u64> {
    array(data, at).map(u64::from_le_bytes)
}

/// A number as a size; what does not fit is larger than any file.
pub(crate) fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// True where `needle` occurs.
pub(crate) fn contains(data: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(data, needle).is_some()
}

/// Text for a message: short, on one line, without control characters.
pub(crate) fn show(text: &str) -> String {
    const MOST: usize = 80;
    let mut out: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}
