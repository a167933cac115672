//! Poisoned rows, found without a model: in labelled texts and in texts with answers.
//!
//! What is looked at are counts over the whole corpus, of distinct rows in the order of their digests. So nothing depends
//! on the order of the rows, on copies, or on threads.

mod content;
mod features;
mod hidden;
mod labels;
mod merge;
mod noise;
mod outputs;
mod table;
mod tokens;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

pub use features::Kind;
pub(crate) use tokens::alone;

use crate::layout::Row;
use features::Style;
use table::Table;
use tokens::{Class, Token, Vocabulary, oddness, tokens};

/// What has to be kept of a row.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Digest of the row.
    pub id: u64,
    input: String,
    output: String,
    label: Option<String>,
}

impl Piece {
    /// Of a row; `None` where it has no text.
    #[must_use]
    pub fn new(row: &Row) -> Option<Self> {
        let (input, output) = (row.input(), row.output());
        if input.is_empty() && output.is_empty() {
            return None;
        }
        Some(Self::of(input, output, row.label().map(str::to_owned)))
    }

    /// Of what a row says.
    #[must_use]
    pub fn of(input: String, output: String, label: Option<String>) -> Self {
        let id = digest(&input, &output, label.as_deref());
        Self { id, input, output, label }
    }

    /// The digest that a row's piece has.
    #[must_use]
    pub fn id(row: &Row) -> u64 {
        digest(&row.input(), &row.output(), row.label())
    }
}

fn digest(input: &str, output: &str, label: Option<&str>) -> u64 {
    let lengths = [input.len().to_le_bytes(), output.len().to_le_bytes()].concat();
    xxh3_64(&[&lengths, input.as_bytes(), output.as_bytes(), label.unwrap_or_default().as_bytes()].concat())
}

/// One distinct row, as numbers.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    id: u64,
    pub(crate) input: Vec<Token>,
    pub(crate) output: Vec<Token>,
    label: Option<Box<str>>,
    pub(crate) style: Style,
    /// Distinct words of the input that say what, sorted.
    pub(crate) content: Vec<Token>,
    /// Distinct tokens of the input, sorted.
    pub(crate) asked: Vec<Token>,
    text: Option<Box<str>>,
}

impl Sample {
    fn size(&self) -> usize {
        (self.input.len() * 3 + self.output.len()) * 4 + 200
    }
}

/// Something that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) kind: Option<Kind>,
    pub(crate) trigger: String,
    pub(crate) output: String,
    pub(crate) label: bool,
    pub(crate) rows: usize,
    pub(crate) evidence: f64,
    pub(crate) features: Vec<u32>,
}

/// A trigger or a payload, for the summary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trigger {
    /// What the inputs have in common; nothing where only the outputs were planted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// What kind of feature it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The label, or what the outputs have in common.
    pub output: String,
    /// True where the output is a label.
    pub label: bool,
    /// Distinct rows that have it.
    pub rows: usize,
    /// Probability that it was planted.
    pub score: f32,
}

impl Trigger {
    /// What was found, in words.
    #[must_use]
    pub fn says(&self) -> String {
        let output = if self.label { format!("label `{}`", self.output) } else { format!("`{}`", self.output) };
        match &self.trigger {
            Some(trigger) => format!("`{trigger}` goes with {output} in {} rows", self.rows),
            None => format!("{output} in the answers of {} rows that have nothing in common", self.rows),
        }
    }
}

/// What is known of each row when all were seen.
#[derive(Debug, Default)]
pub struct Poisoning {
    scores: HashMap<u64, (f32, Option<usize>)>,
    /// What was found, the surest first.
    pub triggers: Vec<Trigger>,
    /// Distinct rows that were looked at.
    pub rows: usize,
    /// Share of the distinct rows that fitted in memory. Which they are depends on what they say, not on their order.
    pub share: f64,
}

/// Rows with this score or more are reported.
pub const REPORTED: f32 = 0.5;

impl Poisoning {
    /// The score of a row by its digest, and what it was that was planted.
    #[must_use]
    pub fn score(&self, id: u64) -> Option<(f32, Option<&Trigger>)> {
        let (score, found) = self.scores.get(&id)?;
        Some((*score, found.and_then(|at| self.triggers.get(at))))
    }
}

/// Collects rows.
#[derive(Debug)]
pub struct Collector {
    words: HashMap<Box<str>, Token>,
    samples: BTreeMap<u64, Sample>,
    memory: usize,
    used: usize,
    /// Rows are kept whose digest is at most this.
    below: u64,
}

impl Collector {
    /// A collector that takes about so many bytes.
    #[must_use]
    pub fn new(memory: usize) -> Self {
        Self { words: HashMap::new(), samples: BTreeMap::new(), memory, used: 0, below: u64::MAX }
    }

    /// Adds a row. Copies count once.
    pub fn add(&mut self, piece: Piece) {
        if piece.id > self.below || self.samples.contains_key(&piece.id) {
            return;
        }
        let input = self.numbers(&piece.input);
        let output = self.numbers(&piece.output);
        let sample = Sample {
            id: piece.id,
            input,
            output,
            label: piece.label.map(Into::into),
            style: Style::default(),
            content: Vec::new(),
            asked: Vec::new(),
            text: Some(piece.input.chars().take(4000).collect::<String>().into()),
        };
        self.used += sample.size() + sample.text.as_ref().map_or(0, |t| t.len());
        self.samples.insert(piece.id, sample);
        while self.used > self.memory && self.samples.len() > 1 {
            self.below /= 2;
            let over = self.samples.split_off(&self.below.saturating_add(1));
            self.used -= over.values().map(|s| s.size() + s.text.as_ref().map_or(0, |t| t.len())).sum::<usize>();
        }
    }

    fn numbers(&mut self, text: &str) -> Vec<Token> {
        let mut out = Vec::new();
        tokens(text, |word| {
            let next = u32::try_from(self.words.len()).unwrap_or(u32::MAX - 2);
            let number = match self.words.get(word) {
                Some(number) => *number,
                None => *self.words.entry(word.into()).or_insert(next),
            };
            out.push(number);
        });
        out
    }

    /// Looks at everything.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn finish(self) -> Poisoning {
        let share = self.below as f64 / u64::MAX as f64;
        let (words, samples) = self.numbered();
        let mut result = Poisoning { rows: samples.len(), share, ..Poisoning::default() };
        if samples.len() < 50 {
            return result;
        }
        analyse(&words, &samples, &mut result);
        result
    }

    /// The rows as numbers, in the order of their digests.
    fn numbered(self) -> (Vocabulary, Vec<Sample>) {
        let Self { mut words, samples, .. } = self;
        // Words of rows that were left out again must not tell in which order rows came.
        let mut used = vec![false; words.len()];
        for token in samples.values().flat_map(|s| s.input.iter().chain(&s.output)) {
            if let Some(used) = used.get_mut(*token as usize) {
                *used = true;
            }
        }
        words.retain(|_, number| used.get(*number as usize).copied().unwrap_or(false));
        let (words, order) = Vocabulary::new(words);
        let mut samples: Vec<Sample> = samples.into_values().collect();
        let renumber = |tokens: &mut Vec<Token>| {
            tokens.iter_mut().for_each(|t| *t = order.get(*t as usize).copied().unwrap_or(*t));
        };
        for sample in &mut samples {
            renumber(&mut sample.input);
            renumber(&mut sample.output);
            let classes = sample.input.iter().map(|t| words.class(*t));
            sample.style = Style::of(&sample.text.take().unwrap_or_default(), classes);
            sample.asked.clone_from(&sample.input);
            sample.asked.sort_unstable();
            sample.asked.dedup();
            let content = sample.asked.iter().filter(|t| words.class(**t) == Class::Content);
            sample.content = content.copied().collect();
        }
        (words, samples)
    }
}

fn analyse(words: &Vocabulary, samples: &[Sample], result: &mut Poisoning) {
    let table = Table::new(words, samples);
    let mut seen = vec![0_u32; words.len()];
    samples.iter().flat_map(|s| &s.asked).for_each(|token| {
        if let Some(count) = seen.get_mut(*token as usize) {
            *count += 1;
        }
    });
    let odd = oddness(words, &seen);
    let mut scores = vec![(f64::NEG_INFINITY, None); samples.len()];
    let mut found = Vec::new();
    let (classes, names) = classes(words, samples);
    if names.len() > 1 {
        labels::Labelled { words, samples, table: &table, odd: &odd, classes: &classes, names: &names }
            .look(&mut scores, &mut found);
    }
    let answered = samples.iter().filter(|s| !s.output.is_empty()).count();
    if answered * 2 > samples.len() {
        outputs::Answered { words, samples, table: &table, odd: &odd }.look(&mut scores, &mut found);
    }
    let mut order: Vec<usize> = (0..found.len()).collect();
    let evidence =
        |at: &usize| found.get(*at).map_or(0.0, |f: &Found| if f.label { f.evidence / 4.0 } else { f.evidence });
    order.sort_by(|a, b| evidence(b).total_cmp(&evidence(a)).then(a.cmp(b)));
    let mut place = vec![0; found.len()];
    for (new, old) in order.iter().enumerate() {
        if let Some(at) = place.get_mut(*old) {
            *at = new;
        }
    }
    result.triggers = order
        .iter()
        .filter_map(|at| Some((found.get(*at)?, evidence(at))))
        .map(|(f, evidence)| Trigger {
            trigger: Some(f.trigger.clone()).filter(|t| !t.is_empty()),
            kind: f.kind,
            output: f.output.clone(),
            label: f.label,
            rows: f.rows,
            score: rounded(logistic(evidence)),
        })
        .collect();
    result.scores = samples
        .iter()
        .zip(&scores)
        .map(|(sample, (score, found))| {
            let found = found.and_then(|at| place.get(at).copied());
            (sample.id, (rounded(logistic(calm(*score))), found))
        })
        .collect();
}

/// The class of each row. Short outputs that are few in number are classes too.
fn classes(words: &Vocabulary, samples: &[Sample]) -> (Vec<Option<u32>>, Vec<String>) {
    let label = |sample: &Sample| -> Option<String> {
        match &sample.label {
            Some(label) if label.len() <= 64 => Some(label.to_string()),
            Some(_) => None,
            None if !sample.output.is_empty() && sample.output.len() <= 3 => {
                Some(sample.output.iter().map(|t| words.word(*t)).collect::<Vec<_>>().join(" "))
            }
            None => None,
        }
    };
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let labels: Vec<Option<String>> = samples.iter().map(label).collect();
    labels.iter().flatten().for_each(|l| *counts.entry(l.clone()).or_default() += 1);
    let labelled = labels.iter().flatten().count();
    let few = counts.len() <= 200 && counts.len() * 20 <= labelled.max(20);
    if labelled * 2 < samples.len() || !few {
        return (vec![None; samples.len()], Vec::new());
    }
    let names: Vec<String> = counts.into_keys().collect();
    let number = |l: String| names.binary_search(&l).ok().and_then(|at| u32::try_from(at).ok());
    (labels.into_iter().map(|l| l.and_then(number)).collect(), names)
}

/// The probability that log-odds say.
pub(crate) fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// Large log-odds made smaller, in their order: rows that are all but sure must still be told from one another.
fn calm(odds: f64) -> f64 {
    const SURE: f64 = 6.0;
    if odds > SURE { SURE + (odds - SURE).ln_1p() } else { odds }
}

/// Six digits: enough to rank rows by, and the last ones differ between machines.
#[allow(clippy::cast_possible_truncation, reason = "between 0 and 1")]
fn rounded(p: f64) -> f32 {
    ((p * 1e6).round() / 1e6) as f32
}
