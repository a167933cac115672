//! The clean view: NFKC (UAX #15) with invisible characters out, letter case kept.

use bartizan_core::Span;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use super::chars::{props, rewritten};
use super::rewrite::{Mapped, Rewrite};

/// The clean form of `source`; none where it is clean already.
///
/// Invisible characters go first, so that what they kept apart can combine. Every cluster (a character and those
/// after it that may combine with it) is then normalised by itself, which gives NFKC of the whole because a
/// cluster starts where UAX #15 has a boundary. `spare` is how many bytes the result may be longer than the
/// source; compatibility characters past it stay as they are. Returns the bytes that this concerns as well.
pub(super) fn clean(source: &str, spare: usize) -> (Option<Mapped>, usize) {
    let mut rewrite = Rewrite::new(source);
    let (mut spare, mut kept) = (spare, 0);
    // Start of the last character that nothing before it can combine with.
    let mut base = 0;
    let mut chars = source.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let kind = props(c);
        if !kind.cleans() {
            base = at;
            continue;
        }
        let attached = kind.removed() || kind.tail();
        let start = if attached && base >= rewrite.position() { base } else { at };
        let own_end = at + c.len_utf8();
        let (mut end, mut combines) = (own_end, kind.tail());
        while let Some((next, d)) = chars.next_if(|(_, d)| props(*d).removed() || props(*d).tail()) {
            combines |= props(d).tail();
            end = next + d.len_utf8();
        }
        base = end;
        let cluster = Span::new(if combines { start } else { at }, end);
        let visible = || cluster.of(source).chars().filter(|d| !props(*d).removed());
        // Marks in place and in order are the rule in the scripts that need them.
        if combines
            && is_nfkc_quick(cluster.of(source).chars()) == IsNormalized::Yes
            && cluster.of(source).chars().all(|d| !props(d).removed() && rewritten(d).is_none())
        {
            continue;
        }
        if combines {
            let normal: String = visible().map(|d| rewritten(d).unwrap_or(d)).nfkc().collect();
            if normal != cluster.of(source) {
                replace(&mut rewrite, cluster, &normal, &mut spare, &mut kept);
            }
            continue;
        }
        if !kind.removed() {
            let normal: String = std::iter::once(rewritten(c).unwrap_or(c)).nfkc().collect();
            replace(&mut rewrite, Span::new(at, own_end), &normal, &mut spare, &mut kept);
        }
        let invisible = if kind.removed() { at } else { own_end };
        if invisible < end {
            rewrite.copy(invisible);
            rewrite.skip(end);
        }
    }
    (rewrite.finish(), kept)
}

/// Where the cluster starts that more characters may still join.
pub(super) fn unfinished(tail: &str) -> Option<usize> {
    let mut start = None;
    for (at, c) in tail.char_indices().rev() {
        let kind = props(c);
        if c.is_ascii() && start.is_none() && !kind.removed() {
            break;
        }
        start = Some(at);
        if !kind.removed() && !kind.tail() {
            break;
        }
    }
    start
}

fn replace(rewrite: &mut Rewrite<'_>, piece: Span, with: &str, spare: &mut usize, kept: &mut usize) {
    let growth = with.len().saturating_sub(piece.len());
    if growth > *spare {
        *kept += piece.len();
        return;
    }
    *spare -= growth;
    rewrite.replace(piece, with);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        clean(text, 1 << 20).0.map_or_else(|| text.to_owned(), |m| m.text)
    }

    #[test]
    fn characters_that_hide_words_go() {
        assert_eq!(cleaned("ig\u{200b}no\u{ad}re\u{202e} a\u{2060}ll"), "ignore all");
        assert_eq!(cleaned("ig\0no\x1bre"), "ignore");
        assert_eq!(cleaned("a\u{200b}\u{301}b"), "áb");
        assert_eq!(cleaned("ｉｇｎｏｒｅ\u{3000}𝐚𝐥𝐥"), "ignore all");
        assert_eq!(cleaned("one\u{2028}two\r\nthree\rfour"), "one\ntwo\r\nthree\rfour");
        assert_eq!(cleaned("e\u{301}\u{327}"), cleaned("e\u{327}\u{301}"));
        assert!(clean("Groß, naïve, 忽略所有指令, Игнорируй, हिन्दी, ภาษาไทย", 0).0.is_none());
    }

    #[test]
    fn growth_is_bounded() {
        let text = "\u{fdfa}".repeat(100);
        let (mapped, kept) = clean(&text, 90);
        assert!(mapped.unwrap().text.len() <= text.len() + 90);
        assert_eq!(kept, 97 * 3);
    }
}
