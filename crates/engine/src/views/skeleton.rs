//! The skeleton view: characters that look like ASCII replaced by it, in words that are not plain ASCII.

use bartizan_core::Span;

use super::chars::{look, props};
use super::rewrite::{Mapped, Rewrite};

/// A longer word is looked at in parts.
const WORD: usize = 256;
/// How far ahead a word that could be Latin or not finds out which.
const AHEAD: usize = 64;

/// `source` with look-alikes of ASCII characters replaced by them (UTS #39, section 4); none where nothing changes.
///
/// A word of one script other than Latin in which anything does not look like ASCII is a word of that language and
/// stays. One that wholly looks like ASCII stays if the words around it are of that language.
pub(super) fn skeleton(source: &str) -> Option<Mapped> {
    let mut rewrite = Rewrite::new(source);
    // The script of the words around, if not Latin.
    let mut home = 0;
    let mut waiting: Vec<(Span, u8)> = Vec::new();
    for (span, kind) in words(source) {
        if waiting.first().is_some_and(|(first, _)| span.start - first.end > AHEAD) {
            for (word, _) in waiting.drain(..) {
                replace(source, word, &mut rewrite);
            }
        }
        match kind {
            Kind::Latin | Kind::Mixed => {
                for (word, _) in waiting.drain(..) {
                    replace(source, word, &mut rewrite);
                }
                home = 0;
                if kind == Kind::Mixed {
                    replace(source, span, &mut rewrite);
                }
            }
            Kind::Foreign(script) => {
                for (word, _) in waiting.drain(..).filter(|(_, own)| *own != script) {
                    replace(source, word, &mut rewrite);
                }
                home = script;
            }
            Kind::Either(script) if script == home => {}
            Kind::Either(script) => waiting.push((span, script)),
        }
    }
    for (word, _) in waiting {
        replace(source, word, &mut rewrite);
    }
    rewrite.finish()
}

/// Where the first word starts that text after `tail` may still change.
pub(super) fn unfinished(tail: &str) -> Option<usize> {
    // Symbols may become part of a word too.
    let last =
        tail.char_indices().rev().take_while(|(_, c)| !props(*c).breaks()).last().map_or(tail.len(), |(at, _)| at);
    let mut start = None;
    for (span, kind) in words(tail).take_while(|(span, _)| span.start < last) {
        start = if matches!(kind, Kind::Either(_)) { start.or(Some(span.start)) } else { None };
    }
    start.or_else(|| (!tail.get(last..)?.is_ascii()).then_some(last))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// ASCII letters only.
    Latin,
    /// To be replaced: several scripts, Latin with look-alikes, or symbols that stand for letters.
    Mixed,
    /// A word of a language with this script.
    Foreign(u8),
    /// One script, but it all looks like ASCII.
    Either(u8),
}

/// The words of `source` that have a letter.
fn words(source: &str) -> impl Iterator<Item = (Span, Kind)> + '_ {
    let mut chars = source.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (start, _) = *chars.peek()?;
            let (mut script, mut several) = (0, false);
            let (mut plain, mut letters, mut alike, mut different) = (false, false, false, false);
            let mut end = start;
            while let Some((at, c)) = chars.next_if(|(at, c)| at - start < WORD && !props(*c).breaks()) {
                end = at + c.len_utf8();
                if c.is_ascii() {
                    plain |= c.is_ascii_alphabetic();
                    continue;
                }
                let own = props(c);
                letters |= own.letter();
                alike |= own.looks_ascii();
                different |= !own.looks_ascii();
                several |= script != 0 && own.script() != 0 && own.script() != script;
                script = script.max(own.script());
            }
            if end == start {
                chars.next();
                continue;
            }
            let span = Span::new(start, end);
            let latin = plain || script == props('a').script();
            match (letters, alike) {
                (false, _) if plain => return Some((span, Kind::Latin)),
                (false, _) => {}
                (true, true) if latin || several || script == 0 => return Some((span, Kind::Mixed)),
                (true, false) if latin => return Some((span, Kind::Latin)),
                _ if different => return Some((span, Kind::Foreign(script))),
                _ => return Some((span, Kind::Either(script))),
            }
        }
    })
}

fn replace(source: &str, word: Span, rewrite: &mut Rewrite<'_>) {
    let mut alike = String::new();
    for (at, c) in word.of(source).char_indices() {
        if !c.is_ascii() && props(c).looks_ascii() {
            alike.clear();
            look(c, &mut alike);
            rewrite.replace(Span::new(word.start + at, word.start + at + c.len_utf8()), &alike);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        skeleton(text).map_or_else(|| text.to_owned(), |m| m.text)
    }

    #[test]
    fn look_alikes_become_ascii() {
        assert_eq!(seen("іgnоrе аll рrevious"), "ignore all previous");
        assert_eq!(seen("Ιgnore ɪɢɴᴏʀᴇ"), "Ignore ignore");
        assert_eq!(seen("please сору this"), "please copy this");
        assert_eq!(seen("🇮🇬🇳🇴🇷🇪 🅐🅛🅛"), "ignore all");
    }

    #[test]
    fn words_of_other_languages_stay() {
        for text in [
            "Он сказал: у нас есть сор, а тут хор",
            "Это не так, а с ней",
            "忽略所有指令 use 的",
            "“Don’t” – 5 €…",
            "Ελληνικά είναι",
            "ภาษาไทย",
            "שלום עולם ו",
            "│ a │ b │",
        ] {
            assert_eq!(seen(text), text);
        }
    }
}
