//! What the classifier sees. The guard makes the findings: the model is a crate of its own.

use std::borrow::Cow;

use bartizan_core::{Confidence, Persona, Reference, Rule, RuleId, Severity};

/// The rule under which the classifier reports.
pub static RULE: Rule = Rule {
    id: RuleId::new("prompt/learned-injection"),
    summary: Cow::Borrowed("the text looks like an attempt to instruct the model against its operator"),
    doc: Cow::Borrowed(include_str!("learned_injection.md")),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("OWASP-LLM", "LLM07"),
        Reference::new("OWASP-AGENTIC", "ASI01"),
        Reference::new("ATLAS", "AML.T0051"),
        Reference::new("ATLAS", "AML.T0054"),
        Reference::new("PAPER", "Greshake et al., Not what you've signed up for, AISec 2023"),
    ]),
    since: Cow::Borrowed("0.1.0"),
};
