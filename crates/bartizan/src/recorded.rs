//! What is recorded, opened exchange by exchange. Who calls this has shown a role and a reason, and recorded that.

use std::collections::BTreeMap;

use bartizan_core::{Act, Deed, Event, Record, TenantId};
use bartizan_guard::{Opened, Vault, recording};
use bartizan_store::Evidence;

use crate::terminal::counted;

/// Exchanges or records that are listed at once.
const PAGE: u32 = 256;

/// Recordings that are in memory at once.
const TOGETHER: usize = 16;

/// Which exchanges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) tenant: &'a TenantId,
    /// From this time on, RFC 3339 in UTC.
    pub(crate) since: Option<&'a str>,
    /// Before this time.
    pub(crate) until: Option<&'a str>,
}

/// Gives each exchange with what is recorded of it, in the order of time; `None` where it cannot be opened.
pub(crate) async fn each(
    store: &dyn Evidence,
    vault: &Vault,
    wanted: Wanted<'_>,
    mut each: impl AsyncFnMut(&str, Option<Vec<Opened>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut after, since) = (String::new(), wanted.since.unwrap_or_default());
    loop {
        let page = store.list_sealed(wanted.tenant, since, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for exchange in &page {
            let opened = vault.open(wanted.tenant, exchange).await.ok();
            let begins = opened.as_ref().and_then(|all| all.first()).map_or("", |body| body.time.as_str());
            // Exchanges come in the order of time.
            if wanted.until.is_some_and(|until| begins >= until) {
                return Ok(());
            }
            each(exchange, opened).await?;
        }
    }
}

impl Wanted<'_> {
    fn holds(&self, event: &Event) -> bool {
        *self.tenant == event.tenant
            && self.since.is_none_or(|since| event.time.as_str() >= since)
            && self.until.is_none_or(|until| event.time.as_str() < until)
    }
}

/// A recording that is not as the chain says.
pub(crate) struct Fault {
    /// Position of the record that it belongs to.
    pub(crate) seq: u64,
    tenant: TenantId,
    time: String,
    /// True where it is there, and is another one.
    pub(crate) altered: bool,
}

/// Recordings that are not there any more though no record says that they were erased, and those that were changed. What
/// was pruned is gone together with its records. Records that say nothing of their recording, as earlier versions wrote
/// them, are not compared.
pub(crate) async fn faults(store: &dyn Evidence, wanted: Option<Wanted<'_>>) -> anyhow::Result<Vec<Fault>> {
    let (mut faults, mut after): (Vec<Fault>, _) = (Vec::new(), None);
    loop {
        let page = store.after(after, PAGE).await?;
        let Some(last) = page.last() else {
            // What was pruned meanwhile is no fault.
            let first = store.first().await?.unwrap_or_default();
            faults.retain(|fault| fault.seq >= first);
            return Ok(faults);
        };
        after = Some(last.seq());
        let mut found = compare(store, &page, wanted).await?;
        for record in &page {
            match record {
                Record::Decision(event) => faults.extend(found.remove(&event.seq)),
                // What came before it in the chain may be gone by it.
                Record::Act(act) => faults.retain(|fault| !explains(act, fault)),
            }
        }
    }
}

/// The faults among the decisions of a page, by position.
async fn compare(
    store: &dyn Evidence,
    page: &[Record],
    wanted: Option<Wanted<'_>>,
) -> anyhow::Result<BTreeMap<u64, Fault>> {
    let decisions = page.iter().filter_map(|record| match record {
        Record::Decision(event) => Some(event),
        Record::Act(_) => None,
    });
    let kept = decisions.filter(|e| !e.recording.is_empty() && wanted.is_none_or(|wanted| wanted.holds(e)));
    let kept: Vec<_> = kept.collect();
    let mut faults = BTreeMap::new();
    for some in kept.chunks(TOGETHER) {
        let ids: Vec<String> = some.iter().map(|event| event.id.clone()).collect();
        let there = store.recordings(&ids).await?;
        for event in some {
            let mut own = there.iter().filter(|content| content.event == event.id).peekable();
            let altered = own.peek().is_some();
            if !own.any(|content| recording(content) == event.recording) {
                let (tenant, time) = (event.tenant.clone(), event.time.clone());
                faults.insert(event.seq, Fault { seq: event.seq, tenant, time, altered });
            }
        }
    }
    Ok(faults)
}

/// True where a record says why a recording is not there: it was erased, by hand or by retention, or the store is a copy
/// that was made without recordings.
fn explains(act: &Act, fault: &Fault) -> bool {
    let detail = |key: &str| act.detail.get(key).map(String::as_str);
    match act.deed {
        _ if fault.altered => false,
        // A day: all of the days before it.
        Deed::Erased => act.tenant == fault.tenant && detail("before").is_none_or(|day| fault.time.as_str() < day),
        Deed::Restored => detail("content") == Some("left out"),
        _ => false,
    }
}

/// Missing and altered recordings in words; `None` where there are none.
pub(crate) fn told(faults: &[Fault]) -> Option<String> {
    let first = faults.first()?.seq;
    let altered = faults.iter().filter(|fault| fault.altered).count() as u64;
    let missing = faults.len() as u64 - altered;
    let part = |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", counted(count, "recording")));
    let parts = [
        part(missing, "of which no record says that it was erased is missing"),
        part(altered, "is not the one that its record names"),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    Some(format!("{}; the first belongs to record {first}", said.join(", ")))
}
