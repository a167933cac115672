//! A model repeats its system prompt.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use bartizan_core::{
    Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Source, Span,
    Subject, ViewText, Views,
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
/// Repeated words in scattered pieces from which it is a leak, if they are [`SHARE`] of a system text.
const SCATTERED: usize = 24;
/// One in so many shingles of a system text.
const SHARE: usize = 3;
/// Words of a short system text that is a leak as a whole, and its letters.
const SHORT: (usize, usize) = (8, 40);

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

/// What must not come out.
#[derive(Default)]
struct Protected {
    shingles: Shingles,
    /// The same texts spelled backwards: a usual way to ask for them.
    backwards: Shingles,
    /// Shingles of the shortest text that is long enough to be told from chance.
    shortest: usize,
}

impl Protected {
    fn add(&mut self, text: &str) {
        let before = self.shingles.len();
        let (words, letters) = add_shingles(text, &mut self.shingles);
        let backwards: String = text.chars().rev().collect();
        add_shingles(&backwards, &mut self.backwards);
        let new = self.shingles.len() - before;
        if words >= SHORT.0 && letters >= SHORT.1 && new > 0 {
            self.shortest = if self.shortest == 0 { new } else { self.shortest.min(new) };
        }
    }

    fn is_empty(&self) -> bool {
        self.shingles.is_empty()
    }
}

struct SystemLeak {
    protected: Protected,
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let mut protected = Protected::default();
    settings.protected_prompt.iter().for_each(|text| protected.add(text));
    Ok(Box::new(SystemLeak { protected }))
}

impl Detector for SystemLeak {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS.with(Views::FOLDED).with(Views::SKELETON)
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
        let mut known = Protected::default();
        // A word with its blank is some six bytes.
        let expected = subject.context.system.iter().map(|s| s.len() / 6).sum();
        known.shingles.reserve(expected);
        known.backwards.reserve(expected);
        subject.context.system.iter().for_each(|system| known.add(system));
        for known in [&known, &self.protected].into_iter().filter(|known| !known.is_empty()) {
            for text in subject.views(self.views()) {
                compare(rule, text, &known.shingles, known.shortest, out);
                compare(rule, text, &known.backwards, known.shortest, out);
            }
        }
    }
}

/// Reports what a text repeats of the known shingles: long runs, and short ones that are a large share together.
/// `shortest` is how many shingles the shortest protected text has.
fn compare(rule: &'static Rule, text: &ViewText<'_>, known: &Shingles, shortest: usize, out: &mut Sink<'_>) {
    let mut run = Run::default();
    let mut all = Run::default();
    let mut hit = Shingles::default();
    let mut reported = false;
    let mut window = Window::default();
    for word in words(&text.text) {
        match window.push(word).filter(|s| known.contains(s)) {
            Some(shingle) => {
                hit.insert(shingle);
                if run.open { run.add(word) } else { run = window.run() }
            }
            None => {
                reported |= report(rule, text, run, out);
                all.join(std::mem::take(&mut run));
            }
        }
    }
    reported |= report(rule, text, run, out);
    all.join(run);
    let enough = all.halves / 2 >= SCATTERED || all.letters >= 2 * LETTERS;
    // Of several texts the smallest share counts, so the share is of all of them.
    let scattered = enough && hit.len() * SHARE >= known.len();
    let short = shortest > 0 && hit.len() >= shortest && all.halves / 2 >= SHORT.0 && known.len() == shortest;
    if !reported && all.open && (scattered || short) {
        out.report(Report::new(rule, text, all.span).confidence(Confidence::Medium));
    }
}

/// Reports a run that is long enough.
fn report(rule: &'static Rule, text: &ViewText<'_>, run: Run, out: &mut Sink<'_>) -> bool {
    let words = run.halves / 2;
    if words < WORDS && run.letters < LETTERS {
        return false;
    }
    let sure = words >= CERTAIN || run.letters >= 2 * LETTERS;
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    out.report(Report::new(rule, text, run.span).confidence(confidence));
    true
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

    /// Takes another run in.
    fn join(&mut self, other: Self) {
        if !other.open {
            return;
        }
        let start = if self.open { self.span.start } else { other.span.start };
        self.span = Span::new(start, other.span.end);
        self.open = true;
        self.halves += other.halves;
        self.letters += other.letters;
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

/// Adds the shingles of a text; answers with its words and letters.
fn add_shingles(text: &str, to: &mut Shingles) -> (usize, usize) {
    let mut window = Window::default();
    let (mut halves, mut letters) = (0, 0);
    for word in words(text) {
        halves += word.halves;
        letters += word.letters;
        to.extend(window.push(word));
    }
    (halves / 2, letters)
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
