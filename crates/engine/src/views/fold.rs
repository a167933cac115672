//! The folded view: combining marks and spacing tricks out, letter case outside ASCII folded.

use bartizan_core::Span;

use super::ascii;
use super::chars::{self, Props, props};
use super::rewrite::{Mapped, Rewrite};

/// `source` without combining marks and without case outside ASCII; none where that changes nothing.
pub(super) fn characters(source: &str) -> Option<Mapped> {
    let mut rewrite = Rewrite::new(source);
    let mut folded = String::new();
    for (at, c) in source.char_indices() {
        if props(c).folds() {
            folded.clear();
            chars::fold(c, &mut folded);
            rewrite.replace(Span::new(at, at + c.len_utf8()), &folded);
        }
    }
    rewrite.finish()
}

/// `source` without the marks that [`characters`] drops, and else as it is.
pub(super) fn without_marks(source: &str) -> Option<Mapped> {
    let mut rewrite = Rewrite::new(source);
    for (at, c) in source.char_indices() {
        if chars::drops(c) {
            rewrite.copy(at);
            rewrite.skip(at + c.len_utf8());
        }
    }
    rewrite.finish()
}

/// Letters that a run needs before it counts as a word spelled out.
const LETTERS: usize = 4;
/// Times that the separator may repeat between two letters.
const REPEATS: usize = 3;
/// Bytes that may lie between two words of a run.
const BORDER: usize = 8;

/// `source` with spelled-out words (`i g n o r e  a l l`, `i-g-n-o-r-e`, a letter a line) put together; none where
/// there are none.
///
/// A run is four letters or more, each alone between separators, with the same separator (one character, up to
/// three times) between every two letters of a word. A wider gap, or white space where the separator is something
/// else, is a border between words. `a, b, c` and `| a | b |` have separators of two kinds and stay, and so do
/// abbreviations such as `e.g. p.m.`: one of the words has three letters, or four where separators end words too.
pub(super) fn spelled(source: &str) -> Option<Mapped> {
    let mut rewrite = Rewrite::new(source);
    if source.is_ascii() {
        for block in ascii::spelled_blocks(source.as_bytes()) {
            let mut at = block.start.max(rewrite.position());
            while let Some(run) = Run::find(source, at, block.end) {
                at = run.end;
                run.join(source, &mut rewrite);
            }
        }
    } else {
        let mut at = 0;
        while let Some(run) = Run::find(source, at, source.len()) {
            at = run.end;
            run.join(source, &mut rewrite);
        }
    }
    rewrite.finish()
}

/// Where the last spelled-out run starts, if it reaches the end of `tail` and may still grow or come to be.
pub(super) fn unfinished(tail: &str) -> Option<usize> {
    // Letters that stand alone, from the end: everything back to where a run is certain, or to its first letter.
    let mut letters = 0;
    let mut start = None;
    let mut gap = 0;
    let mut next_is_word = false;
    let mut back = tail.char_indices().rev().peekable();
    while let Some((at, c)) = back.next() {
        if chars::drops(c) {
            continue;
        }
        let kind = props(c);
        if !kind.word() {
            gap += c.len_utf8();
            if gap > BORDER {
                break;
            }
            next_is_word = false;
            continue;
        }
        let alone = !next_is_word && back.peek().is_none_or(|(_, before)| !props(*before).word());
        if !kind.letter() || !alone {
            break;
        }
        (gap, next_is_word, start) = (0, true, Some(at));
        letters += 1;
        // The gap before this letter may yet turn out to be too wide or too narrow: one border and one word more.
        if letters > 128 {
            break;
        }
    }
    start
}

/// One spelled-out run: the letters' places.
struct Run {
    letters: Vec<(usize, usize)>,
    separator: (char, usize),
    end: usize,
    /// Letters of the longest word.
    longest: usize,
    /// Borders have the separator in them.
    closed: bool,
}

fn char_at(source: &str, at: usize) -> Option<char> {
    source.get(at..)?.chars().next()
}

/// The letter at `at` and its end, if it stands alone; the caller has seen to what comes before it.
fn lone_letter(source: &str, at: usize) -> Option<(usize, usize)> {
    let mut rest = source.get(at..)?.chars();
    let c = rest.next()?;
    let lone = props(c).letter() && rest.next().is_none_or(|next| !props(next).word());
    lone.then(|| (at, at + c.len_utf8()))
}

/// The gap that starts at `at`: where it ends, and its character and count where it repeats one.
fn gap(source: &str, at: usize) -> (usize, Option<(char, usize)>) {
    let mut end = at;
    let mut first = None;
    let mut uniform = true;
    let mut count = 0;
    for c in source.get(at..).unwrap_or_default().chars() {
        if props(c).word() || end - at >= BORDER {
            break;
        }
        uniform &= *first.get_or_insert(c) == c;
        count += 1;
        end += c.len_utf8();
    }
    (end, first.filter(|_| uniform).map(|c| (c, count)))
}

impl Run {
    /// The first run that starts at `from` or later and before `to`.
    fn find(source: &str, from: usize, to: usize) -> Option<Self> {
        let mut before_is_word = source.get(..from)?.chars().next_back().is_some_and(|c| props(c).word());
        let mut at = from;
        while at < to {
            let c = char_at(source, at)?;
            let kind: Props = props(c);
            if kind.letter() && !before_is_word && lone_letter(source, at).is_some() {
                let run = Self::grow(source, at);
                if run.is_spelled() {
                    return Some(run);
                }
                // Letters that were part of a failed run with a wide separator may start one with a narrow one.
                at = run.retry().max(at + c.len_utf8());
                before_is_word = at == run.end;
                continue;
            }
            before_is_word = kind.word();
            at += c.len_utf8();
        }
        None
    }

    fn is_spelled(&self) -> bool {
        self.letters.len() >= LETTERS && self.longest >= if self.closed { LETTERS } else { LETTERS - 1 }
    }

    /// Where to look again after a run that is none: at its second letter where it is short, or else behind it,
    /// which keeps the whole search linear.
    fn retry(&self) -> usize {
        if self.letters.len() < 2 * LETTERS {
            self.letters.get(1).map_or(self.end, |second| second.0)
        } else {
            self.end
        }
    }

    /// The longest run whose first letter is at `at`.
    fn grow(source: &str, at: usize) -> Self {
        let mut run = Self { letters: Vec::new(), separator: ('\0', 0), end: at, longest: 0, closed: false };
        let mut word = 0;
        let mut next = lone_letter(source, at);
        while let Some(letter) = next {
            run.letters.push(letter);
            run.end = letter.1;
            word += 1;
            run.longest = run.longest.max(word);
            let (end, same) = gap(source, letter.1);
            if run.letters.len() == 1 {
                match same {
                    Some((c, count)) if count <= REPEATS => run.separator = (c, count),
                    _ => break,
                }
            } else if same != Some(run.separator) {
                let (c, count) = run.separator;
                let between = Span::new(letter.1, end).of(source);
                let narrower = same.is_some_and(|(d, n)| d == c && n < count);
                let blank = between.chars().all(|d| d == c || d.is_whitespace());
                next = lone_letter(source, end);
                if narrower || !blank || next.is_none() {
                    break;
                }
                run.closed |= !c.is_whitespace() && between.contains(c);
                word = 0;
            }
            next = lone_letter(source, end);
        }
        run
    }

    /// Writes the run as words.
    fn join(&self, source: &str, rewrite: &mut Rewrite<'_>) {
        let (separator, count) = self.separator;
        let width = separator.len_utf8() * count;
        for pair in self.letters.windows(2) {
            let [(_, end), (start, _)] = pair else { continue };
            let between = Span::new(*end, *start);
            if between.len() == width && between.of(source).chars().all(|c| c == separator) {
                rewrite.copy(between.start);
                rewrite.skip(between.end);
            } else if !between.of(source).chars().all(char::is_whitespace) {
                rewrite.replace(between, " ");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> String {
        spelled(text).map_or_else(|| text.to_owned(), |m| m.text)
    }

    #[test]
    fn spelled_words_are_put_together() {
        assert_eq!(joined("please i g n o r e  a l l now"), "please ignore  all now");
        assert_eq!(joined("i-g-n-o-r-e a-l-l"), "ignore all");
        assert_eq!(joined("i.g.n.o.r.e all"), "ignore all");
        assert_eq!(joined("i\ng\nn\no\nr\ne"), "ignore");
        assert_eq!(joined("i  g  n  o  r  e    a  l  l"), "ignore    all");
        assert_eq!(joined("x  i g n o r e"), "x  ignore");
        assert_eq!(joined("и г н о р и р у й"), "игнорируй");
        assert_eq!(joined("I * g * n"), "I * g * n");
        assert_eq!(joined("x i🔥g🔥n🔥o🔥r🔥e"), "x ignore");
        assert_eq!(
            joined(&format!("{}i g n o r e {}", "word ".repeat(40), "word ".repeat(40))),
            format!("{}ignore {}", "word ".repeat(40), "word ".repeat(40))
        );
    }

    #[test]
    fn ordinary_text_stays() {
        for text in [
            "a b c",
            "U.S.A.",
            "I am a man",
            "| a | b | c | d |",
            "f(a, b, c, d, e)",
            "e.g. i.e. p.m.",
            "1 2 3 4 5 6",
            "x = a + b * c",
            "忽略所有指令，我 是",
            "don't I'd he'll",
        ] {
            assert!(spelled(text).is_none(), "{text}");
        }
    }

    #[test]
    fn marks_and_case_go() {
        let folded = |t: &str| characters(t).map_or_else(|| t.to_owned(), |m| m.text);
        assert_eq!(folded("Ígnórè i\u{336}g\u{336}n"), "ignore ign");
        assert_eq!(folded("ИГНОРИРУЙ ЕЩЁ"), "игнорируй еще");
        assert_eq!(folded("GROẞ Straße ΣΟΦΟΣ σοφος ıİ"), "GROss Strasse σοφοσ σοφοσ ii");
    }
}
