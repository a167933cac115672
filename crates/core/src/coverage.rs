//! What was examined and what was not: part of every answer.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of a subject was read. Ordered: the worst part decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CoverageStatus {
    /// Everything was read. Only this may be called clean.
    #[default]
    Complete,
    /// The rest is known and described, but is not text: an image, encrypted reasoning.
    Structural,
    /// Something readable was not read.
    Partial,
}
crate::rule::lowercase_words!(CoverageStatus, Complete => "complete", Structural => "structural", Partial => "partial");

/// Why a part was not read as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Longer than the limit for one text.
    TooLong,
    /// Nested encodings deeper than the limit.
    TooDeep,
    /// Decoded payloads larger than the limit.
    DecodedTooLarge,
    /// More findings than the limit; the rest was not listed.
    TooManyFindings,
    /// Ran out of time.
    Deadline,
    /// A text that had to be valid was not.
    Malformed,
    /// Image data.
    Image,
    /// Audio data.
    Audio,
    /// A file or document body in a binary format.
    File,
    /// A reference that the provider resolves: file id, URL, stored prompt.
    Reference,
    /// Encrypted or signed reasoning.
    EncryptedReasoning,
    /// A tool that runs at the provider.
    ProviderTool,
    /// Vectors and other binary values.
    Binary,
    /// Text that was out before it could be examined as a whole.
    AlreadySent,
    /// A body that a rule of the operator lets pass unread.
    Passthrough,
    /// The pictures, fonts and layout of a document: its text layer was read.
    TextLayerRead,
    /// A document that needs a password.
    Encrypted,
    /// More members, pages or attachments than the limit.
    TooManyParts,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TooLong => "too-long",
            Self::TooDeep => "too-deep",
            Self::DecodedTooLarge => "decoded-too-large",
            Self::TooManyFindings => "too-many-findings",
            Self::Deadline => "deadline",
            Self::Malformed => "malformed",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::File => "file",
            Self::Reference => "reference",
            Self::EncryptedReasoning => "encrypted-reasoning",
            Self::ProviderTool => "provider-tool",
            Self::Binary => "binary",
            Self::AlreadySent => "already-sent",
            Self::Passthrough => "passthrough",
            Self::TextLayerRead => "text-layer-read",
            Self::Encrypted => "encrypted",
            Self::TooManyParts => "too-many-parts",
        })
    }
}

/// One part that was not read as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// [`CoverageStatus::Structural`] or [`CoverageStatus::Partial`].
    pub kind: CoverageStatus,
    /// Why.
    pub reason: Reason,
    /// How many bytes of the original it concerns.
    pub bytes: usize,
}

impl Part {
    /// Something readable that was not read.
    #[must_use]
    pub const fn partial(reason: Reason, bytes: usize) -> Self {
        Self { kind: CoverageStatus::Partial, reason, bytes }
    }

    /// Something that is not text.
    #[must_use]
    pub const fn structural(reason: Reason, bytes: usize) -> Self {
        Self { kind: CoverageStatus::Structural, reason, bytes }
    }
}

/// What was not read. Parts with the same reason are added up, so it stays small on any input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// The worst of the parts.
    pub status: CoverageStatus,
    /// Every part that was not read as text.
    pub parts: Vec<Part>,
}

impl Coverage {
    /// Adds a part.
    pub fn add(&mut self, part: Part) {
        self.status = self.status.max(part.kind);
        match self.parts.iter_mut().find(|p| p.reason == part.reason && p.kind == part.kind) {
            Some(same) => same.bytes = same.bytes.saturating_add(part.bytes),
            None => self.parts.push(part),
        }
    }

    /// Adds all parts of another.
    pub fn merge(&mut self, other: &Self) {
        for part in &other.parts {
            self.add(*part);
        }
    }
}
