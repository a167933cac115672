//! Tickets: a tool is called once for each time that the model's side has decided the same call.
//!
//! What an agent does without asking its model has no ticket, and neither has what the model's side did not let pass.

use std::collections::HashMap;

use serde_json::Value;

use crate::message::ToolCall;
use crate::tool::hash;

/// Most tickets that are open; while there are as many, no new one is issued.
const MOST: usize = 100_000;

/// One decided call.
#[derive(Clone, Debug)]
struct Ticket {
    /// The tool as the model calls it.
    tool: String,
    /// When it is void, in milliseconds.
    expires: i64,
}

/// Calls that were decided and not made yet, by who may make them and by the hash of their arguments.
#[derive(Debug, Default)]
pub struct Tickets {
    open: HashMap<(String, String), Vec<Ticket>>,
    count: usize,
}

impl Tickets {
    /// Issues a ticket for a call. `holder` names who may make it.
    pub fn issue(&mut self, holder: &str, tool: &str, arguments: &Value, now: i64, expires: i64) {
        if self.count >= MOST {
            self.forget(now);
        }
        if self.count < MOST {
            let ticket = Ticket { tool: tool.to_owned(), expires };
            self.open.entry((holder.to_owned(), hash(arguments))).or_default().push(ticket);
            self.count += 1;
        }
    }

    /// Uses up the ticket of a call that is made at a server; false where there is none.
    pub fn take(&mut self, holder: &str, server: &str, call: &ToolCall, now: i64) -> bool {
        let key = (holder.to_owned(), hash(&call.arguments));
        let Some(tickets) = self.open.get_mut(&key) else { return false };
        let fits = |ticket: &Ticket| ticket.expires > now && is_called(&ticket.tool, server, &call.name);
        let Some(at) = tickets.iter().position(fits) else { return false };
        tickets.remove(at);
        if tickets.is_empty() {
            self.open.remove(&key);
        }
        self.count -= 1;
        true
    }

    fn forget(&mut self, now: i64) {
        self.open.retain(|_, tickets| {
            tickets.retain(|ticket| ticket.expires > now);
            !tickets.is_empty()
        });
        self.count = self.open.values().map(Vec::len).sum();
    }
}

/// True where a model may call a server's tool by this name. Clients put the server's name in front, and write `_` for
/// what providers do not take in names: `search`, `tickets__search`, `mcp__tickets__search`, `tickets.search`.
#[must_use]
pub fn is_called(name: &str, server: &str, tool: &str) -> bool {
    let plain = |text: &str| text.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect::<String>();
    let (name, server, tool) = (plain(name), plain(server), plain(tool));
    let Some(front) = name.strip_suffix(tool.as_str()) else { return false };
    let named = |front: &str| !server.is_empty() && front.trim_matches('_') == server.trim_matches('_');
    front.is_empty() || front.ends_with('_') && (named(front) || front.strip_prefix("mcp_").is_some_and(named))
}
