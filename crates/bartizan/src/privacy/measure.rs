//! `bartizan privacy plant`, `test`, `extract` and `membership`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_client::{Budget, Client, Endpoint, Spent};
use bartizan_privacy::canary::{self, Planting, Signed};
use bartizan_privacy::compare as comparing;
use bartizan_privacy::exposure;
use bartizan_privacy::journal::Asked;
use bartizan_privacy::report::Report;
use bartizan_privacy::signal::{Probe, Signal};
use bartizan_privacy::stats::Estimate;
use bartizan_privacy::{corpus, extraction, membership};
use bartizan_sign::{NoteKey, NoteVerifier};

use super::args::{Best, CompareArgs, ExtractArgs, Format, MembershipArgs, PlantArgs, TargetArgs, TestArgs};
use crate::problem::Problem;
use crate::{DONE, FOUND, UNREAD};

fn problem(error: impl std::fmt::Display) -> Problem {
    Problem::new(error.to_string())
}

/// `bartizan privacy plant`.
pub(crate) fn plant(args: &PlantArgs) -> anyhow::Result<u8> {
    let key = NoteKey::parse(&args.sign_key.resolve().map_err(Problem::new)?)
        .map_err(|e| problem(e).help("`bartizan report new-key FILE` makes one"))?;
    let planting = Planting { counts: args.counts.clone(), each: args.each, digits: args.digits };
    let made = canary::plant(&args.corpus, &planting, &args.out, &args.manifest, &key).map_err(problem)?;
    let planted: Vec<_> = made.canaries.iter().filter(|canary| canary.planted).collect();
    let copies: u64 = planted.iter().map(|canary| u64::from(canary.count)).sum();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "`{}`: {} of {} canaries planted in {copies} rows among {}; train on this file",
        args.out.display(),
        planted.len(),
        made.canaries.len(),
        made.rows
    )?;
    writeln!(
        out,
        "`{}`: which ones they are, signed. It holds the secrets: keep it from who trains",
        args.manifest.display()
    )?;
    writeln!(out, "verify with: {}", key.verifier())?;
    Ok(DONE)
}

/// Asks the endpoint what it tells, and runs a test.
fn with_probe<T>(target: &TargetArgs, run: impl AsyncFnOnce(&Probe) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let probe = probe(target, target.target.as_deref(), &target.model, target.journal.as_deref()).await?;
        let done = run(&probe).await?;
        for (kind, count) in probe.asked.failures() {
            writeln!(std::io::stderr(), "{count} questions failed: {kind}")?;
        }
        Ok(done)
    })
}

async fn probe(target: &TargetArgs, url: Option<&str>, model: &str, journal: Option<&Path>) -> anyhow::Result<Probe> {
    let client = match url {
        None => None,
        Some(url) => {
            let endpoint = Endpoint {
                url: url.to_owned(),
                model: model.to_owned(),
                key: target.key.clone(),
                concurrency: target.concurrency,
                requests_per_second: target.requests_per_second,
                ..Endpoint::default()
            };
            let budget = Budget { requests: target.max_requests, ..Budget::default() };
            Some(Client::new(endpoint, Arc::new(Spent::new(budget, None))).map_err(problem)?)
        }
    };
    if client.is_none() && journal.is_none() {
        return Err(Problem::new("there is nobody to ask")
            .help("give --target URL, or --journal FILE of an earlier run")
            .into());
    }
    let asked = Asked::open(client, journal).map_err(problem)?;
    let best = match target.signal {
        Best::Echo => Signal::Echo,
        Best::Sampled => Signal::Sampled,
        Best::Text => Signal::Text,
        Best::Chat => Signal::Chat,
    };
    let refused =
        |why| Problem::new(format!("the endpoint does not answer: {why:?}")).help("check --target, --model and --key");
    Ok(Probe::detect(asked, best).await.map_err(refused)?)
}

/// `bartizan privacy test`.
pub(crate) fn test(args: &TestArgs) -> anyhow::Result<u8> {
    let verifier = args.verify_key.as_deref().map(NoteVerifier::parse).transpose().map_err(problem)?;
    let manifest = Signed::read(&args.manifest, verifier.as_ref()).map_err(problem)?;
    let effort = exposure::Effort {
        references: args.references,
        samples: args.samples,
        within: args.within,
        template: args.template.clone(),
    };
    let report = with_probe(&args.target, async |probe| Ok(exposure::test(probe, &manifest, &effort).await))?;
    if verifier.is_none() {
        writeln!(std::io::stderr(), "the signature of the manifest was not checked: give --verify-key")?;
    }
    page(args.target.html.as_deref(), &Report::Exposure(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(out, "signal: {}", report.says)?;
        writeln!(out, "exposure in bits: 1.44 is chance, {:.1} is everything; intervals are at 95 %", report.bits)?;
        writeln!(
            out,
            "{:>8}  {:>24}  {:>24}  {:>11}  {:>10}",
            "copies", "planted", "not planted", "extractable", "epsilon >="
        )?;
        for group in &report.groups {
            let epsilon = group.epsilon_at_least.map_or_else(|| "-".to_owned(), |(epsilon, _)| format!("{epsilon:.2}"));
            let known = format!("{} of {}", group.extractable, group.planted);
            let (planted, others) = (bits(group.exposure), bits(group.exposure_of_others));
            writeln!(out, "{:>8}  {planted:>24}  {others:>24}  {known:>11}  {epsilon:>10}", group.count)?;
        }
        missing(&mut out, &report.missing)?;
    }
    let known = report.groups.iter().any(|group| group.extractable > 0);
    Ok(code(known, report.missing.is_empty()))
}

fn bits(of: Option<Estimate>) -> String {
    of.map_or_else(|| "-".to_owned(), |of| format!("{:.1} ({:.1} to {:.1})", of.value, of.low, of.high))
}

fn missing(out: &mut impl std::io::Write, missing: &std::collections::BTreeMap<String, u64>) -> std::io::Result<()> {
    missing.iter().try_for_each(|(why, count)| writeln!(out, "not measured: {count} ({why})"))
}

const fn code(found: bool, complete: bool) -> u8 {
    match (found, complete) {
        (true, _) => FOUND,
        (false, true) => DONE,
        (false, false) => UNREAD,
    }
}

fn page(path: Option<&Path>, report: &Report<'_>) -> anyhow::Result<()> {
    if let Some(path) = path {
        std::fs::write(path, report.html()).map_err(|e| problem(format!("cannot write `{}`: {e}", path.display())))?;
    }
    Ok(())
}

fn read(paths: &[PathBuf], column: Option<&str>, most: usize) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for file in corpus::files(paths).map_err(problem)? {
        corpus::records(&file, column, |text| {
            if all.len() < most {
                all.push(text.trim().to_owned());
            }
            Ok(())
        })
        .map_err(problem)?;
    }
    if all.is_empty() {
        return Err(Problem::new("there is no record in what was named").into());
    }
    Ok(all)
}

/// `bartizan privacy extract`.
pub(crate) fn extract(args: &ExtractArgs) -> anyhow::Result<u8> {
    let records = read(&args.records, args.text_column.as_deref(), args.most)?;
    let effort = extraction::Effort {
        prefix: args.prefix,
        suffix: args.suffix,
        samples: args.samples,
        probability: args.probability,
    };
    let report = with_probe(&args.target, async |probe| Ok(extraction::test(probe, &records, &effort).await))?;
    page(args.target.html.as_deref(), &Report::Extraction(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        let share = |of: Estimate| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high);
        writeln!(out, "signal: {}", report.says)?;
        writeln!(out, "{} records measured, {} too short; intervals are at 95 %", report.measured, report.short)?;
        writeln!(out, "verbatim by greedy continuation: {}", share(report.verbatim))?;
        writeln!(out, "verbatim or nearly: {}", share(report.near))?;
        for (samples, count) in &report.discoverable {
            writeln!(out, "within {samples} samples with probability {}: {count} records", effort.probability)?;
        }
        for one in report.records.iter().filter(|one| one.near).take(20) {
            writeln!(out, "record {}: {:.2} of its words differ, {} in a row", one.record, one.distance, one.run)?;
        }
        missing(&mut out, &report.missing)?;
    }
    Ok(code(report.records.iter().any(|one| one.near), report.missing.is_empty()))
}

/// `bartizan privacy membership`.
pub(crate) fn members(args: &MembershipArgs) -> anyhow::Result<u8> {
    let column = args.text_column.as_deref();
    let (members, others) = (read(&args.members, column, args.most)?, read(&args.others, column, args.most)?);
    let report = with_probe(&args.target, async |own| {
        let reference = match &args.reference {
            Some(url) => {
                let journal = args.target.journal.as_ref().map(|path| path.with_extension("reference.jsonl"));
                let model = args.reference_model.as_deref().unwrap_or(&args.target.model);
                Some(probe(&args.target, Some(url), model, journal.as_deref()).await?)
            }
            None => None,
        };
        Ok(membership::test(own, reference.as_ref(), &members, &others).await)
    })?;
    page(args.target.html.as_deref(), &Report::Membership(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(out, "signal: {}", report.says)?;
        writeln!(out, "experimental; {} members and {} others; intervals are at 95 %", report.texts.0, report.texts.1)?;
        writeln!(out, "{:16}  {:>24}  {:>24}  {:>24}", "score", "AUROC", "TPR at 1 % FPR", "TPR at 0.1 % FPR")?;
        let share = |of: Option<Estimate>| {
            of.map_or_else(
                || "too few texts".to_owned(),
                |of| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high),
            )
        };
        for one in std::iter::once(&report.blind).chain(&report.scores) {
            let (auroc, one_percent) = (share(Some(one.auroc)), share(one.tpr_at_1_percent));
            writeln!(out, "{:16}  {auroc:>24}  {one_percent:>24}  {:>24}", one.score, share(one.tpr_at_0_1_percent))?;
        }
        missing(&mut out, &report.missing)?;
        writeln!(out, "{}", report.verdict)?;
    }
    Ok(if report.missing.is_empty() && !report.scores.is_empty() { DONE } else { UNREAD })
}

/// `bartizan privacy compare`.
pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<u8> {
    let read = |path: &Path| -> anyhow::Result<comparing::Report> {
        let name = path.display();
        let text = std::fs::read(path).map_err(|e| problem(format!("cannot read `{name}`: {e}")))?;
        let report = serde_json::from_slice(&text).map_err(|_| {
            Problem::new(format!("`{name}` is no report of `privacy test` or `privacy extract`"))
                .help("make it with --format json")
        })?;
        Ok(report)
    };
    let compared = comparing::compare(&read(&args.base)?, &read(&args.tuned)?).map_err(problem)?;
    let mut out = std::io::stdout().lock();
    if args.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&compared)?)?;
    } else {
        writeln!(out, "{}; {} in both reports", compared.measure, compared.compared)?;
        if let Some(note) = &compared.note {
            writeln!(out, "{note}")?;
        }
        let (base, tuned) = compared.extractable;
        writeln!(out, "extractable: {base} from the base model, {tuned} from the tuned one")?;
        for (word, changes) in [("more", &compared.more), ("less", &compared.less)] {
            writeln!(out, "{word} given away: {}", changes.len())?;
            for one in changes.iter().take(20) {
                writeln!(
                    out,
                    "  number {}: {} before, {} after",
                    one.number,
                    bits(Some(one.base)),
                    bits(Some(one.tuned))
                )?;
            }
        }
    }
    Ok(if compared.more.is_empty() { DONE } else { FOUND })
}
