//! The notation of shapes and examples: literal text with `{class:length}` in it.

use std::ops::RangeInclusive;

use bartizan_core::Span;
use memchr::memmem;

use crate::tape::{Class, Tape};

use super::LONGEST;

/// Most pieces of one shape.
const MAX_PIECES: usize = 24;

/// Numbers that a piece reads under: its run, and the literal that ends it.
const READERS: usize = 2;

/// One piece of a shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Exactly this.
    Literal(Vec<u8>),
    /// So many characters of a class.
    Run {
        /// Name in the notation.
        name: String,
        /// The characters.
        class: Class,
        /// Least number.
        min: usize,
        /// Largest number.
        max: usize,
    },
}

/// The characters of a named class or of a set in brackets.
fn class(name: &str) -> Result<Class, String> {
    let hex = Class::DIGIT.or(Class::range(b'a', b'f'));
    Ok(match name {
        "digit" => Class::DIGIT,
        "lower" => Class::LOWER,
        "upper" => Class::UPPER,
        "alpha" => Class::LOWER.or(Class::UPPER),
        "alnum" | "crc32-base62" => Class::ALNUM,
        "lower-alnum" => Class::LOWER.or(Class::DIGIT),
        "upper-alnum" => Class::UPPER.or(Class::DIGIT),
        "hex" => hex,
        "hex-any" => hex.or(Class::range(b'A', b'F')),
        "upper32" => Class::UPPER.or(Class::range(b'2', b'7')),
        "base64" => Class::ALNUM.or(Class::of(b"+/")),
        "base64url" | "token" => Class::ALNUM.or(Class::of(b"-_")),
        // What stands between the lines of a PEM block, in a file or in a JSON string.
        "pem" => Class::ALNUM.or(Class::of(b"+/=\\:,.()")).or(Class::SPACE),
        "text" => Class::range(b' ', b'~').or(Class::SPACE),
        _ => {
            let Some(set) = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).filter(|s| !s.is_empty()) else {
                return Err(format!(
                    "`{name}` is no character class; use one of digit, lower, upper, alpha, alnum, lower-alnum, \
                     upper-alnum, hex, hex-any, upper32, base64, base64url, token, pem, text or a set such as `[A-F0-9]`"
                ));
            };
            if !set.is_ascii() {
                return Err(format!("the set `{name}` has characters outside ASCII"));
            }
            let mut all = Class::of(b"");
            let mut rest = set.as_bytes();
            loop {
                rest = match rest {
                    [first, b'-', last, tail @ ..] => {
                        if first > last {
                            return Err(format!("the set `{name}` has a range that runs backwards"));
                        }
                        all = all.or(Class::range(*first, *last));
                        tail
                    }
                    [one, tail @ ..] => {
                        all = all.or(Class::of(&[*one]));
                        tail
                    }
                    [] => break,
                };
            }
            all
        }
    })
}

fn run(inner: &str) -> Result<Piece, String> {
    let Some((name, length)) = inner.rsplit_once(':') else {
        return Err(format!("`{{{inner}}}` is not of the form `{{class:length}}`; write a literal brace twice"));
    };
    let class = class(name)?;
    let number =
        |text: &str| text.parse::<usize>().map_err(|_| format!("`{length}` is no length; write `36` or `20-80`"));
    let (min, max) = match length.split_once('-') {
        Some((min, max)) => (number(min)?, number(max)?),
        None => (number(length)?, number(length)?),
    };
    if min > max || max == 0 || max > LONGEST {
        return Err(format!("the length `{length}` must rise and lie between 1 and {LONGEST}"));
    }
    Ok(Piece::Run { name: name.to_owned(), class, min, max })
}

/// Reads the notation. Two braces stand for a literal one.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or_default();
        if (first == '{' || first == '}') && tail.starts_with(first) {
            literal.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            rest = tail.get(1..).unwrap_or_default();
        } else if first == '{' {
            let Some((inner, after)) = tail.split_once('}') else {
                return Err("a brace is not closed; write a literal brace twice".to_owned());
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(run(inner)?);
            rest = after;
        } else if first == '}' {
            return Err("a brace is closed but not opened; write a literal brace twice".to_owned());
        } else {
            literal.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            rest = tail;
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Where matching of a shape starts from.
#[derive(Clone, Debug)]
pub(super) enum Start {
    /// The shape begins with this literal. The searcher is built once: streams ask for it with every piece.
    Literal(Box<memmem::Finder<'static>>),
    /// The shape begins with a run, and this literal follows it; or behind pieces of so many bytes in all.
    Middle(Vec<u8>, Option<usize>),
    /// The shape has no literal long enough; context words lead to it.
    Context,
}

/// The form of a token.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pieces: Vec<Piece>,
    pub(super) start: Start,
    /// True where it may cover white space.
    pub(super) spaced: bool,
    /// Bytes of literal text: the more, the more specific.
    pub(super) specific: usize,
    /// Most bytes of a match, extension included.
    pub(super) longest: usize,
    /// The first of the numbers under which its pieces read a tape.
    pub(super) reader: usize,
}

/// A place where a shape fits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fit {
    pub(super) span: Span,
    /// The runs: what is secret about the token.
    pub(super) runs: Vec<Span>,
}

/// The first long literal behind pieces of fixed length, and how many bytes those have.
fn inside(pieces: &[Piece], long: impl Fn(&&Vec<u8>) -> bool) -> Option<(Vec<u8>, usize)> {
    let mut at = 0;
    for piece in pieces {
        match piece {
            Piece::Literal(literal) if long(&literal) => return Some((literal.clone(), at)),
            Piece::Literal(literal) => at += literal.len(),
            Piece::Run { min, max, .. } if min == max => at += min,
            Piece::Run { .. } => return None,
        }
    }
    None
}

impl Shape {
    /// Reads the notation. `readers` counts the numbers that were given out.
    pub(super) fn parse(text: &str, readers: &mut usize) -> Result<Self, String> {
        let pieces = parse(text)?;
        if pieces.is_empty() || pieces.len() > MAX_PIECES {
            return Err(format!("a shape has 1 to {MAX_PIECES} pieces"));
        }
        if !pieces.iter().any(|p| matches!(p, Piece::Run { .. })) {
            return Err("a shape needs at least one run such as `{alnum:36}`".to_owned());
        }
        for pair in pieces.windows(2) {
            if let [Piece::Run { min, max, .. }, Piece::Run { .. }] = pair
                && min != max
            {
                return Err("a run of variable length must be followed by literal text or end the shape".to_owned());
            }
        }
        // A tilde is rare enough for two characters.
        let long = |literal: &&Vec<u8>| {
            literal.is_ascii() && (literal.len() >= 3 || (literal.len() == 2 && literal.contains(&b'~')))
        };
        let start = match pieces.as_slice() {
            [Piece::Literal(literal), ..] if long(&literal) => {
                Start::Literal(Box::new(memmem::Finder::new(literal).into_owned()))
            }
            [Piece::Run { .. }, Piece::Literal(literal), ..] if long(&literal) => Start::Middle(literal.clone(), None),
            pieces => inside(pieces, long).map_or(Start::Context, |(literal, at)| Start::Middle(literal, Some(at))),
        };
        let mut longest = 0;
        let mut specific = 0;
        let mut spaced = false;
        for piece in &pieces {
            match piece {
                Piece::Literal(literal) => {
                    longest += literal.len();
                    specific += literal.len();
                    spaced |= !literal.iter().all(u8::is_ascii_graphic);
                }
                Piece::Run { class, max, .. } => {
                    longest += max;
                    spaced |= class.overlaps(Class::SPACE);
                }
            }
        }
        if longest > LONGEST {
            return Err(format!("a shape covers at most {LONGEST} bytes"));
        }
        if let Some(Piece::Run { min, max, .. }) = pieces.last()
            && min != max
        {
            longest = LONGEST;
        }
        let reader = *readers;
        *readers += READERS * pieces.len();
        Ok(Self { pieces, start, spaced, specific, longest, reader })
    }

    /// The first run's characters, where the shape begins with a run.
    fn leading(&self) -> Option<(Class, usize)> {
        match self.pieces.first() {
            Some(Piece::Run { class, max, .. }) => Some((*class, *max)),
            _ => None,
        }
    }

    /// The start of the run that ends at the middle literal.
    pub(super) fn start_before(&self, tape: &Tape<'_>, literal_at: usize) -> usize {
        if let Start::Middle(_, Some(offset)) = self.start {
            return literal_at.saturating_sub(offset);
        }
        self.leading()
            .map_or(literal_at, |(class, max)| tape.run_back(literal_at, literal_at.saturating_sub(max), class))
    }

    /// True where a token of this shape may start at `index`: not inside a longer run of its characters.
    pub(super) fn may_start(&self, tape: &Tape<'_>, index: usize) -> bool {
        let joined = tape.before(index).filter(|b| matches!(b, b'-' | b'_'));
        let inside = self.pieces.iter().find_map(|p| match p {
            Piece::Run { class, .. } => Some(*class),
            Piece::Literal(_) => None,
        });
        if !self.spaced && joined.is_some_and(|b| inside.is_some_and(|c| c.has(b))) {
            return false;
        }
        crate::tape::word_starts(tape, index)
    }

    /// Fits the shape at `start`. With `bounded`, a token of fixed length must not be followed by more of its kind.
    pub(super) fn fit(&self, tape: &Tape<'_>, start: usize, bounded: bool) -> Option<Fit> {
        let mut at = start;
        let mut runs = Vec::new();
        let mut pieces = self.pieces.as_slice();
        let mut reader = self.reader;
        while let Some((piece, rest)) = pieces.split_first() {
            let from = at;
            match piece {
                Piece::Literal(literal) => {
                    if !tape.starts(at, literal) {
                        return None;
                    }
                    at += literal.len();
                }
                Piece::Run { class, min, max, .. } => {
                    at = match rest.first() {
                        Some(Piece::Literal(literal)) if min != max => {
                            run_to(tape, reader, at, *class, *min..=*max, literal)?
                        }
                        _ => tape.run_again(reader, at, at + max, *class),
                    };
                    if at - from < *min {
                        return None;
                    }
                    if rest.is_empty() && min != max {
                        // Longer than expected: still one token, and half a token must not stay behind.
                        at = tape.run_again(reader, at, start + LONGEST, *class);
                    }
                    runs.push(Span::new(from, at));
                    if rest.is_empty() && bounded && min == max && tape.at(at).is_some_and(|b| class.has(b)) {
                        return None;
                    }
                }
            }
            pieces = rest;
            reader += READERS;
        }
        let ends_in_word = tape.before(at).is_some_and(|b| Class::ALNUM.has(b));
        if bounded && ends_in_word && at < start + LONGEST && tape.at(at).is_some_and(|b| Class::WORD.has(b)) {
            return None;
        }
        Some(Fit { span: Span::new(start, at), runs })
    }
}

/// The first place, a `length` on, where `literal` follows a run of `class`. Asks for no byte that reading one by one
/// would not ask for.
fn run_to(
    tape: &Tape<'_>,
    reader: usize,
    from: usize,
    class: Class,
    length: RangeInclusive<usize>,
    literal: &[u8],
) -> Option<usize> {
    let (least, most) = (from + length.start(), from + length.end());
    if tape.run_again(reader, from, least, class) < least {
        return None;
    }
    if let Some(at) = tape.find_again(reader + 1, least, most + 1, literal) {
        return (tape.run_again(reader, from, at, class) == at).then_some(at);
    }
    let end = tape.run_again(reader, from, most, class);
    // The literal may have begun at the end of the text: asking for the rest of it marks the tape.
    let _ = (least.max((tape.len() + 1).saturating_sub(literal.len()))..=end).any(|at| tape.starts(at, literal));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(shape: &str, text: &str) -> Option<usize> {
        Shape::parse(shape, &mut 0).unwrap().fit(&Tape::new(text), 0, true).map(|f| f.span.end)
    }

    #[test]
    fn shapes_fit() {
        assert_eq!(fits("ab-{digit:3}", "ab-123."), Some(6));
        assert_eq!(fits("ab-{digit:3}", "ab-1234"), None);
        assert_eq!(fits("ab-{digit:3}", "ab-12"), None);
        assert_eq!(fits("ab-{digit:2-3}", "ab-12345 6"), Some(8));
        assert_eq!(fits("ab-{alnum:2-9}MARK{alnum:2}", "ab-xxMARKyy"), Some(11));
        assert_eq!(fits("{[A-C_-]:2}x{{", "A-x{"), Some(4));
    }

    /// What [`run_to`] answers, byte by byte.
    fn run_to_plainly(tape: &Tape<'_>, from: usize, class: Class, min: usize, max: usize, end: &[u8]) -> Option<usize> {
        for at in from..=from + max {
            if at - from >= min && tape.starts(at, end) {
                return Some(at);
            }
            if at - from >= max || !tape.at(at).is_some_and(|b| class.has(b)) {
                return None;
            }
        }
        None
    }

    proptest::proptest! {
        #[test]
        fn runs_end_at_the_first_literal(
            text in "([a-c-]{1,60}[.M]){0,6}[a-c]{0,50}(MA|MAR)?",
            places in proptest::collection::vec((0..300_usize, 0..90_usize, 1..200_usize), 1..20),
            marked in proptest::bool::ANY,
            covers in proptest::bool::ANY,
        ) {
            let text = if marked { text.replace("a-", "MARK") } else { text };
            let (tape, fresh) = (Tape::new(&text), Tape::new(&text));
            // The run may cover the literal, or end where it begins.
            let class = if covers { Class::ALNUM } else { Class::LOWER }.or(Class::of(b"-"));
            for (from, min, more) in places.into_iter().filter(|(from, ..)| *from <= text.len()) {
                proptest::prop_assert_eq!(
                    run_to(&tape, 0, from, class, min..=min + more, b"MARK"),
                    run_to_plainly(&fresh, from, class, min, min + more, b"MARK")
                );
                proptest::prop_assert_eq!(tape.take_open(), fresh.take_open());
            }
        }
    }

    #[test]
    fn overlapping_tokens_are_read_once() {
        for (shape, unit) in [
            ("sk-x-{digit:1}-{token:20-80}", "sk-x-7-"),
            ("a-{digit:1}.{token:3-5000}MARK{digit:1}", "a-7."),
            ("a-{digit:1}-{token:3-5000}.b{token:3-9}", "a-7-"),
        ] {
            let shape = Shape::parse(shape, &mut 0).unwrap();
            let text = unit.repeat((1 << 16) / unit.len());
            let tape = Tape::new(&text);
            for start in (0..text.len()).step_by(unit.len()) {
                let _ = shape.fit(&tape, start, true);
            }
            // At each start: the literals, the runs up to where they are remembered, twice, and its share of the text.
            let most = text.len() / unit.len() * 150;
            assert!(tape.reads() <= most, "{} bytes read of {}: {unit}", tape.reads(), text.len());
        }
    }

    #[test]
    fn mistakes_are_named() {
        for bad in [
            "abc",
            "{alnum}",
            "{nope:3}",
            "{alnum:3",
            "a}b{alnum:2}",
            "{alnum:0}",
            "{alnum:5-2}",
            "{alnum:99999}",
            "{alnum:1-2}{digit:3}",
            "{[z-a]:1}",
        ] {
            assert!(Shape::parse(bad, &mut 0).is_err(), "{bad}");
        }
    }
}
