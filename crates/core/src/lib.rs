//! The words of Bartizan and the traits that its parts meet at.
//!
//! Everything flows one way: parsers turn anything into [`Subject`]s or an [`Exchange`] with provenance; the
//! engine runs [`Detector`]s over them and answers with [`Finding`]s, [`Scores`] and [`Coverage`]; policy turns
//! these into a [`Verdict`]; a surface carries out an [`Action`].
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

pub mod access;
pub mod call;
pub mod contain;
pub mod coverage;
pub mod detector;
pub mod event;
pub mod exchange;
pub mod finding;
pub mod grounds;
pub mod limits;
pub mod location;
pub mod origin;
pub mod report;
pub mod rule;
pub mod sealed;
pub mod store;
pub mod subject;
pub mod tenant;
pub mod vault;
pub mod verdict;
pub mod view;

pub use access::{AccessStore, Grant, KeyRecord, Money, Quota, Spender, Total, Used, Watched};
pub use call::{Approval, ApprovalState, ApprovalStore, ArgumentSource, CallRecord, Ruling};
pub use contain::{ContainStore, Containment, Target};
pub use coverage::{Coverage, CoverageStatus, Part, Reason};
pub use detector::{Allowance, Anchors, Cost, Detector, Hit, HitKind, Hold, Report, Sink};
pub use event::{Act, Deed, EngineId, Event, Timings};
pub use exchange::{
    Direction, Edit, Exchange, Extracted, Message, Opaque, OpaqueKind, Protocol, Rpc, Text, ToolCall, ToolDef,
};
pub use finding::{EntityType, Finding, Fix};
pub use grounds::{Found, Grounds};
pub use limits::Limits;
pub use location::{Location, Span};
pub use origin::{Integrity, Label, Origin, Source};
pub use report::CheckOutput;
pub use rule::{Confidence, Family, Persona, Reference, Rule, RuleId, Severity};
pub use sealed::{Redacted, Sealed};
pub use store::{
    ChainStore, Destroyed, EventQuery, EventStore, Head, HourTally, KeyPurpose, Record, SealedContent, SealedStore,
    StoreError, Tally, WrappedKey,
};
pub use subject::{Context, Kind, Profile, Scores, Subject};
pub use tenant::{Principal, TenantId, TenantNameError};
pub use vault::{VaultEntry, VaultStore};
pub use verdict::{Action, Mode, Verdict};
pub use view::{OffsetMap, Segment, View, ViewText, Views};
