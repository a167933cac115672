//! A conversation that grows: what a turn costs when everything before it is known.

use std::io::Write as _;
use std::sync::Arc;

use bartizan_core::{Protocol, TenantId};
use bartizan_guard::{Checked, Guard, ReplyContext, Route, SegmentCache, Settings};

use super::{PROSE, cpu_seconds, text};
use crate::DONE;

/// Turns added one after the other.
const ROUNDS: usize = 9;

/// What a conversation of so many messages costs, in milliseconds of CPU for a megabyte of body.
pub(super) struct Cost {
    /// When nothing of it is known.
    pub(super) first: f64,
    /// When all but the last message is known; median.
    pub(super) next: f64,
    /// Bytes of text that the last request had scanned, and of which the answer was known.
    work: (usize, usize),
    megabytes: f64,
}

/// Prints what a request with so many messages costs: the first, and those that add one.
pub(super) fn run(messages: usize) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:>8}  {:>8}  {:>14}  {:>14}  {:>14}  {:>14}",
        "bytes", "body MB", "first ms/MB", "next ms/MB", "scanned anew", "known"
    )?;
    for bytes in [100, 400, 1600] {
        let Cost { first, next, work, megabytes } = cost(messages, bytes)?;
        writeln!(out, "{bytes:>8}  {megabytes:>8.2}  {first:>14.2}  {next:>14.2}  {:>14}  {:>14}", work.0, work.1)?;
    }
    Ok(DONE)
}

/// Messages of so many bytes each.
pub(super) fn cost(messages: usize, bytes: usize) -> anyhow::Result<Cost> {
    let guard = Guard::new(&Settings::default())?.with_cache(Arc::new(SegmentCache::new(64 << 20)));
    let all: Vec<String> = (0..messages + ROUNDS).map(|number| message(number, bytes)).collect();
    let (first, _, size) = ask(&guard, &all[..messages])?;
    let mut times = Vec::with_capacity(ROUNDS);
    let mut work = (0, 0);
    for more in 1..=ROUNDS {
        let (seconds, checked, size) = ask(&guard, &all[..messages + more])?;
        times.push(seconds * 1e3 / megabytes(size));
        work = (checked.work.scanned, checked.work.kept);
    }
    times.sort_by(f64::total_cmp);
    let megabytes = megabytes(size);
    Ok(Cost { first: first * 1e3 / megabytes, next: times[ROUNDS / 2], work, megabytes })
}

fn message(number: usize, bytes: usize) -> String {
    let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
    let content = format!("Turn {number}. {}", text(PROSE, bytes).trim_end());
    serde_json::json!({"role": role, "content": content}).to_string()
}

/// Seconds of CPU for reading and checking a body, and its size in bytes.
fn ask(guard: &Guard, messages: &[String]) -> anyhow::Result<(f64, Checked, usize)> {
    let body = format!("{{\"model\":\"m\",\"messages\":[{}]}}", messages.join(",")).into_bytes();
    let size = body.len();
    let start = cpu_seconds();
    let parsed = guard.read_request(Protocol::OpenaiChat, body)?;
    let tenant = TenantId::sole();
    let checked = guard.check(parsed, &ReplyContext::default(), Route { tenant: Some(&tenant), ..Route::default() });
    let spent = start.zip(cpu_seconds()).map_or(f64::NAN, |(before, after)| after - before);
    Ok((spent, checked, size))
}

#[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
