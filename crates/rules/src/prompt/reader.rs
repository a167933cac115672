//! What the detectors that read words in their surroundings have in common: the views, the lexicon, and that every
//! word of a text may weigh for or against a finding.

use std::borrow::Cow;

use bartizan_core::{Anchors, Cost, Detector, Hold, Limits, Rule, Sink, Subject, Views};

use super::words::{WORD_VIEWS, Words};
use crate::RulesError;

/// Looks at one subject with the lexicon at hand.
pub(super) type Read = fn(&Words, &Subject<'_>, &mut Sink<'_>);

/// A detector that reads words around its anchors.
pub(super) struct WordReader {
    rules: &'static [Rule; 1],
    words: Words,
    literals: Vec<Cow<'static, str>>,
    read: Read,
}

impl WordReader {
    /// The detector of a rule. `literals` lead to the places that `read` looks at.
    pub(super) fn boxed(
        rules: &'static [Rule; 1],
        literals: Vec<Cow<'static, str>>,
        read: Read,
    ) -> Result<Box<dyn Detector>, RulesError> {
        let [rule] = rules;
        Ok(Box::new(Self { rules, words: Words::new(rule.id.as_str())?, literals, read }))
    }
}

impl Detector for WordReader {
    fn rules(&self) -> &[Rule] {
        self.rules
    }

    fn views(&self) -> Views {
        WORD_VIEWS
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Regex
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        (self.read)(&self.words, subject, out);
    }
}
