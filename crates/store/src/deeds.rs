//! Deeds of one kind.

use bartizan_core::{Act, Deed, StoreError, TenantId};

use crate::read::act;
use crate::sqlite::{SqliteStore, position, store_error};

impl SqliteStore {
    /// The deeds of a kind that concern a tenant, oldest first, behind a position in the chain.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the database cannot be read.
    pub async fn deeds(
        &self,
        tenant: &TenantId,
        deed: Deed,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Act>, StoreError> {
        let rows = sqlx::query(
            "SELECT body, hash FROM events WHERE tenant = ? AND action = ? AND kind = 'act' AND seq > ?
             ORDER BY seq LIMIT ?",
        )
        .bind(tenant.as_str())
        .bind(deed.as_str())
        .bind(after.map_or(-1, position))
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await
        .map_err(store_error)?;
        rows.iter().map(act).collect()
    }
}
