//! What the engine's surfaces need of a database.

use std::future::Future;
use std::pin::Pin;

use crate::event::Event;
use crate::tenant::TenantId;

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot take more now: full disk or full queue. The caller answers 503.
    #[error("the evidence store cannot take more: {0}")]
    Full(String),
    /// The store cannot be reached or is broken.
    #[error("the evidence store failed: {0}")]
    Failed(String),
    /// The records do not fit together.
    #[error("the evidence chain is broken at record {seq}: {reason}")]
    Broken {
        /// First record that does not fit.
        seq: u64,
        /// What does not fit.
        reason: String,
    },
}

/// Boxed future of a store call.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where decisions are recorded. What is asked for is asked for one tenant; only the chain as a whole belongs to the
/// operator of the installation.
pub trait EventStore: Send + Sync {
    /// Appends a record; it is durable against a crash of the process once this returns. The store fills in
    /// `chain_id`, `seq`, `prev` and `hash`.
    fn append(&self, event: Event) -> StoreFuture<'_, ()>;

    /// The newest decisions of a tenant, newest first.
    fn recent<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Event>>;

    /// One decision of a tenant by its id.
    fn get<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Event>>;

    /// Answers where it can be reached.
    fn ready(&self) -> StoreFuture<'_, ()>;

    /// Recomputes the chain; answers how many records it vouches for.
    fn verify(&self) -> StoreFuture<'_, u64>;
}
