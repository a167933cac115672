//! At most so many questions a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Gives out points in time, evenly spaced, with a burst of one second's worth at most after a pause.
pub(crate) struct Rate {
    step: Option<Duration>,
    next: Mutex<Option<Instant>>,
}

impl Rate {
    pub(crate) fn new(per_second: Option<f64>) -> Self {
        let step = per_second.filter(|r| *r > 0.0).and_then(|r| Duration::try_from_secs_f64(1.0 / r).ok());
        Self { step, next: Mutex::new(None) }
    }

    /// How long to wait from `now` on.
    fn turn(&self, now: Instant) -> Duration {
        let Some(step) = self.step else { return Duration::ZERO };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(now, |at| at.max(now.checked_sub(Duration::from_secs(1)).unwrap_or(now)));
        *next = Some(at + step);
        at.saturating_duration_since(now)
    }

    pub(crate) async fn wait(&self) {
        let pause = self.turn(Instant::now());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spaced() {
        let rate = Rate::new(Some(10.0));
        let now = Instant::now();
        assert_eq!(rate.turn(now), Duration::ZERO);
        assert_eq!(rate.turn(now), Duration::from_millis(100));
        assert_eq!(rate.turn(now), Duration::from_millis(200));
        // After a pause ten may go at once, not the thirty that were missed.
        let later = now + Duration::from_secs(3);
        let free = (0..40).filter(|_| rate.turn(later).is_zero()).count();
        assert_eq!(free, 11);
        assert!(Rate::new(None).turn(now).is_zero());
    }
}
