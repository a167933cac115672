//! A candidate that finds other things than the guard in force looks for itself, off the way of the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bartizan_guard::{Checked, Compared, Guard, Parsed, ReplyContext, Route};
use bartizan_policy::{Outcome, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Metrics;
use crate::shared::Live;

/// Most bodies that are kept for a second look at a time.
const AT_A_TIME: usize = 4;

/// Which bodies get a second look.
pub(crate) struct Seconds {
    places: Arc<Semaphore>,
    count: AtomicU64,
}

impl Default for Seconds {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_A_TIME)), count: AtomicU64::new(0) }
    }
}

/// One body that gets a second look.
pub(crate) struct Second {
    guard: Arc<Guard>,
    live: Arc<Live>,
    parsed: Parsed,
    context: ReplyContext,
    target: usize,
    place: OwnedSemaphorePermit,
}

impl Seconds {
    /// Keeps a body for a second look, where a candidate wants one, its turn has come and there is room.
    pub(crate) fn begin(
        &self,
        live: &Arc<Live>,
        parsed: &Parsed,
        context: &ReplyContext,
        target: usize,
    ) -> Option<Second> {
        let guard = live.guard.second()?;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let every = u64::from(live.settings.candidate_every);
        if every == 0 || !number.is_multiple_of(every) {
            return None;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let (guard, live) = (Arc::clone(guard), Arc::clone(live));
        let mut parsed = parsed.clone();
        // A candidate makes no pseudonyms in a conversation that goes on without it.
        parsed.converse(None);
        Some(Second { guard, live, parsed, context: context.clone(), target, place })
    }
}

impl Second {
    /// Looks, and counts what differs from what was decided.
    pub(crate) fn compare(self, metrics: Arc<Metrics>, checked: &Checked) {
        let live = refusal(&checked.outcome);
        let direction = checked.meta.direction;
        tokio::spawn(async move {
            let Self { guard, live: settings, parsed, context, target, place } = self;
            let work = move || {
                let upstream = settings.upstreams.settings(target);
                let name = upstream.map_or("", |u| u.name.as_str());
                let opaque = upstream.and_then(|u| u.opaque.as_ref());
                refusal(&guard.check(parsed, &context, Route { name, opaque, tenant: None, known: None }).outcome)
            };
            if let Some(candidate) = crate::pressure::off_worker(work).await {
                metrics.candidate(direction, &Compared { live, candidate });
            }
            drop(place);
        });
    }
}

fn refusal(outcome: &Outcome) -> Refusal {
    match outcome {
        Outcome::Refuse(refusal) | Outcome::Hold(refusal) => refusal.clone(),
        Outcome::Forward { verdict, .. } => Refusal { verdict: *verdict, causes: Vec::new() },
    }
}
