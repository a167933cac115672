//! What a character is to a canonical word. It depends on the character alone, so a text may be cut anywhere.

use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

/// What one character adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It ends a word.
    Break,
    /// Nothing: invisible, or a mark.
    Nothing,
    /// One letter; `alone` if it is a word by itself.
    One { letter: u32, alone: bool },
    /// Several letters, see [`letters`].
    Many,
}

/// Characters below are looked up in a table.
const TABLE: usize = 0x3000;

const BREAK: u32 = 0;
const NOTHING: u32 = 1;
const MANY: u32 = 2;
const ALONE: u32 = 1 << 31;

const fn unpack(value: u32) -> Kind {
    match value {
        BREAK => Kind::Break,
        NOTHING => Kind::Nothing,
        MANY => Kind::Many,
        _ => Kind::One { letter: value & !ALONE, alone: value & ALONE != 0 },
    }
}

/// The table, made once.
pub(crate) fn table() -> &'static [u32] {
    static ALL: OnceLock<Vec<u32>> = OnceLock::new();
    ALL.get_or_init(|| (0..TABLE as u32).map(|c| char::from_u32(c).map_or(BREAK, pack)).collect())
}

fn pack(c: char) -> u32 {
    match compute(c) {
        Kind::Break => BREAK,
        Kind::Nothing => NOTHING,
        Kind::Many => MANY,
        Kind::One { letter, alone } => letter | if alone { ALONE } else { 0 },
    }
}

/// What a character is. `table` is [`table`].
pub(crate) fn kind(table: &[u32], c: char) -> Kind {
    match table.get(c as usize) {
        Some(known) => unpack(*known),
        None => match c {
            '\u{4e00}'..='\u{9fff}' | '\u{3041}'..='\u{3096}' => Kind::One { letter: c as u32, alone: true },
            _ => compute(c),
        },
    }
}

fn compute(c: char) -> Kind {
    if c.is_ascii() {
        let letter = u32::from(c.to_ascii_lowercase());
        return if c.is_ascii_alphanumeric() { Kind::One { letter, alone: false } } else { Kind::Break };
    }
    if is_invisible(c) || is_combining_mark(c) {
        return Kind::Nothing;
    }
    let (mut first, mut all) = (None, 0);
    letters(c, |letter| {
        first = first.or(letter);
        all += 1;
    });
    match first {
        Some(_) if all > 1 => Kind::Many,
        Some(letter) => Kind::One { letter, alone: stands_alone(c) },
        // A letter without parts that are letters, such as a lone iota subscript.
        None if c.is_alphanumeric() => Kind::One { letter: u32::from(c), alone: stands_alone(c) },
        None => Kind::Break,
    }
}

/// The letters of a character in canonical form, `None` for what ends a word.
pub(crate) fn letters(c: char, mut out: impl FnMut(Option<u32>)) {
    for part in c.nfkd().filter(|part| !is_combining_mark(*part) && !is_invisible(*part)) {
        if !part.is_alphanumeric() {
            out(None);
            continue;
        }
        // By way of the capital, so that forms which share one are the same: final sigma, sharp s, dotless i.
        for small in part.to_uppercase().flat_map(char::to_lowercase).filter(|small| !is_combining_mark(*small)) {
            out(Some(plain(small)));
        }
    }
}

/// The ASCII letter or digit that a small letter or its capital looks like (UTS #39), else the letter itself.
fn plain(small: char) -> u32 {
    if small.is_ascii() {
        return u32::from(small);
    }
    let mut capital = small.to_uppercase();
    let capital = capital.next().filter(|_| capital.next().is_none());
    let alike = looks_like(small).or_else(|| capital.and_then(looks_like));
    u32::from(alike.unwrap_or(small))
}

fn looks_like(c: char) -> Option<char> {
    let mut buffer = [0; 4];
    let mut all = unicode_security::skeleton(c.encode_utf8(&mut buffer));
    let first = all.next().filter(|_| all.next().is_none())?;
    first.is_ascii_alphanumeric().then(|| first.to_ascii_lowercase())
}

/// True where word segmentation (UAX #29) puts a border between the character and letters beside it.
pub(crate) fn stands_alone(c: char) -> bool {
    match c {
        '\u{ac00}'..='\u{d7a3}' => false,
        '\u{20000}'..='\u{3ffff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}' => true,
        _ => {
            let text: String = ['a', c, 'a'].iter().collect();
            text.split_word_bounds().nth(1).is_some()
        }
    }
}

/// Characters that are not seen: format controls, fillers, selectors, tags.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
