//! Where something is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A half-open byte range of a text, always on character boundaries of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range `start..end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// True where it covers nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// True where both share at least one byte.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The text it covers; empty where it does not fit `text`.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// The same range counted in Unicode code points of `text`, as the JSON contracts count.
    #[must_use]
    pub fn code_points(self, text: &str) -> Self {
        let start = text.get(..self.start).map_or(0, |t| t.chars().count());
        Self { start, end: start + self.of(text).chars().count() }
    }
}

/// Where a finding is, in the terms of what was examined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Location {
    /// In a plain text.
    Text {
        /// Byte range in the text.
        span: Span,
    },
    /// In a string, key or number of a JSON document.
    Json {
        /// JSON Pointer (RFC 6901) to the value. `#key` is appended where the finding is in the key itself.
        /// A value inside JSON that is itself a string is reached by appending the inner pointer.
        pointer: String,
        /// Byte range in the decoded string.
        span: Span,
    },
    /// In a file, by byte offset.
    File {
        /// Path as the user gave it.
        path: String,
        /// Byte range in the file.
        span: Span,
    },
    /// In a row of a data set.
    Record {
        /// File or stream.
        source: String,
        /// Row, from 0.
        row: u64,
        /// Column or field.
        column: String,
        /// Byte range in the field.
        span: Span,
    },
    /// In a member of an archive or document.
    Archive {
        /// Path of the member.
        member: String,
        /// Where in the text of the member; for a document in a JSON string, the string is named here too.
        inner: Box<Location>,
    },
}

impl Location {
    /// The byte range of the innermost text.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Text { span } | Self::Json { span, .. } | Self::File { span, .. } | Self::Record { span, .. } => {
                *span
            }
            Self::Archive { inner, .. } => inner.span(),
        }
    }

    /// The way to the innermost text, where there is one: a JSON Pointer, and behind `#` the member of the document
    /// that it points to.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Json { pointer, .. } => Some(pointer.clone()),
            Self::Archive { member, inner } => Some(match inner.path() {
                Some(pointer) => format!("{pointer}#{member}"),
                None => member.clone(),
            }),
            Self::Text { .. } | Self::File { .. } | Self::Record { .. } => None,
        }
    }
}
