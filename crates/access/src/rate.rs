//! Rates: the generic cell rate algorithm (ITU-T I.371), a token bucket in one number.

/// So many a minute, of which a minute's worth may come at once. Time is in milliseconds of a clock that cannot jump.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// When everything let in so far would have come in at an even pace, in microseconds.
    due: u64,
}

/// Microseconds in a minute: what a full bucket holds.
const MINUTE: u64 = 60_000_000;

impl Rate {
    /// A full bucket.
    #[must_use]
    pub const fn full() -> Self {
        Self { due: 0 }
    }

    /// Microseconds that `amount` is worth at `per_minute`.
    fn worth(amount: u64, per_minute: u32) -> u64 {
        let worth = u128::from(amount) * u128::from(MINUTE) / u128::from(per_minute.max(1));
        // A debt longer than a day would be a lock.
        u64::try_from(worth).unwrap_or(u64::MAX).min(24 * 60 * MINUTE)
    }

    /// Whether `amount` may come in now; else after how many milliseconds. More than a minute's worth needs a full
    /// bucket and is paid back afterwards.
    ///
    /// # Errors
    /// Milliseconds to wait.
    pub fn check(&self, amount: u64, per_minute: u32, now: u64) -> Result<(), u64> {
        if per_minute == 0 {
            return Err(MINUTE / 1000);
        }
        let now = now.saturating_mul(1000);
        let room = MINUTE.saturating_sub(Self::worth(amount, per_minute));
        let ahead = self.due.saturating_sub(now);
        if ahead <= room { Ok(()) } else { Err((ahead - room).div_ceil(1000)) }
    }

    /// Takes `amount` out of the bucket, also where it is not in it: the rest is a debt.
    pub fn take(&mut self, amount: u64, per_minute: u32, now: u64) {
        let now = now.saturating_mul(1000);
        self.due = self.due.max(now).saturating_add(Self::worth(amount, per_minute));
    }

    /// Puts back what was taken too much.
    pub fn give_back(&mut self, amount: u64, per_minute: u32) {
        self.due = self.due.saturating_sub(Self::worth(amount, per_minute));
    }

    /// True where the bucket is full again.
    #[must_use]
    pub const fn is_full(&self, now: u64) -> bool {
        self.due <= now.saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_minutes_worth_at_once_then_an_even_pace() {
        let mut rate = Rate::full();
        for _ in 0..60 {
            assert_eq!(rate.check(1, 60, 5), Ok(()));
            rate.take(1, 60, 5);
        }
        assert_eq!(rate.check(1, 60, 5), Err(1000));
        assert_eq!(rate.check(1, 60, 1005), Ok(()));
    }

    #[test]
    fn more_than_a_minutes_worth_needs_a_full_bucket_and_is_paid_back() {
        let mut rate = Rate::full();
        assert_eq!(rate.check(1000, 100, 0), Ok(()));
        rate.take(1000, 100, 0);
        assert_eq!(rate.check(1, 100, 0), Err(600_000 - 60_000 + 600));
        rate.give_back(1000, 100);
        assert_eq!(rate.check(1, 100, 0), Ok(()));
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_in() {
        assert!(Rate::full().check(0, 0, 0).is_err());
    }

    proptest! {
        #[test]
        fn never_more_than_two_minutes_worth_in_a_minute(waits in prop::collection::vec(0u64..4000, 1..400)) {
            let (mut rate, mut now, mut taken) = (Rate::full(), 0, Vec::new());
            for wait in waits {
                now += wait;
                if rate.check(1, 30, now).is_ok() {
                    rate.take(1, 30, now);
                    taken.push(now);
                }
            }
            for (i, start) in taken.iter().enumerate() {
                let within = taken[i..].iter().take_while(|at| *at - start < 60_000).count();
                prop_assert!(within <= 60);
            }
        }
    }
}
