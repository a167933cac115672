//! `bartizan bench posture`: a posture report over a store of many decisions.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use bartizan_core::{
    Action, Coverage, Direction, EngineId, Event, EventStore as _, Mode, Protocol, RuleId, Scores, TenantId, Timings,
    Verdict,
};
use bartizan_store::{Options, SqliteStore};
use tokio::task::JoinSet;

use super::load::{Scratch, median, runtime};
use crate::DONE;

/// Appends under way at once: as many as the writer commits together, many times over.
const AT_ONCE: u64 = 1024;
const ROUNDS: usize = 5;

/// Fills a store and prints how long a report over it takes, as a program of its own.
pub(super) fn run(decisions: u64) -> anyhow::Result<u8> {
    let folder = Scratch::new()?;
    let path = folder.0.join("bartizan.sqlite");
    let began = Instant::now();
    std::fs::write(folder.0.join("bartizan.toml"), "")?;
    runtime(2)?.block_on(fill(&path, decisions))?;
    let (filled, bytes) = (began.elapsed(), std::fs::metadata(&path)?.len());
    let mut out = std::io::stdout();
    writeln!(out, "{decisions} decisions in {:.0} s, {:.2} GB", filled.as_secs_f64(), to_f64(bytes) / 1e9)?;
    for format in ["human", "html"] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let done = std::process::Command::new(std::env::current_exe()?)
                .args(["report", "posture", "--format", format, "--store", "bartizan.sqlite"])
                .current_dir(&folder.0)
                .output()?;
            anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            times.push(began.elapsed().as_secs_f64());
        }
        writeln!(
            out,
            "report posture --format {format:<6} {:.2} s, median of {ROUNDS} (first {:.2} s)",
            median(times.clone()),
            times[0]
        )?;
    }
    Ok(DONE)
}

#[allow(clippy::cast_precision_loss, reason = "a size in bytes")]
const fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}

async fn fill(path: &std::path::Path, decisions: u64) -> anyhow::Result<()> {
    let options = Options { queue: 8192, ..Options::default() };
    let store = Arc::new(SqliteStore::open_with(path, &options).await?);
    let mut waiting = JoinSet::new();
    for n in 0..decisions {
        while waiting.len() as u64 >= AT_ONCE {
            if let Some(done) = waiting.join_next().await {
                done??;
            }
        }
        let store = Arc::clone(&store);
        waiting.spawn(async move { store.append(decision(n)).await });
    }
    while let Some(done) = waiting.join_next().await {
        done??;
    }
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
    Ok(())
}

/// A decision of the usual size. In one of eight something fired.
fn decision(n: u64) -> Event {
    const FIRED: [&[&str]; 4] = [
        &["prompt/instruction-override", "prompt/learned-injection"],
        &["pii/email"],
        &["secret/github-token"],
        &["pii/phone", "pii/email", "pii/person"],
    ];
    let fired: &[&str] = match n % 8 {
        0 => FIRED[usize::try_from(n / 8 % 4).unwrap_or(0)],
        _ => &[],
    };
    let verdict = match (fired.is_empty(), n % 16) {
        (true, _) => Verdict::Allow,
        (false, 0) => Verdict::Deny,
        (false, _) => Verdict::Redact,
    };
    let minute = n / 60;
    Event {
        id: uuid::Uuid::now_v7().to_string(),
        exchange: uuid::Uuid::now_v7().to_string(),
        time: format!(
            "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            1 + minute / 40_320 % 12,
            1 + minute / 1440 % 28,
            minute / 60 % 24,
            minute % 60,
            n % 60,
            n % 1_000_000
        ),
        tenant: TenantId::sole(),
        key: format!("client-{}", n % 40),
        pseudonyms: [("user", n % 5000), ("session", n / 7)]
            .map(|(name, n)| (name.to_owned(), format!("{n:064x}")))
            .into(),
        route: "default".to_owned(),
        protocol: Protocol::OpenaiChat,
        direction: if n.is_multiple_of(2) { Direction::Request } else { Direction::Reply },
        model: "gpt-5-mini".to_owned(),
        mode: Mode::Enforce,
        verdict,
        action: match verdict {
            Verdict::Deny => Action::Refuse,
            Verdict::Redact => Action::Mask,
            _ => Action::Pass,
        },
        rules: fired.iter().map(|rule| (RuleId::new(rule), 1)).collect(),
        scores: Scores { injection: Some(0.01), ..Scores::default() },
        coverage: Coverage::default(),
        engine: EngineId {
            canon: "1".to_owned(),
            rules: "0123456789abcdef".repeat(2),
            model: "0123456789abcdef".repeat(2),
        },
        policy: "0123456789abcdef".repeat(2),
        hmacs: [("request".to_owned(), format!("{n:064x}"))].into(),
        timings: Timings { parse_us: 40, scan_us: 220, upstream_us: 90_000, total_us: 400_000 },
        ..Event::default()
    }
}
