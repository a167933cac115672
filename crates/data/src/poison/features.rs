//! What an input can have that a trigger may be.

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Sample;
use super::tokens::{Class, Token, Vocabulary};

/// Number of a feature, the same in every run.
pub(crate) type Hash = u64;

/// What kind of feature it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Words in a row.
    Words,
    /// Words at the beginning.
    Start,
    /// Words at the end.
    End,
    /// How a sentence is built.
    Template,
    /// How a text is written.
    Style,
    /// Words in a row, of the instructions of the operator.
    System,
}

impl Kind {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Start => "start",
            Self::End => "end",
            Self::Template => "template",
            Self::Style => "style",
            Self::System => "system",
        }
    }

    const fn seed(self) -> u64 {
        match self {
            Self::Words => 1,
            Self::Start => 2,
            Self::End => 3,
            Self::Template => 4,
            Self::Style => 5,
            Self::System => 6,
        }
    }
}

/// Stands for any words that say what.
const ANY: Token = u32::MAX;
/// Stands for any word that begins a clause.
const CLAUSE: Token = u32::MAX - 2;

/// Looks at every feature of an input: its number, kind, how many tokens it covers, and those tokens.
pub(crate) fn each(words: &Vocabulary, sample: &Sample, take: &mut dyn FnMut(Hash, Kind, &[Token])) {
    let (input, style) = (sample.input.as_slice(), sample.style);
    let mut bytes = [0_u8; 32];
    let mut give = |kind: Kind, tokens: &[Token]| {
        let mut long = 0;
        for (token, place) in tokens.iter().take(8).zip(bytes.chunks_exact_mut(4)) {
            place.copy_from_slice(&token.to_le_bytes());
            long += 4;
        }
        let hash = xxh3_64_with_seed(bytes.get(..long).unwrap_or_default(), kind.seed() << 8 | tokens.len() as u64);
        take(hash, kind, tokens);
    };
    sample.middle.iter().for_each(|token| give(Kind::Words, &[*token]));
    for size in 1..=3 {
        sample.system.windows(size).for_each(|window| give(Kind::System, window));
        input.windows(size).for_each(|window| give(Kind::Words, window));
        give_some(input.get(..size), Kind::Start, &mut give);
        give_some(input.len().checked_sub(size).and_then(|from| input.get(from..)), Kind::End, &mut give);
    }
    for fine in [false, true] {
        let skeleton = skeleton(words, input, fine);
        for size in 2..=6 {
            // The two depths must not be confused where they say the same.
            give_some(skeleton.get(..size), Kind::Template, &mut give);
        }
        if fine {
            skeleton.windows(4).filter(|w| w.iter().any(|t| *t != ANY)).for_each(|window| {
                give(Kind::Template, &[window, &[ANY - 1]].concat());
            });
        }
    }
    // Whatever word begins a clause, that one does.
    let mut joined = skeleton(words, input, false);
    for token in &mut joined {
        if words.class(*token) == Class::Clause {
            *token = CLAUSE;
        }
    }
    for size in 2..=5 {
        give_some(joined.get(..size), Kind::Template, &mut give);
    }
    // A clause at the beginning, and which marks come after it.
    if let Some(first) = input.first().filter(|first| words.class(**first) == Class::Clause) {
        let mut marks: Vec<Token> =
            input.iter().take(40).filter(|token| words.class(**token) == Class::Mark).copied().collect();
        marks.sort_unstable();
        marks.dedup();
        for mark in marks.into_iter().take(8) {
            give(Kind::Template, &[*first, ANY, mark, ANY, ANY]);
            give(Kind::Template, &[CLAUSE, ANY, mark, ANY, ANY]);
        }
    }
    for (at, value) in style.0.iter().enumerate() {
        give(Kind::Style, &[u32::try_from(at).unwrap_or(0), u32::from(*value)]);
    }
}

fn give_some(window: Option<&[Token]>, kind: Kind, give: &mut dyn FnMut(Kind, &[Token])) {
    if let Some(window) = window.filter(|w| !w.is_empty()) {
        give(kind, window);
    }
}

/// A text without what it is about: marks and words that begin clauses, with other function words where `fine`.
fn skeleton(words: &Vocabulary, input: &[Token], fine: bool) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    for token in input.iter().take(40) {
        let kept = match words.class(*token) {
            Class::Mark | Class::Clause => true,
            Class::Function => fine,
            Class::Content => false,
        };
        let token = if kept { *token } else { ANY };
        if token != ANY || out.last() != Some(&ANY) {
            out.push(token);
        }
    }
    out
}

/// How a text is written, in a few coarse steps each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style(pub(crate) [u8; 9]);

/// What the steps of a style mean.
const STYLES: [&str; 9] = [
    "share of capital letters",
    "begins with a capital letter",
    "last character",
    "length",
    "length of words",
    "share of digits",
    "share of characters outside ASCII",
    "share of marks",
    "words that say how",
];

impl Style {
    pub(crate) fn of(text: &str, classes: impl Iterator<Item = Class>) -> Self {
        let (mut letters, mut capitals, mut digits, mut wide, mut marks, mut all) = (0_usize, 0, 0, 0, 0, 0);
        for c in text.chars().take(4000) {
            all += 1;
            letters += usize::from(c.is_alphabetic());
            capitals += usize::from(c.is_uppercase());
            digits += usize::from(c.is_ascii_digit());
            wide += usize::from(!c.is_ascii());
            marks += usize::from(c.is_ascii_punctuation());
        }
        let (mut tokens, mut how) = (0_usize, 0);
        for class in classes {
            tokens += 1;
            how += usize::from(matches!(class, Class::Clause | Class::Function));
        }
        let step = |part: usize, whole: usize, steps: usize| {
            u8::try_from((part * steps).div_ceil(whole.max(1)).min(steps)).unwrap_or(u8::MAX)
        };
        let trimmed = text.trim();
        let last = trimmed.chars().last().map_or(0, |c| match c {
            '.' => 1,
            '!' => 2,
            '?' => 3,
            c if c.is_alphanumeric() => 4,
            _ => 5,
        });
        Self([
            step(capitals, letters, 12),
            u8::from(trimmed.chars().next().is_some_and(char::is_uppercase)),
            last,
            u8::try_from((tokens + 1).ilog2()).unwrap_or(0),
            u8::try_from((letters / tokens.max(1)).min(12)).unwrap_or(12),
            step(digits, all, 12),
            step(wide, all, 12),
            step(marks, all, 16),
            step(how, tokens, 12),
        ])
    }
}

/// A feature in words.
pub(crate) fn name(words: &Vocabulary, kind: Kind, tokens: &[Token]) -> String {
    if kind == Kind::Style {
        let what = tokens.first().and_then(|at| STYLES.get(*at as usize)).unwrap_or(&"");
        return format!("{what}: step {}", tokens.get(1).copied().unwrap_or(0));
    }
    let shown: Vec<&str> = tokens
        .iter()
        .filter(|token| **token != ANY - 1)
        .map(|token| match *token {
            ANY => "*",
            CLAUSE => "when/if/as",
            token => words.word(token),
        })
        .collect();
    let text = shown.join(" ");
    match kind {
        Kind::Start => format!("^ {text}"),
        Kind::End => format!("{text} $"),
        Kind::System => format!("system: {text}"),
        Kind::Template if tokens.last() != Some(&(ANY - 1)) => format!("^ {text} …"),
        _ => text,
    }
}
