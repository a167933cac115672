//! Ways of writing that a reader has to work out: ciphers, orders, other alphabets. The views of the guard undo some of
//! them only.

use crate::{encode, glyphs, spacing};

/// One such way. Deterministic; linear in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cipher {
    /// Letters moved by 13.
    Rot13,
    /// Letters moved by 3.
    Caesar,
    /// Printable ASCII moved by 47.
    Rot47,
    /// The alphabet backwards.
    Atbash,
    /// Vigenère with the key `lemon`.
    Vigenere,
    /// The whole text backwards.
    Reversed,
    /// Each word backwards.
    WordsReversed,
    /// The words in the opposite order.
    WordOrder,
    /// Digits for letters that look like them.
    Leet,
    /// Morse code; words apart by `/`.
    Morse,
    /// The spelling alphabet of radio.
    Nato,
    /// Eight binary digits a byte.
    Binary,
    /// Three octal digits a byte.
    Octal,
    /// Decimal byte values.
    Decimal,
    /// A is 1, Z is 26; words apart by `/`.
    Numbers,
    /// Ascii85 as Adobe has it.
    Ascii85,
    /// Braille patterns of the letters.
    Braille,
    /// Pig Latin.
    PigLatin,
    /// Two rails: every second letter first, then the others.
    RailFence,
    /// Row and column in a five by five square; J is I.
    Polybius,
    /// An asterisk between every two letters.
    Starred,
    /// Mathematical sans-serif letters.
    MathSans,
    /// Mathematical bold Fraktur letters.
    Fraktur,
    /// Mathematical monospace letters.
    Monospace,
    /// Letters in parentheses.
    Parenthesised,
    /// Letters turned upside down, in reading order.
    UpsideDown,
    /// A word joiner between every two letters.
    WordJoiner,
    /// A zero-width joiner between every two letters.
    ZeroWidthJoiner,
    /// No-break spaces for spaces.
    NoBreak,
    /// Underscores for spaces.
    Snake,
    /// No spaces; each word begins with a capital.
    Camel,
    /// Capitals only.
    Upper,
    /// Every letter twice.
    Doubled,
    /// Each word in brackets.
    Bracketed,
    /// Quoted-printable, every byte (RFC 2045 section 6.7).
    QuotedPrintable,
    /// UTF-7, every character in base64 (RFC 2152).
    Utf7,
    /// Pieces of a string that a program puts together.
    Concatenated,
    /// Comments of C between the letters of words.
    Commented,
}

impl Cipher {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::Rot13,
        Self::Caesar,
        Self::Rot47,
        Self::Atbash,
        Self::Vigenere,
        Self::Reversed,
        Self::WordsReversed,
        Self::WordOrder,
        Self::Leet,
        Self::Morse,
        Self::Nato,
        Self::Binary,
        Self::Octal,
        Self::Decimal,
        Self::Numbers,
        Self::Ascii85,
        Self::Braille,
        Self::PigLatin,
        Self::RailFence,
        Self::Polybius,
        Self::Starred,
        Self::MathSans,
        Self::Fraktur,
        Self::Monospace,
        Self::Parenthesised,
        Self::UpsideDown,
        Self::WordJoiner,
        Self::ZeroWidthJoiner,
        Self::NoBreak,
        Self::Snake,
        Self::Camel,
        Self::Upper,
        Self::Doubled,
        Self::Bracketed,
        Self::QuotedPrintable,
        Self::Utf7,
        Self::Concatenated,
        Self::Commented,
    ];

    /// A short name for reports: lower case with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rot13 => "rot13",
            Self::Caesar => "caesar",
            Self::Rot47 => "rot47",
            Self::Atbash => "atbash",
            Self::Vigenere => "vigenere",
            Self::Reversed => "reversed",
            Self::WordsReversed => "words-reversed",
            Self::WordOrder => "word-order",
            Self::Leet => "leet",
            Self::Morse => "morse",
            Self::Nato => "nato",
            Self::Binary => "binary",
            Self::Octal => "octal",
            Self::Decimal => "decimal",
            Self::Numbers => "numbers",
            Self::Ascii85 => "ascii85",
            Self::Braille => "braille",
            Self::PigLatin => "pig-latin",
            Self::RailFence => "rail-fence",
            Self::Polybius => "polybius",
            Self::Starred => "starred",
            Self::MathSans => "math-sans",
            Self::Fraktur => "fraktur",
            Self::Monospace => "monospace",
            Self::Parenthesised => "parenthesised",
            Self::UpsideDown => "upside-down",
            Self::WordJoiner => "word-joiner",
            Self::ZeroWidthJoiner => "zero-width-joiner",
            Self::NoBreak => "no-break",
            Self::Snake => "snake",
            Self::Camel => "camel",
            Self::Upper => "upper",
            Self::Doubled => "doubled",
            Self::Bracketed => "bracketed",
            Self::QuotedPrintable => "quoted-printable",
            Self::Utf7 => "utf7",
            Self::Concatenated => "concatenated",
            Self::Commented => "commented",
        }
    }

    /// What a reader is told, where it would not see it.
    pub(crate) const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Rot13 => Some("ROT13"),
            Self::Caesar => Some("a Caesar cipher with a shift of 3"),
            Self::Rot47 => Some("ROT47"),
            Self::Atbash => Some("Atbash"),
            Self::Vigenere => Some("a Vigenère cipher with the key lemon"),
            Self::Reversed => Some("reversed text"),
            Self::WordsReversed => Some("text with each word reversed"),
            Self::WordOrder => Some("text with the words in reverse order"),
            Self::Morse => Some("Morse code"),
            Self::Nato => Some("the NATO spelling alphabet"),
            Self::Binary => Some("binary ASCII"),
            Self::Octal => Some("octal ASCII"),
            Self::Decimal => Some("decimal ASCII codes"),
            Self::Numbers => Some("numbers for letters, where A is 1"),
            Self::Ascii85 => Some("Ascii85"),
            Self::Braille => Some("Braille"),
            Self::PigLatin => Some("Pig Latin"),
            Self::RailFence => Some("a rail fence cipher with two rails"),
            Self::Polybius => Some("a Polybius square"),
            Self::QuotedPrintable => Some("quoted-printable"),
            Self::Utf7 => Some("UTF-7"),
            Self::Concatenated => Some("a string in pieces"),
            _ => None,
        }
    }

    /// `text` written this way.
    #[must_use]
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::Rot13 => text.chars().map(|c| shifted(c, 13)).collect(),
            Self::Caesar => text.chars().map(|c| shifted(c, 3)).collect(),
            Self::Rot47 => text.chars().map(rot47).collect(),
            Self::Atbash => text.chars().map(mirrored).collect(),
            Self::Vigenere => vigenere(text),
            Self::Reversed => text.chars().rev().collect(),
            Self::WordsReversed => words(text, " ", |w| w.chars().rev().collect()),
            Self::WordOrder => text.split_whitespace().rev().collect::<Vec<_>>().join(" "),
            Self::Leet => text.chars().map(leet).collect(),
            Self::Morse => coded(text, " ", " / ", |c| morse(c).map(str::to_owned)),
            Self::Nato => coded(text, " ", ", ", |c| nato(c).map(str::to_owned)),
            Self::Binary => encode::bytes(text, "", " ", |b| format!("{b:08b}")),
            Self::Octal => encode::bytes(text, "", " ", |b| format!("{b:03o}")),
            Self::Decimal => encode::bytes(text, "", " ", |b| b.to_string()),
            Self::Numbers => coded(text, "-", " / ", |c| number(c).map(|n| n.to_string())),
            Self::Ascii85 => ascii85(text),
            Self::Braille => text.chars().map(braille).collect(),
            Self::PigLatin => words(text, " ", pig_latin),
            Self::RailFence => rail_fence(text),
            Self::Polybius => coded(text, " ", " / ", polybius),
            Self::Starred => words(text, " ", |w| spacing::between(w, "*")),
            Self::MathSans => text.chars().map(|c| glyphs::alphabet(c, '𝖠', '𝖺')).collect(),
            Self::Fraktur => text.chars().map(|c| glyphs::alphabet(c, '𝕬', '𝖆')).collect(),
            Self::Monospace => text.chars().map(|c| glyphs::alphabet(c, '𝙰', '𝚊')).collect(),
            Self::Parenthesised => text.chars().map(|c| glyphs::alphabet(c, '⒜', '⒜')).collect(),
            Self::UpsideDown => text.chars().map(upside_down).collect(),
            Self::WordJoiner => spacing::between(text, "\u{2060}"),
            Self::ZeroWidthJoiner => spacing::between(text, "\u{200d}"),
            Self::NoBreak => text.replace(' ', "\u{a0}"),
            Self::Snake => text.replace(' ', "_"),
            Self::Camel => words(text, "", capital),
            Self::Upper => text.to_uppercase(),
            Self::Doubled => {
                text.chars().flat_map(|c| [c; 2].into_iter().take(1 + usize::from(c.is_alphabetic()))).collect()
            }
            Self::Bracketed => words(text, " ", |w| format!("[{w}]")),
            Self::QuotedPrintable => encode::bytes(text, "=", "", |b| format!("{b:02X}")),
            Self::Utf7 => utf7(text),
            Self::Concatenated => concatenated(text),
            Self::Commented => words(text, " ", |w| spacing::between(w, "/**/")),
        }
    }
}

fn words(text: &str, between: &str, each: impl Fn(&str) -> String) -> String {
    text.split_whitespace().map(each).collect::<Vec<_>>().join(between)
}

/// Each character's code, or itself without one.
fn coded(text: &str, letter: &str, word: &str, code: impl Fn(char) -> Option<String>) -> String {
    words(text, word, |w| w.chars().map(|c| code(c).unwrap_or_else(|| c.to_string())).collect::<Vec<_>>().join(letter))
}

fn shifted(c: char, by: u8) -> char {
    let turn = |base: u8, c: char| char::from(base + (c as u8 - base + by) % 26);
    match c {
        'a'..='z' => turn(b'a', c),
        'A'..='Z' => turn(b'A', c),
        _ => c,
    }
}

fn rot47(c: char) -> char {
    if ('!'..='~').contains(&c) { char::from(33 + (c as u8 - 33 + 47) % 94) } else { c }
}

fn mirrored(c: char) -> char {
    match c {
        'a'..='z' => char::from(b'z' - (c as u8 - b'a')),
        'A'..='Z' => char::from(b'Z' - (c as u8 - b'A')),
        _ => c,
    }
}

fn vigenere(text: &str) -> String {
    let mut key = b"lemon".iter().cycle();
    text.chars()
        .map(|c| match c.is_ascii_alphabetic() {
            true => shifted(c, key.next().map_or(0, |k| k - b'a')),
            false => c,
        })
        .collect()
}

const fn leet(c: char) -> char {
    match c.to_ascii_lowercase() {
        'a' => '4',
        'e' => '3',
        'i' => '1',
        'o' => '0',
        's' => '5',
        't' => '7',
        _ => c,
    }
}

const fn morse(c: char) -> Option<&'static str> {
    Some(match c.to_ascii_lowercase() {
        'a' => ".-",
        'b' => "-...",
        'c' => "-.-.",
        'd' => "-..",
        'e' => ".",
        'f' => "..-.",
        'g' => "--.",
        'h' => "....",
        'i' => "..",
        'j' => ".---",
        'k' => "-.-",
        'l' => ".-..",
        'm' => "--",
        'n' => "-.",
        'o' => "---",
        'p' => ".--.",
        'q' => "--.-",
        'r' => ".-.",
        's' => "...",
        't' => "-",
        'u' => "..-",
        'v' => "...-",
        'w' => ".--",
        'x' => "-..-",
        'y' => "-.--",
        'z' => "--..",
        '0' => "-----",
        '1' => ".----",
        '2' => "..---",
        '3' => "...--",
        '4' => "....-",
        '5' => ".....",
        '6' => "-....",
        '7' => "--...",
        '8' => "---..",
        '9' => "----.",
        _ => return None,
    })
}

/// The word for a letter in the spelling alphabet of the ITU.
const fn nato(c: char) -> Option<&'static str> {
    Some(match c.to_ascii_lowercase() {
        'a' => "Alfa",
        'b' => "Bravo",
        'c' => "Charlie",
        'd' => "Delta",
        'e' => "Echo",
        'f' => "Foxtrot",
        'g' => "Golf",
        'h' => "Hotel",
        'i' => "India",
        'j' => "Juliett",
        'k' => "Kilo",
        'l' => "Lima",
        'm' => "Mike",
        'n' => "November",
        'o' => "Oscar",
        'p' => "Papa",
        'q' => "Quebec",
        'r' => "Romeo",
        's' => "Sierra",
        't' => "Tango",
        'u' => "Uniform",
        'v' => "Victor",
        'w' => "Whiskey",
        'x' => "Xray",
        'y' => "Yankee",
        'z' => "Zulu",
        _ => return None,
    })
}

fn number(c: char) -> Option<u32> {
    c.is_ascii_alphabetic().then(|| c.to_ascii_lowercase() as u32 - 'a' as u32 + 1)
}

fn polybius(c: char) -> Option<String> {
    let at = match number(c)? {
        n @ 1..=9 => n - 1,
        10 => 8,
        n => n - 2,
    };
    Some(format!("{}{}", at / 5 + 1, at % 5 + 1))
}

/// Dots 1 to 6 of grade 1 Braille.
fn braille(c: char) -> char {
    const DOTS: [u8; 26] = [
        0x01, 0x03, 0x09, 0x19, 0x11, 0x0b, 0x1b, 0x13, 0x0a, 0x1a, 0x05, 0x07, 0x0d, 0x1d, 0x15, 0x0f, 0x1f, 0x17,
        0x0e, 0x1e, 0x25, 0x27, 0x3a, 0x2d, 0x3d, 0x35,
    ];
    let dots = number(c).and_then(|n| DOTS.get(n as usize - 1));
    dots.and_then(|d| char::from_u32(0x2800 + u32::from(*d))).unwrap_or(c)
}

fn pig_latin(word: &str) -> String {
    match word.find(|c: char| "aeiouAEIOU".contains(c)) {
        Some(0) => format!("{word}way"),
        Some(at) => {
            let (start, rest) = word.split_at(at);
            format!("{rest}{start}ay")
        }
        None => word.to_owned(),
    }
}

fn rail_fence(text: &str) -> String {
    let even = text.chars().step_by(2);
    even.chain(text.chars().skip(1).step_by(2)).collect()
}

const fn upside_down(c: char) -> char {
    match c.to_ascii_lowercase() {
        'a' => 'ɐ',
        'b' => 'q',
        'c' => 'ɔ',
        'd' => 'p',
        'e' => 'ǝ',
        'f' => 'ɟ',
        'g' => 'ƃ',
        'h' => 'ɥ',
        'i' => 'ᴉ',
        'j' => 'ɾ',
        'k' => 'ʞ',
        'm' => 'ɯ',
        'n' => 'u',
        'p' => 'd',
        'q' => 'b',
        'r' => 'ɹ',
        't' => 'ʇ',
        'u' => 'n',
        'v' => 'ʌ',
        'w' => 'ʍ',
        'y' => 'ʎ',
        _ => c,
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn ascii85(text: &str) -> String {
    let mut out = String::from("<~");
    for group in text.as_bytes().chunks(4) {
        let mut word = 0u32;
        for at in 0..4 {
            word = word << 8 | u32::from(group.get(at).copied().unwrap_or(0));
        }
        let mut digits = [0u8; 5];
        for digit in digits.iter_mut().rev() {
            *digit = 33 + u8::try_from(word % 85).unwrap_or(0);
            word /= 85;
        }
        if group.len() == 4 && digits == [33; 5] {
            out.push('z');
        } else {
            out.extend(digits.iter().take(group.len() + 1).map(|d| char::from(*d)));
        }
    }
    out + "~>"
}

fn utf7(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    format!("+{}-", encode::base64_bytes(&units, true, false))
}

fn concatenated(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let piece = |p: &[char]| format!("\"{}\"", p.iter().collect::<String>());
    letters.chunks(4).map(piece).collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (cipher, text, written) in [
            (Cipher::Rot13, "Hello", "Uryyb"),
            (Cipher::Caesar, "xyz", "abc"),
            (Cipher::Rot47, "Hello 1", "w6==@ `"),
            (Cipher::Atbash, "abc", "zyx"),
            (Cipher::Vigenere, "attackatdawn", "lxfopvefrnhr"),
            (Cipher::Reversed, "abc d", "d cba"),
            (Cipher::WordsReversed, "abc de", "cba ed"),
            (Cipher::WordOrder, "a b c", "c b a"),
            (Cipher::Leet, "Test", "7357"),
            (Cipher::Morse, "sos e", "... --- ... / ."),
            (Cipher::Nato, "ab c", "Alfa Bravo, Charlie"),
            (Cipher::Binary, "A", "01000001"),
            (Cipher::Octal, "A", "101"),
            (Cipher::Decimal, "AB", "65 66"),
            (Cipher::Numbers, "az b", "1-26 / 2"),
            // PDF 32000-1 calls it ASCII85; the pair is the start of the usual example from Leviathan.
            (Cipher::Ascii85, "Man ", "<~9jqo^~>"),
            (Cipher::Ascii85, "sure.", "<~F*2M7/c~>"),
            (Cipher::Braille, "az", "⠁⠵"),
            (Cipher::PigLatin, "pig eat", "igpay eatway"),
            (Cipher::RailFence, "abcde", "acebd"),
            (Cipher::Polybius, "aijz", "11 24 24 55"),
            (Cipher::Camel, "the end", "TheEnd"),
            (Cipher::Doubled, "a 1", "aa 1"),
            (Cipher::QuotedPrintable, "é", "=C3=A9"),
            (Cipher::Utf7, "£1", "+AKMAMQ-"),
            (Cipher::Concatenated, "abcdef", "\"abcd\" + \"ef\""),
        ] {
            assert_eq!(cipher.apply(text), written, "{cipher:?}");
        }
    }
}
