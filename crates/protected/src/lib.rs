//! An index of protected text that finds verbatim repetition and holds none of the text.
//!
//! A corpus is read as canonical words: letter case, spacing, punctuation, marks, compatibility forms, invisible and
//! look-alike characters make no difference. Of every run of [`RUN`] words at least one run of [`GRAM`] words is in the
//! index as a keyed fingerprint (winnowing: Schleimer, Wilkerson, Aiken, SIGMOD 2003), with two keyed bits for each of
//! the [`CONTEXT`] words on both sides. A text repeats the corpus where a fingerprint is met and four of the words around
//! it agree too, so that a run of twelve words is never missed and a run of eight seldom taken for one.
//!
//! Without the key the index is pseudorandom: fingerprints are SipHash-2-4 (Aumasson, Bernstein 2012) of a polynomial
//! hash at secret points.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::todo,
        clippy::unreachable
    )
)]

mod build;
mod chars;
mod detector;
mod grams;
mod index;
mod key;
mod matcher;
mod prose;
#[cfg(test)]
mod tests;
mod words;

pub use build::{Builder, Common, Public, Writer, Written};
pub use detector::ProtectedText;
pub use index::{Bytes, Index, Records, Stats};
pub use key::Key;
pub use matcher::{Match, Matcher, find};
pub use words::count;

/// Canonical words of a verbatim run that is always found. A character of a script without blanks is a word.
pub const RUN: usize = 12;
/// Words under one fingerprint.
pub const GRAM: usize = 8;
/// Words on each side of a fingerprint of which the index knows two bits.
pub const CONTEXT: usize = RUN - GRAM;

/// Why an index cannot be made or used. Content and keys are never part of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtectedError {
    /// The key can be guessed.
    #[error("the key has {0} characters; give at least 32, such as `openssl rand -hex 32` prints")]
    WeakKey(usize),
    /// A primitive failed.
    #[error("the cryptographic library failed")]
    Crypto,
    /// The bytes are no index.
    #[error("it is no index of protected text: {0}")]
    Form(&'static str),
    /// The key does not fit, or the head was changed.
    #[error("the key is not the one that the index was made with, or the index was changed")]
    Key,
    /// The body was changed.
    #[error("the index was changed since it was made")]
    Changed,
    /// There are more records than can be numbered.
    #[error("there are more than 4294967295 records; split the corpus into several indexes")]
    TooMany,
    /// The index could not be written.
    #[error("the index cannot be written: {0}")]
    Write(String),
}
