//! What stands around a value and says that it is no secret: words of its name, lists, labels, minified code.

use bartizan_core::Span;

use super::assign::{By, Given, NAME, QUOTES};
use crate::tape::{Class, Tape, word_before};

/// Words right before a lead that make the values of a name known to others anyway, or names of something else.
const PUBLIC: [&[u8]; 24] = [
    b"websocket",
    b"hashed",
    b"csrf",
    b"xsrf",
    b"public",
    b"authenticity",
    b"page",
    b"next",
    b"cursor",
    b"device",
    b"continuation",
    b"sync",
    b"pub",
    b"primary",
    b"foreign",
    b"sort",
    b"partition",
    b"cache",
    b"idempotency",
    b"bucket",
    b"site",
    b"publishable",
    b"hash",
    b"badge",
];

/// Words right before that say that the value is none that anybody uses, as in tests: `invalidToken`, `fake_key`.
const DISOWNED: [&[u8]; 16] = [
    b"nonmatching",
    b"unmatched",
    b"invalid",
    b"fake",
    b"dummy",
    b"wrong",
    b"bogus",
    b"mock",
    b"mocked",
    b"incorrect",
    b"malformed",
    b"expired",
    b"revoked",
    b"example",
    b"sample",
    b"placeholder",
];

/// What sets up the search box of a page, with a key that may only search.
const SEARCH: [&[u8]; 2] = [b"docsearch(", b"algoliasearch("];
/// How far before a value is looked for what decides about it.
const BEHIND: usize = bartizan_core::detector::LOOKBEHIND - 8;

/// True where the part of a name before a lead says that its value is none in use.
pub(super) fn is_disowned(name: &[u8]) -> bool {
    ends_with_word(name, &DISOWNED)
}

/// True where what stands before a lead says that its values are known to others: `public_token`, `publicKeyToken`,
/// `next page token`.
pub(super) fn is_public(tape: &Tape<'_>, name: &[u8], at: usize) -> bool {
    let word = || {
        let end = at.saturating_sub(usize::from(tape.before(at) == Some(b' ')));
        tape.slice(Span::new(tape.run_back(end, end.saturating_sub(16), Class::WORD), end))
    };
    let name = if name.is_empty() { word() } else { name };
    let key = name.len().saturating_sub(3);
    let of_key = name.get(key..).is_some_and(|tail| tail.eq_ignore_ascii_case(b"key"));
    ends_with_word(name, &PUBLIC) || (of_key && ends_with_word(name.get(..key).unwrap_or_default(), &PUBLIC))
}

/// True where the quote before a value ends a text with a name in it, as in `label("New password:")`.
pub(super) fn closes(tape: &Tape<'_>, hit: Span, given: Given) -> bool {
    if !matches!(given.by, By::Colon | By::Equals) || hit.end >= given.start {
        return false;
    }
    let floor = given.start.saturating_sub(BEHIND);
    let first = tape.run_back(hit.start, floor, NAME.or(Class::of(b" ")));
    let between = tape.slice(Span::new(hit.end, given.start.saturating_sub(1)));
    tape.before(first) == given.quote
        && tape.before(first.saturating_sub(1)) != Some(b'\\')
        && tape.slice(Span::new(first, hit.end)).first().is_some_and(|b| *b != b' ')
        && tape.before(given.start) == given.quote
        && !between.iter().any(|b| QUOTES.has(*b) || *b == b'\\')
}

/// True where a name in quotes and the value behind it are two of a list of more, as in `"user", "password", "host"`,
/// and not two arguments of a call. The value ends at `end`.
pub(super) fn is_listed(tape: &Tape<'_>, hit: Span, given: Given, end: usize) -> bool {
    let floor = given.start.saturating_sub(BEHIND);
    let name = tape.run_back(hit.start, floor, NAME);
    if !tape.before(name).is_some_and(|b| QUOTES.has(b)) {
        return true;
    }
    let item = name.saturating_sub(1);
    let before = tape.run_back(item, floor, Class::SPACE);
    match tape.before(before) {
        Some(b',') => tape.at(end + 1) != Some(b')'),
        Some(b'[') => tape.at(end + 1) == Some(b','),
        _ => false,
    }
}

/// True for the value of a name in minified code, `,apiKey:"…",`, and in what sets up a search box: who opens the page
/// can read it.
pub(super) fn is_shipped(tape: &Tape<'_>, hit: Span, given: Given, end: usize) -> bool {
    let name = tape.run_back(hit.start, hit.start.saturating_sub(24), Class::WORD);
    let joined = |byte: Option<u8>| byte.is_some_and(|b| matches!(b, b',' | b'{' | b'}'));
    let tight = given.by == By::Colon && tape.before(given.start.saturating_sub(1)) == Some(b':');
    (tight
        && joined(tape.before(name))
        && joined(tape.at(end + 1))
        && (tape.before(name) == Some(b',') || tape.at(end + 1) == Some(b','))
        && !tape.at(end + 2).is_some_and(|b| Class::SPACE.has(b)))
        || word_before(tape, given.start, BEHIND, &SEARCH, false)
}

/// True where the part of a name before a lead ends with one of these words: `public_`, `sitePublic`.
fn ends_with_word(name: &[u8], words: &[&[u8]]) -> bool {
    let name = name.strip_suffix(b"_").or(name.strip_suffix(b"-")).unwrap_or(name);
    words.iter().any(|word| {
        let Some(at) = name.len().checked_sub(word.len()) else { return false };
        let Some((before, tail)) = name.split_at_checked(at) else { return false };
        let hump =
            before.last().is_some_and(u8::is_ascii_lowercase) && tail.first().is_some_and(u8::is_ascii_uppercase);
        tail.eq_ignore_ascii_case(word) && (hump || before.last().is_none_or(|b| !b.is_ascii_alphanumeric()))
    })
}
