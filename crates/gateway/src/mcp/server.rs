//! What is known of one server, whoever talks to it: what is pinned, what is withheld.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bartizan_core::TenantId;
use bartizan_mcp::{Elsewhere, Listed, Lock, Pinned, Reach};
use bartizan_policy::OpaqueTable;

use http::Uri;

use super::lockfile::{LockFile, LockFileError};
use crate::admin::{ServerView, ToolView};

/// One server.
pub(crate) struct Server {
    pub(crate) name: Arc<str>,
    pub(crate) reach: Reach,
    pub(crate) opaque: Option<OpaqueTable>,
    /// Its tools are called with tickets only.
    pub(crate) ticketed: bool,
    lock: Arc<LockFile>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Tools that are left out of lists, by tenant: what a server shows may differ.
    withheld: BTreeMap<TenantId, BTreeSet<String>>,
    /// Tenants to whom all of its tools were listed.
    listed: BTreeSet<TenantId>,
    /// What is seen of a server that is not pinned yet.
    learning: Option<Pinned>,
    instructions: String,
}

impl Server {
    pub(crate) fn new(name: &str, reach: Reach, opaque: Option<OpaqueTable>, lock: Arc<LockFile>) -> Self {
        Self { name: Arc::from(name), reach, opaque, ticketed: false, lock, state: Mutex::default() }
    }

    /// The same, whose tools are called with tickets only.
    pub(crate) fn ticketed(self, ticketed: bool) -> Self {
        Self { ticketed, ..self }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock file as it is now.
    pub(crate) fn lock(&self) -> Result<Arc<Lock>, LockFileError> {
        self.lock.read()
    }

    /// The tools of other servers.
    pub(crate) fn elsewhere(&self, lock: &Lock) -> Elsewhere {
        Elsewhere::of(lock, &self.name)
    }

    /// True where a tool must not be called: it was left out of the last list, or it is not pinned where others are.
    pub(crate) fn withholds(&self, tenant: &TenantId, tool: &str) -> Result<bool, LockFileError> {
        if self.state().withheld.get(tenant).is_some_and(|names| names.contains(tool)) {
            return Ok(true);
        }
        let lock = self.lock()?;
        let learning = self.state().learning.is_some();
        Ok(!learning && lock.servers.get(&*self.name).is_some_and(|pinned| !pinned.tools.contains_key(tool)))
    }

    /// What is known of it, for people of a tenant.
    pub(crate) fn view(&self, tenant: &TenantId, address: &Uri, pinned: Option<&Pinned>) -> ServerView {
        let withheld = self.state().withheld.get(tenant).cloned().unwrap_or_default();
        let tools = pinned.into_iter().flat_map(|pinned| &pinned.tools).map(|(name, tool)| ToolView {
            name: name.clone(),
            sha256: Some(tool.sha256.clone()),
            description: tool.description.clone(),
            withheld: withheld.contains(name),
        });
        let unknown = withheld.iter().filter(|name| pinned.is_none_or(|pinned| !pinned.tools.contains_key(*name)));
        let unknown = unknown.map(|name| ToolView {
            name: name.clone(),
            sha256: None,
            description: String::new(),
            withheld: true,
        });
        ServerView {
            name: self.name.to_string(),
            url: address.to_string(),
            tickets: self.ticketed,
            pinned: pinned.is_some(),
            tools: tools.chain(unknown).collect(),
            contained: Vec::new(),
        }
    }

    /// True where all of its tools went through the guard, once at least since the start of this program.
    pub(crate) fn is_listed(&self, tenant: &TenantId) -> bool {
        self.state().listed.contains(tenant)
    }

    /// Notes that the last page of a list was read.
    pub(crate) fn all_listed(&self, tenant: &TenantId) {
        self.state().listed.insert(tenant.clone());
    }

    /// Notes what became of the tools of one list.
    pub(crate) fn listed(&self, tenant: &TenantId, listed: &Listed, withheld: &BTreeSet<String>) {
        let mut state = self.state();
        let names = state.withheld.entry(tenant.clone()).or_default();
        for tool in &listed.tools {
            names.remove(&tool.name);
        }
        // In this order: of two tools with one name, none is called.
        names.extend(withheld.iter().cloned());
    }

    /// Takes over the instructions of a server, to be pinned with its tools.
    pub(crate) fn instructed(&self, text: &str) {
        self.state().instructions = text.to_owned();
    }

    /// Pins what is seen first, once all of it was.
    pub(crate) fn learn(&self, listed: &Listed) {
        let pinned = {
            let mut state = self.state();
            let instructions = state.instructions.clone();
            let learning = state.learning.get_or_insert_with(|| Pinned::of(Some(&instructions), &[]));
            learning.add(listed);
            if listed.more { None } else { state.learning.take() }
        };
        if let Some(pinned) = pinned
            && let Err(error) = self.lock.pin(&self.name, pinned.clone())
        {
            // What cannot be kept is at least known to this process.
            tracing::error!(%error, "the tools of an MCP server cannot be pinned");
            self.state().learning = Some(pinned);
        }
    }
}
