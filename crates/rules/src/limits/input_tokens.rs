//! How many tokens a request is, without any tokenizer's vocabulary.
//!
//! The rule is about a whole request, so the guard adds the texts up.

use std::borrow::Cow;

use bartizan_core::{Confidence, Persona, Reference, Rule, RuleId, Severity};
use unicode_script::{Script, UnicodeScript};

/// The rule.
pub static RULE: Rule = Rule {
    id: RuleId::new("limits/input-tokens"),
    summary: Cow::Borrowed("a request with more tokens than its route allows"),
    doc: Cow::Borrowed(include_str!("input_tokens.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM10"),
        Reference::new("CWE", "CWE-770"),
        Reference::new(
            "PAPER",
            "Petrov et al., Language Model Tokenizers Introduce Unfairness Between Languages, 2023",
        ),
    ]),
    since: Cow::Borrowed("0.1.0"),
};

/// Tokens that frame a message.
pub const MESSAGE: usize = 4;

/// ASCII letters of one token.
const LETTERS: usize = 5;

/// What characters are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Blank,
    Letters,
    Digits,
    Signs,
    /// Each character by itself, in quarters of a token.
    Alone(usize),
}

/// Tokens of a text, rather too many than too few, and never more than its bytes: tokenizers that fall back to bytes
/// make no more than that. The figures behind the rates are on the rule's page. Linear in the text.
#[must_use]
pub fn estimate(text: &str) -> usize {
    let (mut quarters, mut run, mut length) = (0_usize, Run::Blank, 0_usize);
    for c in text.chars() {
        let kind = kind(c);
        if let Run::Alone(cost) = kind {
            quarters += closed(run, length) + cost;
            (run, length) = (Run::Blank, 0);
        } else if kind == run {
            length += 1;
        } else {
            quarters += closed(run, length);
            (run, length) = (kind, 1);
        }
    }
    quarters += closed(run, length);
    quarters.div_ceil(4).min(text.len())
}

/// Quarters of a token that a run costs.
const fn closed(run: Run, length: usize) -> usize {
    match run {
        // A single blank belongs to the word after it.
        Run::Blank if length <= 1 => 0,
        Run::Blank => 4 * length.div_ceil(16),
        Run::Letters => 4 * length.div_ceil(LETTERS),
        Run::Digits => 4 * length.div_ceil(2),
        Run::Signs => 4 * length.div_ceil(2),
        Run::Alone(_) => 0,
    }
}

fn kind(c: char) -> Run {
    match c {
        ' ' | '\t' | '\n' | '\r' => Run::Blank,
        'a'..='z' | 'A'..='Z' => Run::Letters,
        '0'..='9' => Run::Digits,
        c if c.is_ascii() => Run::Signs,
        c => match c.script() {
            Script::Cyrillic => Run::Alone(3),
            Script::Latin | Script::Greek => Run::Alone(4),
            Script::Arabic | Script::Hebrew | Script::Devanagari => Run::Alone(5),
            Script::Han | Script::Hiragana | Script::Katakana | Script::Thai => Run::Alone(5),
            Script::Hangul => Run::Alone(6),
            Script::Bengali => Run::Alone(7),
            // Quotation marks, dashes and full stops of other scripts.
            Script::Common if c.len_utf8() < 4 => Run::Alone(4),
            // Emoji and scripts that tokenizers were not made for fall apart into bytes.
            _ => Run::Alone(4 * c.len_utf8()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_never_exceeds_the_bytes() {
        for text in ["", "a", "  ", "1", "!!", "ж", "语", "\u{1f600}", "a1!語"] {
            assert!(estimate(text) <= text.len(), "{text}");
        }
        assert_eq!(estimate(&"\u{10000}".repeat(1000)), 4000);
    }

    #[test]
    fn longer_texts_are_never_fewer_tokens() {
        let text = "The berth planner's note: 12 cranes, 3 tugs -- \u{5341}\u{4e8c} \u{43a}\u{440}\u{430}\u{43d}!";
        let mut last = 0;
        for (end, c) in text.char_indices() {
            let now = estimate(&text[..end + c.len_utf8()]);
            assert!(now + 1 >= last, "{end}");
            last = now;
        }
    }
}
