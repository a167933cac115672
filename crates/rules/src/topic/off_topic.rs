//! What users write has to be about one of the allowed topics.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Context, Cost, Detector, Direction, Hold, Kind, Limits, Origin, Persona, Reference, Report,
    Rule, RuleId, Severity, Sink, Source, Span, Subject, Views,
};

use super::Topic;
use super::word_list::{Stems, VIEWS};
use crate::RulesError;

/// Name of the rule behind `topic/`.
pub(super) const NAME: &str = "off-topic";

/// Words below which a text has no subject of its own: "yes, please", "and tomorrow?".
const WORDS: usize = 8;
/// Letters of scripts without blanks that stand for so many words.
const LETTERS: usize = 24;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("topic/off-topic"),
    summary: Cow::Borrowed("a user's text in which no allowed topic occurs"),
    doc: Cow::Borrowed(
        "# topic/off-topic\n\n## What it finds\n\nA text of a user, of eight words or more, in which no word of any \
         topic with `mode = \"allow\"` occurs.\n\n## Why it matters\n\nThis deployment has said what it is for.\n\n\
         ## How it decides\n\nThe words of all allowed topics are looked for as `topic/NAME` rules do.\n\n\
         ## Limits\n\nOne word of an allowed topic is enough, whatever else the text says. Replies are not judged.\n\n\
         ## Fix\n\nAdd words to the topics, or give the rule another severity.\n\n\
         ## References\n\n- NIST AI 600-1, Generative Artificial Intelligence Profile\n",
    ),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[Reference::new("URL", "https://doi.org/10.6028/NIST.AI.600-1")]),
    since: Cow::Borrowed("0.1.0"),
}];

/// All allowed topics together.
pub(super) struct OffTopic {
    stems: Stems,
}

impl OffTopic {
    pub(super) fn new(topics: &[&Topic]) -> Result<Self, RulesError> {
        Ok(Self { stems: Stems::new(topics.iter().copied())? })
    }
}

impl Detector for OffTopic {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        VIEWS
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    /// A text without any of the words is what it is about.
    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.stems.literals, always: true, ..Anchors::default() }
    }

    fn concerns(&self, origin: &Origin, context: &Context<'_>) -> bool {
        origin.source == Source::User && context.direction == Direction::Request
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let Some(text) = subject.texts.first() else { return };
        let words = text.text.split_whitespace().take(WORDS).count();
        let letters = text.text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()).take(LETTERS).count();
        if subject.kind != Kind::Text || (words < WORDS && letters < LETTERS) {
            return;
        }
        if self.stems.found(subject).next().is_none() {
            out.report(Report::new(rule, text, Span::new(0, text.text.len())));
        }
    }
}
