//! Keys, envelopes and checkpoints. Time is an argument.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod envelope;
mod exec;
mod hex;
pub mod merkle;
mod note;
mod secret;

pub use envelope::{DataKey, LocalMaster, Master, Place, Pseudonyms, Secret, unwrapped};
pub use exec::ExecMaster;
pub use hex::{hex, unhex};
pub use note::{Checkpoint, Claim, NoteKey, NoteVerifier, notes};
pub use secret::SecretRef;

/// Why a key, an envelope or a note cannot be used. Secrets are never part of the text.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// A key is not one.
    #[error("{0}")]
    Key(&'static str),
    /// Something sealed cannot be opened.
    #[error("the sealed content cannot be opened: {0}")]
    Sealed(&'static str),
    /// The key was destroyed.
    #[error("the key was destroyed: what it sealed cannot be read any more")]
    Destroyed,
    /// A note cannot be relied on.
    #[error("the signed note cannot be used: {0}")]
    Note(&'static str),
    /// The command that holds the master key failed.
    #[error("the master key cannot be used: {0}")]
    Command(String),
}
