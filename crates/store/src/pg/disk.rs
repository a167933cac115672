//! The writer of a Postgres store.

use bartizan_core::{Act, Destroyed, StoreError, TenantId, WrappedKey};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::timeout;

use super::{ANSWER, CONNECT, LOCK, LOCK_CHAIN, PRUNE, lock_chain, silent, whose};
use crate::database::{Whose, store_error};
use crate::sealed;
use crate::writer::{self, Disk, Done, Waiting, insert_with_content, link, read_head};

/// Longest that a group of records waits for its commit: the wait for the lock, and the commit.
const COMMIT: std::time::Duration = LOCK.saturating_add(CONNECT);

/// The connection of the writer. It is made when it is needed, and given up with whatever went wrong on it: the server
/// takes back what was not committed.
pub(crate) struct PgDisk {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// Set while the database cannot be reached.
    gone: bool,
}

impl PgDisk {
    pub(crate) const fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: None, gone: false }
    }

    /// A connection in a transaction that alone may append. Nothing was written yet, so that a connection that broke
    /// since it was last used is replaced.
    async fn begin(&mut self) -> Result<PgConnection, StoreError> {
        self.gone = true;
        if let Some(mut connection) = self.connection.take() {
            match begin(&mut connection).await {
                Ok(()) => {
                    self.gone = false;
                    return Ok(connection);
                }
                // The server is there and says no, but for one that is about to go away.
                Err(error)
                    if error.as_database_error().is_some_and(|e| !e.code().is_some_and(|c| c.starts_with("57P"))) =>
                {
                    self.gone = false;
                    return Err(store_error(error));
                }
                Err(_) => {}
            }
        }
        let connected = timeout(CONNECT, PgConnection::connect_with(&self.options)).await.map_err(|_| silent())?;
        let mut connection = connected.map_err(store_error)?;
        self.gone = false;
        begin(&mut connection).await.map_err(store_error)?;
        Ok(connection)
    }

    /// Waits for the answer to the commit. Where it does not come, nobody knows whether it was done.
    async fn commit(&mut self, mut connection: PgConnection) -> Result<(), StoreError> {
        sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(store_error)?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn try_append(&mut self, waiting: &mut [Waiting]) -> Result<(), StoreError> {
        let mut connection = self.begin().await?;
        let mut head = read_head(&mut connection).await.map_err(store_error)?;
        let rows = link(waiting, &mut head)?;
        insert_with_content(&mut connection, rows, waiting).await.map_err(store_error)?;
        self.commit(connection).await
    }

    async fn try_destroy(
        &mut self,
        tenant: &TenantId,
        before: Option<&str>,
        act: Act,
    ) -> Result<Destroyed, StoreError> {
        let mut connection = self.begin().await?;
        let (_, destroyed) = writer::destroy(&mut connection, tenant, before, act).await.map_err(store_error)??;
        self.commit(connection).await?;
        Ok(destroyed)
    }

    async fn try_put_key(&mut self, key: WrappedKey) -> Result<WrappedKey, StoreError> {
        let mut connection = self.begin().await?;
        let kept = sealed::put_key(&mut connection, key).await.map_err(store_error)?;
        self.commit(connection).await?;
        Ok(kept)
    }

    /// What came in time. A connection on which something is still under way is not used again.
    fn in_time<T>(
        &mut self,
        done: Result<Result<T, StoreError>, tokio::time::error::Elapsed>,
    ) -> Result<T, StoreError> {
        done.unwrap_or_else(|_| {
            self.gone = true;
            Err(silent())
        })
    }
}

async fn prune(options: &PgConnectOptions, before: u64, act: Act) -> Result<(), StoreError> {
    let connected = timeout(CONNECT, PgConnection::connect_with(options)).await.map_err(|_| silent())?;
    let mut connection = connected.map_err(store_error)?;
    let limit = PRUNE.as_millis();
    let begin = format!("BEGIN; {}; SET LOCAL statement_timeout = {limit}", whose(Whose::Operator));
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await.map_err(store_error)?;
    writer::prune(&mut connection, before, act, Some(LOCK_CHAIN)).await.map_err(store_error)??;
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(store_error)?;
    // It has done its part.
    let _ = connection.close().await;
    Ok(())
}

async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let begin = format!("BEGIN; {}", lock_chain());
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(connection).await.map(drop)
}

impl Disk for PgDisk {
    async fn append(&mut self, waiting: &mut [Waiting]) -> Result<(), StoreError> {
        let done = timeout(COMMIT, self.try_append(waiting)).await;
        self.in_time(done)
    }

    /// On a connection of its own: it may take long, and others append meanwhile, this gateway as well.
    async fn prune(&mut self, before: u64, act: Act, done: Done<()>) {
        let options = self.options.clone();
        tokio::spawn(async move {
            let pruned = timeout(PRUNE, prune(&options, before, act)).await;
            drop(done.send(pruned.unwrap_or_else(|_| Err(silent()))));
        });
    }

    async fn destroy(&mut self, tenant: &TenantId, before: Option<&str>, act: Act) -> Result<Destroyed, StoreError> {
        let done = timeout(ANSWER, self.try_destroy(tenant, before, act)).await;
        self.in_time(done)
    }

    async fn put_key(&mut self, key: WrappedKey) -> Result<WrappedKey, StoreError> {
        let done = timeout(COMMIT, self.try_put_key(key)).await;
        self.in_time(done)
    }

    fn gone(&self) -> Option<StoreError> {
        self.gone.then(|| StoreError::Failed("the database cannot be reached".to_owned()))
    }

    async fn close(self) {
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }
}
