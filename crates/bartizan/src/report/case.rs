//! `bartizan case`: the time line of one exchange or session with what proves it, as files that stand alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_lc_rs::digest;
use bartizan_core::{Event, EventQuery, TenantId};
use bartizan_guard::body_of;
use bartizan_sign::merkle::{PathMaker, Tree, is_under, leaf};
use bartizan_sign::{Checkpoint, NoteVerifier, hex, notes, unhex};
use bartizan_store::Evidence;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::args::{StoreArgs, tenant};
use crate::problem::Problem;
use crate::store::{self, Use};
use crate::terminal::counted;
use crate::{DONE, FOUND, config, record, terminal};

#[derive(Debug, Args)]
pub(crate) struct CaseArgs {
    /// Id of an exchange or event, or pseudonym of a session
    pub(crate) id: String,
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Signed checkpoints: the first that covers the records goes into the case
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Option<PathBuf>,
    /// Name of the two files without ending [default: case-ID]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

/// A case file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Form of the file.
    version: u32,
    /// What was asked for.
    id: String,
    tenant: TenantId,
    chain_id: String,
    records: Vec<Entry>,
    /// A signed checkpoint over all of them; without one the hashes prove nothing to others.
    checkpoint: Option<String>,
}

/// A record and its place under the checkpoint.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The record as it is hashed: its JSON without `hash`.
    body: String,
    /// SHA-256 over `prev` and `body`, hex.
    hash: String,
    /// Hashes from the leaf up (RFC 6962), hex.
    path: Vec<String>,
}

/// Records of a session that are looked for.
const MOST: usize = 10_000;

/// `bartizan case`.
pub(crate) async fn run(args: &CaseArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let store = store::open(&config, args.evidence.store.as_deref(), Use::Reading).await?;
    let store = store.as_ref();
    let tenant = args.tenant.clone();
    store::known(&config, store, &tenant).await?;
    let events = time_line(store, &tenant, &args.id).await?;
    if events.is_empty() {
        return Err(Problem::new(format!("no exchange, event or session of tenant `{tenant}` is `{}`", args.id))
            .help("sessions are named by their pseudonym, as records have it under `pseudonyms`")
            .into());
    }
    let last = events.iter().map(|e| e.seq).max().unwrap_or(0);
    let checkpoint = match &args.checkpoints {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
            next_checkpoint(&text, last)
        }
    };
    let chain_id = store.head().await?.chain_id;
    let paths = match &checkpoint {
        Some((_, checkpoint)) => paths(store, &events, checkpoint.size).await?,
        None => vec![Vec::new(); events.len()],
    };
    let mut records = Vec::with_capacity(events.len());
    for (event, path) in events.iter().zip(paths) {
        let body = body_of(event).filter(|body| chained(&event.prev, body) == event.hash);
        let body = body.with_context(|| format!("record {} was written by another version", event.seq))?;
        records.push(Entry { body, hash: event.hash.clone(), path });
    }
    let case = Case { version: 1, id: args.id.clone(), tenant, chain_id, records, checkpoint: checkpoint.map(|c| c.0) };
    let base = args.output.clone().unwrap_or_else(|| format!("case-{}", plain(&args.id)).into());
    let (json, markdown) = (base.with_extension("json"), base.with_extension("md"));
    write(&json, &(serde_json::to_string_pretty(&case)? + "\n"))?;
    write(&markdown, &page(&case, &events, &json))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} in `{}` and `{}`", counted(events.len() as u64, "record"), json.display(), markdown.display())?;
    if case.checkpoint.is_none() {
        writeln!(out, "without a checkpoint that covers them they are linked, but nobody vouches for them")?;
    }
    Ok(DONE)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// A file name of an id.
fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(80).collect()
}

/// The records of an exchange, of the exchange of an event, or of a session by its pseudonym.
async fn time_line(store: &dyn Evidence, tenant: &TenantId, id: &str) -> anyhow::Result<Vec<Event>> {
    if let Some(event) = store.get(tenant, id).await? {
        let all = store.exchange(tenant, &event.exchange).await?;
        return Ok(if all.is_empty() { vec![event] } else { all });
    }
    let exchange = store.exchange(tenant, id).await?;
    if !exchange.is_empty() {
        return Ok(exchange);
    }
    let (mut found, mut before_seq) = (Vec::new(), None);
    loop {
        let page = store.query(tenant, &EventQuery { before_seq, ..EventQuery::default() }).await?;
        let Some(oldest) = page.last().map(|e| e.seq) else { break };
        before_seq = Some(oldest);
        found.extend(page.into_iter().filter(|e| e.pseudonyms.get("session").is_some_and(|s| s == id)));
        if found.len() > MOST {
            let title = format!("the session has more than {MOST} records");
            return Err(Problem::new(title).help("name an exchange instead").into());
        }
    }
    found.sort_by_key(|e| e.seq);
    Ok(found)
}

/// The first checkpoint that covers a record.
fn next_checkpoint(file: &str, seq: u64) -> Option<(String, Checkpoint)> {
    let read = |note: &str| {
        let text = note.rsplit_once("\n\n").map_or(note, |(text, _)| text);
        Some((format!("{note}\n"), Checkpoint::parse(text).ok()?))
    };
    notes(file).into_iter().filter_map(read).filter(|(_, c)| c.size > seq).min_by_key(|(_, c)| c.size)
}

/// The path of each record under the first `size` records, in one pass.
async fn paths(store: &dyn Evidence, events: &[Event], size: u64) -> anyhow::Result<Vec<Vec<String>>> {
    let first = store.first().await?.unwrap_or(0);
    let pruned = store.last_act(bartizan_core::Deed::Pruned).await?;
    let start = pruned.as_ref().and_then(bartizan_guard::tree_of).filter(|t| t.size() == first).unwrap_or_default();
    let makers = events.iter().map(|e| PathMaker::new(e.seq, size, start.clone()));
    let mut makers: Vec<PathMaker> = makers.collect::<Option<_>>().context("a record is not under the checkpoint")?;
    let mut at = Tree::size(&start);
    while at < size {
        let hashes = store.hashes(at, 4096).await?;
        if hashes.is_empty() {
            return Err(
                Problem::new("the store ends before the checkpoint: `bartizan report verify` says where").into()
            );
        }
        for (seq, hash) in hashes {
            if seq >= size {
                break;
            }
            let hash = unhex::<32>(&hash).filter(|_| seq == at).context("the chain is broken")?;
            makers.iter_mut().for_each(|maker| maker.push(leaf(&hash)));
            at += 1;
        }
        at = at.min(size);
    }
    Ok(makers.into_iter().map(|m| m.finish().iter().map(|h| hex(h)).collect()).collect())
}

fn chained(prev: &str, body: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(prev.as_bytes());
    context.update(body.as_bytes());
    hex(context.finish().as_ref())
}

/// The time line for people.
fn page(case: &Case, events: &[Event], json: &Path) -> String {
    let mut out = format!("# Case {}\n\nTenant `{}`, chain `{}`.\n\n", plain(&case.id), case.tenant, case.chain_id);
    out.push_str(
        "| record | time | direction | verdict | action | rules | client key |\n|---|---|---|---|---|---|---|\n",
    );
    for event in events {
        let rules: Vec<&str> = event.rules.keys().map(bartizan_core::RuleId::as_str).collect();
        let key = terminal::line(&event.key).replace('|', "\\|");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {key} |",
            event.seq,
            event.time,
            event.direction,
            event.verdict,
            event.action,
            rules.join(", ")
        );
    }
    out.push_str(&calls(events));
    let engines: BTreeSet<(&str, &str)> = events.iter().map(|e| (e.engine.rules.as_str(), e.policy.as_str())).collect();
    for (rules, policy) in engines {
        let _ = writeln!(out, "\nDecided by rules `{rules}` under policy `{policy}`.");
    }
    let _ = writeln!(
        out,
        "\nTo check: `bartizan report verify --case {} --public-key KEY`. {}",
        json.display(),
        if case.checkpoint.is_some() { "" } else { "There is no checkpoint in it, so only the hashes can be checked." }
    );
    out
}

/// The tool calls of the replies, with where their arguments came from.
fn calls(events: &[Event]) -> String {
    if events.iter().all(|event| event.calls.is_empty()) {
        return String::new();
    }
    let cell = |text: &str| terminal::line(text).replace('|', "\\|");
    let mut out =
        "\n| record | tool | verdict | because | argument <- source | approval |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for (event, call) in events.iter().flat_map(|event| event.calls.iter().map(move |call| (event, call))) {
        let edges = call.arguments.iter().map(|edge| {
            let from = [edge.source.as_deref(), edge.tool.as_deref(), edge.field.as_deref()];
            let from: Vec<&str> = from.into_iter().flatten().collect();
            format!("{} <- {} {}", edge.argument, edge.trace, from.join(" "))
        });
        let edges: Vec<String> = edges.collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            event.seq,
            cell(&call.tool),
            call.verdict,
            cell(&call.reasons.join(", ")),
            cell(&edges.join("; ")),
            call.approval.as_deref().unwrap_or_default()
        );
    }
    out
}

/// `bartizan report verify --case`.
pub(crate) fn verify(file: &Path, key: Option<&str>) -> anyhow::Result<u8> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let case: Case = serde_json::from_str(&text).with_context(|| format!("`{}` is not a case", file.display()))?;
    let mut out = std::io::stdout().lock();
    let name = file.display();
    let checkpoint = match (&case.checkpoint, key) {
        (Some(note), Some(key)) => match NoteVerifier::parse(key)?.open(note).and_then(Checkpoint::parse) {
            Ok(checkpoint) if checkpoint.chain_id == case.chain_id => Some(checkpoint),
            Ok(_) => {
                writeln!(out, "`{name}`: its checkpoint is about another chain")?;
                return Ok(FOUND);
            }
            Err(error) => {
                writeln!(out, "`{name}`: {error}")?;
                return Ok(FOUND);
            }
        },
        _ => None,
    };
    for (at, entry) in case.records.iter().enumerate() {
        if let Some(fault) = fault(&case, entry, checkpoint.as_ref()) {
            writeln!(out, "`{name}`: record {} of it {fault}", at + 1)?;
            return Ok(FOUND);
        }
    }
    match checkpoint {
        Some(c) => writeln!(
            out,
            "`{name}`: {} records, under the checkpoint of {} over {} records",
            case.records.len(),
            c.time,
            c.size
        )?,
        None => writeln!(
            out,
            "`{name}`: {} records fit their hashes; nobody vouches for these without a checkpoint and `--public-key`",
            case.records.len()
        )?,
    }
    Ok(DONE)
}

fn fault(case: &Case, entry: &Entry, checkpoint: Option<&Checkpoint>) -> Option<&'static str> {
    let open = entry.body.strip_suffix('}').unwrap_or_default();
    let Ok(event) = serde_json::from_str::<Event>(&format!("{open},\"hash\":\"\"}}")) else {
        return Some("cannot be read");
    };
    if chained(&event.prev, &entry.body) != entry.hash {
        return Some("does not fit its hash");
    }
    if event.chain_id != case.chain_id || event.tenant != case.tenant {
        return Some("belongs to another chain or tenant");
    }
    let checkpoint = checkpoint?;
    let path: Option<Vec<_>> = entry.path.iter().map(|h| unhex::<32>(h)).collect();
    let under = path
        .zip(unhex::<32>(&entry.hash))
        .is_some_and(|(path, hash)| is_under(&leaf(&hash), event.seq, checkpoint.size, &path, &checkpoint.root));
    (!under).then_some("is not under the checkpoint")
}

/// `bartizan case`, from the command line.
pub(crate) fn start(args: &CaseArgs) -> anyhow::Result<u8> {
    record::block_on(run(args))
}
