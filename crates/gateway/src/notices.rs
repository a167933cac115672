//! Lines of the log that callers can cause: said once, and then no more than once in a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines of one kind.
const PAUSE: Duration = Duration::from_secs(10);

/// When each kind was said last, and how many were not said since.
#[derive(Default)]
pub(crate) struct Notices(Mutex<BTreeMap<&'static str, (Instant, u64)>>);

impl Notices {
    /// `Some` where a line of this kind may be written now: how many were left out since the last one.
    pub(crate) fn may(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match said.get_mut(kind) {
            Some((last, more)) if now.saturating_duration_since(*last) < PAUSE => {
                *more += 1;
                None
            }
            _ => Some(said.insert(kind, (now, 0)).map_or(0, |(_, more)| more)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_two_lines_and_a_number() {
        let (notices, now) = (Notices::default(), Instant::now());
        assert_eq!(notices.may("a", now), Some(0));
        assert!((0..1000).all(|n| notices.may("a", now + Duration::from_millis(n)).is_none()));
        assert_eq!(notices.may("b", now), Some(0), "another kind is said");
        assert_eq!(notices.may("a", now + PAUSE), Some(1000));
        assert_eq!(notices.may("a", now + 3 * PAUSE), Some(0));
        assert_eq!(notices.may("a", now), None, "a clock that goes back says no more");
    }
}
