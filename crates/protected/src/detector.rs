//! The detector: what a model writes is compared with protected corpora.

use std::sync::Arc;

use bartizan_core::{
    Context, Cost, Detector, Direction, Hold, Limits, Origin, Report, Rule, Sink, Source, Span, Subject, Views,
};

use crate::matcher::{LONGEST, find};
use crate::prose::prose;
use crate::words::Words;
use crate::{CONTEXT, GRAM, Index, RUN};

/// Words at the end of a text that may become part of a match.
const WAITING: usize = GRAM + 2 * CONTEXT;
/// Bytes of the shortest text that repeats enough: words of one ASCII letter, or letters of scripts without blanks.
const SHORTEST: usize = 2 * RUN - 1;

/// Finds what replies repeat of protected corpora.
#[derive(Debug)]
pub struct ProtectedText {
    rules: [Rule; 1],
    indexes: Vec<Arc<Index>>,
}

impl ProtectedText {
    /// The detector that reports under `rule`.
    #[must_use]
    pub const fn new(rule: Rule, indexes: Vec<Arc<Index>>) -> Self {
        Self { rules: [rule], indexes }
    }
}

/// Where the last words begin that may become part of a match.
fn waiting(text: &str) -> usize {
    let mut starts = [text.len(); WAITING];
    let mut words = Words::new(2);
    let mut read = 0;
    let mut note = |start: usize| {
        if let Some(place) = starts.get_mut(read % WAITING) {
            *place = start;
        }
        read += 1;
    };
    words.push(text, |word| note(word.span.start));
    words.finish(|word| note(word.span.start));
    starts.iter().min().copied().unwrap_or(text.len())
}

impl Detector for ProtectedText {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn views(&self) -> Views {
        Views::TOKENS.with(Views::FOLDED).with(Views::SKELETON)
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(LONGEST)
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    /// What a model wrote in an earlier turn is history: it was looked at when it was a reply.
    fn concerns(&self, origin: &Origin, context: &Context<'_>) -> bool {
        origin.source == Source::Model && context.direction == Direction::Reply && !self.indexes.is_empty()
    }

    fn live(&self, tail: &str) -> usize {
        let framed = prose(tail).map(|prose| {
            let first = waiting(&prose.text);
            if first < prose.text.len() { prose.place(Span::new(first, first + 1)).start } else { tail.len() }
        });
        let first = waiting(tail).min(framed.unwrap_or(tail.len()));
        (tail.len() - first.min(tail.len())).min(LONGEST)
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &self.rules;
        for text in subject.views(self.views()).filter(|text| text.text.len() >= SHORTEST) {
            for index in &self.indexes {
                let mut last = None;
                find(index, &text.text, |found| {
                    if last.replace(found.span) != Some(found.span) && !out.is_full() {
                        out.report(Report::new(rule, text, found.span));
                    }
                });
            }
        }
    }
}
