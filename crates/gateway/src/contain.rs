//! What is cut off, in a running gateway: kept up to date, and held against callers before anything of theirs is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bartizan_core::{Principal, Protocol, StoreError, TenantId};
use bartizan_guard::{ByTenant, Containments, PROGRAM, ReplyContext, Request as Record, Route, releasing};

use crate::access::Access;
use crate::failure::Failure;
use crate::proxy::settle;
use crate::shared::{Live, Shared, append, know};

/// What is cut off, and the revision that it was read at.
#[derive(Default)]
pub(crate) struct CutOff {
    now: ArcSwap<ByTenant>,
    revision: AtomicU64,
}

impl Access {
    /// What is cut off for a tenant now.
    pub(crate) fn contained(&self, tenant: &TenantId) -> Arc<Containments> {
        self.cut_off.now.load().of(tenant)
    }

    /// Reads what is cut off.
    pub(crate) async fn read_contained(&self) -> Result<(), StoreError> {
        let Some(store) = self.store() else { return Ok(()) };
        // In this order, so that what changes in between is read once more and not overlooked.
        let revision = store.contain_revision().await?;
        let list = store.all_containments().await?;
        self.cut_off.now.store(Arc::new(ByTenant::new(list, self.now().wall)));
        self.cut_off.revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Looks for changes, and releases what is over. Whoever comes first records that.
    pub(crate) async fn keep_contained(&self) -> Result<(), StoreError> {
        let Some(store) = self.store() else { return Ok(()) };
        let cut_off = self.cut_off.now.load_full();
        for one in cut_off.over(self.now().wall) {
            let act = releasing(one, PROGRAM, "its time is over");
            if store.release(&one.tenant, &one.id, act).await? {
                tracing::info!(id = one.id, target = %one.target, "a containment is over");
            }
        }
        if store.contain_revision().await? == self.cut_off.revision.load(Ordering::Acquire) {
            return Ok(());
        }
        self.read_contained().await
    }
}

/// Refuses a caller that is cut off, on record.
///
/// # Errors
/// It is, or that cannot be recorded.
pub(crate) async fn refuse_contained(
    shared: &Shared,
    live: &Live,
    who: &Principal,
    protocol: Protocol,
) -> Result<(), Failure> {
    let mut parsed = live.guard.no_body(protocol);
    parsed.contain(&shared.access.contained(&who.tenant), &who.key);
    if !parsed.is_contained() {
        return Ok(());
    }
    know(shared, &who.tenant).await?;
    let record = Record::start(who.clone(), "", &live.guard);
    let checked = live.guard.check(parsed, &ReplyContext::default(), Route::default());
    append(shared, settle(shared, &record, checked).event, None).await?;
    Err(Failure::contained(&record.request_event))
}
