//! Keys, envelopes, checkpoints, and signatures of models. Time is an argument.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bundle;
mod certificate;
pub mod chain;
mod ecdsa;
mod envelope;
mod exec;
mod hex;
pub mod merkle;
mod model;
mod note;
mod pack;
mod provenance;
mod sct;
mod secret;
mod sigstore;
mod statement;
mod trust;

pub use bundle::{Bundle, InclusionProof, LONGEST_BUNDLE, LogEntry, Material, pae};
pub use certificate::Certificates;
pub use ecdsa::{SigningKey, VerifyingKey};
pub use envelope::{DataKey, LocalMaster, Master, Place, Pseudonyms, Secret, unwrapped};
pub use exec::ExecMaster;
pub use hex::{hex, unhex};
pub use model::{Entry, GIT_PATHS, MODEL_SIGNATURE, ModelManifest, Sha256};
pub use note::{Checkpoint, Claim, NoteKey, NoteVerifier, notes};
pub use pack::{ContentPack, LONGEST_PACK, PackInfo};
pub use provenance::{Made, MaterialKind, PROVENANCE, Step, StepKind};
pub use secret::SecretRef;
pub use sigstore::TrustRoot;
pub use statement::{Resource, Statement};
pub use trust::{Signed, Signer, Trust, open};

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
    /// A signature does not verify, or nobody trusted made it.
    #[error("the signature does not verify: {0}")]
    Unverified(String),
    /// A signature file is malformed.
    #[error("the signature file cannot be used: {0}")]
    Bundle(String),
    /// What was signed is malformed.
    #[error("what is signed cannot be used: {0}")]
    Statement(String),
    /// A content pack is malformed.
    #[error("the content pack cannot be used: {0}")]
    Pack(String),
    /// A certificate is malformed.
    #[error("a certificate cannot be used: {0}")]
    Certificate(String),
    /// A Sigstore trust root is malformed.
    #[error("the trust root cannot be used: {0}")]
    Root(String),
    /// The command that holds the master key failed.
    #[error("the master key cannot be used: {0}")]
    Command(String),
}
