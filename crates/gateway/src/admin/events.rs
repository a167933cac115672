//! Records of decisions.

use bartizan_core::Event;
use http::Method;

use super::{AdminError, Answer, Call, Need, Operation, Parameter, TENANT};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/events",
            id: "listEvents",
            summary: "The newest decisions, newest first",
            need: Need::Look,
            query: &[TENANT, Parameter { name: "limit", summary: "How many, at most 1000; 100 if left out." }],
            body: None,
            answer: |generator| generator.subschema_for::<Vec<Event>>(),
            run: |call| Box::pin(list(call)),
        },
        Operation {
            method: Method::GET,
            path: "/admin/v1/events/{id}",
            id: "getEvent",
            summary: "One decision",
            need: Need::Look,
            query: &[TENANT],
            body: None,
            answer: |generator| generator.subschema_for::<Event>(),
            run: |call| Box::pin(one(call)),
        },
    ]
}

async fn list(call: Call) -> Answer {
    let (tenant, limit) = (call.tenant()?, call.number("limit", 100, 1000)?);
    let events = call.shared.recorder.store().recent(&tenant, limit).await?;
    Ok(serde_json::to_value(events)?)
}

async fn one(call: Call) -> Answer {
    let tenant = call.tenant()?;
    match call.shared.recorder.store().get(&tenant, call.path("id")).await? {
        Some(event) => Ok(serde_json::to_value(event)?),
        None => Err(AdminError::not_found("this event")),
    }
}
