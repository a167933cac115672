//! The Model Context Protocol: in front of servers on this machine and on the network.
//!
//! [`session`] decides about every message of one client with one server; [`stdio`] and [`http`] only carry messages.

mod http;
mod listing;
mod lockfile;
mod server;
mod session;
mod stdio;
mod ticket;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bartizan_core::TenantId;
use bartizan_policy::OpaqueTable;
use bartizan_sign::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use http::{Front, serve};
pub use lockfile::{LockFile, LockFileError};
pub use stdio::{Said, Stdio, list, proxy};
pub use ticket::Need as TicketNeed;
pub(crate) use ticket::Tickets;

/// Servers of the Model Context Protocol that the gateway stands in front of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mcp {
    /// The lock file: tools that are accepted, by server. What is seen first is written into it. Without one nothing is
    /// pinned.
    pub lock: Option<PathBuf>,
    /// Servers by name; each is served at `/mcp/NAME`.
    pub servers: BTreeMap<String, McpServer>,
    /// Milliseconds that a call may take.
    pub call_ms: u64,
    /// Seconds for which a call that the model's side has decided may be made at a server that needs tickets.
    pub ticket_seconds: u32,
}

impl Default for Mcp {
    fn default() -> Self {
        Self { lock: None, servers: BTreeMap::new(), call_ms: 10 * 60 * 1000, ticket_seconds: 300 }
    }
}

/// One server behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// Its address over streamable HTTP: `https://mcp.example.com/mcp`.
    pub url: String,
    /// Its credential, sent as `Authorization: Bearer`: `env:NAME` or `file:PATH`. That of the caller never goes on.
    #[serde(default)]
    pub key: Option<SecretRef>,
    /// Tenants that may use it; empty is all.
    #[serde(default)]
    pub tenants: Vec<TenantId>,
    /// Parts that cannot be read as text, such as pictures; as the policy has it where this is left out.
    #[serde(default)]
    pub opaque: Option<OpaqueTable>,
    /// Whether a tool is called only after this gateway, in front of the model, has decided the same call for the same
    /// key: `required` or `off`.
    #[serde(default)]
    pub tickets: ticket::Need,
}

impl Mcp {
    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, server) in &self.servers {
            let plain = !name.is_empty()
                && name.len() <= 64
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            if !plain {
                return Err(format!(
                    "`{name}` is no name of an MCP server: use letters, digits, `-` and `_`, at most 64"
                ));
            }
            let scheme = server.url.split_once("://").map(|(scheme, _)| scheme);
            if !matches!(scheme, Some("http" | "https")) || server.url.contains(['?', '#', '@']) {
                return Err(format!(
                    "url of MCP server `{name}`: `http://` or `https://`, without user, query and fragment"
                ));
            }
        }
        Ok(())
    }
}
