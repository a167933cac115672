//! Tenants' keys and what is done with them: pseudonyms, digests, sealed content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use bartizan_core::{
    Direction, Event, KeyPurpose, Protocol, SealedContent, SealedStore, StoreError, TenantId, WrappedKey,
};
use bartizan_sign::{DataKey, Master, Place, Pseudonyms, Secret, SignError, hex};
use uuid::Uuid;

use crate::settings::{RecordMode, RecordSettings};

/// How long a content key is used before it is looked up again: an erasure by another process ends its use.
const RECHECK: Duration = Duration::from_secs(5);

/// Most keys that are kept open.
const OPEN: usize = 4096;

/// A body on its way to its seal.
#[derive(Debug, Default)]
pub struct Kept {
    /// Its dialect.
    pub protocol: Protocol,
    /// True for server-sent events.
    pub stream: bool,
    /// The bytes, as far as they are kept.
    bytes: Vec<u8>,
    cut: bool,
    most: usize,
}

impl Kept {
    /// Adds bytes, up to the most that is kept of a body.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = self.most.saturating_sub(self.bytes.len());
        self.bytes.extend(bytes.iter().take(room));
        self.cut |= bytes.len() > room;
    }
}

/// A recorded body, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The decision about it.
    pub event: String,
    /// Which way it went.
    pub direction: Direction,
    /// Its dialect.
    pub protocol: Protocol,
    /// True for server-sent events.
    pub stream: bool,
    /// True where the body was longer than what is kept.
    pub cut: bool,
    /// When, RFC 3339.
    pub time: String,
    /// The body.
    pub body: Vec<u8>,
}

#[cfg(test)]
impl Opened {
    /// A body of an OpenAI chat.
    pub(crate) fn of(direction: Direction, stream: bool, body: &str) -> Self {
        Self {
            event: "e".to_owned(),
            direction,
            protocol: Protocol::OpenaiChat,
            stream,
            cut: false,
            time: String::new(),
            body: body.as_bytes().to_vec(),
        }
    }
}

impl std::fmt::Debug for Opened {
    // Content stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({} {}, {} bytes)", self.event, self.direction, self.body.len())
    }
}

struct Open<T> {
    id: String,
    key: Arc<T>,
    day: String,
    checked: Instant,
}

/// Opens and makes tenants' keys. What is sealed here can be opened by whoever has the store and the master key.
pub struct Vault {
    store: Arc<dyn SealedStore>,
    master: Arc<dyn Master>,
    settings: RecordSettings,
    names: Mutex<HashMap<TenantId, Open<Pseudonyms>>>,
    content: Mutex<HashMap<TenantId, Open<DataKey>>>,
}

impl Vault {
    /// Over a store and a master key.
    #[must_use]
    pub fn new(store: Arc<dyn SealedStore>, master: Arc<dyn Master>, settings: RecordSettings) -> Self {
        Self { store, master, settings, names: Mutex::default(), content: Mutex::default() }
    }

    /// What it is over.
    #[must_use]
    pub fn store(&self) -> &dyn SealedStore {
        self.store.as_ref()
    }

    /// Room for a body that may be recorded; `None` where none of its kind is.
    pub(crate) fn keep(&self, protocol: Protocol, direction: Direction, stream: bool) -> Option<Kept> {
        let on = self.settings.mode != RecordMode::Off && self.settings.bodies.contains(&direction);
        on.then(|| Kept { protocol, stream, most: self.settings.max_body_bytes, ..Kept::default() })
    }

    /// A tenant's key for names and digests, where it is open.
    pub(crate) fn names(&self, tenant: &TenantId) -> Option<Arc<Pseudonyms>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(tenant).map(|open| Arc::clone(&open.key))
    }

    /// Lets go of a tenant's open keys, because they were destroyed.
    pub fn close(&self, tenant: &TenantId) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
        self.content.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// Opens a tenant's key for names and digests, or makes it.
    pub(crate) async fn know(&self, tenant: &TenantId) -> Result<(), StoreError> {
        self.current(&self.names, tenant, KeyPurpose::Pseudonym, "", |_, secret| Ok(Pseudonyms::new(secret))).await?;
        Ok(())
    }

    /// A live key, from those that are open where it is one of them.
    async fn current<T>(
        &self,
        open: &Mutex<HashMap<TenantId, Open<T>>>,
        tenant: &TenantId,
        purpose: KeyPurpose,
        day: &str,
        make: impl FnOnce(&str, &Secret) -> Result<T, SignError>,
    ) -> Result<Arc<T>, StoreError> {
        let known = {
            let open = open.lock().unwrap_or_else(PoisonError::into_inner);
            open.get(tenant).filter(|o| o.day == day).map(|o| (o.id.clone(), Arc::clone(&o.key), o.checked))
        };
        if let Some((_, key, checked)) = &known
            && checked.elapsed() < RECHECK
        {
            return Ok(Arc::clone(key));
        }
        let live = self.live(tenant, purpose, day).await?;
        let id = live.id.clone();
        let key = match known {
            Some((known, key, _)) if known == id => key,
            _ => {
                let secret = self.unwrap(live).await?;
                Arc::new(make(&id, &secret).map_err(failed)?)
            }
        };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN {
            open.clear();
        }
        let entry = Open { id, key: Arc::clone(&key), day: day.to_owned(), checked: Instant::now() };
        open.insert(tenant.clone(), entry);
        Ok(key)
    }

    /// Whether the body of this decision is recorded.
    fn wants(&self, event: &Event) -> bool {
        match self.settings.mode {
            RecordMode::Off => false,
            RecordMode::Fired => !event.rules.is_empty() || event.verdict != bartizan_core::Verdict::Allow,
            RecordMode::All => true,
        }
    }

    /// Appends a record with the body that it is about.
    pub(crate) async fn append(&self, mut event: Event, kept: Kept) -> Result<(), StoreError> {
        if !self.wants(&event) {
            return self.store.put_sealed(event, Vec::new()).await;
        }
        let day = event.time.get(..10).unwrap_or_default().to_owned();
        let key = self.current(&self.content, &event.tenant, KeyPurpose::Content, &day, DataKey::new).await?;
        let place = Place { tenant: &event.tenant, event: &event.id, direction: event.direction };
        let content = SealedContent {
            event: event.id.clone(),
            exchange: event.exchange.clone(),
            tenant: event.tenant.clone(),
            direction: event.direction,
            protocol: kept.protocol,
            stream: kept.stream,
            cut: kept.cut,
            time: event.time.clone(),
            body: key.seal(place, kept.bytes).map_err(failed)?,
        };
        // So that the chain knows what is kept, and a recording that is taken away or changed is missed.
        event.recording = recording(&content);
        self.store.put_sealed(event, vec![content]).await
    }

    /// The live key of a tenant, made where there is none.
    async fn live(&self, tenant: &TenantId, purpose: KeyPurpose, day: &str) -> Result<WrappedKey, StoreError> {
        if let Some(key) = self.store.live_key(tenant, purpose, day).await? {
            return Ok(key);
        }
        let key = bartizan_sign::unwrapped(&Uuid::now_v7().to_string(), tenant, purpose, day);
        let secret = Secret::generate().map_err(failed)?;
        let master = Arc::clone(&self.master);
        let key = blocking(move || Ok(WrappedKey { wrapped: master.wrap(&key, &secret)?, ..key })).await?;
        // Another process may have been first; then its key counts.
        self.store.put_key(key).await
    }

    async fn unwrap(&self, key: WrappedKey) -> Result<Secret, StoreError> {
        let master = Arc::clone(&self.master);
        blocking(move || master.unwrap(&key)).await
    }

    /// Opens what is recorded of a decision or exchange. Who may ask and why is the caller's business, and its record
    /// comes first: [`unseal`](crate::unseal).
    ///
    /// # Errors
    /// The store fails, the key was destroyed or is another one, or the content was changed.
    pub async fn open(&self, tenant: &TenantId, id: &str) -> Result<Vec<Opened>, StoreError> {
        let mut sealed = self.store.sealed(tenant, id).await?;
        if sealed.is_empty() {
            sealed = self.store.sealed_exchange(tenant, id).await?;
        }
        let mut opened = Vec::with_capacity(sealed.len());
        for content in sealed {
            let missing = || StoreError::Failed("the key of the recording is not there".to_owned());
            let wrapped = self.store.key(tenant, &content.body.key_id).await?.ok_or_else(missing)?;
            let secret = self.unwrap(wrapped).await?;
            let key = DataKey::new(&content.body.key_id, &secret).map_err(failed)?;
            let place = Place { tenant, event: &content.event, direction: content.direction };
            let body = key.open(place, &content.body).map_err(failed)?;
            let SealedContent { event, direction, protocol, stream, cut, time, .. } = content;
            opened.push(Opened { event, direction, protocol, stream, cut, time, body });
        }
        Ok(opened)
    }
}

/// What the record of a decision says of its recording: SHA-256 over all that is kept, each part behind its length.
#[must_use]
pub fn recording(content: &SealedContent) -> String {
    let SealedContent { event, exchange, tenant, direction, protocol, stream, cut, time, body } = content;
    let said = [event, exchange, tenant.as_str(), direction.as_str(), protocol.as_str(), time, &body.key_id];
    let flags = [u8::from(*stream), u8::from(*cut)];
    let parts = said.iter().map(|text| text.as_bytes()).chain([&flags[..], &body.nonce, &body.ciphertext]);
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    hex(context.finish().as_ref())
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({:?})", self.settings.mode)
    }
}

fn failed(error: SignError) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// A master key may be behind a command, which takes its time.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SignError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| StoreError::Failed("the master key cannot be used".to_owned()))?.map_err(failed)
}
