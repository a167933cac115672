//! Words of a text with what the model wants to know about each. Only the standard library is used: the trainer
//! compiles the same file.

/// One word, number or mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// Hash of the lower-case text.
    pub(crate) word: u32,
    /// What it looks like.
    pub(crate) shape: Shape,
    /// Classes of the gazetteer.
    pub(crate) classes: u8,
    /// Hash of the last three characters in lower case, and of the first three.
    pub(crate) suffix: u32,
    pub(crate) prefix: u32,
    /// True where the model is asked about it; all others are part of nothing.
    pub(crate) asked: bool,
    /// True where it may be a name by itself.
    pub(crate) strong: bool,
}

impl Token {
    /// True where a name may begin with it: it may be one by itself, or is a number or a word for a street.
    pub(crate) fn starts_name(&self) -> bool {
        is_strong(self)
            || self.shape.is_small() && self.classes & class::STREET != 0
            || is_unknown(self)
            || self.shape.is_small() && PARTICLE_HASHES.contains(&self.word)
            || matches!(
                self.shape,
                Shape::OneDigit
                    | Shape::ThreeDigits
                    | Shape::FourDigits
                    | Shape::FiveDigits
                    | Shape::ManyDigits
                    | Shape::LettersAndDigits
            )
    }
}

/// What a token looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shape {
    /// Any other mark.
    Other,
    Lower,
    Capitalised,
    Capitals,
    Initial,
    MixedCase,
    OneDigit,
    ThreeDigits,
    FourDigits,
    FiveDigits,
    ManyDigits,
    LettersAndDigits,
    Comma,
    Stop,
    Line,
    Hyphen,
    Apostrophe,
    Colon,
    Uncased,
    And,
    Opening,
    Symbol,
    Number,
    /// More bytes than any name has.
    Long,
    /// A word in small letters where no capital was written for a while, as in chats.
    Bare,
}

impl Shape {
    /// True for what is made of letters.
    pub(crate) const fn is_word(self) -> bool {
        matches!(
            self,
            Self::Lower
                | Self::Capitalised
                | Self::Capitals
                | Self::Initial
                | Self::MixedCase
                | Self::LettersAndDigits
                | Self::Uncased
                | Self::And
                | Self::Long
                | Self::Bare
        )
    }

    /// True for words in small letters.
    pub(crate) const fn is_small(self) -> bool {
        matches!(self, Self::Lower | Self::Bare)
    }
}

/// Classes of words in the gazetteer.
pub(crate) mod class {
    pub(crate) const FIRST: u8 = 1;
    pub(crate) const LAST: u8 = 2;
    pub(crate) const CITY: u8 = 4;
    pub(crate) const COUNTRY: u8 = 8;
    /// A word of names of several words.
    pub(crate) const PART: u8 = 16;
    pub(crate) const COMMON: u8 = 32;
    pub(crate) const ORG: u8 = 64;
    pub(crate) const STREET: u8 = 128;
}

/// Most bytes of a token that may be part of a name.
const LONGEST: usize = 30;
/// How near a name-like word must be for digits, marks and small words to be asked about: tokens and bytes.
const NEAR: usize = 5;
const NEAR_BYTES: usize = 24;

/// How long there has to be no capital before a word in small letters, in bytes, for it to stand in a text without.
const BARE: usize = 32;

/// Most marks before a quoted line.
const QUOTE: usize = 8;

/// How far the words are that tell what a name is, in bytes.
pub(crate) const TOLD_BY: usize = 36;

/// Small words that family names begin with.
const PARTICLES: [&str; 22] = [
    "de", "van", "von", "der", "den", "ter", "zu", "la", "le", "da", "dos", "das", "du", "di", "del", "della", "dei",
    "el", "al", "bin", "ibn", "vom",
];

/// Small words inside names, firms and addresses, and small letters of legal forms: `S.p.A.`, `sp. z o.o.`.
const LINKS: [&str; 73] = [
    "de", "du", "des", "la", "le", "les", "del", "della", "dello", "di", "da", "do", "dos", "das", "e", "y", "et",
    "und", "and", "of", "the", "van", "von", "der", "den", "zu", "zum", "ten", "ter", "al", "el", "bin", "ibn", "am",
    "an", "im", "i", "bis", "d", "l", "dei", "delle", "degli", "dell", "nad", "pod", "sur", "sous", "lès", "aan", "op",
    "upon", "sul", "los", "las", "u", "út", "ut", "tee", "nel", "na", "p", "r", "z", "o", "in", "à", "en", "em", "w",
    "nan", "none", "null",
];

/// Mixes a value into a hash.
pub(crate) const fn mix(hash: u32, value: u32) -> u32 {
    let mixed = (hash ^ value).wrapping_mul(0x9E37_79B1);
    mixed ^ mixed >> 15
}

/// Hash of a word as the gazetteer has it: lower case, character by character.
pub(crate) fn hash_word(word: &str) -> u32 {
    let mut hash = 0x811C_9DC5;
    for c in word.chars() {
        if c.is_ascii() {
            hash = mix(hash, u32::from(c.to_ascii_lowercase()));
        } else {
            for lower in c.to_lowercase() {
                hash = mix(hash, u32::from(lower));
            }
        }
    }
    hash
}

fn hash_chars(chars: impl Iterator<Item = char>) -> u32 {
    chars.flat_map(char::to_lowercase).fold(7, |hash, c| mix(hash, u32::from(c)))
}

fn shape_of(word: &str) -> Shape {
    if word.len() > LONGEST {
        return Shape::Long;
    }
    let (mut digits, mut upper, mut lower, mut count, mut first_upper) = (0, 0, 0, 0, false);
    for (at, c) in word.chars().enumerate() {
        count += 1;
        if !is_read(c) {
            return Shape::Uncased;
        }
        if c.is_ascii_digit() {
            digits += 1;
        } else if c.is_uppercase() {
            upper += 1;
            first_upper |= at == 0;
        } else if c.is_lowercase() {
            lower += 1;
        }
    }
    match (digits, upper, lower) {
        (0, 0, 0) => Shape::Uncased,
        (0, 0, _) => Shape::Lower,
        (0, 1, 0) if count == 1 => Shape::Initial,
        (0, _, 0) => Shape::Capitals,
        (0, 1, _) if first_upper => Shape::Capitalised,
        (0, _, _) => Shape::MixedCase,
        (n, 0, 0) if n == count => match n {
            1 | 2 => Shape::OneDigit,
            3 => Shape::ThreeDigits,
            4 => Shape::FourDigits,
            5 => Shape::FiveDigits,
            _ => Shape::ManyDigits,
        },
        _ => Shape::LettersAndDigits,
    }
}

/// False for letters of scripts that the model was not trained on: all but Latin, Greek and Cyrillic.
const fn is_read(c: char) -> bool {
    matches!(c, '\0'..='\u{24f}' | '\u{300}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}' | '\u{2000}'..='\u{2bff}')
}

const fn mark(c: char) -> Shape {
    match c {
        ',' => Shape::Comma,
        '.' => Shape::Stop,
        '\n' => Shape::Line,
        '-' | '\u{2010}' | '\u{2011}' => Shape::Hyphen,
        '\'' | '\u{2019}' => Shape::Apostrophe,
        ':' | ';' => Shape::Colon,
        '&' => Shape::And,
        '(' | '[' | '"' | '\u{201c}' | '\u{201e}' | '\u{ab}' | '<' => Shape::Opening,
        '=' | '_' | '{' | '}' | '$' | '@' | '\\' | '|' | '+' | '*' => Shape::Symbol,
        '#' | '/' | '>' | '\u{ba}' => Shape::Number,
        _ => Shape::Other,
    }
}

/// The tokens of a text. `classes` looks a word up in the gazetteer.
pub(crate) fn tokens(text: &str, classes: impl Fn(u32) -> u8) -> Vec<Token> {
    let mut all = Vec::with_capacity(text.len() / 5 + 4);
    let mut chars = text.char_indices().peekable();
    // One past the last capital.
    let mut capital = None;
    while let Some((start, c)) = chars.next() {
        if c.is_whitespace() && c != '\n' {
            continue;
        }
        if !c.is_alphanumeric() {
            let shape = mark(c);
            let mut end = start + c.len_utf8();
            let mut word = mix(3, u32::from(c));
            // Quoted lines: what is cited goes on behind the marks.
            let quote = if c == '\n' { quote_after(text, end) } else { None };
            if let Some((mark, bytes)) = quote {
                word = mix(4, mark);
                end += bytes;
                while chars.next_if(|(at, _)| *at < end).is_some() {}
            }
            all.push(Token { start, end, word, shape, classes: 0, suffix: 0, prefix: 0, asked: false, strong: false });
            continue;
        }
        let mut end = start + c.len_utf8();
        // Combining marks belong to the letter before.
        while let Some((at, next)) = chars.next_if(|(_, c)| c.is_alphanumeric() || matches!(*c, '\u{300}'..='\u{36f}'))
        {
            end = at + next.len_utf8();
        }
        let word = text.get(start..end).unwrap_or_default();
        let mut shape = shape_of(word);
        match shape {
            Shape::Lower if capital.is_none_or(|at| start - at > BARE) => shape = Shape::Bare,
            Shape::Capitalised | Shape::Capitals | Shape::Initial | Shape::MixedCase => capital = Some(end),
            _ => {}
        }
        let hash = if shape == Shape::Long { 5 } else { hash_word(word) };
        let is_word = matches!(
            shape,
            Shape::Lower | Shape::Bare | Shape::Capitalised | Shape::Capitals | Shape::MixedCase | Shape::Uncased
        );
        all.push(Token {
            start,
            end,
            word: hash,
            shape,
            classes: if is_word { classes(hash) } else { 0 },
            suffix: 0,
            prefix: 0,
            asked: false,
            strong: false,
        });
    }
    ask(text, &mut all);
    all
}

/// The marks that quote a line, from `at` on: the first of them, and how many bytes they have. One alone may be that of
/// a list, but for `>` and `|`.
fn quote_after(text: &str, at: usize) -> Option<(u32, usize)> {
    let rest = text.as_bytes().get(at..)?;
    let first = *rest.first()?;
    let bytes = rest.iter().take(QUOTE).take_while(|b| **b == first).count();
    let quotes = match first {
        b'>' | b'|' => true,
        b'#' | b'?' | b'*' | b'%' | b'!' | b'/' | b'~' | b';' => bytes > 1,
        _ => false,
    };
    quotes.then_some((u32::from(first), bytes))
}

/// True where a token may be a name by itself.
fn is_strong(token: &Token) -> bool {
    match token.shape {
        Shape::Capitalised | Shape::Capitals | Shape::MixedCase | Shape::Initial => true,
        Shape::Lower | Shape::Bare => {
            token.classes & (class::FIRST | class::LAST | class::CITY | class::COUNTRY) != 0
                && token.classes & class::COMMON == 0
        }
        _ => false,
    }
}

/// True for a word that no list has, where nothing is written with capitals.
fn is_unknown(token: &Token) -> bool {
    token.shape == Shape::Bare && token.classes & !class::PART == 0 && token.end - token.start > 2
}

/// True where a token may be part of a name that something near it begins.
fn is_weak(token: &Token) -> bool {
    match token.shape {
        Shape::Bare => {
            is_unknown(token)
                || token.classes & (class::STREET | class::ORG) != 0
                || token.classes & (class::FIRST | class::LAST | class::CITY | class::COUNTRY) != 0
                || LINK_HASHES.contains(&token.word)
        }
        Shape::Lower => token.classes & (class::STREET | class::ORG) != 0 || LINK_HASHES.contains(&token.word),
        Shape::Uncased | Shape::Long | Shape::Symbol | Shape::Opening | Shape::Colon | Shape::Other => false,
        _ => true,
    }
}

/// How many bytes at the end of a text belong to names that may still come, grow or go away: the tokens that lack what
/// stands behind them, and the run of name-like tokens that they end.
#[allow(dead_code, reason = "the trainer, which compiles this file too, has no use for it")]
pub(crate) fn open_bytes(text: &str, all: &[Token]) -> usize {
    let possible =
        |at: usize| all.get(at).is_some_and(|t| t.starts_name() || t.end == text.len() && t.shape.is_small());
    // Two tokens behind one are read for it, and the last one may go on.
    let whole = all.last().is_none_or(|t| t.end != text.len());
    let mut from = all.len().saturating_sub(if whole { 2 } else { 3 });
    while let Some(t) = from.checked_sub(1).and_then(|at| all.get(at)) {
        let near = all.len() - from <= NEAR + 1 || text.len() - t.end <= NEAR_BYTES;
        if !(t.asked || near && is_weak(t)) {
            break;
        }
        from -= 1;
    }
    (0..all.len())
        .find(|at| possible(*at) && (*at >= from || is_untold(text, all, *at)))
        .and_then(|at| all.get(at))
        .map_or(0, |t| text.len() - t.start)
}

/// True where a name that begins here has no words around it yet, and some may still come near enough.
fn is_untold(text: &str, all: &[Token], at: usize) -> bool {
    let Some((before, [name, rest @ ..])) = all.split_at_checked(at) else { return false };
    let near = before.iter().rev().take_while(|t| name.start.saturating_sub(t.end) <= TOLD_BY);
    if near.into_iter().any(|t| t.shape.is_word()) {
        return false;
    }
    let mut end = name.end;
    for token in rest {
        match token {
            t if t.asked => end = t.end,
            t if t.shape.is_word() => return false,
            _ => {}
        }
    }
    text.len() - end <= TOLD_BY
}

/// True for a word that is part of an address of mail or web, a path or a dotted name.
fn is_code(text: &str, token: &Token) -> bool {
    let bytes = text.as_bytes();
    let at = |i: Option<usize>| i.and_then(|i| bytes.get(i)).copied().unwrap_or(b' ');
    let (before, behind) = (at(token.start.checked_sub(1)), at(Some(token.end)));
    let dotted = |dot: u8, next: u8| dot == b'.' && next.is_ascii_alphanumeric() && token.end - token.start > 2;
    // Capitals and digits joined by hyphens are codes of orders, parts and keys, but for names of two parts.
    let joined = matches!(token.shape, Shape::Capitals | Shape::LettersAndDigits)
        && (before == b'-' || behind == b'-')
        && !(token.classes & (class::FIRST | class::LAST | class::CITY) != 0 && is_double_name(bytes, token));
    // Small letters joined so are names of packages and options, but for given names of two parts and towns.
    let package = token.shape.is_small()
        && (before == b'-' || behind == b'-')
        && token.classes & (class::FIRST | class::CITY) == 0;
    joined
        || package
        || matches!(before, b'@' | b'/' | b'\\' | b'_')
        || matches!(behind, b'@' | b'_')
        || behind == b':' && at(Some(token.end + 1)) == b'/'
        || dotted(behind, at(Some(token.end + 1)))
        || dotted(before, at(token.start.checked_sub(2)))
}

/// True where the parts that hyphens join are all letters, and long enough for names: `ANNE-MARIE`, `SAINT-DENIS`.
fn is_double_name(bytes: &[u8], token: &Token) -> bool {
    let from = token.start.saturating_sub(LONGEST);
    let before = bytes.get(from..token.start).unwrap_or_default();
    let behind = bytes.get(token.end..).unwrap_or_default();
    let part = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'-' || **b >= 128;
    let mut joined = before.iter().rev().take_while(part).chain(behind.iter().take(LONGEST).take_while(part));
    token.end - token.start >= 3 && joined.all(|b| !b.is_ascii_digit() && !b.is_ascii_lowercase())
}

/// True for a word for streets next to a number, where nothing is written with capitals.
fn is_road(all: &[Token], at: usize) -> bool {
    let is_number = |at: Option<usize>| {
        at.and_then(|at| all.get(at)).is_some_and(|t| {
            matches!(
                t.shape,
                Shape::OneDigit | Shape::ThreeDigits | Shape::FourDigits | Shape::FiveDigits | Shape::LettersAndDigits
            )
        })
    };
    all.get(at).is_some_and(|t| t.shape == Shape::Bare && t.classes & class::STREET != 0)
        && (is_number(at.checked_sub(1)) || is_number(at.checked_add(1)))
}

/// Marks the tokens that the model is asked about, and gives them their parts.
fn ask(text: &str, all: &mut [Token]) {
    // Where the last name-like token ended, and where the next starts, both as index and byte.
    let strong: Vec<usize> =
        (0..all.len()).filter(|at| all.get(*at).is_some_and(is_strong) || is_road(all, *at)).collect();
    let mut next = 0;
    for at in 0..all.len() {
        while strong.get(next).is_some_and(|s| *s < at) {
            next += 1;
        }
        let Some(token) = all.get(at).copied() else { break };
        let asked = if is_code(text, &token) {
            false
        } else if strong.get(next) == Some(&at) {
            true
        } else {
            let near = |other: Option<&usize>| {
                other
                    .and_then(|o| all.get(*o).map(|t| (*o, t)))
                    .is_some_and(|(o, t)| o.abs_diff(at) <= NEAR && t.start.abs_diff(token.start) <= NEAR_BYTES)
            };
            is_weak(&token) && (near(strong.get(next)) || near(next.checked_sub(1).and_then(|n| strong.get(n))))
        };
        if asked && let Some(slot) = all.get_mut(at) {
            slot.asked = true;
            slot.strong = is_strong(slot);
            let word = text.get(slot.start..slot.end).unwrap_or_default();
            slot.suffix = hash_chars(word.chars().rev().take(3));
            slot.prefix = hash_chars(word.chars().take(3));
        }
    }
}

static LINK_HASHES: std::sync::LazyLock<Vec<u32>> =
    std::sync::LazyLock::new(|| LINKS.iter().map(|w| hash_word(w)).collect());
static PARTICLE_HASHES: std::sync::LazyLock<Vec<u32>> =
    std::sync::LazyLock::new(|| PARTICLES.iter().map(|w| hash_word(w)).collect());
