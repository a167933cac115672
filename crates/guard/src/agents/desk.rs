//! Approvals: what a call is bound to, what a person sees of it, and what stands of earlier ones.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bartizan_core::{Approval, ApprovalState, Source, TenantId, Verdict};
use bartizan_mcp::canonical;
use bartizan_policy::operator::Keys;
use bartizan_policy::provenance::{History, Why};
use bartizan_sign::Pseudonyms;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::note::{CallNote, Standing, bounded};

/// Longest value and excerpt that a person is shown, in characters.
const SHOWN: usize = 600;

/// What stands of approvals for one caller when it asks.
pub struct Desk {
    names: Arc<Pseudonyms>,
    /// By the digest of the call.
    open: BTreeMap<String, Vec<(String, ApprovalState)>>,
    endorsed: HashSet<String>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// A request for an approval, to be kept.
#[derive(Clone, Debug)]
pub struct Asking {
    /// It, but for who asks and when.
    pub approval: Approval,
    /// What whoever decides sees. It is content.
    pub shown: Shown,
}

/// What whoever decides about a call sees of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The tool.
    pub tool: String,
    /// The arguments as JSON, cut where they are long.
    pub arguments: String,
    /// Why it waits.
    pub reasons: Vec<String>,
    /// The arguments that it waits for.
    pub values: Vec<ShownValue>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

/// An argument that a call waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownValue {
    /// JSON Pointer to it.
    pub argument: String,
    /// The value, cut where it is long.
    pub value: String,
    /// How well it is traced.
    pub trace: String,
    /// Where it was found, in words.
    pub source: String,
    /// What stands there, cut around the value.
    pub excerpt: String,
    /// What "always for this value" endorses: keyed digest of tool, argument and value.
    pub endorses: String,
}

/// Opens what is shown. Made of a tenant's key.
pub struct Approving(Keys);

impl Approving {
    /// With the key of a tenant; `None` where the library cannot use it.
    pub(crate) fn new(names: &Pseudonyms, tenant: &TenantId) -> Option<Self> {
        Keys::new(&names.derive("approvals", tenant.as_str())).ok().map(Self)
    }

    /// Seals what is shown, bound to the approval.
    #[must_use]
    pub fn seal(&self, tenant: &TenantId, id: &str, shown: &Shown) -> Option<Vec<u8>> {
        self.0.seal(&["approval", tenant.as_str(), id], &serde_json::to_vec(shown).ok()?)
    }

    /// Opens it; `None` where it was sealed with another key, or for another approval.
    #[must_use]
    pub fn open(&self, approval: &Approval) -> Option<Shown> {
        let place = ["approval", approval.tenant.as_str(), approval.id.as_str()];
        serde_json::from_slice(&self.0.open(&place, &approval.sealed)?).ok()
    }
}

impl Desk {
    /// Of the approvals of one caller that have not expired, and what its tenant has endorsed.
    pub(crate) fn new(names: Arc<Pseudonyms>, approvals: Vec<Approval>, endorsed: Vec<String>) -> Self {
        let mut open: BTreeMap<String, Vec<(String, ApprovalState)>> = BTreeMap::new();
        for one in approvals {
            open.entry(one.digest).or_default().push((one.id, one.state));
        }
        Self { names, open, endorsed: endorsed.into_iter().collect() }
    }

    /// Tool, canonical arguments and sources: what an approval is bound to.
    fn digest(&self, note: &CallNote) -> String {
        let mut text = format!("call\0{}\0", note.name);
        canonical(&note.args, &mut text);
        for traced in &note.decision.arguments {
            let origin = traced.origin.as_ref();
            let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
            text.push_str(&format!(
                "\0{}\0{}\0{}\0{}",
                traced.argument,
                traced.trace.as_str(),
                part(origin.and_then(|o| o.tool.as_deref())),
                part(origin.and_then(|o| o.field.as_deref())),
            ));
        }
        self.names.digest(text.as_bytes())
    }

    /// Tool, argument and value: what a person endorses. Places in lists do not count.
    fn value_digest(&self, tool: &str, pointer: &str, value: &str) -> String {
        let step = |step: &str| {
            let number = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
            if number { "*".to_owned() } else { step.to_owned() }
        };
        let pointer: Vec<String> = pointer.split('/').map(step).collect();
        self.names.digest(format!("endorse\0{tool}\0{}\0{value}", pointer.join("/")).as_bytes())
    }

    /// Takes out the reasons that are about endorsed values.
    pub(crate) fn endorse(&self, note: &mut CallNote) {
        if self.endorsed.is_empty() || note.decision.reasons.is_empty() {
            return;
        }
        let mut reasons = std::mem::take(&mut note.decision.reasons);
        reasons.retain(|reason| {
            let about_value = matches!(reason.why, Why::Authority | Why::OtherNamed);
            let value = note.value(&reason.argument).filter(|_| about_value);
            !value.is_some_and(|v| self.endorsed.contains(&self.value_digest(&note.name, &reason.argument, &v)))
        });
        if reasons.is_empty() {
            note.decision.verdict = Verdict::Allow;
        }
        note.decision.reasons = reasons;
    }

    /// Where a call that waits stands. An approval that an earlier call of the same reply has taken is taken.
    pub(crate) fn standing(&self, note: &CallNote, taken: &mut BTreeSet<String>) -> Standing {
        let known = self.open.get(&self.digest(note)).map(Vec::as_slice).unwrap_or_default();
        let find = |state: ApprovalState| known.iter().filter(move |(_, s)| *s == state).map(|(id, _)| id);
        if let Some(id) = find(ApprovalState::Approved).find(|id| !taken.contains(*id)) {
            taken.insert(id.clone());
            return Standing::Passes(id.clone());
        }
        if let Some(id) = find(ApprovalState::Denied).next() {
            return Standing::Refused(id.clone());
        }
        match find(ApprovalState::Pending).next() {
            Some(id) => Standing::Waits(id.clone()),
            None => Standing::Asks(Uuid::now_v7().to_string()),
        }
    }

    /// What is to be kept of a call that asks.
    pub(crate) fn asking(&self, note: &CallNote, history: &History) -> Option<Asking> {
        let Standing::Asks(id) = &note.standing else { return None };
        let reason = |r: &bartizan_policy::provenance::Reason| match r.argument.as_str() {
            "" => format!("{}: {}", r.why.as_str(), r.text),
            pointer => format!("{}: `{pointer}` {}", r.why.as_str(), r.text),
        };
        let blamed: BTreeSet<&str> = note.decision.reasons.iter().map(|r| r.argument.as_str()).collect();
        let values = note.decision.arguments.iter().filter(|a| blamed.contains(a.argument.as_str())).map(|traced| {
            let value = note.value(&traced.argument).unwrap_or_default();
            let origin = traced.origin.as_ref();
            let (tool, field) =
                (origin.and_then(|o| o.tool.as_deref()), origin.and_then(|o| o.field.as_deref()).unwrap_or_default());
            let source = match (origin.map(|o| o.source), tool) {
                (_, Some(tool)) => format!("result of `{}` at `{}`", bounded(tool), bounded(field)),
                (Some(Source::User), _) => "the user's words".to_owned(),
                (Some(source), _) => source.as_str().to_owned(),
                (None, _) => "nowhere in the conversation".to_owned(),
            };
            let text = tool.and_then(|tool| history.value_at(tool, field)).unwrap_or_default();
            ShownValue {
                argument: traced.argument.clone(),
                endorses: self.value_digest(&note.name, &traced.argument, &value),
                excerpt: around(text, &value),
                value: cut(&value),
                trace: traced.trace.as_str().to_owned(),
                source,
            }
        });
        let shown = Shown {
            tool: bounded(&note.name),
            arguments: cut(&note.args.to_string()),
            reasons: note.decision.reasons.iter().map(reason).collect(),
            values: values.take(16).collect(),
        };
        let approval = Approval {
            id: id.clone(),
            call: note.record(Some(&self.names)),
            digest: self.digest(note),
            ..Approval::default()
        };
        Some(Asking { approval, shown })
    }
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// A piece of a text around a value.
fn around(text: &str, value: &str) -> String {
    let at = text.find(value).unwrap_or_default();
    let before = text.get(..at).unwrap_or_default().chars().rev().take(SHOWN / 4).count();
    let skipped = text.get(..at).unwrap_or_default().chars().count() - before;
    text.chars().skip(skipped).take(SHOWN / 2).collect()
}
