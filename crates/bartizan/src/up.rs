//! `bartizan up`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bartizan_core::{AccessStore, EventStore, Mode};
use bartizan_gateway::{Gateway, GatewayError, Next, Rejected, Stop, Upstream, Watched};
use bartizan_guard::SegmentCache;
use bartizan_sinks::Sinks;
use bartizan_store::SqliteAccess;
use clap::Args;
use opentelemetry_otlp::SpanExporter;
use serde_json::json;

use crate::args::ConfigArgs;
use crate::config::{self, Config, Loaded};
use crate::evidence;
use crate::keys;
use crate::problem::Problem;
use crate::signing;
use crate::store::{self, Keys, Use};
use crate::telemetry;
use crate::{BROKEN, DONE};

#[allow(rustdoc::bare_urls, reason = "these comments are help texts")]
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// Model server, as an SDK's base URL: https://api.openai.com/v1. Stands in for all configured ones
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Address to listen on [default: 127.0.0.1:8700]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Starts the gateway and serves until told to stop.
pub(crate) fn run(args: &UpArgs) -> anyhow::Result<u8> {
    // The first random bytes of a process take some 20 ms: the entropy source times the memory of the machine. Nothing
    // waits for them while the rules are built.
    std::thread::spawn(|| aws_lc_rs::rand::fill(&mut [0]));
    let (loaded, watched) = load(args)?;
    let config = &loaded.config;
    if config.upstream.is_empty() && !config.check_api.standalone && config.mcp.servers.is_empty() {
        return Err(Problem::new("no upstream is configured")
            .help("give one: bartizan up --upstream https://api.openai.com/v1, or an `[[upstream]]` section")
            .into());
    }
    loaded.check_keys()?;
    telemetry::log(&loaded.config.telemetry);
    let next = next(&loaded, watched)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args, &loaded.config, next))
}

/// The configuration, and its files as they were before it was read: a change at any later moment shows. Which files
/// they are stands in the configuration, so it is read twice.
fn load(args: &UpArgs) -> anyhow::Result<(Loaded, Watched)> {
    let flags = config::flags(args);
    let watched = Watched::of(&config::load(&args.config, &flags)?.files());
    Ok((config::load(&args.config, &flags)?, watched))
}

/// What the gateway takes over from a configuration.
fn next(loaded: &Loaded, watched: Watched) -> Result<Next, Problem> {
    let cache = Arc::new(SegmentCache::new(loaded.config.cache.segment_bytes));
    let profiles = loaded.profiles(&cache)?;
    let held = signing::held(&loaded.config)?;
    for (upstream, why) in &held {
        tracing::error!(upstream, why, "an upstream is held back: its model is not what its records say");
    }
    Ok(Next {
        settings: bartizan_gateway::Settings { held, ..loaded.config.gateway() },
        guard: Arc::new(loaded.guard()?.with_cache(cache)),
        profiles,
        digest: loaded.digest(),
        policy: config::digest(&loaded.config.guard()),
        candidate: loaded.config.candidate_guard().as_ref().map(config::digest),
        watched,
    })
}

/// Reads the configuration anew. `started` is the one that the program was started with.
fn reread(args: &UpArgs, started: &Config) -> Result<Next, Rejected> {
    let (loaded, watched) = load(args).map_err(|error| match error.downcast::<Problem>() {
        Ok(problem) => rejected(&problem, Vec::new()),
        Err(error) => Rejected { reason: error.to_string(), ..Rejected::default() },
    })?;
    let changed = needs_restart(started, &loaded.config);
    if !changed.is_empty() {
        let reason = format!("a restart is needed for a change of {}", changed.join(", "));
        return Err(Rejected { reason, files: loaded.files(), ..Rejected::default() });
    }
    next(&loaded, watched).map_err(|problem| rejected(&problem, loaded.files()))
}

/// Names of the sections that differ and are read by this program at the start only.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    [
        ("`sink`", old.sink != new.sink),
        ("`record`", old.record != new.record),
        ("`evidence`", old.evidence != new.evidence),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

fn rejected(problem: &Problem, files: Vec<PathBuf>) -> Rejected {
    Rejected { reason: problem.to_string(), place: problem.position(), files }
}

/// What serving needs besides the gateway itself and the stores.
struct Means {
    exporter: Option<SpanExporter>,
    evidence: evidence::Means,
    sinks: Sinks,
}

impl Means {
    /// Reads every key, certificate and address that the configuration names for it. Needs a runtime. `without` are
    /// settings whose secrets are not here: what needs them is left out.
    fn of(config: &Config, without: &[&str]) -> anyhow::Result<Self> {
        let has = |section: &str| !without.iter().any(|path| path.starts_with(section));
        let sinks = if has("sink.") { config.sink.as_slice() } else { &[] };
        Ok(Self {
            exporter: if has("telemetry.") { telemetry::exporter(&config.telemetry)? } else { None },
            evidence: if has("record.") && has("evidence.") {
                evidence::means(config)?
            } else {
                evidence::Means::default()
            },
            sinks: Sinks::new(sinks).map_err(|error| Problem::new(error.to_string()))?,
        })
    }
}

/// Whether `up` could start with a configuration: all that it makes is made of it, but nothing is listened on, sent or
/// written. `without` are settings whose secrets are not here; what needs them is left out.
///
/// # Errors
/// What keeps it from starting.
pub(crate) fn check(loaded: &Loaded, without: &[&str]) -> anyhow::Result<()> {
    loaded.check_keys()?;
    let Next { mut settings, guard, profiles, .. } = next(loaded, Watched::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    Means::of(&loaded.config, without)?;
    drop(entered);
    // A provider's key changes nothing about the rest.
    for (index, upstream) in settings.upstream.iter_mut().enumerate() {
        let path = format!("upstream.{index}.key");
        upstream.key = upstream.key.take().filter(|_| !without.contains(&path.as_str()));
    }
    let others = ["telemetry.", "record.", "evidence.", "sink.", "store.", "upstream."];
    if without.iter().any(|path| !others.iter().any(|section| path.starts_with(section))) {
        return Ok(());
    }
    // Which model server it is may be said when it is started.
    if settings.upstream.is_empty() && !settings.check_api.standalone && settings.mcp.servers.is_empty() {
        settings
            .upstream
            .extend(serde_json::from_value::<Upstream>(json!({"name": "default", "url": "http://localhost"})));
    }
    // Of a database it is not known before it is opened.
    let keyed = loaded.config.store.url.is_some() || keys::are_needed(&loaded.config)?;
    bartizan_gateway::check(&settings, (guard, profiles), keyed).map_err(refused)?;
    Ok(())
}

fn refused(error: GatewayError) -> Problem {
    Problem::new(error.to_string()).help("see what is set: bartizan config show")
}

async fn serve(args: &UpArgs, config: &Config, next: Next) -> anyhow::Result<u8> {
    let Means { exporter, evidence, sinks } = Means::of(config, &[])?;
    let Next { settings, guard, profiles, digest, candidate, watched, .. } = next;
    let running = telemetry::traces(&settings.telemetry, exporter);
    let store = store::open(config, None, Use::Gateway).await?;
    let recorder = evidence::recorder(config, &store).await?;
    let background = evidence::background(config, evidence, &store);
    let mode = guard.mode();
    let rules = guard.rules().count();
    let access: Arc<dyn AccessStore> = match Keys::open(config).await? {
        None => Arc::new(SqliteAccess::open_in_memory().await?),
        Some(keys) => keys.shared(),
    };
    let gateway = Gateway::bind_recorder(settings, (guard, profiles), recorder, Some(access)).await.map_err(refused)?;
    let address = gateway.address()?;
    // A gateway whose terminal has gone away still guards.
    let mut out = std::io::stdout().lock();
    let _ = greet(&mut out, config, &address.to_string(), gateway.ext_proc_address(), mode, rules);
    drop(out);
    let metrics = gateway.metrics();
    tokio::spawn(sinks.run(
        store.clone() as Arc<dyn EventStore>,
        PathBuf::from(format!("{}.sinks", config.store.path)),
        move |name| metrics.sink(name),
    ));
    let (args, started) = (args.clone(), config.clone());
    tokio::spawn(gateway.reloader().watch(digest, candidate, watched, move || reread(&args, &started)));
    tokio::spawn(background);
    let stop = gateway.serve(stop_signal()).await;
    // The exporter waits for its runtime, so this one must not wait for it.
    tokio::task::spawn_blocking(move || running.finish()).await?;
    match stop {
        Stop::Drained => Ok(DONE),
        Stop::Cut => {
            tracing::error!("requests in flight did not end in time and were cut off");
            Ok(BROKEN)
        }
    }
}

fn evidence_in(config: &Config) -> &str {
    if config.store.url.is_some() { "Postgres" } else { &config.store.path }
}

fn greet(
    out: &mut impl Write,
    config: &Config,
    address: &str,
    envoy: Option<std::net::SocketAddr>,
    mode: Mode,
    rules: usize,
) -> std::io::Result<()> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let upstreams: Vec<&str> = config
        .upstream
        .iter()
        .map(|u| if u.is_behind_envoy() { "what Envoy sends on" } else { u.url.as_str() })
        .collect();
    let servers: Vec<&str> = config.mcp.servers.keys().map(String::as_str).collect();
    let guarded = match (upstreams.is_empty(), servers.is_empty()) {
        (false, _) => upstreams.join(", "),
        (true, false) => "MCP servers".to_owned(),
        (true, true) => "by its check APIs".to_owned(),
    };
    writeln!(out, "bartizan {} guards {} ({rules} rules, {mode} mode)", env!("CARGO_PKG_VERSION"), guarded)?;
    writeln!(out, "  OpenAI clients:    base URL {scheme}://{address}/v1")?;
    writeln!(out, "  Anthropic clients: base URL {scheme}://{address}")?;
    if let Some(envoy) = envoy {
        writeln!(out, "  Envoy (ext_proc):  {envoy}")?;
    }
    for server in servers {
        writeln!(out, "  MCP clients:       {scheme}://{address}/mcp/{server}")?;
    }
    writeln!(
        out,
        "  state:             {scheme}://{address}/readyz and /metrics; evidence in {}",
        evidence_in(config)
    )?;
    let pseudonyms =
        config.guard().policy.operator.iter().any(|row| row.operator == bartizan_policy::Operator::Pseudonym);
    if pseudonyms && config.record.master_key.is_none() {
        writeln!(out, "  pseudonyms:        in memory only, gone with a restart: `record.master_key` keeps them")?;
    }
    out.flush()
}

/// Ready on SIGINT or SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_say_whether_callers_need_tls() {
        for (tls, scheme) in [("", "http"), ("[tls]\ncert = \"c.pem\"\nkey = \"file:k.pem\"\n", "https")] {
            let text = format!("{tls}[mcp.servers.files]\nurl = \"https://files.example/mcp\"\n");
            let config: Config = toml::from_str(&text).expect("a configuration");
            let mut out = Vec::new();
            greet(&mut out, &config, "gate:1", None, Mode::Enforce, 1).expect("it is written");
            let said = String::from_utf8(out).expect("text");
            assert_eq!(said.matches("://gate:1").count(), 4, "{said}");
            assert_eq!(said.matches(&format!(" {scheme}://gate:1")).count(), 4, "{said}");
        }
    }
}
