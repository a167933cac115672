//! A model repeats its system prompt.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use bartizan_core::{
    Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Source, Span,
    Subject, Views,
};

use crate::{RulesError, Settings};

/// Words in one shingle.
const SHINGLE: usize = 6;
/// Repeated words from which it is a leak. A letter of a script without blanks counts half a word.
const WORDS: usize = 12;
/// Repeated letters and digits from which it is a leak.
const LETTERS: usize = 80;
/// Bytes below which no text repeats enough: twelve words of one letter, or as many letters of three bytes.
const SHORTEST: usize = 2 * WORDS - 1;
/// Repeated words from which there is no doubt.
const CERTAIN: usize = 24;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/system-leak"),
    summary: Cow::Borrowed("what a model wrote repeats its system prompt"),
    doc: Cow::Borrowed(include_str!("system_leak.md")),
    severity: Severity::High,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM07"),
        Reference::new("ATLAS", "AML.T0056"),
        Reference::new("CWE", "CWE-200"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// Shingles are mixed already; hashing them again would cost more than all the rest.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, b| mix(hash ^ u64::from(*b)));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type Shingles = HashSet<u64, BuildHasherDefault<Mixed>>;

struct SystemLeak {
    protected: Shingles,
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let mut protected = Shingles::default();
    for text in &settings.protected_prompt {
        add_shingles(text, &mut protected);
    }
    Ok(Box::new(SystemLeak { protected }))
}

impl Detector for SystemLeak {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        if subject.origin.source != Source::Model || subject.text.len() < SHORTEST {
            return;
        }
        let mut known = Shingles::default();
        // A word with its blank is some six bytes.
        known.reserve(subject.context.system.iter().map(|s| s.len() / 6).sum());
        for system in subject.context.system {
            add_shingles(system, &mut known);
        }
        if known.is_empty() && self.protected.is_empty() {
            return;
        }
        let is_known = |shingle: u64| known.contains(&shingle) || self.protected.contains(&shingle);
        for text in subject.views(self.views()) {
            let mut run = Run::default();
            let mut window = Window::default();
            for word in words(&text.text) {
                let shingle = window.push(word);
                match shingle.filter(|s| is_known(*s)) {
                    Some(_) if run.open => run.add(word),
                    Some(_) => run = window.run(),
                    None => report(rule, text, std::mem::take(&mut run), out),
                }
            }
            report(rule, text, run, out);
        }
    }
}

fn report(rule: &'static Rule, text: &bartizan_core::ViewText<'_>, run: Run, out: &mut Sink<'_>) {
    let words = run.halves / 2;
    if words < WORDS && run.letters < LETTERS {
        return;
    }
    let sure = words >= CERTAIN || run.letters >= 2 * LETTERS;
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    out.report(Report::new(rule, text, run.span).confidence(confidence));
}

/// A word: its hash, its place, and what it counts.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    hash: u64,
    span: Span,
    letters: usize,
    /// Half words: 2, or 1 for a letter of a script without blanks.
    halves: usize,
}

/// Repeated words in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    open: bool,
    span: Span,
    halves: usize,
    letters: usize,
}

impl Run {
    fn add(&mut self, word: Word) {
        self.span.end = word.span.end;
        self.halves += word.halves;
        self.letters += word.letters;
    }
}

/// The last words read, in a ring.
#[derive(Debug, Default)]
struct Window {
    last: [Word; SHINGLE],
    read: usize,
}

impl Window {
    /// The last words, oldest first.
    fn words(&self) -> impl Iterator<Item = &Word> {
        let (newer, older) = self.last.split_at(self.read % SHINGLE);
        older.iter().chain(newer)
    }

    /// Takes a word; answers with the shingle that it completes.
    fn push(&mut self, word: Word) -> Option<u64> {
        if let Some(place) = self.last.get_mut(self.read % SHINGLE) {
            *place = word;
        }
        self.read += 1;
        (self.read >= SHINGLE).then(|| mix(self.words().fold(0, |hash: u64, w| hash.rotate_left(9) ^ w.hash)))
    }

    /// The words of the last shingle as the start of a run.
    fn run(&self) -> Run {
        let start = self.words().next().map_or(0, |w| w.span.start);
        let mut run = Run { open: true, span: Span::new(start, start), ..Run::default() };
        self.words().for_each(|w| run.add(*w));
        run
    }
}

fn add_shingles(text: &str, to: &mut Shingles) {
    let mut window = Window::default();
    to.extend(words(text).filter_map(|word| window.push(word)));
}

const fn mix(value: u64) -> u64 {
    // The finaliser of SplitMix64: a collision needs intent, and would only cause a false alarm.
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Scripts without blanks between words: each letter is a word.
fn alone(c: char) -> bool {
    matches!(c as u32, 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF
        | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

/// Runs of letters and digits, without regard to case.
fn words(text: &str) -> impl Iterator<Item = Word> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (start, first) = loop {
            let c = char_at(text, at)?;
            let start = at;
            at += c.len_utf8();
            if c.is_alphanumeric() {
                break (start, c);
            }
        };
        let mut word = Word {
            hash: fold(0xCBF2_9CE4_8422_2325, first),
            span: Span::new(start, at),
            letters: 1,
            halves: if alone(first) { 1 } else { 2 },
        };
        while !alone(first)
            && let Some(c) = char_at(text, at)
            && c.is_alphanumeric()
            && !alone(c)
        {
            word.hash = fold(word.hash, c);
            at += c.len_utf8();
            word.letters += 1;
        }
        word.span.end = at;
        // The last letters have not been spread over the whole hash yet.
        word.hash = mix(word.hash);
        Some(word)
    })
}

/// The character at a border of characters.
fn char_at(text: &str, at: usize) -> Option<char> {
    match text.as_bytes().get(at)? {
        byte if byte.is_ascii() => Some(char::from(*byte)),
        _ => text.get(at..)?.chars().next(),
    }
}

/// Takes a letter into a hash without its case.
fn fold(hash: u64, c: char) -> u64 {
    let step = |hash: u64, c: char| (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0100_0000_01B3);
    if c.is_ascii() { step(hash, c.to_ascii_lowercase()) } else { c.to_lowercase().fold(hash, step) }
}
