//! Portkey's guardrail webhook: `POST /portkey`.
//!
//! Shapes: Portkey, `plugins/default/webhook.ts`. Portkey takes anything but status 200 for an error of the hook, and
//! unless told otherwise lets pass then. So what cannot be judged is answered with `verdict: false`.

use bartizan_core::{Direction, Protocol};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CheckApi, Judged, Offer, invalid};
use crate::failure::Failure;
use crate::shared::Live;

pub(crate) struct Portkey;

#[derive(Deserialize)]
enum Hook {
    #[serde(rename = "beforeRequestHook")]
    Before,
    #[serde(rename = "afterRequestHook")]
    After,
}

/// Body of a question.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Question {
    event_type: Hook,
    #[serde(default)]
    request_type: Option<String>,
    #[serde(default)]
    request: Option<Side>,
    #[serde(default)]
    response: Option<Side>,
}

#[derive(Deserialize)]
struct Side {
    json: Option<Value>,
}

impl CheckApi for Portkey {
    const ROUTE: &'static str = "check:portkey";
    type Question = Question;

    fn offer(question: &Question, _: &Live) -> Result<Offer, Failure> {
        let (side, direction) = match question.event_type {
            Hook::Before => (&question.request, Direction::Request),
            Hook::After => (&question.response, Direction::Reply),
        };
        let body = side.as_ref().and_then(|s| s.json.clone()).filter(Value::is_object);
        let body = body.ok_or_else(|| invalid("the hook carries no JSON body to examine"))?;
        let protocol = match question.request_type.as_deref() {
            Some("chatComplete") | None => Protocol::OpenaiChat,
            Some("messages") => Protocol::AnthropicMessages,
            Some("complete") => Protocol::OpenaiCompletions,
            Some("embed") => Protocol::OpenaiEmbeddings,
            Some("createModelResponse") => Protocol::OpenaiResponses,
            Some(_) => return Err(invalid("this `requestType` is not examined here")),
        };
        Ok(Offer::new(protocol, direction, body))
    }

    fn answer(question: &Question, judged: &Judged) -> Value {
        let data = json!({"event_id": judged.event});
        let Some(passed) = &judged.passed else {
            return json!({"verdict": false, "data": data});
        };
        let mut answer = json!({"verdict": true, "data": data});
        if *passed != judged.offered {
            let side = match question.event_type {
                Hook::Before => "request",
                Hook::After => "response",
            };
            answer["transformedData"] = json!({side: {"json": passed}});
        }
        answer
    }

    fn unanswered(failure: &Failure) -> Option<Value> {
        Some(json!({"verdict": false, "data": {"error": failure.message()}}))
    }
}
