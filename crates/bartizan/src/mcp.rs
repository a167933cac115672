//! `bartizan mcp`: a proxy in front of a server on this machine, and the lock file.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{Mode, Rpc, Severity, Verdict};
use bartizan_gateway::{LockFile, Stdio, mcp_list, mcp_proxy};
use bartizan_guard::Guard;
use bartizan_mcp::{Change, Elsewhere, Pinned};
use bartizan_policy::Outcome;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::args::ConfigArgs;
use crate::config::{self, Loaded};
use crate::problem::Problem;
use crate::store::{self, Keys};
use crate::{DONE, FOUND, evidence, record, telemetry, terminal};

/// Time that a server has to say what tools it has.
const ASKING: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub(crate) enum McpCommand {
    /// Start a server and stand between it and the client that runs this command.
    ///
    /// Put it before the command in the client's configuration. Standard input and output are the client's.
    #[command(after_help = PROXY_HELP)]
    Proxy(ProxyArgs),
    /// Show what a server says of its tools, and accept it.
    ///
    /// The lock file then holds what the server says now: a tool that is new or changed is let through again. What the
    /// guard denies is not accepted: the exit code is 1, and the lock file stays as it was for that tool.
    Pin(PinArgs),
}

const PROXY_HELP: &str = "\
Examples:
  bartizan mcp proxy --name files -- npx -y @modelcontextprotocol/server-filesystem@2026.8.31 /work
  bartizan mcp pin --name files -- npx -y @modelcontextprotocol/server-filesystem@2026.8.31 /work";

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Name of the server in records and in the lock file [default: the name of its program]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The lock file [default: `mcp.lock` of the configuration, else ~/.local/state/bartizan/mcp.lock]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    /// The server: program and arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// Only show what differs, and change nothing; the exit code is 1 where something does
    #[arg(long)]
    check: bool,
    /// Accept what the guard denies, too; it passes once a row of the policy allows it
    #[arg(long, conflicts_with = "check")]
    accept_denied: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// `bartizan mcp`.
pub(crate) fn run(command: &McpCommand) -> anyhow::Result<u8> {
    match command {
        McpCommand::Proxy(args) => proxy(&args.server),
        McpCommand::Pin(args) => pin(args),
    }
}

impl ServerArgs {
    fn name(&self) -> Result<String, Problem> {
        let program = self.command.first().map_or("", String::as_str);
        let stem = Path::new(program).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let name = self.name.as_deref().unwrap_or(stem);
        let plain = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if plain {
            Ok(name.to_owned())
        } else {
            Err(Problem::new(format!("`{name}` is no name for a server"))
                .help("--name NAME: letters, digits, `-`, `_` and `.`, at most 64"))
        }
    }

    fn lock(&self, loaded: &Loaded) -> anyhow::Result<PathBuf> {
        match self.lock.clone().or_else(|| loaded.config.mcp.lock.clone()) {
            Some(path) => Ok(path),
            None => Ok(state_folder()?.join("mcp.lock")),
        }
    }
}

/// Where a program keeps what it learns, for one that is started anywhere (XDG Base Directory Specification).
fn state_folder() -> Result<PathBuf, Problem> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")));
    let missing = || {
        Problem::new("there is no home folder, so there is no place for evidence and the lock file")
            .help("name them: `--config FILE` with `store.path`, and `--lock FILE`")
    };
    folder.map(|folder| folder.join("bartizan")).ok_or_else(missing)
}

fn proxy(args: &ServerArgs) -> anyhow::Result<u8> {
    let mut loaded = config::load(&args.config, &[])?;
    // A client starts the program in a folder of its choice, so a relative default would be anywhere.
    if loaded.file.is_none() && loaded.config.store == bartizan_gateway::Store::default() {
        let folder = state_folder()?;
        std::fs::create_dir_all(&folder)?;
        loaded.config.store.path = folder.join("mcp.sqlite").to_string_lossy().into_owned();
    }
    telemetry::log(&loaded.config.telemetry);
    let stdio = Stdio {
        name: args.name()?,
        command: args.command.clone(),
        lock: LockFile::at(Some(args.lock(&loaded)?)),
        longest: Duration::from_millis(loaded.config.mcp.call_ms),
    };
    stdio.lock.read().map_err(|error| Problem::new(error.to_string()))?;
    let guard = Arc::new(loaded.guard()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(serve(stdio, &loaded, guard));
    // Standard input may still be waited for.
    runtime.shutdown_background();
    served?;
    Ok(DONE)
}

async fn serve(stdio: Stdio, loaded: &Loaded, guard: Arc<Guard>) -> anyhow::Result<()> {
    let config = &loaded.config;
    let store = store::open_or_make(config).await?;
    let recorder = evidence::recorder(config, &store).await?;
    let access = Keys::open(config).await?.map(Keys::shared);
    let served = mcp_proxy(stdio, config.gateway(), guard, recorder, access).await;
    served.map_err(|error| Problem::new(error.to_string()))?;
    record::close(store).await;
    Ok(())
}

fn pin(args: &PinArgs) -> anyhow::Result<u8> {
    let mut loaded = config::load(&args.server.config, &[])?;
    // What is accepted in monitor mode is there when that ends.
    loaded.config.mode = Mode::Enforce;
    let (name, lock) = (args.server.name()?, LockFile::at(Some(args.server.lock(&loaded)?)));
    let known = lock.read().map_err(|error| Problem::new(error.to_string()))?;
    let said = mcp_list(&args.server.command, loaded.config.limits.max_body, ASKING)
        .map_err(|error| Problem::new(error.to_string()))?;
    let old = known.servers.get(&name);
    let changes = old.map_or_else(|| Pinned::default().changes(&said.pinned), |old| old.changes(&said.pinned));
    let mut out = std::io::stdout().lock();
    for change in &changes {
        match change {
            Change::Added(tool) => writeln!(out, "new      {}", shown(tool))?,
            Change::Removed(tool) => writeln!(out, "gone     {}", shown(tool))?,
            Change::Instructions => writeln!(out, "changed  the instructions of the server")?,
            Change::Changed { tool, from, to } if from == to => {
                writeln!(out, "changed  {}: its schema or annotations", shown(tool))?;
            }
            Change::Changed { tool, from, to } => {
                writeln!(out, "changed  {}\n  was    {}\n  is     {}", shown(tool), shown(from), shown(to))?;
            }
        }
    }
    let (lines, denied) = examine(&loaded, &name, &said.result, &Elsewhere::of(&known, &name))?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    if args.check {
        let (tools, differences) = (said.pinned.tools.len() as u64, changes.len() as u64);
        let (tools, differences) = (terminal::counted(tools, "tool"), terminal::counted(differences, "difference"));
        writeln!(out, "{name}: {tools}, {differences}")?;
        return Ok(if changes.is_empty() { DONE } else { FOUND });
    }
    let denied = if args.accept_denied { Denied::default() } else { denied };
    if let Some(why) = denied.whole {
        return Err(Problem::new(format!("the guard denies what `{name}` says of its tools as a whole: {why}"))
            .help("nothing is pinned; --accept-denied pins it all the same")
            .into());
    }
    let mut pinned = said.pinned;
    for tool in &denied.tools {
        match old.and_then(|old| old.tools.get(tool)) {
            Some(before) => _ = pinned.tools.insert(tool.clone(), before.clone()),
            None => _ = pinned.tools.remove(tool),
        }
        writeln!(out, "refused  {}: the guard denies it, so it is not accepted", shown(tool))?;
    }
    if denied.instructions {
        pinned.instructions = old.and_then(|old| old.instructions.clone());
        writeln!(out, "refused  the instructions of the server: the guard denies them, so they are not accepted")?;
    }
    let tools = terminal::counted(pinned.tools.len() as u64, "tool");
    lock.pin(&name, pinned).map_err(|error| Problem::new(error.to_string()))?;
    let place = lock.path().map(|path| path.display().to_string()).unwrap_or_default();
    writeln!(out, "{name}: {tools} pinned in {place}")?;
    if denied.tools.is_empty() && !denied.instructions {
        return Ok(DONE);
    }
    writeln!(
        out,
        "a row of the policy allows what is denied (docs/guide/mcp.md); --accept-denied pins it before that"
    )?;
    Ok(FOUND)
}

/// What a server says of itself that the guard denies.
#[derive(Default)]
struct Denied {
    /// Names of tools.
    tools: BTreeSet<String>,
    instructions: bool,
    /// Why the rest is denied, too, if it is.
    whole: Option<String>,
}

/// A text of a server: on one line, not endless, and without what would move a terminal's cursor or hide.
fn shown(text: &str) -> String {
    terminal::line(&text.chars().take(400).collect::<String>())
}

/// What is found in what a server says of itself, a line each, and what of it is denied.
fn examine(
    loaded: &Loaded,
    name: &str,
    result: &Value,
    elsewhere: &Elsewhere,
) -> anyhow::Result<(Vec<String>, Denied)> {
    let guard = loaded.guard()?;
    let rpc = || Rpc { server: Arc::from(name), method: Arc::from("tools/list"), tool: None };
    let checked = guard.definitions(rpc(), &result.to_string(), elsewhere)?;
    let tool_at = |pointer: &str| {
        let at = pointer.strip_prefix("/result/tools/")?.split('/').next()?;
        result["tools"][at.parse::<usize>().ok()?]["name"].as_str()
    };
    let mut lines = Vec::new();
    for found in &checked.assessment.findings {
        let finding = &found.finding;
        let verdict = guard.definition_verdict(found);
        if finding.severity < Severity::Medium && verdict == Verdict::Allow {
            continue;
        }
        let path = finding.at.path().unwrap_or_default();
        let tool = tool_at(&path).map_or_else(|| "the server".to_owned(), shown);
        lines.push(format!("{verdict:<8} {tool}: {} ({} {})", finding.rule, finding.severity, shown(&path)));
    }
    let refused = guard.refused_elements(&checked);
    let mut denied = Denied {
        tools: refused.iter().filter_map(|pointer| tool_at(pointer)).map(str::to_owned).collect(),
        instructions: refused.contains("/result/instructions"),
        whole: None,
    };
    let mut rest = result.clone();
    if let Some(tools) = rest["tools"].as_array_mut() {
        tools.retain(|tool| !tool["name"].as_str().is_some_and(|name| denied.tools.contains(name)));
    }
    if denied.instructions {
        rest["instructions"] = Value::from("");
    }
    let left = if refused.is_empty() { checked } else { guard.definitions(rpc(), &rest.to_string(), elsewhere)? };
    if let Outcome::Refuse(refusal) | Outcome::Hold(refusal) = &left.outcome {
        denied.whole = Some(refusal.names());
    }
    Ok((lines, denied))
}
