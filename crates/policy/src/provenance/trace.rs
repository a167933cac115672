//! Recorded agent runs, and what would have been decided in them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use bartizan_core::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::coding::Coding;
use super::decide::{Decision, Reason, Traced};
use super::dialect::{texts, tools};
use super::history::{Bounds, Call, History};
use super::ledger::Known;
use super::rules::Rules;
use super::value;

/// One run of an agent: the recording format, and a line in of `bartizan policy eval --jsonl`. Unknown fields are for others.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Run {
    /// Its id, given back as it came.
    #[serde(default)]
    pub id: Value,
    /// Tools offered, as in a request.
    #[serde(default)]
    pub tools: Value,
    /// Who writes the user messages.
    #[serde(default)]
    pub user: Writer,
    /// OpenAI chat messages.
    #[serde(default)]
    pub messages: Vec<Value>,
    /// The calls to decide, in order.
    #[serde(default)]
    pub calls: Vec<RunCall>,
    /// What a person says of the run: `benign` or `attack`. Anything else is for others.
    #[serde(default)]
    pub label: Value,
}

/// What a person says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Review {
    /// Its calls are what the user wanted.
    Benign,
    /// Somebody else's instructions were obeyed in it.
    Attack,
}

impl Run {
    /// What a person says of it, where one does.
    #[must_use]
    pub fn reviewed(&self) -> Option<Review> {
        match self.label.as_str()? {
            "benign" => Some(Review::Benign),
            "attack" => Some(Review::Attack),
            _ => None,
        }
    }

    /// The first words of its user: runs that begin alike are about one task.
    #[must_use]
    pub fn task(&self) -> String {
        let user = self.messages.iter().find(|m| m.get("role").and_then(Value::as_str) == Some("user"));
        user.and_then(|m| m.get("content")).into_iter().flat_map(texts).next().unwrap_or_default().to_owned()
    }
}

/// Who writes the user messages of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Writer {
    /// A person: their words endorse.
    #[default]
    Human,
    /// Another agent: its words are nobody's.
    Agent,
}

/// A call in a run.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RunCall {
    /// Id of the call.
    #[serde(default)]
    pub id: String,
    /// Index of the message that makes it.
    pub index: usize,
    /// Tool.
    pub name: String,
    /// Arguments: an object, or the JSON text of one.
    #[serde(default)]
    pub args: Value,
    /// What a test expects of it.
    #[serde(default)]
    pub expect: Option<Verdict>,
    /// `true` for a call of the attacker, in a run that is an attack. Without such a mark in it all of them are.
    #[serde(default)]
    pub malicious: Value,
}

/// The answer for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Id of the run.
    pub id: Value,
    /// Id of the call.
    pub call: String,
    /// The verdict.
    pub verdict: Verdict,
    /// True where no approval is needed.
    pub allow: bool,
    /// Why not, in words that hold no content.
    pub reasons: Vec<String>,
    /// Where each argument came from, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<SourceLine>>,
}

/// One edge of the argument → source graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceLine {
    /// JSON Pointer to the argument value.
    pub argument: String,
    /// How well it is traced.
    pub trace: &'static str,
    /// Kind of place that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// The tool whose result it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// JSON Pointer in that result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What the calls of a run are decided with, besides its messages.
#[derive(Clone, Debug, Default)]
pub struct With {
    /// A policy.
    pub rules: Option<Arc<Rules>>,
    /// What models and tools of the tenant have produced before.
    pub known: Option<Known>,
    /// How commands and edits are decided, where they are by what they do.
    pub coding: Option<Arc<Coding>>,
    /// Bounds on what an agent does.
    pub bounds: Bounds,
}

/// Decides every call of a run on the messages before it. The result of a call that was not allowed is left out of what
/// follows, as it would have been.
#[must_use]
pub fn evaluate(run: &Run, rules: Option<&Arc<Rules>>, explain: bool) -> Vec<Answer> {
    evaluate_with(run, rules, explain, None, None)
}

/// The same for a run behind others of its tenant, of which what they have produced is nobody's words in it, and for a
/// coding agent.
#[must_use]
pub fn evaluate_with(
    run: &Run,
    rules: Option<&Arc<Rules>>,
    explain: bool,
    known: Option<Known>,
    coding: Option<&Arc<Coding>>,
) -> Vec<Answer> {
    let with = With { rules: rules.cloned(), known, coding: coding.cloned(), bounds: Bounds::default() };
    let decisions = decisions(run, with);
    run.calls.iter().zip(&decisions).map(|(call, decision)| answer(run, call, decision, explain)).collect()
}

/// What is decided of each call of a run, in the order in which they are asked.
#[must_use]
pub fn decisions(run: &Run, with: With) -> Vec<Decision> {
    let With { rules, known, coding, bounds } = with;
    let mut history = History::new(tools(Some(&run.tools)), rules).knowing(known).coding(coding).bounded(bounds);
    let mut denied: HashSet<&str> = HashSet::new();
    let ids: HashSet<&str> = run.calls.iter().map(|c| c.id.as_str()).collect();
    let mut order: Vec<(usize, &RunCall)> = run.calls.iter().enumerate().collect();
    order.sort_by_key(|(_, call)| call.index);
    let mut decided: Vec<(usize, Decision)> = Vec::with_capacity(order.len());
    let mut at = 0;
    let mut pending: Vec<(usize, Call)> = Vec::new();
    let (mut message, mut beside) = (None, 0);
    for (place, call) in order {
        while at < call.index.min(run.messages.len()) {
            // Calls of this message were decided side by side; only what was allowed is part of what follows.
            advance(&mut history, run, at, &denied, &ids, &mut pending);
            at += 1;
        }
        beside = if message == Some(call.index) { beside + 1 } else { 0 };
        message = Some(call.index);
        let args = match &call.args {
            Value::String(text) => value::once(text).unwrap_or_default(),
            other => other.clone(),
        };
        let wanted = Call { id: call.id.clone(), name: call.name.clone(), args };
        let decision = history.decide_after(&wanted, beside);
        if decision.verdict == Verdict::Allow {
            // Some clients use an id once more: what comes back for this call counts.
            denied.remove(call.id.as_str());
            pending.push((call.index, wanted));
        } else {
            denied.insert(call.id.as_str());
        }
        decided.push((place, decision));
    }
    // What follows the last call is known to the runs behind this one.
    for rest in at..run.messages.len() {
        advance(&mut history, run, rest, &denied, &ids, &mut pending);
    }
    decided.sort_by_key(|(place, _)| *place);
    decided.into_iter().map(|(_, decision)| decision).collect()
}

fn advance(
    history: &mut History,
    run: &Run,
    at: usize,
    denied: &HashSet<&str>,
    ids: &HashSet<&str>,
    pending: &mut Vec<(usize, Call)>,
) {
    let Some(message) = run.messages.get(at) else { return };
    match message.get("role").and_then(Value::as_str) {
        Some("assistant") => {
            let (now, later): (Vec<_>, Vec<_>) = pending.drain(..).partition(|(index, _)| *index <= at);
            *pending = later;
            if let Some(mut saying) = history.saying() {
                message.get("content").into_iter().flat_map(texts).for_each(|text| saying.push(text));
                saying.end();
            }
            for (_, call) in now {
                history.note_call(&call.name, &call.args);
                history.push_call(call);
            }
            // Calls that nobody asks about were let through by whoever recorded the run.
            for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
                let call = super::dialect::chat_call(call);
                if !ids.contains(call.id.as_str()) {
                    history.note_call(&call.name, &call.args);
                    history.push_call(call);
                }
            }
        }
        Some("tool") if message.get("tool_call_id").and_then(Value::as_str).is_some_and(|id| denied.contains(id)) => {}
        Some("user") if run.user == Writer::Agent => {
            history.push_untrusted(&message.get("content").map(Value::to_string).unwrap_or_default());
        }
        _ => history.push_chat(message),
    }
}

fn answer(run: &Run, call: &RunCall, decision: &Decision, explain: bool) -> Answer {
    Answer {
        id: run.id.clone(),
        call: call.id.clone(),
        verdict: decision.verdict,
        allow: decision.verdict == Verdict::Allow,
        reasons: decision.reasons.iter().map(Reason::line).collect(),
        sources: explain.then(|| decision.arguments.iter().map(SourceLine::of).collect()),
    }
}

impl Reason {
    /// It in one line, without content.
    #[must_use]
    pub fn line(&self) -> String {
        match self.argument.as_str() {
            "" => format!("{}: {}", self.why.as_str(), self.text),
            pointer => format!("{}: `{pointer}` {}", self.why.as_str(), self.text),
        }
    }
}

impl SourceLine {
    /// Of a traced argument.
    #[must_use]
    pub fn of(traced: &Traced) -> Self {
        let origin = traced.origin.as_ref();
        Self {
            argument: traced.argument.clone(),
            trace: traced.trace.as_str(),
            source: origin.map(|o| o.source.as_str()),
            tool: origin.and_then(|o| o.tool.as_deref().map(str::to_owned)),
            field: origin.and_then(|o| o.field.as_deref().map(str::to_owned)),
        }
    }
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { argument, trace, .. } = self;
        match (&self.tool, &self.field, self.source) {
            (Some(tool), field, _) => {
                write!(f, "{argument} <- {trace} ({tool} {})", field.as_deref().unwrap_or_default())
            }
            (None, _, Some(source)) => write!(f, "{argument} <- {trace} ({source})"),
            _ => write!(f, "{argument} <- {trace} (found nowhere)"),
        }
    }
}
