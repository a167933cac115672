//! A store of evidence, in whichever database.

use bartizan_core::store::StoreFuture;
use bartizan_core::{Act, ChainStore, Deed, Record, SealedContent, SealedStore, StoreError, TenantId};
use tokio::task::JoinHandle;

use crate::database::Database;
use crate::queue::{Hurry, Queue};
use crate::totals::Totals;
use crate::writer::Job;

/// Evidence in a database. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Store<D> {
    pub(crate) db: D,
    pub(crate) queue: Queue,
    pub(crate) writer: Option<JoinHandle<()>>,
}

impl<D: Database> Store<D> {
    /// Waits until everything queued is written and closes the database. Dropping the store does the same in the
    /// background.
    pub async fn close(mut self) {
        self.queue = Queue::closed();
        self.db.pool().close().await;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to wait for.
            let _ = writer.await;
        }
    }
}

/// What the commands of the operator need of a store of evidence, wherever it is kept.
pub trait Evidence: ChainStore + SealedStore {
    /// The hash of the record at a position, for comparing with an earlier [`ChainStore::head`].
    fn hash_at(&self, seq: u64) -> StoreFuture<'_, Option<String>>;

    /// Checks every link and hands each record over once it is checked, in constant memory. Answers with the number of
    /// records since the chain began.
    fn walk<'a>(&'a self, each: &'a mut (dyn FnMut(Record) + Send)) -> StoreFuture<'a, u64>;

    /// Counts all records of one tenant, or of the installation, from a time on (RFC 3339 in UTC).
    fn totals<'a>(&'a self, tenant: Option<&'a TenantId>, since: Option<&'a str>) -> StoreFuture<'a, Totals>;

    /// The deeds of a kind that concern a tenant, oldest first, behind a position in the chain.
    fn deeds<'a>(
        &'a self,
        tenant: &'a TenantId,
        deed: Deed,
        after: Option<u64>,
        limit: u32,
    ) -> StoreFuture<'a, Vec<Act>>;

    /// The sealed content of these decisions, whoever's they are, by decision. Nothing of it is opened.
    fn recordings<'a>(&'a self, events: &'a [String]) -> StoreFuture<'a, Vec<SealedContent>>;

    /// Writes what waits, closes the database and lets go of it. What is asked for later fails.
    fn finish(&self) -> StoreFuture<'_, ()>;
}

impl<D: Database> Evidence for Store<D> {
    fn hash_at(&self, seq: u64) -> StoreFuture<'_, Option<String>> {
        Box::pin(crate::read::hash_at(&self.db, seq))
    }

    fn walk<'a>(&'a self, each: &'a mut (dyn FnMut(Record) + Send)) -> StoreFuture<'a, u64> {
        Box::pin(crate::read::walk(&self.db, each))
    }

    fn totals<'a>(&'a self, tenant: Option<&'a TenantId>, since: Option<&'a str>) -> StoreFuture<'a, Totals> {
        Box::pin(crate::totals::totals(&self.db, tenant, since))
    }

    fn deeds<'a>(
        &'a self,
        tenant: &'a TenantId,
        deed: Deed,
        after: Option<u64>,
        limit: u32,
    ) -> StoreFuture<'a, Vec<Act>> {
        Box::pin(crate::read::deeds(&self.db, tenant, deed, after, limit))
    }

    fn recordings<'a>(&'a self, events: &'a [String]) -> StoreFuture<'a, Vec<SealedContent>> {
        Box::pin(crate::sealed::recordings(&self.db, events))
    }

    fn finish(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.db.pool().close().await;
            if self.queue.is_closed() { Ok(()) } else { self.queue.ask(Hurry::Wait, |done| Job::End { done }).await }
        })
    }
}

/// What is made out for one tenant and asked for by another.
pub(crate) fn another_tenant(what: &str) -> StoreError {
    StoreError::Failed(format!("{what} of another tenant"))
}
