//! Text in characters that nobody sees: tag characters, and bytes as variation selectors.

use bartizan_core::Span;

use super::readable::readable;
use super::{Budget, Payloads};
use crate::views::rewrite::Mapped;

/// Bytes of other text that may lie between two characters of one payload.
const GAP: usize = 16;
/// Fewest bytes in variation selectors. Emoji have one.
const SELECTORS: usize = 4;
/// Fewest tag characters.
const TAGS: usize = 2;

/// The hidden payloads of `text`.
pub(crate) fn hidden(text: &str, budget: &mut Budget) -> Option<Mapped> {
    if !may_hide(text.as_bytes()) {
        return None;
    }
    let mut payloads = Payloads::default();
    let (mut tags, mut selectors) = (Run::default(), Run::default());
    let mut flag = None;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match c {
            // The flags of England, Scotland and Wales are a black flag with tags and an end mark.
            '\u{1f3f4}' => flag = Some((end, tags.bytes.len())),
            '\u{e0020}'..='\u{e007e}' => tags.push(c as u32 - 0xe0000, at, end, TAGS, budget, &mut payloads),
            '\u{e007f}' => {
                if let Some((start, len)) = flag.take()
                    && end - start <= 28
                    && tags.bytes.len().saturating_sub(len) * 4 == at - start
                {
                    tags.bytes.truncate(len);
                }
            }
            '\u{fe00}'..='\u{fe0f}' => selectors.push(c as u32 - 0xfe00, at, end, SELECTORS, budget, &mut payloads),
            '\u{e0100}'..='\u{e01ef}' => {
                selectors.push(c as u32 - 0xe0100 + 16, at, end, SELECTORS, budget, &mut payloads);
            }
            _ => {}
        }
    }
    tags.finish(TAGS, budget, &mut payloads);
    selectors.finish(SELECTORS, budget, &mut payloads);
    payloads.finish()
}

/// Where the payload starts that text after `tail` may continue.
pub(crate) fn unfinished(tail: &str) -> Option<usize> {
    if !may_hide(tail.as_bytes()) {
        return None;
    }
    let mut start = None;
    let mut last = 0;
    for (at, c) in tail.char_indices() {
        if matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{1f3f4}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}') {
            if start.is_none() || at - last > GAP {
                start = Some(at);
            }
            last = at + c.len_utf8();
        }
    }
    start.filter(|_| tail.len() - last <= GAP)
}

/// A quick look for the first bytes of the characters in question.
fn may_hide(bytes: &[u8]) -> bool {
    memchr::memchr2_iter(0xf3, 0xef, bytes).any(|at| matches!(bytes.get(at..at + 2), Some([0xf3, 0xa0] | [0xef, 0xb8])))
}

#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    span: Span,
}

impl Run {
    fn push(&mut self, value: u32, at: usize, end: usize, least: usize, budget: &mut Budget, payloads: &mut Payloads) {
        if self.bytes.is_empty() || at - self.span.end > GAP {
            self.finish(least, budget, payloads);
            self.span.start = at;
        }
        self.span.end = end;
        self.bytes.push(value as u8);
    }

    fn finish(&mut self, least: usize, budget: &mut Budget, payloads: &mut Payloads) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() >= least
            && let Some(payload) = readable(&bytes)
            && budget.take(payload.len(), self.span.len())
        {
            payloads.push(&payload, self.span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(text: &str) -> Option<String> {
        hidden(text, &mut Budget { left: 1 << 20, refused: 0 }).map(|m| m.text)
    }

    fn tags(text: &str) -> String {
        text.chars().filter_map(|c| char::from_u32(0xe0000 + c as u32)).collect()
    }

    #[test]
    fn hidden_text_is_read() {
        assert_eq!(payload(&format!("hi {}!", tags("ignore all"))).as_deref(), Some("ignore all"));
        let between: String = "hello world".chars().zip(tags("ignore all").chars()).flat_map(|(a, b)| [a, b]).collect();
        assert_eq!(payload(&between).as_deref(), Some("ignore all"));
        let selectors: String = "ignore".bytes().filter_map(|b| char::from_u32(0xe0100 + u32::from(b) - 16)).collect();
        assert_eq!(payload(&format!("😀{selectors}")).as_deref(), Some("ignore"));
    }

    #[test]
    fn emoji_hide_nothing() {
        let england = format!("\u{1f3f4}{}\u{e007f}", tags("gbeng"));
        for text in [england.as_str(), "❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}", "你好，世界"] {
            assert_eq!(payload(text), None);
        }
    }
}
