//! One request and its reply.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use bartizan_access::{Price, RequestBound, model_fits, request_bound};
use bartizan_core::{
    Action, Coverage, Direction, Event, Exchange, Grant, Part, Principal, Protocol, Reason, TenantId, Timings, Verdict,
};
use bartizan_guard::{Checked, Decider, Kept, Meta, Noted, Parsed, ReplyContext, ReplyFacts, Request as Record, Route};
use bartizan_policy::{Outcome, Permitted};
use bartizan_wire::{ErrorKind, error_body, notice_body, refusal_body, refusal_stream};
use futures_util::FutureExt;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::abuse;
use crate::access::{Charge, Size};
use crate::admission::{Admitted, Rejection, Shown};
use crate::approve;
use crate::body::{BodyError, decoded, read};
use crate::coding::{Coding, Unpacker, coding};
use crate::contain::refuse_contained;
use crate::failure::{Failure, json};
use crate::head::{check_head, check_rest, reply_headers};
use crate::lapse::excepted;
use crate::pressure;
use crate::settings::{Dialect, OnBlock};
use crate::shared::{Asked, InFlight, Live, Shared, append, conversation_of, keep_pseudonyms, kept, know};
use crate::stored::Question;
use crate::stream;
use crate::surface::Surface;
use crate::tls::ClientCertificate;
use crate::trace::Journey;
use crate::upstream::{Carrier, Outgoing, UpstreamError};

/// Bodies up to this size are checked on the async worker: the check takes less time than a thread switch costs.
pub(crate) const INLINE: usize = 32 << 10;

/// Header with the id of the record about a decision.
const EVENT_HEADER: HeaderName = HeaderName::from_static("x-bartizan-event");

/// A conversation: a body goes to the model and a reply comes back.
pub(crate) async fn exchange(
    State(shared): State<Arc<Shared>>,
    surface: impl Into<Surface>,
    request: Request<Body>,
) -> Response<Body> {
    let surface = surface.into();
    let journey = begin(&shared, surface.protocol, &request);
    contained(&shared, surface.protocol, &journey, converse(&shared, surface, request, &journey)).await
}

/// A question without a body, such as for the list of models.
pub(crate) async fn look_up(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let protocol = protocol_of(&request);
    let journey = begin(&shared, protocol, &request);
    let work = fetch(&shared, protocol, Protocol::Json, Question::default(), request, &journey);
    contained(&shared, protocol, &journey, work).await
}

/// A question about a stored response. What comes back is examined as the response itself was, or would have been.
pub(crate) async fn stored(State(shared): State<Arc<Shared>>, mut request: Request<Body>) -> Response<Body> {
    let protocol = Protocol::OpenaiResponses;
    let journey = begin(&shared, protocol, &request);
    let work = async {
        let question = Question::take(request.uri_mut())?;
        fetch(&shared, protocol, protocol, question, request, &journey).await
    };
    contained(&shared, protocol, &journey, work).await
}

/// A route of which this operation is not served.
pub(crate) fn not_served(shared: &Shared, protocol: Protocol, message: &str) -> Response<Body> {
    Failure::new(ErrorKind::NotFound, "unknown_route", message).respond(protocol, &shared.metrics)
}

pub(crate) async fn wrong_method(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let protocol = protocol_of(&request);
    let message = format!("the method {} is not served here", request.method());
    Failure::new(ErrorKind::MethodNotAllowed, "wrong_method", message).respond(protocol, &shared.metrics)
}

/// In whose words a caller is answered. Anthropic's clients always name a version; nobody else does.
pub(crate) fn protocol_of(request: &Request<Body>) -> Protocol {
    match Dialect::of_path(request.uri().path()) {
        _ if request.headers().contains_key("anthropic-version") => Protocol::AnthropicMessages,
        Dialect::Gemini => Protocol::Gemini,
        Dialect::Bedrock => Protocol::BedrockConverse,
        Dialect::Anthropic => Protocol::AnthropicMessages,
        Dialect::Openai | Dialect::Azure => Protocol::OpenaiChat,
    }
}

/// The line and the spans of a request that begins.
pub(crate) fn begin(shared: &Shared, protocol: Protocol, request: &Request<Body>) -> Arc<Journey> {
    let requests = shared.live().settings.telemetry.requests;
    Arc::new(shared.tracing.begin(protocol, request.headers(), requests))
}

/// A panic in a handler is a defect, and it must not open the door: the caller gets an error, the counter moves.
pub(crate) async fn contained(
    shared: &Shared,
    protocol: Protocol,
    journey: &Journey,
    work: impl Future<Output = Result<Response<Body>, Failure>>,
) -> Response<Body> {
    let response = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => failure.respond(protocol, &shared.metrics),
        Err(_) => Failure::new(ErrorKind::Internal, "panic", "internal error").respond(protocol, &shared.metrics),
    };
    journey.status(response.status().as_u16());
    response
}

pub(crate) fn admit(shared: &Shared, live: &Live, request: &Request<Body>) -> Result<(Admitted, InFlight), Failure> {
    let shown = Shown {
        headers: request.headers(),
        authority: request.uri().authority().map(http::uri::Authority::as_str),
        certificate: request.extensions().get::<Arc<ClientCertificate>>().map(|c| &**c),
    };
    let admitted = live.admission.admit(shown).map_err(|rejection| match rejection {
        Rejection::Host => Failure::new(ErrorKind::Forbidden, "host", "this host name is not served here"),
        Rejection::Origin => Failure::new(ErrorKind::Forbidden, "origin", "pages of other origins are not served"),
        Rejection::Key => Failure::new(ErrorKind::Unauthorized, "key", "a valid key is needed"),
        Rejection::NotReady => Failure::new(ErrorKind::Unavailable, "jwks", "tokens cannot be checked yet; try again"),
    })?;
    if pressure::is_high(&live.settings.shed) {
        return Err(Failure::new(ErrorKind::Unavailable, "overload", "the gateway is too busy; try again"));
    }
    let overload = || Failure::new(ErrorKind::Unavailable, "overload", "too many requests in flight; try again");
    let entry = shared
        .access
        .enter(&admitted.principal.tenant, &admitted.accounts, live.settings.max_in_flight, live.admission.has_walls())
        .map_err(|denied| denied.map_or_else(overload, Failure::denied))?;
    let permit = Arc::clone(&shared.in_flight).try_acquire_owned().map_err(|_| overload())?;
    shared.metrics.in_flight.inc();
    Ok((admitted, InFlight { metrics: Arc::clone(&shared.metrics), _permit: permit, _entry: entry }))
}

/// What the caller may use, and what it may take. `None` where nobody is charged.
fn charge(
    shared: &Shared,
    live: &Live,
    admitted: &Admitted,
    model: &str,
    bound: &RequestBound,
    bytes: usize,
) -> Result<Option<Charge>, Failure> {
    if !admitted.may_use(model) {
        return Err(Failure::new(ErrorKind::Forbidden, "model", "this key may not use this model"));
    }
    if admitted.accounts.is_empty() {
        return Ok(None);
    }
    let accounting = &live.settings.accounting;
    let price = Price::find(&accounting.price, model);
    if price.is_none() && admitted.accounts.iter().any(|a| a.quota.has_spend()) {
        let message = "this model has no price, so it cannot be used with a budget in money";
        return Err(Failure::new(ErrorKind::Forbidden, "price", message));
    }
    let size = Size { bytes: bytes as u64, output: bound.output(accounting.max_output) };
    let charge = shared.access.reserve(&admitted.principal, &admitted.accounts, model, price, size);
    charge.map(Some).map_err(Failure::denied)
}

async fn converse(
    shared: &Arc<Shared>,
    surface: Surface,
    request: Request<Body>,
    journey: &Arc<Journey>,
) -> Result<Response<Body>, Failure> {
    let live = shared.live();
    let (admitted, in_flight) = admit(shared, &live, &request)?;
    let live = live.for_caller(&admitted)?;
    refuse_contained(shared, &live, &admitted.principal, surface.protocol).await?;
    let (mut parts, body) = request.into_parts();
    let carrier = Carrier::of(&parts.extensions);
    let coding = check_head(&parts.headers)?;
    let path = check_rest(&live, &parts)?;
    let body = request_body(&live, body, coding).await?;

    // Read before the body is given away; only callers who are charged pay for it.
    let bound = if admitted.accounts.is_empty() { RequestBound::default() } else { request_bound(&body) };
    let kept = kept(shared, surface.protocol, Direction::Request, &body);
    let mut parsed = read_request(&live, surface.protocol, body).await?;
    parsed.said_by_path(surface.model.as_deref(), surface.stream);
    parsed.contain(&shared.access.contained(&admitted.principal.tenant), &admitted.principal.key);
    let model = parsed.model().to_owned();
    let mut charge = charge(shared, &live, &admitted, &model, &bound, parsed.bytes())?;
    let tenant = &admitted.principal.tenant;
    let target = live.upstreams.route(carrier.as_ref(), surface.dialect, &model, tenant);
    let target = target.map_err(|e| Failure::upstream(&e))?;
    let route = live.upstreams.settings(target).map_or("", |u| u.name.as_str()).to_owned();
    know(shared, &admitted.principal.tenant).await?;
    let vouched = admitted.vouched.user;
    let record = Record::start(admitted.principal, &route, &live.guard);
    parsed.except(excepted(shared, &live, &record.principal, &route));
    let conversation = conversation_of(shared, &live, &record.principal, &parsed).await?;
    parsed.converse(conversation.clone());
    let who = record.principal.clone();
    let caller = abuse::Caller { who, vouched, route: route.clone(), is_charged: charge.is_some() };
    let (parsed, shown) = abuse::show(shared, &live, caller, parsed).await?;

    let checked = check(shared, &live, parsed, ReplyContext::default(), target, &record.principal).await?;
    let mut settled = settle(shared, &record, checked);
    settled.event.action = shown.action(settled.event.action);
    if settled.event.verdict >= Verdict::Hold && settled.event.contained.is_empty() {
        shown.refused(shared, &record.principal);
    }
    journey.decided(&shared.tracing, &settled.event, &settled.facts);
    let model = settled.event.model.clone();
    let Some(permitted) = settled.permitted else {
        let is_contained = !settled.event.contained.is_empty();
        append(shared, settled.event, kept).await?;
        if is_contained {
            return Err(Failure::contained(&record.request_event));
        }
        if let Some(notice) = settled.notice {
            return Ok(told(&surface, &notice, &record.request_event));
        }
        return Ok(blocked(&live, &surface, &settled.meta, settled.meta.stream, &record.request_event));
    };
    approve::lay_out(shared, &record.principal, &mut settled.context).await?;
    keep_pseudonyms(shared, &live, &record.principal, conversation.as_ref(), permitted.get()).await?;
    shown.wait(shared).await?;
    if let Some(charge) = &mut charge {
        charge.sent();
    }
    let tenant = record.principal.tenant.clone();
    journey.upstream(&shared.tracing, &model, &route, &mut parts.headers);
    let outgoing = Outgoing {
        tenant: &tenant,
        method: Method::POST,
        path: &path,
        caller: &parts.headers,
        pass_credentials: admitted.pass_credentials,
        dialect: surface.dialect,
        content_type: Some(HeaderValue::from_static("application/json")),
        carrier,
    };
    let reply = match recorded(shared, settled.event, kept, live.upstreams.send(target, outgoing, permitted)).await {
        Ok(reply) => reply,
        Err(failure) => {
            if let Some(charge) = charge.as_mut().filter(|_| failure.is_unsent()) {
                charge.refused();
            }
            return Err(failure);
        }
    };
    let context = settled.context;
    let live = Arc::clone(&live);
    let asked = Asked {
        live,
        surface,
        record,
        model,
        context,
        conversation,
        resume_after: None,
        target,
        listed: None,
        in_flight,
        charge,
        journey: Arc::clone(journey),
    };
    answer(shared, asked, reply).await
}

/// `asking` is the protocol that the caller speaks, `protocol` what the reply is read as.
async fn fetch(
    shared: &Arc<Shared>,
    asking: Protocol,
    protocol: Protocol,
    question: Question,
    request: Request<Body>,
    journey: &Arc<Journey>,
) -> Result<Response<Body>, Failure> {
    let live = shared.live();
    let (admitted, in_flight) = admit(shared, &live, &request)?;
    let live = live.for_caller(&admitted)?;
    refuse_contained(shared, &live, &admitted.principal, protocol).await?;
    let (mut parts, _) = request.into_parts();
    let carrier = Carrier::of(&parts.extensions);
    // All tenants share the provider's key there, and an id does not say whose response it names.
    if protocol == Protocol::OpenaiResponses
        && !admitted.pass_credentials
        && admitted.principal.tenant != TenantId::sole()
    {
        let message = "stored responses are not served to tenants: the provider cannot tell whose a response is";
        return Err(Failure::new(ErrorKind::Forbidden, "stored_response", message));
    }
    let path = question.path(check_rest(&live, &parts)?);
    let dialect = match asking {
        Protocol::AnthropicMessages => Dialect::Anthropic,
        _ => Dialect::of_path(parts.uri.path()),
    };
    let target = live.upstreams.route(carrier.as_ref(), dialect, "", &admitted.principal.tenant);
    let target = target.map_err(|e| Failure::upstream(&e))?;
    let route = live.upstreams.settings(target).map_or("", |u| u.name.as_str()).to_owned();
    know(shared, &admitted.principal.tenant).await?;
    let listed = (protocol == Protocol::Json && !admitted.grant.models.is_empty()).then(|| Arc::clone(&admitted.grant));
    let record = Record::start(admitted.principal, &route, &live.guard);
    let tenant = record.principal.tenant.clone();
    let nothing = live.guard.no_body(protocol);
    let checked = check(shared, &live, nothing, ReplyContext::default(), target, &record.principal).await?;
    let settled = settle(shared, &record, checked);
    journey.decided(&shared.tracing, &settled.event, &settled.facts);
    let Some(permitted) = settled.permitted else {
        return Err(Failure::new(ErrorKind::Internal, "empty", "internal error"));
    };
    journey.upstream(&shared.tracing, "", &route, &mut parts.headers);
    let outgoing = Outgoing {
        tenant: &tenant,
        method: parts.method.clone(),
        path: &path,
        caller: &parts.headers,
        pass_credentials: admitted.pass_credentials,
        dialect,
        content_type: None,
        carrier,
    };
    let reply = recorded(shared, settled.event, None, live.upstreams.send(target, outgoing, permitted)).await?;
    let asked = Asked {
        live: Arc::clone(&live),
        surface: Surface { dialect, ..protocol.into() },
        record,
        model: String::new(),
        context: settled.context,
        // There is no request to tell it from.
        conversation: None,
        resume_after: question.after,
        target,
        listed,
        in_flight,
        charge: None,
        journey: Arc::clone(journey),
    };
    answer(shared, asked, reply).await
}

pub(crate) async fn request_body(live: &Live, body: Body, coding: Option<Coding>) -> Result<Vec<u8>, Failure> {
    let limit = live.guard.limits().max_body;
    let time = Duration::from_millis(live.settings.timeouts.body_ms);
    let body = read(body, limit, time).await.map_err(|error| body_failure(error, limit))?;
    decoded(body, coding, limit).await.map_err(|error| body_failure(error, limit))
}

/// What a caller hears about a body of its own that was not read.
pub(crate) fn body_failure(error: BodyError, limit: usize) -> Failure {
    match error {
        BodyError::TooLarge => {
            let message = format!("the body is larger than {limit} bytes, or much larger than its compressed form");
            Failure::new(ErrorKind::TooLarge, "too_large", message)
        }
        BodyError::Timeout => Failure::new(ErrorKind::SlowRequest, "slow_body", "the body did not arrive in time"),
        BodyError::Broken => Failure::new(ErrorKind::InvalidRequest, "broken_body", "the body broke off"),
        BodyError::Malformed => {
            let message = "the body is not in the coding that `content-encoding` names";
            Failure::new(ErrorKind::InvalidRequest, "coding", message)
        }
    }
}

/// The same for a body of the upstream.
pub(crate) fn reply_failure(error: BodyError) -> Failure {
    match error {
        BodyError::TooLarge => {
            Failure::new(ErrorKind::Upstream, "reply_too_large", "the upstream's reply is too large")
        }
        BodyError::Timeout => Failure::new(ErrorKind::Timeout, "upstream_timeout", "the upstream broke off"),
        BodyError::Broken => Failure::new(ErrorKind::Upstream, "upstream_broken", "the upstream broke off"),
        BodyError::Malformed => {
            Failure::new(ErrorKind::Upstream, "encoding", "the upstream's reply is not in the coding that it names")
        }
    }
}

async fn read_request(live: &Live, protocol: Protocol, body: Vec<u8>) -> Result<Parsed, Failure> {
    let guard = Arc::clone(&live.guard);
    let parsed = if body.len() <= INLINE {
        guard.read_request(protocol, body)
    } else {
        off_worker(move || guard.read_request(protocol, body)).await?
    };
    parsed.map_err(|e| Failure::new(ErrorKind::InvalidRequest, "invalid_request", e.to_string()))
}

async fn check(
    shared: &Arc<Shared>,
    live: &Arc<Live>,
    parsed: Parsed,
    context: ReplyContext,
    target: usize,
    who: &Principal,
) -> Result<Checked, Failure> {
    let large = parsed.bytes() > INLINE || parsed.may_hold_documents() || live.guard.may_infer(&parsed);
    let second = shared.second.begin(live, &parsed, &context, target);
    let known = live.guard.known(&shared.ledgers, who, shared.access.now().wall);
    let (live, tenant) = (Arc::clone(live), who.tenant.clone());
    let work = move || {
        let upstream = live.upstreams.settings(target);
        let name = upstream.map_or("", |u| u.name.as_str());
        let opaque = upstream.and_then(|u| u.opaque.as_ref());
        live.guard.check(parsed, &context, Route { name, opaque, tenant: Some(&tenant), known: known.as_ref() })
    };
    let checked = if large { off_worker(work).await? } else { work() };
    if let Some(second) = second {
        second.compare(Arc::clone(&shared.metrics), &checked);
    }
    Ok(checked)
}

pub(crate) async fn off_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    pressure::off_worker(work).await.ok_or_else(|| Failure::new(ErrorKind::Internal, "panic", "internal error"))
}

/// What became of a checked body: the record, what may be sent, and what the reply is compared with.
pub(crate) struct Settled {
    pub(crate) event: Event,
    /// `None` where nothing may be sent.
    pub(crate) permitted: Option<Permitted<Exchange>>,
    meta: Meta,
    context: ReplyContext,
    /// What the caller may be told.
    notice: Option<String>,
    facts: ReplyFacts,
    /// What was decided of the tool calls of a reply.
    calls: Option<Decider>,
    /// Tool calls are all that stands in the way of a reply.
    about_calls: bool,
}

pub(crate) fn settle(shared: &Shared, record: &Record, checked: Checked) -> Settled {
    let Checked {
        outcome,
        assessment,
        meta,
        context,
        notice,
        parse_us,
        scan_us,
        spent,
        work,
        compared,
        grounds,
        facts,
        calls,
    } = checked;
    let verdict = outcome.verdict();
    let about_calls = match &outcome {
        Outcome::Refuse(refusal) | Outcome::Hold(refusal) => refusal.is_about_calls(),
        Outcome::Forward { .. } => false,
    };
    let mut noted = Noted {
        verdict,
        suppressed: assessment.suppressed,
        exceptions: assessment.exceptions.clone(),
        contained: assessment.contained.iter().map(|met| met.id.to_string()).collect(),
        scores: assessment.max_scores(),
        timings: Timings { parse_us, scan_us, ..Timings::default() },
        compared,
        grounds: Some(grounds),
        calls: calls.as_ref().map(|calls| calls.notes().to_vec()).unwrap_or_default(),
        ..Noted::default()
    };
    noted.count(assessment.findings.iter().map(|f| &f.finding));
    noted.coverage = assessment.coverage;
    let mut causes = String::new();
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
            causes = refusal.names();
            None
        }
        Outcome::Hold(refusal) => {
            noted.action = Action::Hold;
            causes = refusal.names();
            None
        }
    };
    if let Some(permitted) = &permitted
        && !permitted.get().body.is_empty()
    {
        let digest = shared.recorder.digest(&record.principal.tenant, &permitted.get().body);
        noted.hmacs.extend(digest.map(|digest| (meta.direction.as_str().to_owned(), digest)));
    }
    shared.metrics.guard_time(meta.direction, Duration::from_micros(parse_us + scan_us));
    shared.metrics.segments(work);
    shared.metrics.guards(meta.direction, &spent, permitted.is_some());
    if let Some(compared) = &noted.compared {
        shared.metrics.candidate(meta.direction, compared);
    }
    let event = shared.recorder.event(record, &meta, noted);
    if !causes.is_empty() {
        tracing::info!(event = %event.id, causes, "blocked");
    }
    Settled { event, permitted, meta, context, notice, facts, calls, about_calls }
}

/// Sends a request whose decision is on record before the caller sees anything of the reply. Both happen at the same
/// time; after the store has failed once, nothing is sent before its record is written.
async fn recorded(
    shared: &Shared,
    event: Event,
    kept: Option<Kept>,
    send: impl Future<Output = Result<Response<Body>, UpstreamError>>,
) -> Result<Response<Body>, Failure> {
    let reply = if shared.recording.load(Ordering::Relaxed) {
        let (recorded, reply) = tokio::join!(append(shared, event, kept), send);
        recorded?;
        reply
    } else {
        append(shared, event, kept).await?;
        send.await
    };
    reply.map_err(|e| Failure::upstream(&e))
}

fn blocked(live: &Live, surface: &Surface, meta: &Meta, stream: bool, event: &str) -> Response<Body> {
    let message = format!("this content was blocked by policy (event {event})");
    let protocol = surface.protocol;
    // Numbers cannot refuse.
    let on_block = if surface.answers { live.settings.on_block } else { OnBlock::Error };
    let mut response = match (on_block, stream) {
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

/// An error that says what to change: it is no secret, and a well-formed refusal would hide it.
fn told(surface: &Surface, notice: &str, event: &str) -> Response<Body> {
    let message = format!("{notice} (event {event})");
    let (status, body) = error_body(surface.protocol, ErrorKind::TooLarge, &message, Some(event));
    let mut response = json(status, body);
    event_header(&mut response, event);
    response
}

/// Marks a response that is what may pass of an upstream's reply. Every other one is the gateway's own.
#[derive(Clone, Copy)]
pub(crate) struct Relayed(());

impl Relayed {
    pub(crate) fn mark(mut response: Response<Body>) -> Response<Body> {
        response.extensions_mut().insert(Self(()));
        response
    }

    pub(crate) fn is(response: &Response<Body>) -> bool {
        response.extensions().get::<Self>().is_some()
    }
}

pub(crate) fn event_header(response: &mut Response<Body>, event: &str) {
    if let Ok(value) = HeaderValue::from_str(event) {
        response.headers_mut().insert(EVENT_HEADER, value);
    }
}

async fn answer(shared: &Arc<Shared>, asked: Asked, reply: Response<Body>) -> Result<Response<Body>, Failure> {
    let upstream_us = u64::try_from(asked.record.started().elapsed().as_micros()).unwrap_or(u64::MAX);
    let (mut head, body) = reply.into_parts();
    asked.live.upstreams.hidden().strip(&mut head.headers);
    let coding = coding(&head.headers)
        .map_err(|_| Failure::new(ErrorKind::Upstream, "encoding", "the upstream's reply is in an unknown coding"))?;
    let essence = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .map(|v| v.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .unwrap_or_default();
    let event = asked.record.reply_event.clone();
    let mut response = if essence == "text/event-stream" {
        let unknown = || Failure::new(ErrorKind::Upstream, "encoding", "the upstream's stream is in an unknown coding");
        let unpacker = coding.map(|coding| Unpacker::new(coding).ok_or_else(unknown)).transpose()?;
        stream::pump(Arc::clone(shared), asked, (body, unpacker), upstream_us)
    } else {
        whole_reply(shared, asked, head.status, (body, coding), upstream_us).await?
    };
    if response.status() == StatusCode::OK {
        *response.status_mut() = head.status;
    }
    reply_headers(&head.headers, response.headers_mut());
    event_header(&mut response, &event);
    Ok(response)
}

/// A list of models, or the description of one, with those alone that a caller may use.
fn usable(body: &[u8], grant: &Grant) -> Result<Vec<u8>, Failure> {
    let unread = || Failure::new(ErrorKind::Upstream, "invalid_reply", "the upstream's list of models cannot be read");
    let mut reply: Value = serde_json::from_slice(body).map_err(|_| unread())?;
    let may_use = |model: &Value| {
        let name =
            ["id", "name"].into_iter().find_map(|key| model.get(key)).and_then(Value::as_str).unwrap_or_default();
        grant.models.iter().any(|pattern| model_fits(pattern, name.strip_prefix("models/").unwrap_or(name)))
    };
    let list = ["data", "models"].into_iter().find(|name| reply.get(name).is_some_and(Value::is_array));
    if let Some(list) = list.and_then(|name| reply.get_mut(name)).and_then(Value::as_array_mut) {
        list.retain(may_use);
    } else if !may_use(&reply) {
        return Err(Failure::new(ErrorKind::Forbidden, "model", "this key may not use this model"));
    }
    serde_json::to_vec(&reply).map_err(|_| unread())
}

/// Stands for the body of an upstream's error that is not JSON.
fn unread_error(protocol: Protocol, status: StatusCode) -> Vec<u8> {
    let kind = match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        503 | 529 => ErrorKind::Unavailable,
        400..500 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Upstream,
    };
    let message = format!("the upstream answered {} and no JSON", status.as_u16());
    error_body(protocol, kind, &message, None).1
}

async fn whole_reply(
    shared: &Arc<Shared>,
    mut asked: Asked,
    status: StatusCode,
    (body, coding): (Body, Option<Coding>),
    upstream_us: u64,
) -> Result<Response<Body>, Failure> {
    let limit = asked.live.guard.limits().max_body;
    let idle = Duration::from_millis(asked.live.settings.timeouts.idle_ms);
    let body = read(body, limit, idle).await.map_err(reply_failure)?;
    let mut body = decoded(body, coding, limit).await.map_err(reply_failure)?;
    asked.live.upstreams.hidden().mask(&mut body);
    if let Some(grant) = asked.listed.as_ref().filter(|_| status.is_success()) {
        body = usable(&body, grant)?;
    }
    if let Some(charge) = &mut asked.charge {
        if status.is_success() { charge.whole(&body) } else { charge.refused() }
    }
    // An error reply has no fixed shape; a successful one that does not fit the protocol is not let through.
    let protocol = if status.is_success() { asked.surface.protocol } else { Protocol::Json };
    let kept = kept(shared, protocol, Direction::Reply, &body);
    let bytes = body.len();
    let mut read = asked.live.guard.read_reply(protocol, body);
    if read.is_err() && (status.is_client_error() || status.is_server_error()) {
        // Proxies on the way answer with pages and plain words. Clients need the status, and a body in their protocol.
        read = asked.live.guard.read_reply(protocol, unread_error(asked.surface.protocol, status));
    }
    let mut parsed = match read {
        Ok(parsed) => parsed,
        Err(error) => {
            tracing::warn!(%error, event = %asked.record.reply_event, "the upstream's reply cannot be read");
            let (meta, _) = asked.live.guard.unread(Direction::Reply, Vec::new());
            let mut coverage = Coverage::default();
            coverage.add(Part::partial(Reason::Malformed, bytes));
            let noted = Noted { verdict: Verdict::Deny, action: Action::Refuse, coverage, ..Noted::default() };
            let event = shared.recorder.event(&asked.record, &meta, noted);
            asked.journey.decided(&shared.tracing, &event, &ReplyFacts::default());
            append(shared, event, kept).await?;
            return Err(Failure::new(ErrorKind::Upstream, "invalid_reply", "the upstream's reply cannot be read"));
        }
    };
    let who = &asked.record.principal;
    parsed.contain(&shared.access.contained(&who.tenant), &who.key);
    parsed.except(excepted(shared, &asked.live, who, &asked.record.route));
    parsed.converse(asked.conversation.clone());
    let checked = check(shared, &asked.live, parsed, asked.context.clone(), asked.target, who).await?;
    let mut settled = settle(shared, &asked.record, checked);
    settled.event.model.clone_from(&asked.model);
    settled.event.timings.upstream_us = upstream_us;
    asked.journey.decided(&shared.tracing, &settled.event, &settled.facts);
    let mut calls = settled.calls;
    if settled.permitted.is_none() && settled.about_calls {
        // Before the caller hears of it.
        let asking = calls.as_ref().map(Decider::asking).unwrap_or_default();
        approve::ask(shared, &asked.record, &asked.context, asking).await?;
    }
    let taken = calls.as_mut().filter(|_| settled.permitted.is_some()).map(Decider::take).unwrap_or_default();
    let fresh = approve::use_up(shared, who, taken).await?;
    if settled.permitted.is_some() && fresh {
        shared.tickets.issue(
            &asked.live,
            who,
            shared.access.now().wall,
            calls.as_mut().map(Decider::cleared).unwrap_or_default(),
        );
    }
    append(shared, settled.event, kept).await?;
    match (settled.permitted.filter(|_| fresh), &calls) {
        (Some(permitted), _) => Ok(Relayed::mark(json(200, permitted.into_inner().body))),
        (None, Some(calls)) if settled.about_calls => {
            let event = asked.record.reply_event.as_str();
            Ok(json(200, notice_body(asked.surface.protocol, &settled.meta.model, event, &calls.notice(event))))
        }
        (None, _) => Ok(blocked(&asked.live, &asked.surface, &settled.meta, false, &asked.record.reply_event)),
    }
}
