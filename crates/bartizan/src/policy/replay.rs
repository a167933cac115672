//! `bartizan policy replay`: past traffic under a changed policy.

use std::path::Path;
use std::sync::Arc;

use bartizan_core::{Deed, Event, EventStore, SealedStore, Verdict};
use bartizan_guard::{Desk, Opened, Recorder, Replay, Replayed, Vault, deed};
use bartizan_policy::provenance::{Bounds, Known, Ledger, Rules, With, decisions};
use bartizan_store::Evidence;

use super::agents::{PolicyFile, Seen, fitting, for_each, policy};
use super::args::{PolicyReplayArgs, RecordedArgs};
use super::compare::{Comparison, Place};
use crate::args::ListFormat;
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::record::{actor, block_on, close, reason, role_of, shared};
use crate::recorded::{self, Wanted};
use crate::{DONE, FOUND, UNREAD, evidence, keys, store};

/// `bartizan policy replay`.
pub(crate) fn run(args: &PolicyReplayArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.config, &[])?.config;
    let then = policy(&args.policy)?;
    let (now, name) = in_force(&config, args.now.as_deref())?;
    let mut all = Comparison::default();
    for file in &args.runs {
        runs(args, &config, file, now.as_ref(), &then, &mut all)?;
    }
    if args.runs.is_empty() || args.recorded.is_given() {
        block_on(recordings(args, &config, now.clone(), &then, &mut all))?;
    }
    let mut out = std::io::stdout().lock();
    let then = args.policy.display().to_string();
    match args.format {
        ListFormat::Json => all.json(&mut out, (&name, &then))?,
        ListFormat::Human => all.human(&mut out, (&name, &then))?,
    }
    Ok(match (all.is_met(args.fail_on), all.unread()) {
        (true, _) => FOUND,
        (false, 0) => DONE,
        (false, _) => UNREAD,
    })
}

/// The policy of a file, else of the configuration, and what it is called.
pub(super) fn in_force(config: &Config, file: Option<&Path>) -> anyhow::Result<(Option<Arc<Rules>>, String)> {
    if let Some(file) = file {
        return Ok((Some(policy(file)?.rules), file.display().to_string()));
    }
    let Some(file) = &config.policy.agents.policy else { return Ok((None, "no policy file".to_owned())) };
    let rules = file.rules().map_err(|fault| Problem::new(format!("`{}`: {fault}", file.path)))?;
    Ok((Some(rules), file.path.clone()))
}

/// Runs of a file, with what the configuration says about agents besides a policy.
fn runs(
    args: &PolicyReplayArgs,
    config: &Config,
    file: &Path,
    now: Option<&Arc<Rules>>,
    then: &PolicyFile,
    all: &mut Comparison,
) -> anyhow::Result<()> {
    let agents = &config.policy.agents;
    let coding = agents.coding().map_err(|fault| Problem::new(fault.to_string()))?;
    let bounds = Bounds { calls: agents.max_calls as usize, repeats: agents.max_repeats as usize };
    // The same answers each time, and nothing of a file is forgotten.
    let ledger = || args.linked.then(|| Known::new(Arc::new(Ledger::seeded(1, i64::MAX, 1 << 30)), &["eval"], 0));
    let with = |rules: Option<Arc<Rules>>, known| With { rules, known, coding: coding.clone(), bounds };
    let by_now = with(now.cloned(), ledger());
    let by_then = with(Some(Arc::clone(&then.rules)), ledger());
    let mut seen = Seen::default();
    for_each(file, |number, run| {
        fitting(Some(then), &run, file, number, &mut seen)?;
        let before = decisions(&run, by_now.clone());
        let after = decisions(&run, by_then.clone());
        let id = run.id.as_str().map_or_else(|| run.id.to_string(), str::to_owned);
        let task = format!("{}:{number}", file.display());
        all.runs += 1;
        all.task(&task);
        for ((call, before), after) in run.calls.iter().zip(&before).zip(&after) {
            let content = format!("{}\0{}", call.name, call.args);
            let place = Place { run: &id, call: &call.id, tool: &call.name, task: &task, content: &content };
            all.add(place, before, after);
        }
        Ok(())
    })?;
    seen.say_idle(then);
    Ok(())
}

/// What is recorded, decided by both.
async fn recordings(
    args: &PolicyReplayArgs,
    config: &Config,
    now: Option<Arc<Rules>>,
    then: &PolicyFile,
    all: &mut Comparison,
) -> anyhow::Result<()> {
    let settings = config.guard();
    let before = Replay::new(&settings)?.with_rules(now);
    let after = Replay::new(&settings)?.with_rules(Some(Arc::clone(&then.rules)));
    let opening = Opening::new(config, &args.recorded, "policy replay").await?;
    let desk = opening.desk(config).await?;
    let (store, tenant) = (&opening.store, &args.recorded.tenant);
    let wanted = Wanted { tenant, since: args.recorded.since.as_deref(), until: args.recorded.until.as_deref() };
    let (mut exchanges, mut replies) = (0_u64, 0_u64);
    recorded::each(store.as_ref(), &opening.vault, wanted, async |exchange: &str, opened: Option<Vec<Opened>>| {
        exchanges += 1;
        let Some(opened) = opened else {
            *all.unread.entry("its content cannot be opened".to_owned()).or_default() += 1;
            return Ok(());
        };
        let events = store.exchange(tenant, exchange).await?;
        let event = reply_of(&events);
        let recorded = match before.read(&opened, event) {
            Ok(Some(recorded)) => recorded,
            Ok(None) => return Ok(()),
            Err(why) => {
                *all.unread.entry(why.to_string()).or_default() += 1;
                return Ok(());
            }
        };
        let (old, new) = (before.decide(&recorded, desk.as_ref()), after.decide(&recorded, desk.as_ref()));
        if old.is_empty() {
            return Ok(());
        }
        replies += 1;
        all.task(recorded.task());
        all.off_record += event.map_or(0, |event| off_record(event, &old));
        let id = event.map_or(exchange, |event| event.id.as_str());
        for (number, (old, new)) in old.iter().zip(&new).enumerate() {
            let (call, task) = (number.to_string(), recorded.task());
            let place = Place { run: id, call: &call, tool: &old.tool, task, content: &old.content };
            all.add(place, &old.decision, &new.decision);
        }
        Ok(())
    })
    .await?;
    all.runs += replies;
    let detail = [("exchanges", exchanges), ("replies", replies), ("calls", all.calls()), ("unread", all.unread())];
    opening.done(&detail).await
}

/// The decision about the reply, else the first there is.
pub(super) fn reply_of(events: &[Event]) -> Option<&Event> {
    let reply = events.iter().find(|event| event.direction == bartizan_core::Direction::Reply);
    reply.or_else(|| events.first())
}

/// Calls that have another verdict now than on record, but for those that a person has decided about.
fn off_record(event: &Event, calls: &[Replayed]) -> u64 {
    let decided = event.calls.iter().zip(calls).filter(|(record, _)| {
        // What waits has an approval to wait for, and its verdict is the decision's.
        record.approval.is_none() || record.verdict == Verdict::Hold
    });
    decided.filter(|(record, call)| record.verdict != call.decision.verdict).count() as u64
}

/// Recordings that are opened for a role and a reason, which is on record before.
pub(super) struct Opening<'a> {
    pub(super) store: Arc<dyn Evidence>,
    pub(super) vault: Arc<Vault>,
    args: &'a RecordedArgs,
    what: &'static str,
    role: String,
    begun: String,
}

impl<'a> Opening<'a> {
    pub(super) async fn new(config: &Config, args: &'a RecordedArgs, what: &'static str) -> anyhow::Result<Self> {
        let (Some(why), Some(key)) = (&args.reason, &args.role_key) else {
            return Err(Problem::new("what is recorded is opened for a role and a reason")
                .help("give --role-key and --reason, or files of runs")
                .into());
        };
        let why = reason(why)?;
        let role = role_of(config, key)?;
        let store = shared(config, args.store.as_ref()).await?;
        let vault = evidence::vault(config, Arc::clone(&store) as Arc<dyn SealedStore>)?
            .ok_or_else(|| Problem::new("there is no `record.master_key`, so nothing can be opened"))?;
        let mut act = deed(Deed::Hunted, &args.tenant, &actor()).about(what).because(why).with("role", &role);
        for (word, time) in [("since", &args.since), ("until", &args.until)] {
            if let Some(time) = time {
                act = act.with(word, time);
            }
        }
        // The record of it comes first: without it nothing is opened.
        let begun = act.with("step", "begun");
        let id = begun.id.clone();
        store.act(begun).await?;
        Ok(Self { store, vault, args, what, role, begun: id })
    }

    /// Values that a person has endorsed for good.
    async fn desk(&self, config: &Config) -> anyhow::Result<Option<Arc<Desk>>> {
        if !store::Place::of(config, None)?.has_keys() {
            return Ok(None);
        }
        let access = keys::open(config).await?;
        let endorsed = access.endorsed(&self.args.tenant).await;
        access.close().await;
        let recorder =
            Recorder::new(Arc::clone(&self.store) as Arc<dyn EventStore>)?.with_vault(Arc::clone(&self.vault));
        recorder.know(&self.args.tenant).await?;
        Ok(recorder.desk(&self.args.tenant, Vec::new(), endorsed?).map(Arc::new))
    }

    /// Records what was opened, and lets go of the store.
    pub(super) async fn done(self, detail: &[(&str, u64)]) -> anyhow::Result<()> {
        let why = self.args.reason.as_deref().unwrap_or_default();
        let act = deed(Deed::Hunted, &self.args.tenant, &actor()).about(self.what).because(why);
        let act = act.with("role", &self.role).with("step", "done").with("begun", &self.begun);
        self.store.act(detail.iter().fold(act, |act, (word, count)| act.with(word, count))).await?;
        drop(self.vault);
        close(self.store).await;
        Ok(())
    }
}
