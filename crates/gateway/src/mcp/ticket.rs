//! Tickets of this process: issued where replies of models go out, taken where tools are called.

use std::sync::{Mutex, PoisonError};

use bartizan_core::Principal;
use bartizan_mcp::{ToolCall, hash};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shared::Live;

/// Whether a server's tools are called with tickets only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// The same call was let pass before, in front of the model.
    Required,
    /// Any call may be made.
    #[default]
    Off,
}

/// All open tickets.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<bartizan_mcp::Tickets>);

/// Who may make a call. Names of tenants hold no such character.
fn holder(who: &Principal) -> String {
    format!("{}\0{}", who.tenant.as_str(), who.key)
}

impl Tickets {
    /// Issues tickets for calls that go out, at a time in milliseconds. `calls` are tools with their arguments.
    pub(crate) fn issue(&self, live: &Live, who: &Principal, now: i64, calls: Vec<(String, Value)>) {
        let Some(lasts) = live.mcp.tickets_last().filter(|_| !calls.is_empty()) else { return };
        let (holder, expires) = (holder(who), now.saturating_add(lasts));
        // Arguments may be large, and everybody waits for the lock.
        let calls: Vec<_> = calls.into_iter().map(|(tool, arguments)| (tool, hash(&arguments))).collect();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (tool, arguments) in calls {
            tickets.issue_hashed(&holder, &tool, arguments, now, expires);
        }
    }

    /// Uses up the ticket of a call at a server; false where there is none.
    pub(crate) fn take(&self, who: &Principal, server: &str, call: &ToolCall, now: i64) -> bool {
        let (holder, arguments) = (holder(who), hash(&call.arguments));
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.take_hashed(&holder, server, (&call.name, &arguments), now)
    }
}
