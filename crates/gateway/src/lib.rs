//! The gateway: HTTP in, [`bartizan_guard::Guard`] in the middle, the model server behind.
//!
//! `stack.rs` is the table of contents. Only a [`bartizan_policy::Permitted`] body is ever sent on.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "the gateway owns sockets, clocks and secret files")]

mod abuse;
mod access;
mod admin;
mod admission;
mod approve;
mod attempt;
mod body;
mod check_api;
mod coding;
mod connection;
mod console;
mod contain;
pub mod ext_proc;
mod failure;
mod fetch;
mod head;
mod hidden;
mod jwks;
mod keys;
mod lapse;
mod mcp;
mod metrics;
mod pass;
mod pressure;
mod proxy;
mod reload;
mod results;
mod second;
mod server;
mod settings;
mod shared;
mod stack;
mod staged;
mod stored;
mod stream;
mod surface;
mod tls;
mod trace;
mod upstream;

pub use admin::openapi;
pub use admission::check_clients;
pub use bartizan_abuse::Settings as Abuse;
pub use bartizan_sign::SecretRef;
pub use check_api::check_openapi;
pub use keys::{KeyChange, KeyState, KeyView, create_key, find_key, is_key_name, revoke_key, rotate_key};
pub use mcp::{LockFile, LockFileError, Mcp, McpServer, Said, Stdio, TicketNeed, list as mcp_list, proxy as mcp_proxy};
pub use metrics::Metrics;
pub use pressure::Shed;
pub use reload::{Next, Rejected, Reloader, Watched};
pub use results::{ResultsError, result_files, result_of};
pub use server::{Gateway, GatewayError, Stop, check};
pub use settings::{
    Accounting, Admin, AdminKey, BreakGlass, CheckApi, Client, ConsoleSettings, Dialect, ExtProc, Oidc, OidcRole,
    OnBlock, Passthrough, Role, Settings, Store, Tenant, Timeouts, Upstream,
};
pub use shared::Profiles;
pub use tls::{ClientAuth, Tls};
pub use trace::{LogFormat, Telemetry};
pub use upstream::{SendFuture, Transport, UpstreamError, Upstreams, transport};
