//! agentgateway's guardrail webhook: `POST /agentgateway/request` and `/agentgateway/response`.
//!
//! Shapes: agentgateway, `crates/agentgateway/src/llm/policy/webhook.rs` (after 1.4.1).

use serde::Deserialize;
use serde_json::{Value, json};

use super::conversation::{reply, request};
use super::{CheckApi, Judged, Offer, invalid};
use crate::failure::Failure;
use crate::shared::Live;

/// The webhook before the model.
pub(crate) struct Asked;

/// The webhook behind the model.
pub(crate) struct Answered;

/// Body of a question before the model.
#[derive(Deserialize)]
pub(crate) struct RequestQuestion {
    body: Messages,
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Value>,
}

/// Body of a question behind the model.
#[derive(Deserialize)]
pub(crate) struct ResponseQuestion {
    body: Choices,
}

#[derive(Deserialize)]
struct Choices {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Value,
}

fn answer(judged: &Judged, key: &str, kept: impl Fn(&Value) -> Value) -> Value {
    match &judged.passed {
        None => json!({"action": {"body": judged.reason(), "status_code": 403, "reason": judged.reason()}}),
        Some(passed) if *passed == judged.offered => json!({"action": {}}),
        Some(passed) => {
            let items: Vec<Value> = passed.get(key).and_then(Value::as_array).into_iter().flatten().map(kept).collect();
            let reason = format!("this content was changed by policy (event {})", judged.event);
            json!({"action": {"body": {key: items}, "reason": reason}})
        }
    }
}

impl CheckApi for Asked {
    const ROUTE: &'static str = "check:agentgateway";
    type Question = RequestQuestion;

    fn offer(question: &RequestQuestion, _: &Live) -> Result<Offer, Failure> {
        if question.body.messages.is_empty() {
            return Err(invalid("`body.messages` is empty"));
        }
        Ok(Offer::request(request(question.body.messages.clone(), None)))
    }

    fn answer(_: &RequestQuestion, judged: &Judged) -> Value {
        answer(judged, "messages", Value::clone)
    }
}

impl CheckApi for Answered {
    const ROUTE: &'static str = "check:agentgateway";
    type Question = ResponseQuestion;

    fn offer(question: &ResponseQuestion, _: &Live) -> Result<Offer, Failure> {
        let messages = question.body.choices.iter().map(|choice| choice.message.clone());
        Ok(Offer::reply(reply(messages, None)))
    }

    fn answer(_: &ResponseQuestion, judged: &Judged) -> Value {
        answer(judged, "choices", |choice| json!({"message": choice.get("message")}))
    }
}
