//! Runs of digits, the anchor of numeric identifiers.

use bartizan_core::Span;

/// Fewest digits of a run.
pub(crate) const LEAST: usize = 7;
/// Most separators between two digits of a run.
const GAP: usize = 2;
/// Bytes tested at once for holding no digit; a multiple of the vector width.
const BLOCK: usize = 32;

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+')
}

/// Offset of the first digit at or after `from`.
fn next_digit(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(from..)?;
        match rest.first_chunk::<BLOCK>() {
            // Without a branch per byte the compiler makes vector code of it.
            Some(block) if !block.iter().fold(false, |any, b| any | b.is_ascii_digit()) => from += BLOCK,
            Some(block) => return block.iter().position(u8::is_ascii_digit).map(|at| from + at),
            None => return rest.iter().position(u8::is_ascii_digit).map(|at| from + at),
        }
    }
}

/// Calls `each` with every maximal run, from its first to its last digit.
pub(crate) fn runs(text: &str, mut each: impl FnMut(Span)) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(start) = next_digit(bytes, from) {
        let (mut end, mut count, mut at) = (start, 0_usize, start);
        while let Some(byte) = bytes.get(at) {
            if byte.is_ascii_digit() {
                count += 1;
                end = at + 1;
            } else if !is_separator(*byte) || at - end >= GAP {
                break;
            }
            at += 1;
        }
        if count >= LEAST {
            each(Span::new(start, end));
        }
        from = at.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        runs(text, |span| all.push(span.of(text)));
        all
    }

    #[test]
    fn runs_follow_their_definition() {
        assert_eq!(found("call +1 (555) 010-9999 now"), ["1 (555) 010-9999"]);
        assert_eq!(found("1234567"), ["1234567"]);
        assert_eq!(found("123456"), [""; 0]);
        assert_eq!(found("123 - 4567 and 1234 -- 567"), [""; 0]);
        assert_eq!(found("12--34567, 89"), ["12--34567"]);
        assert_eq!(found(&format!("{}7654321{}", "x".repeat(61), "y".repeat(40))), ["7654321"]);
    }

    proptest! {
        /// Against the definition spelled out without blocks and look-ahead.
        #[test]
        fn runs_equal_the_plain_definition(text in "[0-9 .x-]{0,90}") {
            let bytes = text.as_bytes();
            let digits: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i].is_ascii_digit()).collect();
            let mut expected = Vec::new();
            let mut group: Vec<usize> = Vec::new();
            for at in digits {
                let joined = group.last().is_some_and(|last| {
                    at - last - 1 <= GAP && bytes[last + 1..at].iter().all(|b| is_separator(*b))
                });
                if !joined {
                    expected.push(std::mem::take(&mut group));
                }
                group.push(at);
            }
            expected.push(group);
            let expected: Vec<Span> =
                expected.iter().filter(|g| g.len() >= LEAST).map(|g| Span::new(g[0], g[g.len() - 1] + 1)).collect();
            let mut actual = Vec::new();
            runs(&text, |span| actual.push(span));
            prop_assert_eq!(actual, expected);
        }
    }
}
