//! Schemas of the files of a store: what marks a file as ours, and the steps from one version to the next and back.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use crate::database::plain;
use crate::sqlite::OpenError;

/// A step between two versions of a schema. A published one never changes.
pub(crate) struct Step {
    /// From the version before to this one.
    pub(crate) up: &'static str,
    /// Back again; `None` for the first version, and where no program of the version before could go on with the file. What the version before has no place for is kept in tables of other
    /// names, which programs of that version leave alone.
    pub(crate) down: Option<Down>,
}

/// The way back from a version.
pub(crate) struct Down {
    /// Counts what a program of the version before would read wrongly, or would no longer carry out. More than none
    /// and the file stays as it is.
    pub(crate) blocked_by: &'static str,
    /// What that is, after its number.
    pub(crate) blocked: &'static str,
    /// Goes back. It makes a table `down_N` with the number of the version that it leaves.
    pub(crate) sql: &'static str,
    /// After a later `up`: takes in again what was kept, and drops `down_N`.
    pub(crate) again: &'static str,
}

/// A kind of file.
pub(crate) struct Schema {
    /// `PRAGMA application_id`.
    pub(crate) mark: i64,
    /// Oldest first; the version of a file is how many of them it has behind it.
    pub(crate) steps: &'static [Step],
    /// What a new file holds: a statement and the number of random bytes that it is given.
    pub(crate) first: Option<(&'static str, usize)>,
}

/// Numbers that SQLite keeps in a file.
pub(crate) async fn number(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query(sql).fetch_one(connection).await?.try_get(0)
}

impl Schema {
    /// The version of this program.
    pub(crate) const fn latest(&self) -> usize {
        self.steps.len()
    }

    /// The version of a file; 0 for an empty one.
    ///
    /// # Errors
    /// [`OpenError`]: not a file of this kind, or a newer one.
    pub(crate) async fn version(&self, connection: &mut SqliteConnection, path: &Path) -> Result<usize, OpenError> {
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        let version = number(connection, "PRAGMA user_version").await.map_err(failed)?;
        let owner = number(connection, "PRAGMA application_id").await.map_err(failed)?;
        let tables = number(connection, "SELECT count(*) FROM sqlite_schema").await.map_err(failed)?;
        if owner != self.mark && (owner != 0 || version != 0 || tables != 0) {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        match usize::try_from(version) {
            Ok(known) if known <= self.latest() => Ok(known),
            _ => Err(OpenError::Newer { path: path.to_owned(), found: version, known: self.latest() }),
        }
    }

    /// Brings a file to the version of this program, all of it or nothing.
    ///
    /// # Errors
    /// [`OpenError`]: not a file of this kind, a newer one, or not writable.
    pub(crate) async fn upgrade(&self, connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
        if self.version(connection, path).await? == self.latest() {
            return Ok(());
        }
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        // Another process may have been faster.
        let done = self.version(&mut transaction, path).await?;
        for (step, number) in self.steps.iter().zip(1..).skip(done) {
            sqlx::raw_sql(step.up).execute(&mut *transaction).await.map_err(failed)?;
            let kept = sqlx::query("SELECT count(*) FROM sqlite_schema WHERE name = ?")
                .bind(format!("down_{number}"))
                .fetch_one(&mut *transaction)
                .await
                .and_then(|row| row.try_get::<i64, _>(0))
                .map_err(failed)?;
            if let (1.., Some(down)) = (kept, &step.down) {
                sqlx::raw_sql(down.again).execute(&mut *transaction).await.map_err(failed)?;
            }
        }
        if let (0, Some((statement, length))) = (done, self.first) {
            let mut bytes = vec![0; length];
            aws_lc_rs::rand::fill(&mut bytes).map_err(|_| OpenError::Database {
                path: path.to_owned(),
                reason: "the system gave no random bytes".to_owned(),
            })?;
            sqlx::query(statement).bind(bytes).execute(&mut *transaction).await.map_err(failed)?;
        }
        self.mark(&mut transaction, self.latest()).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// Brings a file back to an older version, all of the way or not at all.
    ///
    /// # Errors
    /// [`OpenError::NoWayBack`] where a program of that version would read something wrongly, or where the file is
    /// older already; [`OpenError`] as for opening.
    pub(crate) async fn downgrade(
        &self,
        connection: &mut SqliteConnection,
        path: &Path,
        to: usize,
    ) -> Result<(), OpenError> {
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        let refused = |reason: String| OpenError::NoWayBack { path: path.to_owned(), to, reason };
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let from = self.version(&mut transaction, path).await?;
        if to == 0 || to > from {
            return Err(refused(format!("it is of schema {from}")));
        }
        for (left, step) in self.steps.iter().take(from).enumerate().skip(to).rev() {
            let Some(down) = &step.down else {
                return Err(refused(format!("there is no way back from schema {}", left + 1)));
            };
            match number(&mut transaction, down.blocked_by).await.map_err(failed)? {
                0 => {}
                count => return Err(refused(format!("it holds {count} {}", down.blocked))),
            }
            sqlx::raw_sql(down.sql).execute(&mut *transaction).await.map_err(failed)?;
        }
        self.mark(&mut transaction, to).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn mark(&self, connection: &mut SqliteConnection, version: usize) -> Result<(), sqlx::Error> {
        // Pragmas take no parameters; both are numbers of ours.
        let marks = format!("PRAGMA application_id = {}; PRAGMA user_version = {version}", self.mark);
        sqlx::raw_sql(sqlx::AssertSqlSafe(marks)).execute(connection).await.map(drop)
    }
}
