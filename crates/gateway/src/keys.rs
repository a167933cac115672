//! The life of a client key: made, given another secret, taken back. The command line and the admin API both do it here.

use std::sync::Arc;

use bartizan_access::{AccessError, KeyHasher, NewKey};
use bartizan_core::{Act, Deed, Grant, KeyRecord, TenantId};
use bartizan_guard::deed;
use schemars::JsonSchema;
use serde::Serialize;

/// Longest name of a key.
const LONGEST_NAME: usize = 64;

/// A key as it is shown in lists.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeyView {
    /// The public part.
    pub id: String,
    /// Name in records and metrics.
    pub name: String,
    /// Whose key.
    pub tenant: TenantId,
    /// Whether it lets anybody in.
    pub state: KeyState,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it ends, RFC 3339.
    pub expires: Option<String>,
    /// When it was taken back, RFC 3339.
    pub revoked: Option<String>,
    /// What it may do.
    pub grant: Grant,
}

/// Whether a key lets anybody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It does.
    Good,
    /// It does, and the secret that it had before does for a while.
    Rotating,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl KeyState {
    /// The word in lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Rotating => "rotating",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl KeyView {
    /// A key as it is at a time, in milliseconds since 1970.
    #[must_use]
    pub fn of(key: &KeyRecord, now: i64) -> Self {
        let state = match key {
            _ if key.revoked.is_some() => KeyState::Revoked,
            _ if key.expires.is_some_and(|at| now >= at) => KeyState::Expired,
            _ if key.previous.is_some_and(|(_, until)| now < until) => KeyState::Rotating,
            _ => KeyState::Good,
        };
        Self {
            id: key.id.clone(),
            name: key.name.to_string(),
            tenant: key.tenant.clone(),
            state,
            created: time(key.created),
            expires: key.expires.map(time),
            revoked: key.revoked.map(time),
            grant: (*key.grant).clone(),
        }
    }
}

/// What is to be kept of a key, and the record of the deed.
#[derive(Debug)]
pub struct KeyChange {
    /// The key as it is kept from now on.
    pub key: KeyRecord,
    /// The record; the chain fills in its place.
    pub act: Act,
}

/// Milliseconds since 1970 as RFC 3339 with whole seconds.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |t| format!("{t:.0}"))
}

/// True where a key or person may be called this: 1 to 64 of the characters a-z, A-Z, 0-9, `-`, `_`, `.` and `@`.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b))
}

/// A new key. Its secret is in the answer and nowhere else. `now` and `expires` are milliseconds since 1970.
///
/// # Errors
/// [`AccessError::Random`].
pub fn create_key(
    (tenant, name): (&TenantId, &str),
    grant: Grant,
    (now, expires): (i64, Option<i64>),
    hasher: &KeyHasher,
    actor: &str,
) -> Result<(NewKey, KeyChange), AccessError> {
    let new = NewKey::generate()?;
    let key = KeyRecord {
        id: new.id.clone(),
        name: Arc::from(name),
        tenant: tenant.clone(),
        hash: hasher.hash(new.text()),
        previous: None,
        grant: Arc::new(grant),
        created: now,
        expires,
        revoked: None,
    };
    let act = about(Deed::KeyCreated, &key, actor);
    Ok((new, KeyChange { key, act }))
}

/// Another secret for a key. The one before is good for `grace` milliseconds more.
///
/// # Errors
/// [`AccessError::Random`].
pub fn rotate_key(
    old: KeyRecord,
    grace: i64,
    now: i64,
    hasher: &KeyHasher,
    actor: &str,
) -> Result<(NewKey, KeyChange), AccessError> {
    let new = NewKey::for_id(&old.id)?;
    let previous = (grace > 0).then_some((old.hash, now.saturating_add(grace)));
    let key = KeyRecord { hash: hasher.hash(new.text()), previous, ..old };
    let act = about(Deed::KeyRotated, &key, actor).with("grace_s", grace / 1000);
    Ok((new, KeyChange { key, act }))
}

/// The end of a key.
#[must_use]
pub fn revoke_key(old: KeyRecord, now: i64, actor: &str, reason: &str) -> KeyChange {
    let key = KeyRecord { revoked: Some(now), previous: None, ..old };
    let act = about(Deed::KeyRevoked, &key, actor).because(reason);
    KeyChange { key, act }
}

/// The key in force with this name or id.
#[must_use]
pub fn find_key(keys: Vec<KeyRecord>, name: &str) -> Option<KeyRecord> {
    keys.into_iter().find(|k| k.revoked.is_none() && (*k.name == *name || k.id == name))
}

fn about(what: Deed, key: &KeyRecord, actor: &str) -> Act {
    let act = deed(what, &key.tenant, actor).about(&key.name).with("id", &key.id);
    match key.expires {
        Some(at) => act.with("expires", time(at)),
        None => act,
    }
}
