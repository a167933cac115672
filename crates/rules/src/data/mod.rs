//! What is retrieved to be put into prompts. The crate `policy` decides it, and the gateway reports it under these rules.

use std::borrow::Cow;

use bartizan_core::{Confidence, Persona, Reference, Rule, RuleId, Severity};

/// A chunk that the caller may not read.
pub static OUT_OF_SCOPE_CHUNK: Rule = Rule {
    id: RuleId::new("data/out-of-scope-chunk"),
    summary: Cow::Borrowed("a retrieved chunk that the caller may not read"),
    doc: Cow::Borrowed(include_str!("out_of_scope_chunk.md")),
    severity: Severity::Medium,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM08"),
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("ATLAS", "AML.T0085.000"),
        Reference::new("CWE", "CWE-862"),
    ]),
    since: Cow::Borrowed("0.1.0"),
};

/// A document that nobody has a reason to retrieve.
pub static CANARY_DOCUMENT: Rule = Rule {
    id: RuleId::new("data/canary-document"),
    summary: Cow::Borrowed("a document that was planted to show that somebody looks around was retrieved"),
    doc: Cow::Borrowed(include_str!("canary_document.md")),
    severity: Severity::Critical,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM08"),
        Reference::new("ATLAS", "AML.T0064"),
        Reference::new("ATLAS", "AML.T0085.000"),
    ]),
    since: Cow::Borrowed("0.1.0"),
};
