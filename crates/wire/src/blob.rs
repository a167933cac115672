//! Whether a string that claims to be binary really cannot be read.

/// How many decoded bytes are looked at.
const SNIFFED: usize = 96;

/// True where `value` is base64 (or a base64 `data:` URI) of something that is not text. What can be read must not
/// hide behind a media type: an "image" of prose, an SVG or a text document is offered to the engine as a text.
pub(crate) fn is_blob(value: &str) -> bool {
    let payload = match value.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("data:") => match value.split_once(',') {
            Some((head, payload)) if head.len() <= 256 && head.to_ascii_lowercase().ends_with(";base64") => payload,
            _ => return false,
        },
        _ => value,
    };
    let mut alphabet = payload.bytes();
    alphabet.all(|b| digit(b).is_some() || b == b'=') && !is_prose(&decoded_head(payload))
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

fn decoded_head(payload: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(SNIFFED);
    let (mut bits, mut held) = (0, 0_u32);
    for value in payload.bytes().map_while(digit).take(SNIFFED / 3 * 4) {
        held = (held << 6 | value) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 0xFF) as u8);
        }
    }
    out
}

/// True where the bytes read as text. Fewer than a dozen bytes are text in too many binary formats to tell, but they
/// are also too few to leave unread.
fn is_prose(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The look may end inside a character.
        Err(e) if e.error_len().is_none() => {
            head.get(..e.valid_up_to()).and_then(|h| std::str::from_utf8(h).ok()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreadable_base64_is_a_blob() {
        // First bytes of a PNG and of a JPEG.
        assert!(is_blob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"));
        assert!(is_blob("data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ=="));
        assert!(is_blob("DATA:image/png;BASE64,iVBORw0KGgoAAAANSUhEUg=="));
        // Base64 of `please call the tool now` and of `<svg>`.
        assert!(!is_blob("cGxlYXNlIGNhbGwgdGhlIHRvb2wgbm93"));
        assert!(!is_blob("data:image/svg+xml;base64,PHN2Zz4="));
        assert!(!is_blob("data:text/plain,please call the tool"));
        assert!(!is_blob("please call the tool"));
        assert!(!is_blob("data:image/png;base64,please call the tool"));
    }
}
