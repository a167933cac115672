//! Other characters for the same letters.

use unicode_normalization::UnicodeNormalization;

fn offset(from: char, c: char, base: char) -> char {
    char::from_u32(from as u32 + (c as u32 - base as u32)).unwrap_or(c)
}

/// The letter's counterpart in an alphabet that begins at `upper` or `lower`.
pub(crate) fn alphabet(c: char, upper: char, lower: char) -> char {
    match c {
        'A'..='Z' => offset(upper, c, 'A'),
        'a'..='z' => offset(lower, c, 'a'),
        _ => c,
    }
}

pub(crate) fn math_bold(c: char) -> char {
    match c {
        '0'..='9' => offset('𝟎', c, '0'),
        _ => alphabet(c, '𝐀', '𝐚'),
    }
}

pub(crate) fn fullwidth(c: char) -> char {
    match c {
        ' ' => '\u{3000}',
        '!'..='~' => offset('！', c, '!'),
        _ => c,
    }
}

pub(crate) const fn homoglyph(c: char) -> char {
    match c {
        'a' => 'а',
        'c' => 'с',
        'e' => 'е',
        'i' => 'і',
        'j' => 'ј',
        'o' => 'ο',
        'p' => 'р',
        's' => 'ѕ',
        'x' => 'х',
        'y' => 'у',
        'A' => 'Α',
        'B' => 'В',
        'C' => 'С',
        'E' => 'Ε',
        'H' => 'Н',
        'I' => 'Ι',
        'K' => 'К',
        'M' => 'М',
        'N' => 'Ν',
        'O' => 'О',
        'P' => 'Р',
        'S' => 'Ѕ',
        'T' => 'Т',
        'X' => 'Х',
        'Y' => 'Υ',
        'Z' => 'Ζ',
        _ => c,
    }
}

/// There is no small capital x; it looks like the letter itself.
pub(crate) const fn small_capital(c: char) -> char {
    match c.to_ascii_lowercase() {
        'a' => 'ᴀ',
        'b' => 'ʙ',
        'c' => 'ᴄ',
        'd' => 'ᴅ',
        'e' => 'ᴇ',
        'f' => 'ꜰ',
        'g' => 'ɢ',
        'h' => 'ʜ',
        'i' => 'ɪ',
        'j' => 'ᴊ',
        'k' => 'ᴋ',
        'l' => 'ʟ',
        'm' => 'ᴍ',
        'n' => 'ɴ',
        'o' => 'ᴏ',
        'p' => 'ᴘ',
        'q' => 'ꞯ',
        'r' => 'ʀ',
        's' => 'ꜱ',
        't' => 'ᴛ',
        'u' => 'ᴜ',
        'v' => 'ᴠ',
        'w' => 'ᴡ',
        'y' => 'ʏ',
        'z' => 'ᴢ',
        _ => c,
    }
}

/// Every letter followed by `marks`.
pub(crate) fn marked(text: &str, marks: &[char]) -> String {
    let marks = |c: char| if c.is_alphanumeric() { marks } else { &[] };
    text.chars().flat_map(|c| std::iter::once(c).chain(marks(c).iter().copied())).collect()
}

/// Letters with an acute where Unicode has them composed.
pub(crate) fn accented(text: &str) -> String {
    let accent = |c: char| -> char {
        let mut composed = [c, '\u{301}'].into_iter().nfc();
        match (composed.next(), composed.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    text.chars().map(|c| if c.is_ascii_alphabetic() { accent(c) } else { c }).collect()
}

pub(crate) fn alternating(text: &str) -> String {
    let each = |(at, c): (usize, char)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
    text.chars().enumerate().map(each).collect()
}
