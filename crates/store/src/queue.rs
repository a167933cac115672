//! What waits to be written.

use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{Direction, Event, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::sqlite::Options;
use crate::writer::{Done, Job};

/// What happens where the queue is full.
#[derive(Clone, Copy)]
pub(crate) enum Hurry {
    /// The caller is told, so that load does not pile up.
    Now,
    /// It waits for a place.
    Wait,
}

impl Hurry {
    pub(crate) fn of(event: &Event) -> Self {
        match event.direction {
            Direction::Request => Self::Now,
            Direction::Reply => Self::Wait,
        }
    }
}

/// The way to the one task that writes.
#[derive(Debug)]
pub(crate) struct Queue {
    /// `None` where the store was opened for reading only.
    jobs: Option<mpsc::Sender<Job>>,
    /// Room for content in the queue, in KiB.
    room: Arc<Semaphore>,
    room_total: u32,
    patience: Duration,
}

impl Queue {
    /// A queue, and its end at the writer.
    pub(crate) fn new(options: &Options) -> (Self, mpsc::Receiver<Job>) {
        let (jobs, receiver) = mpsc::channel(options.queue.max(1));
        let room_total = u32::try_from(options.queue_bytes >> 10).unwrap_or(u32::MAX >> 4).clamp(1, u32::MAX >> 4);
        let room = Arc::new(Semaphore::new(usize::try_from(room_total).unwrap_or(1)));
        (Self { jobs: Some(jobs), room, room_total, patience: options.patience }, receiver)
    }

    /// A queue that takes nothing.
    pub(crate) fn closed() -> Self {
        Self { jobs: None, room: Arc::new(Semaphore::new(0)), room_total: 0, patience: Duration::ZERO }
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.jobs.is_none()
    }

    /// Takes a place for content in the queue. What is larger than all of it takes all of it.
    pub(crate) async fn room(&self, bytes: usize, hurry: Hurry) -> Result<Option<OwnedSemaphorePermit>, StoreError> {
        let places = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(self.room_total);
        if places == 0 {
            return Ok(None);
        }
        let room = Arc::clone(&self.room);
        let held = match hurry {
            Hurry::Now => room.try_acquire_many_owned(places).ok(),
            Hurry::Wait => timeout(self.patience, room.acquire_many_owned(places)).await.ok().and_then(Result::ok),
        };
        held.map(Some).ok_or_else(|| StoreError::Full("too much content waits".to_owned()))
    }

    /// Gives the writer something to do and waits until it is done.
    pub(crate) async fn ask<T>(&self, hurry: Hurry, job: impl FnOnce(Done<T>) -> Job) -> Result<T, StoreError> {
        let Some(jobs) = &self.jobs else {
            return Err(StoreError::Failed("it was opened for reading only".to_owned()));
        };
        let full = || StoreError::Full("too many records wait".to_owned());
        let place = match (jobs.try_reserve(), hurry) {
            (Ok(place), _) => place,
            (Err(mpsc::error::TrySendError::Closed(())), _) => return Err(gone()),
            (Err(mpsc::error::TrySendError::Full(())), Hurry::Now) => return Err(full()),
            (Err(mpsc::error::TrySendError::Full(())), Hurry::Wait) => {
                timeout(self.patience, jobs.reserve()).await.map_err(|_| full())?.map_err(|_| gone())?
            }
        };
        let (done, answer) = oneshot::channel();
        place.send(job(done));
        answer.await.map_err(|_| gone())?
    }
}

pub(crate) fn gone() -> StoreError {
    StoreError::Failed("its writer has stopped".to_owned())
}
