//! What happens to parts that cannot be read as text.

use bartizan_core::{OpaqueKind, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to one kind of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OpaqueRule {
    /// It passes, and coverage says that it was not examined.
    Allow,
    /// It is taken out; where it is no element of a list, the request is denied.
    Strip,
    /// A human decides.
    Hold,
    /// The request is denied.
    Deny,
}

/// The kinds, for one group of origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct OpaqueVerdicts {
    /// Image data in the body.
    pub image: OpaqueRule,
    /// Audio data in the body.
    pub audio: OpaqueRule,
    /// A binary document in the body.
    pub file: OpaqueRule,
    /// A document whose text layer was read; what is left are pictures, fonts and layout.
    pub document: OpaqueRule,
    /// What the provider fetches or looks up.
    pub reference: OpaqueRule,
    /// Encrypted or signed reasoning.
    pub encrypted_reasoning: OpaqueRule,
    /// A tool that runs at the provider.
    pub provider_tool: OpaqueRule,
    /// Numbers that stand for a text, such as an embedding.
    pub vector: OpaqueRule,
    /// A part of an unknown type.
    pub unknown: OpaqueRule,
}

impl Default for OpaqueVerdicts {
    fn default() -> Self {
        Self {
            image: OpaqueRule::Allow,
            audio: OpaqueRule::Allow,
            file: OpaqueRule::Allow,
            document: OpaqueRule::Allow,
            reference: OpaqueRule::Deny,
            encrypted_reasoning: OpaqueRule::Allow,
            provider_tool: OpaqueRule::Deny,
            vector: OpaqueRule::Allow,
            unknown: OpaqueRule::Deny,
        }
    }
}

impl OpaqueVerdicts {
    const fn all(rule: OpaqueRule) -> Self {
        Self {
            image: rule,
            audio: rule,
            file: rule,
            document: rule,
            reference: rule,
            encrypted_reasoning: rule,
            provider_tool: rule,
            vector: rule,
            unknown: rule,
        }
    }

    const fn of(&self, kind: OpaqueKind) -> OpaqueRule {
        match kind {
            OpaqueKind::Image => self.image,
            OpaqueKind::Audio => self.audio,
            OpaqueKind::File => self.file,
            OpaqueKind::Document => self.document,
            OpaqueKind::Reference => self.reference,
            OpaqueKind::EncryptedReasoning => self.encrypted_reasoning,
            OpaqueKind::ProviderTool => self.provider_tool,
            OpaqueKind::Vector => self.vector,
            OpaqueKind::Unknown => self.unknown,
        }
    }
}

/// What happens to parts that cannot be read as text, by who sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpaqueTable {
    /// From the operator, the user, the application or the model itself.
    pub trusted: OpaqueVerdicts,
    /// From tool results, documents and memory.
    #[serde(default = "deny_all")]
    pub untrusted: OpaqueVerdicts,
}

const fn deny_all() -> OpaqueVerdicts {
    OpaqueVerdicts::all(OpaqueRule::Deny)
}

impl Default for OpaqueTable {
    fn default() -> Self {
        Self { trusted: OpaqueVerdicts::default(), untrusted: deny_all() }
    }
}

impl OpaqueTable {
    /// What happens to a part of that kind from there.
    #[must_use]
    pub const fn rule(&self, kind: OpaqueKind, source: Source) -> OpaqueRule {
        match source {
            Source::Tool | Source::Document | Source::Memory => self.untrusted.of(kind),
            Source::System | Source::User | Source::Model | Source::Definition | Source::Parameter => {
                self.trusted.of(kind)
            }
        }
    }
}
