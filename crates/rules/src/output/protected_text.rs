//! What a model repeats of protected corpora. The guard opens them: an index is a file, and a crate of its own.

use std::borrow::Cow;

use bartizan_core::{Confidence, Persona, Reference, Rule, RuleId, Severity};

/// The rule under which repeated text is reported.
pub static RULE: Rule = Rule {
    id: RuleId::new("output/protected-text"),
    summary: Cow::Borrowed("what a model wrote repeats a protected corpus word for word"),
    doc: Cow::Borrowed(include_str!("protected_text.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("ATLAS", "AML.T0057"),
        Reference::new("ATLAS", "AML.T0024"),
        Reference::new("CWE", "CWE-200"),
        Reference::new(
            "PAPER",
            "Schleimer, Wilkerson, Aiken, Winnowing: local algorithms for document fingerprinting, SIGMOD 2003",
        ),
        Reference::new(
            "PAPER",
            "Carlini et al., Extracting training data from large language models, USENIX Security 2021",
        ),
    ]),
    since: Cow::Borrowed("0.1.0"),
};
