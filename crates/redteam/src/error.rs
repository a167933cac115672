//! What can go wrong with a run as a whole.

use std::path::{Path, PathBuf};

/// Why a run cannot be made, gone on with, or read.
#[derive(Debug, thiserror::Error)]
pub enum RedteamError {
    /// A plan or pack is not TOML of the right form.
    #[error("`{path}` cannot be used: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong and where.
        reason: String,
    },
    /// A plan does not fit together.
    #[error("{0}")]
    Plan(String),
    /// A probe does not fit together.
    #[error("probe `{id}`: {reason}")]
    Probe {
        /// The probe.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A gate cannot be read.
    #[error("gate `{gate}`: {reason}")]
    Gate {
        /// As given.
        gate: String,
        /// What is wrong, and what it should be.
        reason: String,
    },
    /// The journal cannot be read or written.
    #[error("the journal `{}` cannot be used: {reason}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing left to do, and so nobody would be asked.
    #[error("the run in `{}` is complete: nothing would be attacked, and its figures are of that time", path.display())]
    Complete {
        /// Its journal.
        path: PathBuf,
    },
    /// The target cannot be used at all.
    #[error(transparent)]
    Target(#[from] bartizan_client::SettingsError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

impl RedteamError {
    pub(crate) fn journal(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Journal { path: path.to_owned(), reason: reason.to_string() }
    }
}
