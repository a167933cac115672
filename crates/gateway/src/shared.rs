//! What every request can see, and what is known of one on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bartizan_core::{Event, Protocol};
use bartizan_guard::{Guard, Recorder, ReplyContext, Request as Record};
use bartizan_wire::ErrorKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admission::Admission;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::upstream::Upstreams;

/// What every request can see.
pub struct Shared {
    pub(crate) guard: Arc<Guard>,
    pub(crate) recorder: Recorder,
    pub(crate) admission: Admission,
    pub(crate) upstreams: Upstreams,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) in_flight: Arc<Semaphore>,
    /// False after a record could not be written, until one can.
    pub(crate) recording: AtomicBool,
    pub(crate) settings: Settings,
}

/// A place among the requests in flight. It is given back when the last byte of the reply is out.
pub(crate) struct InFlight {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// What is known about a request whose reply comes back.
pub(crate) struct Asked {
    pub(crate) protocol: Protocol,
    pub(crate) record: Record,
    pub(crate) model: String,
    pub(crate) context: ReplyContext,
    pub(crate) target: usize,
    pub(crate) in_flight: InFlight,
}

/// Records a decision, durably, and counts it.
pub(crate) async fn append(shared: &Shared, event: Event) -> Result<(), Failure> {
    shared.metrics.decision(event.protocol, event.direction, event.verdict, event.action);
    for (rule, count) in &event.rules {
        shared.metrics.findings(rule, *count);
    }
    if event.failed_open {
        shared.metrics.failed_open();
    }
    let recorded = shared.recorder.append(event).await;
    shared.recording.store(recorded.is_ok(), Ordering::Relaxed);
    recorded.map_err(|error| {
        tracing::error!(%error, "cannot record a decision");
        Failure::new(ErrorKind::Unavailable, "store", "the decision cannot be recorded; try again later")
    })
}
