//! Which parts of a Markdown text are code: shown, not rendered.

use bartizan_core::Span;

/// Longest inline code that is looked for.
const INLINE: usize = 1024;

/// The code of a text, in order. Source: CommonMark 0.31, fenced code blocks and code spans.
#[derive(Debug, Default)]
pub(crate) struct CodeSpans(Vec<Span>);

impl CodeSpans {
    pub(crate) fn new(text: &str) -> Self {
        let mut all = Vec::new();
        let mut fence: Option<(u8, usize, usize)> = None;
        let mut prose = 0;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let next = at + line.len();
            match (fence, fence_of(line)) {
                (None, Some((mark, length, _))) => {
                    inline(text, prose, at, &mut all);
                    fence = Some((mark, length, at));
                }
                (Some((mark, length, start)), Some((m, l, true))) if m == mark && l >= length => {
                    all.push(Span::new(start, next));
                    fence = None;
                    prose = next;
                }
                _ => {}
            }
            at = next;
        }
        match fence {
            Some((_, _, start)) => all.push(Span::new(start, text.len())),
            None => inline(text, prose, text.len(), &mut all),
        }
        Self(all)
    }

    pub(crate) fn contains(&self, at: usize) -> bool {
        let next = self.0.partition_point(|s| s.end <= at);
        self.0.get(next).is_some_and(|s| s.start <= at)
    }
}

/// The character of a fence, how many there are, and whether nothing follows.
fn fence_of(line: &str) -> Option<(u8, usize, bool)> {
    let body = line.trim_start_matches([' ', '>', '\t']);
    let mark = body.bytes().next().filter(|b| matches!(b, b'`' | b'~'))?;
    let length = body.bytes().take_while(|b| *b == mark).count();
    let rest = body.get(length..)?;
    // An info string of a backtick fence has no backtick: ```` ```a``` ```` is inline code.
    (length >= 3 && !(mark == b'`' && rest.contains('`'))).then(|| (mark, length, rest.trim().is_empty()))
}

/// Code between runs of as many backticks in `text[from..to]`.
fn inline(text: &str, from: usize, to: usize, all: &mut Vec<Span>) {
    let bytes = text.as_bytes().get(..to).unwrap_or_default();
    let run = |at: usize| bytes.get(at..).map_or(0, |b| b.iter().take_while(|b| **b == b'`').count());
    let find = |at: usize| bytes.get(at..).and_then(|b| memchr::memchr(b'`', b)).map(|i| at + i);
    let mut at = from;
    while let Some(open) = find(at) {
        let length = run(open);
        at = open + length;
        let mut close = at;
        while let Some(next) = find(close).filter(|next| *next - open <= INLINE) {
            let other = run(next);
            close = next + other;
            if other == length {
                let inner = Span::new(at, next).of(text);
                if !inner.contains("\n\n") {
                    all.push(Span::new(open, close));
                    at = close;
                }
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_from_prose() {
        let text = "a `b` c\n```html\n<d>\n```\ne ``f ` g`` h\n~~~\n```\ni\n";
        let code = CodeSpans::new(text);
        let inside: String =
            text.char_indices().filter(|(i, c)| code.contains(*i) && c.is_alphabetic()).map(|(_, c)| c).collect();
        assert_eq!(inside, "bhtmldfgi");
    }
}
