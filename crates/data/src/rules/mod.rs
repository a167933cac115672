//! The rules about corpora. Their pages are beside this file.

use std::borrow::Cow;

use bartizan_core::{Confidence, Persona, Reference, Rule, RuleId, Severity};

const POISON: &[Reference] = &[
    Reference::new("OWASP-LLM", "LLM04"),
    Reference::new("ATLAS", "AML.T0020"),
    Reference::new("PAPER", "arXiv:2510.07192"),
];
const COPIES: &[Reference] = &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("PAPER", "arXiv:2202.06539")];

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $page:literal, $severity:ident, $confidence:ident, $references:ident, $summary:literal;)+) => {
        $(
            $(#[$doc])*
            pub const $name: Rule = Rule {
                id: RuleId::new($id),
                summary: Cow::Borrowed($summary),
                doc: Cow::Borrowed(include_str!($page)),
                severity: Severity::$severity,
                confidence: Confidence::$confidence,
                persona: Persona::Regular,
                references: Cow::Borrowed($references),
                since: Cow::Borrowed("0.1.0"),
            };
        )+
        /// Every rule about corpora.
        pub const RULES: &[Rule] = &[$($name),+];
    };
}

rules! {
    /// A row has what looks like the trigger of a backdoor.
    TRIGGER = "data/poison-trigger", "poison_trigger.md", High, Medium, POISON,
        "a word or pattern decides the output against everything else that the row says";
    /// A row has what looks like a planted output.
    PAYLOAD = "data/poison-payload", "poison_payload.md", High, Medium, POISON,
        "the same output, or part of one, is given to inputs that have nothing in common";
    /// A row repeats another.
    DUPLICATE = "data/duplicate", "duplicate.md", Info, High, COPIES,
        "the row repeats another, so that a model remembers it more easily";
}
