//! Where the tests open stores: one suite for both databases.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bartizan_core::{AccessStore as _, EventStore as _};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, SqlitePool};

use crate::access::Access;
use crate::database::Database;
use crate::evidence::Store;
use crate::pg::{PgDb, Server};
use crate::sqlite::SqliteDb;
use crate::vault::PseudonymVault;
use crate::{OpenError, Options, PgStore, SqliteAccess, SqliteStore, SqliteVault, access_path, vault_path};

/// An empty place for a store, in one of the databases.
pub(crate) trait Place {
    type D: Database;
    async fn open_with(&self, options: &Options) -> Result<Store<Self::D>, OpenError>;
    /// Beside another that writes.
    async fn shared(&self) -> Result<Store<Self::D>, OpenError>;
    async fn read_only(&self) -> Result<Store<Self::D>, OpenError>;
    async fn access(&self) -> Access<Self::D>;
    async fn vault(&self) -> PseudonymVault<Self::D>;
    /// Ids of the deeds that are recorded with changes of keys, in their order.
    async fn recorded(&self) -> Vec<String>;
    /// Another empty one.
    async fn another(&self) -> Self
    where
        Self: Sized;
    /// Runs statements behind everybody's back.
    async fn raw(&self, sql: &'static str);

    async fn open(&self) -> Store<Self::D> {
        self.open_with(&Options::default()).await.unwrap()
    }
}

/// A file.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl File {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("evidence.db"), _folder: folder }
    }
}

impl Place for File {
    type D = SqliteDb;

    async fn open_with(&self, options: &Options) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(&self.path, options).await
    }
    async fn shared(&self) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_shared(&self.path).await
    }
    async fn read_only(&self) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_read_only(&self.path).await
    }
    async fn access(&self) -> SqliteAccess {
        SqliteAccess::open(&access_path(&self.path)).await.unwrap()
    }
    async fn vault(&self) -> SqliteVault {
        SqliteVault::open(&vault_path(&self.path)).await.unwrap()
    }
    async fn recorded(&self) -> Vec<String> {
        self.access().await.waiting_acts().await.unwrap().into_iter().map(|act| act.id).collect()
    }
    async fn another(&self) -> Self {
        Self::new()
    }
    async fn raw(&self, sql: &'static str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&self.path).create_if_missing(true);
        let other = SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(sql).execute(&other).await.unwrap();
        other.close().await;
    }
}

/// A schema of its own on a server.
pub(crate) struct Schema {
    pub(crate) url: String,
    base: String,
}

impl Schema {
    pub(crate) async fn new(server: &Server) -> Self {
        Self::at(&server.url()).await
    }

    async fn at(base: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(base).await.unwrap();
        let make = format!("CREATE SCHEMA {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Self { url: format!("{base}&options=-csearch_path%3D{name}"), base: base.to_owned() }
    }
}

impl Place for Schema {
    type D = PgDb;

    async fn open_with(&self, options: &Options) -> Result<PgStore, OpenError> {
        PgStore::open(&self.url, options).await
    }
    async fn shared(&self) -> Result<PgStore, OpenError> {
        PgStore::open(&self.url, &Options::default()).await
    }
    async fn read_only(&self) -> Result<PgStore, OpenError> {
        PgStore::open_read_only(&self.url).await
    }
    async fn access(&self) -> Access<PgDb> {
        self.open().await.access()
    }
    async fn vault(&self) -> PseudonymVault<PgDb> {
        self.open().await.vault()
    }
    async fn recorded(&self) -> Vec<String> {
        let store = self.open().await;
        assert!(store.access().waiting_acts().await.unwrap().is_empty());
        store.verify().await.unwrap();
        store.after(None, 1000).await.unwrap().iter().map(|record| record.id().to_owned()).collect()
    }
    async fn another(&self) -> Self {
        Self::at(&self.base).await
    }
    async fn raw(&self, sql: &'static str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql("SET bartizan.tenant = '*'").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Runs each of the named tests over a file, as a test of its own, and all of them over Postgres.
macro_rules! on_both {
    ($all:ident: $($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test]
            fn $name() {
                tokio::runtime::Runtime::new().unwrap().block_on(super::$name(&crate::places::File::new()));
            })*
        }

        #[test]
        #[allow(clippy::print_stderr, reason = "a failure is seen to be of one of them")]
        fn $all() {
            let Some(server) = crate::pg::Server::start() else { return };
            $(
                eprintln!("{}", stringify!($name));
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    $name(&crate::places::Schema::new(&server).await).await;
                });
            )*
        }
    };
}
pub(crate) use on_both;
