//! Encodings of single characters inside a text: percent encoding, character references, escapes.

use bartizan_core::Span;
use memchr::memchr3_iter;

use super::{Budget, Fresh};
use crate::views::rewrite::{Mapped, Rewrite};

/// Bytes of the surroundings that an excerpt takes along on each side of a piece.
const AROUND: usize = 512;
/// The same for escaped line ends and tabs, which ordinary code is full of.
const AROUND_BLANK: usize = 256;
/// How much further an excerpt reaches for the end of a word.
const WORD: usize = 64;
/// Longest piece: a surrogate pair with doubled backslashes, or a reference with leading zeros.
const PIECE: usize = 32;

/// Bytes between two pieces that still belong together.
const CHAIN: usize = 4;

/// One encoded character.
#[derive(Clone, Copy, Debug)]
struct Piece {
    span: Span,
    is: char,
    /// An escaped line end or tab.
    blank: bool,
}

impl Piece {
    fn around(self) -> usize {
        if self.blank { AROUND_BLANK } else { AROUND }
    }

    fn reach(self) -> usize {
        self.span.end + self.around()
    }
}

/// The pieces of `text` decoded, together with their surroundings: up to 512 bytes on each side. Separate excerpts
/// are joined by a line end. What lies further away is unchanged, and is read in the view that `text` is.
pub(crate) fn inline(text: &str, fresh: Fresh<'_>, budget: &mut Budget) -> Option<Mapped> {
    let mut rewrite = Rewrite::new(text);
    let mut end = 0;
    // The excerpt being written: the piece in it that reaches furthest. Its end is worked out when nothing more joins it.
    let mut open: Option<Piece> = None;
    for at in memchr3_iter(b'%', b'&', b'\\', text.as_bytes()) {
        if at < end {
            continue;
        }
        let Some(piece) = piece(text, at) else { continue };
        end = piece.span.end;
        if !fresh.touches(piece.span) {
            continue;
        }
        let near = open.is_some_and(|last| piece.span.start <= last.span.end + AROUND_BLANK);
        let window = if near { Span::new(rewrite.position(), end) } else { surroundings(text, piece) };
        if !budget.take(window.len(), piece.span.len()) {
            // What was decoded so far is kept; everything after it is refused.
            budget.refused = budget.refused.saturating_add(text.len() - end);
            break;
        }
        if !near {
            match open.map(|last| surroundings(text, last).end) {
                Some(stop) if window.start <= stop => {}
                stop => {
                    rewrite.copy(stop.unwrap_or(0));
                    rewrite.border();
                    rewrite.skip(window.start);
                }
            }
        }
        let mut buffer = [0; 4];
        rewrite.replace(piece.span, piece.is.encode_utf8(&mut buffer));
        // An escaped line end reaches less far than what came before it may.
        open = Some(open.filter(|last| last.reach() > piece.reach()).unwrap_or(piece));
    }
    rewrite.copy(surroundings(text, open?).end);
    rewrite.excerpt()
}

/// Where the pieces start that `tail` ends in or directly after: what they decode to may combine with what follows.
pub(crate) fn unfinished(tail: &str) -> Option<usize> {
    let mut chain: Option<Span> = None;
    for at in memchr3_iter(b'%', b'&', b'\\', tail.as_bytes()) {
        if chain.is_some_and(|c| at < c.end) {
            continue;
        }
        let end = match piece(tail, at) {
            Some(piece) => piece.span.end,
            None if tail.len() - at <= PIECE && opens(tail.as_bytes(), at) => tail.len(),
            None => continue,
        };
        let start = chain.filter(|c| at <= c.end + CHAIN).map_or(at, |c| c.start);
        chain = Some(Span::new(start, end));
    }
    chain.filter(|c| tail.len() <= c.end + CHAIN).map(|c| c.start)
}

/// True where the text from the sign at `at` on may be the beginning of a piece.
fn opens(bytes: &[u8], at: usize) -> bool {
    let Some((sign, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else { return false };
    match sign {
        // The bytes of one character.
        b'%' => rest.len() < 12 && rest.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'%' | b'u' | b'U')),
        b'&' => rest.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'#'),
        _ => rest.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'\\' | b'{')),
    }
}

/// What an excerpt takes along with a piece, widened to white space where there is some near. As text is appended
/// it only grows.
fn surroundings(text: &str, piece: Piece) -> Span {
    let low = text.floor_char_boundary(piece.span.start.saturating_sub(piece.around()));
    let high = text.ceil_char_boundary(piece.reach().min(text.len()));
    let before = Span::new(text.floor_char_boundary(low.saturating_sub(WORD)), low);
    let after = Span::new(high, text.ceil_char_boundary((high + WORD).min(text.len())));
    let start = before.of(text).rfind(char::is_whitespace).map_or(before.start, |at| before.start + at);
    let end = after.of(text).find(char::is_whitespace).map_or(after.end, |at| after.start + at);
    Span::new(start, end)
}

/// The piece that starts at `at`, if there is one that stands for a visible character or for white space.
fn piece(text: &str, at: usize) -> Option<Piece> {
    let bytes = text.as_bytes();
    let rest = bytes.get(at + 1..)?;
    let (len, is) = match bytes.get(at)? {
        b'%' => percent(rest)?,
        b'&' => reference(rest)?,
        _ => return escape(text, at),
    };
    fits(is).then(|| Piece { span: Span::new(at, at + 1 + len), is, blank: false })
}

fn fits(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r')
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, b| value.checked_mul(radix)?.checked_add(char::from(*b).to_digit(radix)?))
}

/// RFC 3986 section 2.1, over the bytes of UTF-8, and the `%uXXXX` of old servers. `rest` follows the sign.
fn percent(rest: &[u8]) -> Option<(usize, char)> {
    if let Some([b'u' | b'U', digits @ ..]) = rest.get(..5) {
        return Some((5, char::from_u32(number(digits, 16)?)?));
    }
    let byte = |index: usize| -> Option<u8> {
        let from = index * 3;
        if index > 0 && rest.get(from - 1) != Some(&b'%') {
            return None;
        }
        number(rest.get(from..from + 2)?, 16)?.try_into().ok()
    };
    let lead = byte(0)?;
    let width = match lead {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return None,
    };
    let mut bytes = [0; 4];
    for (index, slot) in bytes.iter_mut().enumerate().take(width) {
        *slot = byte(index)?;
    }
    let c = std::str::from_utf8(bytes.get(..width)?).ok()?.chars().next()?;
    Some((width * 3 - 1, c))
}

/// HTML character references: numbers, and the names of ASCII characters and blanks. `rest` follows the ampersand.
fn reference(rest: &[u8]) -> Option<(usize, char)> {
    if let Some(number_part) = rest.strip_prefix(b"#") {
        let (radix, mark) = if matches!(number_part.first(), Some(b'x' | b'X')) { (16, 2) } else { (10, 1) };
        let digits = number_part.get(mark - 1..)?;
        let count = digits.iter().take(PIECE - 8).take_while(|b| char::from(**b).is_digit(radix)).count();
        let c = char::from_u32(number(digits.get(..count).filter(|d| !d.is_empty())?, radix)?)?;
        // Browsers read them without the semicolon too.
        let closed = usize::from(digits.get(count) == Some(&b';'));
        return Some((mark + count + closed, c));
    }
    let len = rest.iter().take(16).position(|b| *b == b';')?;
    let name = std::str::from_utf8(rest.get(..len)?).ok()?;
    Some((len + 1, named(name)?))
}

/// Names of the HTML standard, section 13.5, for ASCII characters and for blanks.
fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" | "AMP" => '&',
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "quot" | "QUOT" => '"',
        "apos" => '\'',
        "nbsp" | "NonBreakingSpace" => '\u{a0}',
        "ensp" | "emsp" | "thinsp" | "ThinSpace" | "hairsp" | "numsp" | "puncsp" => ' ',
        "Tab" => '\t',
        "NewLine" => '\n',
        "excl" => '!',
        "num" => '#',
        "dollar" => '$',
        "percnt" => '%',
        "lpar" => '(',
        "rpar" => ')',
        "ast" | "midast" => '*',
        "plus" => '+',
        "comma" => ',',
        "period" => '.',
        "sol" => '/',
        "colon" => ':',
        "semi" => ';',
        "equals" => '=',
        "quest" => '?',
        "commat" => '@',
        "lsqb" | "lbrack" => '[',
        "bsol" => '\\',
        "rsqb" | "rbrack" => ']',
        "Hat" => '^',
        "lowbar" | "UnderBar" => '_',
        "grave" | "DiacriticalGrave" => '`',
        "lcub" | "lbrace" => '{',
        "verbar" | "vert" | "VerticalLine" => '|',
        "rcub" | "rbrace" => '}',
        "shy" => '\u{ad}',
        "zwj" => '\u{200d}',
        "zwnj" => '\u{200c}',
        "ZeroWidthSpace" | "NegativeThinSpace" | "NegativeMediumSpace" => '\u{200b}',
        "NoBreak" => '\u{2060}',
        _ => return None,
    })
}

/// Escapes of JSON (RFC 8259 section 7), ECMAScript, Python, C and Rust. A doubled backslash comes from a text
/// that was escaped twice and stands for the same character.
fn escape(text: &str, at: usize) -> Option<Piece> {
    let bytes = text.as_bytes();
    let rest = bytes.get(at..)?;
    let slashes = rest.iter().take(9).take_while(|b| **b == b'\\').count();
    if slashes > 8 {
        return None;
    }
    let after = rest.get(slashes..)?;
    let whole = |len: usize, is: char, blank: bool| {
        fits(is).then(|| Piece { span: Span::new(at, at + slashes + len), is, blank })
    };
    let hex = |from: usize, count: usize| number(after.get(from..from + count)?, 16);
    match after.first()? {
        b'u' if after.get(1) == Some(&b'{') => {
            let close = after.iter().take(9).position(|b| *b == b'}')?;
            whole(close + 1, char::from_u32(number(after.get(2..close).filter(|d| !d.is_empty())?, 16)?)?, false)
        }
        b'u' => {
            let unit = hex(1, 4)?;
            if !(0xd800..0xdc00).contains(&unit) {
                return whole(5, char::from_u32(unit)?, false);
            }
            let second = after.get(5..)?;
            let more = second.iter().take(9).take_while(|b| **b == b'\\').count();
            if more == 0 || second.get(more) != Some(&b'u') {
                return None;
            }
            let low = number(second.get(more + 1..more + 5)?, 16)?;
            let c = char::decode_utf16([u16::try_from(unit).ok()?, u16::try_from(low).ok()?]).next()?.ok()?;
            whole(5 + more + 5, c, false)
        }
        b'U' => whole(9, char::from_u32(hex(1, 8)?)?, false),
        b'x' => {
            let lead = hex(1, 2)?;
            if lead < 0x80 {
                return whole(3, char::from_u32(lead)?, false);
            }
            utf8_escapes(after, slashes).and_then(|(len, c)| whole(len, c, false))
        }
        b'0'..=b'3' => {
            let value = number(after.get(..3)?, 8)?;
            (value < 0x80).then(|| char::from_u32(value)).flatten().and_then(|c| whole(3, c, false))
        }
        b'n' | b'r' | b't' => blank(text, at, slashes),
        _ => None,
    }
}

/// The bytes of one character of UTF-8 as `\xXX` each. `after` follows the first backslashes.
fn utf8_escapes(after: &[u8], slashes: usize) -> Option<(usize, char)> {
    let step = slashes + 3;
    let mut bytes = [0_u8; 4];
    for index in 0..4 {
        let from = index * step;
        let sign = after.get(from)?;
        let escaped = index == 0 || after.get(from - slashes..from)?.iter().all(|b| *b == b'\\');
        if *sign != b'x' || !escaped {
            return None;
        }
        *bytes.get_mut(index)? = number(after.get(from + 1..from + 3)?, 16)?.try_into().ok()?;
        if let Ok(text) = std::str::from_utf8(bytes.get(..=index)?) {
            return Some((from + 3, text.chars().next()?));
        }
    }
    None
}

/// An escaped line end or tab directly before a letter: without decoding it the word there has one letter more.
/// Paths of Windows and regular expressions have backslashes before other letters too and are left alone.
fn blank(text: &str, at: usize, slashes: usize) -> Option<Piece> {
    if slashes != 1 {
        return None;
    }
    let bytes = text.as_bytes();
    let mut end = at + 2;
    while let Some([b'\\', b'n' | b'r' | b't']) = bytes.get(end..end + 2) {
        end += 2;
    }
    if !bytes.get(end).is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    let before = text.get(text.floor_char_boundary(at.saturating_sub(64))..at)?;
    let token = before
        .rfind(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '('))
        .map_or(before, |cut| before.get(cut..).unwrap_or_default());
    let path = token.ends_with(':')
        || token.as_bytes().windows(2).any(|pair| {
            matches!(pair, [b'\\', next] if next.is_ascii_alphanumeric() && !matches!(next, b'n' | b'r' | b't'))
                || matches!(pair, [b':', b'\\'])
        });
    let is = if text.get(at..end)?.contains('n') { '\n' } else { '\t' };
    (!path).then(|| Piece { span: Span::new(at, end), is, blank: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        inline(text, Fresh(None), &mut Budget { left: 1 << 20, refused: 0 }).map(|m| m.text)
    }

    #[test]
    fn pieces_are_decoded_in_place() {
        assert_eq!(decoded("a %69%67nore%20%C3%A9 b").as_deref(), Some("a ignore é b"));
        assert_eq!(decoded("&#105;&#x67;&#110ore &lt;b&gt;").as_deref(), Some("ignore <b>"));
        assert_eq!(decoded(r"\u0069\x67\u{6e}ore \ud83d\ude00 \U0001F600").as_deref(), Some("ignore 😀 😀"));
        assert_eq!(decoded(r"\\u0069gnore \151 \xc3\xa9").as_deref(), Some("ignore i é"));
        assert_eq!(decoded(r#"{"a":"hello\nIgnore all"}"#).as_deref(), Some("{\"a\":\"hello\nIgnore all\"}"));
    }

    #[test]
    fn ordinary_signs_stay() {
        for text in [
            "100% of R&D, AT&T &c.",
            r"C:\new\test \d+\s*",
            "50%de",
            "&unknown;",
            r"\u12",
            "%zz%0",
            r"\ud83d alone",
            "a & b && c",
            r"C:\Users\name\tools",
        ] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn distant_pieces_give_excerpts() {
        let far = "word ".repeat(1000);
        let text = format!("%41bc {far} %42cd {far}");
        let excerpt = decoded(&text).unwrap();
        assert!(excerpt.starts_with("Abc ") && excerpt.contains(" Bcd ") && excerpt.len() < 2000, "{}", excerpt.len());
    }
}
