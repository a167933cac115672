//! Servers on the network, served at `/mcp/NAME` over streamable HTTP (2025-11-25 with sessions, 2026-07-28 without).

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use bartizan_core::{Principal, Protocol, Source, TenantId, Verdict};
use bartizan_mcp::{Id, Message, Reach, error_reply};
use bartizan_wire::{ErrorKind, SseDecoder, SseEvent};
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::mpsc;

use super::lockfile::{LockFile, LockFileError};
use super::server::Server;
use super::session::{INTERNAL_ERROR, Next, Session};
use super::{Mcp, TicketNeed};
use crate::admin::{ServerView, is_for};
use crate::body::{decoded, read};
use crate::coding::{Unpacker, coding};
use crate::contain::refuse_contained;
use crate::failure::{Failure, json};
use crate::head::check_head;
use crate::proxy::{admit, begin, contained, reply_failure, request_body};
use crate::settings::Settings;
use crate::shared::{InFlight, Live, Shared};
use crate::upstream::{Transport, UpstreamError, transport};

/// Most sessions that are known at a time. A client whose session is forgotten begins a new one.
const MOST_SESSIONS: usize = 10_000;

/// Longest header value of the protocol, in bytes.
const LONGEST_HEADER: usize = 1024;

/// Messages on their way to a caller who reads slowly.
const QUEUE: usize = 8;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Headers of the protocol, besides those with `mcp-param-` in front. No other goes on, and no credential does.
const PASSED: [HeaderName; 5] = [
    SESSION,
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("last-event-id"),
];

/// One server with its address.
struct Target {
    server: Arc<Server>,
    uri: Uri,
    key: Option<HeaderValue>,
    tenants: Vec<TenantId>,
}

/// Whose session: the server, the tenant, the key of the caller, and what the server calls it.
type SessionKey = (Arc<str>, TenantId, Arc<str>, String);

/// Sessions with the time of their last use.
type Sessions = HashMap<SessionKey, (Arc<Session>, Instant)>;

/// All servers of a configuration.
pub(crate) struct Front {
    targets: BTreeMap<String, Target>,
    transport: Option<Box<dyn Transport>>,
    lock: Arc<LockFile>,
    /// Milliseconds for which a ticket lasts; `None` where no server needs one.
    tickets_last: Option<i64>,
    sessions: Arc<Mutex<Sessions>>,
}

impl Front {
    /// The servers of a configuration. Those that stay as they were in the one `before` keep their sessions, and what
    /// is known of their tools: a tool that was refused must not become callable by a reload.
    pub(crate) fn new(settings: &Settings, before: Option<&Self>) -> Result<Self, String> {
        let Mcp { lock, servers, .. } = &settings.mcp;
        settings.mcp.check()?;
        let before = before.filter(|before| before.lock.path() == lock.as_deref());
        let lock = before.map_or_else(|| Arc::new(LockFile::at(lock.clone())), |before| Arc::clone(&before.lock));
        // A lock that cannot be read is said now, and not at the first call.
        lock.read().map_err(|error| error.to_string())?;
        let mut targets = BTreeMap::new();
        for (name, server) in servers {
            let uri: Uri = server.url.parse().map_err(|_| format!("url of MCP server `{name}`: not an address"))?;
            let key =
                server.key.as_ref().map(|key| key.resolve().map_err(|e| format!("key of MCP server `{name}`: {e}")));
            let bearer = |key: String| {
                let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                    .map_err(|_| format!("key of MCP server `{name}`: not a header value"))?;
                value.set_sensitive(true);
                Ok::<_, String>(value)
            };
            let key = key.transpose()?.map(bearer).transpose()?;
            let tickets = server.tickets == TicketNeed::Required;
            if tickets && settings.upstream.is_empty() {
                return Err(format!(
                    "tickets of MCP server `{name}`: `required` needs an `[[upstream]]`, where the calls are decided"
                ));
            }
            let stays = before.and_then(|before| before.targets.get(name));
            let stays = stays.filter(|before| {
                before.uri == uri && before.server.opaque == server.opaque && before.server.ticketed == tickets
            });
            let known = stays.map_or_else(
                || Arc::new(Server::new(name, Reach::Remote, server.opaque, Arc::clone(&lock)).ticketed(tickets)),
                |before| Arc::clone(&before.server),
            );
            targets.insert(name.clone(), Target { server: known, uri, key, tenants: server.tenants.clone() });
        }
        let tls = servers.values().any(|server| server.url.starts_with("https:"));
        let transport = (!servers.is_empty()).then(|| transport(&settings.timeouts, tls)).transpose()?;
        let sessions = before.map_or_else(Arc::default, |before| Arc::clone(&before.sessions));
        let needed = servers.values().any(|server| server.tickets == TicketNeed::Required);
        let tickets_last = needed.then(|| i64::from(settings.mcp.ticket_seconds) * 1000);
        Ok(Self { targets, transport, lock, tickets_last, sessions })
    }

    /// What is known of the servers of a tenant. Reads the lock file: not for async workers.
    ///
    /// # Errors
    /// The lock file cannot be read.
    pub(crate) fn views(&self, tenant: &TenantId) -> Result<Vec<ServerView>, LockFileError> {
        let lock = self.lock.read()?;
        let ours = self.targets.iter().filter(|(_, target)| is_for(&target.tenants, tenant));
        Ok(ours.map(|(name, target)| target.server.view(tenant, &target.uri, lock.servers.get(name))).collect())
    }

    pub(crate) const fn tickets_last(&self) -> Option<i64> {
        self.tickets_last
    }

    /// A session with this server. One with a server that was of the same name before is none.
    fn session(&self, server: &Arc<Server>, key: &SessionKey) -> Option<Arc<Session>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, used) = sessions.get_mut(key).filter(|(session, _)| Arc::ptr_eq(&session.server, server))?;
        *used = Instant::now();
        Some(Arc::clone(session))
    }

    fn open(&self, key: SessionKey, session: Arc<Session>) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MOST_SESSIONS
            && let Some(oldest) = sessions.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
        {
            sessions.remove(&oldest);
        }
        sessions.insert(key, (session, Instant::now()));
    }

    fn close(&self, key: &SessionKey) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Serves `/mcp/NAME`.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let journey = begin(&shared, Protocol::Mcp, &request);
    contained(&shared, Protocol::Mcp, &journey, exchange(&shared, request)).await
}

/// One request of a caller, as far as it is the same for all methods.
#[derive(Clone)]
struct Call {
    shared: Arc<Shared>,
    live: Arc<Live>,
    name: String,
    session: Arc<Session>,
    /// What the caller says it goes on with.
    known_as: Option<String>,
    headers: HeaderMap,
    /// Its place among those in flight, until the last byte is out.
    _in_flight: Arc<InFlight>,
}

async fn exchange(shared: &Arc<Shared>, request: Request<Body>) -> Result<Response<Body>, Failure> {
    let live = shared.live();
    let (admitted, in_flight) = admit(shared, &live, &request)?;
    let live = live.for_caller(&admitted)?;
    refuse_contained(shared, &live, &admitted.principal, Protocol::Mcp).await?;
    let (parts, body) = request.into_parts();
    let name = parts.uri.path().strip_prefix("/mcp/").unwrap_or_default().to_owned();
    let unknown = || Failure::new(ErrorKind::NotFound, "mcp_server", "there is no such MCP server");
    let target = live.mcp.targets.get(&name).ok_or_else(unknown)?;
    let tenant = &admitted.principal.tenant;
    if !target.tenants.is_empty() && !target.tenants.contains(tenant) {
        return Err(unknown());
    }
    if parts.uri.query().is_some() {
        return Err(Failure::new(ErrorKind::InvalidRequest, "query", "a query string is not passed on"));
    }
    let headers = protocol_headers(&live, &parts.headers)?;
    let known_as = headers.get(&SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let session = match &known_as {
        Some(id) => {
            let gone = "this session is not known; begin a new one";
            let session = live.mcp.session(&target.server, &session_key(&target.server.name, &admitted.principal, id));
            session.ok_or_else(|| Failure::new(ErrorKind::NotFound, "mcp_session", gone))?
        }
        None => Arc::new(Session::new(Arc::clone(&target.server), admitted.principal.clone())),
    };
    let call = Call {
        shared: Arc::clone(shared),
        live: Arc::clone(&live),
        name,
        session,
        known_as,
        headers,
        _in_flight: Arc::new(in_flight),
    };
    match parts.method {
        Method::POST => {
            let coding = check_head(&parts.headers)?;
            let body = request_body(&live, body, coding).await?;
            post(call, body).await
        }
        Method::GET => listen(call).await,
        Method::DELETE => leave(call).await,
        _ => Err(Failure::new(ErrorKind::MethodNotAllowed, "wrong_method", "POST, GET and DELETE are served here")),
    }
}

fn session_key(server: &Arc<str>, who: &Principal, id: &str) -> SessionKey {
    (Arc::clone(server), who.tenant.clone(), Arc::clone(&who.key), id.to_owned())
}

/// The caller's headers that belong to the protocol. The guard reads them, since they repeat what stands in bodies.
fn protocol_headers(live: &Live, from: &HeaderMap) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let mut text = String::new();
    for (name, value) in from {
        if !PASSED.contains(name) && !name.as_str().starts_with("mcp-param-") {
            continue;
        }
        let plain = value.len() <= LONGEST_HEADER && value.as_bytes().iter().all(|b| (b' '..=b'~').contains(b));
        if !plain || headers.contains_key(name) {
            let message = format!("the header `{name}` is not passed on: it is too long, not plain, or comes twice");
            return Err(Failure::new(ErrorKind::InvalidRequest, "header", message));
        }
        text.push_str(value.to_str().unwrap_or_default());
        text.push('\n');
        headers.insert(name.clone(), value.clone());
    }
    let enforced = live.guard.mode() == bartizan_core::Mode::Enforce;
    if enforced && live.guard.check_text(&text, Source::Parameter).verdict > Verdict::Allow {
        let message = "a header holds what the policy does not let pass";
        return Err(Failure::new(ErrorKind::Blocked, "header", message));
    }
    Ok(headers)
}

/// What a message is, as far as HTTP is concerned.
#[derive(Default)]
struct Peek {
    /// The id of a request.
    id: Option<Id>,
    method: String,
    /// What it names: a tool, prompt, resource or task.
    name: Option<String>,
}

/// `named` where what the message names is needed, which takes reading all of its parameters.
fn peek(body: &[u8], named: bool) -> Peek {
    let name = |params: Option<&serde_json::value::RawValue>| {
        let params = params.filter(|_| named);
        let params: Value = serde_json::from_str(params?.get()).ok()?;
        ["name", "uri", "taskId"].iter().find_map(|key| params.get(key)?.as_str()).map(str::to_owned)
    };
    match Message::read(body) {
        Ok(Message::Request { id, method, params }) => Peek { id: Some(id), name: name(params), method },
        Ok(Message::Notification { method, params }) => Peek { id: None, name: name(params), method },
        _ => Peek::default(),
    }
}

/// Headers that say something else than the body would let one be examined and the other carried out (2026-07-28,
/// basic/transports, `HeaderMismatch`).
fn mismatch(headers: &HeaderMap, peek: &Peek) -> Option<Vec<u8>> {
    let differs = |name: &str, said: Option<&str>| {
        let header = headers.get(name).and_then(|value| value.to_str().ok());
        // Other names are sent in an encoding, and the server compares them.
        header.is_some_and(|header| !header.starts_with("=?") && Some(header) != said)
    };
    let wrong = differs("mcp-method", Some(&peek.method)) || differs("mcp-name", peek.name.as_deref());
    wrong.then(|| error_reply(peek.id.as_ref(), -32020, "a header does not say what the body says", None))
}

impl Call {
    fn target(&self) -> Result<&Target, Failure> {
        let gone = || Failure::new(ErrorKind::NotFound, "mcp_server", "there is no such MCP server");
        self.live.mcp.targets.get(&self.name).ok_or_else(gone)
    }

    /// The same for the gateway's own request for the list of tools.
    fn listing(&self) -> Self {
        let mut own = self.clone();
        own.headers.remove("mcp-name");
        if let Some(method) = own.headers.get_mut("mcp-method") {
            *method = HeaderValue::from_static("tools/list");
        }
        own
    }

    fn key(&self, id: &str) -> SessionKey {
        session_key(&self.session.server.name, &self.session.principal, id)
    }

    /// Sends something to the server with the gateway's own credential.
    async fn send(&self, method: Method, body: Vec<u8>) -> Result<Response<Incoming>, Failure> {
        let target = self.target()?;
        let mut request = Request::builder().method(method.clone()).uri(target.uri.clone());
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            let accept = match method {
                Method::POST => "application/json, text/event-stream",
                _ => "text/event-stream",
            };
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            if method == Method::POST {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            if let Some(key) = &target.key {
                headers.insert(AUTHORIZATION, key.clone());
            }
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|_| Failure::upstream(&UpstreamError::Header))?;
        let no_route = || Failure::upstream(&UpstreamError::NoRoute);
        let sent = self.live.mcp.transport.as_ref().ok_or_else(no_route)?.send(request);
        let time = Duration::from_millis(self.live.settings.timeouts.first_byte_ms);
        let reply = tokio::time::timeout(time, sent).await.map_err(|_| Failure::upstream(&UpstreamError::Timeout))?;
        let reply = reply.map_err(|error| Failure::upstream(&error))?;
        match reply.status() {
            // What it says about credentials is about the gateway's, which the caller has no part in.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let message = "the MCP server refuses the gateway's credential";
                Err(Failure::new(ErrorKind::Upstream, "mcp_credential", message))
            }
            status if status.is_redirection() => {
                Err(Failure::new(ErrorKind::Upstream, "mcp_redirect", "the MCP server redirects; that is not followed"))
            }
            _ => Ok(reply),
        }
    }
}

/// A message of the client.
async fn post(call: Call, body: Vec<u8>) -> Result<Response<Body>, Failure> {
    let peek = peek(&body, call.headers.contains_key("mcp-name"));
    if let Some(answer) = mismatch(&call.headers, &peek) {
        return Ok(json(400, answer));
    }
    list_before(&call, &body).await;
    let body = match call.session.client_says(&call.shared, &call.live, body).await {
        Next::Forward(permitted) => permitted.into_inner().body,
        Next::Instead(message) => message,
        Next::Answer(message) => return Ok(json(if peek.id.is_some() { 200 } else { 400 }, message)),
        Next::Drop => return Ok(empty(StatusCode::ACCEPTED)),
    };
    let forget = |call: &Call| {
        if let Some(id) = &peek.id {
            call.session.forget(id);
        }
    };
    let reply = match call.send(Method::POST, body).await {
        Ok(reply) => reply,
        Err(failure) => {
            forget(&call);
            return Err(failure);
        }
    };
    let (head, body) = reply.into_parts();
    if head.status == StatusCode::NOT_FOUND
        && let Some(id) = &call.known_as
    {
        call.live.mcp.close(&call.key(id));
    }
    let opened = head.headers.get(&SESSION).filter(|id| is_session_id(id)).cloned();
    if let Some(id) = opened.as_ref().and_then(|id| id.to_str().ok()).filter(|_| peek.method == "initialize") {
        call.live.mcp.open(call.key(id), Arc::clone(&call.session));
    }
    let mut response = if peek.id.is_none() {
        // Nothing is awaited, so nothing is read.
        empty(if head.status.is_success() { StatusCode::ACCEPTED } else { head.status })
    } else if is_stream(&head.headers) {
        pump(call, (head.headers, body), peek.id)?
    } else {
        match whole(&call, &head, body).await {
            Ok(response) => response,
            Err(failure) => {
                forget(&call);
                return Err(failure);
            }
        }
    };
    if let Some(id) = opened {
        response.headers_mut().insert(SESSION, id);
    }
    Ok(response)
}

/// Asks for the list of tools where a client calls one before anybody has listed. What cannot be read is not called.
async fn list_before(call: &Call, message: &[u8]) {
    let mut next = call.session.page_before(&call.shared, &call.live, message).await;
    while let Some(mut page) = next {
        let own = call.listing();
        let request = std::mem::take(&mut page.request);
        let Ok(reply) = own.send(Method::POST, request).await else { return call.session.forget(&page.id) };
        let (head, body) = reply.into_parts();
        if is_stream(&head.headers) {
            let Ok(stream) = pump(own, (head.headers, body), Some(page.id.clone())) else { return };
            // The rest of the stream is of no interest once the page is there.
            tokio::select! {
                biased;
                cursor = &mut page.read => match cursor {
                    Ok(Some(cursor)) => next = call.session.page_after(&call.shared, &call.live, page, cursor).await,
                    _ => return,
                },
                _ = stream.into_body().collect() => return call.session.forget(&page.id),
            }
        } else {
            let _ = whole(&own, &head, body).await;
            match page.read.try_recv() {
                Ok(Some(cursor)) => next = call.session.page_after(&call.shared, &call.live, page, cursor).await,
                Ok(None) => return,
                Err(_) => return call.session.forget(&page.id),
            }
        }
    }
}

/// An answer that comes as one message.
async fn whole(call: &Call, head: &http::response::Parts, body: Incoming) -> Result<Response<Body>, Failure> {
    let limit = call.live.guard.limits().max_body;
    let idle = Duration::from_millis(call.live.settings.timeouts.idle_ms);
    let coded = coding(&head.headers)
        .map_err(|_| Failure::new(ErrorKind::Upstream, "encoding", "the reply is in an unknown coding"))?;
    let body = read(body, limit, idle).await.map_err(reply_failure)?;
    let body = decoded(body, coded, limit).await.map_err(reply_failure)?;
    match call.session.server_says(&call.shared, &call.live, body).await {
        Next::Forward(permitted) => Ok(json(head.status.as_u16(), permitted.into_inner().body)),
        Next::Instead(message) => Ok(json(head.status.as_u16(), message)),
        Next::Answer(_) | Next::Drop if !head.status.is_success() => {
            let message = format!("the MCP server answers with status {}", head.status.as_u16());
            Err(Failure::new(ErrorKind::Upstream, "mcp_status", message).status(head.status))
        }
        Next::Answer(_) | Next::Drop => {
            Err(Failure::new(ErrorKind::Upstream, "invalid_reply", "the MCP server's reply cannot be read"))
        }
    }
}

/// The stream of what a server says unasked.
async fn listen(call: Call) -> Result<Response<Body>, Failure> {
    let reply = call.send(Method::GET, Vec::new()).await?;
    let (head, body) = reply.into_parts();
    if !head.status.is_success() || !is_stream(&head.headers) {
        return Ok(empty(if head.status.is_success() { StatusCode::BAD_GATEWAY } else { head.status }));
    }
    pump(call, (head.headers, body), None)
}

/// The end of a session.
async fn leave(call: Call) -> Result<Response<Body>, Failure> {
    let reply = call.send(Method::DELETE, Vec::new()).await?;
    if let Some(id) = &call.known_as {
        call.live.mcp.close(&call.key(id));
    }
    Ok(empty(reply.status()))
}

/// Passes a stream on, message by message. `awaited` is the request that it answers.
fn pump(call: Call, (headers, body): (HeaderMap, Incoming), awaited: Option<Id>) -> Result<Response<Body>, Failure> {
    let unknown = || Failure::new(ErrorKind::Upstream, "encoding", "the reply is in an unknown coding");
    let unpacker = coding(&headers).map_err(|_| unknown())?;
    let unpacker = unpacker.map(|coding| Unpacker::new(coding).ok_or_else(unknown)).transpose()?;
    let (sender, receiver) = mpsc::channel::<Bytes>(QUEUE);
    tokio::spawn(run(call, body, unpacker, awaited, sender));
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (Ok::<_, Infallible>(piece), receiver))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

async fn run(
    call: Call,
    mut body: Incoming,
    mut unpacker: Option<Unpacker>,
    awaited: Option<Id>,
    sender: mpsc::Sender<Bytes>,
) {
    let mut decoder = SseDecoder::new(call.live.guard.limits());
    let call = Arc::new(call);
    let longest = Duration::from_millis(call.live.settings.mcp.call_ms);
    let mut events = Vec::new();
    'stream: loop {
        let frame = tokio::select! {
            biased;
            () = sender.closed() => break,
            // A stream that nothing is awaited on may be silent for as long as it likes.
            frame = tokio::time::timeout(if awaited.is_some() { longest } else { Duration::MAX }, body.frame()) => frame,
        };
        let Ok(Some(Ok(frame))) = frame else { break };
        let Ok(data) = frame.into_data() else { continue };
        let plain = match unpacker.as_mut() {
            None => Ok(data),
            Some(unpacker) => unpacker.push(&data).map(Bytes::from),
        };
        let read = plain.map_err(drop).and_then(|plain| decoder.push(&plain, &mut events).map_err(drop));
        if read.is_err() {
            call.shared.metrics.error("mcp_stream");
            break;
        }
        for event in events.drain(..) {
            if !carry(&call, event, &sender).await {
                break 'stream;
            }
        }
    }
    if let Some(id) = awaited.filter(|id| call.session.waits(id)) {
        call.session.forget(&id);
        let message = error_reply(Some(&id), INTERNAL_ERROR, "the MCP server broke off", None);
        let _ = sender.send(Bytes::from(framed("", &message))).await;
    }
    drop(call);
}

/// Carries one event. False once the caller is gone.
async fn carry(call: &Arc<Call>, event: SseEvent, sender: &mpsc::Sender<Bytes>) -> bool {
    let ids = resume_lines(&event.rest);
    let Some(data) = event.data.filter(|data| !data.trim().is_empty()) else {
        // A keep-alive, or the id that a client goes on from.
        let line = if ids.is_empty() { ":\n\n".to_owned() } else { format!("{ids}data:\n\n") };
        return sender.send(Bytes::from(line)).await.is_ok();
    };
    let message = match call.session.server_says(&call.shared, &call.live, data.into_bytes()).await {
        Next::Forward(permitted) => permitted.into_inner().body,
        Next::Instead(message) => message,
        Next::Answer(message) => {
            let call = Arc::clone(call);
            tokio::spawn(async move {
                if call.send(Method::POST, message).await.is_err() {
                    tracing::warn!("an MCP server cannot be told that its request is refused");
                }
            });
            return true;
        }
        Next::Drop => return true,
    };
    sender.send(Bytes::from(framed(&ids, &message))).await.is_ok()
}

/// A message as an event. Between values of JSON a blank is as good as a line feed.
fn framed(ids: &str, message: &[u8]) -> Vec<u8> {
    let mut out = format!("{ids}event: message\ndata: ").into_bytes();
    out.extend(message.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }));
    out.extend_from_slice(b"\n\n");
    out
}

/// The fields by which a stream is taken up again, where they are plain.
fn resume_lines(rest: &str) -> String {
    let plain = |line: &&str| {
        let field = line.starts_with("id:") || line.starts_with("retry:");
        field && line.len() <= LONGEST_HEADER && line.bytes().all(|b| (b' '..=b'~').contains(&b))
    };
    rest.lines().filter(plain).map(|line| format!("{line}\n")).collect()
}

fn is_stream(headers: &HeaderMap) -> bool {
    let essence = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    essence.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
}

/// 2025-11-25, basic/transports, "Session Management": visible ASCII.
fn is_session_id(id: &HeaderValue) -> bool {
    !id.is_empty() && id.len() <= LONGEST_HEADER && id.as_bytes().iter().all(|b| (b'!'..=b'~').contains(b))
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
