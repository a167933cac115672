//! `bartizan report posture`, and `bartizan verify posture` for who gets such a report.

mod bundle;
mod gather;

use std::io::Write as _;
use std::path::PathBuf;

use bartizan_core::TenantId;
use bartizan_report::{Catalogue, Input, Report, Status, Stood, build, html, markdown, of_configuration, of_records};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

pub(crate) use bundle::{VERIFY_HELP, VerifyPostureArgs, verify};

use crate::args::{ConfigArgs, time};
use crate::problem::Problem;
use crate::signing::args::{CertificateArgs, KeyPlace};
use crate::signing::{Signing, put};
use crate::terminal::{self, Style, paint};
use crate::{DONE, FOUND, config, record};

pub(crate) const HELP: &str = "\
Result files are those that other commands write with --format json or sarif, and bills of materials: scan model, data, infra
and mcp, verify model, redteam run, eval injection, and privacy test, extract, membership and compare. Each is told by its
content. What cannot be told is an error where a file is named, and is listed in the report where it is in a folder.

Exit codes: 0 the report is made; 1 the chain of records is broken, or, with --fail-on-worse, less is shown than before;
2 something cannot be read.

Examples:
  bartizan report posture
  bartizan report posture --evidence results/ --format html -o posture.html
  bartizan report posture --evidence results/ --previous last.json --format json -o now.json --fail-on-worse
  bartizan report posture --evidence results/ --bundle posture.bundle.json --key key.pem";

/// What `bartizan report posture` takes.
#[derive(Debug, Args)]
pub(crate) struct PostureArgs {
    /// Result files and folders of them; may be given again
    #[arg(long, value_name = "PATH", num_args = 1..)]
    evidence: Vec<PathBuf>,
    /// What the report is about
    #[arg(long, value_name = "NAME", default_value = "this system")]
    subject: String,
    /// Only decisions of this tenant [default: of all]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only decisions from this time on, RFC 3339; a day or month is the beginning of one
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// An earlier report in JSON: what changed since is part of this one
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Exit with 1 where less is shown than in the earlier report
    #[arg(long, requires = "previous")]
    fail_on_worse: bool,
    /// How
    #[arg(long, value_enum, default_value_t = PostureFormat::Human)]
    format: PostureFormat,
    /// Where to [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the report as a signed statement too, which `bartizan verify posture` checks
    #[arg(long, value_name = "FILE", requires = "key")]
    bundle: Option<PathBuf>,
    /// Private key in PEM that signs it: a file, or env:NAME
    #[arg(long, value_name = "KEY", requires = "bundle")]
    key: Option<KeyPlace>,
    #[command(flatten)]
    certificates: CertificateArgs,
    /// Evidence store [default: the configured one, where it is there]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PostureFormat {
    /// The main figures, for people.
    Human,
    /// All of it, for programs and for the next report.
    Json,
    /// Markdown.
    Markdown,
    /// One page that loads nothing, also for printing.
    Html,
}

/// `bartizan report posture`.
pub(crate) fn run(args: &PostureArgs) -> anyhow::Result<u8> {
    // A key that cannot be read is told before anything is counted.
    let signing = args.key.as_ref().map(|key| Signing::of(key, &args.certificates)).transpose()?;
    let loaded = config::load(&args.config, &[])?;
    let previous = args.previous.as_deref().map(gather::report).transpose()?;
    let tenant = args.tenant.as_deref().map(TenantId::authenticated).transpose()?;
    let (mut evidence, unread) = gather::files(&args.evidence)?;
    let totals = record::block_on(gather::totals(args, &loaded, tenant.as_ref()))?;
    let setup = gather::setup(&loaded, totals.as_ref().and_then(|of| of.totals.last.as_ref()))?;
    let now = Timestamp::now();
    if let Some(of) = &totals {
        evidence.extend(of_records(&gather::records(&of.path, &of.totals)));
    }
    let chain = totals.as_ref().map(gather::Counted::chain);
    let broken = chain.as_ref().is_some_and(|chain| !chain.intact);
    evidence.extend(setup.as_ref().map(|setup| of_configuration(setup, &now.to_string())));
    let report = build(Input {
        subject: &args.subject,
        version: env!("CARGO_PKG_VERSION"),
        catalogue: gather::sha256(Catalogue::text().as_bytes()),
        evidence,
        unread,
        chain,
        setup: setup.as_ref(),
        previous: previous.as_ref(),
        now,
    })?;
    let text = match args.format {
        PostureFormat::Human => human(&report, args.output.is_none() && terminal::colored_stdout()),
        PostureFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
        PostureFormat::Markdown => markdown(&report),
        PostureFormat::Html => html(&report),
    };
    match &args.output {
        Some(path) => put(path, &text)?,
        None => std::io::stdout().lock().write_all(text.as_bytes())?,
    }
    if let (Some(path), Some(signing)) = (&args.bundle, &signing) {
        put(path, &signing.sign(&bundle::statement(&report)?)?)?;
    }
    let worse = report.trend.iter().flat_map(|trend| &trend.changes).any(bartizan_report::Change::is_worse);
    Ok(if broken || args.fail_on_worse && worse { FOUND } else { DONE })
}

/// Most lines of a list for people.
const MOST: usize = 8;

fn human(report: &Report, color: bool) -> String {
    let mut lines = Vec::new();
    if let Some(chain) = report.chain.as_ref().filter(|chain| !chain.intact) {
        lines.push(paint(&format!("BROKEN CHAIN: {}", terminal::line(&chain.says)), Style::Bad, color));
    }
    lines.push(format!("posture of {}, {}", terminal::line(&report.subject), report.made));
    let names: Vec<String> = report.frameworks.iter().map(|f| format!("{} {}", f.name, f.edition)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    lines.push(paint(&format!("{:<width$}  covered  partial  none  out", "catalogue"), Style::Heading, color));
    for (framework, name) in report.frameworks.iter().zip(&names) {
        let [covered, partial, none, out] = Status::ALL.map(|status| framework.totals.of(status));
        lines.push(format!("{name:<width$}  {covered:>7}  {partial:>7}  {none:>4}  {out:>3}"));
    }
    lines.push(String::new());
    for (number, of) in report.evidence.iter().enumerate() {
        let caveat = if of.caveat.is_empty() { String::new() } else { format!(" (but {})", of.caveat) };
        let text = format!("{}: {}: {}{caveat}", of.kind.says(), of.source, of.summary);
        lines.push(format!("E{} {}", number + 1, terminal::line(&text)));
    }
    if let Some(chain) = report.chain.as_ref().filter(|chain| chain.intact) {
        lines.push(terminal::line(&format!("chain {}", chain.says)));
    }
    if report.evidence.is_empty() {
        lines.push("there is no evidence: no store, no configuration file, no result files".to_owned());
    }
    if !report.unread.is_empty() {
        lines.push(format!("{} files in folders are no results; --format json lists them", report.unread.len()));
    }
    let next = report.next();
    if !next.is_empty() {
        lines.push(String::new());
        lines.push(paint("what would show most", Style::Heading, color));
    }
    for (standing, count) in next.into_iter().take(MOST) {
        let why = if standing.why.is_empty() { standing.stood.says().to_owned() } else { standing.why.clone() };
        let command = if standing.stood == Stood::Absent { format!(": {}", standing.command) } else { String::new() };
        let text = format!("{:<18} {count:>3} identifiers need it; {why}{command}", standing.measure);
        lines.push(terminal::line(&text));
    }
    if let Some(trend) = &report.trend {
        let worse = trend.changes.iter().filter(|change| change.is_worse()).count();
        let style = if worse > 0 { Style::Bad } else { Style::Good };
        let text = format!(
            "since {}: {} identifiers stand elsewhere, {worse} of them worse",
            trend.since,
            trend.changes.len()
        );
        lines.push(String::new());
        lines.push(paint(&terminal::line(&text), style, color));
        for change in trend.changes.iter().filter(|change| change.is_worse()).take(MOST) {
            let text =
                format!("  {} {}: {}, was {}", change.framework, change.id, change.now.says(), change.before.says());
            lines.push(terminal::line(&text));
        }
    }
    lines.join("\n") + "\n"
}

/// The file of an earlier report, in words, where it cannot be used.
fn not_a_report(path: &std::path::Path, error: &bartizan_report::ReportError) -> Problem {
    Problem::new(format!("`{}`: {error}", path.display())).help("`bartizan report posture --format json` makes one")
}
