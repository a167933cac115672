//! Trying the guard on a text.

use bartizan_core::{CheckOutput, Source, View};
use bartizan_guard::Guard;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{AdminError, Answer, Call, Need, Operation};
use crate::proxy::off_worker;

/// Longest view that is shown, in characters.
const SHOWN: usize = 20_000;

/// What is tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tried {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    origin: Source,
    #[serde(default)]
    messages: Option<Box<RawValue>>,
}

/// What the guard reads of a text.
#[derive(Debug, Serialize, JsonSchema)]
struct Seen {
    /// Which form.
    view: View,
    /// Encodings that were peeled off.
    depth: u8,
    /// The form, cut where it is long.
    text: String,
}

/// The answer, as of `bartizan check --jsonl`, and how it came about.
#[derive(Debug, Serialize, JsonSchema)]
struct Tested {
    #[serde(flatten)]
    output: CheckOutput<Option<String>>,
    /// The text without the offending places, where the verdict is redact.
    redacted: Option<String>,
    /// What was read of a text besides itself; empty for a conversation.
    views: Vec<Seen>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation {
        method: Method::POST,
        path: "/admin/v1/check",
        id: "check",
        summary: "Try the guard on a text or a conversation; nothing is recorded or sent anywhere",
        need: Need::Look,
        query: &[],
        body: Some(|_| {
            schemars::json_schema!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "text": { "type": "string", "description": "A text." },
                    "origin": { "type": "string", "description": "Where the text came from; `user` if left out." },
                    "messages": { "type": "array", "description": "Instead of a text: messages in OpenAI chat form." }
                }
            })
        }),
        answer: |generator| generator.subschema_for::<Tested>(),
        run: |call| Box::pin(run(call)),
    }]
}

async fn run(call: Call) -> Answer {
    let tried: Tried = call.body()?;
    let guard = std::sync::Arc::clone(&call.shared.live().guard);
    let tested = off_worker(move || test(&guard, tried)).await;
    let tested = tested.map_err(|failure| AdminError::bad(failure.message().to_owned()))??;
    Ok(serde_json::to_value(tested)?)
}

fn test(guard: &Guard, tried: Tried) -> Result<Tested, AdminError> {
    let (decision, views) = match (tried.text, tried.messages) {
        (Some(text), None) => {
            let views = guard.views(&text).into_iter().map(|(view, depth, text)| Seen {
                view,
                depth,
                text: text.chars().take(SHOWN).collect(),
            });
            (guard.check_text(&text, tried.origin), views.collect())
        }
        (None, Some(messages)) => {
            let decision = guard.check_conversation(messages.get());
            (decision.map_err(|error| AdminError::bad(error.to_string()))?, Vec::new())
        }
        _ => return Err(AdminError::bad("either `text` or `messages` is needed".to_owned())),
    };
    let redacted = decision.redacted.clone();
    Ok(Tested { output: decision.output(None), redacted, views })
}
