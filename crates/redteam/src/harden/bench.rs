//! A guard that recorded conversations are offered to again: questions and the replies to them.

use bartizan_client::{Answer, Call, Reply};
use bartizan_core::{Mode, Protocol, Source};
use bartizan_guard::{Guard, ReplyContext, Route, Settings};
use bartizan_policy::Outcome;
use serde_json::{Value, json};

use super::case::Case;
use crate::error::RedteamError;
use crate::evidence::{Seen, Step};
use crate::journal::Turn;
use crate::judge::Judge;
use crate::target::examine;
use crate::trial::Outside;

/// A guard that always enforces: what is asked is what its settings would stop.
pub(crate) struct Bench {
    guard: Guard,
    judge: Judge,
}

impl Bench {
    /// Builds it.
    pub(crate) fn new(settings: &Settings) -> Result<Self, RedteamError> {
        let settings = Settings { mode: Mode::Enforce, ..settings.clone() };
        let guard = Guard::new(&settings).map_err(|e| RedteamError::Plan(e.to_string()))?;
        Ok(Self { guard, judge: Judge::built_in()? })
    }

    /// One that has all rules but `rule` switched off: what it stops, that rule stops.
    pub(crate) fn of_rule(settings: &Settings, rule: &str) -> Result<Self, RedteamError> {
        let whole = Guard::new(settings).map_err(|e| RedteamError::Plan(e.to_string()))?;
        let others = whole.rules().map(|r| r.id.as_str().to_owned()).filter(|id| id != rule);
        let mut lean = settings.clone();
        lean.classifier.second_stage = false;
        lean.rules.disabled.extend(others);
        Self::new(&lean)
    }

    /// What stops a conversation, if anything does.
    pub(crate) fn stops(&self, case: &Case<'_>) -> Option<Vec<String>> {
        case.turns.iter().find_map(|turn| {
            let examined = examine(&self.guard, &turn.ask, case.payload());
            match examined.seen {
                Seen::Answer(Answer::Blocked(block)) => Some(block.rules),
                Seen::Passed { changed: true, rules } => Some(rules),
                Seen::Passed { .. } => self.stops_reply(case, turn, &examined.context),
                Seen::Answer(Answer::Reply(_)) | Seen::Failed(_) => None,
            }
        })
    }

    fn stops_reply(&self, case: &Case<'_>, turn: &Turn, context: &ReplyContext) -> Option<Vec<String>> {
        let Seen::Answer(Answer::Reply(reply)) = &turn.seen else { return None };
        let parsed = self.guard.read_reply(Protocol::OpenaiChat, encoded(reply).into_bytes()).ok()?;
        let checked = self.guard.check(parsed, context, Route::default());
        match &checked.outcome {
            Outcome::Refuse(refusal) | Outcome::Hold(refusal) => {
                Some(refusal.causes.iter().map(bartizan_policy::Cause::name).collect())
            }
            Outcome::Forward { permitted, masked, stripped, .. } => {
                let trial = case.trial.as_ref().filter(|_| masked + stripped > 0 && !case.cell.benign)?;
                // What is left may prove nothing any more.
                let left = decoded(&permitted.get().body)?;
                let turn = Turn { ask: turn.ask.clone(), seen: Seen::Answer(Answer::Reply(left)) };
                (trial.weigh(&[turn], Outside::default(), &self.judge).step > Step::Likely)
                    .then(|| vec!["masked".to_owned()])
            }
        }
    }

    /// The highest probability of an injection by where the text is from, over a whole conversation.
    pub(crate) fn scores(&self, case: &Case<'_>) -> Vec<(Source, f32)> {
        // Each question repeats those before it.
        case.turns.last().map(|turn| examine(&self.guard, &turn.ask, "").scores).unwrap_or_default()
    }
}

/// A reply in OpenAI's form.
fn encoded(reply: &Reply) -> String {
    let calls: Vec<Value> = reply
        .calls
        .iter()
        .map(|c| json!({"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}))
        .collect();
    let mut message = json!({"role": "assistant", "content": reply.text});
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    if let (false, Some(members)) = (calls.is_empty(), message.as_object_mut()) {
        members.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    json!({"id": "reply", "object": "chat.completion", "created": 0, "model": "model",
           "choices": [{"index": 0, "message": message, "finish_reason": finish}]})
    .to_string()
}

fn decoded(body: &[u8]) -> Option<Reply> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let message = body.pointer("/choices/0/message")?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| Call {
        id: text(call.get("id")),
        name: text(call.pointer("/function/name")),
        arguments: text(call.pointer("/function/arguments")),
    });
    Some(Reply { text: text(message.get("content")), calls: calls.collect(), ..Reply::default() })
}
