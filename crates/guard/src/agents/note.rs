//! What was decided of one call: for the record, for the caller, and for whoever approves.

use bartizan_core::{ArgumentSource, CallRecord, Verdict};
use bartizan_policy::provenance::{Decision, Reason};
use bartizan_sign::Pseudonyms;
use serde_json::Value;

/// Longest name or pointer that is recorded, in characters.
const LONGEST: usize = 128;

/// Most arguments of a call that are recorded.
const ARGUMENTS: usize = 64;

/// What becomes of a call besides its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The decision stands.
    Decided,
    /// It waits for an approval that is asked for now.
    Asks(String),
    /// It waits for one that was asked for before.
    Waits(String),
    /// A person let it pass; that is used up before it goes out.
    Passes(String),
    /// A person refused it.
    Refused(String),
}

/// What was decided of one call.
#[derive(Clone)]
pub struct CallNote {
    pub(crate) id: String,
    pub(crate) name: String,
    /// As the model wrote them.
    pub(crate) arguments: String,
    /// The same, read; null where they cannot be.
    pub(crate) args: Value,
    /// The request offers the tool.
    pub(crate) offered: bool,
    pub(crate) oddities: Vec<String>,
    pub(crate) decision: Decision,
    pub(crate) standing: Standing,
    pub(crate) enforced: bool,
}

impl std::fmt::Debug for CallNote {
    // Arguments are content and content stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallNote")
            .field("verdict", &self.verdict())
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl CallNote {
    /// The verdict, with what a person has said.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match (&self.standing, self.decision.verdict) {
            (Standing::Passes(_), _) => Verdict::Allow,
            (Standing::Refused(_), _) => Verdict::Deny,
            (_, verdict) => verdict,
        }
    }

    /// Name of the tool.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.name
    }

    /// The arguments, read; null where they cannot be.
    #[must_use]
    pub const fn args(&self) -> &Value {
        &self.args
    }

    /// Why it does not pass; empty where it does without a person.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.decision.reasons
    }

    /// The approval that it waits for, passes by or was refused with.
    #[must_use]
    pub fn approval(&self) -> Option<&str> {
        match &self.standing {
            Standing::Decided => None,
            Standing::Asks(id) | Standing::Waits(id) | Standing::Passes(id) | Standing::Refused(id) => Some(id),
        }
    }

    /// The value of an argument as a text.
    pub(crate) fn value(&self, pointer: &str) -> Option<String> {
        self.args.pointer(pointer).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// For the record: no content but keyed digests.
    #[must_use]
    pub fn record(&self, names: Option<&Pseudonyms>) -> CallRecord {
        let source = |traced: &bartizan_policy::provenance::Traced| {
            let value = self.value(&traced.argument).unwrap_or_default();
            let origin = traced.origin.as_ref();
            ArgumentSource {
                argument: bounded(&traced.argument),
                trace: traced.trace.as_str().to_owned(),
                source: origin.map(|o| o.source.as_str().to_owned()),
                tool: origin.and_then(|o| o.tool.as_deref().map(bounded)),
                field: origin.and_then(|o| o.field.as_deref().map(bounded)),
                bytes: value.len(),
                hmac: names.map(|key| key.digest(value.as_bytes())).unwrap_or_default(),
            }
        };
        let reason = |reason: &Reason| match reason.argument.as_str() {
            "" => reason.why.as_str().to_owned(),
            pointer => format!("{} {}", reason.why.as_str(), bounded(pointer)),
        };
        CallRecord {
            tool: if self.offered { bounded(&self.name) } else { "?".to_owned() },
            verdict: self.verdict(),
            reasons: self.decision.reasons.iter().take(ARGUMENTS).map(reason).collect(),
            arguments: self.decision.arguments.iter().take(ARGUMENTS).map(source).collect(),
            oddities: self.oddities.clone(),
            approval: self.approval().map(str::to_owned),
        }
    }
}

pub(crate) fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// What the caller reads. It names approvals and the event, and no rule: the model reads it too.
pub(crate) fn notice(notes: &[CallNote], event_id: &str) -> String {
    let stopped = |verdict| notes.iter().filter(move |n| n.enforced && n.verdict() == verdict);
    let waiting: Vec<&str> = stopped(Verdict::Hold).filter_map(CallNote::approval).collect();
    let denied = stopped(Verdict::Deny).count() + stopped(Verdict::Hold).filter(|n| n.approval().is_none()).count();
    let mut out = String::new();
    if !waiting.is_empty() {
        out.push_str(&format!(
            "A tool call waits for the approval of a person ({}). It was not carried out. Once it is approved, make the \
             same call again, unchanged.",
            waiting.join(", ")
        ));
    }
    if denied > 0 {
        let and = if out.is_empty() { "" } else { " " };
        out.push_str(&format!("{and}A tool call was stopped by policy and not carried out; go on without it."));
    }
    if notes.len() > 1 {
        out.push_str(" No call of this reply was carried out.");
    }
    out + &format!(" (event {event_id})")
}
