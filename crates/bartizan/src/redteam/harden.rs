//! `bartizan redteam harden`: from what got through to a rule that is staged.

mod args;
mod stage;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bartizan_guard::Settings;
use bartizan_redteam::harden::{
    Asking, Effect, Given, Hardened, Part, Proof, Proposal, Regression, harden, harmless, prove, regressed,
};
use bartizan_redteam::report::before_after::{hardened_html, hardened_markdown};
use serde::Serialize;

pub(crate) use args::HardenArgs;
use args::HardenFormat;

use super::{problem, recorded, target};
use crate::config::{self, Loaded};
use crate::problem::Problem;
use crate::terminal::{self, Style};
use crate::{DONE, FOUND};

/// Proposals in the folder of a run.
const PROPOSALS: &str = "harden.json";

/// Runs it.
pub(super) fn run(args: &HardenArgs) -> anyhow::Result<u8> {
    if args.check {
        return check(args);
    }
    let Some(folder) = &args.folder else {
        return Err(Problem::new("there is no run")
            .help("give the folder that `bartizan redteam run --out` wrote")
            .into());
    };
    match &args.accept {
        Some(id) => accept(args, folder, id),
        None => propose(args, folder),
    }
}

/// What decides now: what is staged, if anything is, and otherwise what is in force.
fn basis(loaded: &Loaded) -> Settings {
    loaded.config.candidate_guard().unwrap_or_else(|| loaded.config.guard())
}

fn benign(args: &HardenArgs) -> anyhow::Result<Vec<bartizan_client::Ask>> {
    let Some(path) = &args.benign else { return Ok(Vec::new()) };
    let text =
        std::fs::read_to_string(path).map_err(|e| Problem::new(format!("cannot read `{}`: {e}", path.display())))?;
    Ok(harmless(path, &text).map_err(|e| problem(&e))?)
}

fn propose(args: &HardenArgs, folder: &Path) -> anyhow::Result<u8> {
    let loaded = config::load(&args.config, &[])?;
    let (work, journal) = recorded(folder)?;
    let (settings, texts) = (basis(&loaded), benign(args)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let asking = match args.ask {
        true => Some(Asking { target: target(&work.plan, &args.config)?.0, most: args.tries }),
        false => None,
    };
    let given = Given { work: &work, journal: &journal, settings: &settings };
    let hardened =
        runtime.block_on(harden(given, &texts, asking.as_ref(), args.most_blocked)).map_err(|e| problem(&e))?;
    let path = folder.join(PROPOSALS);
    std::fs::write(&path, serde_json::to_string_pretty(&hardened)?)
        .map_err(|e| Problem::new(format!("cannot write `{}`: {e}", path.display())))?;
    let mut out = std::io::stdout().lock();
    match args.format {
        HardenFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&hardened)?)?,
        HardenFormat::Human => show(&mut out, &hardened, folder)?,
        HardenFormat::Markdown => write!(out, "{}", hardened_markdown(&hardened))?,
        HardenFormat::Html => write!(out, "{}", hardened_html(&hardened))?,
    }
    Ok(DONE)
}

fn percent(part: &Part) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    let share = if part.of == 0 { 0.0 } else { part.hits as f64 / part.of as f64 };
    let of = |x: f64| format!("{:.1}", x * 100.0);
    format!("{} of {}, {} % ({}–{})", part.hits, part.of, of(share), of(part.interval.low), of(part.interval.high))
}

fn effect(out: &mut impl std::io::Write, effect: &Effect) -> std::io::Result<()> {
    writeln!(out, "  attacks that work: {} → {}", percent(&effect.before), percent(&effect.after))?;
    writeln!(
        out,
        "  harmless texts stopped: {} → {}",
        percent(&effect.blocked_before),
        percent(&effect.blocked_after)
    )?;
    writeln!(out, "  of harmless texts that it was not made with it stops: {}", percent(&effect.blocked_unseen))?;
    if !effect.newly_blocked.is_empty() {
        writeln!(out, "  newly stopped, for example: {}", terminal::line(&effect.newly_blocked.join(", ")))?;
    }
    Ok(())
}

fn show(out: &mut impl std::io::Write, hardened: &Hardened, folder: &Path) -> std::io::Result<()> {
    let color = terminal::colored_stdout();
    writeln!(
        out,
        "{} of {} attacks worked; the guard as configured stops {} of them",
        hardened.worked, hardened.attacks, hardened.stopped
    )?;
    if hardened.left_out > 0 {
        writeln!(out, "{} records were too many to look at", hardened.left_out)?;
    }
    for (at, group) in hardened.groups.iter().enumerate() {
        writeln!(
            out,
            "\n{}",
            terminal::paint(&format!("group {}: {}", at + 1, group.probes.join(", ")), Style::Heading, color)
        )?;
        for attack in &group.attacks {
            writeln!(
                out,
                "  {} {} (×{}): {}",
                attack.probe,
                attack.wording,
                attack.times,
                terminal::line(&attack.text)
            )?;
        }
        if !hardened.proposals.iter().any(|p| p.group == Some(at)) {
            writeln!(out, "  no words of it can be told from harmless texts")?;
        }
    }
    for proposal in &hardened.proposals {
        let from = proposal.group.map_or(String::new(), |at| format!(" (group {})", at + 1));
        let line = format!("{}{from}  {}", proposal.id, proposal.change.words());
        writeln!(out, "\n{}", terminal::paint(&terminal::line(&line), Style::Heading, color))?;
        effect(out, &proposal.effect)?;
        writeln!(out, "  held out: {}", proposal.held_out.words())?;
    }
    match hardened.proposals.first() {
        None => writeln!(out, "\nnothing to propose"),
        Some(first) => writeln!(
            out,
            "\nnothing is changed yet; to stage one: bartizan redteam harden {} --accept {}",
            folder.display(),
            first.id
        ),
    }
}

fn accept(args: &HardenArgs, folder: &Path, id: &str) -> anyhow::Result<u8> {
    let (work, journal) = recorded(folder)?;
    let path = folder.join(PROPOSALS);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        let help = "`bartizan redteam harden FOLDER` without --accept makes proposals";
        Problem::new(format!("cannot read `{}`: {e}", path.display())).help(help)
    })?;
    let hardened: Hardened = serde_json::from_str(&text)
        .map_err(|e| Problem::new(format!("`{}` holds no proposals: {e}", path.display())))?;
    if hardened.plan != work.digest() {
        return Err(Problem::new(format!("the proposals in `{}` are for another plan", path.display())).into());
    }
    let Some(proposal) = hardened.proposals.iter().find(|p| p.id == id) else {
        let ids: Vec<&str> = hardened.proposals.iter().map(|p| p.id.as_str()).collect();
        return Err(Problem::new(format!("no proposal is `{id}`"))
            .help(format!("there are: {}", ids.join(", ")))
            .into());
    };
    let loaded = config::load(&args.config, &[])?;
    let (settings, texts) = (basis(&loaded), benign(args)?);
    let staged = stage::Staged::write(&loaded, &proposal.change)?;
    // It is judged as the gateway will read it, not as it was meant.
    let proved = read_back(&staged).and_then(|with| {
        let given = Given { work: &work, journal: &journal, settings: &settings };
        let proof = prove(given, &texts, &hardened, proposal, &with).map_err(|e| problem(&e))?;
        if proof.effect.gained() == 0 {
            let help = "the configuration says something that comes before it";
            return Err(Problem::new("the change stops nothing as it stands").help(help).into());
        }
        let version = staged.keep(proposal, &proof)?;
        Ok((proof, version))
    });
    let (proof, version) = match proved {
        Ok(done) => done,
        Err(error) => {
            staged.undo();
            return Err(error);
        }
    };
    report(args.format, &staged, proposal, &proof, version)?;
    Ok(DONE)
}

fn read_back(staged: &stage::Staged) -> anyhow::Result<Settings> {
    let args = crate::args::ConfigArgs { config: Some(staged.config.clone()) };
    let read = config::load(&args, &[])?;
    Ok(read.config.candidate_guard().ok_or_else(|| Problem::new("the change was not staged"))?)
}

/// What was done, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    id: &'a str,
    version: u64,
    candidate: &'a Path,
    cases: &'a Path,
    effect: &'a Effect,
    held_out: &'a bartizan_redteam::harden::HeldOut,
}

fn report(
    format: HardenFormat,
    staged: &stage::Staged,
    proposal: &Proposal,
    proof: &Proof,
    version: u64,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if format == HardenFormat::Json {
        let report = Report {
            id: &proposal.id,
            version,
            candidate: &staged.candidate,
            cases: &staged.cases(),
            effect: &proof.effect,
            held_out: &proof.held_out,
        };
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "{}", terminal::line(&proposal.change.words()))?;
    effect(&mut out, &proof.effect)?;
    writeln!(out, "  held out: {}", proof.held_out.words())?;
    writeln!(
        out,
        "staged as version {version} in `{}`: judged beside the policy in force and counted, never carried out",
        staged.candidate.display()
    )?;
    writeln!(
        out,
        "{} cases are kept in `{}`; `bartizan redteam harden --check` tries them",
        proof.cases.len(),
        staged.cases().display()
    )?;
    writeln!(
        out,
        "`bartizan policy candidate` says what it would have done; `bartizan policy promote` puts it in force"
    )?;
    Ok(())
}

/// Tries the cases of what was accepted. One that no longer behaves is a finding.
fn check(args: &HardenArgs) -> anyhow::Result<u8> {
    let loaded = config::load(&args.config, &[])?;
    let path: PathBuf = stage::kept(&loaded).join(stage::CASES);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        Problem::new(format!("cannot read `{}`: {e}", path.display())).help("--accept keeps cases there")
    })?;
    let cases: Vec<Regression> = text
        .lines()
        .enumerate()
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|e| Problem::new(format!("`{}`: line {}: {e}", path.display(), at + 1)))
        })
        .collect::<Result<_, _>>()?;
    let failed = regressed(&basis(&loaded), &cases).map_err(|e| problem(&e))?;
    let mut out = std::io::stdout().lock();
    if args.format == HardenFormat::Json {
        writeln!(out, "{}", serde_json::json!({ "cases": cases.len(), "failed": failed }))?;
    } else {
        for name in &failed {
            writeln!(out, "no longer as it was: {}", terminal::line(name))?;
        }
        writeln!(
            out,
            "{} of {} cases behave as they did when they were accepted",
            cases.len() - failed.len(),
            cases.len()
        )?;
    }
    Ok(if failed.is_empty() { DONE } else { FOUND })
}
