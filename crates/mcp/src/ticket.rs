//! Tickets: a tool is called once for each time that the model's side has decided the same call.
//!
//! What an agent does without asking its model has no ticket, and neither has what the model's side did not let pass.

use std::collections::HashMap;

use serde_json::Value;

use crate::message::ToolCall;
use crate::tool::hash;

/// Most tickets that are open; while there are as many, no new one is issued.
const MOST: usize = 100_000;

/// The same of one holder: nobody takes the place of all others.
pub(crate) const MOST_HELD: usize = 2000;

/// How often expired ones are looked for among all, in milliseconds.
const FORGET_EVERY: i64 = 1000;

/// One decided call.
#[derive(Clone, Debug)]
struct Ticket {
    /// The tool as the model calls it.
    tool: String,
    /// When it is void, in milliseconds.
    expires: i64,
}

/// Tickets of one holder, by the hash of their arguments.
#[derive(Debug, Default)]
struct Held {
    open: HashMap<String, Vec<Ticket>>,
    count: usize,
    /// When expired ones were last looked for.
    looked: i64,
}

impl Held {
    /// Answers with how many there were.
    fn forget(&mut self, now: i64) -> usize {
        let before = self.count;
        self.open.retain(|_, tickets| {
            tickets.retain(|ticket| ticket.expires > now);
            !tickets.is_empty()
        });
        self.count = self.open.values().map(Vec::len).sum();
        self.looked = now;
        before - self.count
    }
}

/// Calls that were decided and not made yet, by who may make them and by the hash of their arguments.
#[derive(Debug, Default)]
pub struct Tickets {
    held: HashMap<String, Held>,
    count: usize,
    /// When expired ones were last looked for.
    looked: i64,
}

impl Tickets {
    /// Issues a ticket for a call. `holder` names who may make it.
    pub fn issue(&mut self, holder: &str, tool: &str, arguments: &Value, now: i64, expires: i64) {
        self.issue_hashed(holder, tool, hash(arguments), now, expires);
    }

    /// The same where the arguments were hashed already, outside of a lock.
    pub fn issue_hashed(&mut self, holder: &str, tool: &str, arguments: String, now: i64, expires: i64) {
        let due = |looked: i64| looked > now || now - looked >= FORGET_EVERY;
        if self.count >= MOST && due(self.looked) {
            self.looked = now;
            self.held.retain(|_, held| {
                held.forget(now);
                held.count > 0
            });
            self.count = self.held.values().map(|held| held.count).sum();
        }
        if self.count >= MOST {
            return;
        }
        let held = self.held.entry(holder.to_owned()).or_default();
        if held.count >= MOST_HELD && due(held.looked) {
            self.count -= held.forget(now);
        }
        if held.count < MOST_HELD {
            held.open.entry(arguments).or_default().push(Ticket { tool: tool.to_owned(), expires });
            held.count += 1;
            self.count += 1;
        }
    }

    /// Uses up the ticket of a call that is made at a server; false where there is none.
    pub fn take(&mut self, holder: &str, server: &str, call: &ToolCall, now: i64) -> bool {
        self.take_hashed(holder, server, (&call.name, &hash(&call.arguments)), now)
    }

    /// The same for the name of a tool and the hash of the arguments.
    pub fn take_hashed(&mut self, holder: &str, server: &str, (tool, arguments): (&str, &str), now: i64) -> bool {
        let Some(held) = self.held.get_mut(holder) else { return false };
        let Some(tickets) = held.open.get_mut(arguments) else { return false };
        let fits = |ticket: &Ticket| ticket.expires > now && is_called(&ticket.tool, server, tool);
        let Some(at) = tickets.iter().position(fits) else { return false };
        tickets.remove(at);
        if tickets.is_empty() {
            held.open.remove(arguments);
        }
        held.count -= 1;
        self.count -= 1;
        if held.count == 0 {
            self.held.remove(holder);
        }
        true
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
