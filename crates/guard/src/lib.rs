//! One decision service for all surfaces: engine, policy and the wire dialects put together.
//!
//! `check`, the gateway and every later surface ask [`Guard`]; none of them holds a rule or a threshold.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "the guard times its own work")]

pub mod agents;
mod assess;
mod cache;
mod candidate;
mod checks;
mod contain;
mod content;
mod conversation;
mod definitions;
mod documents;
mod effect;
mod exceptions;
mod exchange;
mod facts;
mod guard;
mod hunt;
mod keeper;
mod mark;
mod protected;
mod pseudonyms;
mod record;
mod restore;
mod settings;
mod stream;
mod trace;
mod vault;

pub use agents::{
    Agent, Approving, Asking, CallNote, Decider, Desk, Ledgers, Marked as MarkedExchange, Recorded, Replay, Replayed,
    Shown, ShownValue, Unread,
};
pub use bartizan_engine::Spent;
pub use cache::{SegmentCache, Work};
pub use candidate::Compared;
pub use contain::{ByTenant, Containments, containing, containment, releasing};
pub use content::Content;
pub use conversation::Conversation;
pub use documents::is_document;
pub use effect::{Changed, Effect, Pair};
pub use exceptions::{Caller, Excepted, Exception, LONGEST_DAYS, Scope};
pub use exchange::{Meta, ReplyContext};
pub use facts::ReplyFacts;
pub use guard::{Checked, Decision, Guard, GuardError, Parsed, Route};
pub use hunt::Hunt;
pub use keeper::{Keeper, PROGRAM, body_of, days_ago, deed, erase, forget, now, reveal, tree_of, unseal};
pub use mark::{CALLS, MarkError, MarkLabel, Marked, Marks, Tally, mark};
pub use protected::ProtectedCorpus;
pub use record::{Noted, Recorder, Request, bounded_model};
pub use settings::{ClassifierSettings, RecordMode, RecordRole, RecordSettings, RouteChecks, Settings};
pub use stream::{Output, Released, ReplyStream};
pub use trace::trace;
pub use vault::{Kept, Opened, Vault, recording};
