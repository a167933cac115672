//! Trying again: when a request may be sent once more, how long to wait, and when to stop trying for a while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};

/// Longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(10);

/// Wait before the second attempt; it doubles with each.
const FIRST: Duration = Duration::from_millis(100);

/// How long an upstream that failed again and again is left alone.
const REST: Duration = Duration::from_secs(10);

/// True where a reply says that the request was turned away unprocessed and when to come back.
pub(crate) fn is_busy(status: StatusCode, headers: &HeaderMap) -> bool {
    let turned_away = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
    turned_away && headers.contains_key(RETRY_AFTER)
}

/// True where sending a request twice does no more than sending it once.
pub(crate) fn is_idempotent(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET || headers.contains_key("idempotency-key")
}

/// How long to wait before attempt number `attempt`, counted from 1: with jitter, so that callers who failed together
/// do not come back together, and at least what the upstream asks for. `None` where it asks for more than is sensible.
pub(crate) fn wait(attempt: u32, headers: Option<&HeaderMap>) -> Option<Duration> {
    let asked = headers.and_then(|h| h.get(RETRY_AFTER)).and_then(|v| v.to_str().ok()?.trim().parse::<u64>().ok());
    let asked = Duration::from_secs(asked.unwrap_or(0));
    if asked > LONGEST {
        return None;
    }
    let step = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(6)).min(LONGEST);
    Some(asked + step.mul_f64(0.5 + random() / 2.0))
}

/// A number from 0 to 1. Without random bytes there is no jitter, and nothing else is lost.
fn random() -> f64 {
    let mut bytes = [0; 2];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

/// Leaves an upstream alone for a while after it failed several times in a row (M. Nygard, "Release It!", circuit
/// breaker). Afterwards one request tries it.
#[derive(Debug)]
pub(crate) struct Breaker {
    most: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    closed_from: Option<Instant>,
}

impl Breaker {
    /// One that opens after so many failures in a row; 0 is never.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, state: Mutex::default() }
    }

    /// Whether a request may try. The first one after the rest is the only one until it is known how it went, or until
    /// another rest is over.
    pub(crate) fn lets(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.closed_from {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                state.closed_from = Some(now + REST);
                true
            }
        }
    }

    pub(crate) fn note(&self, good: bool, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if good {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if self.most > 0 && state.failures >= self.most {
            state.closed_from = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_who_says_when_to_come_back_is_busy() {
        let mut headers = HeaderMap::new();
        assert!(!is_busy(StatusCode::SERVICE_UNAVAILABLE, &headers));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        assert!(is_busy(StatusCode::SERVICE_UNAVAILABLE, &headers) && is_busy(StatusCode::TOO_MANY_REQUESTS, &headers));
        assert!(!is_busy(StatusCode::INTERNAL_SERVER_ERROR, &headers) && !is_busy(StatusCode::OK, &headers));
    }

    #[test]
    fn waits_grow_differ_and_keep_to_what_is_asked() {
        for attempt in 1..40 {
            let waited = wait(attempt, None).unwrap();
            assert!(waited >= FIRST / 2 && waited <= LONGEST, "{waited:?}");
        }
        assert!(wait(1, None).unwrap() <= FIRST && wait(5, None).unwrap() >= FIRST * 8);
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        assert!(wait(1, Some(&headers)).unwrap() >= Duration::from_secs(2));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("3600"));
        assert_eq!(wait(1, Some(&headers)), None);
    }

    #[test]
    fn a_breaker_rests_and_lets_one_try() {
        let breaker = Breaker::new(2);
        let now = Instant::now();
        breaker.note(false, now);
        assert!(breaker.lets(now));
        breaker.note(false, now);
        assert!(!breaker.lets(now) && !breaker.lets(now + REST / 2));
        assert!(breaker.lets(now + REST) && !breaker.lets(now + REST));
        breaker.note(true, now + REST);
        assert!(breaker.lets(now + REST) && breaker.lets(now + REST));
        let never = Breaker::new(0);
        (0..100).for_each(|_| never.note(false, now));
        assert!(never.lets(now));
    }
}
