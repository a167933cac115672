use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{
    Act, Action, CallRecord, ChainStore, Coverage, Deed, Direction, EngineId, Event, EventStore, Grounds, Head, Mode,
    Protocol, Record, RuleId, Scores, Source, StoreError, TenantId, Timings, Verdict,
    store::{GENESIS, StoreFuture},
};
use proptest::prelude::*;
use sqlx::Connection as _;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::chain;
use crate::database::Database;
use crate::evidence::{Evidence as _, Store};
use crate::places::{Place, on_both};
use crate::{OpenError, Options, SqliteStore};

on_both!(postgres_gives_the_same_answers:
    records_come_back_as_they_went_in,
    every_change_of_a_record_is_found_where_it_is,
    acts_are_links_of_the_same_chain,
    queries_take_every_condition,
    a_pruned_chain_verifies_from_the_record_that_says_so,
    a_command_may_add_records_beside_a_gateway,
    a_cut_tail_shows_only_against_an_earlier_head,
    a_break_behind_the_first_batch_is_found,
    opening_again_continues_the_chain,
    concurrent_appends_make_one_chain_in_each_callers_order,
    a_full_queue_is_said_at_once,
    records_about_replies_wait_for_a_place,
    only_those_who_may_write_do,
    everything_is_counted_by_verdict_rule_and_deed,
);

fn event(id: &str) -> Event {
    Event {
        id: id.to_owned(),
        exchange: "x".to_owned(),
        chain_id: String::new(),
        seq: 0,
        time: "2026-01-02T03:04:05.000006Z".to_owned(),
        tenant: TenantId::sole(),
        key: String::new(),
        pseudonyms: [("user".to_owned(), "11".to_owned())].into(),
        route: "main".to_owned(),
        protocol: Protocol::OpenaiChat,
        direction: Direction::Request,
        model: "m".to_owned(),
        mode: Mode::Enforce,
        verdict: Verdict::Deny,
        action: Action::Refuse,
        rules: [(RuleId::new("prompt/a"), 2), (RuleId::new("secret/b"), 1)].into(),
        suppressed: 0,
        calls: Vec::new(),
        exceptions: std::collections::BTreeMap::new(),
        contained: Vec::new(),
        scores: Scores { injection: Some(0.1), ..Scores::default() },
        coverage: Coverage::default(),
        engine: EngineId::default(),
        policy: "ab".to_owned(),
        hmacs: [("request".to_owned(), "00".to_owned())].into(),
        recording: String::new(),
        timings: Timings { total_us: 17, ..Timings::default() },
        failed_open: false,
        candidate: None,
        grounds: None,
        prev: "from the caller".to_owned(),
        hash: "from the caller".to_owned(),
    }
}

fn decision(event: Event) -> Record {
    Record::Decision(Box::new(event))
}

fn act(id: &str, deed: Deed) -> Act {
    Act::new(id.to_owned(), "2026-01-02T03:04:05.000006Z".to_owned(), TenantId::sole(), "cli:ann", deed).about("x")
}

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

/// Appends `count` events with ids from `from` on, waiting for each.
async fn fill<D: Database>(store: &Store<D>, from: usize, count: usize) {
    for n in from..from + count {
        store.append(event(&format!("e{n}"))).await.unwrap();
    }
}

/// Fills a place, runs statements on it behind its back, then verifies it.
async fn tampered(place: &impl Place, count: usize, sql: &'static str) -> Result<u64, StoreError> {
    let store = place.open().await;
    fill_at_once(store, count).await;
    place.raw(sql).await;
    place.read_only().await.unwrap().verify().await
}

/// Appends `count` events in one go, and closes the store.
async fn fill_at_once<D: Database>(store: Store<D>, count: usize) {
    let store = Arc::new(store);
    for from in (0..count).step_by(64) {
        let all = (from..count.min(from + 64)).map(|n| store.append(event(&format!("e{n}"))));
        for done in join(all).await {
            done.unwrap();
        }
    }
    Arc::into_inner(store).unwrap().close().await;
}

fn broken_at(result: Result<u64, StoreError>) -> u64 {
    match result {
        Err(StoreError::Broken { seq, .. }) => seq,
        other => panic!("not broken: {other:?}"),
    }
}

async fn records_come_back_as_they_went_in(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.head().await.unwrap().hash, GENESIS);
    assert_eq!(store.verify().await.unwrap(), 0);
    fill(&store, 0, 3).await;
    let head = store.head().await.unwrap();
    assert_eq!((head.seq, head.chain_id.len()), (Some(2), 32));

    let newest = store.recent(&TenantId::sole(), 2).await.unwrap();
    assert_eq!(newest.iter().map(|e| (e.id.as_str(), e.seq)).collect::<Vec<_>>(), [("e2", 2), ("e1", 1)]);
    assert_eq!(newest[0].hash, head.hash);
    assert_eq!(newest[0].prev, newest[1].hash);
    assert_eq!(newest[0].chain_id, head.chain_id);
    assert_eq!(store.hash_at(1).await.unwrap().as_ref(), Some(&newest[1].hash));

    let one = store.get(&TenantId::sole(), "e1").await.unwrap().unwrap();
    let sent = event("e1");
    assert_eq!(
        one,
        Event { chain_id: one.chain_id.clone(), seq: 1, prev: one.prev.clone(), hash: one.hash.clone(), ..sent }
    );
    assert!(store.get(&TenantId::sole(), "nothing").await.unwrap().is_none());
    assert_eq!(store.verify().await.unwrap(), 3);
}

#[test]
fn the_hash_covers_what_is_exported() {
    // Whoever has an exported record can check it with nothing but SHA-256: it is the text without `hash`.
    let mut head = Head { chain_id: "c".to_owned(), seq: None, hash: GENESIS.to_owned() };
    let row = chain::link(&mut decision(event("e")), &mut head).unwrap();
    let exported = serde_json::to_string(&chain::event(&row.body, &row.hash).unwrap()).unwrap();
    let body = exported.replace(&format!(",\"hash\":\"{}\"", row.hash), "");
    assert_eq!(chain::hash(GENESIS, &body), row.hash);
    assert_eq!(body, row.body);
}

async fn every_change_of_a_record_is_found_where_it_is(place: &impl Place) {
    for (sql, at) in [
        ("UPDATE events SET body = replace(body, 'deny', 'allow') WHERE seq = 3", 3),
        ("UPDATE events SET verdict = 'allow' WHERE seq = 3", 3),
        ("UPDATE events SET rules = '' WHERE seq = 4", 4),
        ("UPDATE events SET id = 'other' WHERE seq = 0", 0),
        ("UPDATE events SET hash = 'x' || hash WHERE seq = 2", 2),
        ("DELETE FROM events WHERE seq = 3", 3),
        ("DELETE FROM events WHERE seq = 0", 0),
        ("UPDATE events SET kind = 'act' WHERE seq = 3", 3),
        ("UPDATE events SET exchange = 'y' WHERE seq = 3", 3),
        ("UPDATE events SET key = 'y' WHERE seq = 3", 3),
        // Two records change places, whole.
        (
            "UPDATE events SET seq = 99 WHERE seq = 2; UPDATE events SET seq = 2 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 99",
            2,
        ),
        // The rest moves up after a deletion.
        ("DELETE FROM events WHERE seq = 1; UPDATE events SET seq = seq - 1 WHERE seq > 1", 1),
        // A copy is inserted at the end.
        (
            "INSERT INTO events SELECT 6, id, time, tenant, verdict, action, rules, hash, body, kind, exchange, key FROM events WHERE seq = 5",
            6,
        ),
        (
            "INSERT INTO events SELECT -1, id, time, tenant, verdict, action, rules, hash, body, kind, exchange, key FROM events WHERE seq = 5",
            0,
        ),
        ("UPDATE chain SET id = 'another'", 0),
    ] {
        let place = place.another().await;
        assert_eq!(broken_at(tampered(&place, 6, sql).await), at, "{sql}");
    }
}

async fn acts_are_links_of_the_same_chain(place: &impl Place) {
    let store = place.open().await;
    fill(&store, 0, 2).await;
    store.act(act("a", Deed::Exported).because("audit").with("records", 2)).await.unwrap();
    fill(&store, 2, 1).await;
    assert_eq!(store.verify().await.unwrap(), 4);
    let acts = store.acts(&TenantId::sole(), 9).await.unwrap();
    assert_eq!(
        acts.iter().map(|a| (a.seq, a.deed, a.reason.as_str())).collect::<Vec<_>>(),
        [(2, Deed::Exported, "audit")]
    );
    // An act is no decision.
    assert_eq!(store.recent(&TenantId::sole(), 9).await.unwrap().len(), 3);
    assert!(store.get(&TenantId::sole(), "a").await.unwrap().is_none());
    assert_eq!(store.last_act(Deed::Exported).await.unwrap().as_ref(), acts.first());
    assert!(store.last_act(Deed::Pruned).await.unwrap().is_none());

    let tail = store.after(Some(1), 9).await.unwrap();
    assert_eq!(tail.iter().map(|r| (r.seq(), r.id())).collect::<Vec<_>>(), [(2, "a"), (3, "e2")]);
    assert_eq!(store.after(None, 1).await.unwrap()[0].seq(), 0);
    let json = serde_json::to_string(&tail).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Record>>(&json).unwrap(), tail);
}

async fn queries_take_every_condition(place: &impl Place) {
    use bartizan_core::EventQuery;
    let store = place.open().await;
    let (sole, other) = (TenantId::sole(), TenantId::authenticated("other").unwrap());
    for n in 0..6_u32 {
        let rules = if n % 2 == 0 { [(RuleId::new("pii/a"), 1)].into() } else { [(RuleId::new("pii/ab"), 1)].into() };
        let verdict = if n < 3 { Verdict::Allow } else { Verdict::Deny };
        let (time, key) = (format!("2026-01-0{}T00:00:00.000000Z", n + 1), format!("k{n}"));
        let tenant = if n == 5 { other.clone() } else { sole.clone() };
        let exchange = format!("x{}", n / 2);
        store.append(Event { rules, verdict, time, key, tenant, exchange, ..event(&format!("e{n}")) }).await.unwrap();
    }
    let ask = async |query: EventQuery| {
        let found = store.query(&sole, &query).await.unwrap();
        found.iter().map(|e| e.seq).collect::<Vec<_>>()
    };
    let any = EventQuery::default();
    assert_eq!(ask(any.clone()).await, [4, 3, 2, 1, 0]);
    assert_eq!(ask(EventQuery { limit: 2, before_seq: Some(3), ..any.clone() }).await, [2, 1]);
    assert_eq!(ask(EventQuery { limit: 2, after_seq: Some(1), ..any.clone() }).await, [2, 3]);
    assert_eq!(
        ask(EventQuery { since: Some("2026-01-02T".into()), until: Some("2026-01-04T".into()), ..any.clone() }).await,
        [2, 1]
    );
    assert_eq!(ask(EventQuery { rules: [RuleId::new("pii/a")].into(), ..any.clone() }).await, [4, 2, 0]);
    assert_eq!(
        ask(EventQuery { rules: [RuleId::new("pii/a"), RuleId::new("pii/ab")].into(), ..any.clone() }).await.len(),
        5
    );
    assert_eq!(
        ask(EventQuery {
            verdicts: [Verdict::Deny].into(),
            keys: ["k1".into(), "k3".into(), "k5".into()].into(),
            ..any.clone()
        })
        .await,
        [3]
    );
    assert_eq!(ask(EventQuery { exchange: Some("x1".into()), ..any.clone() }).await, [3, 2]);
    let exchange = store.exchange(&sole, "x2").await.unwrap();
    assert_eq!(exchange.iter().map(|e| e.seq).collect::<Vec<_>>(), [4]);
    assert!(store.exchange(&sole, "").await.unwrap().is_empty());
}

async fn a_pruned_chain_verifies_from_the_record_that_says_so(place: &impl Place) {
    let store = place.open().await;
    fill(&store, 0, 6).await;
    let head = store.hash_at(3).await.unwrap().unwrap();
    let too_many = store.prune(9, act("p", Deed::Pruned)).await;
    assert!(matches!(too_many, Err(StoreError::Failed(_))), "{too_many:?}");
    store.prune(4, act("p", Deed::Pruned).with("before", 4).with("head", &head)).await.unwrap();
    fill(&store, 6, 2).await;
    assert_eq!(store.verify().await.unwrap(), 9);
    assert_eq!((store.first().await.unwrap(), store.hash_at(3).await.unwrap()), (Some(4), None));

    // A prune record for other records does not stand for these, and without one they are missing.
    store.prune(5, act("q", Deed::Pruned).with("before", 5).with("head", &head)).await.unwrap();
    assert_eq!(broken_at(store.verify().await), 0);

    // All of them: the chain goes on where it was.
    let other = place.another().await;
    let store = other.open().await;
    fill(&store, 0, 3).await;
    let head = store.head().await.unwrap();
    store.prune(3, act("all", Deed::Pruned).with("before", 3).with("head", &head.hash)).await.unwrap();
    fill(&store, 3, 1).await;
    assert_eq!((store.first().await.unwrap(), store.verify().await.unwrap()), (Some(3), 5));
}

#[test]
fn a_store_of_the_first_schema_verifies_unchanged_and_is_upgraded_when_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    runtime().block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let old = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(include_str!("../migrations/0001_events.sql")).execute(&old).await.unwrap();
        sqlx::raw_sql("PRAGMA application_id = 1115309430; PRAGMA user_version = 1; INSERT INTO chain VALUES ('c')").execute(&old).await.unwrap();
        let mut head = Head { chain_id: "c".to_owned(), seq: None, hash: GENESIS.to_owned() };
        for n in 0..3 {
            let first = Event { pseudonyms: [].into(), policy: String::new(), ..event(&format!("e{n}")) };
            let row = chain::link(&mut decision(first), &mut head).unwrap();
            assert!(!row.body.contains("policy") && !row.body.contains("pseudonyms"));
            sqlx::query("INSERT INTO events (seq, id, time, tenant, verdict, action, rules, hash, body) VALUES (?,?,?,?,?,?,?,?,?)")
                .bind(n).bind(row.id).bind(row.time).bind(row.tenant).bind(row.verdict).bind(row.action).bind(row.rules).bind(row.hash).bind(row.body)
                .execute(&old).await.unwrap();
        }
        old.close().await;
        let bytes = std::fs::read(&path).unwrap();

        let reader = SqliteStore::open_read_only(&path).await.unwrap();
        assert_eq!(reader.verify().await.unwrap(), 3);
        assert_eq!(reader.exchange(&TenantId::sole(), "x").await.unwrap().len(), 3);
        assert!(reader.acts(&TenantId::sole(), 9).await.unwrap().is_empty());
        reader.close().await;
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "reading changes nothing");

        let store = SqliteStore::open_shared(&path).await.unwrap();
        store.act(act("a", Deed::Exported)).await.unwrap();
        assert_eq!(store.verify().await.unwrap(), 4);
        assert_eq!(store.exchange(&TenantId::sole(), "x").await.unwrap().len(), 3);
    });
}

async fn a_command_may_add_records_beside_a_gateway(place: &impl Place) {
    let gateway = Arc::new(place.open().await);
    let mut tasks = JoinSet::new();
    for task in 0..4 {
        let gateway = Arc::clone(&gateway);
        tasks.spawn(async move {
            for n in 0..25 {
                gateway.append(event(&format!("{task}-{n}"))).await.unwrap();
            }
        });
    }
    let command = place.shared().await.unwrap();
    for n in 0..20 {
        command.act(act(&format!("a{n}"), Deed::Marked)).await.unwrap();
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(gateway.verify().await.unwrap(), 120);
}

async fn a_cut_tail_shows_only_against_an_earlier_head(place: &impl Place) {
    assert_eq!(tampered(place, 6, "DELETE FROM events WHERE seq > 3").await.unwrap(), 4);
}

async fn a_break_behind_the_first_batch_is_found(place: &impl Place) {
    assert_eq!(tampered(place, 600, "SELECT 1").await.unwrap(), 600);
    place.raw("DELETE FROM events WHERE seq = 512").await;
    assert_eq!(broken_at(place.read_only().await.unwrap().verify().await), 512);
}

async fn opening_again_continues_the_chain(place: &impl Place) {
    fill_at_once(place.open().await, 3).await;
    let store = place.open_with(&Options { sync: true, ..Options::default() }).await.unwrap();
    let before = store.head().await.unwrap();
    fill(&store, 3, 2).await;
    assert_eq!(store.verify().await.unwrap(), 5);
    let after = store.head().await.unwrap();
    assert_eq!((after.seq, &after.chain_id), (Some(4), &before.chain_id));
    assert_eq!(store.hash_at(2).await.unwrap(), Some(before.hash));
}

async fn concurrent_appends_make_one_chain_in_each_callers_order(place: &impl Place) {
    let store = Arc::new(place.open().await);
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..20 {
                store.append(event(&format!("{task}-{n:02}"))).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(store.verify().await.unwrap(), 320);
    let mut all = store.recent(&TenantId::sole(), 1000).await.unwrap();
    all.reverse();
    assert!(all.iter().map(|e| e.seq).eq(0..320));
    for task in 0..16 {
        let prefix = format!("{task}-");
        let ids: Vec<&str> = all.iter().map(|e| e.id.as_str()).filter(|id| id.starts_with(&prefix)).collect();
        assert!(ids.is_sorted() && ids.len() == 20, "{ids:?}");
    }
}

async fn a_full_queue_is_said_at_once(place: &impl Place) {
    // No more are taken than there are places, however fast the writer is; what is taken is there.
    let store = place.open_with(&Options { queue: 2, ..Options::default() }).await.unwrap();
    let answers = futures(&store, (0..400).map(|n| event(&format!("e{n}")))).await;
    let full = answers.iter().filter(|a| matches!(a, Err(StoreError::Full(_)))).count();
    assert!(full > 0 && answers.iter().all(|a| matches!(a, Ok(()) | Err(StoreError::Full(_)))), "{answers:?}");
    assert_eq!(store.verify().await.unwrap(), 400 - full as u64);
}

async fn records_about_replies_wait_for_a_place(place: &impl Place) {
    let replies = |count| (0..count).map(|n| Event { direction: Direction::Reply, ..event(&format!("e{n}")) });
    let store = place.open_with(&Options { queue: 2, ..Options::default() }).await.unwrap();
    let answers = futures(&store, replies(40)).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(store.verify().await.unwrap(), 40);

    let options = Options { queue: 2, patience: Duration::ZERO, ..Options::default() };
    let other = place.another().await;
    let store = other.open_with(&options).await.unwrap();
    // So many that the writer does not keep up, however the threads take turns.
    let full = futures(&store, replies(3000)).await.iter().filter(|a| matches!(a, Err(StoreError::Full(_)))).count();
    assert_eq!(full as u64, 3000 - store.verify().await.unwrap(), "what is not acknowledged is not there");
    assert!(full > 0, "nobody waits for ever");
}

#[test]
fn a_database_that_another_program_locks_is_said_and_used_again_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.db");
    runtime().block_on(async {
        let store = SqliteStore::open(&path).await.unwrap();
        fill(&store, 0, 1).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let error = store.append(event("locked")).await.unwrap_err();
        assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
        assert_eq!(store.recent(&TenantId::sole(), 10).await.unwrap().len(), 1, "readers go on");
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        fill(&store, 1, 2).await;
        assert_eq!(store.verify().await.unwrap(), 3);
    });
}

/// Polls all before any of them can be answered.
async fn join<'a>(all: impl Iterator<Item = StoreFuture<'a, ()>>) -> Vec<Result<(), StoreError>> {
    let mut pending: Vec<_> = all.collect();
    let mut answers: Vec<Option<Result<(), StoreError>>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in pending.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

async fn futures<D: Database>(store: &Store<D>, events: impl Iterator<Item = Event>) -> Vec<Result<(), StoreError>> {
    join(events.map(|event| store.append(event))).await
}

#[test]
fn a_full_disk_is_said_and_costs_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.db");
    runtime().block_on(async {
        let options = Options { max_bytes: Some(64 << 10), ..Options::default() };
        let store = SqliteStore::open_with(&path, &options).await.unwrap();
        let mut acknowledged = 0;
        let error = loop {
            match store.append(event(&format!("e{acknowledged}"))).await {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
            assert!(acknowledged < 1000, "the limit does nothing");
        };
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        assert_eq!(store.verify().await.unwrap(), acknowledged);
        store.close().await;

        let store = SqliteStore::open(&path).await.unwrap();
        fill(&store, 0, 1).await;
        assert_eq!(store.verify().await.unwrap(), acknowledged + 1);
    });
}

async fn only_those_who_may_write_do(place: &impl Place) {
    assert!(place.read_only().await.is_err());
    let store = place.open().await;
    fill(&store, 0, 2).await;
    let reader = place.read_only().await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 2);
    assert!(matches!(reader.append(event("e")).await, Err(StoreError::Failed(_))));
    store.finish().await.unwrap();
    assert!(matches!(store.append(event("e")).await, Err(StoreError::Failed(_))));
    assert_eq!(place.open().await.verify().await.unwrap(), 2);
}

#[test]
fn only_one_may_write_and_anybody_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.db");
    runtime().block_on(async {
        let store = SqliteStore::open(&path).await.unwrap();
        let second = SqliteStore::open(&path).await;
        assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
        #[cfg(unix)]
        {
            let link = folder.path().join("link.db");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            let second = SqliteStore::open(&link).await;
            assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
        }
        fill(&store, 0, 2).await;

        let reader = SqliteStore::open_read_only(&path).await.unwrap();
        assert_eq!(reader.verify().await.unwrap(), 2);
        assert!(matches!(reader.append(event("e")).await, Err(StoreError::Failed(_))));
        drop(reader);

        store.close().await;
        let again = SqliteStore::open(&path).await.unwrap();
        assert_eq!(again.verify().await.unwrap(), 2);
    });
}

#[test]
fn two_writers_without_a_lock_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.db");
    runtime().block_on(async {
        let one = SqliteStore::open(&path).await.unwrap();
        // Taking the lock file away is what a file system without locks amounts to.
        std::fs::remove_file(folder.path().join("evidence.db.lock")).unwrap();
        let two = SqliteStore::open(&path).await.unwrap();
        fill(&one, 0, 2).await;
        // Each finds the position taken and looks again where the chain ends.
        fill(&two, 2, 2).await;
        fill(&one, 4, 1).await;
        assert_eq!(one.verify().await.unwrap(), 5);
    });
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let text = folder.path().join("text.db");
        std::fs::write(&text, "no database, but long enough to be looked at: ".repeat(100)).unwrap();
        let missing = folder.path().join("missing.db");
        for path in [&text, &folder.path().join("no/such/folder.db")] {
            let opened = SqliteStore::open(path).await;
            assert!(matches!(opened, Err(OpenError::Database { .. } | OpenError::Lock { .. })), "{opened:?}");
        }
        assert!(matches!(SqliteStore::open_read_only(&missing).await, Err(OpenError::Database { .. })));
        assert!(!missing.exists());

        let foreign = folder.path().join("foreign.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&foreign).create_if_missing(true);
        let other = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (x)").execute(&other).await.unwrap();
        other.close().await;
        let opened = SqliteStore::open(&foreign).await;
        assert!(matches!(opened, Err(OpenError::Foreign { .. })), "{opened:?}");

        let path = folder.path().join("newer.db");
        SqliteStore::open(&path).await.unwrap().close().await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let other = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql("PRAGMA user_version = 99").execute(&other).await.unwrap();
        other.close().await;
        let opened = SqliteStore::open(&path).await;
        assert!(matches!(opened, Err(OpenError::Newer { found: 99, .. })), "{opened:?}");
    });
}

const CHILD: &str = "BARTIZAN_STORE_TEST_CHILD";

/// Not a test of its own: what the killed process runs. It says each id once it is acknowledged.
#[test]
#[allow(clippy::print_stdout, reason = "it is how the child answers")]
fn child_appends_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    runtime().block_on(async {
        let store = Arc::new(SqliteStore::open(Path::new(&path)).await.unwrap());
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for n in 0.. {
                    let id = format!("{task}-{n}");
                    store.append(event(&id)).await.unwrap();
                    println!("ACK {id}");
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    });
}

#[test]
fn nothing_acknowledged_is_missing_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::child_appends_until_killed", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = BTreeSet::new();
    let mut take = |line: String| {
        if let Some((_, id)) = line.split_once("ACK ") {
            acknowledged.insert(id.to_owned());
        }
        acknowledged.len()
    };
    while take(lines.next().expect("the child ended by itself").unwrap()) < 500 {}
    runtime().block_on(async {
        let second = SqliteStore::open(&path).await;
        assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
    });
    child.kill().unwrap();
    child.wait().unwrap();
    // What was still in the pipe counts, up to the last whole line.
    for line in lines.map_while(Result::ok) {
        take(line);
    }
    runtime().block_on(async {
        let store = SqliteStore::open(&path).await.unwrap();
        let count = store.verify().await.unwrap();
        let kept: BTreeSet<String> =
            store.recent(&TenantId::sole(), u32::MAX).await.unwrap().into_iter().map(|e| e.id).collect();
        assert_eq!(kept.len() as u64, count);
        // A last line cut by the kill may be a shorter id, which was acknowledged before it.
        let missing: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(missing.is_empty(), "{missing:?}");
    });
}

proptest! {
    #[test]
    fn any_event_survives_the_round_trip(
        id in any::<String>(),
        tenant in "[a-z0-9._-]{1,64}".prop_map(|t| TenantId::authenticated(&t).unwrap()),
        model in any::<String>(),
        score in proptest::option::of(any::<f32>().prop_filter("finite", |f| f.is_finite())),
        seq in 0_u64..(1 << 62),
    ) {
        let injection = score.map(|score| (Source::Tool, score)).into_iter().collect();
        let grounds = Some(Grounds { injection, besides: Verdict::Hold, ..Grounds::default() });
        let scores = Scores { injection: score, ..Scores::default() };
        let sent = Event { id, tenant, model, scores, grounds, ..event("") };
        let mut head = Head { chain_id: "c".to_owned(), seq: Some(seq), hash: GENESIS.to_owned() };
        let row = chain::link(&mut decision(sent.clone()), &mut head).unwrap();
        let back = chain::event(&row.body, &row.hash).unwrap();
        prop_assert_eq!(head.seq, Some(seq + 1));
        prop_assert_eq!(&back.hash, &head.hash);
        prop_assert_eq!(
            Event { chain_id: String::new(), seq: 0, prev: String::new(), hash: String::new(), ..back },
            Event { prev: String::new(), hash: String::new(), ..sent }
        );
    }
}

async fn everything_is_counted_by_verdict_rule_and_deed(place: &impl Place) {
    let store = place.open().await;
    let empty = store.totals(None, None).await.unwrap();
    assert_eq!((empty.decisions, empty.passed, empty.since.clone(), empty.last.is_none()), (0, 0, None, true));
    fill(&store, 0, 3).await;
    let other = TenantId::authenticated("acme").unwrap();
    let monitored = Event {
        action: Action::Pass,
        time: "2026-02-02T00:00:00.000000Z".to_owned(),
        tenant: other.clone(),
        rules: [(RuleId::new("prompt/a"), 1)].into(),
        ..event("m")
    };
    store.append(monitored).await.unwrap();
    store
        .append(Event { verdict: Verdict::Allow, action: Action::Pass, rules: [].into(), ..event("ok") })
        .await
        .unwrap();
    store.act(act("a", Deed::CallApproved)).await.unwrap();
    store.act(Act { time: "2026-03-01T00:00:00.000000Z".to_owned(), ..act("b", Deed::CallApproved) }).await.unwrap();

    let all = store.totals(None, None).await.unwrap();
    assert_eq!((all.decisions, all.passed), (5, 1));
    assert_eq!((all.verdicts[&Verdict::Deny], all.verdicts[&Verdict::Allow], all.verdicts[&Verdict::Hold]), (4, 1, 0));
    assert_eq!((all.rules["prompt/a"], all.rules["secret/b"]), (4, 3));
    assert_eq!(all.until.as_deref(), Some("2026-02-02T00:00:00.000000Z"));
    let approved = &all.deeds["call-approved"];
    assert_eq!((approved.count, approved.last.as_str()), (2, "2026-03-01T00:00:00.000000Z"));
    assert_eq!(all.last.unwrap().id, "ok");
    assert_eq!(all.head.seq, Some(6));

    let acme = store.totals(Some(&other), None).await.unwrap();
    assert_eq!((acme.decisions, acme.rules.len(), acme.deeds.len()), (1, 1, 0));
    let contains = async || store.totals(None, None).await.unwrap().contain;
    // What somebody wrote is not what the record says.
    let written = r#"\"calls\":[{ \"protocol\":\"mcp\" "tool":1"#.to_owned();
    store.append(Event { model: written, ..event("written") }).await.unwrap();
    assert_eq!(contains().await, [""; 0]);
    let call = CallRecord { tool: "send".to_owned(), ..CallRecord::default() };
    store.append(Event { calls: vec![call], ..event("calls") }).await.unwrap();
    assert_eq!(contains().await, ["tool-calls"]);
    let grounds = Some(Grounds { injection: [(Source::Tool, 0.25)].into(), ..Grounds::default() });
    store.append(Event { grounds, protocol: Protocol::Mcp, ..event("texts") }).await.unwrap();
    assert_eq!(contains().await, ["tool-calls", "tool-texts", "mcp"]);
    let late = store.totals(None, Some("2026-02-01")).await.unwrap();
    assert_eq!((late.decisions, late.deeds["call-approved"].count), (1, 1));
}

#[cfg(unix)]
#[tokio::test]
async fn files_of_a_store_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.sqlite");
    let store = SqliteStore::open(&path).await.unwrap();
    let access = crate::SqliteAccess::open(&crate::access_path(&path)).await.unwrap();
    let vault = crate::SqliteVault::open(&crate::vault_path(&path)).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    for name in ["e.sqlite", "e.sqlite-wal", "e.sqlite-shm", "e.sqlite.access", "e.sqlite.vault", "e.sqlite.lock"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    vault.close().await;
    drop(access);
    store.close().await;
}
