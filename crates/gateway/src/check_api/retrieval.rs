//! Retrieved chunks, before a prompt is put together: `POST /v1/check/retrieval`.
//!
//! Who may read a chunk is decided by what the chunk says and by who asks, in monitor mode too: it is no finding but an
//! order. What is left is examined like a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use bartizan_core::{Action, Direction, Mode, Protocol, RuleId, Source, Verdict};
use bartizan_guard::{Guard, Meta, Noted, ReplyFacts, Request as Record};
use bartizan_policy::provenance::Known;
use bartizan_policy::retrieval::{Chunk, Dropped, Reader};
use bartizan_wire::json::Doc;
use http::{Request, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::invalid;
use crate::admission::Admitted;
use crate::contain::refuse_contained;
use crate::failure::{Failure, json as respond};
use crate::head::check_head;
use crate::proxy::{admit, begin, contained, event_header, off_worker, request_body};
use crate::shared::{Live, Shared, append, know};
use crate::trace::Journey;

/// Route in records.
const ROUTE: &str = "check/retrieval";

/// Most chunks of one question.
const MOST: usize = 1000;

/// Which of the chunks may go into the prompt?
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// At most 1000.
    chunks: Vec<Offered>,
}

/// A chunk as a vector store gives it back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Offered {
    /// Given back as it came.
    id: Value,
    /// Its text.
    text: String,
    /// Where it is from. A canary drops it and raises an alarm.
    #[serde(default)]
    source: String,
    /// Whose it is. Without one it is dropped.
    #[serde(default)]
    tenant: Option<String>,
    /// Who may read it: `*`, `key:NAME`, `user:NAME` or `team:NAME`. Without any it is dropped.
    #[serde(default)]
    readers: Option<Vec<String>>,
    /// How secret it is, in a word of the configuration.
    #[serde(default)]
    classification: Option<String>,
    /// `sha256:` and 64 hexadecimal digits, of the text as it was indexed.
    #[serde(default)]
    digest: Option<String>,
}

impl Offered {
    fn is_intact(&self) -> bool {
        let digest = || aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.text.as_bytes());
        self.digest.as_ref().is_none_or(|said| {
            said.strip_prefix("sha256:")
                .is_some_and(|hex| hex.eq_ignore_ascii_case(&bartizan_sign::hex(digest().as_ref())))
        })
    }
}

/// The answer.
#[derive(JsonSchema, Serialize)]
pub(super) struct Answer {
    /// The record of it.
    event_id: String,
    /// What may go into the prompt, in the order in which it was asked about.
    chunks: Vec<Kept>,
    /// What may not.
    dropped: Vec<Gone>,
}

/// A chunk that may go into the prompt.
#[derive(JsonSchema, Serialize)]
struct Kept {
    /// As it came.
    id: Value,
    /// Its text, with what policy redacts.
    text: String,
}

/// A chunk that may not.
#[derive(JsonSchema, Serialize)]
struct Gone {
    /// As it came.
    id: Value,
    /// Why.
    reason: Reason,
}

/// Why a chunk may not go into the prompt.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reason {
    /// Whoever asks may not read it. Which of the reasons it is would tell what is there.
    Scope,
    /// Something in it is denied.
    Content,
}

/// What became of one chunk.
enum Answered {
    /// The text that may go into the prompt.
    Kept(String),
    /// It may not be read. Why is for the record.
    Scope(Dropped),
    /// Something in it is denied.
    Content,
}

/// Serves it.
pub(crate) async fn ask(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let journey = begin(&shared, Protocol::Json, &request);
    contained(&shared, Protocol::Json, &journey, answer(&shared, request, &journey)).await
}

async fn answer(shared: &Arc<Shared>, request: Request<Body>, journey: &Journey) -> Result<Response<Body>, Failure> {
    let live = shared.live();
    let (admitted, _in_flight) = admit(shared, &live, &request)?;
    let live = live.for_caller(&admitted)?;
    refuse_contained(shared, &live, &admitted.principal, Protocol::Json).await?;
    let (parts, body) = request.into_parts();
    let coding = check_head(&parts.headers)?;
    let body = request_body(&live, body, coding).await?;
    let question = read(&live, &body)?;

    know(shared, &admitted.principal.tenant).await?;
    let reader = reader(&live, &admitted);
    let record = Record::start(admitted.principal, ROUTE, &live.guard);
    let known = live.guard.known(&shared.ledgers, &record.principal, shared.access.now().wall);
    let (ids, answers, mut noted) = {
        let live = Arc::clone(&live);
        off_worker(move || judge(&live, &reader, known.as_ref(), question)).await?
    };
    noted.action = match (noted.verdict, answers.iter().any(|one| !matches!(one, Answered::Kept(_)))) {
        (_, true) => Action::Drop,
        (Verdict::Redact, false) if live.guard.mode() == Mode::Enforce => Action::Mask,
        _ => Action::Pass,
    };
    if answers.iter().any(|one| matches!(one, Answered::Scope(Dropped::Canary))) {
        tracing::error!(event = record.request_event, "a canary document was retrieved");
    }
    let meta = Meta { protocol: Protocol::Json, direction: Direction::Request, ..Meta::default() };
    let event = shared.recorder.event(&record, &meta, noted);
    journey.decided(&shared.tracing, &event, &ReplyFacts::default());
    append(shared, event, None).await?;

    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for (id, answer) in ids.into_iter().zip(answers) {
        match answer {
            Answered::Kept(text) => kept.push(Kept { id, text }),
            Answered::Scope(_) => dropped.push(Gone { id, reason: Reason::Scope }),
            Answered::Content => dropped.push(Gone { id, reason: Reason::Content }),
        }
    }
    let answer = Answer { event_id: record.request_event.clone(), chunks: kept, dropped };
    let mut response = respond(200, json!(answer).to_string().into_bytes());
    event_header(&mut response, &record.request_event);
    Ok(response)
}

/// The question. A key that comes twice is refused: whoever reads the body next may take the other value.
fn read(live: &Live, body: &[u8]) -> Result<Question, Failure> {
    Doc::parse(body, live.guard.limits()).map_err(|e| invalid(e.to_string()))?;
    let question: Question = serde_json::from_slice(body).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        invalid(format!(
            "the body is {{\"chunks\": [{{\"id\", \"text\", \"source\", \"tenant\", \"readers\", \"classification\", \"digest\"}}]}} \
             (line {line}, column {column})"
        ))
    })?;
    if question.chunks.len() > MOST {
        return Err(invalid(format!("more than {MOST} chunks")));
    }
    Ok(question)
}

/// Who asks, by the names that somebody vouches for.
fn reader(live: &Live, admitted: &Admitted) -> Reader {
    let who = &admitted.principal;
    let headers = live.settings.check_api.retrieval.trust_headers && !who.key.is_empty();
    let user = who.user.as_deref().filter(|_| headers || admitted.vouched.user);
    let team = who.team.as_deref().filter(|_| headers || admitted.vouched.team);
    Reader::new(who.tenant.clone(), &who.key, user, team)
}

/// Decides about every chunk, in order.
fn judge(
    live: &Live,
    reader: &Reader,
    known: Option<&Known>,
    question: Question,
) -> (Vec<Value>, Vec<Answered>, Noted) {
    let mut noted = Noted::default();
    let mut rules: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut ids, mut answers) = (Vec::new(), Vec::new());
    for offered in question.chunks {
        let chunk = Chunk {
            source: &offered.source,
            tenant: offered.tenant.as_deref(),
            readers: offered.readers.as_deref(),
            classification: offered.classification.as_deref(),
            intact: offered.is_intact(),
        };
        let answer = match live.settings.check_api.retrieval.admit(reader, &chunk) {
            Ok(()) => examine(&live.guard, offered.text, known, &mut noted),
            Err(why) => {
                *rules.entry(why.rule()).or_default() += 1;
                noted.verdict = noted.verdict.max(Verdict::Deny);
                Answered::Scope(why)
            }
        };
        ids.push(offered.id);
        answers.push(answer);
    }
    noted.rules.extend(rules.into_iter().map(|(rule, count)| (RuleId::new(rule), count)));
    (ids, answers, noted)
}

/// Examines a chunk that may be read.
fn examine(guard: &Guard, text: String, known: Option<&Known>, noted: &mut Noted) -> Answered {
    let decision = guard.check_text(&text, Source::Document);
    noted.count(&decision.findings);
    noted.scores = noted.scores.max(decision.scores);
    noted.coverage.merge(&decision.coverage);
    noted.suppressed += decision.suppressed;
    noted.verdict = noted.verdict.max(decision.verdict);
    let text = match (guard.mode(), decision.verdict) {
        (Mode::Monitor, _) | (_, Verdict::Allow) => text,
        (Mode::Enforce, Verdict::Redact) => match decision.redacted {
            Some(redacted) => redacted,
            None => return Answered::Content,
        },
        (Mode::Enforce, _) => return Answered::Content,
    };
    if let Some(known) = known {
        // Where a prompt quotes it, it is nobody's words.
        known.retrieved(&text);
    }
    Answered::Kept(text)
}
