//! What the views need to know about one character, in one lookup.
//!
//! The properties come from the Unicode tables of the crates in use. They are worked out a page of 256 characters
//! at a time, when the first character of the page is met, so that start-up costs nothing and text in one language
//! touches a few hundred bytes.

use std::sync::OnceLock;

use unicode_normalization::char::{canonical_combining_class, decompose_compatible, is_combining_mark};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_script::{Script, UnicodeScript};

/// The properties of one character: flags, and the script in the high byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Props(u16);

const REMOVED: u16 = 1;
const TAIL: u16 = 1 << 1;
const REWRITTEN: u16 = 1 << 2;
const FOLDS: u16 = 1 << 3;
const LETTER: u16 = 1 << 4;
const WORD: u16 = 1 << 5;
const BREAK: u16 = 1 << 6;
const LOOKS_ASCII: u16 = 1 << 7;

impl Props {
    /// Taken out of `Clean`: invisible, or a format or control character.
    pub(super) const fn removed(self) -> bool {
        self.0 & REMOVED != 0
    }
    /// May combine with the character before it, so that normalisation has to look at both.
    pub(super) const fn tail(self) -> bool {
        self.0 & TAIL != 0
    }
    /// `Clean` may differ from the original here.
    pub(super) const fn cleans(self) -> bool {
        self.0 & (REMOVED | TAIL | REWRITTEN) != 0
    }
    /// [`fold`] changes it.
    pub(super) const fn folds(self) -> bool {
        self.0 & FOLDS != 0
    }
    /// A letter.
    pub(super) const fn letter(self) -> bool {
        self.0 & LETTER != 0
    }
    /// Letter, digit, or a mark that belongs to its letter.
    pub(super) const fn word(self) -> bool {
        self.0 & WORD != 0
    }
    /// Ends a word for the purpose of confusables: white space, ASCII punctuation, and scripts without word spaces.
    pub(super) const fn breaks(self) -> bool {
        self.0 & BREAK != 0
    }
    /// [`look`] gives ASCII only, and [`fold`] does not.
    pub(super) const fn looks_ascii(self) -> bool {
        self.0 & LOOKS_ASCII != 0
    }
    /// An opaque number of the script; 0 where the character has none of its own.
    pub(super) const fn script(self) -> u8 {
        (self.0 >> 8) as u8
    }
}

const PAGES: usize = 512;
static TABLE: [OnceLock<Box<Page>>; PAGES] = [const { OnceLock::new() }; PAGES];

/// What is kept of 256 characters.
struct Page {
    props: [Props; 256],
    folded: [Short; 256],
    look: [Short; 256],
}

/// A string of at most seven bytes, with its length behind; a longer one is not kept.
#[derive(Clone, Copy)]
struct Short([u8; 8]);

impl Short {
    const LONG: u8 = 8;

    fn new(text: &str) -> Self {
        let mut bytes = [0; 8];
        let fits = text.len() < bytes.len();
        for (slot, b) in bytes.iter_mut().zip(text.bytes()).filter(|_| fits) {
            *slot = b;
        }
        if let Some(len) = bytes.last_mut() {
            *len = if fits { text.len() as u8 } else { Self::LONG };
        }
        Self(bytes)
    }

    fn get(&self) -> Option<&str> {
        let len = *self.0.last()?;
        std::str::from_utf8(self.0.get(..usize::from(len)).filter(|_| len < Self::LONG)?).ok()
    }
}

/// The page of `c`. Two planes hold nearly everything that is written; for the rest there is none.
fn page(c: char) -> Option<(&'static Page, usize)> {
    let code = c as u32;
    let page = TABLE.get((code >> 8) as usize)?.get_or_init(|| {
        let nothing = Short([0; 8]);
        let mut fresh = Box::new(Page { props: [Props::default(); 256], folded: [nothing; 256], look: [nothing; 256] });
        let slots = fresh.props.iter_mut().zip(&mut fresh.folded).zip(&mut fresh.look);
        for (((props, folded), look), c) in slots.zip((code & !0xff..).map(char::from_u32)) {
            let Some(c) = c else { continue };
            *props = compute(c);
            *folded = Short::new(&made(compute_fold, c));
            *look = Short::new(&made(compute_look, c));
        }
        fresh
    });
    Some((page, (code & 0xff) as usize))
}

fn made(how: fn(char, &mut String), c: char) -> String {
    let mut out = String::new();
    how(c, &mut out);
    out
}

/// The properties of `c`.
pub(super) fn props(c: char) -> Props {
    let Some((page, at)) = page(c) else { return compute(c) };
    page.props.get(at).copied().unwrap_or_default()
}

/// Appends `c` as it is in `Folded`: without marks, and without case outside ASCII.
pub(super) fn fold(c: char, out: &mut String) {
    match page(c).and_then(|(page, at)| page.folded.get(at)?.get()) {
        Some(known) => out.push_str(known),
        None => compute_fold(c, out),
    }
}

/// Appends what `c` looks like: its prototype (UTS #39 section 4), with small capitals as plain letters.
pub(super) fn look(c: char, out: &mut String) {
    match page(c).and_then(|(page, at)| page.look.get(at)?.get()) {
        Some(known) => out.push_str(known),
        None => compute_look(c, out),
    }
}

fn compute(c: char) -> Props {
    let mut flags = 0;
    let script = c.script();
    if removed(c) {
        flags |= REMOVED;
    } else {
        let mut first = None;
        decompose_compatible(c, |d| first = first.or(Some(d)));
        let first = first.unwrap_or(c);
        if canonical_combining_class(first) != 0 || is_nfkc_quick(std::iter::once(first)) == IsNormalized::Maybe {
            flags |= TAIL;
        }
        if rewritten(c).is_some() || !std::iter::once(c).nfkc().eq(std::iter::once(c)) {
            flags |= REWRITTEN;
        }
    }
    // Regional indicators stand for letters although they are symbols.
    let indicator = matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
    if (c.is_alphabetic() || indicator) && !drops(c) {
        flags |= LETTER;
    }
    if (c.is_alphanumeric() || indicator || is_combining_mark(c)) && !drops(c) {
        flags |= WORD;
    }
    if c.is_whitespace() || (c.is_ascii() && !c.is_ascii_alphanumeric()) || typographic(c) || spaceless(script) {
        flags |= BREAK;
    }
    if !c.is_ascii() {
        let folded = made(compute_fold, c);
        if !folded.chars().eq(std::iter::once(c)) {
            flags |= FOLDS;
        }
        // What folding makes ASCII needs no second look.
        if !folded.is_ascii() && !spaceless(script) && made(compute_look, c).is_ascii() {
            flags |= LOOKS_ASCII;
        }
    }
    let script = match script {
        Script::Common | Script::Inherited | Script::Unknown => 0,
        own => own as u8 + 1,
    };
    Props(flags | u16::from(script) << 8)
}

/// Invisible, format and control characters: they carry no word, but split one.
fn removed(c: char) -> bool {
    matches!(c,
        '\0'..='\x08' | '\x0e'..='\x1f' | '\x7f'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{ad}' // soft hyphen
        | '\u{34f}' // combining grapheme joiner
        | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// White space that NFKC leaves alone although it is one of the plain kinds in another dress.
pub(super) const fn rewritten(c: char) -> Option<char> {
    match c {
        '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        // Ogham space mark and blank Braille pattern.
        '\u{1680}' | '\u{2800}' => Some(' '),
        _ => None,
    }
}

/// Marks that decorate any letter, and the optional vowel points of Hebrew and Arabic. They go out of `Folded`.
pub(super) const fn drops(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Punctuation of ordinary typeset text. It looks like ASCII, and nobody hides a word with it.
const fn typographic(c: char) -> bool {
    matches!(c, '\u{a0}'..='\u{a9}' | '\u{ab}'..='\u{b4}' | '\u{b6}'..='\u{b9}' | '\u{bb}'..='\u{bf}'
        | '\u{2010}'..='\u{2026}' | '\u{2030}'..='\u{203a}')
}

/// Scripts that are written without spaces, or whose characters are no letters of an alphabet. They look like
/// Latin only by accident, and a Latin word beside them is a word of its own.
const fn spaceless(script: Script) -> bool {
    matches!(
        script,
        Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Hangul
            | Script::Bopomofo
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
            | Script::Tibetan
    )
}

/// Takes marks off a Latin, Greek or Cyrillic letter. The breve of `й` stays: without it, it is another letter and
/// Russian phrases could not be written down.
fn bare(c: char, mut emit: impl FnMut(char)) {
    let decomposes = matches!(c.script(), Script::Latin | Script::Greek | Script::Cyrillic) && !matches!(c, 'й' | 'Й');
    if decomposes {
        for d in std::iter::once(c).nfd().filter(|d| !drops(*d)) {
            emit(d);
        }
    } else if !drops(c) {
        emit(c);
    }
}

fn compute_fold(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c);
        return;
    }
    // The iota subscript is a mark whose upper case is a letter.
    if drops(c) {
        return;
    }
    // Upper before lower: the final sigma, the dotless i and the sharp s then meet their plain forms.
    for lower in c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase) {
        bare(lower, |d| out.push(d));
    }
}

fn compute_look(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c);
        return;
    }
    let offset = |base: u32| char::from_u32(u32::from(b'a') + (c as u32 - base));
    let letter = match c {
        // Letters in negative circles and squares, and regional indicators, have no compatibility mapping.
        '\u{1f150}'..='\u{1f169}' => offset(0x1f150),
        '\u{1f170}'..='\u{1f189}' => offset(0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => offset(0x1f1e6),
        _ => None,
    };
    if let Some(letter) = letter {
        out.push(letter);
        return;
    }
    let upper = c.is_uppercase();
    bare(c, |base| {
        let mut buffer = [0; 4];
        for prototype in unicode_security::skeleton(base.encode_utf8(&mut buffer)) {
            match (upper, prototype) {
                // A capital that looks like `I` has the prototype `l`, which is of no use where case is ignored.
                (true, 'l') => out.push('I'),
                _ => bare(small_capital(prototype).unwrap_or(prototype), |d| compute_fold(d, out)),
            }
        }
    });
}

/// The letter that a Latin small capital stands for.
const fn small_capital(c: char) -> Option<char> {
    Some(match c {
        'ᴀ' => 'a',
        'ʙ' => 'b',
        'ᴄ' => 'c',
        'ᴅ' => 'd',
        'ᴇ' => 'e',
        'ꜰ' => 'f',
        'ɢ' => 'g',
        'ʜ' => 'h',
        'ɪ' => 'i',
        'ᴊ' => 'j',
        'ᴋ' | 'ĸ' => 'k',
        'ʟ' => 'l',
        'ᴍ' | 'ʍ' => 'm',
        'ɴ' => 'n',
        'ᴏ' => 'o',
        'ᴘ' => 'p',
        'ꞯ' => 'q',
        'ʀ' => 'r',
        'ꜱ' => 's',
        'ᴛ' => 't',
        'ᴜ' => 'u',
        'ᴠ' => 'v',
        'ᴡ' => 'w',
        'ʏ' => 'y',
        'ᴢ' => 'z',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_comes_back() {
        // `Clean` takes invisible characters out before it normalises: that must not produce new ones.
        for c in ('\0'..=char::MAX).filter(|c| !removed(*c)) {
            for d in std::iter::once(rewritten(c).unwrap_or(c)).nfkc() {
                assert!(!removed(d) && rewritten(d).is_none(), "{c:?} gives {d:?}");
            }
        }
    }

    #[test]
    fn folding_is_done_once() {
        for c in ('\0'..=char::MAX).filter(|c| props(*c).folds()) {
            let mut once = String::new();
            fold(c, &mut once);
            let mut twice = String::new();
            once.chars().for_each(|d| fold(d, &mut twice));
            assert_eq!(once, twice, "{c:?}");
        }
    }

    #[test]
    fn every_page_agrees_with_its_characters() {
        for c in ['a', 'é', 'й', '忽', '\u{200b}', '\u{1f170}', '\u{e0041}', '\u{10ffff}'] {
            assert_eq!(props(c), compute(c));
        }
    }
}
