//! What models and tools have produced lately, of all tenants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bartizan_core::{Principal, TenantId};
use bartizan_policy::Agents;
use bartizan_policy::provenance::{Known, Ledger};

/// A ledger for each tenant. It lives as long as the process, and dies with it.
#[derive(Debug, Default)]
pub struct Ledgers(Mutex<BTreeMap<TenantId, Kept>>);

#[derive(Debug)]
struct Kept {
    /// Time to live in milliseconds, and size in bytes.
    bounds: (i64, usize),
    ledger: Arc<Ledger>,
}

impl Ledgers {
    /// The ledger of a tenant as the caller sees it at a time in milliseconds; `None` where nothing is kept. Other bounds
    /// than before begin anew.
    #[must_use]
    pub fn of(&self, settings: &Agents, who: &Principal, now: i64) -> Option<Known> {
        let bounds = settings.remembers()?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Kept { bounds, ledger: Arc::new(Ledger::new(bounds.0, bounds.1)) };
        let kept = all.entry(who.tenant.clone()).or_insert_with(make);
        if kept.bounds != bounds {
            *kept = make();
        }
        Some(Known::new(Arc::clone(&kept.ledger), &[&who.key, who.user.as_deref().unwrap_or_default()], now))
    }
}
