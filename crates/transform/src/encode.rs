//! Encodings of bytes.

fn groups(bytes: &[u8], bits: u32, alphabet: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / bits as usize + 1);
    let mask = (1_u32 << bits) - 1;
    let letter = |index: u32| char::from(*alphabet.get(index as usize).unwrap_or(&b'='));
    let (mut value, mut held) = (0_u32, 0);
    for &b in bytes {
        value = (value << 8) | u32::from(b);
        held += 8;
        while held >= bits {
            held -= bits;
            out.push(letter(value >> held & mask));
        }
        value &= (1 << held) - 1;
    }
    if held > 0 {
        out.push(letter(value << (bits - held) & mask));
    }
    out
}

fn pad(mut text: String, group: usize) -> String {
    while !text.len().is_multiple_of(group) {
        text.push('=');
    }
    text
}

pub(crate) fn base64(text: &str, standard: bool, padded: bool) -> String {
    base64_bytes(text.as_bytes(), standard, padded)
}

pub(crate) fn base64_bytes(bytes: &[u8], standard: bool, padded: bool) -> String {
    let alphabet: &[u8] = if standard {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    } else {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    };
    let out = groups(bytes, 6, alphabet);
    if padded { pad(out, 4) } else { out }
}

pub(crate) fn base32(text: &str) -> String {
    pad(groups(text.as_bytes(), 5, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 8)
}

/// Every byte with `before` it and `between` two of them.
pub(crate) fn bytes(text: &str, before: &str, between: &str, digits: impl Fn(u8) -> String) -> String {
    let each: Vec<String> = text.bytes().map(|b| format!("{before}{}", digits(b))).collect();
    each.join(between)
}

/// ASCII text in lines of `width`.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<_> = text.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
    lines.join("\n")
}

pub(crate) fn tags(text: &str) -> String {
    let tag = |c: char| match c {
        ' '..='~' => char::from_u32(0xe0000 + c as u32).unwrap_or(c),
        _ => c,
    };
    text.chars().map(tag).collect()
}

pub(crate) fn selectors(text: &str) -> String {
    let selector = |b: u8| match b {
        0..16 => char::from_u32(0xfe00 + u32::from(b)),
        _ => char::from_u32(0xe0100 + u32::from(b) - 16),
    };
    std::iter::once('😀').chain(text.bytes().filter_map(selector)).collect()
}
