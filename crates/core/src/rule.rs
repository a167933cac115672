//! What a detector reports under: identity, documentation and metadata of a rule.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stable name of a rule, `family/kebab-name`. It never changes once published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RuleId(Cow<'static, str>);

impl RuleId {
    /// An id known at compile time.
    #[must_use]
    pub const fn new(id: &'static str) -> Self {
        Self(Cow::Borrowed(id))
    }

    /// An id read at run time, as from a user's rule pack.
    ///
    /// # Errors
    /// The name of what is wrong: the id is not `family/kebab-name` with a known family.
    pub fn parse(id: &str) -> Result<Self, String> {
        let Some((family, name)) = id.split_once('/') else {
            return Err(format!("rule id `{id}` is not of the form `family/kebab-name`"));
        };
        if Family::parse(family).is_none() {
            return Err(format!("rule id `{id}` names the unknown family `{family}`"));
        }
        let kebab = !name.is_empty()
            && !name.starts_with('-')
            && !name.ends_with('-')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !kebab {
            return Err(format!("rule name `{name}` in `{id}` is not kebab-case"));
        }
        Ok(Self(Cow::Owned(id.to_owned())))
    }

    /// The whole id, `family/kebab-name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The family before the slash; [`Family::Prompt`] where a hand-made id names none.
    #[must_use]
    pub fn family(&self) -> Family {
        self.0.split_once('/').and_then(|(f, _)| Family::parse(f)).unwrap_or(Family::Prompt)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// First part of a rule id: what kind of trouble the rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Instructions smuggled to the model.
    Prompt,
    /// Data leaving through what a client renders or fetches.
    Egress,
    /// Active content in what the model wrote.
    Output,
    /// Credentials.
    Secret,
    /// Personal data.
    Pii,
    /// Text that people and models read differently.
    Unicode,
    /// Sizes, repetition, resource use.
    Limits,
    /// Subjects that a deployment does not want.
    Topic,
    /// Tool definitions and calls.
    Tool,
    /// The Model Context Protocol.
    Mcp,
    /// Model artifacts.
    Model,
    /// Training data.
    Data,
    /// Serving infrastructure.
    Infra,
}

impl Family {
    /// Every family, in documentation order.
    pub const ALL: [Self; 13] = [
        Self::Prompt,
        Self::Egress,
        Self::Output,
        Self::Secret,
        Self::Pii,
        Self::Unicode,
        Self::Limits,
        Self::Topic,
        Self::Tool,
        Self::Mcp,
        Self::Model,
        Self::Data,
        Self::Infra,
    ];

    /// The word used in ids and in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Egress => "egress",
            Self::Output => "output",
            Self::Secret => "secret",
            Self::Pii => "pii",
            Self::Unicode => "unicode",
            Self::Limits => "limits",
            Self::Topic => "topic",
            Self::Tool => "tool",
            Self::Mcp => "mcp",
            Self::Model => "model",
            Self::Data => "data",
            Self::Infra => "infra",
        }
    }

    /// The family of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.as_str() == name)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad it is if the finding is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words explain themselves")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// How likely the finding is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words explain themselves")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

macro_rules! lowercase_words {
    ($type:ty, $($variant:ident => $word:literal),+) => {
        impl $type {
            /// The lower-case word used in records and configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use lowercase_words;

lowercase_words!(Severity, Info => "info", Low => "low", Medium => "medium", High => "high", Critical => "critical");
lowercase_words!(Confidence, Low => "low", Medium => "medium", High => "high");
lowercase_words!(Persona, Regular => "regular", Pedantic => "pedantic", Auditor => "auditor");

/// Who wants to see the rule: fewer false alarms, or more of everything. Independent of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Persona {
    /// Everyday use; false alarms are defects.
    Regular,
    /// Code smells and hygiene.
    Pedantic,
    /// Everything that a human reviewer may want to look at.
    Auditor,
}

/// Where a rule comes from or which entry of a catalogue it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// Catalogue: `OWASP-LLM` (2025), `OWASP-AGENTIC` (2026), `ATLAS`, `CWE`, `CVE`, `RFC`, `PAPER`, `URL`.
    pub catalogue: Cow<'static, str>,
    /// Entry in it, such as `LLM01` or `CWE-94`, or the whole address.
    pub id: Cow<'static, str>,
}

impl Reference {
    /// A reference known at compile time.
    #[must_use]
    pub const fn new(catalogue: &'static str, id: &'static str) -> Self {
        Self { catalogue: Cow::Borrowed(catalogue), id: Cow::Borrowed(id) }
    }
}

/// One rule with all that can be printed about it.
///
/// Built-in rules are constants; rules of user packs own their strings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// Stable id.
    pub id: RuleId,
    /// One line, no full stop.
    pub summary: Cow<'static, str>,
    /// The rule's page in Markdown, its *Limits* section included. Its `fire` and `silent` blocks are run as tests.
    pub doc: Cow<'static, str>,
    /// Default severity of its findings; a finding may carry its own.
    pub severity: Severity,
    /// Default confidence of its findings; a finding may carry its own.
    pub confidence: Confidence,
    /// Who sees it by default.
    pub persona: Persona,
    /// Catalogue entries and sources.
    pub references: Cow<'static, [Reference]>,
    /// First version that had it.
    pub since: Cow<'static, str>,
}

/// Rules as a table: a constant for each, with its page from a file beside the caller, and a list of all.
///
/// Each row is `NAME = "family/id", "page.md", Severity, Confidence, REFERENCES, "summary";`.
#[macro_export]
macro_rules! rule_list {
    ($(#[$about:meta])* $list:ident: $($(#[$doc:meta])* $name:ident = $id:literal, $page:literal, $severity:ident, $confidence:ident, $references:ident, $summary:literal;)+) => {
        $(
            $(#[$doc])*
            pub const $name: $crate::Rule = $crate::Rule {
                id: $crate::RuleId::new($id),
                summary: ::std::borrow::Cow::Borrowed($summary),
                doc: ::std::borrow::Cow::Borrowed(include_str!($page)),
                severity: $crate::Severity::$severity,
                confidence: $crate::Confidence::$confidence,
                persona: $crate::Persona::Regular,
                references: ::std::borrow::Cow::Borrowed($references),
                since: ::std::borrow::Cow::Borrowed("0.1.0"),
            };
        )+
        $(#[$about])*
        pub const $list: &[$crate::Rule] = &[$($name),+];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        assert!(RuleId::parse("prompt/instruction-override").is_ok());
        for bad in ["prompt", "nope/x", "prompt/", "prompt/Upper", "prompt/-x", "prompt/a_b"] {
            assert!(RuleId::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(RuleId::new("egress/x").family(), Family::Egress);
    }
}
