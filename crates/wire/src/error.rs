//! What can be wrong with a body, an edit or a stream.

use crate::json::JsonError;

/// Why a body, an edit or a stream is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not JSON.
    #[error("body is not valid JSON: {0}")]
    Json(#[from] JsonError),
    /// More bytes than the limit.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A field that decides who says what has another type or value than the protocol gives it.
    #[error("`{pointer}` must be {expected}")]
    Shape {
        /// JSON Pointer to the field.
        pointer: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A key that comes twice, or in another case than the protocol's: parsers differ in which one they take, so nobody
    /// knows what would be forwarded.
    #[error("`{pointer}` is given more than once or in another case")]
    Ambiguous {
        /// JSON Pointer to the second occurrence.
        pointer: String,
    },
    /// An edit of a text that cannot change.
    #[error("`{pointer}` cannot be changed")]
    NotEditable {
        /// JSON Pointer to the text.
        pointer: String,
    },
    /// A part that cannot be taken out.
    #[error("`{pointer}` cannot be taken out")]
    NotStrippable {
        /// JSON Pointer to the part.
        pointer: String,
    },
    /// An edit that names a text, part or range that does not exist.
    #[error("edit {index} names no text, part or range of the exchange")]
    BadEdit {
        /// Position in the list of edits.
        index: usize,
    },
    /// A stream that is not an event stream.
    #[error("malformed event stream: {0}")]
    Stream(&'static str),
}

impl WireError {
    /// A field of the wrong type or value.
    pub(crate) fn shape(pointer: &str, expected: &'static str) -> Self {
        Self::Shape { pointer: shown(pointer), expected }
    }
}

/// A pointer as an error shows it: the root by name, and of keys, which the client chose and which may hold anything,
/// no more than their plain characters up to a length. Errors reach logs.
pub(crate) fn shown(pointer: &str) -> String {
    const LONGEST: usize = 32;
    if pointer.is_empty() {
        return "/".to_owned();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/~#".contains(c);
    let mut out = String::with_capacity(LONGEST);
    for (at, c) in pointer.chars().enumerate() {
        match (plain(c), out.ends_with('…')) {
            _ if at == LONGEST => {
                out.push('…');
                break;
            }
            (true, _) => out.push(c),
            (false, true) => {}
            (false, false) => out.push('…'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_of_a_key_is_shown() {
        assert_eq!(shown(""), "/");
        assert_eq!(shown("/messages/0/content#key"), "/messages/0/content#key");
        assert_eq!(shown(&format!("/{}", "k".repeat(40))), format!("/{}…", "k".repeat(31)));
        assert_eq!(shown("/metadata/my pass word: x\n/\u{1b}[1m/é"), "/metadata/my…pass…word…x…/…1m/…");
        let limits = bartizan_core::Limits::default();
        let secret = "k".repeat(16) + &"s".repeat(60);
        let body = format!(r#"{{"messages":[],"{secret}":1,"{secret}":2}}"#);
        let error = crate::request(bartizan_core::Protocol::OpenaiChat, body.into_bytes(), &limits).unwrap_err();
        let pointer = format!("/{}{}…", "k".repeat(16), "s".repeat(15));
        assert_eq!(error, WireError::Ambiguous { pointer });
    }
}
