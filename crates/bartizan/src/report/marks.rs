//! `bartizan report precision` and `report labels`: what people said of findings, counted and listed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use bartizan_core::{Deed, SealedStore, TenantId};
use bartizan_guard::{Marks, Tally, trace, unseal};
use bartizan_store::Evidence;
use serde_json::{Value, json};

use super::args::{LabelsArgs, PrecisionArgs};
use crate::args::ListFormat;
use crate::problem::Problem;
use crate::record::{actor, close, reason, role_of, shared};
use crate::store::{self, Use};
use crate::{DONE, config, evidence};

/// Records that are read at once.
const PAGE: u32 = 1000;

/// All that people said of decisions of a tenant.
pub(crate) async fn marks(store: &dyn Evidence, tenant: &TenantId) -> anyhow::Result<Marks> {
    let (mut marks, mut after) = (Marks::default(), None);
    loop {
        let page = store.deeds(tenant, Deed::Marked, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(marks) };
        after = Some(last.seq);
        page.iter().for_each(|act| marks.take(act));
    }
}

/// `bartizan report precision`.
pub(super) async fn precision(args: &PrecisionArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let store = store::open(&config, args.evidence.store.as_deref(), Use::Reading).await?;
    let tenant = store::whose(&config, store.as_ref(), args.tenant.as_ref()).await?;
    let marks = marks(store.as_ref(), &tenant).await?;
    let mut rules: BTreeMap<&str, (Tally, BTreeMap<&str, Tally>)> = BTreeMap::new();
    for marked in marks.since(args.since.as_deref().unwrap_or_default()) {
        let (all, months) = rules.entry(&marked.rule).or_default();
        all.count(marked.label);
        months.entry(marked.time.get(..7).unwrap_or_default()).or_default().count(marked.label);
    }
    let mut out = std::io::stdout().lock();
    if args.format == ListFormat::Json {
        let list: Vec<Value> = rules
            .iter()
            .map(|(rule, (all, months))| {
                let months: BTreeMap<&str, Value> =
                    months.iter().map(|(month, tally)| (*month, shown(tally))).collect();
                let mut line = shown(all);
                line["rule"] = json!(rule);
                line["months"] = json!(months);
                line
            })
            .collect();
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&list)?).map(|()| DONE)?);
    }
    if rules.is_empty() {
        writeln!(out, "nothing is marked; `bartizan mark EVENT false|true --reason R` does so")?;
        return Ok(DONE);
    }
    let width = rules.keys().map(|rule| rule.len()).max().unwrap_or(0);
    writeln!(out, "{:width$}  {:>7}  {:>5}  {:>5}  precision (95 % interval)", "rule", "month", "true", "false")?;
    for (rule, (all, months)) in &rules {
        let mut line = |name: &str, month: &str, tally: &Tally| {
            let (low, high) = tally.interval().unwrap_or_default();
            let share = tally.precision().unwrap_or_default();
            let (right, wrong) = (tally.right, tally.wrong);
            writeln!(out, "{name:width$}  {month:>7}  {right:>5}  {wrong:>5}  {share:.2} ({low:.2} to {high:.2})")
        };
        line(rule, "all", all)?;
        for (month, tally) in months {
            line("", month, tally)?;
        }
    }
    Ok(DONE)
}

fn shown(tally: &Tally) -> Value {
    let interval = tally.interval().map(|(low, high)| [low, high]);
    json!({"true": tally.right, "false": tally.wrong, "precision": tally.precision(), "interval": interval})
}

/// `bartizan report labels`.
pub(super) async fn labels(args: &LabelsArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let store = shared(&config, args.evidence.store.as_ref()).await?;
    store::known(&config, store.as_ref(), &args.tenant).await?;
    let opening = match &args.role_key {
        None => None,
        Some(key) => {
            let vault = evidence::vault(&config, Arc::clone(&store) as Arc<dyn SealedStore>)?;
            let vault =
                vault.ok_or_else(|| Problem::new("there is no `record.master_key`, so nothing can be opened"))?;
            let why = reason(args.reason.as_deref().unwrap_or_default())?;
            Some((vault, role_of(&config, key)?, why))
        }
    };
    let marks = marks(store.as_ref(), &args.tenant).await?;
    let mut out = std::io::stdout().lock();
    for marked in marks.since(args.since.as_deref().unwrap_or_default()) {
        let mut line = json!({
            "id": format!("{} {}", marked.event, marked.rule), "event": marked.event, "exchange": marked.exchange,
            "tenant": args.tenant, "rule": marked.rule, "label": marked.label, "time": marked.time,
            "marked": marked.marked, "actor": marked.actor, "reason": marked.reason,
        });
        if let Some(event) = store.get(&args.tenant, &marked.event).await? {
            line["direction"] = json!(event.direction);
            line["policy"] = json!(event.policy);
            line["engine"] = json!(event.engine);
        }
        if let Some((vault, role, why)) = &opening {
            // One record of the opening for each exchange: the same as by `record unseal`.
            let who = actor();
            let opened = unseal(store.as_ref(), vault, &args.tenant, &marked.exchange, (&who, role), why).await?;
            if !opened.is_empty() {
                line["messages"] = trace(&marked.exchange, &opened, &config.limits)["messages"].take();
            }
        }
        writeln!(out, "{line}")?;
    }
    drop(opening);
    close(store).await;
    Ok(DONE)
}
