//! The one task that writes. It commits whatever has queued up while the last commit was under way.

use bartizan_core::{Act, Destroyed, Head, Record, SealedContent, StoreError, TenantId, WrappedKey};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::chain::{self, Row};
use crate::database::{Arg, Cells, Connection, args, position};
use crate::sealed;

/// Most records in one commit. One statement is one transaction, and one statement is prepared for each group size.
const GROUP: usize = 64;

/// How many bindings an event takes.
const COLUMNS: usize = 12;

/// Who waits for an answer.
pub(crate) type Done<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something to write, and who waits for it.
#[derive(Debug)]
pub(crate) enum Job {
    /// A record, with the content that it is about.
    Record { record: Record, content: Vec<SealedContent>, held: Option<OwnedSemaphorePermit>, done: Done<()> },
    /// A wrapped key.
    Key { key: WrappedKey, done: Done<WrappedKey> },
    /// The end of the records before a position.
    Prune { before: u64, act: Act, done: Done<()> },
    /// The end of a tenant's keys.
    Destroy { tenant: TenantId, before: Option<String>, act: Act, done: Done<Destroyed> },
    /// The end of the store.
    End { done: Done<()> },
}

impl Job {
    fn refuse(self, why: StoreError) {
        match self {
            Self::Record { done, .. } | Self::Prune { done, .. } | Self::End { done } => drop(done.send(Err(why))),
            Self::Key { done, .. } => drop(done.send(Err(why))),
            Self::Destroy { done, .. } => drop(done.send(Err(why))),
        }
    }
}

/// A record on its way.
pub(crate) struct Waiting {
    pub(crate) record: Record,
    pub(crate) content: Vec<SealedContent>,
    /// Room that its content takes in the queue.
    _held: Option<OwnedSemaphorePermit>,
    done: Done<()>,
}

/// What is written to. Each method does all of it or nothing.
pub(crate) trait Disk: Send + 'static {
    /// Appends records behind the end of the chain, with their content.
    fn append(&mut self, waiting: &mut [Waiting]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes records away, here and now or beside what follows; see [`bartizan_core::ChainStore::prune`].
    fn prune(&mut self, before: u64, act: Act, done: Done<()>) -> impl Future<Output = ()> + Send;

    /// Destroys keys; see [`bartizan_core::SealedStore::destroy_sealed`].
    fn destroy(
        &mut self,
        tenant: &TenantId,
        before: Option<&str>,
        act: Act,
    ) -> impl Future<Output = Result<Destroyed, StoreError>> + Send;

    /// Keeps a key; see [`bartizan_core::SealedStore::put_key`].
    fn put_key(&mut self, key: WrappedKey) -> impl Future<Output = Result<WrappedKey, StoreError>> + Send;

    /// Why nothing can be written for now: then whoever waits is told at once, and not one group after the other.
    fn gone(&self) -> Option<StoreError> {
        None
    }

    /// Closes it.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Writes until every sender is gone or says so, then closes the disk.
pub(crate) async fn write(mut disk: impl Disk, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut end = None;
    while end.is_none() && jobs.recv_many(&mut group, GROUP).await > 0 {
        // Whoever is ready to run may be about to record something too: one commit for all costs little more
        // than one for the first.
        tokio::task::yield_now().await;
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        end = work(&mut disk, &mut group).await;
        while let Some(why) = disk.gone()
            && let Ok(job) = jobs.try_recv()
        {
            job.refuse(why);
        }
    }
    drop(jobs);
    disk.close().await;
    if let Some(end) = end {
        drop(end.send(Ok(())));
    }
}

/// Does the jobs in their order, neighbouring records in one commit. Answers with who waits for the end.
async fn work(disk: &mut impl Disk, group: &mut Vec<Job>) -> Option<Done<()>> {
    let mut records = Vec::with_capacity(group.len());
    let mut end = None;
    for job in group.drain(..) {
        match job {
            Job::Record { record, content, held, done } => {
                records.push(Waiting { record, content, _held: held, done });
            }
            Job::Key { key, done } => {
                commit(disk, &mut records).await;
                drop(done.send(disk.put_key(key).await));
            }
            Job::Prune { before, act, done } => {
                commit(disk, &mut records).await;
                disk.prune(before, act, done).await;
            }
            Job::Destroy { tenant, before, act, done } => {
                commit(disk, &mut records).await;
                drop(done.send(disk.destroy(&tenant, before.as_deref(), act).await));
            }
            Job::End { done } => end = Some(done),
        }
    }
    commit(disk, &mut records).await;
    end
}

async fn commit(disk: &mut impl Disk, waiting: &mut Vec<Waiting>) {
    if waiting.is_empty() {
        return;
    }
    let written = disk.append(waiting).await;
    for Waiting { done, .. } in waiting.drain(..) {
        drop(done.send(written.as_ref().copied().map_err(copy)));
    }
}

/// Where the chain ends, by what is stored.
pub(crate) const HEAD: &str = "SELECT chain.id, last.seq, last.hash FROM chain
     LEFT JOIN (SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1) AS last ON 1 = 1 LIMIT 1";

pub(crate) async fn read_head(connection: &mut impl Connection) -> Result<Head, sqlx::Error> {
    let rows = connection.rows(HEAD.into(), args![]).await?;
    head(rows.first().ok_or(sqlx::Error::RowNotFound)?)
}

pub(crate) fn head(row: &impl Cells) -> Result<Head, sqlx::Error> {
    Ok(Head {
        chain_id: row.text(0)?.to_owned(),
        seq: row.maybe_int(1)?.and_then(|seq| u64::try_from(seq).ok()),
        hash: row.maybe_text(2)?.unwrap_or(bartizan_core::store::GENESIS).to_owned(),
    })
}

pub(crate) fn link(waiting: &mut [Waiting], head: &mut Head) -> Result<Vec<Row>, StoreError> {
    waiting.iter_mut().map(|w| chain::link(&mut w.record, head)).collect()
}

/// Writes records, and the content that they are about.
pub(crate) async fn insert_with_content(
    connection: &mut impl Connection,
    rows: Vec<Row>,
    waiting: &[Waiting],
) -> Result<(), sqlx::Error> {
    insert(connection, rows).await?;
    for content in waiting.iter().flat_map(|w| &w.content) {
        sealed::insert(connection, content).await?;
    }
    Ok(())
}

/// Takes the records before a position away and links the record of that, in one transaction. Where others may append
/// meanwhile, they are kept out by a statement once the long part is done.
///
/// # Errors
/// `Ok(Err(_))` where there are fewer.
pub(crate) async fn prune(
    connection: &mut impl Connection,
    before: u64,
    act: Act,
    lock: Option<&'static str>,
) -> Result<Result<Head, StoreError>, sqlx::Error> {
    let mut head = read_head(connection).await?;
    if before > head.next() {
        return Ok(Err(StoreError::Failed("there are fewer records than are to be pruned".to_owned())));
    }
    sealed::delete_before(connection, before).await?;
    connection.run("DELETE FROM events WHERE seq < ?".into(), args![position(before)]).await?;
    if let Some(lock) = lock {
        connection.run(lock.into(), args![]).await?;
        let now = read_head(connection).await?;
        // Where nothing is left, nobody has appended: what was the end is the end.
        if now.seq.is_some() {
            head = now;
        }
    }
    let row = match chain::link(&mut Record::Act(Box::new(act)), &mut head) {
        Ok(row) => row,
        Err(error) => return Ok(Err(error)),
    };
    insert(connection, vec![row]).await?;
    Ok(Ok(head))
}

/// Destroys keys of a tenant and links the record of that.
///
/// # Errors
/// `Ok(Err(_))` where the record cannot be written as JSON.
pub(crate) async fn destroy(
    connection: &mut impl Connection,
    tenant: &TenantId,
    before: Option<&str>,
    act: Act,
) -> Result<Result<(Head, Destroyed), StoreError>, sqlx::Error> {
    let destroyed = sealed::destroy(connection, tenant, before, &act.time).await?;
    let act = act.with("keys", destroyed.keys).with("contents", destroyed.contents);
    let mut head = read_head(connection).await?;
    let row = match chain::link(&mut Record::Act(Box::new(act)), &mut head) {
        Ok(row) => row,
        Err(error) => return Ok(Err(error)),
    };
    insert(connection, vec![row]).await?;
    Ok(Ok((head, destroyed)))
}

pub(crate) async fn insert(connection: &mut impl Connection, rows: Vec<Row>) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = String::with_capacity(128 + rows.len() * (2 * COLUMNS + 2));
    sql.push_str(
        "INSERT INTO events (seq, kind, id, time, tenant, exchange, key, verdict, action, rules, hash, body) VALUES ",
    );
    let mut bound: Vec<Arg> = Vec::with_capacity(rows.len() * COLUMNS);
    for (at, row) in rows.into_iter().enumerate() {
        sql.push_str(if at == 0 { "(?,?,?,?,?,?,?,?,?,?,?,?)" } else { ",(?,?,?,?,?,?,?,?,?,?,?,?)" });
        bound.extend([
            Arg::from(position(row.seq)),
            row.kind.into(),
            row.id.into(),
            row.time.into(),
            row.tenant.into(),
            row.exchange.into(),
            row.key.into(),
            row.verdict.into(),
            row.action.into(),
            row.rules.into(),
            row.hash.into(),
            row.body.into(),
        ]);
    }
    connection.run(sql.into(), bound).await.map(drop)
}

pub(crate) fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full(why) => StoreError::Full(why.clone()),
        StoreError::Failed(why) => StoreError::Failed(why.clone()),
        StoreError::Broken { seq, reason } => StoreError::Broken { seq: *seq, reason: reason.clone() },
    }
}
