//! The Model Context Protocol between a client and its servers: read, audited, pinned.
//!
//! Everything here is a function of bytes and values. [`Message`] reads the envelope of a message, [`Lock`] holds what
//! a person has accepted of a server, [`audit`] says what is wrong with a list of tools beside what their texts say (that
//! is for the engine), and [`requested`] and [`links`] what a server asks of its client. All of them answer with
//! [`Note`]s: the rule and the place. What a note means is for policy to say.
//!
//! Source: Model Context Protocol, revisions 2025-11-25 and 2026-07-28.
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

mod audit;
mod link;
mod lock;
mod message;
mod note;
mod request;
mod ticket;
mod tool;

pub use audit::{Elsewhere, audit, describes, said};
pub use link::{Reach, links, unsafe_link};
pub use lock::{Change, Lock, LockError, Pinned, PinnedTool};
pub use message::{Id, Message, MessageError, ToolCall, error_reply, tool_error};
pub use note::{Note, element_of, rules};
pub use request::requested;
pub use ticket::{Tickets, is_called};
pub use tool::{Listed, Tool, canonical, hash};

#[cfg(test)]
mod tests;
