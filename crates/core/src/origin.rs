//! Where a piece of text came from, and what follows from that.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kind of place that a text came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The operator's instructions.
    System,
    /// Words of the person who uses the application.
    #[default]
    User,
    /// What a tool returned.
    Tool,
    /// A retrieved or attached document.
    Document,
    /// What an agent stored earlier.
    Memory,
    /// What a model wrote.
    Model,
    /// Definition of a tool, its schema included.
    Definition,
    /// A request field that belongs to no message: model name, metadata, unknown fields.
    Parameter,
}

impl Source {
    /// Every source, in documentation order.
    pub const ALL: [Self; 8] = [
        Self::System,
        Self::User,
        Self::Tool,
        Self::Document,
        Self::Memory,
        Self::Model,
        Self::Definition,
        Self::Parameter,
    ];

    /// How far text from there may be believed.
    #[must_use]
    pub const fn integrity(self) -> Integrity {
        match self {
            Self::System => Integrity::Operator,
            Self::User | Self::Definition | Self::Parameter => Integrity::User,
            Self::Model | Self::Memory | Self::Tool | Self::Document => Integrity::Untrusted,
        }
    }
}

crate::rule::lowercase_words!(Source, System => "system", User => "user", Tool => "tool", Document => "document",
    Memory => "memory", Model => "model", Definition => "definition", Parameter => "parameter");
use std::fmt;

/// Where a text came from, as exactly as the protocol says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// Kind of place.
    pub source: Source,
    /// Tool server, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Arc<str>>,
    /// Tool name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Arc<str>>,
    /// JSON Pointer inside the tool result or document, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Arc<str>>,
}

impl Origin {
    /// An origin of which only the kind is known.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self { source, server: None, tool: None, field: None }
    }

    /// A tool result of the named tool.
    #[must_use]
    pub fn tool(name: &str) -> Self {
        Self { tool: Some(Arc::from(name)), ..Self::new(Source::Tool) }
    }

    /// The label that text of this origin starts with.
    #[must_use]
    pub fn label(&self) -> Label {
        Label { integrity: self.source.integrity(), readers: None }
    }
}

impl From<Source> for Origin {
    fn from(source: Source) -> Self {
        Self::new(source)
    }
}

/// How far a value may be believed. Ordered: joining two values takes the larger, that is the less trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Integrity {
    /// Written by the operator.
    Operator,
    /// Written by the user or by the application.
    User,
    /// Anybody may have written it.
    Untrusted,
}

/// Integrity and confidentiality of a value. Joins form a semilattice: commutative, associative, idempotent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Label {
    /// Least trusted ingredient.
    pub integrity: Integrity,
    /// Who may read it; `None` is everybody, an empty set is nobody.
    pub readers: Option<std::collections::BTreeSet<String>>,
}

impl Label {
    /// Label of a value made from values with these two labels.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let readers = match (&self.readers, &other.readers) {
            (None, r) | (r, None) => r.clone(),
            (Some(a), Some(b)) => Some(a.intersection(b).cloned().collect()),
        };
        Self { integrity: self.integrity.max(other.integrity), readers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label() -> impl Strategy<Value = Label> {
        let integrity = prop_oneof![Just(Integrity::Operator), Just(Integrity::User), Just(Integrity::Untrusted)];
        let readers = proptest::option::of(proptest::collection::btree_set("[a-c]", 0..3));
        (integrity, readers).prop_map(|(integrity, readers)| Label { integrity, readers })
    }

    proptest! {
        #[test]
        fn join_is_a_semilattice(a in label(), b in label(), c in label()) {
            prop_assert_eq!(a.join(&b), b.join(&a));
            prop_assert_eq!(a.join(&a), a.clone());
            prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
            prop_assert!(a.join(&b).integrity >= a.integrity);
        }
    }
}
