//! `bartizan hunt`: a rule, perhaps a new one, over what is recorded.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_core::{Deed, RuleId, SealedStore};
use bartizan_engine::RulePattern;
use bartizan_guard::{Decision, Guard, Hunt, Opened, deed};
use bartizan_rules::PackFile;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::args::{OpeningArgs, StoreArgs, time};
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::record::{actor, block_on, close, reason, role_of, shared};
use crate::recorded::{self, Wanted};
use crate::store::known;
use crate::{DONE, FOUND, UNREAD, check, evidence, terminal};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HuntFormat {
    /// For people.
    Human,
    /// JSON lines.
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct HuntArgs {
    /// Rule id, or `family/*`
    #[arg(required_unless_present = "pack", conflicts_with = "pack")]
    pub(crate) rule: Option<String>,
    /// The rules of this pack instead
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,
    /// From this time on, RFC 3339; a day or month is the beginning of one
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: HuntFormat,
    /// Show what was found, and what is around it
    #[arg(long)]
    pub(crate) show: bool,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

/// `bartizan hunt`.
pub(crate) fn run(args: &HuntArgs) -> anyhow::Result<u8> {
    block_on(hunt(args))
}

/// The guard of the rules that are hunted, alone and without exceptions, and what they are called on record.
fn hunters(config: &Config, args: &HuntArgs) -> anyhow::Result<(Guard, String)> {
    let mut settings = config.guard();
    settings.suppress.clear();
    settings.exceptions.clear();
    settings.rules.disabled.clear();
    let problem = |error: &dyn std::fmt::Display| Problem::new(error.to_string());
    let mut pattern = None;
    let mut of_pack: Vec<RuleId> = Vec::new();
    let name = match (&args.rule, &args.pack) {
        (_, Some(path)) => {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|e| problem(&format!("cannot read `{file}`: {e}")))?;
            let pack = bartizan_rules::pack::load(&text).map_err(|e| problem(&format!("`{file}`: {e}")))?;
            of_pack.extend(pack.iter().flat_map(|d| d.rules()).map(|rule| rule.id.clone()));
            // The same rules may be in a pack of the configuration, in an earlier form.
            settings.rules.packs.retain(|known| Path::new(&known.path) != path);
            settings.rules.packs.push(PackFile { path: file, text: Some(text) });
            of_pack.iter().map(RuleId::as_str).collect::<Vec<_>>().join(" ")
        }
        (Some(rule), None) => {
            pattern = Some(RulePattern::try_from(rule.clone()).map_err(Problem::new)?);
            rule.clone()
        }
        (None, None) => return Err(Problem::new("name a rule, or give --pack FILE").into()),
    };
    let wanted = |id: &RuleId| pattern.as_ref().map_or_else(|| of_pack.contains(id), |pattern| pattern.matches(id));
    let all = bartizan_rules::rules(&settings.rules_in_force()).map_err(|e| problem(&e))?;
    let (hunted, others): (Vec<_>, Vec<_>) = all.into_iter().map(|rule| rule.id).partition(|id| wanted(id));
    if hunted.is_empty() {
        let title = format!("there is no rule `{}`", terminal::line(&name));
        return Err(Problem::new(title).help("`bartizan rules list` shows those there are").into());
    }
    settings.rules.disabled = others.iter().map(ToString::to_string).collect();
    Ok((Guard::new(&settings).map_err(|e| problem(&e))?, name))
}

/// How far it came.
#[derive(Default)]
struct Count {
    exchanges: u64,
    bodies: u64,
    unread: u64,
    findings: u64,
}

async fn hunt(args: &HuntArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let why = reason(&args.opening.reason)?;
    let role = role_of(&config, &args.opening.role_key)?;
    let (guard, name) = hunters(&config, args)?;
    let store = shared(&config, args.evidence.store.as_ref()).await?;
    known(&config, store.as_ref(), &args.opening.tenant).await?;
    let vault = evidence::vault(&config, Arc::clone(&store) as Arc<dyn SealedStore>)?
        .ok_or_else(|| Problem::new("there is no `record.master_key`, so nothing can be opened"))?;
    let act = || {
        let mut act = deed(Deed::Hunted, &args.opening.tenant, &actor()).about(&name).because(why).with("role", &role);
        for (word, time) in [("since", &args.since), ("until", &args.until)] {
            if let Some(time) = time {
                act = act.with(word, time);
            }
        }
        act
    };
    // The record of it comes first: without it nothing is opened.
    let begun = act().with("step", "begun");
    let id = begun.id.clone();
    store.act(begun).await?;
    let mut count = Count::default();
    let wanted = Wanted { tenant: &args.opening.tenant, since: args.since.as_deref(), until: args.until.as_deref() };
    recorded::each(store.as_ref(), &vault, wanted, async |exchange: &str, opened: Option<Vec<Opened>>| {
        count.exchanges += 1;
        let Some(opened) = opened else {
            count.unread += 1;
            return Ok(());
        };
        let mut hunt = Hunt::new(&guard);
        for body in &opened {
            count.bodies += 1;
            // What was cut while it was recorded was not read to its end.
            count.unread += u64::from(body.cut);
            match hunt.examine(body) {
                Ok(decision) => {
                    count.findings += decision.findings.len() as u64;
                    if !decision.findings.is_empty() {
                        show(args, &guard, exchange, body, decision)?;
                    }
                }
                Err(_) => count.unread += 1,
            }
        }
        Ok(())
    })
    .await?;
    let Count { exchanges, bodies, unread, findings } = count;
    let faults = recorded::faults(store.as_ref(), Some(wanted)).await?;
    let altered = faults.iter().filter(|fault| fault.altered).count() as u64;
    let missing = faults.len() as u64 - altered;
    let done = act().with("step", "done").with("begun", id).with("exchanges", exchanges).with("bodies", bodies);
    let done = done.with("unread", unread).with("findings", findings).with("missing", missing).with("altered", altered);
    store.act(done).await?;
    drop(vault);
    close(store).await;
    let mut out = std::io::stdout().lock();
    match args.format {
        HuntFormat::Jsonl => {
            let summary = json!({"exchanges": exchanges, "bodies": bodies, "unread": unread, "findings": findings,
                "missing": missing, "altered": altered});
            writeln!(out, "{}", json!({ "summary": summary }))?;
        }
        HuntFormat::Human => {
            writeln!(
                out,
                "{findings} findings in {bodies} bodies of {exchanges} exchanges; {unread} not read in full"
            )?;
            if let Some(told) = recorded::told(&faults) {
                writeln!(out, "{told}")?;
            }
        }
    }
    // What was taken away or changed was not read, and somebody had a reason.
    Ok(match (findings + missing + altered, unread) {
        (0, 0) => DONE,
        (0, _) => UNREAD,
        _ => FOUND,
    })
}

/// Findings with their places; what was matched only where that is asked for.
fn show(args: &HuntArgs, guard: &Guard, exchange: &str, body: &Opened, decision: Decision) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let name = format!("{} ({}, {})", body.event, body.direction, body.time);
    match args.format {
        HuntFormat::Human if args.show => check::draw(&mut out, &name, body.body.len(), &decision, guard)?,
        HuntFormat::Human => {
            for finding in &decision.findings {
                let (span, path) = (finding.span(), finding.at.path().unwrap_or_default());
                let place = format!("{}:{}-{}", terminal::line(&path), span.start, span.end);
                let (rule, severity, confidence) = (&finding.rule, finding.severity, finding.confidence);
                writeln!(out, "{name}  {rule}  {severity}  {confidence} confidence  {place}")?;
            }
        }
        HuntFormat::Jsonl => {
            let matched: Vec<&str> =
                decision.findings.iter().zip(&decision.texts).map(|(f, text)| f.span().of(text)).collect();
            let matched = args.show.then(|| json!(matched));
            let mut line: Value = serde_json::to_value(decision.output(&body.event))?;
            line["exchange"] = json!(exchange);
            line["direction"] = json!(body.direction);
            line["time"] = json!(body.time);
            if let Some(matched) = matched {
                line["matched"] = matched;
            }
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
