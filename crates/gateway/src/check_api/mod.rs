//! Check APIs: others ask what the guard says of a text and carry the answer out themselves.
//!
//! Each API is one file: how its question becomes a chat request or reply, and how a judgement becomes its answer.
//! In between is the way of every proxied body, so that every surface gives the same verdict: the caller is admitted,
//! the body is read by the wire dialect, scanned, decided by policy, and the decision is on record before the answer
//! goes out.

mod agentgateway;
mod conversation;
mod lakera;
mod litellm;
mod llm_guard;
mod moderations;
mod nemo;
mod openapi;
mod portkey;
mod retrieval;
mod words;

pub use openapi::check_openapi;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use bartizan_core::{Direction, Finding, Mode, Principal, Protocol, Source, Span, Verdict};
use bartizan_guard::{
    Containments, Conversation, Excepted, Guard, Parsed, ReplyContext, ReplyFacts, Request as Record, Route,
};
use bartizan_policy::{Redaction, Replacer, apply, redactions};
use bartizan_wire::ErrorKind;
use bartizan_wire::json::Doc;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::failure::{Failure, json as respond};
use crate::head::check_head;
use crate::lapse::excepted;
use crate::proxy::{INLINE, admit, begin, contained, event_header, off_worker, request_body, settle};
use crate::shared::{Live, Shared, append, conversation_of, keep_pseudonyms, kept, know};
use crate::trace::Journey;

/// The routes of all check APIs.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/beta/litellm_basic_guardrail_api", post(ask::<litellm::LiteLlm>))
        .route("/v1/moderations", post(ask::<moderations::Moderations>))
        .route("/analyze/prompt", post(ask::<llm_guard::Prompt<true>>))
        .route("/scan/prompt", post(ask::<llm_guard::Prompt<false>>))
        .route("/analyze/output", post(ask::<llm_guard::Output<true>>))
        .route("/scan/output", post(ask::<llm_guard::Output<false>>))
        .route("/healthz", get(llm_guard::alive))
        .route("/v2/guard", post(ask::<lakera::Guard>))
        .route("/v2/guard/results", post(ask::<lakera::Results>))
        .route("/agentgateway/request", post(ask::<agentgateway::Asked>))
        .route("/agentgateway/response", post(ask::<agentgateway::Answered>))
        .route("/portkey", post(ask::<portkey::Portkey>))
        .route("/v1/checks", post(ask::<nemo::Checks>))
        .route("/v1/check/retrieval", post(retrieval::ask))
}

/// One check API.
pub(crate) trait CheckApi: Send + Sync + 'static {
    /// Route in records.
    const ROUTE: &'static str;
    /// Body of a question.
    type Question: DeserializeOwned + Send + 'static;

    /// What there is to judge.
    fn offer(question: &Self::Question, live: &Live) -> Result<Offer, Failure>;

    /// The answer in the API's own shape.
    fn answer(question: &Self::Question, judged: &Judged) -> Value;

    /// The answer where there is no judgement, for an API whose callers let pass what ends in an error.
    fn unanswered(_: &Failure) -> Option<Value> {
        None
    }
}

/// A chat request or reply made of a question.
#[derive(Debug)]
pub(crate) struct Offer {
    protocol: Protocol,
    direction: Direction,
    body: Value,
    /// JSON Pointers below which the asking side cannot change anything.
    frozen: Vec<String>,
    /// The operator's text that replies are compared with.
    system: Vec<String>,
    /// Scanners that the caller does not want, by the name of the detector.
    without: Vec<words::Detector>,
    attribution: Attribution,
}

/// For whom the caller asks, as it says. A tenant is never taken from here.
#[derive(Debug, Default)]
pub(crate) struct Attribution {
    user: Option<String>,
    session: Option<String>,
    team: Option<String>,
}

impl Offer {
    fn request(body: Value) -> Self {
        Self::new(Protocol::OpenaiChat, Direction::Request, body)
    }

    fn reply(body: Value) -> Self {
        Self::new(Protocol::OpenaiChat, Direction::Reply, body)
    }

    fn new(protocol: Protocol, direction: Direction, body: Value) -> Self {
        Self {
            protocol,
            direction,
            body,
            frozen: Vec::new(),
            system: Vec::new(),
            without: Vec::new(),
            attribution: Attribution::default(),
        }
    }
}

/// One finding that matters.
#[derive(Debug)]
pub(crate) struct Hit {
    /// JSON Pointer to the text in the offered body.
    pointer: String,
    finding: Finding,
    verdict: Verdict,
    detector: words::Detector,
}

impl Hit {
    /// Index of the message or choice that it is in.
    fn message(&self) -> Option<usize> {
        let mut steps = self.pointer.split('/').skip(1);
        matches!(steps.next(), Some("messages" | "choices")).then(|| steps.next()?.parse().ok()).flatten()
    }
}

/// What has judged an offer.
struct Examiner {
    guard: Arc<Guard>,
    direction: Direction,
    conversation: Option<Arc<Conversation>>,
}

impl std::fmt::Debug for Examiner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Examiner({})", self.direction)
    }
}

impl Examiner {
    fn replacer(&self) -> Replacer<'_> {
        self.guard.replacer(self.direction, self.conversation.as_deref())
    }
}

/// What the guard says of an offer. In monitor mode it says what it says of harmless text: the record has the rest.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Id of the record.
    event: String,
    verdict: Verdict,
    offered: Value,
    /// What may pass, in the form of `offered`; `None` where nothing may.
    passed: Option<Value>,
    /// In the order of the texts.
    hits: Vec<Hit>,
    /// Detectors that have rules in force.
    served: Vec<words::Detector>,
    examiner: Examiner,
    /// By choice of an offered reply: how many characters at the end of the text that may pass can still change while
    /// the text grows.
    held: Vec<usize>,
}

impl Judged {
    fn blocked(&self) -> bool {
        self.verdict >= Verdict::Hold
    }

    /// True where it must not pass as it is.
    fn flagged(&self) -> bool {
        self.verdict > Verdict::Allow
    }

    /// What a blocked caller may read.
    fn reason(&self) -> String {
        format!("this content was blocked by policy (event {})", self.event)
    }

    /// The string at the pointer in what may pass.
    fn passed_text(&self, pointer: &str) -> Option<&str> {
        self.passed.as_ref()?.pointer(pointer)?.as_str()
    }

    /// The offered string at the pointer with everything taken out that may not stay, also where all of it is blocked.
    fn masked(&self, pointer: &str) -> String {
        let text = self.offered.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if let Some(passed) = self.passed_text(pointer) {
            return passed.to_owned();
        }
        apply(text, 0, &self.places(pointer, text))
    }

    fn places(&self, pointer: &str, text: &str) -> Vec<Redaction> {
        let found = self.hits.iter().filter(|hit| hit.pointer == pointer).map(|hit| &hit.finding);
        redactions(found, text, 0, self.examiner.replacer())
    }

    /// The hits by the message or choice that they are in, with its index.
    fn by_message(&self) -> BTreeMap<usize, Vec<&Hit>> {
        let mut map: BTreeMap<usize, Vec<&Hit>> = BTreeMap::new();
        for hit in &self.hits {
            if let Some(at) = hit.message() {
                map.entry(at).or_default().push(hit);
            }
        }
        map
    }

    /// The strongest hit of a detector, if it has any. What cannot be read is nobody's finding, and still a reason.
    fn strongest(&self, detector: words::Detector) -> Option<f64> {
        let unread = detector == words::Detector::Unread && self.blocked();
        if unread && !self.hits.iter().any(|hit| hit.verdict >= Verdict::Hold) {
            return Some(1.0);
        }
        self.hits.iter().filter(|h| h.detector == detector).map(|h| words::score(h.finding.confidence)).reduce(f64::max)
    }
}

/// Answers one question of an API.
pub(crate) async fn ask<A: CheckApi>(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let journey = begin(&shared, Protocol::OpenaiChat, &request);
    contained(&shared, Protocol::OpenaiChat, &journey, judge::<A>(&shared, request, &journey)).await
}

async fn judge<A: CheckApi>(
    shared: &Arc<Shared>,
    request: Request<Body>,
    journey: &Journey,
) -> Result<Response<Body>, Failure> {
    let live = shared.live();
    let (admitted, _in_flight) = admit(shared, &live, &request)?;
    let live = live.for_caller(&admitted)?;
    let judged = admitted_judge::<A>(shared, &live, admitted.principal, request, journey).await;
    judged.or_else(|failure| match A::unanswered(&failure) {
        Some(answer) => {
            failure.count(&shared.metrics);
            Ok(respond(200, answer.to_string().into_bytes()))
        }
        None => Err(failure),
    })
}

async fn admitted_judge<A: CheckApi>(
    shared: &Arc<Shared>,
    live: &Arc<Live>,
    principal: Principal,
    request: Request<Body>,
    journey: &Journey,
) -> Result<Response<Body>, Failure> {
    let (parts, body) = request.into_parts();
    let coding = check_head(&parts.headers)?;
    let body = request_body(live, body, coding).await?;
    let question = read::<A>(live, &body)?;
    let offer = A::offer(&question, live)?;

    let principal = attributed(principal, &offer.attribution);
    know(shared, &principal.tenant).await?;
    let record = Record::start(principal, A::ROUTE, &live.guard);
    let kept = kept(shared, offer.protocol, offer.direction, offer.body.to_string().as_bytes());
    let (checked, mut judged) = {
        let live = Arc::clone(live);
        let large = body.len() > INLINE;
        let (offer, parsed) = {
            let live = Arc::clone(&live);
            let work = move || parsed(&live, &offer).map(|parsed| (offer, parsed));
            if large { off_worker(work).await?? } else { work()? }
        };
        let infers = live.guard.may_infer(&parsed);
        let (cut_off, key) = (shared.access.contained(&record.principal.tenant), Arc::clone(&record.principal.key));
        let excepted = excepted(shared, &live, &record.principal, A::ROUTE);
        let conversation = conversation_of(shared, &live, &record.principal, &parsed).await?;
        let work = move || examine(&live, offer, parsed, (&cut_off, &key), excepted, conversation);
        if large || infers { off_worker(work).await? } else { work() }
    };
    let settled = settle(shared, &record, checked);
    journey.decided(&shared.tracing, &settled.event, &ReplyFacts::default());
    judged.event.clone_from(&settled.event.id);
    let mut rules: Vec<&str> = settled.event.rules.keys().map(bartizan_core::RuleId::as_str).collect();
    rules.sort_unstable();
    let revealed = json!({"event_id": judged.event, "verdict": settled.event.verdict, "rules": rules});
    let passed = settled.permitted.map(bartizan_policy::Permitted::into_inner);
    if let Some(passed) = &passed {
        let conversation = judged.examiner.conversation.as_ref();
        keep_pseudonyms(shared, live, &record.principal, conversation, passed).await?;
    }
    append(shared, settled.event, kept).await?;
    if let Some(passed) = passed {
        judged.passed = Some(serde_json::from_slice(&passed.body).map_err(|_| internal())?);
    }
    let mut answer = A::answer(&question, &judged);
    if live.settings.check_api.reveal
        && let Value::Object(members) = &mut answer
    {
        members.insert("bartizan".to_owned(), revealed);
    }
    let mut response = respond(200, answer.to_string().into_bytes());
    event_header(&mut response, &judged.event);
    Ok(response)
}

fn internal() -> Failure {
    Failure::new(ErrorKind::Internal, "internal", "internal error")
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::InvalidRequest, "invalid_request", message)
}

/// The question. A key that comes twice is refused: the asking side may go on with the other value.
fn read<A: CheckApi>(live: &Live, body: &[u8]) -> Result<A::Question, Failure> {
    Doc::parse(body, live.guard.limits()).map_err(|e| invalid(e.to_string()))?;
    serde_json::from_slice(body).map_err(|e| {
        // The words of the error may be the caller's content.
        let (line, column) = (e.line(), e.column());
        invalid(format!("the body does not have the shape of this API (line {line}, column {column})"))
    })
}

fn attributed(mut principal: Principal, said: &Attribution) -> Principal {
    let fill = |known: &mut Option<Arc<str>>, said: &Option<String>| {
        if known.is_none() {
            *known = said.as_deref().filter(|s| !s.is_empty()).map(Arc::from);
        }
    };
    fill(&mut principal.user, &said.user);
    fill(&mut principal.session, &said.session);
    fill(&mut principal.team, &said.team);
    principal
}

/// Reads an offer.
fn parsed(live: &Live, offer: &Offer) -> Result<Parsed, Failure> {
    let body = offer.body.to_string().into_bytes();
    let parsed = match offer.direction {
        Direction::Request => live.guard.read_request(offer.protocol, body),
        Direction::Reply => live.guard.read_reply(offer.protocol, body),
    };
    parsed.map_err(|e| invalid(e.to_string()))
}

/// Scans and decides.
fn examine(
    live: &Live,
    offer: Offer,
    mut parsed: Parsed,
    (cut_off, key): (&Containments, &str),
    excepted: Excepted,
    conversation: Option<Arc<Conversation>>,
) -> (bartizan_guard::Checked, Judged) {
    let guard = &live.guard;
    parsed.converse(conversation.clone());
    parsed.freeze(&offer.frozen);
    parsed.contain(cut_off, key);
    parsed.except(excepted);
    let sources: Vec<Source> = parsed.exchange().texts.iter().map(|text| text.origin.source).collect();
    let unwanted = |finding: &Finding| offer.without.contains(&words::Detector::of(&finding.rule));
    let context = ReplyContext { system: offer.system, ..ReplyContext::default() };
    let checked = guard.check_only(parsed, &context, Route::default(), |finding| !unwanted(finding));

    let enforced = guard.mode() == Mode::Enforce;
    let is_contained = !checked.assessment.contained.is_empty();
    let mut hits = Vec::new();
    for found in checked.assessment.findings.iter().filter(|_| enforced) {
        let source = sources.get(found.text).copied().unwrap_or_default();
        let verdict = guard.verdict(&found.finding, source, offer.direction);
        if verdict > Verdict::Allow
            && let bartizan_core::Location::Json { pointer, .. } = &found.finding.at
        {
            let detector = words::Detector::of(&found.finding.rule);
            hits.push(Hit { pointer: pointer.clone(), finding: found.finding.clone(), verdict, detector });
        }
    }
    let mut judged = Judged {
        event: String::new(),
        // What is cut off is an order, in monitor mode too.
        verdict: if enforced || is_contained { checked.outcome.verdict() } else { Verdict::Allow },
        offered: offer.body,
        passed: None,
        hits,
        served: words::Detector::served(guard.rules().map(|rule| &rule.id)),
        examiner: Examiner { guard: Arc::clone(guard), direction: offer.direction, conversation },
        held: Vec::new(),
    };
    if offer.direction == Direction::Reply {
        let hits = judged.by_message();
        let held = |at| held(&judged.examiner, &judged.offered, at, hits.get(&at).map_or(&[], Vec::as_slice));
        judged.held = (0..).map_while(held).collect();
    }
    (checked, judged)
}

/// How many characters of the masked text of a choice are not final; `None` where there is no such choice.
fn held(examiner: &Examiner, offered: &Value, choice: usize, hits: &[&Hit]) -> Option<usize> {
    let pointer = format!("/choices/{choice}/message/content");
    let text = offered.pointer(&pointer)?.as_str()?;
    let talk = examiner.conversation.as_ref().filter(|_| examiner.guard.pseudonyms_last().is_some());
    let mut to = examiner.guard.settled(text).min(talk.map_or(text.len(), |talk| talk.settled(text)));
    let found = hits.iter().filter(|hit| hit.pointer == pointer).map(|hit| &hit.finding);
    let places = redactions(found, text, 0, examiner.replacer());
    if let Some(place) = places.iter().find(|place| place.span.start < to && to < place.span.end) {
        to = place.span.start;
    }
    let after: Vec<Redaction> = places.into_iter().filter(|place| place.span.start >= to).collect();
    let rest = apply(Span::new(to, text.len()).of(text), to, &after);
    Some(talk.map_or(rest.chars().count(), |talk| talk.restored(&rest).chars().count()))
}
