//! A text without what frames its words: the second reading of a text that may repeat a corpus.
//!
//! Words that are quoted in code, numbered as a list, set in markup, hyphenated at the ends of lines or written as one
//! identifier stand between, or are joined with, words that are not of the corpus. This reading leaves out what is not
//! prose. It is beside the first one, so that what it leaves out wrongly is still read there.

use bartizan_core::Span;

/// Longest tag or link target that is left out, bytes.
const LONGEST_MARK: usize = 256;
/// Fewest single letters of a line that are read as words with their letters apart.
const APART: usize = 12;
/// Tags that stand between words. Others may stand in one.
const BLOCKS: [&str; 16] =
    ["br", "p", "div", "li", "ul", "ol", "td", "tr", "th", "hr", "h1", "h2", "h3", "h4", "pre", "table"];

/// The reading, and where its bytes are in the text.
#[derive(Debug, Default)]
pub(crate) struct Prose {
    /// What is left.
    pub(crate) text: String,
    /// First byte of each piece here and in the text.
    pieces: Vec<(usize, usize)>,
    /// First byte in the text behind the last piece.
    end: usize,
}

/// The reading of a text; `None` where it is the text itself.
pub(crate) fn prose(text: &str) -> Option<Prose> {
    let mut out = Prose::default();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        out.line(text, at, line);
        at += line.len();
    }
    (out.text.len() != text.len() || out.pieces.len() > 1).then_some(out)
}

impl Prose {
    /// Where a range of the reading is in the text.
    pub(crate) fn place(&self, span: Span) -> Span {
        let of = |at: usize| {
            let after = self.pieces.partition_point(|(here, _)| *here <= at);
            let piece = after.checked_sub(1).and_then(|piece| self.pieces.get(piece));
            piece.map_or(0, |(here, there)| there + (at - here))
        };
        // The last byte tells better than what follows it, which may be of another piece.
        Span::new(of(span.start), span.end.checked_sub(1).map_or(0, |last| of(last) + 1))
    }

    fn keep(&mut self, text: &str, from: usize, to: usize) {
        let Some(kept) = text.get(from..to).filter(|kept| !kept.is_empty()) else { return };
        if from != self.end || self.pieces.is_empty() {
            self.pieces.push((self.text.len(), from));
        }
        self.text.push_str(kept);
        self.end = to;
    }

    /// A border between words that is not in the text.
    fn part(&mut self) {
        if !self.text.ends_with(' ') {
            self.pieces.push((self.text.len(), self.end));
            self.text.push(' ');
            self.end = usize::MAX;
        }
    }

    fn line(&mut self, text: &str, at: usize, line: &str) {
        let body = line.trim_end();
        let from = frame(body);
        let mut rest = body.get(from..).unwrap_or_default();
        let is_joined = rest.len() > 2
            && rest.strip_suffix('-').is_some_and(|before| before.ends_with(char::is_alphabetic))
            && text
                .get(at + line.len()..)
                .is_some_and(|next| next.trim_start_matches([' ', '\t']).starts_with(char::is_lowercase));
        if is_joined {
            rest = rest.strip_suffix('-').unwrap_or(rest);
        }
        match quoted(rest) {
            Some(pieces) => {
                for (start, end) in pieces {
                    self.inline(text, at + from + start, at + from + end, true);
                    self.part();
                }
            }
            None if is_apart(rest) => self.letters(text, at + from, rest),
            None => self.inline(text, at + from, at + from + rest.len(), false),
        }
        let end = at + from + rest.len();
        if is_joined {
            return;
        }
        // The end of the line, with the blanks before it.
        if self.end == end { self.keep(text, end, at + line.len()) } else { self.part() }
    }

    /// Keeps a part of a line without marks in it.
    fn inline(&mut self, text: &str, from: usize, to: usize, is_quoted: bool) {
        let Some(part) = text.get(from..to) else { return };
        let (mut kept, mut skip) = (0, 0);
        let (mut before, mut is_camel) = ([' '; 2], false);
        for (at, c) in part.char_indices() {
            if at < skip {
                continue;
            }
            let rest = part.get(at..).unwrap_or_default();
            let mark = match c {
                '\u{1b}' => escape(rest).map(|bytes| (bytes, false)),
                '<' => tag(rest),
                ']' => link(rest).map(|bytes| (bytes, false)),
                '[' => note(rest).map(|bytes| (bytes, false)),
                '\\' if is_quoted => rest.chars().nth(1).filter(char::is_ascii).map(|_| (2, true)),
                // In a word it is invisible, between two it is a blank: the first reading takes it for the former.
                '\u{200b}' => Some((c.len_utf8(), true)),
                _ => None,
            };
            if let Some((bytes, parts)) = mark {
                self.keep(text, from + kept, from + at);
                if parts {
                    self.part();
                }
                (kept, skip) = (at + bytes, at + bytes);
                before = [' '; 2];
                continue;
            }
            // `theTide`, and not `McNeil` or `USA`.
            let [first, last] = before;
            if c.is_uppercase() && last.is_lowercase() && (first.is_lowercase() || is_camel) {
                self.keep(text, from + kept, from + at);
                self.part();
                (kept, is_camel) = (at, true);
            }
            is_camel &= c.is_alphanumeric();
            before = [last, c];
        }
        self.keep(text, from + kept, to);
    }

    /// Joins letters that are one character apart; more between them ends a word.
    fn letters(&mut self, text: &str, from: usize, line: &str) {
        let mut last: Option<usize> = None;
        for (at, c) in line.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
            let between = last.and_then(|end| line.get(end..at));
            if between.is_some_and(|between| between.chars().count() > 1) {
                self.part();
            }
            self.keep(text, from + at, from + at + c.len_utf8());
            last = Some(at + c.len_utf8());
        }
    }
}

/// Bytes at the beginning of a line that are a mark of a quotation, comment, list or table, or a number.
fn frame(line: &str) -> usize {
    let mut rest = line;
    for _ in 0..8 {
        rest = rest.trim_start();
        let marks = rest.trim_start_matches(['-', '*', '+', '>', '#', '|', '/', '•', '–', '%', ';']);
        let digits = marks.trim_start_matches('(').trim_start_matches(|c: char| c.is_ascii_digit());
        let is_number = digits.len() < marks.len() && marks.len() - digits.len() <= 7;
        let cell = digits.trim_start_matches(' ').strip_prefix('|');
        let after = digits.strip_prefix(['.', ')', ':', '\t', ']']).or(cell).filter(|_| is_number);
        match after {
            Some(after) => rest = after,
            None if marks.len() < rest.len() => rest = marks,
            None => break,
        }
    }
    line.len() - rest.len()
}

/// The pieces in quotation marks, where they are most of a line of code. A piece ends at its line.
fn quoted(line: &str) -> Option<Vec<(usize, usize)>> {
    if !line.contains(['"', '\'', '`']) {
        return None;
    }
    let (mut pieces, mut outside) = (Vec::new(), 0);
    let mut open: Option<(char, usize)> = None;
    let (mut is_escaped, mut before) = (false, ' ');
    for (at, c) in line.char_indices() {
        match open {
            Some((mark, from)) if c == mark && !is_escaped => {
                pieces.push((from, at));
                open = None;
            }
            // An apostrophe in a word opens nothing.
            None if matches!(c, '"' | '\'' | '`') && !before.is_alphanumeric() => open = Some((c, at + c.len_utf8())),
            None => outside += usize::from(!c.is_alphanumeric() && before.is_alphanumeric()),
            Some(_) => {}
        }
        is_escaped = c == '\\' && !is_escaped;
        before = c;
    }
    let words = |(from, to): &(usize, usize)| line.get(*from..*to).map_or(0, |piece| piece.split_whitespace().count());
    let inside: usize = pieces.iter().map(words).sum();
    (inside >= 1 && outside <= inside.max(3)).then_some(pieces)
}

/// True for a line of single letters.
fn is_apart(line: &str) -> bool {
    let (mut single, mut other) = (0, 0);
    for word in line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.chars().nth(1).is_none() { single += 1 } else { other += 1 }
    }
    single >= APART && other * 4 <= single
}

/// Bytes of a sequence that steers a terminal (ECMA-48, control sequence).
fn escape(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix("\u{1b}[")?;
    let end = body.bytes().take(LONGEST_MARK).position(|b| (0x40..=0x7e).contains(&b))?;
    Some(2 + end + 1)
}

/// Bytes of a tag, and whether it stands between words.
fn tag(rest: &str) -> Option<(usize, bool)> {
    let body = rest.strip_prefix('<')?;
    let name = body.strip_prefix('/').unwrap_or(body);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let end = body
        .bytes()
        .take(LONGEST_MARK)
        .position(|b| b == b'>' || b == b'\n')
        .filter(|at| body.as_bytes().get(*at) == Some(&b'>'))?;
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    Some((1 + end + 1, BLOCKS.iter().any(|block| name.eq_ignore_ascii_case(block))))
}

/// Bytes behind the text of a Markdown link.
fn link(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix("](")?;
    let end = body
        .bytes()
        .take(LONGEST_MARK)
        .position(|b| b == b')' || b == b'\n')
        .filter(|at| body.as_bytes().get(*at) == Some(&b')'))?;
    Some(2 + end + 1)
}

/// Bytes of a mark of a note, such as `[3]`.
fn note(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('[')?;
    let body = body.strip_prefix('^').unwrap_or(body);
    let after = body.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = body.len() - after.len();
    (1..=4).contains(&digits).then_some(())?;
    after.strip_prefix(']').map(|after| rest.len() - after.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let read = prose(text).map_or_else(|| text.to_owned(), |prose| prose.text);
        let words = read.split(|c: char| !c.is_alphanumeric() && c != '\'');
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    }

    #[test]
    fn what_frames_words_is_left_out() {
        let wanted = ["when", "the", "tide", "is", "out", "they", "bury", "it"];
        for text in [
            "s = \"when the tide \"\ns += \"is out \"\ns += \"they bury it\"\n",
            "lines = [\n  'when the tide',\n  'is out they\\n',\n  'bury it',\n]".trim_start_matches("lines = [\n"),
            "1. when the\n2. tide is out\n3. they bury it",
            "| 1 | when the tide\n| 2 | is out they\n| 3 | bury it",
            "// when the tide\n// is out\n// they bury it",
            "<p>when the</p><p>tide <b>is</b> out<br>they bu<i>ry</i> it</p>",
            "when [the tide](https://example.com/some/where) is out [3] they [bury](x) it",
            "\u{1b}[1mwhen\u{1b}[0m the tide is out \u{1b}[38;5;9mthey bury it",
            "when the ti-\nde is out th-\n  ey bury it",
            "whenTheTideIsOutTheyBuryIt",
            "when\u{200b}the\u{200b}tide\u{200b}is\u{200b}out\u{200b}they\u{200b}bury\u{200b}it",
            "w h e n  t h e  t i d e  i s  o u t  t h e y  b u r y  i t",
            "w.h.e.n   t.h.e   t.i.d.e   i.s   o.u.t   t.h.e.y   b.u.r.y   i.t",
        ] {
            assert_eq!(words(text), wanted, "{text:?} {:?}", prose(text));
        }
    }

    #[test]
    fn ordinary_text_is_as_it_was() {
        for text in [
            "when the tide is out they bury it.\n\nAnd so on, until 1984.\n",
            "He didn't say what the McNeils' USA tour was; a < b, c[i] and (x) are fine",
            "",
            "\n\n",
        ] {
            assert!(prose(text).is_none(), "{text:?} {:?}", prose(text));
        }
    }

    #[test]
    fn places_are_those_of_the_text() {
        for text in
            ["1. when the\n2. tide ümlaut\n", "x = \"when the \" + \"tide ümlaut\"", "<b>when</b> the <p>tide ümlaut"]
        {
            let read = prose(text).unwrap();
            for word in ["when", "the", "tide", "ümlaut"] {
                let at = read.text.find(word).unwrap();
                let place = read.place(Span::new(at, at + word.len()));
                assert_eq!(text.get(place.start..place.end), Some(word), "{text:?} {read:?}");
            }
        }
    }

    #[test]
    fn hostile_text_is_read_and_placed_inside() {
        for piece in ["<", "[", "](", "\u{1b}[", "\"", "'a ", "<a ", "aB", "\\", "1.", "- ", "[1", "\u{200b}"] {
            let text = piece.repeat(200_000);
            let read = prose(&text);
            if let Some(read) = read {
                let place = read.place(Span::new(0, read.text.len()));
                assert!(place.end <= text.len());
            }
        }
    }
}
