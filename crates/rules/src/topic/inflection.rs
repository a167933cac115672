//! Words as they are looked for, and which longer words are forms of them.

use std::borrow::Cow;

use bartizan_core::Span;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

use crate::RulesError;

/// Endings that make no other word: plurals, genitives, cases and simple tenses of languages in Latin script.
const LATIN: [&str; 15] = ["s", "es", "'s", "\u{2019}s", "e", "en", "er", "ern", "em", "n", "ed", "ing", "i", "a", "x"];
/// Letters that words of other scripts may take before and after, in characters.
const AFTER: usize = 3;
const BEFORE: usize = 2;

/// A word or phrase that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Stem {
    /// What is looked for: the first word, folded, without its own ending where that changes.
    pub(super) literal: String,
    /// The other words of a phrase, folded in the same way.
    rest: Vec<String>,
    ends: Ends,
}

/// Most blanks between two words of a phrase.
const BLANKS: usize = 4;

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'-')
}

/// What may stand around a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// Nothing of the same word.
    Exact,
    /// Any letters behind it.
    Prefix,
    /// An ending of a language in Latin script.
    Latin,
    /// A few letters behind it.
    Behind,
    /// A few letters before and behind it: articles and prepositions that are written together.
    Around,
    /// Anything: the script has no blanks between words.
    Anything,
}

/// As the folded view spells it: compatibility forms, case and marks gone.
pub(super) fn fold(word: &str) -> String {
    word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).nfc().collect()
}

impl Stem {
    /// A word or phrase of the configuration.
    ///
    /// # Errors
    /// It is too short to be looked for.
    pub(super) fn new(topic: &str, word: &str, exact: bool) -> Result<Self, RulesError> {
        let (bare, prefix) = word.trim().strip_suffix('*').map_or((word.trim(), false), |bare| (bare, true));
        let mut literal = fold(bare).split_whitespace().collect::<Vec<_>>().join(" ");
        if literal.len() < 3 {
            return Err(super::wrong(topic, format!("has the word `{word}`, which is shorter than three bytes")));
        }
        let last = literal.chars().next_back().unwrap_or(' ');
        let letters = literal.chars().count();
        let ends = match last.script() {
            _ if prefix => Ends::Prefix,
            // Endings of short words make other words: `car`, `care`, `card`.
            Script::Latin | Script::Cyrillic | Script::Greek if exact || letters < 4 => Ends::Exact,
            Script::Latin => Ends::Latin,
            Script::Cyrillic | Script::Greek => {
                if matches!(last, 'а' | 'я' | 'о' | 'е' | 'ь' | 'й' | 'ы' | 'и' | 'α' | 'ο' | 'η' | 'ς') {
                    literal.pop();
                }
                Ends::Behind
            }
            Script::Hangul => Ends::Behind,
            Script::Arabic | Script::Hebrew => {
                if exact {
                    Ends::Exact
                } else {
                    Ends::Around
                }
            }
            Script::Common => Ends::Exact,
            _ => Ends::Anything,
        };
        // A first word that is too short to be looked for stays with its phrase.
        let (literal, rest) = match literal.split_once(' ') {
            Some((first, rest)) if first.len() >= 3 => (first.to_owned(), rest.split(' ').map(str::to_owned).collect()),
            _ => (literal, Vec::new()),
        };
        Ok(Self { literal, rest, ends })
    }

    /// Most bytes of the word or phrase, without an ending.
    pub(super) fn longest(&self) -> usize {
        self.literal.len() + self.rest.iter().map(|word| word.len() + BLANKS).sum::<usize>()
    }

    /// True where more text could make a text that ends here go on as this word or phrase.
    pub(super) fn may_begin(&self, text: &[u8]) -> bool {
        let mut at = text;
        for (number, word) in std::iter::once(&self.literal).chain(&self.rest).enumerate() {
            if number > 0 {
                let blanks = at.iter().take(BLANKS).take_while(|b| is_blank(**b)).count();
                if blanks == 0 && !at.is_empty() {
                    return false;
                }
                at = at.get(blanks..).unwrap_or_default();
            }
            let shared = at.len().min(word.len());
            let same = match (at.get(..shared), word.as_bytes().get(..shared)) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                _ => false,
            };
            if !same {
                return false;
            }
            if shared < word.len() {
                return true;
            }
            at = at.get(shared..).unwrap_or_default();
        }
        true
    }

    /// Where the phrase that begins with the literal ends.
    fn phrase(&self, text: &str, from: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut at = from;
        for word in &self.rest {
            let blanks = bytes.get(at..)?.iter().take(BLANKS).take_while(|b| is_blank(**b)).count();
            at += blanks;
            let end = at + word.len();
            if blanks == 0 || !bytes.get(at..end)?.eq_ignore_ascii_case(word.as_bytes()) {
                return None;
            }
            at = end;
        }
        Some(at)
    }

    /// The whole word around a place where the literal stands, if it is a form of this word.
    pub(super) fn fits(&self, text: &str, at: Span) -> Option<Span> {
        let at = Span::new(at.start, self.phrase(text, at.end)?);
        if self.ends == Ends::Anything {
            return Some(at);
        }
        let before = text.get(..at.start)?;
        let after = text.get(at.end..)?;
        let is_word = |c: &char| c.is_alphanumeric();
        let ahead = before.chars().rev().take(BEFORE + 1).take_while(is_word).count();
        let lead = if self.ends == Ends::Around { BEFORE } else { 0 };
        if ahead > lead {
            return None;
        }
        let start = before.char_indices().rev().take(ahead).last().map_or(at.start, |(i, _)| i);
        let rest = |most: usize| after.chars().take(most + 1).take_while(is_word);
        let tail = match self.ends {
            Ends::Prefix => return Some(Span::new(start, at.end)),
            Ends::Exact => rest(0).next().is_none().then_some(0)?,
            Ends::Behind | Ends::Around => {
                (rest(AFTER).count() <= AFTER).then(|| rest(AFTER).map(char::len_utf8).sum::<usize>())?
            }
            Ends::Latin => {
                let ends_here = |ending: &str| {
                    let tail = after.get(..ending.len())?;
                    let matches: Cow<'_, str> = tail.to_lowercase().into();
                    let over = after.get(ending.len()..)?.chars().next().is_none_or(|c| !c.is_alphanumeric());
                    (matches == ending && over).then_some(ending.len())
                };
                match rest(0).next() {
                    None => LATIN
                        .iter()
                        .filter(|e| !e.starts_with(char::is_alphabetic))
                        .find_map(|e| ends_here(e))
                        .unwrap_or(0),
                    Some(_) => LATIN.iter().find_map(|ending| ends_here(ending))?,
                }
            }
            Ends::Anything => 0,
        };
        Some(Span::new(start, at.end + tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(word: &str, text: &str) -> bool {
        let stem = Stem::new("t", word, false).unwrap();
        let text = fold(text);
        text.match_indices(stem.literal.as_str()).any(|(at, m)| stem.fits(&text, Span::new(at, at + m.len())).is_some())
    }

    #[test]
    fn forms_of_a_word_are_found_and_other_words_are_not() {
        for (word, text) in [
            ("loan", "two loans"),
            ("loan", "the loan's terms"),
            ("Kredit", "des Kredits, Krediten"),
            ("cr\u{e9}dit", "les credits"),
            ("кредит", "о кредитах"),
            ("рыба", "много рыбы"),
            ("贷款", "我要贷款吗"),
            ("대출", "대출을 받다"),
            ("קרדיט", "הקרדיט"),
            ("gambl*", "a gambler gambling"),
            ("interest rate", "the Interest Rates"),
            ("interest rate", "interest-\n rate"),
        ] {
            assert!(forms(word, text), "{word} in {text}");
        }
        for (word, text) in [
            ("loan", "sloane"),
            ("car", "care card"),
            ("interest rate", "interest in a rate"),
            ("loan", "loanword"),
            ("rate", "separate"),
            ("рыба", "серыбаки"),
        ] {
            assert!(!forms(word, text), "{word} in {text}");
        }
    }
}
