//! How busy the program is, and when it is too busy for another request.
//!
//! Cores belong to the process as a whole, so there is one measure for all that it does.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// When requests are turned away before their bodies are read. Health and metrics are always answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shed {
    /// Most large bodies that wait for a core to examine them.
    pub max_queue: usize,
    /// How late the program may be with what it had planned, in milliseconds: a sign that it gets too little CPU time.
    /// 0 turns this off.
    pub max_lag_ms: u64,
}

impl Default for Shed {
    fn default() -> Self {
        Self { max_queue: 256, max_lag_ms: 1000 }
    }
}

/// How often lateness is measured.
const EVERY: Duration = Duration::from_millis(50);

static WAITING: AtomicUsize = AtomicUsize::new(0);
static LAG_US: AtomicU64 = AtomicU64::new(0);
/// As many large bodies are examined at a time as there are cores: more would only take time from one another.
static CORES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// Runs work off the async workers when a core is free for it; `None` where it panics.
pub(crate) async fn off_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let waiting = Waiting::begin();
    let core = CORES.acquire().await.ok()?;
    drop(waiting);
    let done = tokio::task::spawn_blocking(work).await.ok();
    drop(core);
    done
}

/// One that waits for a core, also when its caller has left.
struct Waiting;

impl Waiting {
    fn begin() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// True where another request is too much.
pub(crate) fn is_high(shed: &Shed) -> bool {
    let lag = Duration::from_micros(LAG_US.load(Ordering::Relaxed));
    WAITING.load(Ordering::Relaxed) > shed.max_queue
        || (shed.max_lag_ms > 0 && lag.as_millis() > shed.max_lag_ms.into())
}

/// Bodies that wait for a core, and how late the program is, in seconds.
pub(crate) fn now() -> (usize, f64) {
    (WAITING.load(Ordering::Relaxed), Duration::from_micros(LAG_US.load(Ordering::Relaxed)).as_secs_f64())
}

/// Measures lateness until it is dropped.
pub(crate) async fn measure() {
    loop {
        let start = Instant::now();
        tokio::time::sleep(EVERY).await;
        let late = start.elapsed().saturating_sub(EVERY);
        note(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
    }
}

/// Half of what was before counts still: one quiet moment does not open the door.
fn note(late_us: u64) {
    LAG_US.store(late_us.max(LAG_US.load(Ordering::Relaxed) / 2), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_closes_the_door_and_wears_off() {
        let shed = Shed { max_lag_ms: 100, ..Shed::default() };
        note(400_000);
        assert!(is_high(&shed));
        assert!(!is_high(&Shed { max_lag_ms: 0, ..shed }));
        note(0);
        assert!(is_high(&shed), "half of it counts still");
        note(0);
        assert!(!is_high(&shed));
    }
}
