//! Words of orders as they look in disguise, and what a disguised text says.

use crate::normal::step;

/// Letters of the shortest word that says something about a disguise.
pub(super) const SHORTEST: usize = 4;
/// A word of so many letters is no chance.
const SURE: usize = 6;
/// Shifts of the alphabet come first, by their number.
const MIRRORED: usize = 26;
const REVERSED: usize = 27;
const DOUBLED: usize = 28;
const PIG_LATIN: usize = 29;
const SPELLED: usize = 30;
/// Disguises that are told apart.
pub(super) const KINDS: usize = 31;
/// What makes a disguise worth a reading.
const ENOUGH: usize = 2;
/// Words of the spelling alphabet that make one, many of which are words of their own.
const ENOUGH_SPELLED: usize = 8;

/// Common words of orders and of what holds them together.
const PLAIN: &[&str] = &[
    "about",
    "above",
    "access",
    "action",
    "admin",
    "after",
    "again",
    "agent",
    "always",
    "another",
    "answer",
    "anything",
    "assistant",
    "become",
    "before",
    "below",
    "bypass",
    "canary",
    "change",
    "character",
    "command",
    "complete",
    "confidential",
    "content",
    "conversation",
    "delete",
    "describe",
    "developer",
    "different",
    "directives",
    "disclose",
    "disregard",
    "document",
    "email",
    "enable",
    "every",
    "everything",
    "exactly",
    "execute",
    "explain",
    "first",
    "follow",
    "following",
    "forget",
    "forward",
    "from",
    "function",
    "give",
    "given",
    "guidelines",
    "have",
    "hidden",
    "ignore",
    "important",
    "include",
    "information",
    "initial",
    "instead",
    "instruction",
    "instructions",
    "language",
    "last",
    "like",
    "limits",
    "list",
    "longer",
    "make",
    "message",
    "mode",
    "model",
    "must",
    "name",
    "never",
    "nothing",
    "only",
    "open",
    "other",
    "output",
    "override",
    "password",
    "phrase",
    "play",
    "please",
    "policy",
    "pretend",
    "previous",
    "print",
    "prior",
    "prompt",
    "provide",
    "question",
    "rather",
    "refuse",
    "repeat",
    "reply",
    "request",
    "respond",
    "response",
    "restrictions",
    "reveal",
    "role",
    "rule",
    "rules",
    "safety",
    "secret",
    "send",
    "sentence",
    "should",
    "show",
    "start",
    "started",
    "state",
    "step",
    "story",
    "system",
    "task",
    "tell",
    "text",
    "that",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "told",
    "tool",
    "translate",
    "unrestricted",
    "user",
    "verbatim",
    "what",
    "when",
    "which",
    "will",
    "with",
    "without",
    "word",
    "words",
    "write",
    "your",
    "yourself",
];

/// The spelling alphabet of the ITU, as it is written there and as it is often written.
const SPELLING: [&str; 28] = [
    "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "xray",
    "yankee", "zulu", "alpha", "juliet",
];

/// A way of writing that shows in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disguise {
    /// Letters moved by so many places.
    Shifted(u8),
    /// The alphabet backwards.
    Mirrored,
    /// Every line from its end to its start.
    Reversed,
    /// Every word from its end to its start.
    WordsReversed,
    /// Every letter twice.
    Doubled,
    /// The first sound of a word at its end, with `ay`.
    PigLatin,
    /// Words of the spelling alphabet for letters.
    Spelled,
}

impl Disguise {
    /// Those that words of a kind may stand for.
    pub(super) fn of_kind(kind: usize) -> Vec<Self> {
        match kind {
            1..MIRRORED => u8::try_from(kind).map(Self::Shifted).into_iter().collect(),
            MIRRORED => vec![Self::Mirrored],
            REVERSED => vec![Self::Reversed, Self::WordsReversed],
            DOUBLED => vec![Self::Doubled],
            PIG_LATIN => vec![Self::PigLatin],
            SPELLED => vec![Self::Spelled],
            _ => Vec::new(),
        }
    }

    /// How much words of a kind have to count together, close to one another.
    pub(super) const fn enough(kind: usize) -> usize {
        if kind == SPELLED { ENOUGH_SPELLED } else { ENOUGH }
    }

    pub(super) const fn keeps_places(self) -> bool {
        matches!(self, Self::Shifted(_) | Self::Mirrored)
    }
}

/// What is known about words in disguise.
pub(super) struct Words {
    /// A bit for every hash that may be one of them, by its lower bits.
    bits: Vec<u64>,
    /// Hash, kind and what it counts, by hash.
    all: Vec<(u32, u8, u8)>,
}

const BITS: u32 = 16;

const fn place(hash: u32) -> (usize, u64) {
    let low = hash ^ (hash >> BITS);
    ((low as usize & ((1 << BITS) - 1)) >> 6, 1 << (low & 63))
}

impl Words {
    pub(super) fn new() -> Self {
        let mut all: Vec<(u32, u8, u8)> = Vec::new();
        let mut take = |word: &str, kind: usize, points: u8| {
            if !PLAIN.contains(&word) {
                all.push((hash(word), u8::try_from(kind).unwrap_or(0), points));
            }
        };
        for word in PLAIN {
            let points = if word.len() >= SURE { 2 } else { 1 };
            for by in 1..26 {
                take(&shifted(word, 26 - by), usize::from(by), points);
            }
            take(&mirrored(word), MIRRORED, points);
            take(&word.chars().rev().collect::<String>(), REVERSED, points);
            take(&word.chars().flat_map(|c| [c, c]).collect::<String>(), DOUBLED, points);
            take(&pig_latin(word), PIG_LATIN, points);
        }
        for word in SPELLING {
            take(word, SPELLED, 1);
        }
        all.sort_unstable();
        // Where two disguises make the same of two words, it says nothing.
        let twice: Vec<u32> = all
            .windows(2)
            .filter(|w| matches!(w, [a, b] if a.0 == b.0 && a.1 != b.1))
            .filter_map(|w| Some(w.first()?.0))
            .collect();
        all.retain(|(hash, _, _)| !twice.contains(hash));
        let mut bits = vec![0u64; (1 << BITS) / 64];
        for (hash, _, _) in &all {
            let (at, bit) = place(*hash);
            if let Some(slot) = bits.get_mut(at) {
                *slot |= bit;
            }
        }
        Self { bits, all }
    }

    /// Where the hash of a word begins.
    #[expect(clippy::unused_self, reason = "it belongs to the table")]
    pub(super) const fn seed(&self) -> u32 {
        SEED
    }

    /// The kind of disguise of a word, and what it counts.
    pub(super) fn find(&self, hash: u32) -> Option<(usize, usize)> {
        let (at, bit) = place(hash);
        if self.bits.get(at).is_none_or(|slot| slot & bit == 0) {
            return None;
        }
        let at = self.all.binary_search_by_key(&hash, |(h, _, _)| *h).ok()?;
        self.all.get(at).map(|(_, kind, points)| (usize::from(*kind), usize::from(*points)))
    }

    /// What `text` says in this disguise.
    #[expect(clippy::unused_self, reason = "it belongs to the table")]
    pub(super) fn read(&self, disguise: Disguise, text: &str) -> String {
        match disguise {
            Disguise::Shifted(by) => shifted(text, by),
            Disguise::Mirrored => mirrored(text),
            Disguise::Reversed => reversed(text),
            Disguise::WordsReversed => each_word(text, |word| Some(word.chars().rev().collect())),
            Disguise::Doubled => each_word(text, halved),
            Disguise::PigLatin => each_word(text, human_latin),
            Disguise::Spelled => spelled(text),
        }
    }
}

const SEED: u32 = 0x811c_9dc5;

fn hash(word: &str) -> u32 {
    word.bytes().fold(SEED, |hash, b| step(hash, b | 0x20))
}

/// Letters moved by so many places; all else stays.
fn shifted(text: &str, by: u8) -> String {
    let turn = |base: u8, c: char| char::from(base + (c as u8 - base + by % 26) % 26);
    let each = |c: char| match c {
        'a'..='z' => turn(b'a', c),
        'A'..='Z' => turn(b'A', c),
        other => other,
    };
    text.chars().map(each).collect()
}

fn mirrored(text: &str) -> String {
    let each = |c: char| match c {
        'a'..='z' => char::from(b'z' - (c as u8 - b'a')),
        'A'..='Z' => char::from(b'Z' - (c as u8 - b'A')),
        other => other,
    };
    text.chars().map(each).collect()
}

/// Every line from its end to its start, the lines in their order.
fn reversed(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let body = line.strip_suffix('\n').unwrap_or(line);
            let tail = line.get(body.len()..).unwrap_or_default();
            body.chars().rev().collect::<String>() + tail
        })
        .collect()
}

/// `text` with other words in the place of some; what is between words stays.
fn each_word(text: &str, read: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(char::is_alphabetic) {
        let (between, tail) = rest.split_at(at);
        let (word, tail) = tail.split_at(tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len()));
        out.push_str(between);
        match read(word) {
            Some(read) => out.push_str(&read),
            None => out.push_str(word),
        }
        rest = tail;
    }
    out + rest
}

/// A word in which every letter stands twice, with each once.
fn halved(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    let (pairs, []) = letters.as_chunks::<2>() else { return None };
    pairs.iter().map(|[a, b]| a.eq_ignore_ascii_case(b).then_some(*a)).collect()
}

fn is_vowel(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u')
}

fn pig_latin(word: &str) -> String {
    match word.find(is_vowel) {
        Some(0) => format!("{word}way"),
        Some(at) => {
            let (start, rest) = word.split_at(at);
            format!("{rest}{start}ay")
        }
        None => word.to_owned(),
    }
}

/// The word that pig Latin was made of. Of a word that could be several, one that orders have is taken, else the one
/// with the shortest start.
fn human_latin(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let stem = lower.strip_suffix("ay")?;
    if stem.len() < 2 || !lower.is_ascii() {
        return None;
    }
    let candidates: Vec<String> = (1..=3.min(stem.len() - 1))
        .filter_map(|moved| {
            let (rest, start) = stem.split_at(stem.len() - moved);
            (!start.contains(is_vowel) && rest.starts_with(is_vowel)).then(|| format!("{start}{rest}"))
        })
        .collect();
    let whole = stem.strip_suffix('w').filter(|whole| whole.starts_with(is_vowel)).map(str::to_owned);
    let known = candidates.iter().chain(&whole).find(|w| PLAIN.contains(&w.as_str())).cloned();
    known.or(whole).or_else(|| candidates.into_iter().next())
}

/// Words of the spelling alphabet as the letters that they stand for, where five or more stand together.
fn spelled(text: &str) -> String {
    const TOGETHER: usize = 5;
    let mut out = String::with_capacity(text.len());
    // Letters so far, and what stood there.
    let (mut letters, mut count, mut plain) = (String::new(), 0usize, String::new());
    let mut rest = text;
    loop {
        let at = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (between, tail) = rest.split_at(at);
        let (word, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let number = SPELLING.iter().position(|w| w.eq_ignore_ascii_case(word));
        let letter = match number {
            Some(26) => Some(b'a'),
            Some(27) => Some(b'j'),
            Some(at) => u8::try_from(at).ok().map(|at| b'a' + at),
            None => None,
        };
        let Some(letter) = letter else {
            out.push_str(if count >= TOGETHER { &letters } else { &plain });
            out.push_str(between);
            out.push_str(word);
            (letters, count, plain) = (String::new(), 0, String::new());
            if tail.is_empty() {
                return out;
            }
            rest = tail;
            continue;
        };
        if count == 0 {
            out.push_str(between);
        } else {
            plain.push_str(between);
            if !matches!(between, " " | "-" | "") {
                letters.push(' ');
            }
        }
        plain.push_str(word);
        letters.push(char::from(letter));
        count += 1;
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_stands_for_one_disguise() {
        let words = Words::new();
        assert_eq!(words.find(hash("vtaber")), Some((13, 2)));
        assert_eq!(words.find(hash("SNOITCURTSNI")), Some((REVERSED, 2)));
        assert_eq!(words.find(hash("instructions")), None);
        assert!(words.all.windows(2).all(|w| w[0].0 != w[1].0 || w[0].1 == w[1].1));
    }

    #[test]
    fn words_come_back() {
        assert_eq!(human_latin("eviouspray").as_deref(), Some("previous"));
        assert_eq!(human_latin("ignoreway").as_deref(), Some("ignore"));
        assert_eq!(human_latin("igpay").as_deref(), Some("pig"));
        assert_eq!(human_latin("ay"), None);
        assert_eq!(halved("tteellll").as_deref(), Some("tell"));
        assert_eq!(halved("tell"), None);
        assert_eq!(spelled("say India Golf November Oscar Romeo Echo, Alpha Lima Lima now"), "say ignore all now");
        assert_eq!(spelled("Golf in India"), "Golf in India");
        assert_eq!(reversed("ab\ncd"), "ba\ndc");
        assert_eq!(shifted("Ignore 1", 13), "Vtaber 1");
    }
}
