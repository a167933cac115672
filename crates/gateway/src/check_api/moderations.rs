//! OpenAI's moderations: `POST /v1/moderations`.
//!
//! Shapes: OpenAI's API reference and Python SDK 3.54. OpenAI's categories (hate, violence, …) are not checked here, so
//! they are left out of the answer instead of being `false`; the answer has the categories of this guard.

use bartizan_wire::ErrorKind;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::conversation::{message, request};
use super::words::Detector;
use super::{CheckApi, Judged, Offer, invalid};
use crate::failure::Failure;
use crate::shared::Live;

pub(crate) struct Moderations;

/// Body of a question.
#[derive(Deserialize)]
pub(crate) struct Question {
    model: Option<String>,
    input: Input,
    /// Only these categories. An extension: OpenAI always checks all.
    categories: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<Item>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Text(String),
    Part(Value),
}

fn unserved(message: &str) -> Failure {
    Failure::new(ErrorKind::InvalidRequest, "not_served", message).status(StatusCode::NOT_IMPLEMENTED)
}

/// What stands in one message: a string of a list is an input of its own, parts are one input together.
fn inputs(question: &Question) -> Vec<Value> {
    match &question.input {
        Input::One(text) => vec![json!(text)],
        Input::Many(items) => {
            let text = |item: &Item| match item {
                Item::Text(text) => Some(json!(text)),
                Item::Part(_) => None,
            };
            let parts: Vec<&Value> =
                items.iter().filter_map(|i| if let Item::Part(part) = i { Some(part) } else { None }).collect();
            let mut all: Vec<Value> = items.iter().filter_map(text).collect();
            if !parts.is_empty() {
                all.push(json!(parts));
            }
            all
        }
    }
}

fn is_text(part: &Value) -> bool {
    part.get("type").and_then(Value::as_str) == Some("text")
}

impl CheckApi for Moderations {
    const ROUTE: &'static str = "check:moderations";
    type Question = Question;

    fn offer(question: &Question, live: &Live) -> Result<Offer, Failure> {
        let inputs = inputs(question);
        if inputs.is_empty() {
            return Err(invalid("`input` is empty"));
        }
        let known = |input: &Value| input.as_array().is_none_or(|parts| parts.iter().all(Value::is_object));
        if !inputs.iter().all(known) {
            return Err(invalid("`input` is a text, a list of texts or a list of parts; tokens are not read"));
        }
        let images = |input: &Value| input.as_array().is_some_and(|parts| !parts.iter().any(is_text));
        if inputs.iter().all(images) {
            return Err(unserved("images are not examined here; only text is"));
        }
        if let Some(wanted) = &question.categories {
            let served = Detector::served(live.guard.rules().map(|rule| &rule.id));
            if !wanted.iter().any(|name| served.iter().any(|d| d.category() == name)) {
                return Err(unserved("none of these categories is examined here"));
            }
        }
        let messages = inputs.into_iter().map(|input| message("user", input)).collect();
        Ok(Offer::request(request(messages, question.model.as_deref())))
    }

    fn answer(question: &Question, judged: &Judged) -> Value {
        let wanted = |d: &Detector| question.categories.as_ref().is_none_or(|w| w.iter().any(|n| n == d.category()));
        let by_message = judged.by_message();
        let results: Vec<Value> = (0..inputs(question).len())
            .map(|at| {
                let inside = by_message.get(&at).map_or(&[][..], Vec::as_slice);
                let (mut categories, mut scores, mut types) = (Map::new(), Map::new(), Map::new());
                for detector in judged.served.iter().copied().filter(wanted) {
                    let hits = inside.iter().filter(|h| h.detector == detector);
                    let score = hits.map(|h| super::words::score(h.finding.confidence)).reduce(f64::max);
                    // What cannot be read is not in one place.
                    let score = if detector == Detector::Unread { judged.strongest(detector) } else { score };
                    categories.insert(detector.category().to_owned(), json!(score.is_some()));
                    scores.insert(detector.category().to_owned(), json!(score.unwrap_or(0.0)));
                    types.insert(detector.category().to_owned(), json!(["text"]));
                }
                let flagged = categories.values().any(|v| *v == json!(true));
                json!({
                    "flagged": flagged,
                    "categories": categories,
                    "category_scores": scores,
                    "category_applied_input_types": types,
                })
            })
            .collect();
        json!({"id": format!("modr-{}", judged.event), "model": "bartizan", "results": results})
    }
}
