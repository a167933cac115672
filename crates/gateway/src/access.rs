//! Keys and limits of a running gateway: what outlives a configuration, and who is in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use bartizan_access::{
    Account, Bound, Denied, KeyHasher, KeyRing, Ledger, Now, Places, Price, Reservation, StreamMeter, TokenUsage,
    day_of, month_of, usage_or_estimate,
};
use bartizan_core::{AccessStore, EventStore, Principal, Quota, Spender, StoreError, TenantId, Used};

use crate::abuse::Watching;
use crate::contain::CutOff;
use crate::jwks::Jwks;
use crate::metrics::Metrics;

/// How often changes of keys are looked for, and usage is written.
const EVERY: Duration = Duration::from_millis(250);

/// How often what is known of the use of keys is kept.
const WATCHES_EVERY: Duration = Duration::from_mins(1);

/// Bytes of a streamed reply after which its reservation is looked at again.
const GROW: u64 = 8 << 10;

/// Keys and limits. One for the life of the process.
pub(crate) struct Access {
    ring: ArcSwap<KeyRing>,
    /// True once a key was ever made: taking back the last one must not open the gateway.
    keyed: AtomicBool,
    revision: AtomicU64,
    ledger: Mutex<Ledger>,
    places: Mutex<Places>,
    /// Kept over a reload: a fetched key set is not thrown away.
    jwks: Mutex<Option<Arc<Jwks>>>,
    store: Option<Arc<dyn AccessStore>>,
    pub(crate) cut_off: CutOff,
    pub(crate) watching: Watching,
    metrics: Arc<Metrics>,
    began: Instant,
}

impl Access {
    /// Reads keys and what was used this month. Without a store there are neither.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn open(
        store: Option<Arc<dyn AccessStore>>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, StoreError> {
        let began = Instant::now();
        let now = Now { wall: wall(), steady: 0 };
        let (key, revision, keys, totals) = match &store {
            Some(store) => {
                let revision = store.revision().await?;
                let month = month_of(day_of(now.wall));
                (store.hash_key().await?, revision, store.ring().await?, store.totals(month).await?)
            }
            None => {
                let mut key = [0; 32];
                aws_lc_rs::rand::fill(&mut key)
                    .map_err(|_| StoreError::Failed("the system gives no random bytes".to_owned()))?;
                (key, 0, Vec::new(), Vec::new())
            }
        };
        let this = Arc::new(Self {
            ring: ArcSwap::from_pointee(KeyRing::new(KeyHasher::new(&key), keys)),
            keyed: AtomicBool::new(revision > 0),
            revision: AtomicU64::new(revision),
            ledger: Mutex::new(Ledger::new(now, &totals)),
            places: Mutex::new(Places::default()),
            jwks: Mutex::new(None),
            store,
            cut_off: CutOff::default(),
            watching: Watching::new(&key, now, Arc::clone(&metrics)),
            metrics,
            began,
        });
        this.read_contained().await?;
        Ok(this)
    }

    /// Where keys and containments are kept, if anywhere.
    pub(crate) fn store(&self) -> Option<&Arc<dyn AccessStore>> {
        self.store.as_ref()
    }

    /// Looks for changes of keys, takes the records of them over into the chain, and writes usage, until the gateway
    /// is gone.
    pub(crate) async fn keep(this: Weak<Self>, events: Arc<dyn EventStore>) {
        let mut failing = false;
        tokio::spawn(Self::keep_watching(Weak::clone(&this)));
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(this) = this.upgrade() else { return };
            let looked = async {
                this.look().await?;
                this.keep_contained().await?;
                this.record(events.as_ref()).await
            };
            let looked = looked.await;
            // Said once, not four times a second.
            if let Err(error) = &looked
                && !failing
            {
                tracing::error!(%error, "changes of keys and containments cannot be read or recorded; those known stay in force");
            }
            failing = looked.is_err();
            this.write().await;
        }
    }

    /// Keeps what is known of the use of keys, until the gateway is gone. It may be much, and a key that is taken back does
    /// not wait for it.
    async fn keep_watching(this: Weak<Self>) {
        loop {
            tokio::time::sleep(WATCHES_EVERY).await;
            let Some(this) = this.upgrade() else { return };
            this.keep_watches().await;
        }
    }

    /// An act that is in the chain and could not be taken off the list is recorded again: once too often rather than
    /// never.
    async fn record(&self, events: &dyn EventStore) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        for act in store.waiting_acts().await? {
            let id = act.id.clone();
            events.act(act).await?;
            store.act_done(&id).await?;
        }
        Ok(())
    }

    /// Takes over changes of keys.
    pub(crate) async fn look(&self) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        let revision = store.revision().await?;
        if revision == self.revision.load(Ordering::Acquire) {
            return Ok(());
        }
        let keys = store.ring().await?;
        let hasher = self.ring.load().hasher().clone();
        self.ring.store(Arc::new(KeyRing::new(hasher, keys)));
        self.keyed.store(true, Ordering::Release);
        self.revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Writes what was used since the last time.
    pub(crate) async fn write(&self) {
        let Some(store) = &self.store else { return };
        let pending = lock(&self.ledger).take_pending();
        if pending.is_empty() {
            return;
        }
        if let Err(error) = store.spend(pending.clone()).await {
            tracing::error!(%error, "usage cannot be written; it is kept for later");
            lock(&self.ledger).put_back(pending);
        }
    }

    /// Takes over what was kept of the use of keys.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn restore_watches(&self, settings: &bartizan_abuse::Settings) -> Result<(), StoreError> {
        self.watching.configure(settings);
        match &self.store {
            Some(store) => self.watching.restore(store.as_ref(), self.now()).await,
            None => Ok(()),
        }
    }

    /// Keeps what is known of the use of keys.
    pub(crate) async fn keep_watches(&self) {
        if let Some(store) = &self.store {
            self.watching.keep(store.as_ref(), self.now()).await;
        }
    }

    /// The keys in force.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// True where callers need a key.
    pub(crate) fn keyed(&self) -> bool {
        self.keyed.load(Ordering::Acquire)
    }

    /// Callers need a key from now on, whether or not one is known here.
    pub(crate) fn expect_keys(&self) {
        self.keyed.store(true, Ordering::Release);
    }

    /// The key set of these settings: the one that is there, or a new one.
    ///
    /// # Errors
    /// A setting is wrong, or the file is no key set.
    pub(crate) fn jwks(&self, settings: &bartizan_access::JwtSettings) -> Result<Arc<Jwks>, String> {
        let mut kept = lock(&self.jwks);
        if let Some(jwks) = kept.as_ref().filter(|j| j.settings() == settings && !settings.jwks.starts_with("file:")) {
            return Ok(Arc::clone(jwks));
        }
        let jwks = Jwks::new(settings)?;
        *kept = Some(Arc::clone(&jwks));
        Ok(jwks)
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: wall(), steady: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX) }
    }

    /// Lets a caller in.
    ///
    /// # Errors
    /// Over a limit, or no place: `None`.
    pub(crate) fn enter(
        self: &Arc<Self>,
        tenant: &TenantId,
        accounts: &Arc<[Account]>,
        places: usize,
        walls: bool,
    ) -> Result<Entry, Option<Denied>> {
        let now = self.now();
        lock(&self.ledger).enter(accounts, now).map_err(Some)?;
        let mut entry =
            Entry { access: Arc::clone(self), tenant: tenant.clone(), accounts: Arc::clone(accounts), placed: false };
        if !lock(&self.places).enter(tenant, places, walls, now.steady) {
            return Err(None);
        }
        entry.placed = true;
        Ok(entry)
    }

    /// Sets aside what a request can take at most.
    ///
    /// # Errors
    /// Over a budget.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        principal: &Principal,
        accounts: &Arc<[Account]>,
        model: &str,
        price: Option<&Price>,
        size: Size,
    ) -> Result<Charge, Denied> {
        // A token is at least one byte.
        let bound = Bound {
            tokens: size.bytes.saturating_add(size.output),
            spend: price.map(|p| p.at_most(size.bytes, size.output)).unwrap_or_default(),
            estimate: bartizan_access::estimate(size.bytes),
        };
        let reservation = lock(&self.ledger).reserve(accounts, bound, self.now())?;
        let hasher = self.ring.load().hasher().clone();
        let pseudonym = |name: &Option<Arc<str>>| {
            name.as_ref().map_or_else(Arc::default, |n| Arc::from(hasher.pseudonym(&principal.tenant, n)))
        };
        let plain = |name: &Option<Arc<str>>| name.clone().unwrap_or_default();
        let spender = Spender {
            day: 0,
            key: Arc::clone(&principal.key),
            model: Arc::from(bartizan_guard::bounded_model(model)),
            user: pseudonym(&principal.user),
            session: pseudonym(&principal.session),
            feature: plain(&principal.feature),
            team: plain(&principal.team),
        };
        Ok(Charge {
            access: Arc::clone(self),
            reservation: Some(reservation),
            tenant: principal.tenant.clone(),
            spender,
            price: price.cloned(),
            input: bound.estimate,
            used: Used::default(),
        })
    }
}

/// How large a request is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Bytes of its body.
    pub(crate) bytes: u64,
    /// Most tokens of its answers.
    pub(crate) output: u64,
}

/// A caller that is in; it leaves with this value.
pub(crate) struct Entry {
    access: Arc<Access>,
    tenant: TenantId,
    accounts: Arc<[Account]>,
    placed: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.access.ledger).leave(&self.accounts);
        if self.placed {
            lock(&self.access.places).leave(&self.tenant);
        }
    }
}

/// What a request costs its caller. Settled with this value: whatever becomes of the request, nothing stays set aside.
pub(crate) struct Charge {
    access: Arc<Access>,
    reservation: Option<Reservation>,
    tenant: TenantId,
    spender: Spender,
    price: Option<Price>,
    /// Tokens that went in, as estimated.
    input: u64,
    used: Used,
}

impl Charge {
    /// The request may have reached the model server: from here on it costs what went in.
    pub(crate) fn sent(&mut self) {
        self.set(&TokenUsage { input: self.input, ..TokenUsage::default() });
    }

    /// The model server did not take it.
    pub(crate) fn refused(&mut self) {
        self.used = Used { requests: 1, ..Used::default() };
    }

    /// A whole reply came back.
    pub(crate) fn whole(&mut self, body: &[u8]) {
        self.set(&usage_or_estimate(body, self.input));
    }

    /// A streamed reply has come to its end, or was cut.
    pub(crate) fn streamed(&mut self, meter: StreamMeter) {
        self.set(&meter.finish(self.input));
    }

    fn set(&mut self, usage: &TokenUsage) {
        self.used = usage.used(self.price.as_ref());
    }

    /// A streamed reply has grown to so many tokens.
    fn grown(&mut self, output: u64) {
        let usage = TokenUsage { input: self.input, output, ..TokenUsage::default() };
        let used = usage.used(self.price.as_ref());
        if let Some(reservation) = &mut self.reservation {
            lock(&self.access.ledger).grow(reservation, used.tokens(), used.spend);
        }
        self.used = used;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            let spender = std::mem::take(&mut self.spender);
            self.access.metrics.used(&self.tenant, &spender.key, &self.used);
            let now = self.access.now();
            self.access.watching.spent(&self.tenant, &spender.key, &self.used, now);
            lock(&self.access.ledger).settle(reservation, &self.used, &self.tenant, spender, now);
        }
    }
}

/// Counts a streamed reply for whom it is charged to.
pub(crate) struct Metered {
    charge: Charge,
    meter: StreamMeter,
    since: u64,
}

impl Metered {
    pub(crate) fn new(charge: Charge) -> Self {
        Self { charge, meter: StreamMeter::default(), since: 0 }
    }

    /// Takes bytes from the upstream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.meter.push(bytes);
        self.since = self.since.saturating_add(bytes.len() as u64);
        if self.since >= GROW {
            self.since = 0;
            self.charge.grown(self.meter.estimated_output());
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.charge.streamed(std::mem::take(&mut self.meter));
    }
}

/// The accounts of a caller: the tenant as a whole, and the key.
pub(crate) fn accounts(tenant: &TenantId, of_tenant: &Quota, key: &Arc<str>, of_key: &Quota) -> Arc<[Account]> {
    let account = |key: Option<Arc<str>>, quota: &Quota| Account { tenant: tenant.clone(), key, quota: quota.clone() };
    Arc::from([account(None, of_tenant), account(Some(Arc::clone(key)), of_key)])
}

/// What is behind the lock is whole after every step, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Time of day, in milliseconds since 1970.
fn wall() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
