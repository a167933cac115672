//! What people say of decisions.

use bartizan_core::RuleId;
use bartizan_guard::{MarkError, MarkLabel, mark};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AdminError, Answer, Call, Need, Operation, TENANT, reason};

/// What is said of a finding.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Whether it was right.
    label: MarkLabel,
    /// The rule; may be left out where only one fired.
    #[serde(default)]
    rule: Option<String>,
    /// Why; it goes on record.
    reason: String,
}

/// What was marked.
#[derive(Debug, Serialize, JsonSchema)]
struct Done {
    /// The decision.
    event: String,
    /// The rule.
    rule: RuleId,
    /// What was said of it.
    label: MarkLabel,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation {
        method: Method::POST,
        path: "/admin/v1/events/{id}/mark",
        id: "markEvent",
        summary: "Say whether a finding was right or a false alarm",
        need: Need::Change,
        query: &[TENANT],
        body: Some(|generator| generator.subschema_for::<Said>()),
        answer: |generator| generator.subschema_for::<Done>(),
        run: |call| Box::pin(run(call)),
    }]
}

async fn run(call: Call) -> Answer {
    let (tenant, Said { label, rule, reason: why }) = (call.tenant()?, call.body()?);
    let reason = reason(&why)?;
    let rule = rule.as_deref().map(RuleId::parse).transpose().map_err(AdminError::bad)?;
    let (store, who) = (call.shared.recorder.store(), call.operator.name());
    let done = mark(store.as_ref(), &tenant, call.path("id"), (label, rule.as_ref()), who, reason).await;
    let (event, rule) = done.map_err(|error| match error {
        MarkError::NoEvent { .. } => AdminError::not_found("this event"),
        MarkError::NotFired { .. } => AdminError::bad(error.to_string()),
        MarkError::Store(error) => error.into(),
    })?;
    Ok(serde_json::to_value(Done { event: event.id, rule, label })?)
}
