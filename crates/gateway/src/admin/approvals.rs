//! Tool calls that wait for a person.

use bartizan_core::{Approval, ApprovalState, Deed, Ruling};
use bartizan_guard::{Shown, deed};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AdminError, Answer, Call, Need, Operation, TENANT, reason};

/// One call that waits, with what it would do.
#[derive(Serialize, JsonSchema)]
struct Shows {
    /// The call as it is on record.
    approval: Approval,
    /// Values and where they are from; absent where the key that they were sealed with is gone.
    shown: Option<Shown>,
}

/// How a person decides.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Whether the call passes, once.
    approve: bool,
    /// With `approve`: the values that it waits for count as the user's words for this argument of this tool from now on.
    #[serde(default)]
    always: bool,
    /// Why; it goes on record.
    reason: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/approvals",
            id: "listApprovals",
            summary: "Tool calls that wait or waited for a person and have not expired, oldest first, without content",
            need: Need::Look,
            query: &[TENANT],
            body: None,
            answer: |generator| generator.subschema_for::<Vec<Approval>>(),
            run: |call| Box::pin(list(call)),
        },
        Operation {
            method: Method::GET,
            path: "/admin/v1/approvals/{id}",
            id: "showApproval",
            summary: "One tool call that waits: its arguments, where they are from, and what stands there",
            need: Need::Approve,
            query: &[TENANT],
            body: None,
            answer: |generator| generator.subschema_for::<Shows>(),
            run: |call| Box::pin(show(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/approvals/{id}",
            id: "ruleApproval",
            summary: "Let a tool call that waits pass once, or refuse it; not by who asked for it",
            need: Need::Approve,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Rule>()),
            answer: |generator| generator.subschema_for::<Approval>(),
            run: |call| Box::pin(rule(call)),
        },
    ]
}

async fn list(call: Call) -> Answer {
    let (tenant, now) = (call.tenant()?, call.shared.access.now().wall);
    Ok(serde_json::to_value(call.access_store()?.approvals(&tenant, now).await?)?)
}

async fn find(call: &Call) -> Result<(Approval, Option<Shown>), AdminError> {
    let tenant = call.tenant()?;
    let found = call.access_store()?.approval(&tenant, call.path("id")).await?;
    let approval = found.ok_or_else(|| AdminError::not_found("this approval"))?;
    call.shared.recorder.know(&tenant).await?;
    let shown = call.shared.recorder.approving(&tenant).and_then(|key| key.open(&approval));
    Ok((approval, shown))
}

async fn show(call: Call) -> Answer {
    let (approval, shown) = find(&call).await?;
    Ok(serde_json::to_value(Shows { approval, shown })?)
}

/// True where the one who decides is behind the call: it was asked for with a key of their name, or for a person of it.
async fn asked_for_it(call: &Call, approval: &Approval) -> Result<bool, AdminError> {
    if call.operator.names().any(|name| name == approval.key) {
        return Ok(true);
    }
    // The approval can be seen before the record of the reply is written, and only that says for whom it was.
    let Some(event) = call.shared.recorder.store().get(&approval.tenant, &approval.event).await? else {
        return Err(AdminError::conflict("for whom the call was made is not on record yet; try again"));
    };
    let Some(asked) = event.pseudonyms.get("user") else { return Ok(false) };
    Ok(call.operator.names().any(|name| call.shared.recorder.user(&approval.tenant, name).as_ref() == Some(asked)))
}

async fn rule(call: Call) -> Answer {
    let (approval, shown) = find(&call).await?;
    let asked = call.body::<Rule>()?;
    let (tenant, why, now) = (call.tenant()?, reason(&asked.reason)?, call.shared.access.now().wall);
    let actor = call.operator.name();
    if asked_for_it(&call, &approval).await? {
        return Err(AdminError::forbidden("who asked for a call does not approve it".to_owned()));
    }
    let endorsed = match (asked.always && asked.approve, &shown) {
        (false, _) => Vec::new(),
        (true, Some(shown)) => shown.values.iter().map(|value| value.endorses.clone()).collect(),
        (true, None) => {
            return Err(AdminError::bad("the values cannot be opened any more, so none is endorsed".into()));
        }
    };
    let kind = if asked.approve { Deed::CallApproved } else { Deed::CallDenied };
    let act = deed(kind, &tenant, actor).about(&approval.id).because(why).with("tool", &approval.call.tool);
    let act = act.with("event", &approval.event).with("endorsed", endorsed.len());
    let ruling = Ruling { approved: asked.approve, endorsed, actor: actor.to_owned(), now };
    if !call.access_store()?.rule(&tenant, &approval.id, ruling, act).await? {
        return Err(AdminError::bad("it is decided already, or has expired".to_owned()));
    }
    let state = if asked.approve { ApprovalState::Approved } else { ApprovalState::Denied };
    Ok(serde_json::to_value(Approval { state, decided_by: actor.to_owned(), ..approval })?)
}
