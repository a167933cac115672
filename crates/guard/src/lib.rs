//! One decision service for all surfaces: engine, policy and the wire dialects put together.
//!
//! `check`, the gateway and every later surface ask [`Guard`]; none of them holds a rule or a threshold.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "the guard times its own work")]

mod assess;
mod checks;
mod exchange;
mod guard;
mod record;
mod settings;
mod stream;

pub use exchange::{Meta, ReplyContext};
pub use guard::{Checked, Decision, Guard, GuardError, Parsed, Route};
pub use record::{Noted, Recorder, Request, bounded_model};
pub use settings::{RouteChecks, Settings};
pub use stream::{Output, Released, ReplyStream};
