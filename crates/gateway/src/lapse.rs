//! Exceptions come to their end loudly: in the log, in the metrics, and once in the chain.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bartizan_core::{Deed, TenantId};
use bartizan_guard::{Excepted, Exception, PROGRAM, deed};

use crate::shared::{Live, Shared};

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Looks at the exceptions in force until the gateway is gone.
pub(crate) async fn watch(shared: Weak<Shared>) {
    let mut said = HashSet::new();
    loop {
        match shared.upgrade() {
            Some(shared) => look(&shared, &mut said).await,
            None => return,
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn look(shared: &Arc<Shared>, said: &mut HashSet<String>) {
    let (live, now) = (shared.live(), shared.access.now().wall);
    for one in live.guard.exceptions() {
        let holds = one.holds(now);
        let mark = format!("exception {} {}", if holds { "added" } else { "lapsed" }, one.id());
        if !said.insert(mark.clone()) {
            continue;
        }
        if !holds {
            let Exception { rule, owner, expires, .. } = one;
            tracing::warn!(id = one.id(), %rule, owner, expires, "an exception has lapsed: its findings count again");
            shared.metrics.exception_lapsed();
        }
        let Some(store) = shared.access.store() else { continue };
        let kind = if holds { Deed::ExceptionAdded } else { Deed::ExceptionLapsed };
        let tenant = one.scope.tenant.clone().unwrap_or_else(TenantId::sole);
        let act = deed(kind, &tenant, PROGRAM).about(&one.id()).because(&one.reason);
        let act = act.with("rule", &one.rule).with("owner", &one.owner).with("expires", &one.expires);
        if let Err(error) = store.once(&mark, act).await {
            tracing::error!(%error, "the record of an exception cannot be written; it is tried again");
            said.remove(&mark);
        }
    }
}

/// The exceptions that hold for a caller now.
pub(crate) fn excepted(shared: &Shared, live: &Live, who: &bartizan_core::Principal, route: &str) -> Excepted {
    let caller = bartizan_guard::Caller { tenant: &who.tenant, key: &who.key, route };
    live.guard.excepted(caller, shared.access.now().wall)
}
