//! Tool calls of a reply, decided by where their arguments came from.
//!
//! A surface that has the request of a reply asks [`Guard::agent`](crate::Guard::agent) for an [`Agent`], and with it a
//! [`Decider`] for each reply. Everything is a function of the messages that the client resends; approvals come in as a
//! [`Desk`].

mod desk;
mod ledgers;
mod note;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use bartizan_core::{Exchange, Kind, Limits, Mode, Principal, Protocol, Source, Text, ToolCall, Verdict};
use bartizan_policy::provenance::coding::Coding;
use bartizan_policy::provenance::{Bounds, History, Known, Rules, Saying, Why, Writer, tools};
use bartizan_policy::{AgentMode, Agents};
use serde_json::Value;

pub use desk::{Approving, Asking, Desk, Shown, ShownValue};
pub use ledgers::Ledgers;
pub use note::CallNote;
pub(crate) use note::{Standing, notice};
pub use replay::{Marked, Recorded, Replay, Replayed, Unread};

use crate::guard::GuardError;
use crate::settings::Settings;

/// Bodies up to this size are read when a call has to be decided; larger ones with the request, which surfaces examine off
/// the async worker from this size on.
const LAZY: usize = 32 << 10;

/// What decides about tool calls, of all routes.
#[derive(Debug)]
pub(crate) struct Conduct {
    settings: Agents,
    rules: Option<Arc<Rules>>,
    coding: Option<Arc<Coding>>,
    /// Who writes the user messages, by route; people where it is not said.
    writers: BTreeMap<String, Writer>,
}

impl Conduct {
    pub(crate) fn new(settings: &Settings) -> Result<Self, GuardError> {
        let agents = settings.policy.agents.clone();
        let rules = match &agents.policy {
            Some(file) if agents.mode != AgentMode::Off => {
                let fault = |fault| GuardError::AgentPolicy { path: file.path.clone(), fault };
                Some(file.rules().map_err(fault)?)
            }
            _ => None,
        };
        let path = || agents.packages.as_ref().map(|file| file.path.clone()).unwrap_or_default();
        let coding = agents.coding().map_err(|fault| GuardError::AgentPolicy { path: path(), fault })?;
        let writers = settings.routes.iter().map(|(name, route)| (name.clone(), route.user)).collect();
        Ok(Self { settings: agents, rules, coding, writers })
    }

    /// What is known of a caller's tenant.
    pub(crate) fn known(&self, ledgers: &Ledgers, who: &Principal, now: i64) -> Option<Known> {
        ledgers.of(&self.settings, who, now)
    }

    /// What the calls of the reply to a request are decided by; `None` where none is decided.
    pub(crate) fn agent(&self, request: &Exchange, route: &str, known: Option<&Known>) -> Option<Arc<Agent>> {
        self.agent_by(self.rules.clone(), request, route, known)
    }

    /// The same by another policy.
    fn agent_by(
        &self,
        rules: Option<Arc<Rules>>,
        request: &Exchange,
        route: &str,
        known: Option<&Known>,
    ) -> Option<Arc<Agent>> {
        let speaks = matches!(
            request.protocol,
            Protocol::OpenaiChat
                | Protocol::OpenaiResponses
                | Protocol::AnthropicMessages
                | Protocol::Gemini
                | Protocol::BedrockConverse
        );
        if self.settings.mode == AgentMode::Off || !speaks {
            return None;
        }
        let offers = !request.tools.is_empty();
        // Where tools play no part and nothing is known, there is nothing to recognise and nothing to note.
        let plays = |known: &&Known| {
            offers || !known.is_empty() || request.texts.iter().any(|text| text.origin.source == Source::Tool)
        };
        let known = known.filter(plays).cloned();
        // Without tools every call is of one that was not offered.
        let body = if offers || known.is_some() { request.body.clone() } else { Vec::new() };
        let eager = known.is_some() || body.len() > LAZY;
        let agent = Agent {
            protocol: request.protocol,
            body,
            offers,
            known,
            writer: self.writers.get(route).copied().unwrap_or_default(),
            rules,
            coding: self.coding.clone(),
            bounds: Bounds { calls: self.settings.max_calls as usize, repeats: self.settings.max_repeats as usize },
            enforce: self.settings.mode == AgentMode::Enforce,
            approval_ms: self.settings.approval_ms(),
            history: OnceLock::new(),
        };
        if eager {
            let _ = agent.history();
        }
        Some(Arc::new(agent))
    }
}

/// What the tool calls of the reply to one request are decided by.
pub struct Agent {
    protocol: Protocol,
    body: Vec<u8>,
    offers: bool,
    known: Option<Known>,
    writer: Writer,
    rules: Option<Arc<Rules>>,
    coding: Option<Arc<Coding>>,
    bounds: Bounds,
    enforce: bool,
    approval_ms: i64,
    history: OnceLock<History>,
}

impl std::fmt::Debug for Agent {
    // The body is content and content stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("protocol", &self.protocol)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// What the conversation has brought in. What cannot be read is not trusted, and offers no tools.
    #[must_use]
    pub fn history(&self) -> &History {
        self.history.get_or_init(|| {
            let read =
                |body| History::read_of(self.protocol, &body, self.rules.clone(), self.writer, self.known.clone());
            let history = serde_json::from_slice::<Value>(&self.body).map(read).unwrap_or_else(|_| {
                let mut history = History::new(Vec::new(), self.rules.clone()).knowing(self.known.clone());
                history.unseen();
                history
            });
            history.bounded(self.bounds).coding(self.coding.clone())
        })
    }

    /// True where decisions are carried out.
    #[must_use]
    pub const fn enforces(&self) -> bool {
        self.enforce
    }

    /// True where the request offers tools.
    #[must_use]
    pub const fn has_tools(&self) -> bool {
        self.offers
    }

    /// The same for a stored response, of which there is no request: it repeats the tools, and what came before is unseen.
    pub(crate) fn of_stored(self: Arc<Self>, reply: &Exchange) -> Arc<Self> {
        if self.has_tools() || reply.protocol != Protocol::OpenaiResponses || reply.tools.is_empty() {
            return self;
        }
        let read = |body: Value| {
            let mut history = History::new(tools(body.get("tools")), self.rules.clone()).bounded(self.bounds);
            history = history.knowing(self.known.clone()).coding(self.coding.clone());
            history.unseen();
            history
        };
        let Ok(history) = serde_json::from_slice(&reply.body).map(read) else { return self };
        Arc::new(Self {
            protocol: self.protocol,
            body: Vec::new(),
            offers: true,
            known: self.known.clone(),
            writer: self.writer,
            rules: self.rules.clone(),
            coding: self.coding.clone(),
            bounds: self.bounds,
            enforce: self.enforce,
            approval_ms: self.approval_ms,
            history: OnceLock::from(history),
        })
    }

    /// How long a call waits for an approval, in milliseconds.
    #[must_use]
    pub const fn approval_ms(&self) -> i64 {
        self.approval_ms
    }
}

/// Decides the calls of one reply.
#[derive(Clone, Debug)]
pub struct Decider {
    agent: Arc<Agent>,
    desk: Option<Arc<Desk>>,
    notes: Vec<CallNote>,
    /// Approvals that calls of this reply have taken.
    taken: BTreeSet<String>,
    /// Those of them that the surface knows.
    told: BTreeSet<String>,
    enforce: bool,
    limits: Limits,
    /// What the model says, by the place of the text in the reply.
    saying: BTreeMap<u64, Saying>,
    /// How many of the calls the surface knows to have passed.
    cleared: usize,
}

/// Most texts of one reply that are noted apart; the rest are noted as one.
const TEXTS: u64 = 64;

/// Most calls of one reply that are decided apart; the rest are denied.
const MOST: usize = 256;

impl Decider {
    /// For one reply. Without a desk nothing is approved, and what has to wait is denied.
    #[must_use]
    pub fn new(agent: Arc<Agent>, desk: Option<Arc<Desk>>, mode: Mode, limits: &Limits) -> Self {
        let enforce = agent.enforce && mode == Mode::Enforce;
        Self {
            agent,
            desk,
            notes: Vec::new(),
            taken: BTreeSet::new(),
            told: BTreeSet::new(),
            enforce,
            limits: limits.clone(),
            saying: BTreeMap::new(),
            cleared: 0,
        }
    }

    /// Notes a piece of what the model says, in a text of the reply.
    pub(crate) fn said(&mut self, place: u64, text: &str) {
        if self.agent.known.is_none() {
            return;
        }
        let place = place % TEXTS;
        if let std::collections::btree_map::Entry::Vacant(at) = self.saying.entry(place)
            && let Some(saying) = self.agent.history().saying()
        {
            at.insert(saying);
        }
        if let Some(saying) = self.saying.get_mut(&place) {
            saying.push(text);
        }
    }

    /// Ends a text.
    pub(crate) fn said_all(&mut self, place: u64) {
        if let Some(mut saying) = self.saying.remove(&(place % TEXTS)) {
            saying.end();
        }
    }

    /// Decides the calls of a whole reply as `arguments` has them, and notes what the model says besides.
    pub(crate) fn decide_whole(&mut self, reply: &Exchange, arguments: impl Fn(&ToolCall) -> Option<String>) {
        for call in reply.messages.iter().flat_map(|m| &m.calls).filter(|call| !call.provider) {
            match arguments(call) {
                Some(arguments) => self.decide(&ToolCall { arguments, ..call.clone() }),
                None => self.decide(call),
            };
        }
        let said = |text: &&Text| text.origin.source == Source::Model && text.kind == Kind::Text;
        for (place, text) in reply.texts.iter().filter(said).enumerate() {
            self.said(place as u64, &text.value);
            self.said_all(place as u64);
        }
    }

    /// Calls that go out and that the surface has not asked for yet: tool and arguments. None where one of the reply does
    /// not pass.
    pub fn cleared(&mut self) -> Vec<(String, Value)> {
        if self.enforce && self.notes.iter().any(|note| note.verdict() != Verdict::Allow) {
            return Vec::new();
        }
        let new = self.notes.get(self.cleared..).unwrap_or_default();
        let new = new.iter().map(|note| (note.name.clone(), note.args.clone())).collect();
        self.cleared = self.notes.len();
        new
    }

    /// True where its decisions are carried out.
    #[must_use]
    pub const fn enforces(&self) -> bool {
        self.enforce
    }

    /// Decides about a call with whole arguments. The same call, by its id, is decided once.
    pub fn decide(&mut self, call: &ToolCall) -> &CallNote {
        let same = |n: &CallNote| {
            !call.id.is_empty() && (&n.id, &n.name, &n.arguments) == (&call.id, &call.name, &call.arguments)
        };
        let at = match self.notes.iter().position(same) {
            Some(at) => at,
            None => {
                let note = self.decided(call);
                self.notes.push(note);
                self.notes.len() - 1
            }
        };
        &self.notes[at]
    }

    fn decided(&mut self, call: &ToolCall) -> CallNote {
        let history = self.agent.history();
        let mut wanted = history.call(&call.id, &call.name, &call.arguments);
        // Two parsers must not read it differently: a key that comes twice.
        if wanted.args.is_object() && !call.arguments.trim().is_empty() && !history.is_freeform(&call.name) {
            let body = call.arguments.as_bytes().to_vec();
            if bartizan_wire::reply(Protocol::Json, body, &self.limits).is_err() {
                wanted.args = Value::Null;
            }
        }
        let mut decision = history.decide_after(&wanted, self.notes.len());
        if self.notes.len() >= MOST {
            decision.verdict = Verdict::Deny;
        }
        let mut note = CallNote {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            offered: history.offers(&call.name),
            oddities: history.oddities().into_iter().map(|o| o.as_str().to_owned()).collect(),
            args: wanted.args,
            decision,
            standing: Standing::Decided,
            enforced: self.enforce,
        };
        if let Some(desk) = &self.desk {
            desk.endorse(&mut note);
            if note.decision.verdict == Verdict::Hold && note.enforced {
                note.standing = desk.standing(&note, &mut self.taken);
            }
        }
        if !self.enforce || note.verdict() == Verdict::Allow {
            history.note_call(&note.name, &note.args);
        }
        note
    }

    /// Every call that was decided, in order.
    #[must_use]
    pub fn notes(&self) -> &[CallNote] {
        &self.notes
    }

    /// What of the calls does not pass: verdict and why. Empty where policy says to record only.
    #[must_use]
    pub fn stopped(&self) -> Vec<(Verdict, Why)> {
        let notes = self.notes.iter().filter(|note| self.agent.enforce && note.verdict() != Verdict::Allow);
        let why = |note: &CallNote| note.decision.reasons.first().map_or(Why::TooMany, |reason| reason.why);
        notes.map(|note| (note.verdict(), why(note))).collect()
    }

    /// Requests for an approval that have to be kept before the caller hears of them.
    #[must_use]
    pub fn asking(&self) -> Vec<Asking> {
        let Some(desk) = &self.desk else { return Vec::new() };
        let new = self.notes.iter().filter(|note| note.enforced && matches!(note.standing, Standing::Asks(_)));
        new.filter_map(|note| desk.asking(note, self.agent.history())).collect()
    }

    /// Approvals that were taken since this was asked last: they have to be used up before the calls go out.
    pub fn take(&mut self) -> Vec<String> {
        let new = self.taken.iter().filter(|id| !self.told.contains(*id)).cloned().collect::<Vec<_>>();
        self.told.extend(new.iter().cloned());
        new
    }

    /// What the caller reads in place of a reply of which a call did not pass.
    #[must_use]
    pub fn notice(&self, event_id: &str) -> String {
        notice(&self.notes, event_id)
    }
}
