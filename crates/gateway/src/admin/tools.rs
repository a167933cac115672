//! Tool servers of the Model Context Protocol: what is pinned of them, and what is withheld.

use std::collections::BTreeSet;

use bartizan_core::{Target, TenantId};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{AdminError, Answer, Call, Need, Operation, TENANT};

/// One tool that is pinned or withheld.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ToolView {
    /// Its name.
    pub(crate) name: String,
    /// SHA-256 of its definition as it is pinned, hex; none where it is not pinned.
    pub(crate) sha256: Option<String>,
    /// What it said of itself when it was pinned.
    pub(crate) description: String,
    /// Where it stands: it is not in lists and cannot be called.
    pub(crate) withheld: bool,
}

/// One server.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ServerView {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) url: String,
    /// Whether its tools are called with tickets alone.
    pub(crate) tickets: bool,
    /// Whether anything is pinned of it.
    pub(crate) pinned: bool,
    /// Its tools.
    pub(crate) tools: Vec<ToolView>,
    /// Why it, or a tool of it, is cut off now.
    pub(crate) contained: Vec<String>,
}

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
struct Servers {
    /// Whether there is a lock file: without one nothing is pinned.
    lock: bool,
    /// Those that the tenant may use.
    servers: Vec<ServerView>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation {
        method: Method::GET,
        path: "/admin/v1/mcp/servers",
        id: "listServers",
        summary: "Tool servers that the tenant may use: what is pinned of them, what is withheld, what is cut off",
        need: Need::Look,
        query: &[TENANT],
        body: None,
        answer: |generator| generator.subschema_for::<Servers>(),
        run: |call| Box::pin(list(call)),
    }]
}

async fn list(call: Call) -> Answer {
    let tenant = call.tenant()?;
    let live = call.shared.live();
    let (looked, of) = (std::sync::Arc::clone(&live), tenant.clone());
    let servers = tokio::task::spawn_blocking(move || looked.mcp.views(&of)).await.ok();
    let mut servers = servers.unwrap_or_else(|| Ok(Vec::new())).map_err(|error| {
        tracing::error!(%error, "the lock file of MCP servers cannot be read");
        AdminError::unavailable("the lock file cannot be read, so nothing of it is used; the gateway's log says why")
    })?;
    let now = call.shared.access.now().wall;
    let contained = match call.access_store() {
        Ok(store) => store.containments(&tenant).await?,
        Err(_) => Vec::new(),
    };
    for server in &mut servers {
        let tools: BTreeSet<&str> = server.tools.iter().map(|tool| tool.name.as_str()).collect();
        let of = contained.iter().filter(|one| now < one.until).filter(|one| match one.target {
            Target::Server => one.name == server.name,
            Target::Tool => tools.contains(one.name.as_str()),
            _ => false,
        });
        server.contained = of.map(|one| format!("{} {}: {}", one.target.as_str(), one.name, one.reason)).collect();
    }
    Ok(serde_json::to_value(Servers { lock: live.settings.mcp.lock.is_some(), servers })?)
}

/// True where a server is for a tenant.
pub(crate) fn is_for(tenants: &[TenantId], tenant: &TenantId) -> bool {
    tenants.is_empty() || tenants.contains(tenant)
}
