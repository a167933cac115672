//! One request and its reply.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use bartizan_core::{Action, Event, Exchange, Mode, Protocol, Source, Timings, Verdict};
use bartizan_guard::{Checked, Meta, Noted, Parsed, ReplyContext, Request as Record, Route};
use bartizan_policy::{Cause, Outcome, Permitted};
use bartizan_wire::{ErrorKind, error_body, refusal_body, refusal_stream};
use futures_util::FutureExt;
use http::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use crate::admission::{Admitted, Rejection};
use crate::body::{BodyError, read};
use crate::metrics::Metrics;
use crate::settings::OnBlock;
use crate::stack::Shared;
use crate::stream;
use crate::upstream::UpstreamError;

/// Bodies up to this size are checked on the async worker: the check takes less time than a thread switch costs.
const INLINE: usize = 32 << 10;

/// Header with the id of the record about a decision.
const EVENT_HEADER: HeaderName = HeaderName::from_static("x-bartizan-event");

/// A request that is not forwarded, in the words of the protocol.
pub(crate) struct Failure {
    kind: ErrorKind,
    message: String,
    /// Another HTTP status than the kind's.
    status: Option<StatusCode>,
    /// Word for the error counter.
    label: &'static str,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, label: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, label }
    }

    fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    fn upstream(error: &UpstreamError) -> Self {
        let (kind, label) = match error {
            UpstreamError::NoRoute => (ErrorKind::NotFound, "no_route"),
            UpstreamError::Unreachable(_) => (ErrorKind::Upstream, "upstream_unreachable"),
            UpstreamError::Timeout => (ErrorKind::Timeout, "upstream_timeout"),
            UpstreamError::Header => (ErrorKind::InvalidRequest, "header"),
        };
        Self::new(kind, label, error.to_string())
    }

    fn respond(self, protocol: Protocol, shared: &Shared) -> Response<Body> {
        shared.metrics.error(self.label);
        let retry = matches!(self.kind, ErrorKind::Unavailable);
        let (status, body) = error_body(protocol, self.kind, &self.message, None);
        let mut response = json(self.status.map_or(status, |s| s.as_u16()), body);
        if retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn json(status: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A conversation: a body goes to the model and a reply comes back.
pub(crate) async fn exchange(
    State(shared): State<Arc<Shared>>,
    protocol: Protocol,
    request: Request<Body>,
) -> Response<Body> {
    contained(&shared, protocol, converse(&shared, protocol, request)).await
}

/// A question without a body, such as for the list of models.
pub(crate) async fn look_up(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let protocol = protocol_of(request.headers());
    contained(&shared, protocol, async { fetch(&shared, protocol, request).await }).await
}

pub(crate) async fn unknown_route(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let protocol = protocol_of(request.headers());
    let message = "this route is not served; served are /v1/chat/completions, /v1/messages and /v1/models";
    Failure::new(ErrorKind::NotFound, "unknown_route", message).respond(protocol, &shared)
}

pub(crate) async fn wrong_method(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let protocol = protocol_of(request.headers());
    let message = format!("the method {} is not served here", request.method());
    Failure::new(ErrorKind::InvalidRequest, "wrong_method", message)
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .respond(protocol, &shared)
}

/// Anthropic's clients always name a version; nobody else does.
fn protocol_of(headers: &HeaderMap) -> Protocol {
    if headers.contains_key("anthropic-version") { Protocol::AnthropicMessages } else { Protocol::OpenaiChat }
}

/// A panic in a handler is a defect, and it must not open the door: the caller gets an error, the counter moves.
async fn contained(
    shared: &Shared,
    protocol: Protocol,
    work: impl Future<Output = Result<Response<Body>, Failure>>,
) -> Response<Body> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => failure.respond(protocol, shared),
        Err(_) => Failure::new(ErrorKind::Internal, "panic", "internal error").respond(protocol, shared),
    }
}

fn admit(shared: &Shared, request: &Request<Body>) -> Result<(Admitted, InFlight), Failure> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let admitted = shared.admission.admit(request.headers(), authority).map_err(|rejection| match rejection {
        Rejection::Host => Failure::new(ErrorKind::Forbidden, "host", "this host name is not served here"),
        Rejection::Origin => Failure::new(ErrorKind::Forbidden, "origin", "pages of other origins are not served"),
        Rejection::Key => Failure::new(ErrorKind::Unauthorized, "key", "a valid key is needed"),
    })?;
    let permit = Arc::clone(&shared.in_flight)
        .try_acquire_owned()
        .map_err(|_| Failure::new(ErrorKind::Unavailable, "overload", "too many requests in flight; try again"))?;
    shared.metrics.in_flight.inc();
    Ok((admitted, InFlight { metrics: Arc::clone(&shared.metrics), _permit: permit }))
}

/// A place among the requests in flight. It is given back when the last byte of the reply is out.
pub(crate) struct InFlight {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

async fn converse(shared: &Arc<Shared>, protocol: Protocol, request: Request<Body>) -> Result<Response<Body>, Failure> {
    let (admitted, in_flight) = admit(shared, &request)?;
    let (parts, body) = request.into_parts();
    check_head(&parts.headers)?;
    let path = check_rest(shared, &parts)?;
    let body = request_body(shared, body).await?;

    let parsed = read_request(shared, protocol, body).await?;
    let model = parsed.model().to_owned();
    let target = shared.upstreams.route(protocol, &model).map_err(|e| Failure::upstream(&e))?;
    let route = shared.upstreams.settings(target).map_or("", |u| u.name.as_str()).to_owned();
    let record = Record::start(&admitted.client, &route);

    let checked = check(shared, parsed, ReplyContext::default(), target).await?;
    let settled = settle(shared, &record, checked);
    let model = settled.event.model.clone();
    let Some(permitted) = settled.permitted else {
        append(shared, settled.event).await?;
        return Ok(blocked(shared, protocol, &settled.meta, settled.meta.stream, &record.request_event));
    };
    let send = shared.upstreams.send(target, Method::POST, &path, &parts.headers, admitted.pass_credentials, permitted);
    // The record is durable before the caller sees anything of the reply.
    let (recorded, reply) = tokio::join!(append(shared, settled.event), send);
    recorded?;
    let reply = reply.map_err(|e| Failure::upstream(&e))?;
    answer(shared, Asked { protocol, record, model, context: settled.context, target, in_flight }, reply).await
}

async fn fetch(shared: &Arc<Shared>, protocol: Protocol, request: Request<Body>) -> Result<Response<Body>, Failure> {
    let (admitted, in_flight) = admit(shared, &request)?;
    let (parts, _) = request.into_parts();
    let path = check_rest(shared, &parts)?;
    let target = shared.upstreams.route(protocol, "").map_err(|e| Failure::upstream(&e))?;
    let route = shared.upstreams.settings(target).map_or("", |u| u.name.as_str()).to_owned();
    let record = Record::start(&admitted.client, &route);
    let checked = check(shared, shared.guard.no_body(), ReplyContext::default(), target).await?;
    let settled = settle(shared, &record, checked);
    let Some(permitted) = settled.permitted else {
        return Err(Failure::new(ErrorKind::Internal, "empty", "internal error"));
    };
    let send = shared.upstreams.send(target, Method::GET, &path, &parts.headers, admitted.pass_credentials, permitted);
    let reply = recorded(shared, settled.event, send).await?;
    let asked = Asked {
        protocol: Protocol::Json,
        record,
        model: String::new(),
        context: ReplyContext::default(),
        target,
        in_flight,
    };
    answer(shared, asked, reply).await
}

fn check_head(headers: &HeaderMap) -> Result<(), Failure> {
    if is_encoded(headers) {
        let message = "compressed request bodies are not read; send the body without `content-encoding`";
        return Err(unsupported("encoding", message));
    }
    let json = headers.get_all(CONTENT_TYPE).iter().all(|v| {
        let essence = v.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if !json {
        return Err(unsupported("media_type", "the body must be `application/json`"));
    }
    Ok(())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
        || headers.get_all(TRANSFER_ENCODING).iter().any(|v| !v.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

fn unsupported(label: &'static str, message: &str) -> Failure {
    Failure::new(ErrorKind::InvalidRequest, label, message).status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// What goes on besides the body: path, query and headers. They are short and plain, and the guard reads them; what it
/// would change or refuse is refused, since there is no place for a placeholder.
fn check_rest(shared: &Shared, parts: &Parts) -> Result<String, Failure> {
    let refuse = |label, what: &str| {
        Failure::new(ErrorKind::InvalidRequest, label, format!("{what} is not passed on: it is too long or not plain"))
    };
    let path = parts.uri.path();
    if path.len() > 256 || path.contains("..") || !path.bytes().all(|b| is_plain(b) && b != b' ') {
        return Err(refuse("path", "this path"));
    }
    let query = parts.uri.query().unwrap_or_default();
    if query.len() > 256 || !query.bytes().all(|b| is_plain(b) && b != b' ') {
        return Err(refuse("query", "this query string"));
    }
    let mut text = format!("{path}\n{query}");
    for name in shared.upstreams.passed_headers().chain([&ACCEPT]) {
        for value in parts.headers.get_all(name) {
            if value.len() > 256 || !value.as_bytes().iter().all(|b| is_plain(*b)) {
                return Err(refuse("header", &format!("the header `{name}`")));
            }
            text.push('\n');
            text.push_str(value.to_str().unwrap_or_default());
        }
    }
    if shared.guard.mode() == Mode::Enforce
        && shared.guard.check_text(&text, Source::Parameter).verdict > Verdict::Allow
    {
        let message = "the path, query string or a header holds what the policy does not let pass";
        return Err(Failure::new(ErrorKind::Blocked, "header", message));
    }
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Ok(format!("{path}{query}"))
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'=' | b'&' | b',' | b';' | b'+' | b'*' | b' ')
}

async fn request_body(shared: &Shared, body: Body) -> Result<Vec<u8>, Failure> {
    let limit = shared.guard.limits().max_body;
    let time = Duration::from_millis(shared.settings.timeouts.body_ms);
    read(body, limit, time).await.map_err(|error| match error {
        BodyError::TooLarge => {
            Failure::new(ErrorKind::TooLarge, "too_large", format!("the body is larger than {limit} bytes"))
        }
        BodyError::Timeout => Failure::new(ErrorKind::InvalidRequest, "slow_body", "the body did not arrive in time")
            .status(StatusCode::REQUEST_TIMEOUT),
        BodyError::Broken => Failure::new(ErrorKind::InvalidRequest, "broken_body", "the body broke off"),
    })
}

async fn read_request(shared: &Arc<Shared>, protocol: Protocol, body: Vec<u8>) -> Result<Parsed, Failure> {
    let guard = Arc::clone(&shared.guard);
    let parsed = if body.len() <= INLINE {
        guard.read_request(protocol, body)
    } else {
        off_worker(move || guard.read_request(protocol, body)).await?
    };
    parsed.map_err(|e| Failure::new(ErrorKind::InvalidRequest, "invalid_request", e.to_string()))
}

async fn check(shared: &Arc<Shared>, parsed: Parsed, context: ReplyContext, target: usize) -> Result<Checked, Failure> {
    let large = parsed.bytes() > INLINE;
    let shared = Arc::clone(shared);
    let work = move || {
        let opaque = shared.upstreams.settings(target).and_then(|u| u.opaque.as_ref());
        shared.guard.check(parsed, &context, Route { opaque })
    };
    if large { off_worker(work).await } else { Ok(work()) }
}

async fn off_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::new(ErrorKind::Internal, "panic", "internal error"))
}

/// What became of a checked body: the record, what may be sent, and what the reply is compared with.
struct Settled {
    event: Event,
    /// `None` where nothing may be sent.
    permitted: Option<Permitted<Exchange>>,
    meta: Meta,
    context: ReplyContext,
}

fn settle(shared: &Shared, record: &Record, checked: Checked) -> Settled {
    let Checked { outcome, assessment, meta, context, parse_us, scan_us } = checked;
    let verdict = outcome.verdict();
    let mut noted = Noted {
        verdict,
        suppressed: assessment.suppressed,
        scores: assessment.max_scores(),
        timings: Timings { parse_us, scan_us, ..Timings::default() },
        ..Noted::default()
    };
    noted.count(assessment.findings.iter().map(|f| &f.finding));
    noted.coverage = assessment.coverage;
    let permitted = match outcome {
        Outcome::Forward { permitted, masked, stripped, failed_open, .. } => {
            noted.failed_open = failed_open;
            noted.action = match (masked, stripped) {
                (0, 0) => Action::Pass,
                (0, _) => Action::Strip,
                (_, _) => Action::Mask,
            };
            Some(permitted)
        }
        Outcome::Refuse(refusal) => {
            noted.action = Action::Refuse;
            explain(&refusal.causes);
            None
        }
        Outcome::Hold(refusal) => {
            noted.action = Action::Hold;
            explain(&refusal.causes);
            None
        }
    };
    if let Some(permitted) = &permitted
        && !permitted.get().body.is_empty()
    {
        noted.hmacs.insert(meta.direction.as_str().to_owned(), shared.recorder.digest(&permitted.get().body));
    }
    shared.metrics.guard_time(meta.direction, Duration::from_micros(parse_us + scan_us));
    let event = shared.recorder.event(record, &meta, noted);
    Settled { event, permitted, meta, context }
}

/// For the operator's log. Causes name rules and places, never content.
fn explain(causes: &[Cause]) {
    tracing::info!(?causes, "blocked");
}

/// Records a decision, durably, and counts it.
pub(crate) async fn append(shared: &Shared, event: Event) -> Result<(), Failure> {
    shared.metrics.decision(event.protocol, event.direction, event.verdict, event.action);
    for (rule, count) in &event.rules {
        shared.metrics.findings(rule, *count);
    }
    if event.failed_open {
        shared.metrics.failed_open();
    }
    let recorded = shared.recorder.append(event).await;
    shared.recording.store(recorded.is_ok(), Ordering::Relaxed);
    recorded.map_err(|error| {
        tracing::error!(%error, "cannot record a decision");
        Failure::new(ErrorKind::Unavailable, "store", "the decision cannot be recorded; try again later")
    })
}

/// Sends a request whose decision is on record before the caller sees anything of the reply. Both happen at the same
/// time; after the store has failed once, nothing is sent before its record is written.
async fn recorded(
    shared: &Shared,
    event: Event,
    send: impl Future<Output = Result<Response<Incoming>, UpstreamError>>,
) -> Result<Response<Incoming>, Failure> {
    let reply = if shared.recording.load(Ordering::Relaxed) {
        let (recorded, reply) = tokio::join!(append(shared, event), send);
        recorded?;
        reply
    } else {
        append(shared, event).await?;
        send.await
    };
    reply.map_err(|e| Failure::upstream(&e))
}

fn blocked(shared: &Shared, protocol: Protocol, meta: &Meta, stream: bool, event: &str) -> Response<Body> {
    let message = format!("this content was blocked by policy (event {event})");
    let mut response = match (shared.settings.on_block, stream) {
        (OnBlock::Error, _) => {
            let (status, body) = error_body(protocol, ErrorKind::Blocked, &message, Some(event));
            json(status, body)
        }
        (OnBlock::Refusal, false) => json(200, refusal_body(protocol, &meta.model, event, &message)),
        (OnBlock::Refusal, true) => {
            let body = refusal_stream(protocol, &meta.model, event, &message);
            let mut response = json(200, body);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        }
    };
    event_header(&mut response, event);
    response
}

fn event_header(response: &mut Response<Body>, event: &str) {
    if let Ok(value) = HeaderValue::from_str(event) {
        response.headers_mut().insert(EVENT_HEADER, value);
    }
}

/// Reply headers that mean something to a caller, where they are short and plain. A header is text that nobody
/// examines, so nothing else passes.
fn reply_headers(from: &HeaderMap, to: &mut HeaderMap) {
    const NAMES: &[&str] = &["request-id", "x-request-id", "retry-after", "openai-processing-ms", "openai-version"];
    const PREFIXES: &[&str] = &["x-ratelimit-", "anthropic-ratelimit-"];
    for (name, value) in from {
        let text = name.as_str();
        let known = NAMES.contains(&text) || PREFIXES.iter().any(|p| text.starts_with(p));
        if known && value.len() <= 128 && value.as_bytes().iter().all(|b| is_plain(*b)) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// What is known about a request whose reply comes back.
pub(crate) struct Asked {
    pub(crate) protocol: Protocol,
    pub(crate) record: Record,
    pub(crate) model: String,
    pub(crate) context: ReplyContext,
    pub(crate) target: usize,
    pub(crate) in_flight: InFlight,
}

async fn answer(shared: &Arc<Shared>, asked: Asked, reply: Response<Incoming>) -> Result<Response<Body>, Failure> {
    let upstream_us = u64::try_from(asked.record.started().elapsed().as_micros()).unwrap_or(u64::MAX);
    let (head, body) = reply.into_parts();
    if is_encoded(&head.headers) {
        return Err(Failure::new(ErrorKind::Upstream, "encoding", "the upstream sent a compressed reply"));
    }
    let essence = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .map(|v| v.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .unwrap_or_default();
    let event = asked.record.reply_event.clone();
    let mut response = if essence == "text/event-stream" {
        stream::pump(Arc::clone(shared), asked, body, upstream_us)
    } else {
        whole_reply(shared, asked, head.status, body, upstream_us).await?
    };
    if response.status() == StatusCode::OK {
        *response.status_mut() = head.status;
    }
    reply_headers(&head.headers, response.headers_mut());
    event_header(&mut response, &event);
    Ok(response)
}

async fn whole_reply(
    shared: &Arc<Shared>,
    asked: Asked,
    status: StatusCode,
    body: Incoming,
    upstream_us: u64,
) -> Result<Response<Body>, Failure> {
    let limit = shared.guard.limits().max_body;
    let body =
        read(body, limit, Duration::from_millis(shared.settings.timeouts.idle_ms)).await.map_err(|e| match e {
            BodyError::TooLarge => {
                Failure::new(ErrorKind::Upstream, "reply_too_large", "the upstream's reply is too large")
            }
            BodyError::Timeout => Failure::new(ErrorKind::Timeout, "upstream_timeout", "the upstream broke off"),
            BodyError::Broken => Failure::new(ErrorKind::Upstream, "upstream_broken", "the upstream broke off"),
        })?;
    // An error reply has no fixed shape; a successful one that does not fit the protocol is not let through.
    let protocol = if status.is_success() { asked.protocol } else { Protocol::Json };
    let parsed = match shared.guard.read_reply(protocol, body) {
        Ok(parsed) => parsed,
        Err(error) => {
            tracing::warn!(%error, "the upstream's reply cannot be read");
            return Err(Failure::new(ErrorKind::Upstream, "invalid_reply", "the upstream's reply cannot be read"));
        }
    };
    let checked = check(shared, parsed, asked.context.clone(), asked.target).await?;
    let mut settled = settle(shared, &asked.record, checked);
    settled.event.model.clone_from(&asked.model);
    settled.event.timings.upstream_us = upstream_us;
    append(shared, settled.event).await?;
    match settled.permitted {
        Some(permitted) => Ok(json(200, permitted.into_inner().body)),
        None => Ok(blocked(shared, asked.protocol, &settled.meta, false, &asked.record.reply_event)),
    }
}
