//! Recorded agent runs, and what would have been decided in them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bartizan_core::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::coding::Coding;
use super::decide::Decision;
use super::dialect::{texts, tools};
use super::history::{Call, History};
use super::ledger::Known;
use super::rules::Rules;

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
#[derive(Clone, Debug, Deserialize)]
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
    let mut history = History::new(tools(Some(&run.tools)), rules.cloned()).knowing(known).coding(coding.cloned());
    let mut denied: HashSet<&str> = HashSet::new();
    let ids: HashSet<&str> = run.calls.iter().map(|c| c.id.as_str()).collect();
    let mut order: Vec<&RunCall> = run.calls.iter().collect();
    order.sort_by_key(|c| c.index);
    let mut answers: HashMap<&str, Vec<Answer>> = HashMap::new();
    let mut at = 0;
    let mut pending: Vec<(usize, Call)> = Vec::new();
    for call in order {
        while at < call.index {
            // Calls of this message were decided side by side; only what was allowed is part of what follows.
            advance(&mut history, run, at, &denied, &ids, &mut pending);
            at += 1;
        }
        let args = match &call.args {
            Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            other => other.clone(),
        };
        let wanted = Call { id: call.id.clone(), name: call.name.clone(), args };
        let decision = history.decide(&wanted);
        if decision.verdict == Verdict::Allow {
            pending.push((call.index, wanted));
        } else {
            denied.insert(call.id.as_str());
        }
        answers.entry(call.id.as_str()).or_default().push(answer(run, call, &decision, explain));
    }
    // In the order in which they were asked.
    run.calls
        .iter()
        .filter_map(|c| answers.get_mut(c.id.as_str()).filter(|a| !a.is_empty()).map(|a| a.remove(0)))
        .collect()
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
    let reasons = decision.reasons.iter().map(|r| {
        if r.argument.is_empty() {
            format!("{}: {}", r.why.as_str(), r.text)
        } else {
            format!("{}: `{}` {}", r.why.as_str(), r.argument, r.text)
        }
    });
    let sources = explain.then(|| {
        decision
            .arguments
            .iter()
            .map(|a| SourceLine {
                argument: a.argument.clone(),
                trace: a.trace.as_str(),
                source: a.origin.as_ref().map(|o| o.source.as_str()),
                tool: a.origin.as_ref().and_then(|o| o.tool.as_deref().map(str::to_owned)),
                field: a.origin.as_ref().and_then(|o| o.field.as_deref().map(str::to_owned)),
            })
            .collect()
    });
    Answer {
        id: run.id.clone(),
        call: call.id.clone(),
        verdict: decision.verdict,
        allow: decision.verdict == Verdict::Allow,
        reasons: reasons.collect(),
        sources,
    }
}
