//! `bartizan check`: one text or conversation, or many as JSON lines.

pub(crate) mod args;
pub(crate) mod excerpt;
pub(crate) mod human;
mod in_use;
mod jsonl;
pub(crate) mod position;
pub(crate) mod sarif;

use std::fs::File;
use std::io::{BufReader, IsTerminal, Read, Write as _};
use std::path::Path;

use bartizan_core::{CoverageStatus, Rule, Severity, Source, TenantId};
use bartizan_guard::{Caller, Decision, Guard};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::args::{CheckArgs, CheckFormat};
use crate::args::Gate;
use crate::problem::Problem;
use crate::{DONE, FOUND, UNREAD, config, contain};

/// Runs `bartizan check`.
pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<u8> {
    let lines = args.jsonl;
    if lines && args.format.is_some_and(|f| f != CheckFormat::Jsonl) {
        return Err(Problem::new("--jsonl answers in JSON lines only").help("leave --format out").into());
    }
    let loaded = config::load(&args.config, &[])?;
    let (guard, tenant) = (loaded.guard()?, TenantId::sole());
    let nobody = Caller { tenant: &tenant, key: "", route: "" };
    let excepted = guard.excepted(nobody, jiff::Timestamp::now().as_millisecond());
    let guard = guard.containing(contain::in_force(&loaded.config)?).excepting(excepted);
    let input = open(&args.file)?;
    if lines {
        return jsonl::run(&guard, input, args);
    }
    let subject = read(&args.file, input, guard.limits().max_body)?;
    let (name, bytes) = (name(&args.file), subject.len());
    let decision = decide(&guard, &name, subject, args.origin)?;
    let said = if args.verify_secrets { in_use::ask(&decision)? } else { Vec::new() };
    let record = |name| {
        let mut record = decision.clone().output(name);
        for (finding, said) in record.findings.iter_mut().zip(&said) {
            finding.in_use = said.as_ref().map(|said| said.in_use);
        }
        record
    };
    let mut out = std::io::stdout().lock();
    match args.format.unwrap_or(CheckFormat::Human) {
        CheckFormat::Human => {
            human::draw(&mut out, (&name, bytes), (&decision, &said), &guard, Some(args.show))?;
        }
        CheckFormat::Json => {
            writeln!(out, "{}", serde_json::to_string_pretty(&record(&name))?)?;
        }
        CheckFormat::Jsonl => writeln!(out, "{}", serde_json::to_string(&record(&name))?)?,
        CheckFormat::Sarif => {
            let rules: Vec<&Rule> = guard.rules().collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&sarif::log(&name, &decision, &rules))?)?;
        }
    }
    out.flush()?;
    Ok(match args.fail_on_verdict {
        Some(least) if decision.verdict >= least => FOUND,
        Some(_) => coverage_code(decision.coverage.status, args.strict),
        None => exit_code(&decision, args.fail_on.unwrap_or(Gate::From(Severity::High)), args.strict),
    })
}

/// What the exit code says of one answer. A score over its threshold counts as a finding of high severity.
fn exit_code(decision: &Decision, gate: Gate, strict: bool) -> u8 {
    let found = decision.findings.iter().any(|f| gate.stops(f.severity));
    // What is cut off is no finding of any severity.
    let contained = !decision.contained.is_empty() && gate != Gate::None;
    if found || contained || (decision.flags.injection && gate.stops(Severity::High)) {
        return FOUND;
    }
    coverage_code(decision.coverage.status, strict)
}

/// What the exit code says of how much was read, where nothing was found.
pub(crate) const fn coverage_code(status: CoverageStatus, strict: bool) -> u8 {
    match status {
        CoverageStatus::Complete => DONE,
        CoverageStatus::Structural if !strict => DONE,
        CoverageStatus::Structural | CoverageStatus::Partial => UNREAD,
    }
}

/// Draws an answer for people.
pub(crate) fn draw(
    out: &mut impl std::io::Write,
    name: &str,
    bytes: usize,
    decision: &Decision,
    guard: &Guard,
) -> std::io::Result<()> {
    human::draw(out, (name, bytes), (decision, &[]), guard, None)
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn name(file: &Path) -> String {
    if is_standard_input(file) { "<stdin>".to_owned() } else { file.display().to_string() }
}

fn open(file: &Path) -> anyhow::Result<Box<dyn Read>> {
    if is_standard_input(file) {
        let input = std::io::stdin();
        if input.is_terminal() {
            writeln!(std::io::stderr(), "reading standard input; end it with Ctrl-D")?;
        }
        return Ok(Box::new(input.lock()));
    }
    let failed = |e: &dyn std::fmt::Display| Problem::new(format!("cannot read `{}`: {e}", file.display()));
    if file.is_dir() {
        return Err(failed(&"it is a folder").help("give one file, or `-` for standard input").into());
    }
    Ok(Box::new(File::open(file).map_err(|e| failed(&e))?))
}

/// Reads the whole input, which is never cut: what is too long is refused.
fn read(file: &Path, input: Box<dyn Read>, limit: usize) -> anyhow::Result<Vec<u8>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    BufReader::new(input).take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(Problem::new(format!("`{}` is longer than {limit} bytes", name(file)))
            .help("check it in parts, or raise `limits.max_body`")
            .into());
    }
    Ok(bytes)
}

/// The error for bytes that are not UTF-8. `place` is where they are from.
fn not_utf8(place: &str, bytes: &[u8], error: &std::str::Utf8Error) -> Problem {
    let at = error.valid_up_to();
    let byte = bytes.get(at).map_or_else(String::new, |b| format!(" (0x{b:02x})"));
    Problem::new(format!("{place} is not UTF-8: invalid byte at offset {at}{byte}"))
        .help("convert it first: iconv -f ENCODING -t UTF-8")
}

/// A conversation that is nothing but messages: what else an object says would not be examined.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation<'a> {
    #[serde(borrow)]
    messages: &'a RawValue,
}

fn decide(guard: &Guard, name: &str, subject: Vec<u8>, origin: Option<Source>) -> anyhow::Result<Decision> {
    // By its content: a name says what somebody wants it to be taken for.
    if bartizan_guard::is_document(&subject)
        && let Some(decision) = guard.check_document(&subject, origin.unwrap_or(Source::Document))
    {
        return Ok(decision);
    }
    let subject = std::str::from_utf8(&subject).map_err(|e| not_utf8(&format!("`{name}`"), &subject, &e))?;
    if let Some(source) = origin {
        return Ok(guard.check_text(subject, source));
    }
    match conversation(subject) {
        Some(messages) => Ok(guard.check_conversation(messages).map_err(|e| {
            Problem::new(format!("this looks like a conversation, but {e}"))
                .help("give --origin to have it checked as a plain text")
        })?),
        None => Ok(guard.check_text(subject, Source::User)),
    }
}

/// The list of messages, where the text is a conversation.
fn conversation(text: &str) -> Option<&str> {
    match text.trim_start().as_bytes().first()? {
        b'{' => serde_json::from_str::<Conversation<'_>>(text).ok().map(|c| c.messages.get()),
        b'[' => {
            #[derive(Deserialize)]
            struct Message {
                #[serde(rename = "role")]
                _role: String,
            }
            let messages: Vec<Message> = serde_json::from_str(text).ok()?;
            (!messages.is_empty()).then_some(text)
        }
        _ => None,
    }
}
