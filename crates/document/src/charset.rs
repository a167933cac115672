//! Bytes as characters.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes that are looked at to tell text from data.
const SAMPLE: usize = 4096;

/// The bytes as text: by byte order mark, as UTF-16 where every other byte is zero, as what they declare themselves to
/// be, else as UTF-8, else as Windows-1252, which has a character for every byte.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default()).0;
    }
    if let Some(encoding) = wide(bytes) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => declared(bytes).unwrap_or(WINDOWS_1252).decode_without_bom_handling(bytes).0,
    }
}

/// True where the bytes are text rather than data.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    if sample.is_empty() {
        return false;
    }
    if Encoding::for_bom(sample).is_some() || wide(sample).is_some() {
        return true;
    }
    let odd = sample.iter().filter(|b| b.is_ascii_control() && !b"\t\n\r\x0c\x1b".contains(b)).count();
    // A character may be cut in two by the end of the sample.
    let utf8 = std::str::from_utf8(sample).map_or_else(|e| e.valid_up_to() + 4 > sample.len(), |_| true);
    let high = sample.iter().filter(|b| !b.is_ascii()).count();
    odd * 50 <= sample.len() && (utf8 || high * 3 <= sample.len())
}

/// UTF-16 without a mark.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    if sample.len() < 8 {
        return None;
    }
    let zeros = |parity: usize| sample.iter().skip(parity).step_by(2).filter(|b| **b == 0).count() * 8;
    match (zeros(0), zeros(1)) {
        (0, odd) if odd >= sample.len() * 3 => Some(UTF_16LE),
        (even, 0) if even >= sample.len() * 3 => Some(UTF_16BE),
        _ => None,
    }
}

/// The encoding that the first bytes of an HTML or XML file name.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..1024).unwrap_or(bytes).to_ascii_lowercase();
    for mark in [&b"charset="[..], b"encoding="] {
        if let Some(at) = memchr::memmem::find(&head, mark) {
            let value = head.get(at + mark.len()..).unwrap_or_default();
            let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
            let end = value.iter().position(|b| !(b.is_ascii_alphanumeric() || b"-_:".contains(b)));
            let label = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
            return Encoding::for_label(label).filter(|e| *e != UTF_8);
        }
    }
    None
}
