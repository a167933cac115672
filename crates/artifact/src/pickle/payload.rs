//! Constants that begin like a file of their own.

/// Shortest payload that is looked at.
const SHORTEST: usize = 8;

/// True where the bytes may be a pickle, an archive or compressed data, or text that stands for one.
pub(super) fn may_be(bytes: &[u8]) -> bool {
    bytes.len() >= SHORTEST && (magic(bytes) || encoded(bytes))
}

/// The same for a text whose characters stand for bytes.
pub(super) fn may_be_text(text: &str) -> bool {
    let mut head = [0u8; 8];
    let mut chars = text.chars();
    for slot in &mut head {
        let Some(c) = chars.next() else { return false };
        *slot = u8::try_from(u32::from(c)).unwrap_or(0);
    }
    magic_head(&head, text.ends_with('.'))
}

fn magic(bytes: &[u8]) -> bool {
    magic_head(bytes, bytes.last() == Some(&b'.'))
}

fn magic_head(head: &[u8], stop: bool) -> bool {
    match head {
        [0x80, version @ 2..=5, ..] => stop || *version >= 4,
        [b'P', b'K', 3, 4, ..] | [0x1f, 0x8b, 8, ..] | [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', ..] => true,
        [0x78, second, ..] => (0x7800 + u16::from(*second)) % 31 == 0 && matches!(second, 0x01 | 0x5e | 0x9c | 0xda),
        // Protocols 0 and 1 begin with any opcode; these begin what calls something.
        [b'c' | b'(' | b']' | b'}', ..] => stop,
        _ => false,
    }
}

/// Base64 or hexadecimal digits of such a beginning. Where the beginning says little, the end has to be that of a
/// pickle: ordinary names are such digits, too.
fn encoded(bytes: &[u8]) -> bool {
    if bytes.len() < 16 {
        return false;
    }
    let head = bytes.get(..16).unwrap_or_default();
    let digits = head.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'));
    digits && options(head).iter().any(|d| magic_head(d, true)) && !decode(bytes).is_empty()
}

/// What the digits stand for, where that may be a file.
pub(super) fn decode(text: &[u8]) -> Vec<Vec<u8>> {
    let mut found = options(text);
    found.retain(|bytes| magic(bytes));
    found
}

/// What the digits may stand for.
fn options(text: &[u8]) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::DecodePaddingMode;
    use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let mut found = Vec::new();
    let clean: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    for alphabet in [base64::alphabet::STANDARD, base64::alphabet::URL_SAFE] {
        found.extend(GeneralPurpose::new(&alphabet, config).decode(&clean).ok());
    }
    if clean.len().is_multiple_of(2) && clean.iter().all(u8::is_ascii_hexdigit) {
        let pairs = clean.chunks_exact(2).filter_map(|pair| {
            let text = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(text, 16).ok()
        });
        found.push(pairs.collect());
    }
    found
}
