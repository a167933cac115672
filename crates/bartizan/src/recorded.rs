//! What is recorded, opened exchange by exchange. Who calls this has shown a role and a reason, and recorded that.

use bartizan_core::TenantId;
use bartizan_guard::{Opened, Vault};
use bartizan_store::Evidence;

/// Exchanges that are listed at once.
const PAGE: u32 = 256;

/// Which exchanges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) tenant: &'a TenantId,
    /// From this time on, RFC 3339 in UTC.
    pub(crate) since: Option<&'a str>,
    /// Before this time.
    pub(crate) until: Option<&'a str>,
}

/// Gives each exchange with what is recorded of it, in the order of time; `None` where it cannot be opened.
pub(crate) async fn each(
    store: &dyn Evidence,
    vault: &Vault,
    wanted: Wanted<'_>,
    mut each: impl AsyncFnMut(&str, Option<Vec<Opened>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut after, since) = (String::new(), wanted.since.unwrap_or_default());
    loop {
        let page = store.list_sealed(wanted.tenant, since, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for exchange in &page {
            let opened = vault.open(wanted.tenant, exchange).await.ok();
            let begins = opened.as_ref().and_then(|all| all.first()).map_or("", |body| body.time.as_str());
            // Exchanges come in the order of time.
            if wanted.until.is_some_and(|until| begins >= until) {
                return Ok(());
            }
            each(exchange, opened).await?;
        }
    }
}
