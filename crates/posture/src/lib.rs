//! Configurations of model servers, training jobs, tool servers and agents, judged without running them.
//!
//! [`infra`] takes one file: its syntax becomes a tree or words that know their places, these become facts about
//! products in words that no product owns, and rules judge the facts. A product is a table of what its vendor documents.
//! [`agent`] takes configurations of agents and their tool servers, and the texts that agents take as instructions.
//!
//! Everything here reads hostile files: time is linear in what is read, depth and numbers are bounded, and what was not
//! read is said with its place.
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

mod fact;
mod infra;
mod judge;
mod kind;
mod mcp;
mod product;
mod report;
pub mod rules;
mod syntax;
#[cfg(test)]
mod tests;
mod tree;
mod value;

pub use kind::{infra, is_infra_name};
pub use mcp::{Recorded, agent, is_agent_name};
pub use report::{Found, Gap, Report};

/// Examines a file under the rules of a family.
#[cfg(test)]
fn examine(family: bartizan_core::Family, name: &str, bytes: &[u8]) -> Report {
    if family == bartizan_core::Family::Mcp { agent(name, bytes) } else { infra(name, bytes) }
}
