//! NeMo Guardrails' standalone check: `POST /v1/checks`.
//!
//! Shapes: NeMo Guardrails 0.24.1, `server/api.py`. A chat body; a conversation that ends with the model's words is
//! checked as output.

use serde::Deserialize;
use serde_json::{Value, json};

use super::conversation::{request, role, system, texts};
use super::{CheckApi, Judged, Offer, invalid};
use crate::failure::Failure;
use crate::shared::Live;

pub(crate) struct Checks;

/// Body of a question.
#[derive(Deserialize)]
pub(crate) struct Question {
    model: Option<String>,
    messages: Vec<Value>,
}

impl CheckApi for Checks {
    const ROUTE: &'static str = "check:nemo";
    type Question = Question;

    fn offer(question: &Question, _: &Live) -> Result<Offer, Failure> {
        let Some(last) = question.messages.last() else { return Err(invalid("`messages` is empty")) };
        let mut offer = Offer::request(request(question.messages.clone(), question.model.as_deref()));
        if role(last) == "assistant" {
            offer.system = system(&question.messages);
        }
        Ok(offer)
    }

    fn answer(question: &Question, judged: &Judged) -> Value {
        let Some(passed) = &judged.passed else {
            return json!({"status": "blocked", "content": judged.reason(), "rail": "bartizan"});
        };
        let status = if *passed == judged.offered { "passed" } else { "modified" };
        let last = passed.pointer(&format!("/messages/{}", question.messages.len().saturating_sub(1)));
        let content: Vec<&str> = last.map(texts).into_iter().flatten().map(|(_, text)| text).collect();
        json!({"status": status, "content": content.join("\n")})
    }
}
