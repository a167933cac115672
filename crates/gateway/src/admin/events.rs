//! Records of decisions.

use std::collections::BTreeSet;

use bartizan_core::{Event, EventQuery, RuleId, StoreError, Tally};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::{AdminError, Answer, Call, Need, Operation, Parameter, TENANT};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/events",
            id: "listEvents",
            summary: "The newest decisions, newest first",
            need: Need::Look,
            query: &[
                TENANT,
                Parameter { name: "limit", summary: "How many, at most 1000; 100 if left out." },
                Parameter { name: "before", summary: "Only those before this `seq`: the next page." },
                Parameter { name: "verdict", summary: "Only with one of these verdicts, separated by commas." },
                Parameter { name: "rule", summary: "Only where one of these rules fired, separated by commas." },
                Parameter { name: "key", summary: "Only by this client key." },
                Parameter { name: "exchange", summary: "Only of this exchange." },
                Parameter { name: "since", summary: "Only from this time on, RFC 3339." },
                Parameter { name: "until", summary: "Only before this time, RFC 3339." },
            ],
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
        Operation {
            method: Method::GET,
            path: "/admin/v1/tally",
            id: "tally",
            summary: "Decisions of the last hours, counted by hour and verdict, and by rule",
            need: Need::Look,
            query: &[TENANT, Parameter { name: "hours", summary: "How many hours, at most 2160; 24 if left out." }],
            body: None,
            answer: |generator| generator.subschema_for::<Tally>(),
            run: |call| Box::pin(tally(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/chain/verify",
            id: "verifyChain",
            summary: "Recompute the chain of records, of all tenants",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<Verified>(),
            run: |call| Box::pin(verify(call)),
        },
    ]
}

async fn list(call: Call) -> Answer {
    let tenant = call.tenant()?;
    let query = EventQuery {
        since: time(&call, "since")?,
        until: time(&call, "until")?,
        rules: words(&call, "rule", |word| RuleId::parse(word).map_err(|e| e.to_string()))?,
        verdicts: words(&call, "verdict", |word| {
            serde_json::from_value(word.into()).map_err(|_| format!("`{word}` is no verdict"))
        })?,
        keys: words(&call, "key", |word| Ok(word.to_owned()))?,
        exchange: call.query("exchange").map(str::to_owned),
        after_seq: None,
        before_seq: match call.query("before").map(str::parse) {
            None => None,
            Some(Ok(seq)) => Some(seq),
            Some(Err(_)) => return Err(AdminError::bad("`before` is a position in the chain, a number".to_owned())),
        },
        limit: call.number("limit", 100, 1000)?,
    };
    let events = call.shared.recorder.store().query(&tenant, &query).await?;
    Ok(serde_json::to_value(events)?)
}

async fn one(call: Call) -> Answer {
    let tenant = call.tenant()?;
    match call.shared.recorder.store().get(&tenant, call.path("id")).await? {
        Some(event) => Ok(serde_json::to_value(event)?),
        None => Err(AdminError::not_found("this event")),
    }
}

async fn tally(call: Call) -> Answer {
    let (tenant, hours) = (call.tenant()?, call.number("hours", 24, 2160)?);
    let now = Timestamp::from_millisecond(call.shared.access.now().wall).unwrap_or(Timestamp::UNIX_EPOCH);
    let since = now.checked_sub(SignedDuration::from_hours(i64::from(hours))).unwrap_or(Timestamp::UNIX_EPOCH);
    let tally = call.shared.recorder.store().tally(&tenant, &since.to_string()).await?;
    Ok(serde_json::to_value(tally)?)
}

/// What became of recomputing the chain.
#[derive(Debug, Serialize, JsonSchema)]
struct Verified {
    /// True where every record fits.
    whole: bool,
    /// Records since the chain began, where it is whole.
    records: Option<u64>,
    /// What does not fit, where it is not.
    fault: Option<String>,
}

/// The chain is of all tenants, so it is for those who may see every tenant.
async fn verify(call: Call) -> Answer {
    if call.operator.is_limited() {
        return Err(AdminError::forbidden("the chain is of all tenants, and this key is not".to_owned()));
    }
    let verified = match call.shared.recorder.store().verify().await {
        Ok(records) => Verified { whole: true, records: Some(records), fault: None },
        Err(error @ StoreError::Broken { .. }) => {
            Verified { whole: false, records: None, fault: Some(error.to_string()) }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(serde_json::to_value(verified)?)
}

/// Words of a parameter, separated by commas.
fn words<T: Ord>(call: &Call, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<BTreeSet<T>, AdminError> {
    let words = call.query(name).unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| read(word).map_err(AdminError::bad)).collect()
}

/// A time as records have it.
pub(super) fn time(call: &Call, name: &str) -> Result<Option<String>, AdminError> {
    let Some(text) = call.query(name) else { return Ok(None) };
    match text.parse::<Timestamp>() {
        Ok(time) => Ok(Some(time.to_string())),
        Err(_) => Err(AdminError::bad(format!("`{name}` is a time such as 2026-01-31T12:00:00Z"))),
    }
}
