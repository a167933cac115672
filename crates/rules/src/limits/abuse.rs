//! How a key is used over many requests: theft of a model, dumps, floods, retries.
//!
//! What counts requests is in the crate `abuse`; the guard reports it under these rules, at the request with which a
//! signal is raised and at those that something is done about.

use bartizan_core::{Reference, rule_list};

const EXTRACTION: &[Reference] = &[
    Reference::new("OWASP-LLM", "LLM10"),
    Reference::new("ATLAS", "AML.T0024"),
    Reference::new("ATLAS", "AML.T0024.002"),
    Reference::new("PAPER", "Krishna et al., Thieves on Sesame Street! Model Extraction of BERT-based APIs, ICLR 2020"),
];

const PROBING: &[Reference] = &[
    Reference::new("OWASP-LLM", "LLM10"),
    Reference::new("ATLAS", "AML.T0024"),
    Reference::new("ATLAS", "AML.T0024.002"),
    Reference::new("PAPER", "Juuti et al., PRADA: Protecting Against DNN Model Stealing Attacks, EuroS&P 2019"),
];

const LOGPROBS: &[Reference] = &[
    Reference::new("OWASP-LLM", "LLM10"),
    Reference::new("ATLAS", "AML.T0024.002"),
    Reference::new("PAPER", "Carlini et al., Stealing Part of a Production Language Model, ICML 2024"),
    Reference::new("PAPER", "Finlayson et al., Logits of API-Protected LLMs Leak Proprietary Information, 2024"),
];

const EMBEDDINGS: &[Reference] = &[
    Reference::new("OWASP-LLM", "LLM08"),
    Reference::new("OWASP-LLM", "LLM10"),
    Reference::new("ATLAS", "AML.T0024.002"),
    Reference::new(
        "PAPER",
        "Dziedzic et al., On the Difficulty of Defending Self-Supervised Learning against Model Extraction, ICML 2022",
    ),
];

const USAGE: &[Reference] = &[
    Reference::new("OWASP-LLM", "LLM10"),
    Reference::new("ATLAS", "AML.T0034"),
    Reference::new("ATLAS", "AML.T0029"),
    Reference::new("CWE", "CWE-770"),
];

const RETRIES: &[Reference] =
    &[Reference::new("OWASP-LLM", "LLM01"), Reference::new("ATLAS", "AML.T0054"), Reference::new("ATLAS", "AML.T0043")];

rule_list! {
    /// Rules about the use of a key.
    RULES:
    /// Queries that cover much.
    BROAD_COVERAGE = "limits/broad-coverage", "broad_coverage.md", Medium, Medium, EXTRACTION, "a key that asks about far more than it usually does, or in no natural language";
    /// One template with changing values.
    TEMPLATED_PROBING = "limits/templated-probing", "templated_probing.md", Medium, Medium, PROBING, "a key that asks one question with changing values, over and over";
    /// Log probabilities and logit biases.
    LOGPROB_HARVEST = "limits/logprob-harvest", "logprob_harvest.md", Medium, Medium, LOGPROBS, "a key that collects log probabilities, or changes logit biases from request to request";
    /// Many inputs embedded.
    EMBEDDING_DUMP = "limits/embedding-dump", "embedding_dump.md", Medium, Medium, EMBEDDINGS, "a key that has far more distinct inputs embedded than it usually has";
    /// Tokens or money.
    USAGE_ANOMALY = "limits/usage-anomaly", "usage_anomaly.md", Medium, Medium, USAGE, "a key that takes far more tokens or money in an hour than it usually does";
    /// A refused text again and again.
    REFUSAL_RETRIES = "limits/refusal-retries", "refusal_retries.md", Medium, High, RETRIES, "a refused text that comes again and again in other words";
}
