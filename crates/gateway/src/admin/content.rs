//! Recorded content: opening it, and making it unreadable for good.

use bartizan_core::{Direction, Protocol};
use bartizan_guard::{Opened, Vault, erase, trace, unseal};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AdminError, Answer, Call, Need, Operation, TENANT, reason};

/// Why something recorded is opened.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Unseal {
    /// It goes on record, before anything is opened.
    reason: String,
}

/// What is recorded of a decision or exchange.
#[derive(Serialize, JsonSchema)]
struct Content {
    /// The bodies as they came.
    bodies: Vec<Body>,
    /// The same as an agent trace, as `policy eval` and `hunt` read it.
    trace: Value,
}

/// One body.
#[derive(Serialize, JsonSchema)]
struct Body {
    event: String,
    direction: Direction,
    protocol: Protocol,
    /// RFC 3339 in UTC.
    time: String,
    stream: bool,
    /// True where it was longer than `record.max_body_bytes`.
    cut: bool,
    /// Bytes that are no UTF-8 are U+FFFD here.
    body: String,
}

/// What is to be made unreadable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Erase {
    /// Only days before this one (`YYYY-MM-DD`, UTC); everything, with the key of the pseudonyms, where it is left out.
    before: Option<String>,
    /// It goes on record.
    reason: String,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
struct Erased {
    /// Keys that were destroyed.
    keys: u64,
    /// Recorded bodies that nobody can open any more.
    contents: u64,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::POST,
            path: "/admin/v1/events/{id}/unseal",
            id: "unsealEvent",
            summary: "Open what is recorded of a decision or exchange; that it was opened is a record itself",
            need: Need::Unseal,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Unseal>()),
            answer: |generator| generator.subschema_for::<Content>(),
            run: |call| Box::pin(open(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/erase",
            id: "erase",
            summary: "Destroy the keys of recorded content of the tenant, so that nobody can open it any more",
            need: Need::Change,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Erase>()),
            answer: |generator| generator.subschema_for::<Erased>(),
            run: |call| Box::pin(forget(call)),
        },
    ]
}

fn vault(call: &Call) -> Result<&Vault, AdminError> {
    let vault = call.shared.recorder.vault();
    vault.ok_or_else(|| AdminError::bad("there is no `record.master_key`, so nothing is sealed here".to_owned()))
}

async fn open(call: Call) -> Answer {
    let (tenant, asked, id) = (call.tenant()?, call.body::<Unseal>()?, call.path("id"));
    let (vault, store) = (vault(&call)?, call.shared.recorder.store());
    let who = (call.operator.name(), call.operator.role());
    let opened = unseal(store.as_ref(), vault, &tenant, id, who, reason(&asked.reason)?).await?;
    if opened.is_empty() {
        return Err(AdminError::not_found("a recording of this"));
    }
    let trace = trace(id, &opened, call.shared.live().guard.limits());
    let bodies = opened.into_iter().map(|o| {
        let Opened { event, direction, protocol, stream, cut, time, body } = o;
        let body = String::from_utf8(body).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Body { event, direction, protocol, time, stream, cut, body }
    });
    Ok(serde_json::to_value(Content { bodies: bodies.collect(), trace })?)
}

async fn forget(call: Call) -> Answer {
    let (tenant, asked) = (call.tenant()?, call.body::<Erase>()?);
    if asked.before.as_ref().is_some_and(|day| day.parse::<jiff::civil::Date>().is_err()) {
        return Err(AdminError::bad("`before` is a day, written YYYY-MM-DD".to_owned()));
    }
    let vault = vault(&call)?;
    let (before, reason) = (asked.before.as_deref(), reason(&asked.reason)?);
    let gone = erase(vault.store(), &tenant, before, call.operator.name(), reason).await?;
    vault.close(&tenant);
    // The key of the pseudonyms is gone with the others; what cannot be opened need not be kept.
    if before.is_none() {
        call.shared.recorder.forget_pseudonyms(&tenant).await?;
    }
    Ok(serde_json::to_value(Erased { keys: gone.keys, contents: gone.contents })?)
}
