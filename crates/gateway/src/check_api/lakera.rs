//! Lakera Guard: `POST /v2/guard` and `/v2/guard/results`.
//!
//! Shapes: LiteLLM's types for it (`lakera_ai_v2.py`) and AISIX's client; the vendor's own documents could not be read.
//! The API names types of detectors, so the answer does; rules stay out of it.

use std::collections::BTreeMap;

use bartizan_core::{Confidence, Span};
use serde::Deserialize;
use serde_json::{Value, json};

use super::conversation::{request, role, system};
use super::words::lakera;
use super::{CheckApi, Hit, Judged, Offer, invalid};
use crate::failure::Failure;
use crate::shared::Live;

pub(crate) struct Guard;

/// The same with how sure each detector is.
pub(crate) struct Results;

/// Body of a question.
#[derive(Deserialize)]
pub(crate) struct Question {
    messages: Vec<Value>,
    project_id: Option<String>,
    #[serde(default)]
    payload: bool,
    #[serde(default)]
    breakdown: bool,
    #[serde(default)]
    dev_info: bool,
}

/// The text that a hit is in, and its byte range there. A value inside a text that is JSON stands for all of it.
fn place<'a>(judged: &'a Judged, hit: &Hit) -> Option<(&'a str, Span)> {
    let at = std::iter::successors(Some(hit.pointer.as_str()), |p| p.rsplit_once('/').map(|(parent, _)| parent))
        .find(|p| judged.offered.pointer(p).is_some_and(Value::is_string))?;
    let text = judged.offered.pointer(at)?.as_str()?;
    Some((text, if at == hit.pointer { hit.finding.span() } else { Span::new(0, text.len()) }))
}

/// Counts code points up to growing byte offsets of one text without beginning anew each time.
#[derive(Default)]
struct Counter<'a> {
    text: &'a str,
    bytes: usize,
    points: usize,
}

impl<'a> Counter<'a> {
    fn at(&mut self, text: &'a str, offset: usize) -> usize {
        if !std::ptr::eq(self.text, text) || offset < self.bytes {
            *self = Self { text, ..Self::default() };
        }
        self.points += Span::new(self.bytes, offset).of(text).chars().count();
        self.bytes = offset;
        self.points
    }
}

fn payload(judged: &Judged) -> Vec<Value> {
    // Hits are in the order of their starts; ends may overlap and are counted from there.
    let mut counter = Counter::default();
    let entry = |hit: &Hit| {
        let (text, span) = place(judged, hit)?;
        let (start, inside) = (counter.at(text, span.start), span.of(text));
        Some(json!({
            "start": start,
            "end": start + inside.chars().count(),
            "text": inside,
            "detector_type": lakera(hit.detector, hit.finding.entity.as_deref()),
            "labels": [],
            "message_id": hit.message()?,
        }))
    };
    judged.hits.iter().filter_map(entry).collect()
}

/// One entry for each type found in each message, and one for each kind of detector that found nothing.
fn breakdown(question: &Question, judged: &Judged, levels: bool) -> Vec<Value> {
    let mut found: BTreeMap<(usize, String), Confidence> = BTreeMap::new();
    for hit in &judged.hits {
        let Some(message) = hit.message() else { continue };
        let kind = lakera(hit.detector, hit.finding.entity.as_deref());
        let confidence = found.entry((message, kind)).or_insert(hit.finding.confidence);
        *confidence = (*confidence).max(hit.finding.confidence);
    }
    let entry = |kind: &str, message: usize, confidence: Option<Confidence>| {
        let mut entry = json!({
            "project_id": question.project_id.as_deref().unwrap_or("project-bartizan"),
            "policy_id": "policy-bartizan",
            "detector_id": format!("detector-bartizan-{}", kind.replace('/', "-")),
            "detector_type": kind,
            "detected": confidence.is_some(),
            "message_id": message,
        });
        if levels {
            entry["result"] = json!(match confidence {
                Some(Confidence::High) => "l1_confident",
                Some(Confidence::Medium) => "l2_very_likely",
                Some(Confidence::Low) => "l3_likely",
                None => "l5_unlikely",
            });
        }
        entry
    };
    let last = question.messages.len().saturating_sub(1);
    let mut entries: Vec<Value> = found.iter().map(|((m, kind), c)| entry(kind, *m, Some(*c))).collect();
    for detector in judged.served.iter().copied() {
        if !judged.hits.iter().any(|hit| hit.detector == detector) {
            let unread = judged.strongest(detector).map(|_| Confidence::High);
            entries.push(entry(&lakera(detector, None), last, unread));
        }
    }
    entries
}

fn offer(question: &Question) -> Result<Offer, Failure> {
    let Some(last) = question.messages.last() else { return Err(invalid("`messages` is empty")) };
    let mut offer = Offer::request(request(question.messages.clone(), None));
    // A conversation that ends with the model's words is asked about before they are shown.
    if role(last) == "assistant" {
        offer.system = system(&question.messages);
    }
    Ok(offer)
}

fn answer(question: &Question, judged: &Judged, levels: bool) -> Value {
    let mut answer = json!({"flagged": judged.flagged(), "metadata": {"request_uuid": judged.event}});
    if question.payload {
        answer["payload"] = json!(payload(judged));
    }
    if levels {
        answer["results"] = json!(breakdown(question, judged, true));
    } else if question.breakdown {
        answer["breakdown"] = json!(breakdown(question, judged, false));
    }
    if question.dev_info {
        answer["dev_info"] = json!({
            "git_revision": "",
            "git_timestamp": "",
            "model_version": "none",
            "version": env!("CARGO_PKG_VERSION"),
        });
    }
    answer
}

impl CheckApi for Guard {
    const ROUTE: &'static str = "check:lakera";
    type Question = Question;

    fn offer(question: &Question, _: &Live) -> Result<Offer, Failure> {
        offer(question)
    }

    fn answer(question: &Question, judged: &Judged) -> Value {
        answer(question, judged, false)
    }
}

impl CheckApi for Results {
    const ROUTE: &'static str = "check:lakera";
    type Question = Question;

    fn offer(question: &Question, _: &Live) -> Result<Offer, Failure> {
        offer(question)
    }

    fn answer(question: &Question, judged: &Judged) -> Value {
        answer(question, judged, true)
    }
}
