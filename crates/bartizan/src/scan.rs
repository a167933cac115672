//! `bartizan scan`: files examined at rest.

pub(crate) mod args;
mod bill;

use std::collections::BTreeMap;
use std::io::Write;

use bartizan_artifact::rules::RULES;
use bartizan_core::{Coverage, CoverageStatus, Location, Rule, RuleId, Severity};
use bartizan_scan::{Budget, File, Found};
use serde_json::{Value, json};

use self::args::ScanModelArgs;
use self::bill::Bill;
use crate::args::Gate;
use crate::check::coverage_code;
use crate::check::sarif::{level, log_of, run};
use crate::problem::Problem;
use crate::signing::args::ModelFormat;
use crate::terminal::{self, Style};
use crate::{FOUND, UNREAD};

/// Most findings that are drawn of one file.
const MOST: usize = 20;

/// What is said of paths below which there is no file of the kind.
const NOTHING: &str = "no file to examine was there, so nothing is known";

/// `bartizan scan model`.
pub(crate) fn model(args: &ScanModelArgs) -> anyhow::Result<u8> {
    let gate = args.fail_on.unwrap_or(Gate::From(Severity::High));
    let mut out = std::io::stdout().lock();
    let mut summary = Summary::default();
    let mut files = Vec::new();
    let mut failed = None;
    let mut bill = Bill::begin(args)?;
    let mut take = |file: File| {
        let severities = file.report.found.iter().map(|f| f.finding.severity);
        summary.add(file.size, severities, &file.report.coverage, gate);
        match args.format {
            ModelFormat::Human if failed.is_none() => failed = draw(&mut out, &file, gate, args.explain).err(),
            ModelFormat::Human | ModelFormat::Cyclonedx => {}
            ModelFormat::Json => files.push(record(&file, gate)),
            ModelFormat::Sarif => files.push(results(&file)),
        }
        bill.take(file);
    };
    for path in &args.paths {
        let budget = Budget::default();
        let scanned = if path.as_os_str() == "-" {
            bartizan_scan::scan_stream(std::io::stdin().lock(), "-", &budget, !args.no_hash).map(&mut take)
        } else {
            bartizan_scan::scan(path, &budget, !args.no_hash, &mut take)
        };
        scanned.map_err(|error| Problem::new(error.to_string()).help("give files or folders that can be read"))?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    match args.format {
        ModelFormat::Human => writeln!(out, "{}", summary.line())?,
        ModelFormat::Json => {
            let log = json!({ "scan": "model", "files": files, "summary": summary.record() });
            writeln!(out, "{}", serde_json::to_string_pretty(&log)?)?;
        }
        ModelFormat::Sarif => {
            writeln!(out, "{}", serde_json::to_string_pretty(&log(files, RULES.iter(), &summary, None))?)?
        }
        ModelFormat::Cyclonedx => {}
    }
    let complete = bill.end(args, gate, &mut out)?;
    out.flush()?;
    Ok(if complete { summary.exit_code(args.strict) } else { FOUND })
}

/// All files together.
#[derive(Default)]
pub(crate) struct Summary {
    files: usize,
    bytes: u64,
    stopped: usize,
    by_severity: BTreeMap<Severity, usize>,
    pub(crate) coverage: Coverage,
}

impl Summary {
    /// Adds one file of that many bytes.
    pub(crate) fn add(
        &mut self,
        bytes: u64,
        severities: impl Iterator<Item = Severity>,
        coverage: &Coverage,
        gate: Gate,
    ) {
        self.files += 1;
        self.bytes += bytes;
        let mut stops = false;
        for severity in severities {
            stops |= gate.stops(severity);
            *self.by_severity.entry(severity).or_default() += 1;
        }
        self.stopped += usize::from(stops);
        self.coverage.merge(coverage);
    }

    pub(crate) fn exit_code(&self, strict: bool) -> u8 {
        match (self.stopped, self.files) {
            (0, 0) => UNREAD,
            (0, _) => coverage_code(self.coverage.status, strict),
            _ => FOUND,
        }
    }

    pub(crate) fn record(&self) -> Value {
        let findings: BTreeMap<&str, usize> = self.by_severity.iter().map(|(s, n)| (s.as_str(), *n)).collect();
        json!({ "files": self.files, "bytes": self.bytes, "denied": self.stopped, "findings": findings, "coverage": self.coverage })
    }

    pub(crate) fn line(&self) -> String {
        if self.files == 0 {
            return NOTHING.to_owned();
        }
        let counts: Vec<_> =
            self.by_severity.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
        let found =
            if counts.is_empty() { "nothing found".to_owned() } else { format!("findings: {}", counts.join(", ")) };
        let plural = if self.files == 1 { "" } else { "s" };
        format!("{} file{plural}, {} bytes; {found}; coverage {}", self.files, self.bytes, self.coverage.status)
    }
}

fn stops(file: &File, gate: Gate) -> bool {
    file.worst().is_some_and(|worst| gate.stops(worst))
}

/// Verdict of one file. Only what was read to the end, and where nothing was found, is clean.
fn verdict(file: &File, gate: Gate) -> &'static str {
    if stops(file, gate) { "deny" } else { "allow" }
}

fn summary_of(rule: &RuleId) -> &'static str {
    RULES.iter().find(|r| r.id == *rule).map_or("", |r| r.summary.as_ref())
}

/// The member of an archive that a finding is in.
fn member(found: &Found) -> Option<&str> {
    match &found.finding.at {
        Location::Archive { member, .. } => Some(member),
        _ => None,
    }
}

fn draw(out: &mut impl Write, file: &File, gate: Gate, explain: bool) -> std::io::Result<()> {
    let color = terminal::colored_stdout();
    let report = &file.report;
    let clean = report.found.is_empty() && report.coverage.status == CoverageStatus::Complete;
    let (word, style) = match verdict(file, gate) {
        _ if clean => ("clean", Style::Good),
        "allow" => ("allow", Style::Heading),
        word => (word, Style::Bad),
    };
    let path = terminal::line(&file.path.display().to_string());
    writeln!(out, "{}: {path} ({}, {})", terminal::paint(word, style, color), report.format, report.coverage.status)?;
    for found in report.found.iter().take(MOST) {
        let at = found.finding.span().start;
        let place = member(found).map_or_else(String::new, |m| format!(" in {}", terminal::line(m)));
        let (severity, rule) = (found.finding.severity, &found.finding.rule);
        writeln!(out, "  {severity}[{rule}]: {}{place}, byte {at}", terminal::line(&found.what))?;
        if explain {
            for step in &found.chain {
                writeln!(out, "    {:#010x}  {}", step.offset, terminal::line(&step.text))?;
            }
            writeln!(out, "    {}; bartizan explain {rule}", summary_of(rule))?;
        }
    }
    if let Some(more) = report.found.len().checked_sub(MOST).filter(|more| *more > 0) {
        writeln!(out, "  … and {more} more; --format json lists all")?;
    }
    for gap in report.gaps.iter().filter(|g| g.part.kind == CoverageStatus::Partial).take(MOST) {
        let place = if gap.member.is_empty() { String::new() } else { format!(" in {}", terminal::line(&gap.member)) };
        writeln!(out, "  not examined{place}: {} ({})", terminal::line(&gap.why), gap.part.reason)?;
    }
    Ok(())
}

fn record(file: &File, gate: Gate) -> Value {
    let findings: Vec<Value> = file.report.found.iter().map(finding).collect();
    let gaps: Vec<Value> = file
        .report
        .gaps
        .iter()
        .map(|g| json!({ "kind": g.part.kind, "reason": g.part.reason, "bytes": g.part.bytes, "member": g.member, "why": g.why }))
        .collect();
    json!({
        "path": file.path.display().to_string(),
        "size": file.size,
        "sha256": file.sha256,
        "format": file.report.format,
        "verdict": verdict(file, gate),
        "findings": findings,
        "coverage": file.report.coverage,
        "gaps": gaps,
    })
}

fn finding(found: &Found) -> Value {
    let span = found.finding.span();
    let chain: Vec<Value> = found.chain.iter().map(|s| json!({ "offset": s.offset, "text": s.text })).collect();
    json!({
        "rule": found.finding.rule,
        "severity": found.finding.severity,
        "confidence": found.finding.confidence,
        "what": found.what,
        "member": member(found),
        "start": span.start,
        "end": span.end,
        "chain": chain,
    })
}

/// The results and notifications of one file, as SARIF 2.1.0.
fn results(file: &File) -> Value {
    let uri = file.path.display().to_string().replace('\\', "/");
    let found: Vec<Value> = file
        .report
        .found
        .iter()
        .map(|found| {
            let span = found.finding.span();
            let mut place = json!({ "physicalLocation": { "artifactLocation": { "uri": uri } } });
            match member(found) {
                Some(member) => place["logicalLocations"] = json!([{ "fullyQualifiedName": member, "kind": "member" }]),
                None => {
                    place["physicalLocation"]["region"] =
                        json!({ "byteOffset": span.start, "byteLength": span.end.saturating_sub(span.start) });
                }
            }
            json!({
                "ruleId": found.finding.rule,
                "ruleIndex": RULES.iter().position(|r| r.id == found.finding.rule),
                "level": level(found.finding.severity),
                "message": { "text": found.what },
                "locations": [place],
                "properties": { "severity": found.finding.severity, "confidence": found.finding.confidence },
            })
        })
        .collect();
    let unread: Vec<Value> = file
        .report
        .gaps
        .iter()
        .filter(|g| g.part.kind == CoverageStatus::Partial)
        .map(|g| {
            json!({
                "level": "warning",
                "message": { "text": format!("not examined: {}", g.why) },
                "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri } } }],
            })
        })
        .collect();
    json!({ "results": found, "unread": unread })
}

/// One log of all files; `columns` is the unit that columns are counted in.
pub(crate) fn log<'r>(
    files: Vec<Value>,
    rules: impl Iterator<Item = &'r Rule>,
    summary: &Summary,
    columns: Option<&str>,
) -> Value {
    let (mut results, mut unread) = (Vec::new(), Vec::new());
    for mut file in files {
        for (key, all) in [("results", &mut results), ("unread", &mut unread)] {
            if let Value::Array(part) = file[key].take() {
                all.extend(part);
            }
        }
    }
    if summary.files == 0 {
        unread.push(json!({ "level": "warning", "message": { "text": NOTHING } }));
    }
    let read = summary.files > 0 && summary.coverage.status != CoverageStatus::Partial;
    let mut run = run(rules, results, read, unread);
    run["properties"] = json!({ "coverage": summary.coverage });
    if let Some(unit) = columns {
        run["columnKind"] = unit.into();
    }
    log_of(run)
}
