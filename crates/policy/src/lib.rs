//! Policy: findings, scores and coverage become a verdict, and a verdict becomes a permit.
//!
//! [`decide`] is the only way to a [`Permitted`] exchange, but for the paths that an operator lets pass by name
//! ([`pass_unread`]); forwarding takes nothing else.
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

mod agents;
mod change;
mod decide;
mod guards;
mod opaque;
pub mod operator;
pub mod provenance;
mod redact;
pub mod retrieval;
mod table;

pub use agents::{AgentMode, AgentProfile, Agents, PolicyFile};
pub use change::Change;
pub use decide::{
    Assessment, Cause, Contained, Outcome, Permitted, Piece, Refusal, TextFinding, Unfinished, decide, grounds, judge,
    pass_unread, release, restore,
};
pub use guards::{GuardRule, GuardRules, GuardTable, OnFailure};
pub use opaque::{OpaqueRule, OpaqueTable, OpaqueVerdicts};
pub use operator::{Conversing, Operator, OperatorRow, Operators, Replacer, RestoreRow, VaultSettings, Way};
pub use redact::{Redaction, apply, redactions};
pub use table::{Levels, Partial, Policy, Row, Selector, Table, Thresholds};
