//! What is known of the use of keys.

use bartizan_abuse::{Listed, Measure, Signal};
use bartizan_core::Deed;
use bartizan_guard::deed;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AdminError, Answer, Call, Need, Operation, TENANT, reason};
use crate::keys::time;

/// A key and how it is used.
#[derive(Debug, Serialize, JsonSchema)]
struct Use {
    /// Name of the key; empty where none is needed.
    key: String,
    /// When it first asked, RFC 3339.
    first: String,
    /// When it last asked, RFC 3339.
    last: String,
    /// Requests in all.
    requests: u64,
    /// Whether it has a past to be measured against.
    established: bool,
    /// Signals that are raised.
    raised: Vec<RaisedView>,
    /// What is counted of it.
    counts: Vec<CountView>,
}

/// A signal that is raised.
#[derive(Debug, Serialize, JsonSchema)]
struct RaisedView {
    /// Which.
    signal: Signal,
    /// The rule that it is reported under.
    rule: String,
    /// What made it.
    measure: Measure,
    /// The count at which it was raised.
    count: u32,
    /// The level at that time.
    level: u32,
    /// When, RFC 3339.
    since: String,
    /// Until when it stays raised if nothing more of it comes, RFC 3339.
    until: String,
    /// Whether the configuration says that it is usual for this key: then it is not reported.
    expected: bool,
}

/// A count of today beside what is usual.
#[derive(Debug, Serialize, JsonSchema)]
struct CountView {
    /// What is counted.
    measure: Measure,
    /// Today, so far.
    today: u32,
    /// The most on one day of the last five weeks.
    usual: u32,
    /// From where on it is reported; null for never.
    level: Option<u32>,
}

/// What is taken for usual.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Accept {
    /// Name of the key; left out for callers that need none.
    #[serde(default)]
    key: String,
    /// The signal.
    signal: Signal,
    /// Why; it goes on record.
    reason: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/abuse",
            id: "listUse",
            summary: "How the keys of the tenant are used, beside what is usual for each",
            need: Need::Look,
            query: &[TENANT],
            body: None,
            answer: |generator| generator.subschema_for::<Vec<Use>>(),
            run: |call| Box::pin(list(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/abuse/accept",
            id: "acceptUse",
            summary: "Take what has raised a signal of a key for usual",
            need: Need::Change,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Accept>()),
            answer: |generator| generator.subschema_for::<Use>(),
            run: |call| Box::pin(accept(call)),
        },
    ]
}

fn view(Listed { key, standing, expected }: Listed) -> Use {
    let raised = standing.raised.iter().map(|one| RaisedView {
        signal: one.signal,
        rule: one.signal.rule().to_string(),
        measure: one.measure,
        count: one.count,
        level: one.level,
        since: time(one.since),
        until: time(one.until),
        expected: expected.has(one.signal),
    });
    let counts = standing.counts.iter().map(|count| CountView {
        measure: count.measure,
        today: count.today,
        usual: count.usual,
        level: count.level,
    });
    Use {
        key: key.to_string(),
        first: time(standing.first),
        last: time(standing.last),
        requests: standing.requests,
        established: standing.established,
        raised: raised.collect(),
        counts: counts.collect(),
    }
}

async fn list(call: Call) -> Answer {
    let tenant = call.tenant()?;
    let access = &call.shared.access;
    let keys: Vec<Use> = access.watching.list(&tenant, access.now()).into_iter().map(view).collect();
    Ok(serde_json::to_value(keys)?)
}

async fn accept(call: Call) -> Answer {
    let (tenant, Accept { key, signal, reason: why }) = (call.tenant()?, call.body()?);
    let why = reason(&why)?;
    let access = &call.shared.access;
    if !access.watching.accept(&tenant, &key, signal) {
        return Err(AdminError::not_found("this signal of this key"));
    }
    let act = deed(Deed::UseAccepted, &tenant, call.operator.name()).about(&key).because(why);
    call.shared.recorder.store().act(act.with("signal", signal)).await?;
    let found = access.watching.list(&tenant, access.now()).into_iter().find(|one| *one.key == *key);
    Ok(serde_json::to_value(view(found.ok_or_else(|| AdminError::not_found("this key"))?))?)
}
