//! `bartizan scan infra` and `bartizan scan mcp`: configurations examined at rest.

mod endpoint;

use std::io::Write;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Snippet};
use bartizan_core::{CoverageStatus, Mode, Rule, RuleId, Severity, Span};
use bartizan_guard::Guard;
use bartizan_posture::rules;
use bartizan_scan::{Configuration, Posture, PostureFound, PostureGap};
use clap::Args;
use serde_json::{Value, json};

use crate::args::{ConfigArgs, Gate, ScanFormat, gate};
use crate::check::excerpt::excerpt;
use crate::check::human::level;
use crate::check::position::Cursor;
use crate::check::sarif;
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::scan::Summary;
use crate::{DONE, FOUND, UNREAD, terminal};

pub(crate) const INFRA_HELP: &str = "\
Reads compose files, Kubernetes manifests, files of variables, Dockerfiles, shell scripts, units, LiteLLM, Qdrant, Milvus,
Axolotl, TRL and other configurations, and Python programs. Nothing is started, and no address is asked.

Examples:
  bartizan scan infra compose.yaml
  bartizan scan infra deploy/ --format sarif
  helm template chart/ > all.yaml && bartizan scan infra all.yaml";

/// What `bartizan scan infra` takes.
#[derive(Debug, Args)]
pub(crate) struct ScanInfraArgs {
    /// Files and folders
    #[arg(required_unless_present = "endpoint", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Ask this server, instead of reading files, what it answers to callers without a key: GET requests that change
    /// nothing, each of them listed
    #[arg(long, value_name = "ORIGIN", conflicts_with = "paths")]
    endpoint: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

pub(crate) const MCP_HELP: &str = "\
Reads configurations of Claude, Cursor, VS Code, Windsurf, Zed, Gemini CLI, Codex, Continue, Cline and OpenCode, tool lists in
JSON, AGENTS.md, CLAUDE.md and rules files, skills, commands, sub-agents, hooks and prompt templates. No server is started.

Examples:
  bartizan scan mcp .
  bartizan scan mcp .mcp.json AGENTS.md
  bartizan scan mcp --installed";

/// What `bartizan scan mcp` takes.
#[derive(Debug, Args)]
pub(crate) struct ScanMcpArgs {
    /// Files and folders
    #[arg(required_unless_present = "installed", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Read the configurations of clients in your home folder too
    #[arg(long)]
    installed: bool,
    /// Configuration whose policy says what of tool definitions is denied [default: what is shipped]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// How the answer is given.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// How to answer
    #[arg(long, value_enum, default_value_t = ScanFormat::Human)]
    format: ScanFormat,
    /// Least severity of findings that make the exit code 1 [default: high]
    #[arg(long, value_name = "SEVERITY", value_parser = gate())]
    fail_on: Option<Gate>,
    /// Exit with 3 also where parts are known but are not read
    #[arg(long)]
    strict: bool,
}

/// `bartizan scan infra`.
pub(crate) fn infra(args: &ScanInfraArgs) -> anyhow::Result<u8> {
    match &args.endpoint {
        Some(origin) => asked(origin, &args.answer),
        None => scan(&args.paths, Posture::Infra, &rules::INFRA.iter().collect::<Vec<_>>(), None, &args.answer),
    }
}

/// What a server answers to callers without a key.
fn asked(origin: &str, args: &AnswerArgs) -> anyhow::Result<u8> {
    let answers = endpoint::ask(origin)?;
    if answers.iter().all(|a| a.status.is_none()) {
        return Err(Problem::new(format!("`{origin}` does not answer")).help("check host and port").into());
    }
    let gate = args.fail_on.unwrap_or(Gate::From(Severity::High));
    let found = || answers.iter().filter_map(|a| a.found.map(|(rule, shows)| (a.path, rule, shows)));
    let mut out = std::io::stdout().lock();
    match args.format {
        ScanFormat::Human => {
            for (path, rule, shows) in found() {
                writeln!(out, "{}[{}]: GET {origin}{path} answers without a key: {shows}", rule.severity, rule.id)?;
            }
            let asked: Vec<String> = answers
                .iter()
                .map(|a| format!("{} {}", a.path, a.status.map_or_else(|| "-".to_owned(), |s| s.to_string())))
                .collect();
            writeln!(out, "asked with GET, without credentials: {}", asked.join(", "))?;
            for answer in &answers {
                if let Some(why) = answer.unknown {
                    writeln!(out, "not known: GET {origin}{}: {why}", answer.path)?;
                }
            }
        }
        ScanFormat::Json => {
            let asked: Vec<Value> =
                answers.iter().map(|a| json!({ "path": a.path, "status": a.status, "unknown": a.unknown })).collect();
            let findings: Vec<Value> = found()
                .map(|(path, rule, shows)| {
                    json!({ "rule": rule.id, "severity": rule.severity, "path": path, "what": shows })
                })
                .collect();
            let log = json!({ "endpoint": origin, "asked": asked, "findings": findings });
            writeln!(out, "{}", serde_json::to_string_pretty(&log)?)?;
        }
        ScanFormat::Sarif => {
            let results = found()
                .map(|(path, rule, shows)| {
                    json!({
                        "ruleId": rule.id,
                        "ruleIndex": rules::INFRA.iter().position(|r| r.id == rule.id),
                        "level": sarif::level(rule.severity),
                        "message": { "text": format!("answers without a key: {shows}") },
                        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": format!("{origin}{path}") } } }],
                    })
                })
                .collect();
            let known = answers.iter().all(|a| a.unknown.is_none());
            let log = sarif::log_of(sarif::run(rules::INFRA.iter(), results, known, Vec::new()));
            writeln!(out, "{}", serde_json::to_string_pretty(&log)?)?;
        }
    }
    out.flush()?;
    Ok(match answers.iter().any(|a| a.unknown.is_some()) {
        _ if found().any(|(_, rule, _)| gate.stops(rule.severity)) => FOUND,
        true => UNREAD,
        false => DONE,
    })
}

/// `bartizan scan mcp`.
pub(crate) fn mcp(args: &ScanMcpArgs) -> anyhow::Result<u8> {
    let mut paths = args.paths.clone();
    if args.installed {
        let installed = installed()?;
        if installed.is_empty() && paths.is_empty() {
            return Err(Problem::new("no configuration of a client was found in your home folder")
                .help("give its path: bartizan scan mcp PATH")
                .into());
        }
        paths.extend(installed);
    }
    let guard = guard(args.config.as_ref())?;
    let rules: Vec<&Rule> = rules::AGENT.iter().chain(guard.rules()).collect();
    scan(&paths, Posture::Agent, &rules, Some(&guard), &args.answer)
}

/// What a proxy would decide with. A configuration in the folder that is examined must not say what is found there, so it
/// is taken only where it is named.
fn guard(config: Option<&PathBuf>) -> anyhow::Result<Guard> {
    let Some(path) = config else { return Ok(Guard::new(&Config::default().guard())?) };
    let mut loaded = config::load(&ConfigArgs { config: Some(path.clone()) }, &[])?;
    // What is found is told in monitor mode, too.
    loaded.config.mode = Mode::Enforce;
    Ok(loaded.guard()?)
}

/// Where clients keep their configurations, below the home folder.
const INSTALLED: &[&str] = &[
    ".claude.json",
    ".claude/settings.json",
    ".claude/CLAUDE.md",
    ".claude/agents",
    ".claude/commands",
    ".claude/skills",
    ".config/Claude/claude_desktop_config.json",
    "Library/Application Support/Claude/claude_desktop_config.json",
    "AppData/Roaming/Claude/claude_desktop_config.json",
    ".cursor/mcp.json",
    ".cursor/hooks.json",
    ".config/Code/User/mcp.json",
    ".config/Code/User/settings.json",
    ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
    "Library/Application Support/Code/User/mcp.json",
    "Library/Application Support/Code/User/settings.json",
    "AppData/Roaming/Code/User/mcp.json",
    ".codeium/windsurf/mcp_config.json",
    ".config/zed/settings.json",
    ".gemini/settings.json",
    ".gemini/GEMINI.md",
    ".codex/config.toml",
    ".codex/AGENTS.md",
    ".continue/config.yaml",
    ".continue/config.json",
    ".copilot/mcp-config.json",
    ".config/opencode/opencode.json",
];

fn installed() -> anyhow::Result<Vec<PathBuf>> {
    let home = std::env::home_dir().filter(|h| !h.as_os_str().is_empty());
    let home = home.ok_or_else(|| Problem::new("there is no home folder").help("set HOME, or give paths"))?;
    Ok(INSTALLED.iter().map(|place| home.join(place)).filter(|path| path.exists()).collect())
}

fn scan(
    paths: &[PathBuf],
    posture: Posture,
    rules: &[&Rule],
    guard: Option<&Guard>,
    args: &AnswerArgs,
) -> anyhow::Result<u8> {
    let gate = args.fail_on.unwrap_or(Gate::From(Severity::High));
    let mut out = std::io::stdout().lock();
    let mut summary = Summary::default();
    let mut files = Vec::new();
    let mut failed = None;
    for path in paths {
        bartizan_scan::configurations(path, posture, |mut file| {
            if let Some(guard) = guard {
                bartizan_scan::definitions(&mut file, guard);
            }
            let severities = file.report.found.iter().map(|f| f.finding.severity);
            summary.add(file.size, severities, &file.report.coverage, gate);
            match args.format {
                ScanFormat::Human if failed.is_none() => failed = draw(&mut out, &file, rules).err(),
                ScanFormat::Human => {}
                ScanFormat::Json => files.push(record(&file, gate)),
                ScanFormat::Sarif => files.push(results(&file, rules)),
            }
        })
        .map_err(|error| Problem::new(error.to_string()).help("give files or folders that can be read"))?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    match args.format {
        ScanFormat::Human => writeln!(out, "{}", summary.line())?,
        ScanFormat::Json => {
            let word = if posture == Posture::Infra { "infra" } else { "agents" };
            let log = json!({ "scan": word, "files": files, "summary": summary.record() });
            writeln!(out, "{}", serde_json::to_string_pretty(&log)?)?;
        }
        ScanFormat::Sarif => {
            let log = crate::scan::log(files, rules.iter().copied(), &summary, Some("unicodeCodePoints"));
            writeln!(out, "{}", serde_json::to_string_pretty(&log)?)?;
        }
    }
    out.flush()?;
    Ok(summary.exit_code(args.strict))
}

fn summary_of<'r>(rules: &[&'r Rule], id: &RuleId) -> &'r str {
    rules.iter().find(|rule| rule.id == *id).map_or("", |rule| rule.summary.as_ref())
}

/// Places that must not be shown: values of secrets, wherever a line of them is drawn.
fn secrets(file: &Configuration) -> Vec<Span> {
    let about = |found: &&PostureFound| {
        let id = found.finding.rule.as_str();
        id.ends_with("/plaintext-secret") || id.ends_with("/default-credential") || id.starts_with("secret/")
    };
    file.report.found.iter().filter(about).map(|f| f.finding.span()).collect()
}

fn draw(out: &mut impl Write, file: &Configuration, rules: &[&Rule]) -> std::io::Result<()> {
    let path = terminal::line(&file.path.display().to_string());
    let renderer = terminal::output();
    let secrets = secrets(file);
    let mut cursor = Cursor::new();
    for found in &file.report.found {
        let finding = &found.finding;
        let (position, _) = cursor.span(&file.text, finding.span());
        let excerpt = excerpt(&file.text, finding.span(), &secrets);
        let what = terminal::line(&found.what);
        let why = format!("{}; {} confidence", summary_of(rules, &finding.rule), finding.confidence);
        let fix = terminal::line(&found.fix);
        let explain = format!("bartizan explain {}", finding.rule);
        let group: Group<'_> = level(finding.severity)
            .primary_title(what.as_str())
            .id(finding.rule.as_str().to_owned())
            .element(
                Snippet::source(excerpt.source.as_str())
                    .path(path.as_str())
                    .line_start(position.line)
                    .fold(false)
                    .annotation(AnnotationKind::Primary.span(excerpt.mark.clone())),
            )
            .element(Level::NOTE.message(why.as_str()))
            .element(Level::HELP.message(fix.as_str()))
            .element(Level::HELP.message(explain.as_str()));
        let drawn = renderer.render(&[group]);
        // The renderer counts columns in what it draws, which is a part of the line, with escapes.
        let place = |column: usize| format!("{path}:{}:{column}", position.line);
        writeln!(out, "{}\n", drawn.replacen(&place(excerpt.drawn_column()), &place(position.column), 1))?;
    }
    for (gap, line, column) in gaps(file) {
        writeln!(out, "{path}:{line}:{column}: not examined: {} ({})\n", terminal::line(&gap.why), gap.part.reason)?;
    }
    Ok(())
}

/// What was not read, with line and column.
fn gaps(file: &Configuration) -> Vec<(&PostureGap, usize, usize)> {
    let mut cursor = Cursor::new();
    let partial = file.report.gaps.iter().filter(|g| g.part.kind == CoverageStatus::Partial);
    partial
        .map(|gap| {
            let at = gap.at.min(file.text.len());
            let (position, _) = cursor.span(&file.text, Span::new(at, at));
            (gap, position.line, position.column)
        })
        .collect()
}

fn record(file: &Configuration, gate: Gate) -> Value {
    let mut cursor = Cursor::new();
    let findings: Vec<Value> = file
        .report
        .found
        .iter()
        .map(|found| {
            let (start, end) = cursor.span(&file.text, found.finding.span());
            json!({
                "rule": found.finding.rule,
                "severity": found.finding.severity,
                "confidence": found.finding.confidence,
                "what": found.what,
                "fix": found.fix,
                "line": start.line,
                "column": start.column,
                "start": start.code_points,
                "end": end.code_points,
            })
        })
        .collect();
    let gaps: Vec<Value> = gaps(file)
        .into_iter()
        .map(|(g, line, column)| {
            json!({ "kind": g.part.kind, "reason": g.part.reason, "bytes": g.part.bytes, "line": line, "column": column, "why": g.why })
        })
        .collect();
    let denied = file.worst().is_some_and(|worst| gate.stops(worst));
    json!({
        "path": file.path.display().to_string(),
        "size": file.size,
        "format": file.report.format,
        "verdict": if denied { "deny" } else { "allow" },
        "findings": findings,
        "coverage": file.report.coverage,
        "gaps": gaps,
    })
}

/// The results and notifications of one file, as SARIF 2.1.0.
fn results(file: &Configuration, rules: &[&Rule]) -> Value {
    let uri = file.path.display().to_string().replace('\\', "/");
    let mut cursor = Cursor::new();
    let found: Vec<Value> = file
        .report
        .found
        .iter()
        .map(|found| {
            let (start, end) = cursor.span(&file.text, found.finding.span());
            json!({
                "ruleId": found.finding.rule,
                "ruleIndex": rules.iter().position(|r| r.id == found.finding.rule),
                "level": sarif::level(found.finding.severity),
                "message": { "text": format!("{}. Fix: {}", found.what, found.fix) },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri },
                    "region": sarif::region(start, end),
                } }],
                "properties": { "severity": found.finding.severity, "confidence": found.finding.confidence },
            })
        })
        .collect();
    let unread: Vec<Value> = gaps(file)
        .into_iter()
        .map(|(gap, line, column)| {
            json!({
                "level": "warning",
                "message": { "text": format!("not examined: {}", gap.why) },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri },
                    "region": { "startLine": line, "startColumn": column },
                } }],
            })
        })
        .collect();
    json!({ "results": found, "unread": unread })
}
