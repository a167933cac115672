//! Exceptions that are configured.

use bartizan_guard::{Exception, Scope};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Call, Need, Operation, TENANT};

/// An exception, without the text that it may be about.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    /// Its id in records.
    id: String,
    /// True as long as it holds.
    holds: bool,
    /// Days that are left of it.
    days_left: i64,
    #[serde(flatten)]
    exception: Exception,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation {
        method: Method::GET,
        path: "/admin/v1/exceptions",
        id: "listExceptions",
        summary: "The exceptions that are configured, and whether they hold",
        need: Need::Look,
        query: &[TENANT],
        body: None,
        answer: |generator| generator.subschema_for::<Vec<Shown>>(),
        run: |call| Box::pin(list(call)),
    }]
}

async fn list(call: Call) -> Answer {
    let (tenant, live, now) = (call.tenant()?, call.shared.live(), call.shared.access.now().wall);
    let own = live.guard.exceptions().iter().filter(|one| one.scope.tenant.as_ref().is_none_or(|t| *t == tenant));
    let shown = |one: &Exception| Shown {
        id: one.id(),
        holds: one.holds(now),
        days_left: one.days_left(now),
        exception: Exception { scope: Scope { text: None, ..one.scope.clone() }, ..one.clone() },
    };
    Ok(serde_json::to_value(own.map(shown).collect::<Vec<_>>())?)
}
