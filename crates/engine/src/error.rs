//! Why an engine cannot be built.

use bartizan_core::RuleId;

/// Why an engine cannot be built. All of it is a fault of the configuration or of a rule pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A detector that could report nothing.
    #[error("a detector has no rule to report under")]
    NoRules,
    /// Two detectors, or one twice, report under the same rule.
    #[error("the rule `{0}` is defined twice")]
    DuplicateRule(RuleId),
    /// An empty literal occurs everywhere.
    #[error("the detector of `{0}` has an empty literal among its anchors")]
    EmptyLiteral(RuleId),
    /// A suppression that can never match, probably a misspelling.
    #[error("the suppression of `{pattern}` names no known rule{}", hint(.closest.as_ref()))]
    UnknownRule {
        /// What the suppression names.
        pattern: String,
        /// The rule with the most similar name, where one is similar.
        closest: Option<RuleId>,
    },
    /// A suppression whose text is empty.
    #[error("the suppression of `{0}` has an empty text; leave the text out to suppress the rule everywhere")]
    EmptyText(String),
    /// A suppression without a reason.
    #[error("the suppression of `{0}` gives no reason")]
    NoReason(String),
    /// The literals of all rules together are too many for one automaton.
    #[error("the literals of the rules cannot be compiled: {0}")]
    Literals(String),
}

fn hint(closest: Option<&RuleId>) -> String {
    closest.map(|rule| format!("; did you mean `{rule}`?")).unwrap_or_default()
}
