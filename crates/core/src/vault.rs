//! Where what pseudonyms stand for is kept.

use crate::store::StoreFuture;
use crate::tenant::TenantId;

/// What one pseudonym of a conversation stands for, under the tenant's key.
#[derive(Clone, PartialEq, Eq)]
pub struct VaultEntry {
    /// Name of the pseudonym: its type and a label that says nothing without the key.
    pub name: String,
    /// The value, sealed in its place.
    pub sealed: Vec<u8>,
    /// Until when it is kept, in milliseconds since 1970.
    pub expires: i64,
}

impl std::fmt::Debug for VaultEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VaultEntry({}, {} bytes)", self.name, self.sealed.len())
    }
}

/// Keeps pseudonyms by tenant and conversation. It has no key that opens them. A conversation is named by a keyed digest.
pub trait VaultStore: Send + Sync {
    /// Those of a conversation that are kept at a time, in milliseconds since 1970.
    fn vault_get<'a>(
        &'a self,
        tenant: &'a TenantId,
        conversation: &'a str,
        now: i64,
    ) -> StoreFuture<'a, Vec<VaultEntry>>;

    /// Keeps some. A name that is there already stays what it is, until the later of both times.
    fn vault_put<'a>(
        &'a self,
        tenant: &'a TenantId,
        conversation: &'a str,
        entries: Vec<VaultEntry>,
    ) -> StoreFuture<'a, ()>;

    /// Takes away those of which the time is over, of all tenants. Answers how many.
    fn vault_expire(&self, now: i64) -> StoreFuture<'_, u64>;

    /// Takes away everything of a tenant. Answers how many.
    fn vault_forget<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, u64>;
}
