//! Whose data it is, and who asks.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of a tenant.
const LONGEST: usize = 64;

/// Whose data it is. Tenants are walls: every call to a store, cache, vault, budget or key takes one, so that no
/// query can be asked across them.
///
/// It comes from authentication only. A name in a body or header never becomes one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub struct TenantId(Arc<str>);

/// Why a name cannot be a tenant's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a tenant's name is 1 to {LONGEST} of the characters a-z, 0-9, `-`, `_` and `.`, not `{0}`")]
pub struct TenantNameError(String);

impl TenantId {
    /// The tenant that an authenticated caller belongs to, or that an operator of this machine names.
    ///
    /// # Errors
    /// The name is empty, too long, or holds other characters than `a-z 0-9 - _ .`.
    pub fn authenticated(name: &str) -> Result<Self, TenantNameError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(plain) {
            return Err(TenantNameError(name.chars().take(LONGEST).collect()));
        }
        Ok(Self(Arc::from(name)))
    }

    /// The one tenant of an installation without tenants.
    #[must_use]
    pub fn sole() -> Self {
        Self(Arc::from("default"))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self::sole()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::authenticated(&name).map_err(serde::de::Error::custom)
    }
}

/// An authenticated caller. Without keys or tokens it is the sole tenant's nameless one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Whose traffic.
    pub tenant: TenantId,
    /// Name of the client key or token subject, never the key; empty where none was needed.
    pub key: Arc<str>,
    /// The person behind the application, as the application or the token says. Kept as a keyed pseudonym only.
    pub user: Option<Arc<str>>,
    /// Conversation.
    pub session: Option<Arc<str>>,
    /// Feature of the application.
    pub feature: Option<Arc<str>>,
    /// Team that pays.
    pub team: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["default", "acme", "a", "team-1.eu_west"] {
            assert_eq!(TenantId::authenticated(good).unwrap().as_str(), good);
        }
        for bad in ["", "Acme", "a b", "../x", "a/b", "ü", "a\n", &"x".repeat(65)] {
            assert!(TenantId::authenticated(bad).is_err(), "{bad}");
        }
    }
}
