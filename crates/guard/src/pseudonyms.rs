//! The conversations that are open, and what is kept of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_core::{Exchange, Principal, StoreError, TenantId, VaultEntry, VaultStore};
use bartizan_policy::Conversing as _;
use bartizan_sign::Pseudonyms;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::conversation::{Conversation, id, keys};

/// How long what is known of a conversation holds before the store is asked again: another process may have added to it.
const RECHECK: Duration = Duration::from_secs(5);

/// Most bytes of open conversations. Those that were not used for longest are closed first.
const OPEN: u64 = 256 << 20;

/// One that is open, and when the store was asked about it.
type Open = (Arc<Conversation>, Instant);

/// Conversations of all tenants. Without a store they are gone with the process.
pub(crate) struct Conversations {
    open: Cache<(TenantId, String), Open>,
    store: Option<Arc<dyn VaultStore>>,
}

impl Default for Conversations {
    fn default() -> Self {
        let weigh = |_: &(TenantId, String), (conversation, _): &Open| conversation.weight();
        let open = Cache::builder()
            .max_capacity(OPEN)
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(Duration::from_secs(24 * 3600))
            .support_invalidation_closures()
            .build();
        Self { open, store: None }
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Longest way from one beginning of a conversation to another.
const ALIASES: usize = 2;

impl Conversations {
    pub(crate) fn with_store(store: Arc<dyn VaultStore>) -> Self {
        Self { store: Some(store), ..Self::default() }
    }

    /// The conversation that a request belongs to. `kept` is how long what it knows is kept; without it only its keys
    /// are wanted.
    pub(crate) async fn open(
        &self,
        names: &Pseudonyms,
        who: &Principal,
        exchange: &Exchange,
        kept: Option<Duration>,
    ) -> Result<Arc<Conversation>, StoreError> {
        let failed = || StoreError::Failed("a tenant's key for operators cannot be used".to_owned());
        let (mut id, named) = id(&keys(names, &who.tenant).ok_or_else(failed)?, who, exchange);
        for _ in 0..ALIASES {
            let make = || Some(Arc::new(Conversation::new(&who.tenant, &id, named, keys(names, &who.tenant)?)));
            let Some(ttl) = kept else { return make().ok_or_else(failed) };
            let place = (who.tenant.clone(), id.clone());
            let open = self.open.get(&place);
            let holds = if self.store.is_some() { RECHECK } else { ttl };
            if let Some((conversation, _)) = open.filter(|(_, checked)| checked.elapsed() < holds) {
                if self.store.is_none() {
                    self.open.insert(place, (Arc::clone(&conversation), Instant::now()));
                }
                return Ok(conversation);
            }
            let entries = match &self.store {
                Some(store) => store.vault_get(&who.tenant, &id, now()).await?,
                None => Vec::new(),
            };
            let made = make().ok_or_else(failed)?;
            if let Some(other) = made.alias_in(&entries).filter(|other| *other != id) {
                id = other;
                continue;
            }
            // A request under way goes on with the one that it has: equal values have equal placeholders in both.
            made.take_over(entries);
            self.open.insert(place, (Arc::clone(&made), Instant::now()));
            return Ok(made);
        }
        Err(StoreError::Failed("a conversation goes on as itself".to_owned()))
    }

    /// Keeps what was used. `passed` is the request as it goes on: a client that goes on from that one is in the same
    /// conversation.
    pub(crate) async fn keep(
        &self,
        conversation: &Arc<Conversation>,
        who: &Principal,
        passed: &Exchange,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let expires = now().saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        let used = conversation.take_used(expires);
        if used.is_empty() {
            return Ok(());
        }
        // It has grown: what it weighs is looked at when it is put there.
        let place = (who.tenant.clone(), conversation.id().to_owned());
        if let Some((_, checked)) = self.open.get(&place) {
            self.open.insert(place, (Arc::clone(conversation), checked));
        }
        let other = conversation.other_id(who, passed);
        if let Some(other) = &other {
            self.open.insert((who.tenant.clone(), other.clone()), (Arc::clone(conversation), Instant::now()));
        }
        let Some(store) = &self.store else { return Ok(()) };
        let again: Vec<VaultEntry> = used.clone();
        let kept = store.vault_put(&who.tenant, conversation.id(), used).await;
        if kept.is_err() {
            conversation.put_back(again);
        }
        kept?;
        match other.and_then(|other| Some((conversation.alias(&other, expires)?, other))) {
            Some((alias, other)) => store.vault_put(&who.tenant, &other, vec![alias]).await,
            None => Ok(()),
        }
    }

    /// Takes away all that is kept of a tenant, here and in the store, and closes its conversations. Answers how many
    /// pseudonyms the store had.
    pub(crate) async fn forget(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        let whose = tenant.clone();
        let closed = self.open.invalidate_entries_if(move |(owner, _), _| *owner == whose);
        closed.map_err(|e| StoreError::Failed(format!("open conversations cannot be closed: {e}")))?;
        match &self.store {
            Some(store) => store.vault_forget(tenant).await,
            None => Ok(0),
        }
    }
}
