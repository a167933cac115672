//! `bartizan policy eval`, `test` and `check`: agent policies on recorded runs and against tool schemas.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bartizan_core::{Limits, Verdict};
use bartizan_policy::provenance::coding::{Allowed, Coding};
use bartizan_policy::provenance::{
    Answer, Known, Ledger, PolicyFault, Rules, Run, Syntax, Tool, evaluate, evaluate_with, tools,
};
use serde_json::Value;

use super::args::{PolicyCheckArgs, PolicyEvalArgs, PolicyTestArgs};
use crate::problem::Problem;
use crate::{DONE, FOUND, terminal};

const FORM: &str =
    "each line is {\"id\", \"tools\", \"messages\", \"calls\": [{\"id\", \"index\", \"name\", \"args\"}]}";

/// `bartizan policy eval`.
pub(crate) fn eval(args: &PolicyEvalArgs) -> anyhow::Result<u8> {
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let mut out = std::io::stdout().lock();
    let mut seen = Seen::default();
    let mut counts: BTreeMap<Verdict, u64> = BTreeMap::new();
    let coding = args.coding.then(|| coding(args.packages.as_deref())).transpose()?;
    let mut runs = 0_u64;
    // The same answers each time, and nothing of a file is forgotten.
    let known = args.linked.then(|| Known::new(Arc::new(Ledger::seeded(1, i64::MAX, 1 << 30)), &["eval"], 0));
    for_each(&args.file, |number, run| {
        fitting(policy.as_ref(), &run, &args.file, number, &mut seen)?;
        runs += 1;
        let rules = policy.as_ref().map(|p| &p.rules);
        for answer in evaluate_with(&run, rules, args.explain, known.clone(), coding.as_ref()) {
            *counts.entry(answer.verdict).or_default() += 1;
            if args.jsonl {
                serde_json::to_writer(&mut out, &answer)?;
                writeln!(out)?;
            } else {
                draw(&mut out, &answer)?;
            }
        }
        out.flush()?;
        Ok(())
    })?;
    if let Some(policy) = &policy {
        seen.say_idle(policy);
    }
    if !args.jsonl {
        let of = |v: Verdict| counts.get(&v).copied().unwrap_or_default();
        writeln!(
            out,
            "{runs} runs: {} calls allowed, {} held, {} denied",
            of(Verdict::Allow),
            of(Verdict::Hold),
            of(Verdict::Deny)
        )?;
    }
    Ok(DONE)
}

/// How commands and edits of coding agents are decided.
fn coding(packages: Option<&Path>) -> anyhow::Result<Arc<Coding>> {
    let list = |file: &Path| {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let fault = |(line, text)| Problem::new(format!("{}:{line}: {text}", file.display()));
        anyhow::Ok(Allowed::parse(&text).map_err(fault)?)
    };
    Ok(Arc::new(Coding { packages: packages.map(list).transpose()?, workspace: Vec::new() }))
}

/// `bartizan policy test`.
pub(crate) fn test(args: &PolicyTestArgs) -> anyhow::Result<u8> {
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let mut out = std::io::stdout().lock();
    let mut seen = Seen::default();
    let (mut right, mut wrong) = (0_u64, 0_u64);
    for_each(&args.file, |number, run| {
        fitting(policy.as_ref(), &run, &args.file, number, &mut seen)?;
        let answers = evaluate(&run, policy.as_ref().map(|p| &p.rules), false);
        for (call, answer) in run.calls.iter().zip(answers) {
            let Some(expected) = call.expect else { continue };
            if expected == answer.verdict {
                right += 1;
                continue;
            }
            wrong += 1;
            let (id, name) = (terminal::line(&answer.call), terminal::line(&call.name));
            writeln!(out, "line {number}: call `{id}` of `{name}`: expected {expected}")?;
            draw(&mut out, &answer)?;
        }
        Ok(())
    })?;
    if right + wrong == 0 {
        return Err(Problem::new(format!("`{}`: no call says what it expects", args.file.display()))
            .help("add \"expect\": \"allow\", \"hold\" or \"deny\" to calls")
            .into());
    }
    writeln!(out, "{right} as expected, {wrong} not")?;
    Ok(if wrong == 0 { DONE } else { FOUND })
}

/// `bartizan policy check`.
pub(crate) fn check(args: &PolicyCheckArgs) -> anyhow::Result<u8> {
    let policy = policy(&args.file)?;
    let mut out = std::io::stdout().lock();
    let offered = args.tools.as_deref().map(read_tools).transpose()?;
    let faults = offered.as_ref().map_or_else(|| policy.rules.check_alone(), |tools| policy.rules.check(tools));
    if let Some(fault) = faults.iter().find(|f| f.fatal) {
        return Err(policy.problem(fault).into());
    }
    for fault in &faults {
        writeln!(out, "{}:{}:{}: {}", args.file.display(), fault.line, fault.column, terminal::line(&fault.text))?;
    }
    match offered {
        Some(offered) => {
            writeln!(out, "{}: {} tools, {} to look at", args.file.display(), offered.len(), faults.len())?
        }
        None if faults.is_empty() => {
            writeln!(out, "{}: well-formed; give --tools to compare it with tools", args.file.display())?;
        }
        None => writeln!(out, "{}: {} to look at", args.file.display(), faults.len())?,
    }
    Ok(if faults.is_empty() { DONE } else { FOUND })
}

/// A policy file.
pub(super) struct PolicyFile {
    name: String,
    text: String,
    pub(super) rules: Arc<Rules>,
}

impl PolicyFile {
    fn problem(&self, fault: &PolicyFault) -> Problem {
        at(&self.name, &self.text, fault)
    }
}

pub(super) fn policy(path: &Path) -> anyhow::Result<PolicyFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the policy `{}`", path.display()))?;
    let name = path.display().to_string();
    match Rules::parse(&text, Syntax::of_path(&name)) {
        Ok(rules) => Ok(PolicyFile { name, text, rules: Arc::new(rules) }),
        Err(faults) => Err(match faults.first() {
            Some(fault) => at(&name, &text, fault),
            None => Problem::new(format!("`{name}`: it cannot be read")),
        }
        .into()),
    }
}

fn at(name: &str, text: &str, fault: &PolicyFault) -> Problem {
    let start: usize = text.split_inclusive('\n').take(fault.line.saturating_sub(1)).map(str::len).sum();
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let column: usize = line.chars().take(fault.column.saturating_sub(1)).map(char::len_utf8).sum();
    Problem::new(format!("{name}:{}:{}: {}", fault.line, fault.column, terminal::line(&fault.text))).at(
        Path::new(name),
        text,
        start + column..start + line.len(),
        "here",
    )
}

/// Which tools were seen, so that each set is compared with the policy once.
#[derive(Default)]
pub(super) struct Seen {
    sets: HashSet<String>,
    all: BTreeMap<String, Tool>,
}

impl Seen {
    /// Says on standard error what of a policy fits none of the tools of all runs.
    pub(super) fn say_idle(&self, policy: &PolicyFile) {
        let all: Vec<Tool> = self.all.values().cloned().collect();
        for fault in policy.rules.check(&all) {
            let mut err = std::io::stderr().lock();
            // Nobody may be listening; the answers are out.
            let _ = writeln!(
                err,
                "warning: {}:{}:{}: {}",
                policy.name,
                fault.line,
                fault.column,
                terminal::line(&fault.text)
            );
        }
    }
}

/// Compares the policy with the tools of a run: an argument that no tool has would silently protect nothing.
pub(super) fn fitting(
    policy: Option<&PolicyFile>,
    run: &Run,
    file: &Path,
    number: u64,
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let Some(policy) = policy else { return Ok(()) };
    if !seen.sets.insert(run.tools.to_string()) {
        return Ok(());
    }
    let offered = tools(Some(&run.tools));
    if let Some(fault) = policy.rules.check(&offered).iter().find(|f| f.fatal) {
        let place = format!("the tools are those of {} line {number}", file.display());
        return Err(policy.problem(fault).help(place).into());
    }
    seen.all.extend(offered.into_iter().map(|t| (t.name.clone(), t)));
    Ok(())
}

pub(super) fn for_each(file: &Path, mut each: impl FnMut(u64, Run) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let limit = Limits::default().max_body;
    let name = if file == Path::new("-") { "standard input".to_owned() } else { format!("`{}`", file.display()) };
    let mut input = open(file)?;
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let most = u64::try_from(limit).unwrap_or(u64::MAX) + 1;
        if input.by_ref().take(most).read_until(b'\n', &mut line).with_context(|| format!("cannot read {name}"))? == 0 {
            return Ok(());
        }
        if line.len() > limit {
            return Err(Problem::new(format!("{name}: line {number}: it is longer than {limit} bytes"))
                .help("leave out turns that no call depends on, or give the run in parts")
                .into());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let run: Run = serde_json::from_slice(&line).map_err(|e| {
            Problem::new(format!("{name}: line {number}: it is no run: {} error at column {}", kind(&e), e.column()))
                .help(FORM)
        })?;
        each(number, run)?;
    }
    Ok(())
}

// What serde_json says would show content.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "form",
        serde_json::error::Category::Io => "reading",
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof => "JSON",
    }
}

fn open(file: &Path) -> anyhow::Result<BufReader<Box<dyn Read>>> {
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(file).with_context(|| format!("cannot open `{}`", file.display()))?)
    };
    Ok(BufReader::with_capacity(1 << 16, input))
}

/// What a document of tools is.
const TOOLS: &str = "give a JSON list of tools, or {\"tools\": [...]}";

/// Tools of a JSON document, or of the first line of JSON lines.
fn read_tools(file: &Path) -> anyhow::Result<Vec<Tool>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the tools `{}`", file.display()))?;
    let value: Value = serde_json::from_str(&text)
        .or_else(|_| serde_json::from_str(text.lines().next().unwrap_or_default()))
        .map_err(|_| Problem::new(format!("`{}`: it is not JSON", file.display())).help(TOOLS))?;
    let offered = tools(Some(value.get("tools").unwrap_or(&value)));
    if offered.is_empty() {
        return Err(Problem::new(format!("`{}`: it holds no tools", file.display())).help(TOOLS).into());
    }
    Ok(offered)
}

fn draw(out: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    let id = answer.id.as_str().map_or_else(|| answer.id.to_string(), str::to_owned);
    writeln!(out, "{} {}: {}", terminal::line(&id), terminal::line(&answer.call), answer.verdict)?;
    for reason in &answer.reasons {
        writeln!(out, "    {}", terminal::line(reason))?;
    }
    for source in answer.sources.iter().flatten() {
        writeln!(out, "    {}", terminal::line(&source.to_string()))?;
    }
    Ok(())
}
