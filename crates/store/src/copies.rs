//! Tests of copies, of the way back from them, and of schemas.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_core::{ChainStore as _, Event, EventStore as _, Record, store::GENESIS};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use crate::backup::sinks_path;
use crate::chain;
use crate::evidence::Evidence as _;
use crate::{
    BackupError, Choices, MANIFEST, OpenError, Part, SqliteAccess, SqliteStore, SqliteVault, access_path, backup,
    check_backup, read_backup, restore, vault_path,
};

fn choices() -> Choices {
    Choices { content: true, schema: BTreeMap::new(), program: "1".into(), time: "2026-01-02T03:04:05Z".into() }
}

fn event(n: usize) -> Event {
    Event { id: format!("e{n}"), time: "2026-01-02T03:04:05.000006Z".into(), ..Event::default() }
}

/// Runs statements on a file behind everybody's back.
async fn run(path: &Path, sql: &str) {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Every row of every table that a program of today knows.
async fn dump(path: &Path) -> BTreeMap<String, Vec<String>> {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut all = BTreeMap::new();
    for table in sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
        let table: String = table.get(0);
        let columns = sqlx::query("SELECT group_concat('quote(\"' || name || '\")', '||') FROM pragma_table_info(?)");
        let columns: String = columns.bind(&table).fetch_one(&mut connection).await.unwrap().get(0);
        let rows = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM {table} ORDER BY 1"));
        let rows = sqlx::query(rows).fetch_all(&mut connection).await.unwrap();
        all.insert(table, rows.iter().map(|row| row.get(0)).collect());
    }
    connection.close().await.unwrap();
    all
}

const CONTENT: &str = "
    INSERT INTO keys VALUES ('k1', 'a', 'content', '2026-01-02', x'0102', ''), ('k2', 'a', 'content', '2026-01-03', x'0304', '');
    INSERT INTO sealed VALUES ('e0', 'x', 'a', 'request', 'openai-chat', 0, 0, 't', 'k1', x'00', x'736563726574'),
                              ('e1', 'x', 'a', 'request', 'openai-chat', 0, 0, 't', 'k2', x'00', x'06');";
const ACCESS: &str = r#"
    INSERT INTO keys (id, tenant, name, hash, "grant", created) VALUES ('1', 'a', 'n1', x'01', '{}', 1), ('2', 'a', 'n2', x'02', '{}', 2);
    INSERT INTO containments VALUES ('c0', 'a', 'tool', 'old', 'r', 'x', 1, 2, 1);
    INSERT INTO once VALUES ('m');
    INSERT INTO approvals VALUES ('p', 'a', '1', 'main', 'e', 'c', 'd', 'waits', 1, 2, '', x'07');
    INSERT INTO endorsed VALUES ('a', 'd', 'x', 1);
    INSERT INTO watched VALUES ('a', 'n1', 1, x'08');"#;

/// A store with something in every part of it.
async fn store(folder: &Path, records: usize) -> PathBuf {
    let path = folder.join("evidence.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for n in 0..records {
        store.append(event(n)).await.unwrap();
    }
    store.close().await;
    run(&path, CONTENT).await;
    SqliteAccess::open(&access_path(&path)).await.unwrap().close().await;
    run(&access_path(&path), ACCESS).await;
    SqliteVault::open(&vault_path(&path)).await.unwrap().close().await;
    run(&vault_path(&path), "INSERT INTO pseudonyms VALUES ('a', 'c', 'P_1', x'08', 9)").await;
    std::fs::create_dir(sinks_path(&path)).unwrap();
    std::fs::write(sinks_path(&path).join("siem.json"), "{}").unwrap();
    path
}

#[tokio::test]
async fn a_copy_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 5).await;
    let out = folder.path().join("copy");
    let manifest = backup(&path, &out, &choices()).await.unwrap();
    assert_eq!((manifest.records, manifest.broken.as_ref(), manifest.files.len()), (5, None, 4));
    assert_eq!(read_backup(&out).unwrap(), manifest);
    assert!(matches!(backup(&path, &out, &choices()).await, Err(BackupError::Exists { .. })));

    let other = folder.path().join("other.db");
    let restored = restore(&out, &other, None).await.unwrap();
    assert_eq!((restored.manifest, restored.before, restored.not_kept), (manifest.clone(), vec![], None));
    for part in Part::ALL {
        assert_eq!(dump(&part.path(&other)).await, dump(&part.path(&path)).await, "{part:?}");
    }
    assert!(sinks_path(&other).join("siem.json").exists());
    let again = SqliteStore::open(&other).await.unwrap();
    again.append(event(5)).await.unwrap();
    assert_eq!(again.verify().await.unwrap(), 6);
    assert_eq!(again.hash_at(4).await.unwrap(), Some(manifest.head));
    again.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_store_in_use_is_one_moment_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 10).await;
    let open = Arc::new(SqliteStore::open(&path).await.unwrap());
    let writer = Arc::clone(&open);
    let writes = tokio::spawn(async move {
        for n in 10.. {
            writer.append(event(n)).await.unwrap();
        }
    });
    let mut last = 0;
    for n in 0..2 {
        let out = folder.path().join(format!("copy{n}"));
        let manifest = backup(&path, &out, &choices()).await.unwrap();
        assert_eq!(manifest.broken, None);
        // What was acknowledged before is in it.
        assert!(manifest.records >= last, "{} < {last}", manifest.records);
        last = open.head().await.unwrap().next();
        restore(&out, &folder.path().join(format!("{n}.db")), None).await.unwrap();
    }
    // A gateway writes to it.
    let busy = restore(&folder.path().join("copy0"), &path, Some(".before")).await;
    assert!(matches!(busy, Err(BackupError::Open(OpenError::InUse { .. }))), "{busy:?}");
    writes.abort();
}

#[tokio::test]
async fn content_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 2).await;
    let out = folder.path().join("copy");
    let manifest = backup(&path, &out, &Choices { content: false, ..choices() }).await.unwrap();
    assert!(!manifest.content && !manifest.files.contains_key("vault.sqlite"));
    for (file, sealed) in [("evidence.sqlite", b"secret".as_slice()), ("access.sqlite", b"waits")] {
        let bytes = std::fs::read(out.join(file)).unwrap();
        assert!(!bytes.windows(sealed.len()).any(|w| w == sealed), "{file}");
    }
    let left = dump(&out.join("evidence.sqlite")).await;
    assert!(left["sealed"].is_empty() && left["keys"].is_empty() && left["events"].len() == 2);
}

#[tokio::test]
async fn a_damaged_or_newer_copy_is_refused_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 3).await;
    let good = folder.path().join("good");
    backup(&path, &good, &choices()).await.unwrap();
    let manifest = std::fs::read_to_string(good.join(MANIFEST)).unwrap();
    let before = dump(&path).await;
    let mut bytes = std::fs::read(good.join("access.sqlite")).unwrap();
    bytes[5000] ^= 1;
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("changed or cut off", "access.sqlite", bytes),
        (
            "changed or cut off",
            "evidence.sqlite",
            std::fs::read(good.join("evidence.sqlite")).unwrap()[..4096].to_vec(),
        ),
        ("no part of one", MANIFEST, manifest.replace("vault.sqlite", "../vault.sqlite").into()),
        ("is of form 2", MANIFEST, manifest.replace("\"format\": 1", "\"format\": 2").into()),
        ("not those that the manifest says", MANIFEST, manifest.replace("\"records\": 3", "\"records\": 4").into()),
        ("not one of this version", MANIFEST, b"{}".to_vec()),
        ("has no evidence", MANIFEST, manifest.replace("evidence.sqlite", "sink-a.json").into()),
    ];
    for (at, (why, file, bytes)) in cases.into_iter().enumerate() {
        let bad = folder.path().join(format!("bad{at}"));
        std::fs::create_dir(&bad).unwrap();
        for entry in std::fs::read_dir(&good).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), bad.join(entry.file_name())).unwrap();
        }
        std::fs::write(bad.join(file), bytes).unwrap();
        let error = restore(&bad, &path, Some(".before")).await.unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    assert!(matches!(restore(&good, &path, None).await, Err(BackupError::Exists { .. })));

    let newer = folder.path().join("newer.db");
    SqliteStore::open(&newer).await.unwrap().close().await;
    run(&newer, "PRAGMA user_version = 99").await;
    let error = backup(&newer, &folder.path().join("x"), &choices()).await.unwrap_err().to_string();
    assert!(error.contains("newer version"), "{error}");

    assert_eq!(dump(&path).await, before);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    let stray = |name: &str| name.contains(".restore") || name.contains(".part-") || name.contains(".before");
    assert!(!left.iter().any(|name| stray(name.to_str().unwrap())), "{left:?}");
}

#[tokio::test]
async fn a_broken_chain_is_copied_and_said_and_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 3).await;
    run(&path, "UPDATE events SET body = replace(body, 'e1', 'e7') WHERE seq = 1").await;
    let out = folder.path().join("copy");
    let manifest = backup(&path, &out, &choices()).await.unwrap();
    assert!(manifest.broken.unwrap().contains("record 1"));
    let error = restore(&out, &folder.path().join("new.db"), None).await.unwrap_err().to_string();
    assert!(error.contains("record 1"), "{error}");
}

#[tokio::test]
async fn going_back_undoes_no_revocation_containment_or_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 2).await;
    let out = folder.path().join("copy");
    backup(&path, &out, &choices()).await.unwrap();
    run(
        &access_path(&path),
        "UPDATE keys SET revoked = 7 WHERE id = '1'; UPDATE keys SET hash = x'22', previous = x'02', previous_until = 9 WHERE id = '2';
         INSERT INTO containments VALUES ('c1', 'a', 'tool', 'mail', 'r', 'x', 1, 2, 0)",
    )
    .await;
    run(&path, "DELETE FROM sealed WHERE key = 'k1'; UPDATE keys SET wrapped = x'', destroyed = 'now' WHERE id = 'k1'")
        .await;
    let restored = restore(&out, &path, Some(".before")).await.unwrap();
    assert_eq!((restored.not_kept, restored.before.len()), (None, 4));
    let access = dump(&access_path(&path)).await;
    assert!(access["keys"][0].ends_with("'{}'1NULL7"), "{:?}", access["keys"]);
    assert!(access["keys"][1].contains("X'22'X'02'9"), "{:?}", access["keys"]);
    assert_eq!(access["containments"].len(), 2);
    let evidence = dump(&path).await;
    assert_eq!(evidence["keys"].iter().filter(|key| key.ends_with("X'''now'")).count(), 1, "{:?}", evidence["keys"]);
    assert_eq!(evidence["sealed"].len(), 1);
    // The store before is whole.
    assert_eq!(dump(&folder.path().join("evidence.db.before")).await["events"].len(), 2);

    // Whoever had keys still has, also where the copy is from before the first one; approvals are asked for again.
    assert!(access["approvals"].is_empty());

    // One that cannot be read is replaced all the same, and that nothing was carried over is said.
    std::fs::write(access_path(&path), "no database").unwrap();
    let restored = restore(&out, &path, Some(".again")).await.unwrap();
    assert!(restored.not_kept.unwrap().contains("evidence.db.access"));
}

#[tokio::test]
async fn who_had_keys_has_them_after_a_copy_from_before_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 1).await;
    let access = access_path(&path);
    run(&access, "DELETE FROM keys").await;
    let out = folder.path().join("copy");
    backup(&path, &out, &choices()).await.unwrap();
    run(
        &access,
        r#"INSERT INTO keys (id, tenant, name, hash, "grant", created) VALUES ('9', 'a', 'n', x'01', '{}', 1);
        UPDATE installation SET revision = 4, contain_revision = 2"#,
    )
    .await;
    assert_eq!(restore(&out, &path, Some(".one")).await.unwrap().not_kept, None);
    let open = SqliteAccess::open(&access).await.unwrap();
    let (keys, cut_off) = {
        use bartizan_core::{AccessStore as _, ContainStore as _};
        (open.revision().await.unwrap(), open.contain_revision().await.unwrap())
    };
    assert_eq!((keys, cut_off), (5, 3));
    open.close().await;

    // One of the first schema has no containments: what it knows of keys is kept all the same. Another key that
    // hashes keeps no secret, and what was taken back stays so.
    let out = folder.path().join("second");
    run(
        &access,
        r#"INSERT INTO keys (id, tenant, name, hash, "grant", created) VALUES ('9', 'a', 'n', x'01', '{}', 1)"#,
    )
    .await;
    backup(&path, &out, &choices()).await.unwrap();
    back(&path, Part::Access, 1).await.unwrap();
    run(&access, "UPDATE keys SET revoked = 7, hash = x'33'; UPDATE installation SET hash_key = x'00'").await;
    assert_eq!(restore(&out, &path, Some(".two")).await.unwrap().not_kept, None);
    let keys = &dump(&access).await["keys"];
    assert!(keys[0].ends_with("7") && keys[0].contains("X'01'"), "{keys:?}");
}

#[tokio::test]
async fn what_a_copy_does_not_hold_stays_and_what_fails_half_way_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 2).await;
    let (bare, full) = (folder.path().join("bare"), folder.path().join("full"));
    let access = std::fs::read(access_path(&path)).unwrap();
    backup(&path, &full, &choices()).await.unwrap();
    // What stands in the way of the last file to be moved.
    let taken = folder.path().join("evidence.db.sinks.once");
    std::fs::create_dir(&taken).unwrap();
    let before = dump(&path).await;
    let error = restore(&full, &path, Some(".once")).await.unwrap_err();
    assert!(matches!(&error, BackupError::Exists { path } if *path == taken), "{error}");
    assert_eq!((dump(&path).await, std::fs::read(access_path(&path)).unwrap()), (before, access.clone()));
    assert!(vault_path(&path).exists() && sinks_path(&path).join("siem.json").exists());
    let names =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> =
        names.filter(|name| name.contains(".restore") || name.ends_with(".once") && !name.contains("sinks")).collect();
    assert!(left.is_empty(), "{left:?}");

    std::fs::rename(access_path(&path), folder.path().join("away")).unwrap();
    backup(&path, &bare, &choices()).await.unwrap();
    std::fs::rename(folder.path().join("away"), access_path(&path)).unwrap();
    restore(&bare, &path, Some(".twice")).await.unwrap();
    assert_eq!(std::fs::read(access_path(&path)).unwrap(), access);
}

#[cfg(unix)]
#[tokio::test]
async fn copies_are_nobody_elses_to_read_and_hold_no_content_of_older_schemas() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 1).await;
    back(&path, Part::Access, 2).await.unwrap();
    let out = folder.path().join("copy");
    backup(&path, &out, &Choices { content: false, ..choices() }).await.unwrap();
    assert!(dump(&out.join("access.sqlite")).await["kept_approvals"].is_empty());
    for entry in std::fs::read_dir(&out).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_copy_with_a_trigger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 1).await;
    run(&path, "CREATE TRIGGER gone AFTER INSERT ON events BEGIN DELETE FROM events WHERE seq = new.seq; END").await;
    let out = folder.path().join("copy");
    backup(&path, &out, &choices()).await.unwrap();
    for error in [
        check_backup(&out).await.unwrap_err().to_string(),
        restore(&out, &folder.path().join("new.db"), None).await.unwrap_err().to_string(),
    ] {
        assert!(error.contains("holds triggers"), "{error}");
    }
}

/// A store as the first version made it.
async fn first_schema(path: &Path) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(include_str!("../migrations/0001_events.sql")).execute(&mut old).await.unwrap();
    sqlx::raw_sql("PRAGMA application_id = 1115309430; PRAGMA user_version = 1; INSERT INTO chain VALUES ('c')")
        .execute(&mut old)
        .await
        .unwrap();
    let mut head = bartizan_core::Head { chain_id: "c".to_owned(), seq: None, hash: GENESIS.to_owned() };
    for n in 0..3 {
        let row = chain::link(&mut Record::Decision(Box::new(event(n))), &mut head).unwrap();
        sqlx::query("INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?)")
            .bind(i64::try_from(n).unwrap())
            .bind(row.id)
            .bind(row.time)
            .bind(row.tenant)
            .bind(row.verdict)
            .bind(row.action)
            .bind(row.rules)
            .bind(row.hash)
            .bind(row.body)
            .execute(&mut old)
            .await
            .unwrap();
    }
    old.close().await.unwrap();
    dump(path).await.remove("events").unwrap()
}

/// Brings a part of a copy of a store to an older schema, as an operator does, and puts it where the store was.
async fn back(path: &Path, part: Part, to: usize) -> Result<(), BackupError> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("copy");
    backup(path, &out, &Choices { schema: [(part, to)].into(), ..choices() }).await?;
    std::fs::copy(out.join(part.file()), part.path(path)).unwrap();
    Ok(())
}

#[tokio::test]
async fn evidence_goes_to_the_next_schema_with_nothing_lost_and_not_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = first_schema(&path).await;
    let store = SqliteStore::open(&path).await.unwrap();
    store.append(event(3)).await.unwrap();
    store.close().await;
    run(&path, CONTENT).await;
    let upgraded = dump(&path).await;

    assert_eq!(upgraded["events"].len(), 4);
    assert!(upgraded["events"].iter().zip(&old).all(|(new, old)| new.starts_with(old.as_str())));
    let reader = SqliteStore::open_read_only(&path).await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 4);
    reader.close().await;
    let error = back(&path, Part::Evidence, 1).await.unwrap_err().to_string();
    assert!(error.contains("no way back from schema 2"), "{error}");
    let error = back(&path, Part::Evidence, 3).await.unwrap_err().to_string();
    assert!(error.contains("is of schema 2"), "{error}");
}

#[tokio::test]
async fn client_keys_go_back_two_schemas_and_forward_again_with_nothing_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), 1).await;
    let access = access_path(&path);
    let before = dump(&access).await;
    for to in [2, 1] {
        back(&path, Part::Access, to).await.unwrap();
        let older = dump(&access).await;
        assert_eq!(older["keys"], before["keys"]);
        assert_eq!(older.contains_key("containments"), to == 2);
        assert!(!older.contains_key("approvals"));
        SqliteAccess::open(&access).await.unwrap().close().await;
        assert_eq!(dump(&access).await, before, "from {to}");
    }
    // Going back would lift it.
    run(&access, "INSERT INTO containments VALUES ('c9', 'a', 'tool', 'mail', 'r', 'x', 1, 99999999999999, 0)").await;
    let error = back(&path, Part::Access, 1).await.unwrap_err().to_string();
    assert!(error.contains("1 containments in force"), "{error}");
}
