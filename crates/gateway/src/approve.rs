//! Approvals on the way of a request: what stands for who asks, what is asked for, and what is used up.

use std::sync::Arc;

use bartizan_core::{Approval, Principal, StoreError};
use bartizan_guard::{Asking, ReplyContext, Request as Record};
use bartizan_wire::ErrorKind;

use crate::failure::Failure;
use crate::shared::Shared;

/// Puts what stands of approvals for who asks into what the reply is compared with. Without a store for them nothing is
/// approved. Ask [`know`](crate::shared::know) before.
pub(crate) async fn lay_out(shared: &Shared, who: &Principal, context: &mut ReplyContext) -> Result<(), Failure> {
    let wanted = context.agent.as_ref().is_some_and(|agent| agent.enforces() && agent.has_tools());
    let Some(store) = shared.access.store().filter(|_| wanted) else { return Ok(()) };
    let now = shared.access.now().wall;
    let asked = tokio::try_join!(store.approvals_of(&who.tenant, &who.key, now), store.endorsed(&who.tenant));
    let (approvals, endorsed) = asked.map_err(failed)?;
    context.desk = shared.recorder.desk(&who.tenant, approvals, endorsed).map(Arc::new);
    Ok(())
}

/// Keeps what is asked for, before the caller hears of it.
pub(crate) async fn ask(
    shared: &Shared,
    record: &Record,
    context: &ReplyContext,
    asking: Vec<Asking>,
) -> Result<(), Failure> {
    let (Some(store), Some(agent)) = (shared.access.store(), &context.agent) else { return Ok(()) };
    let who = &record.principal;
    let now = shared.access.now().wall;
    for Asking { approval, shown } in asking {
        let sealed = shared.recorder.approving(&who.tenant).and_then(|key| key.seal(&who.tenant, &approval.id, &shown));
        let approval = Approval {
            tenant: who.tenant.clone(),
            key: who.key.to_string(),
            route: record.route.clone(),
            event: record.reply_event.clone(),
            asked: now,
            expires: now.saturating_add(agent.approval_ms()),
            sealed: sealed.unwrap_or_default(),
            ..approval
        };
        store.ask(&who.tenant, approval).await.map_err(failed)?;
    }
    Ok(())
}

/// Uses up approvals that calls have taken. False where one was used meanwhile, or has expired: the calls must not go out.
pub(crate) async fn use_up(shared: &Shared, who: &Principal, taken: Vec<String>) -> Result<bool, Failure> {
    let Some(store) = shared.access.store() else { return Ok(taken.is_empty()) };
    for id in taken {
        if !store.use_up(&who.tenant, &id, shared.access.now().wall).await.map_err(failed)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn failed(error: StoreError) -> Failure {
    tracing::error!(%error, "the store failed under an approval");
    Failure::new(ErrorKind::Unavailable, "approval", "an approval cannot be looked up or asked for; try again later")
}
