//! What is said about a message besides what the engine finds in its texts.

use bartizan_core::Confidence;

/// Ids of the rules that notes are about.
pub mod rules {
    /// Two tools that cannot be told apart.
    pub const SHADOWING: &str = "mcp/tool-shadowing";
    /// A tool that speaks of another server's.
    pub const CROSS_SERVER: &str = "mcp/cross-server-reference";
    /// A tool or server instruction that is not what was pinned.
    pub const CHANGED: &str = "mcp/tool-changed";
    /// A call that the model's side has not decided.
    pub const UNDECIDED: &str = "mcp/undecided-call";
    /// A server asks the client's model to write something.
    pub const SAMPLING: &str = "mcp/sampling-request";
    /// A server asks the user for a secret.
    pub const ELICITED: &str = "mcp/elicited-secret";
    /// A link into a network or file system that the server has no business in.
    pub const LINK: &str = "mcp/unsafe-link";
}

/// One rule at one place of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Which rule: one of [`rules`].
    pub rule: &'static str,
    /// JSON Pointer (RFC 6901) to the value.
    pub pointer: String,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Note {
    pub(crate) fn new(rule: &'static str, pointer: impl Into<String>, confidence: Confidence) -> Self {
        Self { rule, pointer: pointer.into(), confidence }
    }
}

/// The element of a list in a result that a pointer leads into, such as `/result/tools/3`; for the instructions of a
/// server the member itself.
#[must_use]
pub fn element_of(pointer: &str) -> Option<String> {
    let mut tokens = pointer.split('/').skip(1);
    let (Some("result"), Some(list)) = (tokens.next(), tokens.next()) else { return None };
    match (list.split('#').next().unwrap_or_default(), tokens.next()) {
        ("instructions", None) => Some("/result/instructions".to_owned()),
        ("tools" | "prompts" | "resources" | "resourceTemplates", Some(at)) => {
            let at = at.split('#').next().unwrap_or_default();
            let is_index = !at.is_empty() && at.bytes().all(|b| b.is_ascii_digit());
            is_index.then(|| format!("/result/{list}/{at}"))
        }
        _ => None,
    }
}
