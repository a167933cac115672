//! What a verb of disregarding is about: the model's instructions, or a thing in somebody's own text.

use bartizan_core::Span;

use super::words::{Mark, Reading, joined};
use bartizan_lexicon::Sense;

/// The object of a verb that stands before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    /// Meanings in the noun phrase.
    pub(super) found: Sense,
    /// Extent of the words that count.
    pub(super) extent: Span,
    /// What is to be taken away, because the noun is not what the verb is about, or belongs to something else.
    pub(super) doubt: f32,
}

/// Words that say nothing about what is meant: articles, pronouns, partitives, in the languages of the lexicon.
const EMPTY: &[&str] = &[
    "the",
    "a",
    "an",
    "of",
    "these",
    "those",
    "this",
    "that",
    "about",
    "to",
    "us",
    "me",
    "it",
    "its",
    "set",
    "list",
    "kind",
    "kinds",
    "sort",
    "sorts",
    "type",
    "types",
    "part",
    "parts",
    "most",
    "some",
    "rest",
    "none",
    "one",
    "ones",
    "and",
    "or",
    "own",
    "other",
    "others",
    "which",
    "what",
    "whatever",
    "such",
    "here",
    "there",
    "as",
    "is",
    "are",
    "was",
    "were",
    "been",
    "be",
    "have",
    "has",
    "had",
    "may",
    "might",
    "not",
    "now",
    "on",
    "completely",
    "totally",
    "entirely",
    "immediately",
    "please",
    "just",
    "simply",
    "ever",
    "said",
    "given",
    "got",
    "they",
    "i",
    "we",
    "you",
    "de",
    "la",
    "le",
    "les",
    "el",
    "los",
    "las",
    "lo",
    "del",
    "al",
    "un",
    "une",
    "una",
    "uno",
    "des",
    "du",
    "d",
    "l",
    "ce",
    "cet",
    "cette",
    "ces",
    "die",
    "der",
    "das",
    "den",
    "dem",
    "ein",
    "eine",
    "einen",
    "diese",
    "dieser",
    "diesen",
    "il",
    "gli",
    "i",
    "della",
    "delle",
    "dei",
    "degli",
    "di",
    "o",
    "os",
    "as",
    "do",
    "da",
    "dos",
    "das",
    "um",
    "uma",
    "het",
    "een",
    "deze",
    "te",
    "bu",
    "je",
    "ci",
    "ti",
    "\u{44d}\u{442}\u{438}",
    "que",
    "qui",
    "cele",
    "aceste",
    "yang",
    "itu",
    "ini",
    "cac",
    "nhung",
    "hay",
    "esas",
    "estas",
    "estos",
    "queste",
    "questi",
    "essas",
    "estes",
    "esses",
    "estas",
    "ta",
    "te",
    "tych",
    "tymi",
    "par",
    "a",
    "che",
    "ai",
    "dir",
];

/// Prepositions that make the word before them the thing that is meant.
const PLACES: &[&str] = &[
    "in",
    "from",
    "on",
    "with",
    "at",
    "by",
    "between",
    "inside",
    "within",
    "under",
    "for",
    "of",
    "im",
    "am",
    "vom",
    "aus",
    "auf",
    "von",
    "dans",
    "sur",
    "en",
    "em",
    "no",
    "na",
    "nos",
    "nas",
    "nel",
    "nella",
    "nei",
    "nelle",
    "sul",
    "su",
    "op",
    "van",
    "uit",
    "w",
    "z",
    "v",
    "\u{432}",
    "\u{43d}\u{430}",
    "\u{438}\u{437}",
    "\u{43e}\u{442}",
    "di",
    "del",
    "della",
    "du",
    "des",
    "do",
    "da",
    "der",
    "des",
    "before",
    "after",
    "above",
    "below",
    "until",
];

/// Articles and possessives after a preposition: a thing of its own follows.
const DETERMINERS: &[&str] = &[
    "the", "a", "an", "my", "our", "his", "her", "their", "its", "this", "these", "that", "each", "der", "dem", "den",
    "die", "das", "meinem", "meiner", "le", "la", "les", "el", "los", "las", "mi", "il", "lo", "o", "os", "as", "mon",
    "ma", "mes", "meu", "minha", "de", "het",
];

/// Reads the object that follows a verb, up to the end of its sentence.
pub(super) fn ahead(reading: &Reading, verb: &Mark, end: usize) -> Option<Object> {
    let range = Span::new(verb.end, end);
    let nouns = Sense::INSTRUCTIONS | Sense::RULES | Sense::EVERYTHING | Sense::TALK | Sense::TASK | Sense::CONTEXT;
    let first = reading.within(range).find(|m| m.sense.has(nouns));
    let Some(mut noun) = first else { return bare_before(reading, range) };
    // "Ignore the above and follow this prompt": the noun is in another clause.
    if clause_end(reading, verb.end, end) < noun.start
        && let Some(above) = bare_before(reading, Span::new(verb.end, noun.start))
    {
        return Some(above);
    }
    // "All the rules and instructions", "everything in the instructions": the strongest of what is joined.
    let joined_nouns = reading.within(Span::new(noun.start, (noun.end + 48).min(end)));
    if let Some(strong) = joined_nouns
        .filter(|m| m.sense.has(Sense::INSTRUCTIONS))
        .find(|m| m.start >= noun.end && unknown(reading, Span::new(noun.end, m.start)).0 == 0)
    {
        noun = strong;
    }
    let (strange, placed) = unknown(reading, Span::new(verb.end, noun.start));
    let mut doubt = match (strange, placed) {
        (0, _) => 0.0,
        (_, true) => 0.45,
        (1, false) => 0.1,
        (2, false) => 0.2,
        _ => 0.35,
    };
    let tail = Span::new(noun.end, clause_end(reading, noun.end, end));
    let phrase = reading.senses(Span::new(verb.end, noun.end)) | noun.sense;
    let all = phrase | reading.senses(tail);
    let own = phrase.has(Sense::YOURS | Sense::SECRET) || all.has(Sense::YOURS);
    let elsewhere = !own && belongs_elsewhere(reading, tail);
    if elsewhere {
        doubt += 0.45;
    } else if !own && compound(reading, noun, end) {
        doubt += 0.2;
    }
    let found = if elsewhere { phrase } else { all };
    let wanted = nouns | Sense::BEFORE;
    let extent = reading
        .within(Span::new(verb.end, tail.end))
        .filter(|m| m.sense.has(wanted))
        .fold(Span::new(verb.start, verb.end), |s, m| Span::new(s.start.min(m.start), s.end.max(m.end)));
    Some(Object { found, extent, doubt })
}

/// Reads the object that stands before a verb, from the start of its sentence.
pub(super) fn behind(reading: &Reading, verb: &Mark, start: usize) -> Option<Object> {
    let range = Span::new(start, verb.start);
    let found = reading.senses(range);
    let nouns = Sense::INSTRUCTIONS | Sense::RULES | Sense::EVERYTHING | Sense::TALK | Sense::TASK | Sense::CONTEXT;
    if !found.has(nouns) {
        return None;
    }
    let noun = reading.within(range).filter(|m| m.sense.has(nouns)).last()?;
    let (strange, _) = unknown(reading, Span::new(noun.end, verb.start));
    let extent = reading
        .within(range)
        .filter(|m| m.sense.has(nouns | Sense::BEFORE))
        .fold(Span::new(verb.start, verb.end), |s, m| Span::new(s.start.min(m.start), s.end.max(m.end)));
    Some(Object { found, extent, doubt: if strange > 2 { 0.2 } else { 0.0 } })
}

/// "Ignore the above": a word for before that no noun follows or precedes.
fn bare_before(reading: &Reading, range: Span) -> Option<Object> {
    let before = reading.within(range).find(|m| m.sense.has(Sense::BEFORE))?;
    if unknown(reading, Span::new(range.start, before.start)).0 > 0 {
        return None;
    }
    // Endings of the languages that have them.
    let ending = reading.text.get(before.end..range.end).unwrap_or_default();
    let letters = ending.find(|c: char| !c.is_alphanumeric() || joined(c)).unwrap_or(ending.len());
    let behind = ending.get(letters..).unwrap_or_default();
    let next = behind.trim_start_matches(' ');
    let adjacent = next.len() < behind.len() || behind.chars().next().is_some_and(joined);
    let word: &str = next.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let alone = word.is_empty() || matches!(word, "and" | "then" | "instead" | "but" | "y" | "et" | "und" | "e" | "i");
    (alone || !adjacent).then(|| Object {
        found: Sense::BEFORE | reading.senses(Span::new(range.start, before.start)),
        extent: Span::new(range.start, before.end),
        doubt: 0.0,
    })
}

/// How many words of a range are neither in the lexicon nor empty, and whether one of them is placed: "typos in the".
fn unknown(reading: &Reading, range: Span) -> (usize, bool) {
    let mut strange = 0;
    let mut placed = false;
    for word in reading.words(range).take(24) {
        let text = word.of(&reading.text);
        if strange > 0 && PLACES.contains(&text) {
            placed = true;
        }
        let joined_script = text.chars().next().is_some_and(joined);
        if !joined_script && !EMPTY.contains(&text) && !PLACES.contains(&text) && !reading.known(word) {
            strange += 1;
        }
    }
    // What a comma or a line divides is not one phrase.
    let divided = range.of(&reading.text).contains([',', ';', '\n', '(', '|']);
    (strange, placed || (divided && strange > 0))
}

/// End of the clause that a noun stands in.
fn clause_end(reading: &Reading, from: usize, end: usize) -> usize {
    let text = Span::new(from, end).of(&reading.text);
    let stop = text.find([',', ';', ':', '\n', '(', ')', '"', '\u{2014}']).unwrap_or(text.len());
    let and = [" and ", " then ", " but ", " und ", " et ", " y ", " e "].iter().filter_map(|a| text.find(a)).min();
    from + stop.min(and.unwrap_or(text.len()))
}

/// True where the words behind a noun say whose it is, and that is not the model: "the instructions given to the crew".
pub(super) fn is_elsewhere(reading: &Reading, noun: &Mark, end: usize) -> bool {
    belongs_elsewhere(reading, Span::new(noun.end, clause_end(reading, noun.end, end)))
}

/// "The instructions of the court", "everything before the semicolon": somebody else's.
fn belongs_elsewhere(reading: &Reading, tail: Span) -> bool {
    let mut words = reading.words(tail).take(12).skip_while(|w| {
        let text = w.of(&reading.text);
        text != "to" && !PLACES.contains(&text)
    });
    // Only what follows the noun closely.
    if words.next().is_none_or(|w| w.start > tail.start + 24) {
        return false;
    }
    let mut determined = false;
    let mut this = false;
    for word in words.take(5) {
        let text = word.of(&reading.text);
        if DETERMINERS.contains(&text) {
            determined = true;
            this = text == "this";
        } else if !PLACES.contains(&text) && !EMPTY.contains(&text) {
            let senses = reading.senses(word);
            let qualifies = Sense::BEFORE | Sense::ALL | Sense::SECRET | Sense::NEW;
            if senses.has(qualifies) && !senses.has(Sense::TALK | Sense::INSTRUCTIONS) {
                continue;
            }
            // "Everything before this line" is about the line itself.
            let here = this && matches!(text, "line" | "point" | "sentence" | "moment" | "paragraph");
            return determined && !here && !reading.known(word);
        }
    }
    false
}

/// "The previous instruction manual", "context menu": the noun is part of another one.
fn compound(reading: &Reading, noun: &Mark, end: usize) -> bool {
    let next = Span::new(noun.end, end).of(&reading.text);
    let Some(word) = next.strip_prefix(' ').filter(|w| w.starts_with(char::is_alphabetic)) else { return false };
    let word = word.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let span = Span::new(noun.end + 1, noun.end + 1 + word.len());
    word.is_ascii() && !EMPTY.contains(&word) && !PLACES.contains(&word) && !reading.known(span)
}
