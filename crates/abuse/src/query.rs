//! What one request says, as keyed hashes.

use siphasher::sip::SipHasher13;
use std::hash::Hasher;

use crate::ring::Signature;

/// Bytes of a part that are read at each end. What is longer is read at both.
const END: usize = 4 << 10;
/// Most bytes that are read of a request.
const BYTES: usize = 16 << 10;
/// Most words that are looked up of a request.
const MOST: usize = 512;
/// Most inputs of an embedding request that are counted one by one.
const INPUTS: usize = 4096;

/// A text of a request: its words and shingles as keyed hashes.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// Distinct words of three letters or more, sorted.
    pub(crate) words: Vec<u64>,
    /// Words and pairs of neighbouring words, as they come.
    pub(crate) shingles: Vec<u64>,
    pub(crate) signature: Signature,
    /// More of it is in a script without blanks between words than in others.
    pub(crate) unspaced: bool,
    /// All of it.
    pub(crate) exact: u64,
}

impl Text {
    /// True where there is nothing to compare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shingles.is_empty()
    }
}

/// What a request asks for besides an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Log probabilities, in whichever member the protocol has for it.
    pub logprobs: bool,
    /// Hash of its logit bias, where it has one.
    pub bias: Option<u64>,
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// What the user said last; empty where nobody has said anything since the model answered.
    pub text: Text,
    /// What the user said before it in the same turn, the last first. What the key has said before says nothing new.
    pub before: Vec<Text>,
    /// What it asks for besides.
    pub asked: Asked,
    /// Hashes of the inputs that are to be embedded.
    pub embedded: Vec<u64>,
    /// Hash of the name of the end user, where a token says it; else 0.
    pub user: u64,
}

/// Reads texts for one key of a caller: the same words have other hashes for another.
#[derive(Clone, Debug)]
pub struct Reader {
    empty: SipHasher13,
}

impl Reader {
    /// A reader for a key, under a secret of the installation.
    #[must_use]
    pub fn new(secret: &[u8; 16], tenant: &str, key: &str) -> Self {
        let mut salted = SipHasher13::new_with_key(secret);
        salted.write(tenant.as_bytes());
        salted.write(&[0xff]);
        salted.write(key.as_bytes());
        let salt = salted.finish();
        salted.write(&[0xfe]);
        Self { empty: SipHasher13::new_with_keys(salt, salted.finish()) }
    }

    /// Hash of something that is compared as a whole.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.empty;
        hasher.write(bytes);
        hasher.finish()
    }

    /// Hashes of inputs: of the first 4096.
    #[must_use]
    pub fn inputs<'a>(&self, inputs: impl IntoIterator<Item = &'a str>) -> Vec<u64> {
        inputs.into_iter().take(INPUTS).map(|input| self.hash(input.as_bytes())).collect()
    }

    /// Reads the parts of what a user said, as one text: 4 KiB at both ends of each part, and at most 16 KiB in all.
    #[must_use]
    pub fn text<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Text {
        let mut reading = Reading { reader: self, text: Text::default(), before: None, pairs: 0 };
        let (mut exact, mut left) = (self.empty, BYTES);
        for part in parts {
            exact.write(part.as_bytes());
            exact.write(&[0xff]);
            for end in ends(part) {
                if let Some(less) = left.checked_sub(end.len()) {
                    left = less;
                    reading.read(end);
                }
            }
        }
        reading.finish(exact.finish())
    }
}

/// The two ends of a long text, the whole of a short one.
fn ends(text: &str) -> impl Iterator<Item = &str> {
    let cut = |at: usize| {
        text.split_at_checked(
            (0..4).filter_map(|less| at.checked_sub(less)).find(|at| text.is_char_boundary(*at)).unwrap_or(0),
        )
    };
    let pair = if text.len() <= 2 * END {
        (text, "")
    } else {
        let head = cut(END).map_or("", |(head, _)| head);
        let tail = cut(text.len() - END).map_or("", |(_, tail)| tail);
        (head, tail)
    };
    [pair.0, pair.1].into_iter().filter(|part| !part.is_empty())
}

struct Reading<'a> {
    reader: &'a Reader,
    text: Text,
    before: Option<u64>,
    /// Pairs of letters that count as words.
    pairs: usize,
}

/// True for letters of scripts that are written without blanks between words: each pair of them counts as a word.
const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

impl Reading<'_> {
    fn read(&mut self, text: &str) {
        let mut word = self.reader.empty;
        let (mut letters, mut number) = (0_usize, false);
        let mut last: Option<char> = None;
        for c in text.chars().chain([' ']) {
            if is_unspaced(c) && c.is_alphabetic() {
                self.end(&mut word, &mut letters, &mut number);
                if let Some(before) = last {
                    let mut pair = self.reader.empty;
                    pair.write_u32(u32::from(before));
                    pair.write_u32(u32::from(c));
                    self.pairs += 1;
                    self.word(pair.finish(), true);
                }
                last = Some(c);
                continue;
            }
            last = None;
            if c.is_alphabetic() {
                for lower in c.to_lowercase() {
                    word.write_u32(u32::from(lower));
                }
                letters += 1;
            } else if c.is_ascii_digit() {
                number = true;
            } else if c != '\'' && c != '\u{2019}' {
                self.end(&mut word, &mut letters, &mut number);
            }
        }
    }

    /// Numbers are all one word: they differ without saying anything new.
    fn end(&mut self, word: &mut SipHasher13, letters: &mut usize, number: &mut bool) {
        if *letters > 0 || *number {
            let hash = if *number { self.reader.hash(b"0") } else { word.finish() };
            self.word(hash, !*number && *letters >= 3);
        }
        (*word, *letters, *number) = (self.reader.empty, 0, false);
    }

    fn word(&mut self, hash: u64, counts: bool) {
        if counts {
            if self.text.words.len() < MOST {
                self.text.words.push(hash);
            }
            self.feature(hash);
        }
        if let Some(before) = self.before {
            // Another function of the two than either of them, and of their order.
            self.feature(before.rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash);
        }
        self.before = Some(hash);
    }

    fn feature(&mut self, hash: u64) {
        self.text.signature.add(hash);
        self.text.shingles.push(hash);
    }

    fn finish(mut self, exact: u64) -> Text {
        self.text.words.sort_unstable();
        self.text.words.dedup();
        self.text.exact = exact;
        self.text.unspaced = self.pairs > self.text.words.len() / 2;
        self.text
    }
}
