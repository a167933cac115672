//! Times of a store with many records: writing, reading, counting, checking; of a file also copying it, checking the copy,
//! and putting it back; of Postgres also taking records away.
//!
//!     cargo run --release -p bartizan-store --example backup -- 1000000
//!     cargo run --release -p bartizan-store --example backup -- 1000000 postgres://bartizan@localhost/bartizan
#![allow(clippy::print_stdout, reason = "it prints measurements")]
#![allow(clippy::disallowed_methods, reason = "it measures time and reads its argument")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bartizan_core::{Act, Deed, Direction, Event, TenantId};
use bartizan_store::{Choices, Evidence, Options, PgStore, SqliteStore, backup, check_backup, restore};

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Callers that write at the same time.
const WRITERS: usize = 64;

fn main() -> Done {
    let count: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir()?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        match std::env::args().nth(2) {
            Some(url) => server(&url, count).await,
            None => run(folder.path(), count).await,
        }
    })
}

async fn run(folder: &Path, count: usize) -> Done {
    let path = folder.join("evidence.sqlite");
    let store: Arc<dyn Evidence> = Arc::new(SqliteStore::open(&path).await?);
    measure(Arc::clone(&store), count).await?;

    let out = folder.join("copy");
    let choices = Choices {
        content: true,
        schema: BTreeMap::new(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        time: "2026-01-02T03:04:05Z".to_owned(),
    };
    let time = Instant::now();
    let manifest = backup(&path, &out, &choices).await?;
    say("copied and verified, while open for writing", count, time);
    let time = Instant::now();
    check_backup(&out).await?;
    say("checked", count, time);
    let time = Instant::now();
    restore(&out, &folder.join("other.sqlite"), None).await?;
    say("restored", count, time);
    store.finish().await?;
    println!("{} bytes a record", manifest.files.values().map(|file| file.bytes).sum::<u64>() / count.max(1) as u64);
    Ok(())
}

/// A database, whose records are taken away again.
async fn server(url: &str, count: usize) -> Done {
    let store: Arc<dyn Evidence> = Arc::new(PgStore::open(url, &Options::default()).await?);
    measure(Arc::clone(&store), count).await?;
    let head = store.head().await?;
    let time = Instant::now();
    let act =
        Act::new("prune".to_owned(), "2026-01-03T00:00:00.000000Z".to_owned(), TenantId::sole(), "x", Deed::Pruned);
    store.prune(head.next(), act.with("before", head.next()).with("head", &head.hash)).await?;
    say("taken away", count, time);
    Ok(store.finish().await?)
}

/// Writes, reads, counts and checks.
async fn measure(store: Arc<dyn Evidence>, count: usize) -> Done {
    let time = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for n in (writer..count).step_by(WRITERS) {
                store.append(event(n)).await?;
            }
            Done::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    say("written", count, time);
    let time = Instant::now();
    let mut after = None;
    loop {
        let page = store.after(after, 1000).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.seq());
    }
    say("read", count, time);
    let time = Instant::now();
    store.totals(None, None).await?;
    say("counted", count, time);
    let time = Instant::now();
    store.verify().await?;
    say("checked link by link", count, time);
    Ok(())
}

fn say(what: &str, count: usize, since: Instant) {
    let seconds = since.elapsed().as_secs_f64();
    println!("{what}: {count} records in {seconds:.2} s, {:.0} a second", count as f64 / seconds);
}

/// A record of the usual size.
fn event(n: usize) -> Event {
    let hex = |n: usize| format!("{n:064x}");
    Event {
        id: format!("01890a5d-ac96-774b-bcce-{n:012x}"),
        exchange: format!("01890a5d-ac96-774b-bcce-{:012x}", n / 2),
        time: format!("2026-01-02T03:04:{:02}.{:06}Z", n / 1_000_000 % 60, n % 1_000_000),
        tenant: TenantId::sole(),
        key: "app".to_owned(),
        route: "main".to_owned(),
        model: "a-model-with-a-name".to_owned(),
        direction: if n.is_multiple_of(2) { Direction::Request } else { Direction::Reply },
        hmacs: [("body".to_owned(), hex(n))].into(),
        pseudonyms: [("user".to_owned(), hex(n % 1000))].into(),
        ..Event::default()
    }
}
