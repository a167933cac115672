//! A clock for budgets that a change of the system's clock neither opens nor locks.

/// Milliseconds since 1970 that go on steadily.
///
/// Budgets are per day and month, so they need the time of day, and the time of day may jump: by hand, by a wrong
/// time server, by a machine that was stopped. This clock starts from the time of day and then goes with a clock that
/// cannot jump. Where the two differ it follows the time of day, at most a quarter faster or slower than time passes,
/// and never backwards: a jump by a day opens no more than a quarter of a day's budget per day, and locks none.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    shown: i64,
    steady: u64,
}

/// Part of the passed time by which it is corrected at most.
const CORRECTION: i64 = 4;

impl Clock {
    /// A clock that starts at `wall`, the time of day in milliseconds since 1970, when the clock that cannot jump
    /// shows `steady` milliseconds.
    #[must_use]
    pub const fn new(wall: i64, steady: u64) -> Self {
        Self { shown: wall, steady }
    }

    /// The time now, in milliseconds since 1970.
    pub fn now(&mut self, wall: i64, steady: u64) -> i64 {
        let passed = i64::try_from(steady.saturating_sub(self.steady)).unwrap_or(i64::MAX / 4);
        // What is smaller than a step of correction waits until more time has passed.
        if passed < CORRECTION {
            return self.shown;
        }
        self.steady = steady;
        let expected = self.shown.saturating_add(passed);
        let correction = wall.saturating_sub(expected).clamp(-passed / CORRECTION, passed / CORRECTION);
        self.shown = expected.saturating_add(correction);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn it_follows_an_honest_clock_exactly() {
        let mut clock = Clock::new(1_000_000, 0);
        for at in (10..100_000).step_by(10) {
            assert_eq!(clock.now(1_000_000 + at, u64::try_from(at).unwrap()), 1_000_000 + at);
        }
    }

    #[test]
    fn a_jump_is_followed_at_a_quarter_of_the_pace() {
        let mut clock = Clock::new(0, 0);
        assert_eq!(clock.now(24 * HOUR + 1000, 1000), 1250);
        assert_eq!(clock.now(-24 * HOUR + 2000, 2000), 1250 + 750);
    }

    proptest! {
        #[test]
        fn it_never_goes_back_nor_ahead(steps in prop::collection::vec((0u64..10_000_000, -HOUR * 10_000..HOUR * 10_000), 1..50)) {
            let mut clock = Clock::new(0, 0);
            let (mut steady, mut last) = (0, 0);
            for (step, wall) in steps {
                steady += step;
                let now = clock.now(wall, steady);
                prop_assert!(now >= last);
                last = now;
                let passed = i64::try_from(steady).unwrap();
                prop_assert!(now <= passed + passed / 4 + 1);
                prop_assert!(now >= passed - passed / 4 - 8);
            }
        }
    }
}
