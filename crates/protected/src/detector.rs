//! The detector: what a model writes is compared with protected corpora.

use std::sync::Arc;

use bartizan_core::{
    Context, Cost, Detector, Direction, Hold, Limits, Origin, Report, Rule, Sink, Source, Subject, Views,
};

use crate::matcher::LONGEST;
use crate::words::Words;
use crate::{CONTEXT, GRAM, Index, Matcher, RUN};

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
        let mut starts = [tail.len(); WAITING];
        let mut words = Words::new(2);
        let mut read = 0;
        let mut note = |start: usize| {
            if let Some(place) = starts.get_mut(read % WAITING) {
                *place = start;
            }
            read += 1;
        };
        words.push(tail, |word| note(word.span.start));
        words.finish(|word| note(word.span.start));
        let first = starts.iter().min().copied().unwrap_or(tail.len());
        (tail.len() - first.min(tail.len())).min(LONGEST)
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &self.rules;
        for text in subject.views(self.views()).filter(|text| text.text.len() >= SHORTEST) {
            for index in &self.indexes {
                let mut matcher = Matcher::new(index);
                let mut last = None;
                let mut report = |found: crate::Match| {
                    if last.replace(found.span) != Some(found.span) && !out.is_full() {
                        out.report(Report::new(rule, text, found.span));
                    }
                };
                matcher.push(&text.text, &mut report);
                matcher.finish(&mut report);
            }
        }
    }
}
