//! Conversations as operators see them: keys, and the pseudonyms that one has.
//!
//! A conversation is known by its session where the caller names one, else by how it begins: the operator's text and the
//! first message of the user, which a client sends again with every turn. Either is digested together with the client key
//! and the user under the tenant's key, so that neither another tenant nor another caller gets into it. A label depends on
//! that digest and on the value alone: the same value has the same placeholder however often and in whichever order a
//! conversation is sent, also after what was known of it has expired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bartizan_core::{Exchange, Kind, Principal, Source, Span, TenantId, VaultEntry};
use bartizan_policy::operator::{Keys, Matcher, Restorer, Setting, name_of, restored};
use bartizan_policy::{Conversing, Redaction};
use bartizan_sign::Pseudonyms;

/// Most pseudonyms of one conversation; what comes after is masked.
const MOST: usize = 10_000;

/// Most bytes of values of one conversation; what comes after is masked.
const MOST_BYTES: usize = 4 << 20;

/// Longest value that gets a pseudonym, in bytes.
const LONGEST: usize = 4096;

/// Tries to find a name that no other value has.
const TRIES: u32 = 8;

/// Name of the entry that says which conversation one goes on as.
pub(crate) const ALIAS: &str = "";

/// One conversation of one tenant.
pub struct Conversation {
    tenant: TenantId,
    id: String,
    /// True where the caller has named it.
    named: bool,
    keys: Keys,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Values by the name of their placeholder.
    values: BTreeMap<String, String>,
    /// Names by type and value.
    names: BTreeMap<(String, String), String>,
    /// Names that were used since it was kept last.
    used: BTreeSet<String>,
    matcher: Arc<Matcher>,
    /// How many values it was built over.
    built: usize,
    /// Bytes of all values.
    bytes: usize,
}

impl Known {
    fn add(&mut self, kind: &str, name: String, value: String) {
        self.bytes += value.len();
        self.names.insert((kind.to_owned(), value.clone()), name.clone());
        self.values.insert(name, value);
    }

    /// Finds placeholders, all but those that were added last: at most so many may be missing.
    fn matcher(&mut self, missing: usize) -> Arc<Matcher> {
        if self.values.len() > self.built + missing {
            let pairs = self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            self.matcher = Arc::new(Matcher::new(pairs));
            self.built = self.values.len();
        }
        Arc::clone(&self.matcher)
    }
}

impl std::fmt::Debug for Conversation {
    // Values stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conversation({})", self.id)
    }
}

/// A tenant's keys for operators; `None` where the library cannot use them.
pub(crate) fn keys(names: &Pseudonyms, tenant: &TenantId) -> Option<Keys> {
    Keys::new(&names.derive("operators", tenant.as_str())).ok()
}

/// How a conversation begins: the operator's text and the first message of the user.
fn beginning(exchange: &Exchange) -> Vec<&str> {
    let value = |index: &usize| exchange.texts.get(*index).map(|text| text.value.as_str());
    let first = exchange.messages.iter().find(|m| m.origin.source == Source::User && !m.parts.is_empty());
    let mut parts: Vec<&str> = exchange.system().collect();
    match first {
        Some(message) => parts.extend(message.parts.iter().filter_map(value)),
        None => parts.extend(
            exchange
                .texts
                .iter()
                .find(|text| text.origin.source == Source::User && text.kind == Kind::Text)
                .map(|text| text.value.as_str()),
        ),
    }
    parts
}

/// The digest of a conversation, and whether the caller has named it.
pub(crate) fn id(keys: &Keys, who: &Principal, exchange: &Exchange) -> (String, bool) {
    let user = who.user.as_deref().unwrap_or_default();
    if let Some(session) = who.session.as_deref().filter(|name| !name.is_empty()) {
        return (hex(&keys.digest("session", &[&who.key, user, session])), true);
    }
    let parts: Vec<&str> = [&*who.key, user].into_iter().chain(beginning(exchange)).collect();
    (hex(&keys.digest("beginning", &parts)), false)
}

fn hex(digest: &[u8; 32]) -> String {
    bartizan_sign::hex(digest.get(..16).unwrap_or_default())
}

impl Conversation {
    pub(crate) fn new(tenant: &TenantId, id: &str, named: bool, keys: Keys) -> Self {
        Self { tenant: tenant.clone(), id: id.to_owned(), named, keys, known: Mutex::default() }
    }

    /// One of its own for a single check, gone with it. `None` where the system gives no random bytes.
    pub(crate) fn passing() -> Option<Arc<Self>> {
        let secret = bartizan_sign::Secret::generate().ok()?;
        let tenant = TenantId::sole();
        let keys = keys(&Pseudonyms::new(&secret), &tenant)?;
        Some(Arc::new(Self::new(&tenant, "passing", false, keys)))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Bytes that it takes, roughly: a value stands in three places.
    pub(crate) fn weight(&self) -> u32 {
        let known = self.known();
        u32::try_from(1024 + known.values.len() * 256 + known.bytes * 3).unwrap_or(u32::MAX)
    }

    /// Finds its placeholders as they are now.
    pub(crate) fn matcher(&self) -> Arc<Matcher> {
        self.known().matcher(0)
    }

    /// How many bytes at the beginning of a growing text of a model hold no placeholder that may yet go on.
    #[must_use]
    pub fn settled(&self, text: &str) -> usize {
        let mut restorer = Restorer::new(self.matcher(), Setting::Prose);
        restorer.push(text);
        text.len() - restorer.held()
    }

    /// A text of a model with values in place of placeholders.
    #[must_use]
    pub fn restored(&self, text: &str) -> String {
        restored(&self.matcher(), text, Setting::Prose)
    }

    fn place<'a>(&'a self, name: &'a str) -> [&'a str; 4] {
        ["vault", self.tenant.as_str(), &self.id, name]
    }

    /// What was used since the last time, sealed, to be kept until a time in milliseconds since 1970.
    pub(crate) fn take_used(&self, expires: i64) -> Vec<VaultEntry> {
        let mut known = self.known();
        let used = std::mem::take(&mut known.used);
        let entry = |name: String| {
            let sealed = self.keys.seal(&self.place(&name), known.values.get(&name)?.as_bytes())?;
            Some(VaultEntry { name, sealed, expires })
        };
        used.into_iter().filter_map(entry).collect()
    }

    /// Says again what was used, after it could not be kept.
    pub(crate) fn put_back(&self, entries: Vec<VaultEntry>) {
        self.known().used.extend(entries.into_iter().map(|entry| entry.name));
    }

    /// The entry with which one that begins otherwise is this one.
    pub(crate) fn alias(&self, of: &str, expires: i64) -> Option<VaultEntry> {
        let place = ["vault", self.tenant.as_str(), of, ALIAS];
        let sealed = self.keys.seal(&place, self.id.as_bytes())?;
        Some(VaultEntry { name: ALIAS.to_owned(), sealed, expires })
    }

    /// The conversation that this one goes on as, where an entry says so.
    pub(crate) fn alias_in(&self, entries: &[VaultEntry]) -> Option<String> {
        let entry = entries.iter().find(|entry| entry.name == ALIAS)?;
        String::from_utf8(self.keys.open(&self.place(ALIAS), &entry.sealed)?).ok()
    }

    /// Takes over what is kept of it. What does not open was sealed with a key that is gone.
    pub(crate) fn take_over(&self, entries: Vec<VaultEntry>) {
        let mut known = self.known();
        for VaultEntry { name, sealed, .. } in entries.into_iter().filter(|entry| entry.name != ALIAS) {
            let Some(value) = self.keys.open(&self.place(&name), &sealed).and_then(|v| String::from_utf8(v).ok())
            else {
                continue;
            };
            let Some((kind, _)) = name.rsplit_once('_') else { continue };
            if !known.values.contains_key(&name) {
                let kind = kind.to_owned();
                known.add(&kind, name, value);
            }
        }
        known.matcher(0);
    }

    /// The name under which another beginning of it is known; `None` where it begins as it did.
    pub(crate) fn other_id(&self, who: &Principal, exchange: &Exchange) -> Option<String> {
        let (id, _) = id(&self.keys, who, exchange);
        (!self.named && id != self.id).then_some(id)
    }
}

impl Conversing for Conversation {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn issue(&self, kind: &str, value: &str) -> Option<String> {
        if value.len() > LONGEST {
            return None;
        }
        let mut known = self.known();
        let of = (kind.to_owned(), value.to_owned());
        if let Some(name) = known.names.get(&of).cloned() {
            let text = format!("<{name}>");
            known.used.insert(name);
            return Some(text);
        }
        if known.values.len() >= MOST || known.bytes.saturating_add(value.len()) > MOST_BYTES {
            return None;
        }
        let name = (0..TRIES).find_map(|attempt| {
            let digest = self.keys.digest("label", &[&self.id, kind, value, &attempt.to_string()]);
            let name = name_of(kind, &digest);
            (!known.values.contains_key(&name)).then_some(name)
        })?;
        known.used.insert(name.clone());
        known.add(kind, name.clone(), value.to_owned());
        Some(format!("<{name}>"))
    }

    /// Those that were made out of the same request a moment ago are seldom in it as well; looking for each of them at once
    /// would make the work grow with the square of their number.
    fn placeholders(&self, text: &str) -> Vec<Span> {
        let mut known = self.known();
        let missing = (known.built / 4).max(16);
        let matcher = known.matcher(missing);
        drop(known);
        matcher.placeholders(text)
    }

    fn known(&self, text: &str) -> Vec<Redaction> {
        self.matcher().known(text)
    }
}
