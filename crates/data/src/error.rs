//! What ends a scan. What only concerns a file or a row is a [`Gap`](crate::Gap) instead.

use std::path::PathBuf;

/// Why a scan could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A path that was given is not there.
    #[error("cannot read `{path}`: {error}")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Output could not be written.
    #[error("cannot write {what}: {error}")]
    Unwritable {
        /// What was being written.
        what: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// Somebody who gets the rows has had enough, such as a closed pipe.
    #[error(transparent)]
    Stopped(#[from] std::io::Error),
    /// A column that was asked for is in no row.
    #[error("no row has a column `{column}`")]
    NoColumn {
        /// The column.
        column: String,
    },
    /// A ledger cannot be used.
    #[error("ledger `{path}`: {why}")]
    Ledger {
        /// Its place.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A key for surrogates is too short.
    #[error("the key has less than {least} characters; `openssl rand -hex 32` makes one")]
    Key {
        /// Least length.
        least: usize,
    },
    /// A signed statement is no manifest of a corpus.
    #[error("it is no manifest of a corpus: {0}")]
    Manifest(String),
    /// Arrow data on standard input or output is not what it must be.
    #[error("{0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}
