//! A change of the policy that is tried beside the one in force. It belongs to the whole installation.

use std::sync::Arc;

use bartizan_core::{Deed, TenantId};
use bartizan_guard::deed;
use bartizan_policy::Change;
use http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AdminError, Answer, Call, Need, Operation, reason};
use crate::staged::{Staged, Untried};

/// What is to be tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StageChange {
    /// What would be otherwise.
    change: Change,
    /// Why; it goes on record.
    reason: String,
}

/// Why something is not tried any more.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DropChange {
    /// Why; it goes on record.
    reason: String,
}

/// What is tried beside the policy in force.
#[derive(Debug, Serialize, JsonSchema)]
struct Beside {
    /// A policy is tried, of the configuration or of an operator.
    tried: bool,
    /// The change that an operator tries.
    staged: Option<StagedChange>,
}

/// A change that an operator tries.
#[derive(Debug, Serialize, JsonSchema)]
struct StagedChange {
    /// What would be otherwise.
    change: Change,
    /// Who tries it.
    by: String,
    /// Why.
    reason: String,
    /// Since when, RFC 3339 in UTC.
    since: String,
    /// The lines for `bartizan.toml` that put it in force.
    toml: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/candidate",
            id: "getCandidate",
            summary: "What is tried beside the policy in force",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<Beside>(),
            run: |call| Box::pin(show(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/candidate",
            id: "stageCandidate",
            summary: "Try a change beside the policy in force: records say what it would have decided, and nothing is done about it",
            need: Need::Change,
            query: &[],
            body: Some(|generator| generator.subschema_for::<StageChange>()),
            answer: |generator| generator.subschema_for::<Beside>(),
            run: |call| Box::pin(stage(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/candidate/drop",
            id: "dropCandidate",
            summary: "Try the change of an operator no longer",
            need: Need::Change,
            query: &[],
            body: Some(|generator| generator.subschema_for::<DropChange>()),
            answer: |generator| generator.subschema_for::<Beside>(),
            run: |call| Box::pin(let_go(call)),
        },
    ]
}

fn beside(call: &Call) -> Answer {
    let live = call.shared.live();
    let shown = |staged: &Arc<Staged>| StagedChange {
        change: staged.change.clone(),
        by: staged.by.clone(),
        reason: staged.reason.clone(),
        since: staged.since.clone(),
        toml: staged.change.toml(live.guard.disabled()),
    };
    Ok(serde_json::to_value(Beside { tried: live.guard.has_candidate(), staged: live.staged.as_ref().map(shown) })?)
}

fn of_everybody(call: &Call) -> Result<(), AdminError> {
    if call.operator.is_limited() {
        return Err(AdminError::forbidden("the policy is of all tenants, and this key is not".to_owned()));
    }
    Ok(())
}

fn untried(why: &Untried) -> AdminError {
    match why {
        Untried::Candidate => AdminError::conflict("the configuration has a candidate of its own"),
        Untried::InForce | Untried::Unfit(_) => AdminError::bad(why.says()),
    }
}

async fn show(call: Call) -> Answer {
    of_everybody(&call)?;
    beside(&call)
}

async fn stage(call: Call) -> Answer {
    of_everybody(&call)?;
    let StageChange { change, reason: why } = call.body()?;
    let (why, by) = (reason(&why)?, call.operator.name());
    let since = Timestamp::from_millisecond(call.shared.access.now().wall).unwrap_or(Timestamp::UNIX_EPOCH);
    let act = deed(Deed::CandidateStaged, &TenantId::sole(), by).about("policy").because(why);
    let act = act.with("change", serde_json::to_string(&change)?);
    let staged = Staged { change, by: by.to_owned(), reason: why.to_owned(), since: since.to_string() };
    let staged = Arc::new(staged);
    // What cannot be tried is not on record as tried; what is tried is on record first.
    call.shared.live().trying(&staged).map_err(|why| untried(&why))?;
    call.shared.recorder.store().act(act).await?;
    call.shared.replace(|live| live.trying(&staged)).map_err(|why| untried(&why))?;
    beside(&call)
}

async fn let_go(call: Call) -> Answer {
    of_everybody(&call)?;
    let asked = call.body::<DropChange>()?;
    let why = reason(&asked.reason)?;
    let live = call.shared.live();
    let Some(staged) = &live.staged else { return Err(AdminError::not_found("a change that an operator tries")) };
    let act = deed(Deed::CandidateDropped, &TenantId::sole(), call.operator.name()).about("policy").because(why);
    let act = act.with("by", &staged.by).with("since", &staged.since);
    call.shared.recorder.store().act(act).await?;
    call.shared.replace(|live| Ok::<_, AdminError>(live.trying_nothing()))?;
    beside(&call)
}
