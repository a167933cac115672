//! `bartizan privacy plant`, `test`, `extract` and `membership`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_client::{Budget, Client, Endpoint, FailureKind, Spent};
use bartizan_gateway::SecretRef;
use bartizan_privacy::about::{About, Signature};
use bartizan_privacy::canary::{self, Planting, Signed};
use bartizan_privacy::compare as comparing;
use bartizan_privacy::exposure::{self, Mean};
use bartizan_privacy::journal::{Asked, Missing};
use bartizan_privacy::report::{Report, counted as several};
use bartizan_privacy::signal::{Probe, Signal};
use bartizan_privacy::stats::Estimate;
use bartizan_privacy::{corpus, extraction, membership};
use bartizan_sign::{NoteKey, NoteVerifier};

use super::args::{Best, CompareArgs, ExtractArgs, Format, MembershipArgs, PlantArgs, TargetArgs, TestArgs};
use crate::problem::Problem;
use crate::terminal::counted;
use crate::{DONE, FOUND, UNREAD};

pub(super) fn problem(error: impl std::fmt::Display) -> Problem {
    Problem::new(error.to_string())
}

/// `bartizan privacy plant`.
pub(crate) fn plant(args: &PlantArgs) -> anyhow::Result<u8> {
    let wrong = |why: String| Problem::of_setting("--sign-key", why).help("`bartizan report new-key FILE` makes one");
    let key = NoteKey::parse(&args.sign_key.resolve().map_err(wrong)?).map_err(|e| wrong(e.to_string()))?;
    let planting = Planting { counts: args.counts.clone(), each: args.each, digits: args.digits };
    let made = canary::plant(&args.corpus, &planting, &args.out, &args.manifest, &key).map_err(problem)?;
    let planted: Vec<_> = made.canaries.iter().filter(|canary| canary.planted).collect();
    let copies: u64 = planted.iter().map(|canary| u64::from(canary.count)).sum();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "`{}`: {} of {} planted in {} among {}; train on this file",
        args.out.display(),
        planted.len(),
        match made.canaries.len() {
            1 => "1 canary".to_owned(),
            count => format!("{count} canaries"),
        },
        counted(copies, "row"),
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

/// Asks the endpoint what it tells, and runs a test. False where not every answer is on record that should be.
pub(super) fn with_probe<T>(
    target: &TargetArgs,
    run: impl AsyncFn(&Probe) -> anyhow::Result<T>,
) -> anyhow::Result<(T, bool)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let own = Server {
            url: target.target.as_deref(),
            model: &target.model,
            key: target.key.as_ref(),
            journal: target.journal.clone(),
        };
        let mut probe = probe(target, own).await?;
        let mut done = run(&probe).await?;
        if probe.is_untrue() {
            // Figures from such probabilities would mislead, those that look possible among them.
            probe.fall_back();
            done = run(&probe).await?;
        }
        Ok((done, told(&probe)?))
    })
}

/// Says what failed; false where not every answer is on record that should be.
pub(super) fn told(probe: &Probe) -> std::io::Result<bool> {
    for (kind, count) in probe.asked.failures() {
        writeln!(std::io::stderr(), "{count} questions failed: {kind}")?;
    }
    let unwritten = probe.asked.unwritten();
    if let Some(why) = &unwritten {
        writeln!(std::io::stderr(), "{why}")?;
    }
    Ok(unwritten.is_none())
}

/// A server that is asked, and where its answers are kept. Each has a key of its own.
struct Server<'a> {
    url: Option<&'a str>,
    model: &'a str,
    key: Option<&'a SecretRef>,
    journal: Option<PathBuf>,
}

/// Somebody else's server, by address, model and key: the key of the target is none of its business.
pub(super) async fn reference(
    target: &TargetArgs,
    (url, model, key): (Option<&str>, Option<&str>, Option<&SecretRef>),
) -> anyhow::Result<Option<Probe>> {
    if url.is_none() {
        return Ok(None);
    }
    let server = Server {
        url,
        model: model.unwrap_or(&target.model),
        key,
        journal: target.journal.as_ref().map(|path| path.with_extension("reference.jsonl")),
    };
    Ok(Some(probe(target, server).await?))
}

async fn probe(target: &TargetArgs, server: Server<'_>) -> anyhow::Result<Probe> {
    let journal = server.journal.as_deref();
    let client = match server.url {
        None => None,
        Some(url) => {
            let endpoint = Endpoint {
                url: url.to_owned(),
                model: server.model.to_owned(),
                key: server.key.cloned(),
                concurrency: target.concurrency,
                requests_per_second: target.requests_per_second,
                timeout_ms: target.timeout.saturating_mul(1000),
                ..Endpoint::default()
            };
            let budget = Budget { requests: target.max_requests, ..Budget::default() };
            Some(Client::new(endpoint, Arc::new(Spent::new(budget, None))).map_err(|e| Problem::of_endpoint(&e))?)
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
    let refused = |why: Missing| {
        let help = match why {
            Missing::Failed(FailureKind::RateLimited) => "ask less at once: --concurrency 1, or --requests-per-second",
            Missing::Failed(FailureKind::Timeout | FailureKind::SlowRequest) => "give it longer: --timeout SECONDS",
            Missing::Failed(FailureKind::Unauthorized) => "check --key",
            Missing::Failed(FailureKind::Server) => "the server itself failed: look at its log, and ask again",
            Missing::Failed(FailureKind::Budget) => "give a larger --max-requests",
            Missing::NotOnRecord => "the journal is of another test, or of other settings; give --target to ask",
            _ => "check --target, --model and --key",
        };
        Problem::new(format!("the endpoint does not answer: {why}")).help(help)
    };
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
    let (mut report, kept) =
        with_probe(&args.target, async |probe| Ok(exposure::test(probe, &manifest, &effort).await))?;
    report.about.manifest = Some(if verifier.is_some() { Signature::Verified } else { Signature::Unchecked });
    if verifier.is_none() {
        writeln!(std::io::stderr(), "the signature of the manifest was not checked: give --verify-key")?;
    }
    page(args.target.html.as_deref(), &Report::Exposure(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        about(&mut out, &report.about)?;
        writeln!(out, "signal: {}", report.says)?;
        writeln!(out, "exposure in bits: 1.44 is chance, {:.1} is everything; intervals are at 95 %", report.bits)?;
        writeln!(
            out,
            "{:>8}  {:>31}  {:>31}  {:>20}  {:>10}",
            "copies", "planted", "not planted", "extractable", "epsilon >="
        )?;
        for group in &report.groups {
            // What is refuted for all copies together is refuted for each of them by their number.
            let epsilon = group.epsilon_at_least.map_or_else(|| "-".to_owned(), |of| format!("{:.2}", of.record));
            let known = several(group.extractable, group.extractable_interval, group.planted);
            let (planted, others) = (average(group.exposure), average(group.exposure_of_others));
            writeln!(out, "{:>8}  {planted:>31}  {others:>31}  {known:>20}  {epsilon:>10}", group.count)?;
        }
        missing(&mut out, &report.missing)?;
    }
    let known = report.groups.iter().any(|group| group.extractable > 0);
    Ok(code(known, kept && report.missing.is_empty() && !report.canaries.is_empty()))
}

/// The circumstances of a report, a line each.
pub(super) fn about(out: &mut impl std::io::Write, about: &About) -> std::io::Result<()> {
    about.lines().iter().try_for_each(|(name, value)| writeln!(out, "{name}: {}", crate::terminal::line(value)))
}

fn average(of: Option<Mean>) -> String {
    let at_least = if of.is_some_and(|mean| mean.at_least) { "at least " } else { "" };
    format!("{at_least}{}", bits(of.map(|mean| mean.of)))
}

fn bits(of: Option<Estimate>) -> String {
    of.map_or_else(|| "-".to_owned(), |of| format!("{:.1} ({:.1} to {:.1})", of.value, of.low, of.high))
}

pub(super) fn missing(
    out: &mut impl std::io::Write,
    missing: &std::collections::BTreeMap<String, u64>,
) -> std::io::Result<()> {
    missing.iter().try_for_each(|(why, count)| writeln!(out, "not measured: {count} ({why})"))
}

pub(super) const fn code(found: bool, complete: bool) -> u8 {
    match (found, complete) {
        (true, _) => FOUND,
        (false, true) => DONE,
        (false, false) => UNREAD,
    }
}

pub(super) fn page(path: Option<&Path>, report: &Report<'_>) -> anyhow::Result<()> {
    if let Some(path) = path {
        std::fs::write(path, report.html()).map_err(|e| problem(format!("cannot write `{}`: {e}", path.display())))?;
    }
    Ok(())
}

pub(super) fn read(paths: &[PathBuf], column: Option<&str>, most: usize) -> anyhow::Result<Vec<String>> {
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
        let named: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(Problem::new(format!("there is no record in {}", named.join(", ")))
            .help("a record is a line of JSON lines, or a text file; --text-column names where its text is")
            .into());
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
    let (report, kept) = with_probe(&args.target, async |probe| Ok(extraction::test(probe, &records, &effort).await))?;
    page(args.target.html.as_deref(), &Report::Extraction(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        let share = |of: Option<Estimate>| {
            of.map_or_else(
                || "not measured".to_owned(),
                |of| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high),
            )
        };
        about(&mut out, &report.about)?;
        writeln!(out, "signal: {}", report.says)?;
        let measured = counted(report.measured as u64, "record");
        writeln!(out, "{measured} measured, {} too short; intervals are at 95 %", report.short)?;
        if report.short > 0 {
            let least = effort.prefix + effort.suffix;
            writeln!(
                out,
                "not measured: {} of fewer than {least} words; give a smaller --prefix and --suffix",
                report.short
            )?;
        }
        writeln!(out, "verbatim by greedy continuation: {}", share(report.verbatim))?;
        writeln!(out, "verbatim or nearly: {}", share(report.near))?;
        for (samples, count) in &report.discoverable {
            let interval = report.discoverable_interval.get(samples).copied().unwrap_or((*count, *count));
            let (samples, count) = (counted((*samples).into(), "sample"), several(*count, interval, report.measured));
            writeln!(out, "within {samples} with probability {}: {count} records", effort.probability)?;
        }
        for one in report.records.iter().filter(|one| one.near).take(20) {
            writeln!(out, "record {}: {:.2} of its words differ, {} in a row", one.record, one.distance, one.run)?;
        }
        missing(&mut out, &report.missing)?;
    }
    let complete = kept && report.missing.is_empty() && report.short == 0 && report.measured > 0;
    Ok(code(report.records.iter().any(|one| one.near), complete))
}

/// `bartizan privacy membership`.
pub(crate) fn members(args: &MembershipArgs) -> anyhow::Result<u8> {
    let column = args.text_column.as_deref();
    let (members, others) = (read(&args.members, column, args.most)?, read(&args.others, column, args.most)?);
    membership::apart(&members, &others).map_err(problem)?;
    let ((report, reference_kept), kept) = with_probe(&args.target, async |own| {
        let other = (args.reference.as_deref(), args.reference_model.as_deref(), args.reference_key.as_ref());
        let reference = reference(&args.target, other).await?;
        let report = membership::test(own, reference.as_ref(), &members, &others, args.neighbours).await;
        Ok((report, reference.as_ref().map_or(Ok(true), told)?))
    })?;
    page(args.target.html.as_deref(), &Report::Membership(&report))?;
    let mut out = std::io::stdout().lock();
    if args.target.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        about(&mut out, &report.about)?;
        writeln!(out, "signal: {}", report.says)?;
        let (members, others) = report.texts;
        let (members, others) = (counted(members as u64, "member"), counted(others as u64, "other"));
        writeln!(out, "experimental; {members} and {others}; intervals are at 95 %")?;
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
    let complete = kept && reference_kept && report.missing.is_empty() && !report.scores.is_empty();
    Ok(code(false, complete))
}

/// `bartizan privacy compare`.
pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<u8> {
    let read = |path: &Path| -> anyhow::Result<comparing::Report> {
        let name = path.display();
        let text = std::fs::read(path).map_err(|e| problem(format!("cannot read `{name}`: {e}")))?;
        let report = serde_json::from_slice(&text).map_err(|_| {
            Problem::new(format!("`{name}` is no report of `privacy test`, `extract`, `personal` or `behave`"))
                .help("make it with --format json")
        })?;
        Ok(report)
    };
    let compared = comparing::compare(&read(&args.base)?, &read(&args.tuned)?).map_err(problem)?;
    let mut out = std::io::stdout().lock();
    if args.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&compared)?)?;
    } else {
        for (name, of) in [("base", &compared.about.0), ("tuned", &compared.about.1)] {
            let target = of.target.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
            writeln!(out, "{name}: {}, {}", crate::terminal::line(&target), crate::terminal::line(&of.made))?;
        }
        writeln!(out, "{}; {} in both reports", compared.measure, compared.compared)?;
        if let Some(note) = &compared.note {
            writeln!(out, "{note}")?;
        }
        if compared.unpaired > 0 {
            writeln!(out, "not compared: {} that one of the two models was not measured on", compared.unpaired)?;
        }
        let (base, tuned) = compared.extractable;
        writeln!(out, "come out: {base} of the base model, {tuned} of the tuned one")?;
        if let Some(of) = &compared.refusals {
            writeln!(
                out,
                "refusals of {} prompts: {} lost, {} gained (sign test: p = {:.4})",
                of.prompts, of.lost, of.gained, of.p
            )?;
        }
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
    let less = compared.refusals.is_some_and(|refusals| refusals.is_less());
    Ok(code(!compared.more.is_empty() || less, compared.unpaired == 0))
}
