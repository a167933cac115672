//! Cutting off, and letting back in.

use bartizan_core::{Containment, Target};
use bartizan_guard::{containing, containment, releasing};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{AdminError, Answer, Call, Need, Operation, TENANT, reason};

/// What is to be cut off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Cut {
    /// What kind of thing.
    target: Target,
    /// Its name; for the tenant itself the tenant's.
    name: String,
    /// For how many seconds, at most 30 days.
    ttl_s: u32,
    /// Why; it goes on record.
    reason: String,
}

/// Why something works again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Let {
    /// Why; it goes on record.
    reason: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/containments",
            id: "listContainments",
            summary: "What is cut off, oldest first",
            need: Need::Look,
            query: &[TENANT],
            body: None,
            answer: |generator| generator.subschema_for::<Vec<Containment>>(),
            run: |call| Box::pin(list(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/containments",
            id: "contain",
            summary: "Cut off a key, the tenant, a tool, a tool server or a model for a while",
            need: Need::Change,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Cut>()),
            answer: |generator| generator.subschema_for::<Containment>(),
            run: |call| Box::pin(contain(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/containments/{id}/release",
            id: "release",
            summary: "Let something that is cut off work again",
            need: Need::Change,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Let>()),
            answer: |generator| generator.subschema_for::<Containment>(),
            run: |call| Box::pin(release(call)),
        },
    ]
}

async fn list(call: Call) -> Answer {
    let (tenant, now) = (call.tenant()?, call.shared.access.now().wall);
    let mut list = call.access_store()?.containments(&tenant).await?;
    list.retain(|one| now < one.until);
    Ok(serde_json::to_value(list)?)
}

async fn contain(call: Call) -> Answer {
    let (tenant, cut) = (call.tenant()?, call.body::<Cut>()?);
    let (span, who) = (i64::from(cut.ttl_s) * 1000, (call.operator.name(), cut.reason.as_str()));
    let one = containment(&tenant, (cut.target, &cut.name), span, who).map_err(AdminError::bad)?;
    call.access_store()?.contain(&tenant, one.clone(), containing(&one)).await?;
    // In force when this is answered, and not only when the store is looked at next.
    call.shared.access.read_contained().await?;
    Ok(json!(one))
}

async fn release(call: Call) -> Answer {
    let (tenant, wanted) = (call.tenant()?, call.body::<Let>()?);
    let reason = reason(&wanted.reason)?;
    let store = call.access_store()?;
    let one = store.containments(&tenant).await?.into_iter().find(|one| one.id == call.path("id"));
    let one = one.ok_or_else(|| AdminError::not_found("this containment"))?;
    let act = releasing(&one, call.operator.name(), reason);
    if !store.release(&tenant, &one.id, act).await? {
        return Err(AdminError::not_found("this containment"));
    }
    call.shared.access.read_contained().await?;
    Ok(json!(one))
}
