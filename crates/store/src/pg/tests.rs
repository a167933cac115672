use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_core::{
    Act, ApprovalStore as _, ChainStore as _, Deed, Event, EventQuery, EventStore as _, StoreError, TenantId,
};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::task::JoinSet;

use super::{PgStore, Server, dollars};
use crate::places::{Place as _, Schema};
use crate::{Evidence as _, OpenError, Options};

fn event(id: &str) -> Event {
    Event {
        id: id.to_owned(),
        tenant: TenantId::sole(),
        time: "2026-01-02T03:04:05.000006Z".to_owned(),
        ..Event::default()
    }
}

fn tenant(name: &str) -> TenantId {
    TenantId::authenticated(name).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

async fn open(url: &str) -> PgStore {
    PgStore::open(url, &Options::default()).await.unwrap()
}

/// How many rows a statement counts on a connection of its own.
async fn count(url: &str, of: Option<&str>, sql: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    if let Some(tenant) = of {
        let set = AssertSqlSafe(format!("SET bartizan.tenant = '{tenant}'"));
        sqlx::raw_sql(set).execute(&mut connection).await.unwrap();
    }
    let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}

#[test]
fn question_marks_become_numbers() {
    assert_eq!(dollars("a = ? AND b = ?"), "a = $1 AND b = $2");
    assert_eq!(dollars("?1, ?12"), "$1, $12");
    assert_eq!(dollars("nothing"), "nothing");
}

#[test]
fn a_forgotten_condition_shows_nothing_of_another_tenant() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let store = open(&server.url()).await;
        for (n, name) in ["a", "b", "b"].into_iter().enumerate() {
            store.append(Event { tenant: tenant(name), ..event(&format!("e{n}")) }).await.unwrap();
        }
        let all = "SELECT count(*) FROM events";
        // The owner of the tables, without a word about whom, as one tenant, as another, and as the installation.
        for (of, seen) in [(None, 0), (Some("a"), 1), (Some("b"), 2), (Some("c"), 0), (Some("*"), 3)] {
            assert_eq!(count(&server.url(), of, all).await, seen, "{of:?}");
        }
        // A tenant's transaction changes and adds nothing of another's either.
        let mut connection = PgConnection::connect(&server.url()).await.unwrap();
        sqlx::raw_sql("SET bartizan.tenant = 'a'").execute(&mut connection).await.unwrap();
        let gone = sqlx::raw_sql("DELETE FROM events").execute(&mut connection).await.unwrap();
        assert_eq!(gone.rows_affected(), 1);
        let added = sqlx::raw_sql("INSERT INTO endorsed VALUES ('b', 'd', 'x', 1)").execute(&mut connection).await;
        assert!(added.unwrap_err().to_string().contains("row-level security"));
        // Every table with a column for tenants has the policy, and binds its owner.
        let open = "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
            WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
            AND NOT (c.relrowsecurity AND c.relforcerowsecurity)";
        assert_eq!(count(&server.url(), None, open).await, 0);
    });
}

#[test]
fn what_cannot_be_used_is_said() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let refused = async |url: &str| PgStore::open(url, &Options::default()).await.unwrap_err();
        let reason = |error: OpenError| error.to_string();
        assert!(reason(refused(&server.url_as("postgres")).await).contains("superuser"));
        assert!(reason(refused(&server.url_as("nobody")).await).contains("role \"nobody\" does not exist"));
        for url in ["mysql://x", "postgres://u:hidden@db:port/x", "postgres://u:hidden@db.example/x"] {
            let said = reason(refused(url).await);
            assert!(!said.contains("hidden"), "{said}");
        }
        assert!(reason(refused("postgres://u@db.example/x").await).contains("sslmode"));
        // A server without TLS, where TLS is asked for.
        assert!(reason(refused(&format!("{}&sslmode=require", server.url())).await).contains("TLS"));

        let place = Schema::new(&server).await;
        place.raw("CREATE TABLE t (x INT)").await;
        assert!(matches!(refused(&place.url).await, OpenError::Foreign { .. }));
        let place = place.another().await;
        assert!(matches!(PgStore::open_read_only(&place.url).await, Err(OpenError::Foreign { .. })));
        place.open().await.close().await;
        place.raw("UPDATE bartizan_schema SET version = 99").await;
        assert!(matches!(refused(&place.url).await, OpenError::Newer { found: 99, .. }));

        // Several that start at once make one installation.
        let place = Arc::new(place.another().await);
        let mut starts = JoinSet::new();
        for n in 0..4 {
            let place = Arc::clone(&place);
            starts.spawn(async move {
                let store = PgStore::open(&place.url, &Options::default()).await.unwrap();
                store.append(event(&n.to_string())).await.unwrap();
                store.head().await.unwrap().chain_id
            });
        }
        let names: BTreeSet<String> = starts.join_all().await.into_iter().collect();
        assert_eq!(names.len(), 1);
        assert_eq!(place.open().await.verify().await.unwrap(), 4);
    });
}

#[test]
fn an_outage_costs_nothing_acknowledged_and_ends_by_itself() {
    let Some(mut server) = Server::start() else { return };
    runtime().block_on(async {
        let store = open(&server.url()).await;
        for n in 0..3 {
            store.append(event(&format!("e{n}"))).await.unwrap();
        }
        server.stop();
        let begun = Instant::now();
        for answer in [store.append(event("x")).await, store.ready().await, store.verify().await.map(drop)] {
            assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits for ever");
        server.again();
        store.append(event("e3")).await.unwrap();
        assert_eq!(store.verify().await.unwrap(), 4);
        // It is restarted while nothing is under way: nobody notices.
        server.stop();
        server.again();
        store.append(event("e4")).await.unwrap();
        assert_eq!(store.verify().await.unwrap(), 5);
    });
}

#[test]
fn a_database_that_is_locked_read_only_or_full_is_said() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let store = open(&server.url()).await;
        store.append(event("e0")).await.unwrap();
        let mut other = PgConnection::connect(&server.url()).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE chain IN EXCLUSIVE MODE").execute(&mut other).await.unwrap();
        let begun = Instant::now();
        let error = store.append(event("locked")).await.unwrap_err();
        assert!(matches!(&error, StoreError::Failed(why) if why.contains("lock timeout")), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(9));
        assert_eq!(store.verify().await.unwrap(), 1, "readers go on");
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        store.append(event("e1")).await.unwrap();

        // As in a standby that was not promoted.
        let only = "ALTER ROLE bartizan SET default_transaction_read_only = on";
        let mut owner = PgConnection::connect(&server.url_as("postgres")).await.unwrap();
        sqlx::raw_sql(only).execute(&mut owner).await.unwrap();
        let reader = PgStore::open(&server.url(), &Options::default()).await.unwrap();
        assert!(matches!(reader.append(event("x")).await, Err(StoreError::Failed(_))));
        sqlx::raw_sql("ALTER ROLE bartizan RESET default_transaction_read_only").execute(&mut owner).await.unwrap();

        // A limit of connections is one of the classes that say "no more".
        sqlx::raw_sql("ALTER ROLE bartizan CONNECTION LIMIT 1").execute(&mut owner).await.unwrap();
        assert!(PgStore::open(&server.url(), &Options::default()).await.is_err());
        sqlx::raw_sql("ALTER ROLE bartizan CONNECTION LIMIT -1").execute(&mut owner).await.unwrap();

        // What Postgres has no text for costs nobody else a record.
        let error = store.append(Event { key: "a\0b".to_owned(), ..event("nul") }).await.unwrap_err();
        assert!(error.to_string().contains("NUL"));
        store.append(Event { model: "a\0b".to_owned(), ..event("e2") }).await.unwrap();
        assert_eq!(store.verify().await.unwrap(), 3);
    });
}

#[test]
fn an_approval_that_two_gateways_use_is_used_once() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let (one, two) = (open(&server.url()).await, open(&server.url()).await);
        let a = tenant("a");
        for n in 0..20 {
            let id = n.to_string();
            let wanted = bartizan_core::Approval {
                id: id.clone(),
                tenant: a.clone(),
                asked: 10,
                expires: 100,
                ..bartizan_core::Approval::default()
            };
            one.access().ask(&a, wanted).await.unwrap();
            let ruling = bartizan_core::Ruling { approved: true, endorsed: vec![], actor: "x".into(), now: 20 };
            let act = Act::new(format!("act{n}"), String::new(), a.clone(), "x", Deed::CallApproved);
            assert!(two.access().rule(&a, &id, ruling, act).await.unwrap());
            let (first, second) = (one.access(), two.access());
            let (first, second) = tokio::join!(first.use_up(&a, &id, 30), second.use_up(&a, &id, 30));
            assert!(first.unwrap() != second.unwrap());
        }
        assert_eq!(one.verify().await.unwrap(), 20);
        assert_eq!(two.acts(&a, 99).await.unwrap().len(), 20);
    });
}

const CHILD: &str = "BARTIZAN_STORE_TEST_PG_CHILD";

/// Not a test of its own: what the killed process runs. It says each id once it is acknowledged.
#[test]
#[allow(clippy::print_stdout, reason = "it is how the child answers")]
fn child_appends_until_killed() {
    let Ok(url) = std::env::var(CHILD) else { return };
    runtime().block_on(async {
        let store = Arc::new(open(&url).await);
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for n in 0.. {
                    let id = format!("child-{task}-{n}");
                    store.append(event(&id)).await.unwrap();
                    println!("ACK {id}");
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    });
}

#[test]
fn two_gateways_make_one_chain_and_one_that_is_killed_loses_nothing_acknowledged() {
    const EACH: usize = 250;
    let Some(server) = Server::start() else { return };
    runtime().block_on(async { open(&server.url()).await.close().await });
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pg::tests::child_appends_until_killed", "--nocapture"])
        .env(CHILD, server.url())
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
    let runtime = runtime();
    let survivor = runtime.block_on(async { Arc::new(open(&server.url()).await) });
    let mine = runtime.spawn({
        let survivor = Arc::clone(&survivor);
        async move {
            let mut tasks = JoinSet::new();
            for task in 0..16 {
                let survivor = Arc::clone(&survivor);
                tasks.spawn(async move {
                    for n in 0..EACH {
                        survivor.append(event(&format!("mine-{task}-{n}"))).await.unwrap();
                    }
                });
            }
            tasks.join_all().await;
        }
    });
    while take(lines.next().expect("the child ended by itself").unwrap()) < 2000 {}
    child.kill().unwrap();
    child.wait().unwrap();
    // What was still in the pipe counts, up to the last whole line.
    for line in lines.map_while(Result::ok) {
        take(line);
    }
    runtime.block_on(async {
        mine.await.unwrap();
        survivor.append(event("after")).await.unwrap();
        let count = survivor.verify().await.unwrap();
        let query = EventQuery { limit: u32::MAX, ..EventQuery::default() };
        let kept: Vec<String> =
            survivor.query(&TenantId::sole(), &query).await.unwrap().into_iter().map(|e| e.id).collect();
        let ids: BTreeSet<&String> = kept.iter().collect();
        assert_eq!((ids.len(), kept.len() as u64), (kept.len(), count), "no record twice");
        let of_mine = kept.iter().filter(|id| id.starts_with("mine-")).count();
        assert_eq!(of_mine, 16 * EACH);
        // A last line cut by the kill may be a shorter id, which was acknowledged before it.
        let missing: Vec<_> = acknowledged.iter().filter(|id| !ids.contains(id)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        survivor.finish().await.unwrap();
    });
}
