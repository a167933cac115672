//! `bartizan redteam`: attacks with proof.

pub(crate) mod args;
mod compare;
mod harden;
mod import;
mod judge;
mod show;

use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bartizan_client::{Client, Dialect, Endpoint, Spent};
use bartizan_redteam::{
    Fuzz, Options, Pack, Plan, RedteamError, Sink, Summary, Target, Work, fuzz, journal, rescore, run,
};
use bartizan_sign::{NoteKey, NoteVerifier, SecretRef};
use bartizan_transform::Way;

use crate::args::ConfigArgs;
use crate::problem::Problem;
use crate::{DONE, FOUND, UNREAD, config};
use args::{FuzzArgs, RedteamCommand, ReplayArgs, RunArgs, What};

/// The plan in the folder of a run.
const PLAN: &str = "plan.json";
/// The journal in the folder of a run.
const JOURNAL: &str = "journal.jsonl";
/// The signed note about the journal in the folder of a run.
const NOTE: &str = "journal.note";
/// Where agents under test find their tools, where nothing else is said.
const AGENTS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8799);

/// Where the forms of plans and probes are written down.
const FORMS: &str = "docs/guide/red-team.md shows a plan and a probe";

/// The report in the folder of a run.
const REPORT: &str = "report.json";

/// Runs `bartizan redteam`.
pub(crate) fn start(command: &RedteamCommand) -> anyhow::Result<u8> {
    match command {
        RedteamCommand::Run(args) => attack(args),
        RedteamCommand::Replay(args) => replay(args),
        RedteamCommand::Compare(args) => compare::run(args),
        RedteamCommand::Harden(args) => harden::run(args),
        RedteamCommand::Judge(args) => judge::run(args),
        RedteamCommand::Fuzz(args) => search(args),
        RedteamCommand::Import(args) => import::run(args),
        RedteamCommand::List { what } => list(*what),
    }
}

fn problem(error: &RedteamError) -> Problem {
    let help = match error {
        RedteamError::Gate { .. } => "docs/guide/red-team.md lists the measures",
        RedteamError::Probe { .. } | RedteamError::File { .. } => FORMS,
        RedteamError::Journal { .. } => "give another folder with --out, or look at the file",
        RedteamError::Complete { .. } => "give another folder with --out; --resume shows these figures again",
        _ => return Problem::new(error.to_string()),
    };
    Problem::new(error.to_string()).help(help)
}

fn list(what: What) -> anyhow::Result<u8> {
    let pack = Pack::built_in().map_err(|e| problem(&e))?;
    let mut out = std::io::stdout().lock();
    match what {
        What::Probes => {
            for probe in &pack.probe {
                writeln!(out, "{:<28} {:<24} {}", probe.id, probe.risk.join(" "), probe.title)?;
            }
        }
        What::Transforms => {
            for way in Way::all() {
                let seen = if way.seen_in_training() { "in the classifier's training" } else { "" };
                writeln!(out, "{:<28} {seen}", way.name())?;
            }
            for name in pack.frames.keys() {
                writeln!(out, "frame:{name}")?;
            }
        }
    }
    Ok(DONE)
}

/// The plan of the file with what the flags say.
fn planned(args: &RunArgs) -> anyhow::Result<Plan> {
    let mut plan = match &args.plan {
        None => Plan::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Problem::new(format!("cannot read `{}`: {e}", path.display())))?;
            let mut plan: Plan = config::toml(path, &text, FORMS)?;
            let beside = path.parent().unwrap_or(Path::new(""));
            plan.packs = plan.packs.iter().map(|p| beside.join(p).display().to_string()).collect();
            plan
        }
    };
    if let Some(url) = &args.target {
        let kind = if args.anthropic { Dialect::Anthropic } else { Dialect::Openai };
        plan.target = Some(Endpoint { kind, url: url.clone(), ..plan.target.unwrap_or_default() });
        plan.guard = false;
    }
    if args.guard {
        (plan.guard, plan.target) = (true, None);
    }
    if let Some(target) = &mut plan.target {
        if let Some(model) = &args.model {
            target.model.clone_from(model);
        }
        if let Some(key) = &args.key {
            let key = SecretRef::try_from(key.clone()).map_err(|e| Problem::of_setting("--key", e))?;
            target.key = Some(key);
        }
    }
    if !args.probe.is_empty() {
        plan.probes.clone_from(&args.probe);
    }
    if !args.transform.is_empty() {
        plan.transforms.clone_from(&args.transform);
    }
    plan.trials = args.trials.unwrap_or(plan.trials);
    plan.gates.extend(args.gate.iter().cloned());
    plan.budget.requests = args.requests.or(plan.budget.requests);
    if plan.target.is_none() && !plan.guard {
        let help = "--target URL attacks an endpoint, --guard this program's guard alone";
        return Err(Problem::new("there is no target").help(help).into());
    }
    Ok(plan)
}

fn worked(plan: Plan) -> anyhow::Result<Work> {
    let mut pack = Pack::built_in().map_err(|e| problem(&e))?;
    for path in &plan.packs {
        let text = std::fs::read_to_string(path).map_err(|e| Problem::new(format!("cannot read `{path}`: {e}")))?;
        // A mistake of form is drawn where it is.
        let _: Pack = config::toml(Path::new(path), &text, FORMS)?;
        pack.add(path, &text).map_err(|e| problem(&e))?;
    }
    Ok(Work::new(plan, pack).map_err(|e| problem(&e))?)
}

/// What is attacked, in words.
fn name_of(plan: &Plan) -> String {
    match &plan.target {
        None => "the guard of this program, with no model".to_owned(),
        Some(target) if target.kind == Dialect::Command => format!("command {}", target.command.join(" ")),
        Some(target) if target.model.is_empty() => target.url.clone(),
        Some(target) => format!("{} at {}", target.model, target.url),
    }
}

fn attack(args: &RunArgs) -> anyhow::Result<u8> {
    let plan = planned(args)?;
    let work = Arc::new(worked(plan.clone())?);
    let name = name_of(&plan);
    // What a run would refuse, a dry run refuses, and nothing of it is shown before that.
    let key = args.sign_key.as_deref().map(sign_key).transpose()?;
    let (target, concurrency, guard) = target(&plan, &args.config)?;
    let attacker = plan.attacker.clone().map(|endpoint| endpoint_of(endpoint, &plan)).transpose()?;
    show::plan(&mut std::io::stderr().lock(), &work, &name)?;
    if args.dry_run {
        return Ok(DONE);
    }
    let client = match &target {
        Target::Endpoint(client) => Some(Arc::clone(client)),
        _ => None,
    };
    let journal = args.out.join(JOURNAL);
    if journal.exists() {
        not_cut(&args.out)?;
    }
    let folder = || format!("cannot write to the folder `{}`", args.out.display());
    std::fs::create_dir_all(&args.out).with_context(folder)?;
    let text = serde_json::to_string_pretty(&plan)?;
    if !journal.exists() {
        // A run that is killed can be judged all the same.
        std::fs::write(args.out.join(PLAN), &text).with_context(folder)?;
    }
    let options = Options { attacker, guard, again: args.resume, ..Options::new(concurrency, name.as_str()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let trials = work.trials();
    let done = runtime.block_on(async {
        // An agent has to find its tools at the same place when a run goes on.
        let address = args.sink.or_else(|| plan.agent.then_some(AGENTS));
        let sink = match address {
            None => None,
            Some(address) => {
                let started = Sink::start(address).await;
                Some(Arc::new(started.map_err(|e| Problem::new(format!("cannot listen on `{address}`: {e}")))?))
            }
        };
        let mut shown = std::time::Instant::now();
        let terminal = std::io::stderr().is_terminal();
        let progress = |done: u64| {
            if terminal && (shown.elapsed().as_millis() > 200 || done == trials) {
                shown = std::time::Instant::now();
                // A terminal that is gone shows nothing.
                let _ = write!(std::io::stderr(), "\r{done} of {trials} trials ");
            }
        };
        let done = run(Arc::clone(&work), target, sink, &journal, &options, progress).await.map_err(|e| problem(&e))?;
        if terminal {
            let _ = writeln!(std::io::stderr());
        }
        anyhow::Ok(done)
    })?;
    std::fs::write(args.out.join(PLAN), text).with_context(folder)?;
    if done.earlier > 0 {
        writeln!(std::io::stderr(), "{} of {trials} trials are of an earlier run in this folder", done.earlier)?;
    }
    if let Some(key) = key {
        let note = journal::sealed(&journal, &key).map_err(|e| problem(&e))?;
        std::fs::write(args.out.join(NOTE), note).with_context(folder)?;
    }
    if let Some(client) = client {
        show::spent(&mut std::io::stderr().lock(), client.spent(), plan.target.as_ref())?;
    }
    let summary = Summary::new(&work, &done.tally, &name, done.stopped);
    std::fs::write(args.out.join(REPORT), serde_json::to_string_pretty(&summary)?).with_context(folder)?;
    show::summary(&summary, args.format, &work, args.plan.as_deref().unwrap_or(&journal))?;
    Ok(code(&summary))
}

fn sign_key(text: &str) -> anyhow::Result<NoteKey> {
    let wrong = |e: String| Problem::of_setting("--sign-key", e).help("`bartizan report new-key FILE` makes one");
    let secret = SecretRef::try_from(text.to_owned()).map_err(|e| wrong(e.to_string()))?;
    Ok(NoteKey::parse(&secret.resolve().map_err(wrong)?).map_err(|e| wrong(e.to_string()))?)
}

/// Whether the journal is as its signed note says.
fn verified(folder: &Path, key: &str) -> anyhow::Result<()> {
    let key = NoteVerifier::parse(key).map_err(|e| Problem::of_setting("--verify-key", e))?;
    let path = folder.join(NOTE);
    let note = std::fs::read_to_string(&path).map_err(|e| {
        Problem::new(format!("cannot read `{}`: {e}", path.display()))
            .help("`bartizan redteam run --sign-key` writes it")
    })?;
    Ok(journal::verify(&folder.join(JOURNAL), &note, &key).map_err(|e| problem(&e))?)
}

/// Whether the journal goes as far as a signed note beside it says. That needs no key; who signed is not asked.
fn not_cut(folder: &Path) -> anyhow::Result<()> {
    let (note, journal) = (folder.join(NOTE), folder.join(JOURNAL));
    if !note.exists() {
        return Ok(());
    }
    let text =
        std::fs::read_to_string(&note).map_err(|e| Problem::new(format!("cannot read `{}`: {e}", note.display())))?;
    let more = journal::behind(&journal, &text).map_err(|e| {
        let help = format!("what was cut off is in no figure; without `{}` the rest is taken as it is", note.display());
        Problem::new(e.to_string()).help(help)
    })?;
    if more > 0 {
        let behind = "and stand behind what its signed note is about";
        writeln!(std::io::stderr(), "{more} records of `{}` were added later {behind}", journal.display())?;
    }
    Ok(())
}

/// An endpoint, with a budget of its own of the plan's size.
fn endpoint_of(endpoint: Endpoint, plan: &Plan) -> anyhow::Result<Target> {
    let spent = Arc::new(Spent::new(plan.budget, endpoint.price));
    let client = Client::new(endpoint, spent).map_err(|e| Problem::of_endpoint(&e))?;
    Ok(Target::Endpoint(Arc::new(client)))
}

/// What a plan attacks, how many trials may be under way at once, and the digest of the guard where that is all.
fn target(plan: &Plan, config: &ConfigArgs) -> anyhow::Result<(Target, usize, String)> {
    match &plan.target {
        Some(endpoint) => Ok((endpoint_of(endpoint.clone(), plan)?, endpoint.concurrency, String::new())),
        None => {
            let loaded = config::load(config, &[])?;
            let guard = loaded.guard()?;
            let digest =
                format!("{}/{}/{}", env!("CARGO_PKG_VERSION"), loaded.digest(), serde_json::to_string(guard.id())?);
            Ok((Target::Guard(Arc::new(guard)), cores(), digest))
        }
    }
}

fn search(args: &FuzzArgs) -> anyhow::Result<u8> {
    let guard = config::load(&args.config, &[])?.guard()?;
    let pack = Pack::built_in().map_err(|e| problem(&e))?;
    let threads = args.threads.unwrap_or_else(cores);
    let how = Fuzz { prompts: args.prompts, threads, seed: args.seed };
    let found = fuzz(&guard, &pack, how).map_err(|e| problem(&e))?;
    let mut out = std::io::stdout().lock();
    for evasion in &found.evasions {
        serde_json::to_writer(&mut out, evasion)?;
        writeln!(out)?;
    }
    out.flush()?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = found.prompts as f64 / found.seconds * 60.0;
    let mut errors = std::io::stderr().lock();
    writeln!(
        errors,
        "{} prompts in {:.1} s, {rate:.0} a minute; {} let through",
        found.prompts, found.seconds, found.passed
    )?;
    writeln!(
        errors,
        "{} wordings stopped as they are, {} of them let through in some way of writing; {} let through as they are",
        found.stopped,
        found.evasions.len(),
        found.open
    )?;
    writeln!(errors, "{} sets of rules fired", found.coverage.len())?;
    Ok(DONE)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// The plan and journal of a folder.
fn recorded(folder: &Path) -> anyhow::Result<(Work, std::path::PathBuf)> {
    if folder.join(JOURNAL).exists() {
        not_cut(folder)?;
    }
    let path = folder.join(PLAN);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        let help = "give the folder that `bartizan redteam run --out` wrote";
        Problem::new(format!("cannot read `{}`: {e}", path.display())).help(help)
    })?;
    let plan: Plan =
        serde_json::from_str(&text).map_err(|e| Problem::new(format!("`{}` is no plan: {e}", path.display())))?;
    Ok((worked(plan)?, folder.join(JOURNAL)))
}

fn replay(args: &ReplayArgs) -> anyhow::Result<u8> {
    if let Some(key) = &args.verify_key {
        verified(&args.folder, key)?;
    }
    let (work, journal) = recorded(&args.folder)?;
    let mut changed = 0u64;
    let (tally, head) = rescore(&work, &journal, |before, now| changed += u64::from(before.evidence.step != now.step))
        .map_err(|e| problem(&e))?;
    let summary = Summary::new(&work, &tally, &head.target, None);
    writeln!(std::io::stderr(), "{} trials judged again, {changed} differently", summary.done)?;
    show::summary(&summary, args.format, &work, &journal)?;
    Ok(code(&summary))
}

/// What the exit code says.
fn code(summary: &Summary) -> u8 {
    // Of the guard alone nothing can be proven: what it let through counts, as in a measured rate and in JUnit.
    let worked = summary.total.attacks.iter().any(|(step, count)| step.is_success() && *count > 0);
    if !summary.passes() || (summary.gates.is_empty() && worked) {
        return FOUND;
    }
    if summary.complete && summary.errors() == 0 { DONE } else { UNREAD }
}
