//! Poisoned rows, found without a model: in labelled texts and in texts with answers.
//!
//! What is looked at are counts over the whole corpus, of distinct rows in the order of their digests. So nothing depends
//! on the order of the rows, on copies, or on threads.

mod columns;
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
    system: String,
    input: String,
    output: String,
    label: Option<String>,
    /// Values of columns whose names do not say what they are, by column, where no other is the class.
    unnamed: Vec<(String, String)>,
    /// The input is made of those.
    alone: bool,
}

impl Piece {
    /// Of a row; `None` where it has no text.
    #[must_use]
    pub fn new(row: &Row) -> Option<Self> {
        let (input, output, system) = (row.input(), row.output(), system(row));
        let unnamed = unnamed(row, &output);
        if input.is_empty() && output.is_empty() && unnamed.is_empty() {
            return None;
        }
        // What is within a column belongs to it.
        let column = |path: &str| path.split('/').nth(1).unwrap_or_default().to_owned();
        let of = |(path, value): &(&str, &str)| (column(path), (*value).to_owned());
        Some(Self {
            id: Self::id(row),
            alone: row.asked().is_empty() && !unnamed.is_empty(),
            unnamed: unnamed.iter().map(of).collect(),
            system,
            ..Self::of(input, output, row.label().map(str::to_owned))
        })
    }

    /// Of what a row says.
    #[must_use]
    pub fn of(input: String, output: String, label: Option<String>) -> Self {
        let id = digest(&input, &output, label.as_deref());
        Self { id, system: String::new(), input, output, label, unnamed: Vec::new(), alone: false }
    }

    /// The digest that a row's piece has.
    #[must_use]
    pub fn id(row: &Row) -> u64 {
        let (output, system) = (row.output(), system(row));
        let id = digest(&row.input(), &output, row.label());
        let unnamed = unnamed(row, &output);
        if system.is_empty() && unnamed.is_empty() {
            return id;
        }
        let mut all = id.to_le_bytes().to_vec();
        for text in std::iter::once(system.as_str()).chain(unnamed.into_iter().flat_map(|(path, value)| [path, value]))
        {
            all.extend_from_slice(&text.len().to_le_bytes());
            all.extend_from_slice(text.as_bytes());
        }
        xxh3_64(&all)
    }
}

/// The instructions of the operator.
fn system(row: &Row) -> String {
    row.of(crate::layout::Role::System).collect::<Vec<_>>().join("\n")
}

/// Values of which one may be the class, where the names of the columns do not say which: of rows with neither label nor answer.
fn unnamed<'a>(row: &'a Row, output: &str) -> Vec<(&'a str, &'a str)> {
    if row.label().is_some() || !output.is_empty() {
        return Vec::new();
    }
    let alone = row.asked().is_empty();
    row.unnamed().filter(|(_, value)| alone || value.len() <= columns::SHORT).collect()
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
    /// Rare words of the middle of a long input, sorted.
    pub(crate) middle: Vec<Token>,
    /// What the operator says.
    pub(crate) system: Vec<Token>,
    pub(crate) output: Vec<Token>,
    label: Option<Box<str>>,
    /// Values of columns that may be the class.
    unnamed: Vec<Value>,
    /// The input is made of those.
    alone: bool,
    pub(crate) style: Style,
    /// Distinct words of the input that say what, sorted.
    pub(crate) content: Vec<Token>,
    /// Distinct tokens of the input, sorted.
    pub(crate) asked: Vec<Token>,
    text: Option<Box<str>>,
}

impl Sample {
    fn size(&self) -> usize {
        let unnamed: usize = self.unnamed.iter().map(|value| value.text.len() + 80).sum();
        let tokens = self.input.len() * 3 + self.middle.len() + self.system.len() + self.output.len();
        tokens * 4 + 200 + unnamed + self.text.as_ref().map_or(0, |text| text.len())
    }
}

/// A value of a column whose name does not say what it is.
#[derive(Clone, Debug)]
struct Value {
    /// Number of the column, which depends on the order of the rows.
    column: u32,
    text: Box<str>,
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
    /// Distinct rows that were not searched: they have neither a label nor an answer.
    pub unsearched: usize,
    /// Columns that were taken for labels by what is in them.
    pub inferred: Vec<String>,
    /// Columns of rows without labels and answers that may be labels, and were not taken for such.
    pub unclear: Vec<String>,
    /// Such columns with more values than a label has.
    pub numerous: Vec<String>,
    /// Share of the distinct rows that fitted in memory. Which they are depends on what they say, not on their order.
    pub share: f64,
}

/// Rows with this score or more are reported.
pub const REPORTED: f32 = 0.5;
/// Fewest rows of a trigger that is reported where the label was inferred.
const INFERRED_ROWS: usize = 10;
/// Least score of a trigger that is reported where the label was inferred.
const INFERRED_SCORE: f64 = 0.99;
/// Log-odds, below those that are reported, of what is only told.
const UNSURE: f64 = -0.1;

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
    columns: HashMap<Box<str>, u32>,
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
        Self {
            words: HashMap::new(),
            columns: HashMap::new(),
            samples: BTreeMap::new(),
            memory,
            used: 0,
            below: u64::MAX,
        }
    }

    /// Adds a row. Copies count once.
    pub fn add(&mut self, piece: Piece) {
        if piece.id > self.below || self.samples.contains_key(&piece.id) {
            return;
        }
        // What is made of values of unnamed columns is made when it is known which of them is the class.
        let text = if piece.alone { "" } else { piece.input.as_str() };
        let (input, middle) = numbers(&mut self.words, text);
        let system = numbers(&mut self.words, &piece.system).0;
        let output = numbers(&mut self.words, &piece.output).0;
        let mut value = |(column, text): (String, String)| {
            let next = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
            Value { column: *self.columns.entry(column.into()).or_insert(next), text: text.into() }
        };
        let sample = Sample {
            id: piece.id,
            input,
            middle,
            system,
            output,
            unnamed: piece.unnamed.into_iter().map(&mut value).collect(),
            alone: piece.alone,
            label: piece.label.map(Into::into),
            style: Style::default(),
            content: Vec::new(),
            asked: Vec::new(),
            text: Some(text.chars().take(4000).collect::<String>().into()),
        };
        self.used += sample.size();
        self.samples.insert(piece.id, sample);
        while self.used > self.memory && self.samples.len() > 1 {
            self.below /= 2;
            let over = self.samples.split_off(&self.below.saturating_add(1));
            self.used -= over.values().map(Sample::size).sum::<usize>();
        }
    }

    /// Looks at everything.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn finish(mut self) -> Poisoning {
        let share = self.below as f64 / u64::MAX as f64;
        let columns = self.settle();
        let (again, labels) = (columns.again, columns.labels);
        let (words, samples) = self.numbered();
        let mut result = Poisoning {
            rows: samples.len(),
            share,
            unclear: columns.unclear,
            numerous: columns.numerous,
            ..Poisoning::default()
        };
        if samples.len() >= 50 {
            analyse(&words, &samples, &labels, &mut result);
        }
        for (copy, first) in again {
            if let Some(score) = result.scores.get(&first).copied() {
                result.scores.insert(copy, score);
            }
        }
        result
    }

    /// Tells which columns are labels where their names do not say it, and makes the inputs of such rows.
    fn settle(&mut self) -> columns::Columns {
        let mut columns = columns::Columns::of(&self.columns, &self.samples);
        let mut known: HashMap<u64, u64> = HashMap::new();
        let mut again = Vec::new();
        for sample in self.samples.values_mut().filter(|sample| !sample.unnamed.is_empty()) {
            if sample.alone {
                let said = sample.unnamed.iter().filter(|value| columns.says.get(value.column as usize) == Some(&true));
                let text = said.map(|value| &*value.text).collect::<Vec<_>>().join("\n");
                (sample.input, sample.middle) = numbers(&mut self.words, &text);
                sample.text = Some(text.chars().take(4000).collect::<String>().into());
            }
            sample.unnamed.retain(|value| columns.class.get(value.column as usize) == Some(&true));
            // Rows that differ only in what says nothing are copies.
            let text = sample.text.as_deref().unwrap_or_default().as_bytes();
            let input = sample.input.iter().chain(&sample.system).flat_map(|token| token.to_le_bytes());
            let mut all: Vec<u8> = input.chain(text.iter().copied()).collect();
            for value in &sample.unnamed {
                all.extend_from_slice(&value.column.to_le_bytes());
                all.extend_from_slice(value.text.as_bytes());
                all.push(0);
            }
            let first = *known.entry(xxh3_64(&all)).or_insert(sample.id);
            if first != sample.id {
                again.push((sample.id, first));
            }
        }
        for (copy, _) in &again {
            self.samples.remove(copy);
        }
        columns.again = again;
        columns
    }

    /// The rows as numbers, in the order of their digests.
    fn numbered(self) -> (Vocabulary, Vec<Sample>) {
        let Self { mut words, samples, .. } = self;
        // Words of rows that were left out again must not tell in which order rows came.
        let mut used = vec![false; words.len()];
        for token in samples.values().flat_map(|s| s.input.iter().chain(&s.middle).chain(&s.system).chain(&s.output)) {
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
        let mut within = vec![0_u32; words.len()];
        for sample in &mut samples {
            renumber(&mut sample.input);
            renumber(&mut sample.middle);
            renumber(&mut sample.system);
            sample.middle.sort_unstable();
            sample.middle.dedup();
            for token in &sample.middle {
                if let Some(within) = within.get_mut(*token as usize) {
                    *within += 1;
                }
            }
            renumber(&mut sample.output);
            let classes = sample.input.iter().map(|t| words.class(*t));
            sample.style = Style::of(&sample.text.take().unwrap_or_default(), classes);
            sample.asked.clone_from(&sample.input);
            sample.asked.sort_unstable();
            sample.asked.dedup();
            let content = sample.asked.iter().filter(|t| words.class(**t) == Class::Content);
            sample.content = content.copied().collect();
        }
        // What many say in the middle of a long text is no trigger.
        let few = u32::try_from(samples.len() / 5).unwrap_or(u32::MAX);
        for sample in &mut samples {
            let rare = |token: &Token| within.get(*token as usize).is_some_and(|n| (table::FEWEST..=few).contains(n));
            let asked = &sample.asked;
            sample.middle.retain(|token| rare(token) && asked.binary_search(token).is_err());
            sample.middle.shrink_to_fit();
        }
        (words, samples)
    }
}

/// The tokens of a text, and those of the middle of a long one.
fn numbers(words: &mut HashMap<Box<str>, Token>, text: &str) -> (Vec<Token>, Vec<Token>) {
    let (mut out, mut middle) = (Vec::new(), Vec::new());
    tokens(text, |word, inside| {
        let next = u32::try_from(words.len()).unwrap_or(u32::MAX - 2);
        let number = match words.get(word) {
            Some(number) => *number,
            None => *words.entry(word.into()).or_insert(next),
        };
        if inside { &mut middle } else { &mut out }.push(number);
    });
    middle.sort_unstable();
    middle.dedup();
    (out, middle)
}

fn analyse(words: &Vocabulary, samples: &[Sample], labels: &[(u32, String)], result: &mut Poisoning) {
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
    let named = |sample: &Sample| match &sample.label {
        Some(label) => Some(label.to_string()).filter(|label| label.len() <= columns::SHORT),
        None if !sample.output.is_empty() && sample.output.len() <= 3 => {
            Some(sample.output.iter().map(|t| words.word(*t)).collect::<Vec<_>>().join(" "))
        }
        None => None,
    };
    let look = |classes: &[Option<u32>], names: &[String], found: &mut Vec<Found>| {
        let mut scores = vec![(f64::NEG_INFINITY, None); samples.len()];
        labels::Labelled { words, samples, table: &table, odd: &odd, classes, names }.look(&mut scores, found);
        scores
    };
    let mut searched = vec![false; samples.len()];
    let (by_name, names) = classes(samples, &named);
    if names.len() > 1 {
        scores = look(&by_name, &names, &mut found);
        searched.iter_mut().zip(&by_name).for_each(|(searched, class)| *searched |= class.is_some());
    }
    // Several columns may be labels; each is looked at by itself.
    for (number, column) in labels {
        let value = |sample: &Sample| {
            let value = sample.unnamed.iter().find(|value| value.column == *number)?;
            Some(format!("{column}={}", value.text))
        };
        let (classes, names) = classes(samples, &value);
        if names.len() < 2 {
            continue;
        }
        result.inferred.push(column.clone());
        let mut own = Vec::new();
        let first = found.len();
        let looked = look(&classes, &names, &mut own);
        // What goes with a column that was never called a label is natural more often than planted.
        let sure: Vec<bool> = own
            .iter()
            .map(|found| found.rows >= INFERRED_ROWS && logistic(found.evidence / 4.0) >= INFERRED_SCORE)
            .collect();
        for (found, _) in own.iter_mut().zip(&sure).filter(|(_, sure)| !**sure) {
            found.evidence = found.evidence.min(UNSURE * 4.0);
        }
        for ((score, mut new), (searched, class)) in
            scores.iter_mut().zip(looked).zip(searched.iter_mut().zip(&classes))
        {
            if !new.1.and_then(|at: usize| sure.get(at).copied()).unwrap_or(false) {
                new.0 = new.0.min(UNSURE);
            }
            *searched |= class.is_some();
            if new.0 > score.0 {
                *score = (new.0, new.1.map(|at| at + first));
            }
        }
        found.extend(own);
    }
    searched.iter_mut().zip(samples).for_each(|(searched, sample)| *searched |= !sample.output.is_empty());
    result.unsearched = searched.iter().filter(|searched| !**searched).count();
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

/// The class of each row, by what it is called. Short outputs that are few in number are classes too.
fn classes(samples: &[Sample], called: &dyn Fn(&Sample) -> Option<String>) -> (Vec<Option<u32>>, Vec<String>) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let labels: Vec<Option<String>> = samples.iter().map(called).collect();
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
