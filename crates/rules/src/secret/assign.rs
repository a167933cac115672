//! The grammar of giving a value to a name, over the many notations that do: code, configuration, JSON, YAML, XML,
//! command lines, sentences.

use bartizan_core::Span;

use crate::tape::{Class, Tape};

/// Most bytes from the start of what names a value to the value.
pub(crate) const REACH: usize = 112;

/// Characters of names.
pub(crate) const NAME: Class = Class::WORD.or(Class::of(b"-."));

const BLANK: Class = Class::of(b" \t");
pub(crate) const QUOTES: Class = Class::of(b"\"'`");
/// Longest rest of a name, and longest words between a name and what gives it a value.
const REST: usize = 40;
const WORDS: usize = 24;

/// What gives a name its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// `=`, `:=`, `=>`, an XML attribute.
    Equals,
    /// `:`, as in JSON and YAML, and in the type annotations of code.
    Colon,
    /// `>`, the end of an XML tag.
    Tag,
    /// A comma behind a name in quotes, as between the arguments of a call.
    Argument,
    /// A bracket, as in `set_password("…")`.
    Call,
    /// The blank behind `--name`.
    Blank,
    /// `is`.
    Sentence,
}

/// A value that is given to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// First byte of the value.
    pub(crate) start: usize,
    /// The quote that it ends at.
    pub(crate) quote: Option<u8>,
    /// What gives it.
    pub(crate) by: By,
}

/// The rest of the name that `hit` stands in; `None` where it does not end soon.
pub(crate) fn rest_of_name(tape: &Tape<'_>, hit: Span) -> Option<Span> {
    let end = tape.run(hit.end, hit.end + REST, NAME);
    (end < hit.end + REST).then(|| Span::new(hit.end, end))
}

/// The part of the name before `hit`, at most `most` bytes.
pub(crate) fn name_before<'a>(tape: &Tape<'a>, hit: Span, most: usize) -> &'a [u8] {
    tape.slice(Span::new(tape.run_back(hit.start, hit.start.saturating_sub(most), NAME), hit.start))
}

/// The value given to the name that begins around `from` and ends at `name_end`. With `words`, other words may stand
/// between the name and the operator, as in `acme client key: …`.
pub(crate) fn value_after(tape: &Tape<'_>, from: usize, name_end: usize, words: bool) -> Option<Given> {
    let limit = from + REACH;
    // `"password"`, `['password']`, `password)`, `\"password\"`.
    let closed = tape.run(name_end, name_end + 4, Class::of(b"\"'`])\\"));
    let mut at = tape.run(closed, closed + 16, BLANK);
    let mut by = None;
    // The attribute form of configuration files: `key="password" value="…"`.
    if tape.starts(at, b"value") {
        at = tape.run(at + 5, at + 9, BLANK);
    } else if tape.starts(at, b"string ") {
        // `password string = …`
        at += 7;
    } else if tape.starts(at, b"is ") && at > closed {
        (at, by) = (at + 3, Some(By::Sentence));
    } else if tape.starts(at, b"</key>") {
        // The property lists of macOS: `<key>password</key><string>…</string>`.
        at = tape.run(at + 6, at + 38, Class::SPACE);
        if !tape.starts(at, b"<string>") {
            return None;
        }
        (at, by) = (at + 8, Some(By::Tag));
    } else if tape.at(at).is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        // Lists of variables in YAML: `- name: PASSWORD` and below it `value: …`.
        at = tape.run(at, at + 32, Class::SPACE);
        if !tape.starts(at, b"value:") {
            return None;
        }
        at += 5;
    } else if words && at > closed {
        at = tape.run(at, at + WORDS, NAME.or(BLANK));
    }
    let by = match by {
        Some(by) => by,
        None => {
            let operator = tape.run(at, at + 3, Class::of(b"=:?+.|>,(~-"));
            let signs = tape.slice(Span::new(at, operator));
            let named = tape.slice(Span::new(name_end, closed)).iter().any(|b| QUOTES.has(*b));
            let by = operator_of(signs, named).or_else(|| {
                // On a command line a blank is enough: `--password …`.
                let spaced = signs.is_empty() && name_end < at;
                (spaced && is_option(tape, from)).then_some(By::Blank)
            })?;
            at = operator;
            by
        }
    };
    let space = tape.run(at, limit, Class::SPACE);
    // Quotes inside a quoted text come with a backslash; strings of some languages with a letter.
    let slash = tape.run(space, space + 2, Class::of(b"\\@$"));
    let letter = tape.run(slash, slash + 2, Class::of(b"bBrRuUfFLN"));
    let (start, quote) = match (tape.at(slash), tape.at(letter)) {
        (Some(quote), _) if QUOTES.has(quote) => (quoted(tape, slash, quote)?, Some(quote)),
        (_, Some(quote)) if QUOTES.has(quote) && quote != b'`' => (quoted(tape, letter, quote)?, Some(quote)),
        (Some(_), _) => (space, None),
        (None, _) => return None,
    };
    // Between arguments of a call, names without quotes are variables.
    (start <= limit && (!matches!(by, By::Argument | By::Call) || quote.is_some())).then_some(Given {
        start,
        quote,
        by,
    })
}

/// The first byte behind the quotes that open at `at`: one, three of one kind, or two kinds. Two of one kind are an empty
/// text.
fn quoted(tape: &Tape<'_>, at: usize, quote: u8) -> Option<usize> {
    let start = tape.run(at, at + 3, QUOTES);
    (start != at + 2 || tape.before(start) != Some(quote)).then_some(start)
}

/// What the signs behind a name mean. A comma gives a value only to a name in quotes.
fn operator_of(signs: &[u8], quoted: bool) -> Option<By> {
    let has = |byte: u8| signs.contains(&byte);
    match signs {
        // `Token::Word`, `token == other`, `token.field`.
        [b':', b':', ..] | [b'=', b'=', ..] => None,
        _ if has(b'=') => Some(By::Equals),
        _ if has(b':') => Some(By::Colon),
        _ if has(b'(') => Some(By::Call),
        _ if has(b',') => quoted.then_some(By::Argument),
        [b'>', ..] => Some(By::Tag),
        _ => None,
    }
}

/// True where the name that `from` stands in is an option of a command line.
fn is_option(tape: &Tape<'_>, from: usize) -> bool {
    name_before(tape, Span::new(from, from), 24).starts_with(b"--")
}
