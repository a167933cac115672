//! One endpoint of a model: asked in its own dialect, within a budget, with every failure told apart.
//!
//! A reply, a block by a guard, and a failure are three different things here. A time-out, a refused connection or a
//! body that cannot be understood is a [`Failure`], never an empty reply: who counts replies must not count those.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "it owns sockets, clocks and the commands that stand for a model")]

mod anthropic;
mod ask;
mod budget;
mod client;
mod command;
mod failure;
mod mcp;
mod openai;
mod rate;
mod said;
mod settings;
mod template;
mod web;

pub use ask::{
    Answer, Ask, Attachment, Block, Call, Completion, Finish, MediaKind, Reply, Role, Token, Tool, Turn, Usage,
};
pub use budget::{Budget, Held, Spent};
pub use client::Client;
pub use failure::{Failure, FailureKind};
pub use mcp::McpTool;
pub use settings::{Dialect, Endpoint, HeaderText, Price, SettingsError, Template};
