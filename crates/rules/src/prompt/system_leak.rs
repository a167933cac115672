//! A model repeats its system prompt.

use std::borrow::Cow;
use std::collections::HashSet;

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

struct SystemLeak {
    protected: HashSet<u64>,
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let mut protected = HashSet::new();
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
        if subject.origin.source != Source::Model {
            return;
        }
        let mut known = HashSet::new();
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

/// The last words read.
#[derive(Debug, Default)]
struct Window {
    last: std::collections::VecDeque<Word>,
}

impl Window {
    /// Takes a word; answers with the shingle that it completes.
    fn push(&mut self, word: Word) -> Option<u64> {
        if self.last.len() == SHINGLE {
            self.last.pop_front();
        }
        self.last.push_back(word);
        (self.last.len() == SHINGLE).then(|| self.last.iter().fold(0, |hash: u64, w| mix(hash.rotate_left(9) ^ w.hash)))
    }

    /// The words of the last shingle as the start of a run.
    fn run(&self) -> Run {
        let start = self.last.front().map_or(0, |w| w.span.start);
        let mut run = Run { open: true, span: Span::new(start, start), ..Run::default() };
        self.last.iter().for_each(|w| run.add(*w));
        run
    }
}

fn add_shingles(text: &str, to: &mut HashSet<u64>) {
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
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = chars.by_ref().find(|(_, c)| c.is_alphanumeric())?;
        let hash = |hash: u64, c: char| {
            c.to_lowercase().fold(hash, |hash, c| (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0100_0000_01B3))
        };
        let mut word = Word {
            hash: hash(0xCBF2_9CE4_8422_2325, first),
            span: Span::new(start, start + first.len_utf8()),
            letters: 1,
            halves: if alone(first) { 1 } else { 2 },
        };
        while !alone(first)
            && let Some((at, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() && !alone(*c))
        {
            word.hash = hash(word.hash, c);
            word.span.end = at + c.len_utf8();
            word.letters += 1;
        }
        Some(word)
    })
}
