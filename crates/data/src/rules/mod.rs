//! The rules about corpora. Their pages are beside this file.

use bartizan_core::{Reference, rule_list};

const POISON: &[Reference] = &[
    Reference::new("OWASP-LLM", "LLM04"),
    Reference::new("ATLAS", "AML.T0020"),
    Reference::new("PAPER", "arXiv:2510.07192"),
];
const COPIES: &[Reference] = &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("PAPER", "arXiv:2202.06539")];

const EXAMINATION: &[Reference] =
    &[Reference::new("PAPER", "arXiv:2005.14165"), Reference::new("PAPER", "arXiv:2311.04850")];

rule_list! {
    /// Every rule about corpora.
    RULES:
    /// A row has what looks like the trigger of a backdoor.
    TRIGGER = "data/poison-trigger", "poison_trigger.md", High, Medium, POISON,
        "a word or pattern decides the output against everything else that the row says";
    /// A row has what looks like a planted output.
    PAYLOAD = "data/poison-payload", "poison_payload.md", High, Medium, POISON,
        "the same output, or part of one, is given to inputs that have nothing in common";
    /// A row holds a piece of an evaluation set.
    CONTAMINATION = "data/contamination", "contamination.md", Medium, High, EXAMINATION,
        "the row holds a piece of an evaluation set, so that a model which learned it is not measured by that";
    /// A row repeats another.
    DUPLICATE = "data/duplicate", "duplicate.md", Info, High, COPIES,
        "the row repeats another, so that a model remembers it more easily";
}
