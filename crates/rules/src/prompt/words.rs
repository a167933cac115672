//! Reading a window of a text as words with meanings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use bartizan_core::{Span, Subject, ViewText, Views};

use crate::RulesError;
use bartizan_lexicon::{LEXICON, Sense};

/// Bytes read around an anchor.
const CONTEXT: usize = 256;
/// Bytes around an anchor in which heads of a phrase are looked for; the rest of the context is what they need.
const HEADS: usize = 128;
/// Longest stretch of anchors that is read at once.
const CHUNK: usize = 4096;

/// The views in which words are looked for. `Clean` differs from `Folded` in marks and case only, and the lexicon
/// is written without both.
pub(super) const WORD_VIEWS: Views = Views::FOLDED.with(Views::SKELETON).with(Views::DECODED);

/// The lexicon, compiled.
#[derive(Debug)]
pub(super) struct Words {
    automaton: AhoCorasick,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sense: Sense,
    /// A letter may stand before.
    open_start: bool,
    /// A letter may stand behind.
    open_end: bool,
}

/// A word of the lexicon in a [`Reading`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) sense: Sense,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A window in normal form: lower case, one blank between words, a line feed between paragraphs.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) text: String,
    /// Offset in the view of every byte of `text`, and of its end.
    offsets: Vec<usize>,
    /// Sorted by start.
    pub(super) marks: Vec<Mark>,
}

/// Chinese, Japanese and Thai put no blanks between words; Arabic writes some words together with the next.
pub(super) fn joined(c: char) -> bool {
    matches!(c as u32, 0x0E00..=0x0EFF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0x0600..=0x06FF)
}

impl Words {
    pub(super) fn new(rule: &str) -> Result<Self, RulesError> {
        let mut senses: BTreeMap<(String, bool), Sense> = BTreeMap::new();
        for (sense, words) in LEXICON {
            for word in words.split_whitespace() {
                let (stem, prefix) = word.strip_suffix('*').map_or((word, false), |stem| (stem, true));
                let known = senses.entry((stem.replace('_', " "), prefix)).or_default();
                *known = *known | *sense;
            }
        }
        let entries = senses
            .iter()
            .map(|((word, prefix), sense)| Entry {
                sense: *sense,
                open_start: word.starts_with("n't") || word.chars().next().is_some_and(joined),
                open_end: *prefix || word.chars().next_back().is_some_and(joined),
            })
            .collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(senses.keys().map(|(word, _)| word))
            .map_err(|e| RulesError::Pattern { rule: rule.to_owned(), reason: e.to_string() })?;
        Ok(Self { automaton, entries })
    }

    /// Reads a window of a view.
    pub(super) fn read(&self, view: &ViewText<'_>, window: Span) -> Reading {
        let mut reading = Reading::normal_form(window.of(&view.text), window.start);
        for found in self.automaton.find_overlapping_iter(&reading.text) {
            let Some(entry) = self.entries.get(found.pattern().as_usize()) else { continue };
            let before = reading.text.get(..found.start()).and_then(|t| t.chars().next_back());
            let after = reading.text.get(found.end()..).and_then(|t| t.chars().next());
            if (entry.open_start || !before.is_some_and(char::is_alphanumeric))
                && (entry.open_end || !after.is_some_and(char::is_alphanumeric))
            {
                // Names of hosts, files, variables and attributes say nothing about what is wanted.
                let inside = Sense::ABOUT | Sense::USER | Sense::ACTION | Sense::SHOW | Sense::MODEL;
                let name = entry.sense.has(inside) && named(&reading.text, found.start(), found.end());
                let sense = if name { entry.sense.without(inside) } else { entry.sense };
                if sense != Sense::NONE {
                    reading.marks.push(Mark { sense, start: found.start(), end: found.end() });
                }
            }
        }
        reading.marks.sort_by_key(|m| (m.start, m.end));
        reading
    }

    /// Reads a window that may end inside a character or outside the view.
    pub(super) fn read_clipped(&self, view: &ViewText<'_>, window: Span) -> Reading {
        self.read(view, Span::new(floor(&view.text, window.start), floor(&view.text, window.end)))
    }
}

impl Reading {
    /// The stretch of the reading that a stretch of the view became.
    pub(super) fn mark_at(&self, place: Span) -> Option<Mark> {
        let start = self.offsets.partition_point(|o| *o < place.start);
        let end = self.offsets.partition_point(|o| *o < place.end);
        (start < end).then_some(Mark { sense: Sense::NONE, start, end })
    }

    fn normal_form(window: &str, base: usize) -> Self {
        let mut text = String::with_capacity(window.len() + 8);
        let mut offsets = Vec::with_capacity(window.len() + 8);
        let mut chars = window.char_indices().peekable();
        // A word that is a paragraph of its own is a spacing trick, not a sentence.
        let mut blanks = 0;
        while let Some((at, c)) = chars.next() {
            let before = text.len();
            // A backslash at the border of a line goes on with it, in YAML and in shells.
            let layout =
                |c: char, next: Option<char>| c.is_whitespace() || (c == '\\' && next.is_none_or(char::is_whitespace));
            if layout(c, chars.peek().map(|(_, next)| *next)) {
                let mut lines = usize::from(c == '\n');
                while let Some((_, next)) = chars.next_if(|(_, next)| next.is_whitespace() || *next == '\\') {
                    lines += usize::from(next == '\n');
                }
                let paragraph = lines > 1 && blanks > 0;
                blanks = if paragraph { 0 } else { blanks + usize::from(lines < 2) };
                text.push(if paragraph { '\n' } else { ' ' });
            } else {
                match c {
                    '\u{2018}' | '\u{2019}' | '\u{02BC}' | '`' => text.push('\''),
                    // The view may or may not have taken the marks off these two.
                    '\u{0439}' | '\u{0419}' => text.push('\u{0438}'),
                    '\u{0451}' | '\u{0401}' => text.push('\u{0435}'),
                    _ => text.extend(c.to_lowercase()),
                }
            }
            offsets.extend(std::iter::repeat_n(base + at, text.len() - before));
        }
        offsets.push(base + window.len());
        Self { text, offsets, marks: Vec::new() }
    }

    /// The place in the view of a stretch of the reading.
    pub(super) fn place(&self, start: usize, end: usize) -> Span {
        let at = |i: usize| self.offsets.get(i).or(self.offsets.last()).copied().unwrap_or(0);
        Span::new(at(start), at(end).max(at(start)))
    }

    /// The sentence around a place, at most `reach` bytes to each side.
    pub(super) fn sentence(&self, start: usize, end: usize, reach: usize) -> Span {
        let from = floor(&self.text, start.saturating_sub(reach));
        let to = floor(&self.text, end.saturating_add(reach));
        let before = Span::new(from, start).of(&self.text);
        let after = Span::new(end, to).of(&self.text);
        Span::new(from + last_stop(before), end + first_stop(after))
    }

    /// At most so many bytes before a place.
    pub(super) fn before(&self, at: usize, reach: usize) -> &str {
        Span::new(floor(&self.text, at.saturating_sub(reach)), at).of(&self.text)
    }

    /// Marks that lie wholly in a range.
    pub(super) fn within(&self, range: Span) -> impl Iterator<Item = &Mark> {
        let first = self.marks.partition_point(|m| m.start < range.start);
        self.marks.iter().skip(first).take_while(move |m| m.start < range.end).filter(move |m| m.end <= range.end)
    }

    /// All meanings in a range.
    pub(super) fn senses(&self, range: Span) -> Sense {
        self.within(range).fold(Sense::NONE, |all, m| all | m.sense)
    }

    /// Meanings of the words that end right before a place, a blank between.
    pub(super) fn leading(&self, at: usize) -> Sense {
        let near = Span::new(at.saturating_sub(16), at);
        let touches = |m: &&Mark| {
            let gap = Span::new(m.end, at).of(&self.text);
            gap.chars().all(|c| c == ' ')
        };
        self.within(near).filter(touches).fold(Sense::NONE, |all, m| all | m.sense)
    }

    /// The words in a range: runs of letters, digits and apostrophes, with their extents.
    pub(super) fn words(&self, range: Span) -> impl Iterator<Item = Span> {
        let text = Span::new(range.start, floor(&self.text, range.end)).of(&self.text);
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = text.get(at..)?;
            let from = at + rest.find(char::is_alphanumeric)?;
            let word = text.get(from..)?;
            let letter = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '_' | '-');
            let len = word.find(|c| !letter(c)).unwrap_or(word.len());
            at = from + len;
            Some(Span::new(range.start + from, range.start + at))
        })
    }

    /// True where a mark covers the beginning of a word.
    pub(super) fn known(&self, word: Span) -> bool {
        let before = Span::new(word.start.saturating_sub(40), word.end);
        let first = self.marks.partition_point(|m| m.start < before.start);
        let near = self.marks.iter().skip(first).take_while(|m| m.start <= word.start);
        near.filter(|m| m.end > word.start).any(|m| m.start <= word.start)
    }

    /// True where a clause starts at this place: nothing, punctuation or a paragraph border before it.
    pub(super) fn starts_clause(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default().trim_end_matches(' ');
        before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '\'' && c != '%')
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// True where a word is part of a name: `user-agent`, `x.example`, `send_mail`, `display:none`.
fn named(text: &str, start: usize, end: usize) -> bool {
    let mut before = text.get(..start).unwrap_or_default().chars().rev();
    let mut after = text.get(end..).unwrap_or_default().chars();
    let links = |c: Option<char>| c.is_some_and(|c| matches!(c, '.' | '@' | '/' | '_' | '-'));
    let goes_on = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (joint, ahead) = (before.next(), after.next());
    let left = matches!(joint, Some('_' | '{')) || (links(joint) && (goes_on(before.next()) || joint == Some('-')));
    let right = ahead == Some('=') || ((links(ahead) || ahead == Some(':')) && goes_on(after.next()));
    left || right
}

fn stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '\n' | '。' | '！' | '？' | '।' | '؟')
}

/// Offset of the first end of a sentence. A full stop ends one only where a blank or nothing follows.
fn first_stop(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, n)| *n);
        if stop(c) && (c != '.' || next.is_none_or(char::is_whitespace)) {
            return at;
        }
    }
    text.len()
}

/// Offset behind the last end of a sentence.
fn last_stop(text: &str) -> usize {
    let mut next = None;
    for (at, c) in text.char_indices().rev() {
        if stop(c) && (c != '.' || next.is_some_and(char::is_whitespace)) {
            return at + c.len_utf8();
        }
        next = Some(c);
    }
    0
}

/// The literals that lead to words with one of the meanings: no word twice, and none that another one begins.
pub(super) fn anchors(wanted: Sense, more: &[&'static str]) -> Vec<Cow<'static, str>> {
    let words = LEXICON.iter().filter(|(sense, _)| sense.has(wanted)).flat_map(|(_, words)| words.split_whitespace());
    let mut literals: Vec<String> =
        words.map(|w| w.trim_end_matches('*').replace('_', " ")).chain(more.iter().map(|w| (*w).to_owned())).collect();
    literals.retain(|w| w.len() >= 3);
    literals.sort_by_key(|w| (w.len(), w.clone()));
    let mut kept: Vec<String> = Vec::new();
    for literal in literals {
        if !kept.iter().any(|k| literal.contains(k.as_str())) {
            kept.push(literal);
        }
    }
    kept.into_iter().map(Cow::Owned).collect()
}

/// Reads the surroundings of all anchors of a subject, each stretch of text once, and offers every word to `head`.
pub(super) fn read_around_anchors(
    words: &Words,
    subject: &Subject<'_>,
    mut head: impl FnMut(&ViewText<'_>, &Reading, &Mark),
) {
    let mut hits = subject.hits.iter().peekable();
    let mut done = (usize::MAX, 0);
    while let Some(hit) = hits.next() {
        let Some(view) = subject.texts.get(hit.text) else { continue };
        if done.0 != hit.text {
            done = (hit.text, 0);
        }
        let mut own = hit.span;
        while let Some(next) = hits.next_if(|n| {
            n.text == hit.text && n.span.start <= own.end.saturating_add(HEADS) && n.span.end <= own.start + CHUNK
        }) {
            own.end = own.end.max(next.span.end);
        }
        let reading = words.read_clipped(view, Span::new(own.start.saturating_sub(CONTEXT), own.end + CONTEXT));
        let heads = own.start.saturating_sub(HEADS).max(done.1);
        for mark in &reading.marks {
            let at = reading.place(mark.start, mark.end).start;
            if at >= heads && at <= own.end + HEADS {
                head(view, &reading, mark);
            }
        }
        done.1 = own.end + HEADS + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lexicon_is_in_normal_form() {
        for (_, words) in LEXICON {
            for word in words.split_whitespace() {
                let plain = word.trim_end_matches('*').replace('_', " ");
                assert_eq!(Reading::normal_form(&plain, 0).text, plain);
                assert!(!plain.contains('*') && plain.chars().any(char::is_alphabetic), "{word}");
            }
        }
    }

    #[test]
    fn offsets_lead_back() {
        let window = "IGNORE  \n  İt\u{2019}s Йод";
        let reading = Reading::normal_form(window, 10);
        for (at, c) in reading.text.char_indices() {
            let place = reading.place(at, at + c.len_utf8());
            assert!(window.is_char_boundary(place.start - 10) && window.is_char_boundary(place.end - 10));
        }
        assert!(reading.text.starts_with("ignore i"));
    }

    #[test]
    fn sentences_end_at_stops() {
        let reading = Reading::normal_form("One. Two a.b c! Three", 0);
        let two = reading.text.find("a.b").unwrap();
        assert_eq!(reading.sentence(two, two + 3, 64).of(&reading.text), " two a.b c");
    }
}
