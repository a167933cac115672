//! A posture report as a signed statement, and the check of one, offline.
//!
//! The statement is an in-toto statement in a DSSE envelope: its predicate is the whole report, its subjects are the report
//! and the files that it was made of, by their SHA-256. Any tool that checks such envelopes can check the signature.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use bartizan_report::{Kind, LONGEST, Report, Status, html};
use bartizan_sign::{Resource, SignError, Statement};
use clap::Args;
use serde_json::{Value, json};

use super::gather;
use crate::problem::Problem;
use crate::signing::args::{TrustArgs, VerifyFormat};
use crate::signing::{put, read_bundle, read_bytes, trust};
use crate::terminal::{self, Style, paint};
use crate::{DONE, FOUND, UNREAD};

/// Type of the predicate.
const PREDICATE: &str = "urn:bartizan:posture-report:1";
/// Name of the subject that stands for the report.
const REPORT: &str = "posture report";

pub(crate) const VERIFY_HELP: &str = "\
Exit codes: 0 the signature holds, and every file that the report was made of is here as it was; 1 the signature does not
hold, or a file is missing or another; 2 something cannot be read; 3 the signature holds, and the files were not compared.

Examples:
  bartizan verify posture posture.bundle.json --public-key key.pub --evidence results/
  bartizan verify posture posture.bundle.json --certificate-chain root.pem --html posture.html";

/// What `bartizan verify posture` takes.
#[derive(Debug, Args)]
pub(crate) struct VerifyPostureArgs {
    /// The signed report, as `report posture --bundle` wrote it
    bundle: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    /// The files it was made of, or folders of them: they are compared by content, not by name
    #[arg(long, value_name = "PATH", num_args = 1..)]
    evidence: Vec<PathBuf>,
    /// Write the report as a page of HTML, once the signature holds
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value_t = VerifyFormat::Human)]
    format: VerifyFormat,
}

/// The statement about a report.
pub(super) fn statement(report: &Report) -> anyhow::Result<Statement> {
    let predicate = serde_json::to_value(report)?;
    let mut subject = vec![Resource::sha256(REPORT, digest(&predicate))];
    let files: BTreeMap<&str, &str> =
        report.evidence.iter().filter_map(|of| Some((of.sha256.as_deref()?, of.source.as_str()))).collect();
    subject.extend(files.into_iter().map(|(sha256, name)| Resource::sha256(name, sha256)));
    Ok(Statement::new(subject, PREDICATE, predicate))
}

/// SHA-256 of a report as JSON without blanks.
fn digest(predicate: &Value) -> String {
    gather::sha256(predicate.to_string().as_bytes())
}

/// What the check of a signed report says.
struct Checked {
    signer: String,
    report: Report,
    /// Each result file that the report was made of, and whether it is here.
    files: Vec<(String, bool)>,
}

fn check(args: &VerifyPostureArgs) -> anyhow::Result<Result<Checked, String>> {
    let trust = trust(&args.trust)?;
    let signed = match bartizan_sign::open(&trust, &read_bundle(&args.bundle)?) {
        Ok(signed) => signed,
        Err(error @ SignError::Unverified(_)) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let wrong = |why: &str| {
        let title = format!("`{}` is signed, but {why}", args.bundle.display());
        Problem::new(title).help("`bartizan report posture --bundle` writes one")
    };
    let statement = signed.statement;
    if statement.predicate_type != PREDICATE {
        return Err(wrong("it is no posture report").into());
    }
    if !statement.is_about(&digest(&statement.predicate)) {
        return Err(wrong("its report is not the one that it names").into());
    }
    let report = Report::parse(statement.predicate.to_string().as_bytes()).map_err(|e| wrong(&e.to_string()))?;
    let mut here = std::collections::BTreeSet::new();
    for path in &args.evidence {
        for file in gather::walk(path)? {
            // What is too long to be a result is none of the files.
            if let Ok(bytes) = read_bytes(&file, LONGEST) {
                here.insert(gather::sha256(&bytes));
            }
        }
    }
    // A configuration is named by its digest, and is not for everybody who gets a report.
    let results = report.evidence.iter().filter(|of| of.kind != Kind::Configuration);
    let files = results.filter_map(|of| Some((of.source.clone(), here.contains(of.sha256.as_ref()?)))).collect();
    Ok(Ok(Checked { signer: signed.signer.to_string(), report, files }))
}

/// `bartizan verify posture`.
pub(crate) fn verify(args: &VerifyPostureArgs) -> anyhow::Result<u8> {
    let checked = check(args)?;
    let compared = !args.evidence.is_empty();
    if let (Ok(checked), Some(path)) = (&checked, &args.html) {
        put(path, &html(&checked.report))?;
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        VerifyFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&record(&checked, compared))?)?,
        VerifyFormat::Human => human(&mut out, args, &checked, compared)?,
    }
    Ok(match checked {
        Err(_) => FOUND,
        Ok(checked) if compared && checked.files.iter().any(|(_, here)| !here) => FOUND,
        Ok(checked) if !compared && !checked.files.is_empty() => UNREAD,
        Ok(_) => DONE,
    })
}

fn record(checked: &Result<Checked, String>, compared: bool) -> Value {
    match checked {
        Err(why) => json!({ "verified": false, "reason": why }),
        Ok(checked) => {
            let files: Vec<Value> = checked
                .files
                .iter()
                .map(|(name, here)| json!({ "name": name, "here": compared.then_some(here) }))
                .collect();
            json!({ "verified": true, "signer": checked.signer, "made": checked.report.made, "files": files, "report": checked.report })
        }
    }
}

fn human(
    out: &mut impl std::io::Write,
    args: &VerifyPostureArgs,
    checked: &Result<Checked, String>,
    compared: bool,
) -> std::io::Result<()> {
    let color = terminal::colored_stdout();
    let name = terminal::line(&args.bundle.display().to_string());
    let checked = match checked {
        Err(why) => {
            return writeln!(out, "{}: {name}: {}", paint("not verified", Style::Bad, color), terminal::line(why));
        }
        Ok(checked) => checked,
    };
    let (report, signer) = (&checked.report, terminal::line(&checked.signer));
    let (subject, made) = (terminal::line(&report.subject), terminal::line(&report.made));
    writeln!(out, "{}: {name}, signed by {signer}", paint("verified", Style::Good, color))?;
    writeln!(out, "posture of {subject}, {made}")?;
    for framework in &report.frameworks {
        let counts: Vec<String> =
            Status::ALL.iter().map(|s| format!("{} {}", framework.totals.of(*s), s.says())).collect();
        let title = format!("{} {}", framework.name, framework.edition);
        writeln!(out, "  {}: {}", terminal::line(&title), counts.join(", "))?;
    }
    if !compared {
        return writeln!(out, "{} files it was made of were not compared: give --evidence PATH", checked.files.len());
    }
    for (file, here) in &checked.files {
        let word = if *here { "as it was" } else { "missing, or another" };
        writeln!(out, "  {word:<20} {}", terminal::line(file))?;
    }
    Ok(())
}
