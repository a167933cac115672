//! Tests of what a model memorised, and indexes of what it must not repeat.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "corpora, indexes and journals are files")]

pub mod about;
pub mod behaviour;
pub mod canary;
pub mod compare;
pub mod corpus;
pub mod exposure;
pub mod extraction;
pub mod journal;
pub mod membership;
pub mod neighbourhood;
pub mod personal;
pub mod protect;
pub mod report;
pub mod sampling;
pub mod signal;
pub mod stats;
mod words;

/// Why a privacy test or an index cannot be made. Content is never part of the text.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A file cannot be written.
    #[error("cannot write `{path}`: {reason}")]
    Write {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A row is not what it should be.
    #[error("`{path}`, line {line}: {reason}")]
    Row {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to read.
    #[error("there is no record in what was named; give JSON lines, text files or folders of them")]
    Empty,
    /// A manifest of canaries cannot be used.
    #[error("the manifest `{path}` cannot be used: {reason}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A journal is of another model.
    #[error("the journal `{path}` holds answers of {of}, and {wanted} is to be asked; give another file")]
    Journal {
        /// The file.
        path: String,
        /// Who was asked.
        of: String,
        /// Who is to be.
        wanted: String,
    },
    /// Two reports cannot be compared.
    #[error("the reports cannot be compared: {0}")]
    Compare(&'static str),
    /// An index of a corpus would protect nothing.
    #[error("nothing in {records} records is protected: none holds a run of {run} words{column}")]
    Unprotected {
        /// Records that were read.
        records: u64,
        /// Fewest words that are protected.
        run: usize,
        /// Which column was looked at, where one was named.
        column: String,
    },
    /// Texts are on both sides of a comparison.
    #[error("{0} texts are members and others at once; a text was trained on, or it was not")]
    Overlap(usize),
    /// Numbers of canaries are out of range.
    #[error("canaries: 4 to 15 digits, 1 to 10000 of each count, and counts from 1 to 1048576")]
    Planting,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// The index cannot be made or used.
    #[error("{0}")]
    Protected(#[from] bartizan_protected::ProtectedError),
}

impl PrivacyError {
    pub(crate) fn read(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::Read { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(crate) fn write(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::Write { path: path.display().to_string(), reason: reason.to_string() }
    }
}
