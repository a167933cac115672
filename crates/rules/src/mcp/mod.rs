//! The Model Context Protocol: what tool definitions say, and what servers do.
//!
//! `tool_poisoning` reads texts as other detectors do. The others are about more than one text, such as two lists of
//! tools; what finds them is in the crate `mcp`, and the guard reports it under these rules.

use std::borrow::Cow;

use bartizan_core::{Confidence, Persona, Reference, Rule, RuleId, Severity};

pub mod tool_poisoning;

/// A rule whose findings the guard makes. Its page stands beside this file.
macro_rules! rule {
    ($(#[$doc:meta])* $name:ident, $id:literal, $summary:literal, $page:literal, $references:expr) => {
        $(#[$doc])*
        pub static $name: Rule = Rule {
            id: RuleId::new($id),
            summary: Cow::Borrowed($summary),
            doc: Cow::Borrowed(include_str!($page)),
            severity: Severity::High,
            confidence: Confidence::High,
            persona: Persona::Regular,
            references: Cow::Borrowed(&$references),
            since: Cow::Borrowed("0.1.0"),
        };
    };
}

rule!(
    /// Tools that cannot be told apart.
    TOOL_SHADOWING,
    "mcp/tool-shadowing",
    "a tool whose name cannot be told from another's",
    "tool_shadowing.md",
    [
        Reference::new("OWASP-AGENTIC", "ASI02"),
        Reference::new("OWASP-LLM", "LLM03"),
        Reference::new("ATLAS", "AML.T0110"),
        Reference::new("URL", "https://modelcontextprotocol.io/specification/2025-11-25/server/tools"),
    ]
);

rule!(
    /// A definition that speaks of another server's tool.
    CROSS_SERVER_REFERENCE,
    "mcp/cross-server-reference",
    "a tool definition that is about the use of another server's tool",
    "cross_server_reference.md",
    [
        Reference::new("OWASP-AGENTIC", "ASI01"),
        Reference::new("OWASP-AGENTIC", "ASI02"),
        Reference::new("ATLAS", "AML.T0110"),
    ]
);

rule!(
    /// A definition that is not what was pinned.
    TOOL_CHANGED,
    "mcp/tool-changed",
    "a tool or server instruction that is not what was pinned",
    "tool_changed.md",
    [
        Reference::new("OWASP-AGENTIC", "ASI04"),
        Reference::new("OWASP-LLM", "LLM03"),
        Reference::new("ATLAS", "AML.T0109"),
    ]
);

rule!(
    /// A call that nobody in front of the model has decided.
    UNDECIDED_CALL,
    "mcp/undecided-call",
    "a tool call that the model's side has not decided",
    "undecided_call.md",
    [
        Reference::new("OWASP-AGENTIC", "ASI02"),
        Reference::new("OWASP-AGENTIC", "ASI10"),
        Reference::new("ATLAS", "AML.T0053"),
    ]
);

rule!(
    /// A server that wants the client's model to write something.
    SAMPLING_REQUEST,
    "mcp/sampling-request",
    "a server asks the client's model to write something",
    "sampling_request.md",
    [
        Reference::new("OWASP-AGENTIC", "ASI01"),
        Reference::new("OWASP-LLM", "LLM06"),
        Reference::new("ATLAS", "AML.T0051.001"),
        Reference::new("URL", "https://modelcontextprotocol.io/specification/2025-11-25/client/sampling"),
    ]
);

rule!(
    /// A server that asks the user for a secret.
    ELICITED_SECRET,
    "mcp/elicited-secret",
    "a server asks the user for a password, key or card number",
    "elicited_secret.md",
    [
        Reference::new("OWASP-AGENTIC", "ASI09"),
        Reference::new("ATLAS", "AML.T0098"),
        Reference::new("URL", "https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation"),
    ]
);

rule!(
    /// A link into an inner network or a private file.
    UNSAFE_LINK,
    "mcp/unsafe-link",
    "a link into an inner network, to a metadata service or to a private file",
    "unsafe_link.md",
    [
        Reference::new("CWE", "CWE-918"),
        Reference::new("OWASP-AGENTIC", "ASI02"),
        Reference::new("ATLAS", "AML.T0086"),
    ]
);
