//! One rule at one place.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::location::{Location, Span};
use crate::rule::{Confidence, RuleId, Severity};
use crate::view::View;

/// Entity or secret type: Presidio's names where they exist (`EMAIL_ADDRESS`), else `UPPER_SNAKE`.
pub type EntityType = Cow<'static, str>;

/// What redaction does to the place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fix {
    /// Put a placeholder that names the type.
    #[default]
    Mask,
    /// Take the characters out: they are invisible.
    Remove,
    /// Put this text: the same content, harmless.
    Replace(String),
}

/// One rule at one place. It never holds the matched content.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// How bad it is if true.
    pub severity: Severity,
    /// How likely it is true.
    pub confidence: Confidence,
    /// Entity or secret type.
    pub entity: Option<EntityType>,
    /// The view it was seen in.
    pub view: View,
    /// Encodings peeled off before it was seen.
    pub depth: u8,
    /// Where, in the original.
    pub at: Location,
    /// What redaction does here.
    pub fix: Fix,
}

impl Finding {
    /// Byte range in the original text.
    #[must_use]
    pub fn span(&self) -> Span {
        self.at.span()
    }

    /// The text that redaction puts in place of the finding.
    #[must_use]
    pub fn replacement(&self) -> Cow<'_, str> {
        match &self.fix {
            Fix::Remove => Cow::Borrowed(""),
            Fix::Replace(text) => Cow::Borrowed(text),
            Fix::Mask => {
                let name = self
                    .entity
                    .as_deref()
                    .unwrap_or_else(|| self.rule.as_str().split_once('/').map_or(self.rule.as_str(), |(_, name)| name));
                Cow::Owned(format!("[REDACTED:{name}]"))
            }
        }
    }
}

/// What the provider of a key says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InUse {
    /// It opens something there.
    Accepted,
    /// It opens nothing there.
    Refused,
    /// The provider did not say.
    Unknown,
}

/// A finding as the JSON contracts show it. Offsets are Unicode code points of the original text.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FindingRecord {
    /// Rule id.
    pub rule: RuleId,
    /// Severity.
    pub severity: Severity,
    /// Confidence.
    pub confidence: Confidence,
    /// Entity or secret type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityType>,
    /// JSON Pointer, for messages. Inside a document: the pointer to it, `#`, and the place in the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// First code point.
    pub start: usize,
    /// One past the last code point.
    pub end: usize,
    /// What its provider says, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use: Option<InUse>,
}

impl FindingRecord {
    /// The record of a finding in `text`.
    #[must_use]
    pub fn new(finding: &Finding, text: &str) -> Self {
        let span = finding.span().code_points(text);
        let path = finding.at.path();
        Self {
            rule: finding.rule.clone(),
            severity: finding.severity,
            confidence: finding.confidence,
            entity: finding.entity.clone(),
            path,
            start: span.start,
            end: span.end,
            in_use: None,
        }
    }
}
