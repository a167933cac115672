//! One client with one server: every message is read, decided and put on record before it goes on.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bartizan_core::{Action, Direction, Exchange, Kind as TextKind, Principal, Rpc, RuleId, Source, Text, Verdict};
use bartizan_guard::{Checked, Guard, Parsed, ReplyContext, Request as Record, Route, bounded_model};
use bartizan_mcp::{
    Elsewhere, Id, Listed, Message, MessageError, Note, Reach, ToolCall, describes, error_reply, links, rules, said,
    tool_error,
};
use bartizan_policy::{Outcome, Permitted};
use bartizan_wire::{ErrorKind, prune};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::oneshot;

use super::lockfile::LockFileError;
use super::server::Server;
use crate::failure::Failure;
use crate::lapse::excepted;
use crate::proxy::{INLINE, off_worker, settle};
use crate::shared::{Live, Shared, append, conversation_of, keep_pseudonyms, kept, know};

/// Most requests of one side that wait for an answer.
const MOST_WAITING: usize = 1024;

/// Longest name of a method, tool or id that is taken, in bytes.
const LONGEST_NAME: usize = 256;

/// JSON-RPC 2.0, section 5.1.
pub(crate) const PARSE_ERROR: i32 = -32700;
pub(crate) const INVALID_REQUEST: i32 = -32600;
pub(crate) const INVALID_PARAMS: i32 = -32602;
pub(crate) const INTERNAL_ERROR: i32 = -32603;
/// Of the range for implementations: policy said no, a request took too long.
const BLOCKED: i32 = -32001;
const TIMED_OUT: i32 = -32002;

/// What becomes of a message.
pub(crate) enum Next {
    /// It goes on.
    Forward(Permitted<Exchange>),
    /// Its sender gets this answer, and nothing goes on.
    Answer(Vec<u8>),
    /// This goes on in its place.
    Instead(Vec<u8>),
    /// Nothing goes anywhere.
    Drop,
}

/// A request that waits for its answer.
struct Asked {
    rpc: Rpc,
    record: Record,
    since: Instant,
}

#[derive(Default)]
struct State {
    /// Requests of the client.
    asked: HashMap<Id, Asked>,
    /// Requests of the server.
    wanted: HashMap<Id, Asked>,
    /// Pages of the list of tools that the gateway has asked for, and who waits for them.
    pages: HashMap<Id, oneshot::Sender<Option<String>>>,
}

/// One client with one server.
pub(crate) struct Session {
    pub(crate) server: Arc<Server>,
    pub(crate) principal: Principal,
    route: String,
    state: Mutex<State>,
}

/// Why a message does not go on, and what its sender is told.
struct Refused {
    id: Option<Id>,
    code: i32,
    message: String,
}

impl Refused {
    fn new(id: Option<Id>, code: i32, message: impl Into<String>) -> Self {
        Self { id, code, message: message.into() }
    }

    fn answer(self) -> Vec<u8> {
        error_reply(self.id.as_ref(), self.code, &self.message, None)
    }

    fn failed(id: Option<&Id>, failure: &Failure) -> Self {
        Self::new(id.cloned(), INTERNAL_ERROR, failure.message())
    }
}

/// What a message was, once its bytes are given away.
enum Kind {
    Request(Id),
    Notification,
    Response(Id),
}

impl Kind {
    const fn id(&self) -> Option<&Id> {
        match self {
            Self::Request(id) | Self::Response(id) => Some(id),
            Self::Notification => None,
        }
    }
}

impl Session {
    pub(crate) fn new(server: Arc<Server>, principal: Principal) -> Self {
        let route = format!("mcp/{}", server.name);
        Self { server, principal, route, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message of the client.
    pub(crate) async fn client_says(&self, shared: &Arc<Shared>, live: &Arc<Live>, body: Vec<u8>) -> Next {
        match self.client(shared, live, body).await {
            Ok(next) => next,
            Err(refused) => {
                shared.metrics.error("mcp_request");
                Next::Answer(refused.answer())
            }
        }
    }

    async fn client(&self, shared: &Arc<Shared>, live: &Arc<Live>, body: Vec<u8>) -> Result<Next, Refused> {
        check_size(live, &body)?;
        let body = Bytes::from(body);
        let (kind, method, call, params) = match Message::read(&body).map_err(|e| unread(&e))? {
            Message::Request { id, method, params } => {
                let call = (method == "tools/call").then(|| ToolCall::read(params));
                let params = params.filter(|_| method == "resources/read").map(|p| p.get().to_owned());
                (Kind::Request(id), method, call, params)
            }
            Message::Notification { method, params } => {
                if method == "notifications/cancelled"
                    && let Some(id) = params.and_then(|p| cancelled(p.get()))
                {
                    self.state().asked.remove(&id);
                }
                (Kind::Notification, method, None, None)
            }
            Message::Response { id, .. } => {
                let Some((id, asked)) = id.and_then(|id| self.state().wanted.remove_entry(&id)) else {
                    tracing::warn!(server = &*self.server.name, "the client answers what nobody asked; dropped");
                    return Ok(Next::Drop);
                };
                return Ok(self.client_answers(shared, live, (id, asked), body).await);
            }
        };
        check_names(kind.id(), &method)?;
        let call = match call {
            Some(None) => {
                let message = "`params` needs `name`, the name of a tool, and `arguments`, an object";
                return Err(Refused::new(kind.id().cloned(), INVALID_PARAMS, message));
            }
            Some(call) => call,
            None => None,
        };
        if let Kind::Request(id) = &kind {
            let state = self.state();
            if state.asked.len() >= MOST_WAITING {
                return Err(Refused::new(Some(id.clone()), INTERNAL_ERROR, "too many requests wait for an answer"));
            }
            if state.asked.contains_key(id) {
                return Err(Refused::new(Some(id.clone()), INVALID_REQUEST, "a request with this `id` waits already"));
            }
        }
        let record = self.begin(shared, live).await.map_err(|failure| Refused::failed(kind.id(), &failure))?;
        let tool = call.as_ref().map(|call| Arc::from(call.name.as_str()));
        let rpc = Rpc { server: Arc::clone(&self.server.name), method: Arc::from(method.as_str()), tool };
        let parsed = self.read(live, Direction::Reply, &rpc, &body).await;
        let mut parsed = parsed.map_err(|why| Refused::new(kind.id().cloned(), INVALID_REQUEST, why))?;
        if let Some(call) = &call {
            if !self.server.is_listed(&self.principal.tenant) {
                let message = "the server's list of tools cannot be read, so none of them can be called";
                return Err(Refused::new(kind.id().cloned(), INTERNAL_ERROR, message));
            }
            let withheld = self.server.withholds(&self.principal.tenant, &call.name).map_err(|error| {
                tracing::error!(%error, "the lock file cannot be used, so no tool can be called");
                Refused::new(kind.id().cloned(), INTERNAL_ERROR, "the lock file cannot be used")
            })?;
            if withheld {
                note(&mut parsed, vec![changed("/params/name")]);
            }
            let now = shared.access.now().wall;
            if self.server.ticketed && !shared.tickets.take(&self.principal, &self.server.name, call, now) {
                note(&mut parsed, vec![undecided("/params/name")]);
            }
        }
        if let Some(params) = params.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            note(&mut parsed, links(&params, "/params", Reach::Local));
        }
        let quiet = matches!(kind, Kind::Notification) || method == "ping";
        let decided = self.decide(shared, live, &record, parsed, (&rpc, quiet), &body).await;
        let decided = decided.map_err(|failure| Refused::failed(kind.id(), &failure))?;
        match (decided.permitted, kind) {
            (Some(permitted), Kind::Request(id)) => {
                let mut state = self.state();
                // Of two that came together, one waits.
                if state.asked.contains_key(&id) {
                    return Err(Refused::new(Some(id), INVALID_REQUEST, "a request with this `id` waits already"));
                }
                state.asked.insert(id, Asked { rpc, record, since: Instant::now() });
                Ok(Next::Forward(permitted))
            }
            (Some(permitted), _) => Ok(Next::Forward(permitted)),
            (None, Kind::Request(id)) if decided.quarantined => {
                let message = "this tool is quarantined: it is not what was pinned, or its definition was refused; \
                    whoever runs the guard can look at it with `bartizan mcp pin`";
                Ok(Next::Answer(tool_error(&id, &format!("{message} (event {})", decided.event), &decided.event)))
            }
            (None, Kind::Request(id)) if decided.undecided => {
                let message = "this call has no ticket: a tool of this server is called once for each time that this \
                    gateway has let the model of the same client key make the same call";
                Ok(Next::Answer(tool_error(&id, &format!("{message} (event {})", decided.event), &decided.event)))
            }
            (None, Kind::Request(id)) => Ok(Next::Answer(blocked(&id, &rpc, &decided.event))),
            (None, _) => Ok(Next::Drop),
        }
    }

    /// The client's answer to a request of the server.
    async fn client_answers(
        &self,
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        (id, asked): (Id, Asked),
        body: Bytes,
    ) -> Next {
        let declined = || Next::Instead(declined(&id, &asked.rpc.method));
        let Ok(parsed) = self.read(live, Direction::Reply, &asked.rpc, &body).await else { return declined() };
        match self.decide(shared, live, &asked.record, parsed, (&asked.rpc, false), &body).await {
            Ok(Decided { permitted: Some(permitted), .. }) => Next::Forward(permitted),
            _ => declined(),
        }
    }

    /// A message of the server.
    pub(crate) async fn server_says(&self, shared: &Arc<Shared>, live: &Arc<Live>, body: Vec<u8>) -> Next {
        match self.server(shared, live, body).await {
            Ok(next) => next,
            Err(why) => {
                shared.metrics.error("mcp_reply");
                tracing::warn!(server = &*self.server.name, why, "a message of an MCP server was dropped");
                Next::Drop
            }
        }
    }

    async fn server(&self, shared: &Arc<Shared>, live: &Arc<Live>, body: Vec<u8>) -> Result<Next, String> {
        check_size(live, &body).map_err(|refused| refused.message)?;
        let body = Bytes::from(body);
        let (kind, method) = match Message::read(&body).map_err(|error| error.to_string())? {
            Message::Request { id, method, .. } => (Kind::Request(id), method),
            Message::Notification { method, .. } => (Kind::Notification, method),
            Message::Response { id: None, .. } => return Err("an answer without an id".to_owned()),
            Message::Response { id: Some(id), .. } => (Kind::Response(id), String::new()),
        };
        if let Err(refused) = check_names(kind.id(), &method) {
            return Ok(Next::Answer(refused.answer()));
        }
        let rpc = |method: &str| Rpc { server: Arc::clone(&self.server.name), method: Arc::from(method), tool: None };
        let asked = match &kind {
            Kind::Response(id) => {
                let asked = self.state().asked.remove(id);
                asked.ok_or("an answer to what nobody asked")?
            }
            Kind::Request(id) => {
                let record = self.begin(shared, live).await;
                let record = record.map_err(|failure| failure.message().to_owned())?;
                let state = self.state();
                if state.wanted.len() >= MOST_WAITING || state.wanted.contains_key(id) {
                    let message = "too many requests wait, or one with this `id`";
                    return Ok(Next::Answer(error_reply(Some(id), INVALID_REQUEST, message, None)));
                }
                Asked { rpc: rpc(&method), record, since: Instant::now() }
            }
            Kind::Notification => {
                let record = self.begin(shared, live).await;
                let record = record.map_err(|failure| failure.message().to_owned())?;
                Asked { rpc: rpc(&method), record, since: Instant::now() }
            }
        };
        let page = match &kind {
            Kind::Response(id) => self.state().pages.remove(id),
            _ => None,
        };
        let unreadable = |why: &str| match &kind {
            // Its request was the gateway's own.
            Kind::Response(_) if page.is_some() => Next::Drop,
            Kind::Response(id) => Next::Instead(error_reply(
                Some(id),
                INTERNAL_ERROR,
                &format!("the server's answer cannot be passed on: {why}"),
                None,
            )),
            Kind::Request(id) => Next::Answer(error_reply(Some(id), INVALID_REQUEST, why, None)),
            Kind::Notification => Next::Drop,
        };
        let (parsed, message) = match self.hear(live, &asked.rpc, &body).await {
            Ok(heard) => heard,
            Err(why) => return Ok(unreadable(&why)),
        };
        let quiet = matches!(kind, Kind::Notification) || &*asked.rpc.method == "ping";
        let decided = match self.decide(shared, live, &asked.record, parsed, (&asked.rpc, quiet), &body).await {
            Ok(decided) => decided,
            Err(failure) => return Ok(unreadable(failure.message())),
        };
        if matches!(kind, Kind::Response(_)) {
            self.learn(&asked.rpc.method, &message, &decided);
        }
        if let Some(page) = page {
            let next = message.pointer("/result/nextCursor").and_then(Value::as_str).map(str::to_owned);
            // Whoever waited may be gone.
            let _ = page.send(next);
            return Ok(Next::Drop);
        }
        Ok(match (decided.permitted, kind) {
            (Some(permitted), Kind::Request(id)) => {
                self.state().wanted.insert(id, asked);
                Next::Forward(permitted)
            }
            (Some(permitted), _) => Next::Forward(permitted),
            (None, Kind::Response(id)) => Next::Instead(blocked(&id, &asked.rpc, &decided.event)),
            (None, Kind::Request(id)) => Next::Answer(declined(&id, &asked.rpc.method)),
            (None, Kind::Notification) => Next::Drop,
        })
    }

    /// Takes over what a server says of itself.
    fn learn(&self, method: &str, message: &Value, decided: &Decided) {
        // A server without tools says so with an error.
        if method == "tools/list" && message.pointer("/result/nextCursor").is_none_or(Value::is_null) {
            self.server.all_listed(&self.principal.tenant);
        }
        let Some(result) = message.get("result").filter(|_| describes(method)) else { return };
        if method != "tools/list" {
            return self.server.instructed(result.get("instructions").and_then(Value::as_str).unwrap_or_default());
        }
        let listed = Listed::read(result);
        let name = |pointer: &String| message.pointer(pointer)?.get("name")?.as_str().map(str::to_owned);
        let withheld: BTreeSet<String> = match decided.permitted {
            Some(_) => decided.left_out.iter().filter_map(name).collect(),
            None => listed.tools.iter().map(|tool| tool.name.clone()).collect(),
        };
        self.server.listed(&self.principal.tenant, &listed, &withheld);
        let known = self.server.lock().map(|lock| lock.servers.contains_key(&*self.server.name));
        if matches!(known, Ok(false)) {
            self.server.learn(&listed);
        }
    }

    async fn begin(&self, shared: &Arc<Shared>, live: &Arc<Live>) -> Result<Record, Failure> {
        know(shared, &self.principal.tenant).await?;
        Ok(Record::start(self.principal.clone(), &self.route, &live.guard))
    }

    async fn read(&self, live: &Arc<Live>, direction: Direction, rpc: &Rpc, body: &Bytes) -> Result<Parsed, String> {
        let (live, rpc, size, body) = (Arc::clone(live), rpc.clone(), body.len(), body.clone());
        let work = move || live.guard.read_mcp(direction, rpc, body.to_vec()).map_err(|error| error.to_string());
        sized(size, work).await
    }

    /// A message of the server with what is to be said of it besides what its texts say.
    async fn hear(&self, live: &Arc<Live>, rpc: &Rpc, body: &Bytes) -> Result<(Parsed, Value), String> {
        let (live, server) = (Arc::clone(live), Arc::clone(&self.server));
        let (rpc, size, body) = (rpc.clone(), body.len(), body.clone());
        sized(size, move || heard(&live.guard, &server, rpc, &body)).await
    }

    /// Checks a message and puts the decision on record. A list with parts that may not pass passes without them.
    async fn decide(
        &self,
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        record: &Record,
        parsed: Parsed,
        (rpc, quiet): (&Rpc, bool),
        body: &[u8],
    ) -> Result<Decided, Failure> {
        let direction = parsed.exchange().direction;
        let kept = kept(shared, bartizan_core::Protocol::Mcp, direction, body);
        let checked = self.check(shared, live, record, parsed).await?;
        let withheld = noted_call(&checked, rules::CHANGED);
        let undecided = noted_call(&checked, rules::UNDECIDED);
        let elements = match direction {
            Direction::Request => live.guard.refused_elements(&checked),
            Direction::Reply => BTreeSet::new(),
        };
        let mut settled = settle(shared, record, checked);
        settled.event.model = bounded_model(&match &rpc.tool {
            Some(tool) => format!("{}:{tool}", rpc.method),
            None => rpc.method.to_string(),
        });
        let mut left_out = BTreeSet::new();
        let mut permitted = settled.permitted;
        if permitted.is_none() && !elements.is_empty() {
            permitted = self.without(shared, live, record, rpc, (body, &elements)).await?;
            if permitted.is_some() {
                settled.event.action = Action::Quarantine;
                left_out = elements;
            }
        }
        if let Some(permitted) = &permitted {
            self.keep(shared, live, permitted.get()).await?;
            self.remember(shared, live, permitted.get());
        }
        if permitted.is_none() && withheld {
            settled.event.action = Action::Quarantine;
        }
        let event = settled.event.id.clone();
        if !quiet || settled.event.verdict > Verdict::Allow {
            append(shared, settled.event, kept).await?;
        }
        Ok(Decided { permitted, event, left_out, quarantined: withheld, undecided })
    }

    /// Notes what the server gives out: where it comes back as the words of a user or operator, it is not theirs.
    fn remember(&self, shared: &Shared, live: &Live, passed: &Exchange) {
        let given =
            |text: &&Text| matches!(text.origin.source, Source::Tool | Source::Document) && text.kind == TextKind::Text;
        let mut given = passed.texts.iter().filter(given).peekable();
        if given.peek().is_some()
            && let Some(known) = live.guard.known(&shared.ledgers, &self.principal, shared.access.now().wall)
        {
            given.for_each(|text| known.delivered(&text.value));
        }
    }

    async fn keep(&self, shared: &Arc<Shared>, live: &Arc<Live>, passed: &Exchange) -> Result<(), Failure> {
        if !live.guard.has_operators() {
            return Ok(());
        }
        let parsed = live.guard.no_body(bartizan_core::Protocol::Mcp);
        let conversation = conversation_of(shared, live, &self.principal, &parsed).await?;
        keep_pseudonyms(shared, live, &self.principal, conversation.as_ref(), passed).await
    }

    async fn check(
        &self,
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        record: &Record,
        mut parsed: Parsed,
    ) -> Result<Checked, Failure> {
        parsed.contain(&shared.access.contained(&self.principal.tenant), &self.principal.key);
        parsed.except(excepted(shared, live, &record.principal, &record.route));
        let conversation = conversation_of(shared, live, &record.principal, &parsed).await?;
        parsed.converse(conversation);
        let large = parsed.bytes() > INLINE || parsed.may_hold_documents() || live.guard.may_infer(&parsed);
        let (guard, server, route) = (Arc::clone(&live.guard), Arc::clone(&self.server), self.route.clone());
        let tenant = self.principal.tenant.clone();
        let work = move || {
            let route = Route { name: &route, opaque: server.opaque.as_ref(), tenant: Some(&tenant), known: None };
            guard.check(parsed, &ReplyContext::default(), route)
        };
        if large { off_worker(work).await } else { Ok(work()) }
    }

    /// The same message without some elements, if that may pass.
    async fn without(
        &self,
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        record: &Record,
        rpc: &Rpc,
        (body, elements): (&[u8], &BTreeSet<String>),
    ) -> Result<Option<Permitted<Exchange>>, Failure> {
        let internal = |_| Failure::new(ErrorKind::Internal, "internal", "internal error");
        let limits = live.guard.limits();
        let whole = bartizan_wire::mcp(Direction::Request, rpc.clone(), body.to_vec(), limits).map_err(internal)?;
        let pruned = prune(&whole, elements, limits).map_err(internal)?;
        let parsed = live.guard.read_mcp(Direction::Request, rpc.clone(), pruned.body).map_err(internal)?;
        let checked = self.check(shared, live, record, parsed).await?;
        Ok(match checked.outcome {
            Outcome::Forward { permitted, .. } => Some(permitted),
            Outcome::Refuse(_) | Outcome::Hold(_) => None,
        })
    }

    /// Ends requests that wait for longer than that. Answers with what the client and the server are told.
    pub(crate) fn expire(&self, longest: Duration) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
        let mut state = self.state();
        let State { asked, wanted, pages } = &mut *state;
        wanted.retain(|_, asked| asked.since.elapsed() < longest);
        asked.retain(|id, asked| {
            let waits = asked.since.elapsed() < longest;
            if !waits {
                if pages.remove(id).is_none() {
                    to_client.push(error_reply(Some(id), TIMED_OUT, "the server did not answer", None));
                }
                let cancel = serde_json::json!({
                    "jsonrpc": "2.0", "method": "notifications/cancelled",
                    "params": {"requestId": serde_json::from_str::<Value>(&id.json()).unwrap_or_default(), "reason": "timeout"}
                });
                to_server.push(cancel.to_string().into_bytes());
            }
            waits
        });
        (to_client, to_server)
    }

    /// Forgets a request whose answer will not come.
    pub(crate) fn forget(&self, id: &Id) {
        let mut state = self.state();
        state.asked.remove(id);
        state.pages.remove(id);
    }

    /// Announces a page of the list of tools that the gateway asks for itself. Its answer does not go to the client.
    pub(crate) fn expect_page(&self, id: &Id) -> oneshot::Receiver<Option<String>> {
        let (sender, receiver) = oneshot::channel();
        self.state().pages.insert(id.clone(), sender);
        receiver
    }

    /// True while a request of the client waits for its answer.
    pub(crate) fn waits(&self, id: &Id) -> bool {
        self.state().asked.contains_key(id)
    }
}

/// What became of a message.
struct Decided {
    permitted: Option<Permitted<Exchange>>,
    event: String,
    /// Elements of a list that were left out, as JSON Pointers.
    left_out: BTreeSet<String>,
    /// The call of a tool that is not what was pinned.
    quarantined: bool,
    /// The call has no ticket.
    undecided: bool,
}

/// Runs what takes time in proportion to a message of `size` bytes where it holds up nobody else.
async fn sized<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    if size > INLINE { off_worker(work).await.map_err(|failure| failure.message().to_owned())? } else { work() }
}

fn heard(guard: &Guard, server: &Server, rpc: Rpc, body: &[u8]) -> Result<(Parsed, Value), String> {
    let method = Arc::clone(&rpc.method);
    let mut parsed = guard.read_mcp(Direction::Request, rpc, body.to_vec()).map_err(|error| error.to_string())?;
    let message = serde_json::from_slice(body).unwrap_or_default();
    let notes = notes(server, &method, &message).map_err(|error| {
        tracing::error!(%error, "the lock file cannot be used, so no list of tools passes");
        "the lock file cannot be used".to_owned()
    })?;
    note(&mut parsed, notes);
    Ok((parsed, message))
}

fn notes(server: &Server, method: &str, message: &Value) -> Result<Vec<Note>, LockFileError> {
    if !describes(method) {
        return Ok(said(message, method, server.reach, None, &Elsewhere::default()));
    }
    let lock = server.lock()?;
    let pinned = lock.servers.get(&*server.name);
    Ok(said(message, method, server.reach, pinned, &server.elsewhere(&lock)))
}

fn changed(pointer: &str) -> Note {
    Note { rule: rules::CHANGED, pointer: pointer.to_owned(), confidence: bartizan_core::Confidence::High }
}

fn undecided(pointer: &str) -> Note {
    Note { rule: rules::UNDECIDED, pointer: pointer.to_owned(), confidence: bartizan_core::Confidence::High }
}

/// True where a rule was noted about a call.
fn noted_call(checked: &Checked, rule: &str) -> bool {
    let is_it = |f: &bartizan_policy::TextFinding| f.finding.rule.as_str() == rule;
    checked.meta.direction == Direction::Reply && checked.assessment.findings.iter().any(is_it)
}

fn note(parsed: &mut Parsed, notes: Vec<Note>) {
    for Note { rule, pointer, confidence } in notes {
        parsed.note(RuleId::new(rule), pointer, confidence);
    }
}

fn check_size(live: &Live, body: &[u8]) -> Result<(), Refused> {
    let limit = live.guard.limits().max_body;
    if body.len() > limit {
        return Err(Refused::new(None, INVALID_REQUEST, format!("the message is larger than {limit} bytes")));
    }
    Ok(())
}

fn check_names(id: Option<&Id>, method: &str) -> Result<(), Refused> {
    let long = matches!(id, Some(Id::Text(text)) if text.len() > LONGEST_NAME);
    if long || method.len() > LONGEST_NAME {
        let message = format!("`id` and `method` have at most {LONGEST_NAME} bytes");
        return Err(Refused::new(None, INVALID_REQUEST, message));
    }
    Ok(())
}

fn unread(error: &MessageError) -> Refused {
    let code = if matches!(error, MessageError::Malformed { .. }) { PARSE_ERROR } else { INVALID_REQUEST };
    Refused::new(None, code, error.to_string())
}

fn cancelled(params: &str) -> Option<Id> {
    let params: Value = serde_json::from_str(params).ok()?;
    match params.get("requestId")? {
        Value::String(text) => Some(Id::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Id::Number),
        _ => None,
    }
}

/// What the asking side gets in place of what was refused. A model can go on from the error of a tool.
fn blocked(id: &Id, rpc: &Rpc, event: &str) -> Vec<u8> {
    let message = format!("this content was blocked by policy (event {event})");
    if &*rpc.method == "tools/call" {
        return tool_error(id, &message, event);
    }
    error_reply(Some(id), BLOCKED, &message, Some(event))
}

/// What a server gets where its request is refused: as if the user had said no.
fn declined(id: &Id, method: &str) -> Vec<u8> {
    match method {
        "elicitation/create" => {
            format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"decline"}}}}"#, id.json()).into_bytes()
        }
        // 2025-11-25, client/sampling, "Error Handling".
        "sampling/createMessage" => error_reply(Some(id), -1, "the request was rejected", None),
        _ => error_reply(Some(id), BLOCKED, "the client does not answer this", None),
    }
}
