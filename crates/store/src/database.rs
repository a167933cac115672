//! What the statements of this crate need of a database, so that each is written once for SQLite and Postgres.
//!
//! They are written with `?` for what is bound. SQLite takes that as it is; for Postgres it becomes `$1`, `$2` and so on.
//! No other `?` stands in any of them.

use std::borrow::Cow;
use std::fmt::Debug;

use bartizan_core::{Act, Record, StoreError, TenantId};
use sqlx::{Pool, Transaction};

/// A statement. Nothing of a caller's is ever part of it.
pub(crate) type Sql = Cow<'static, str>;

/// Something that is bound.
#[derive(Clone, Debug)]
pub enum Arg {
    /// Text.
    Text(String),
    /// A number.
    Int(Option<i64>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&TenantId> for Arg {
    fn from(tenant: &TenantId) -> Self {
        Self::Text(tenant.as_str().to_owned())
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u32> for Arg {
    fn from(number: u32) -> Self {
        Self::Int(Some(i64::from(number)))
    }
}

impl From<bool> for Arg {
    fn from(truth: bool) -> Self {
        Self::Int(Some(i64::from(truth)))
    }
}

impl From<Option<i64>> for Arg {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<Option<Vec<u8>>> for Arg {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

/// What a statement is given, in the order of its question marks.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$($crate::database::Arg::from($arg)),*] };
}
pub(crate) use args;

/// A statement that is put together, with what it is given.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) sql: String,
    pub(crate) args: Vec<Arg>,
}

impl Built {
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), args: Vec::new() }
    }

    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub(crate) fn bind(&mut self, arg: impl Into<Arg>) -> &mut Self {
        self.sql.push('?');
        self.args.push(arg.into());
        self
    }

    /// Several with something between them.
    pub(crate) fn bind_all(&mut self, between: &str, all: impl IntoIterator<Item = Arg>) -> &mut Self {
        for (at, arg) in all.into_iter().enumerate() {
            if at > 0 {
                self.push(between);
            }
            self.bind(arg);
        }
        self
    }
}

impl From<&str> for Built {
    fn from(sql: &str) -> Self {
        Self::new(sql)
    }
}

/// The cells of a row.
pub trait Cells: Send + Sync {
    /// Text.
    ///
    /// # Errors
    /// There is no such cell, or it is of another type; so for all of these.
    fn text(&self, at: usize) -> Result<&str, sqlx::Error>;
    /// Text, or nothing.
    ///
    /// # Errors
    /// See [`Cells::text`].
    fn maybe_text(&self, at: usize) -> Result<Option<&str>, sqlx::Error>;
    /// A number.
    ///
    /// # Errors
    /// See [`Cells::text`].
    fn int(&self, at: usize) -> Result<i64, sqlx::Error>;
    /// A number, or nothing.
    ///
    /// # Errors
    /// See [`Cells::text`].
    fn maybe_int(&self, at: usize) -> Result<Option<i64>, sqlx::Error>;
    /// Bytes.
    ///
    /// # Errors
    /// See [`Cells::text`].
    fn bytes(&self, at: usize) -> Result<&[u8], sqlx::Error>;
    /// Bytes, or nothing.
    ///
    /// # Errors
    /// See [`Cells::text`].
    fn maybe_bytes(&self, at: usize) -> Result<Option<&[u8]>, sqlx::Error>;
}

/// One connection.
pub trait Connection: Send {
    /// Its rows.
    type Row: Cells;

    /// The table of tenants' wrapped keys. In Postgres it is in one schema with the keys of clients.
    const WRAPPED_KEYS: &'static str;

    /// The function that finds one text in another.
    const FIND: &'static str;

    /// Runs a statement; answers how many rows it changed.
    fn run(&mut self, sql: Sql, args: Vec<Arg>) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Runs a statement that answers with rows.
    fn rows(&mut self, sql: Sql, args: Vec<Arg>) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;
}

/// Whose rows a statement is about.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// One tenant's. Postgres shows no others, whatever the statement says.
    Tenant(&'a TenantId),
    /// All: it belongs to the operator of the installation.
    Operator,
}

/// Row of a database.
pub(crate) type RowOf<D> = <<D as Database>::Connection as Connection>::Row;

/// Transaction of a database.
pub(crate) type Unit<D> = Transaction<'static, <D as Database>::Driver>;

/// SQLite or Postgres.
pub trait Database: Debug + Send + Sync + 'static {
    /// As sqlx knows it.
    type Driver: sqlx::Database<Connection = Self::Connection>;
    /// Its connections.
    type Connection: Connection + sqlx::Connection<Database = Self::Driver>;

    /// True where records of deeds wait in a table until the writer of the chain, which is one process, takes them over.
    const ACTS_WAIT: bool;

    /// Its connections for reading.
    fn pool(&self) -> &Pool<Self::Driver>;

    /// Answers with rows.
    fn rows(
        &self,
        whose: Whose<'_>,
        sql: impl Into<Sql> + Send,
        args: Vec<Arg>,
    ) -> impl Future<Output = Result<Vec<RowOf<Self>>, StoreError>> + Send;

    /// Begins to change something.
    fn begin(&self, whose: Whose<'_>) -> impl Future<Output = Result<Unit<Self>, StoreError>> + Send;

    /// Does something in the time that there is for it.
    fn within<T: Send>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Whether it has text for all that is repeated of a record beside its body.
    ///
    /// # Errors
    /// It has not.
    fn takes(record: &Record) -> Result<(), StoreError> {
        let _ = record;
        Ok(())
    }

    /// Records a deed in the transaction that does it.
    fn record(unit: &mut Self::Connection, act: Act) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The first row.
    fn row(
        &self,
        whose: Whose<'_>,
        sql: impl Into<Sql> + Send,
        args: Vec<Arg>,
    ) -> impl Future<Output = Result<Option<RowOf<Self>>, StoreError>> + Send {
        let rows = self.rows(whose, sql, args);
        async move { Ok(rows.await?.into_iter().next()) }
    }

    /// Changes something in one statement; answers how many rows.
    fn change(
        &self,
        whose: Whose<'_>,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        self.within(async move {
            let mut unit = self.begin(whose).await?;
            let changed = unit.run(sql.into(), args).await.map_err(store_error)?;
            unit.commit().await.map_err(store_error)?;
            Ok(changed)
        })
    }
}

/// Sorts what a database says into what a caller can act on.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|e| e.code());
    let full = code.is_some_and(|code| match code.len() {
        // SQLSTATE: class 53 is that of insufficient resources, such as a full disk or too many connections.
        5 => code.starts_with("53"),
        // The low byte of an extended result code is the primary code; 13 is SQLITE_FULL.
        _ => code.parse::<u32>().is_ok_and(|code| code & 0xff == 13),
    });
    if full {
        StoreError::Full("the disk or the configured size is used up".to_owned())
    } else {
        StoreError::Failed(plain(&error))
    }
}

pub(crate) fn plain(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(e) => e.message().to_owned(),
        None => error.to_string(),
    }
}

pub(crate) fn position(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub(crate) fn number(row: &impl Cells, at: usize) -> Result<u64, StoreError> {
    let value = row.int(at).map_err(store_error)?;
    u64::try_from(value).map_err(|_| StoreError::Failed("a position is negative".to_owned()))
}

pub(crate) fn tenant(row: &impl Cells, at: usize) -> Result<TenantId, StoreError> {
    TenantId::authenticated(row.text(at).map_err(store_error)?).map_err(|e| StoreError::Failed(e.to_string()))
}

/// The same for the rows of both drivers.
macro_rules! cells {
    ($row:ty) => {
        impl $crate::database::Cells for $row {
            fn text(&self, at: usize) -> Result<&str, sqlx::Error> {
                sqlx::Row::try_get(self, at)
            }
            fn maybe_text(&self, at: usize) -> Result<Option<&str>, sqlx::Error> {
                sqlx::Row::try_get(self, at)
            }
            fn int(&self, at: usize) -> Result<i64, sqlx::Error> {
                sqlx::Row::try_get(self, at)
            }
            fn maybe_int(&self, at: usize) -> Result<Option<i64>, sqlx::Error> {
                sqlx::Row::try_get(self, at)
            }
            fn bytes(&self, at: usize) -> Result<&[u8], sqlx::Error> {
                sqlx::Row::try_get(self, at)
            }
            fn maybe_bytes(&self, at: usize) -> Result<Option<&[u8]>, sqlx::Error> {
                sqlx::Row::try_get(self, at)
            }
        }
    };
}
pub(crate) use cells;

/// Binds what a statement is given.
macro_rules! bound {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for arg in $args {
            query = match arg {
                $crate::database::Arg::Text(text) => query.bind(text),
                $crate::database::Arg::Int(number) => query.bind(number),
                $crate::database::Arg::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}
pub(crate) use bound;
