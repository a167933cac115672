//! Limits and budgets: what is in flight, reserved and used, by tenant and by key.
//!
//! A budget is exact within one request. Before a request is sent its upper bound is reserved. Where the bounds of all
//! do not fit any more, requests go one at a time, as long as the budget is not used up: so whatever they turn out to
//! take, at most one of them passes the end. That holds where no request takes more than its bound.

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::sync::Arc;

use bartizan_core::{Money, Quota, Spender, TenantId, Total, Used};

use crate::calendar::{day_of, month_of, next_day, next_month};
use crate::clock::Clock;
use crate::rate::Rate;

/// Most accounts that are remembered. Keys are few; subjects of tokens may be many.
const ACCOUNTS: usize = 100_000;

/// Most attributions (user, session, feature, team, model) of one tenant and day that are kept apart.
const ATTRIBUTIONS: usize = 10_000;

/// What stands for the attributions beyond these.
const OTHER: &str = "(other)";

/// The two clocks of a machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Time of day, in milliseconds since 1970.
    pub wall: i64,
    /// Milliseconds of a clock that cannot jump.
    pub steady: u64,
}

/// Who is charged: a tenant as a whole, or one key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose.
    pub tenant: TenantId,
    /// Name of the key; `None` is the tenant as a whole.
    pub key: Option<Arc<str>>,
    /// How much.
    pub quota: Quota,
}

/// The most a request can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Tokens in and out.
    pub tokens: u64,
    /// Money.
    pub spend: Money,
    /// Tokens that go in, as estimated: what the rate is charged before the reply says more.
    pub estimate: u64,
}

/// Which limit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Requests at the same time.
    Concurrency,
    /// A budget is used up.
    Budget,
    /// A budget is nearly used up, and others are using it right now.
    Contended,
    /// Too many callers to keep account of.
    Crowded,
}

impl Why {
    /// For callers and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests per minute",
            Self::Tokens => "tokens per minute",
            Self::Concurrency => "concurrent requests",
            Self::Budget => "budget",
            Self::Contended => "budget in use by other requests",
            Self::Crowded => "callers",
        }
    }
}

/// A limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Which limit it was.
    pub why: Why,
    /// Seconds after which it makes sense to try again.
    pub retry_after: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    period: i64,
    tokens: u64,
    spend: Money,
}

impl Sum {
    fn roll(&mut self, period: i64) {
        // Backwards never: the clock does not go there.
        if period > self.period {
            *self = Self { period, ..Self::default() };
        }
    }

    fn add(&mut self, used: &Used) {
        self.tokens = self.tokens.saturating_add(used.tokens());
        self.spend = self.spend.plus(used.spend);
    }
}

#[derive(Debug)]
struct State {
    in_flight: u32,
    requests: Rate,
    tokens: Rate,
    day: Sum,
    month: Sum,
    reserved_tokens: u64,
    reserved_spend: Money,
    holders: u32,
    /// False where forgetting the sums opens no budget.
    budgeted: bool,
}

impl State {
    const fn new(day: i64, month: i64) -> Self {
        Self {
            in_flight: 0,
            requests: Rate::full(),
            tokens: Rate::full(),
            day: Sum { period: day, tokens: 0, spend: Money::nano(0) },
            month: Sum { period: month, tokens: 0, spend: Money::nano(0) },
            reserved_tokens: 0,
            reserved_spend: Money::nano(0),
            holders: 0,
            budgeted: false,
        }
    }

    fn roll(&mut self, now: i64) {
        let day = day_of(now);
        self.day.roll(day);
        self.month.roll(month_of(day));
    }

    fn is_idle(&self, steady: u64) -> bool {
        !self.budgeted
            && self.in_flight == 0
            && self.holders == 0
            && self.requests.is_full(steady)
            && self.tokens.is_full(steady)
    }

    /// Whether a request of that size may be sent.
    fn check(&self, quota: &Quota, bound: &Bound, now: i64, steady: u64) -> Result<(), Denied> {
        if let Some(rate) = quota.tokens_per_minute {
            self.tokens
                .check(bound.estimate, rate, steady)
                .map_err(|ms| Denied { why: Why::Tokens, retry_after: ms.div_ceil(1000).max(1) })?;
        }
        let money = |m: Option<Money>| m.map(Money::as_nano);
        let budgets = [
            (quota.tokens_per_day, self.day.tokens, self.reserved_tokens, bound.tokens, next_day(now)),
            (quota.tokens_per_month, self.month.tokens, self.reserved_tokens, bound.tokens, next_month(now)),
            (
                money(quota.spend_per_day),
                self.day.spend.as_nano(),
                self.reserved_spend.as_nano(),
                bound.spend.as_nano(),
                next_day(now),
            ),
            (
                money(quota.spend_per_month),
                self.month.spend.as_nano(),
                self.reserved_spend.as_nano(),
                bound.spend.as_nano(),
                next_month(now),
            ),
        ];
        for (limit, used, reserved, asked, renewed) in budgets {
            let Some(limit) = limit else { continue };
            if used >= limit {
                let wait = u64::try_from(renewed.saturating_sub(now)).unwrap_or(0);
                return Err(Denied { why: Why::Budget, retry_after: wait.div_ceil(1000).max(1) });
            }
            let fits = used.saturating_add(reserved).saturating_add(asked) <= limit;
            if !fits && self.holders > 0 {
                return Err(Denied { why: Why::Contended, retry_after: 1 });
            }
        }
        Ok(())
    }
}

/// What a request on its way may take at most. It has to be given back with [`Ledger::settle`].
#[derive(Debug)]
#[must_use = "what is reserved and never settled is lost to the budget"]
pub struct Reservation {
    accounts: Arc<[Account]>,
    bound: Bound,
}

type Scope = (TenantId, Option<Arc<str>>);

/// Everything that is limited.
#[derive(Debug)]
pub struct Ledger {
    clock: Clock,
    states: HashMap<Scope, State>,
    /// Used, and not written to the store yet.
    pending: HashMap<(TenantId, Spender), Used>,
    /// Attributions of the day, by tenant.
    known: HashMap<TenantId, HashSet<Spender>>,
    known_day: i64,
}

impl Ledger {
    /// A ledger that goes on from what was used by key and day, at least since the month began.
    #[must_use]
    pub fn new(now: Now, totals: &[Total]) -> Self {
        let clock = Clock::new(now.wall, now.steady);
        let mut ledger =
            Self { clock, states: HashMap::new(), pending: HashMap::new(), known: HashMap::new(), known_day: i64::MIN };
        let today = day_of(now.wall);
        let month = month_of(today);
        for Total { tenant, key, day, used } in totals.iter().filter(|total| total.day >= month) {
            for scope in [(tenant.clone(), None), (tenant.clone(), Some(Arc::clone(key)))] {
                let state = ledger.states.entry(scope).or_insert_with(|| State::new(today, month));
                state.budgeted = true;
                state.month.add(used);
                // What was used on a later day than today was used under a clock that was ahead. It counts today, so
                // that setting the clock back opens nothing.
                if *day >= today {
                    state.day.add(used);
                }
            }
        }
        ledger
    }

    /// The time that budgets go by, in milliseconds since 1970.
    pub fn now(&mut self, now: Now) -> i64 {
        self.clock.now(now.wall, now.steady)
    }

    fn state(&mut self, account: &Account, now: i64, steady: u64) -> Result<&mut State, Denied> {
        if self.states.len() >= ACCOUNTS {
            let scope = (account.tenant.clone(), account.key.clone());
            if !self.states.contains_key(&scope) {
                self.states.retain(|_, state| !state.is_idle(steady));
                if self.states.len() >= ACCOUNTS {
                    return Err(Denied { why: Why::Crowded, retry_after: 60 });
                }
            }
        }
        let day = day_of(now);
        let state = self
            .states
            .entry((account.tenant.clone(), account.key.clone()))
            .or_insert_with(|| State::new(day, month_of(day)));
        state.budgeted |= account.quota.has_budget();
        state.roll(now);
        Ok(state)
    }

    /// Lets a request in, by its number alone. Each one let in leaves with [`Self::leave`].
    ///
    /// # Errors
    /// [`Denied`]; nothing is counted then.
    pub fn enter(&mut self, accounts: &[Account], now: Now) -> Result<(), Denied> {
        let time = self.now(now);
        for account in accounts {
            let state = self.state(account, time, now.steady)?;
            if account.quota.concurrency.is_some_and(|most| state.in_flight >= most) {
                return Err(Denied { why: Why::Concurrency, retry_after: 1 });
            }
            if let Some(rate) = account.quota.requests_per_minute {
                state
                    .requests
                    .check(1, rate, now.steady)
                    .map_err(|ms| Denied { why: Why::Requests, retry_after: ms.div_ceil(1000).max(1) })?;
            }
        }
        for account in accounts {
            let state = self.state(account, time, now.steady)?;
            state.in_flight = state.in_flight.saturating_add(1);
            if let Some(rate) = account.quota.requests_per_minute {
                state.requests.take(1, rate, now.steady);
            }
        }
        Ok(())
    }

    /// A request is over.
    pub fn leave(&mut self, accounts: &[Account]) {
        for account in accounts {
            if let Some(state) = self.states.get_mut(&(account.tenant.clone(), account.key.clone())) {
                state.in_flight = state.in_flight.saturating_sub(1);
            }
        }
    }

    /// Sets aside what a request can take at most.
    ///
    /// # Errors
    /// [`Denied`]; nothing is set aside then.
    pub fn reserve(&mut self, accounts: &Arc<[Account]>, bound: Bound, now: Now) -> Result<Reservation, Denied> {
        let time = self.now(now);
        for account in accounts.iter() {
            self.state(account, time, now.steady)?.check(&account.quota, &bound, time, now.steady)?;
        }
        for account in accounts.iter() {
            let state = self.state(account, time, now.steady)?;
            state.holders = state.holders.saturating_add(1);
            state.reserved_tokens = state.reserved_tokens.saturating_add(bound.tokens);
            state.reserved_spend = state.reserved_spend.plus(bound.spend);
            if let Some(rate) = account.quota.tokens_per_minute {
                state.tokens.take(bound.estimate, rate, now.steady);
            }
        }
        Ok(Reservation { accounts: Arc::clone(accounts), bound })
    }

    /// Sets more aside for a request that turns out to take more than its bound.
    pub fn grow(&mut self, reservation: &mut Reservation, tokens: u64, spend: Money) {
        let more_tokens = tokens.saturating_sub(reservation.bound.tokens);
        let more_spend = spend.minus(reservation.bound.spend);
        if more_tokens == 0 && more_spend == Money::default() {
            return;
        }
        for account in reservation.accounts.iter() {
            if let Some(state) = self.states.get_mut(&(account.tenant.clone(), account.key.clone())) {
                state.reserved_tokens = state.reserved_tokens.saturating_add(more_tokens);
                state.reserved_spend = state.reserved_spend.plus(more_spend);
            }
        }
        reservation.bound.tokens = reservation.bound.tokens.saturating_add(more_tokens);
        reservation.bound.spend = reservation.bound.spend.plus(more_spend);
    }

    /// Gives a reservation back and counts what was used instead. `spender.day` is filled in.
    pub fn settle(&mut self, reservation: Reservation, used: &Used, tenant: &TenantId, spender: Spender, now: Now) {
        let time = self.now(now);
        let Reservation { accounts, bound } = reservation;
        for account in accounts.iter() {
            let Some(state) = self.states.get_mut(&(account.tenant.clone(), account.key.clone())) else { continue };
            state.roll(time);
            state.holders = state.holders.saturating_sub(1);
            state.reserved_tokens = state.reserved_tokens.saturating_sub(bound.tokens);
            state.reserved_spend = state.reserved_spend.minus(bound.spend);
            state.day.add(used);
            state.month.add(used);
            if let Some(rate) = account.quota.tokens_per_minute {
                let (more, less) =
                    (used.tokens().saturating_sub(bound.estimate), bound.estimate.saturating_sub(used.tokens()));
                if more > 0 {
                    state.tokens.take(more, rate, now.steady);
                }
                state.tokens.give_back(less, rate);
            }
        }
        if *used != Used::default() {
            let spender = self.attributed(tenant, Spender { day: day_of(time), ..spender });
            self.pending.entry((tenant.clone(), spender)).or_default().add(used);
        }
    }

    /// Callers choose the names, so their number is bounded.
    fn attributed(&mut self, tenant: &TenantId, spender: Spender) -> Spender {
        if spender.day > self.known_day {
            self.known_day = spender.day;
            self.known.clear();
        }
        let known = self.known.entry(tenant.clone()).or_default();
        if known.contains(&spender) {
            return spender;
        }
        if known.len() < ATTRIBUTIONS {
            known.insert(spender.clone());
            return spender;
        }
        let other: Arc<str> = Arc::from(OTHER);
        Spender {
            day: spender.day,
            key: spender.key,
            model: Arc::clone(&other),
            user: Arc::clone(&other),
            session: Arc::clone(&other),
            feature: Arc::clone(&other),
            team: other,
        }
    }

    /// What was used and is not written yet. What cannot be written is put back with [`Self::put_back`].
    pub fn take_pending(&mut self) -> Vec<(TenantId, Spender, Used)> {
        self.pending.drain().map(|((tenant, spender), used)| (tenant, spender, used)).collect()
    }

    /// Keeps for later what could not be written.
    pub fn put_back(&mut self, unwritten: Vec<(TenantId, Spender, Used)>) {
        for (tenant, spender, used) in unwritten {
            match self.pending.entry((tenant, spender)) {
                Entry::Occupied(mut entry) => entry.get_mut().add(&used),
                Entry::Vacant(entry) => drop(entry.insert(used)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;
    const NOON: i64 = 20_779 * 24 * HOUR + 12 * HOUR;

    fn tenant(name: &str) -> TenantId {
        TenantId::authenticated(name).unwrap()
    }

    fn accounts(quota: Quota) -> Arc<[Account]> {
        Arc::from([
            Account { tenant: tenant("a"), key: None, quota: Quota::default() },
            Account { tenant: tenant("a"), key: Some("k".into()), quota },
        ])
    }

    fn at(hours: i64) -> Now {
        Now { wall: NOON + hours * HOUR, steady: u64::try_from(hours * HOUR).unwrap() }
    }

    fn tokens(count: u64) -> Bound {
        Bound { tokens: count, ..Bound::default() }
    }

    fn used(tokens: u64) -> Used {
        Used { requests: 1, input_tokens: tokens, ..Used::default() }
    }

    fn spend(ledger: &mut Ledger, accounts: &Arc<[Account]>, count: u64, now: Now) -> Result<(), Denied> {
        let reservation = ledger.reserve(accounts, tokens(count), now)?;
        ledger.settle(reservation, &used(count), &tenant("a"), Spender::default(), now);
        Ok(())
    }

    #[test]
    fn a_budget_ends_and_is_renewed_the_next_day() {
        let mut ledger = Ledger::new(at(0), &[]);
        let accounts = accounts(Quota { tokens_per_day: Some(100), ..Quota::default() });
        spend(&mut ledger, &accounts, 60, at(0)).unwrap();
        spend(&mut ledger, &accounts, 60, at(1)).unwrap();
        let denied = spend(&mut ledger, &accounts, 1, at(2)).unwrap_err();
        assert_eq!(denied, Denied { why: Why::Budget, retry_after: 10 * 3600 });
        spend(&mut ledger, &accounts, 1, at(12)).unwrap();
    }

    #[test]
    fn near_the_end_requests_go_one_at_a_time() {
        let mut ledger = Ledger::new(at(0), &[]);
        let accounts = accounts(Quota { tokens_per_month: Some(100), ..Quota::default() });
        let first = ledger.reserve(&accounts, tokens(90), at(0)).unwrap();
        assert_eq!(ledger.reserve(&accounts, tokens(90), at(0)).unwrap_err().why, Why::Contended);
        let small = ledger.reserve(&accounts, tokens(10), at(0)).unwrap();
        ledger.settle(first, &used(30), &tenant("a"), Spender::default(), at(0));
        ledger.settle(small, &used(10), &tenant("a"), Spender::default(), at(0));
        let last = ledger.reserve(&accounts, tokens(90), at(0)).unwrap();
        ledger.settle(last, &used(90), &tenant("a"), Spender::default(), at(0));
        assert_eq!(ledger.reserve(&accounts, tokens(1), at(0)).unwrap_err().why, Why::Budget);
    }

    #[test]
    fn clock_jumps_neither_open_nor_lock_a_budget() {
        let mut ledger = Ledger::new(at(0), &[]);
        let accounts = accounts(Quota { tokens_per_day: Some(10), tokens_per_month: Some(1000), ..Quota::default() });
        spend(&mut ledger, &accounts, 10, at(0)).unwrap();
        for jump in [-400, -24, 24, 48, 24 * 40, 24 * 400] {
            let now = Now { wall: NOON + jump * HOUR, steady: 60_000 };
            assert_eq!(spend(&mut ledger, &accounts, 1, now).unwrap_err().why, Why::Budget, "{jump} hours");
        }
        // A whole day later by the clock that cannot jump, with a time of day stuck in the past.
        let stuck = Now { wall: NOON - 400 * HOUR, steady: u64::try_from(24 * HOUR).unwrap() };
        spend(&mut ledger, &accounts, 1, stuck).unwrap();
    }

    #[test]
    fn a_restart_goes_on_from_what_was_used() {
        let today = day_of(NOON);
        let key: Arc<str> = "k".into();
        let total = |day, count| Total { tenant: tenant("a"), key: Arc::clone(&key), day, used: used(count) };
        let totals = [total(today, 90), total(today - 40, 900)];
        let mut ledger = Ledger::new(at(0), &totals);
        let accounts = accounts(Quota { tokens_per_month: Some(100), ..Quota::default() });
        spend(&mut ledger, &accounts, 20, at(0)).unwrap();
        assert_eq!(spend(&mut ledger, &accounts, 1, at(0)).unwrap_err().why, Why::Budget);
    }

    #[test]
    fn concurrency_and_rates_are_kept_and_denials_count_nothing() {
        let mut ledger = Ledger::new(at(0), &[]);
        let quota = Quota { concurrency: Some(2), requests_per_minute: Some(3), ..Quota::default() };
        let accounts = accounts(quota);
        ledger.enter(&accounts, at(0)).unwrap();
        ledger.enter(&accounts, at(0)).unwrap();
        assert_eq!(ledger.enter(&accounts, at(0)).unwrap_err().why, Why::Concurrency);
        ledger.leave(&accounts);
        ledger.enter(&accounts, at(0)).unwrap();
        ledger.leave(&accounts);
        assert_eq!(ledger.enter(&accounts, at(0)), Err(Denied { why: Why::Requests, retry_after: 20 }));
    }

    #[test]
    fn tokens_a_minute_are_corrected_by_what_was_used() {
        let mut ledger = Ledger::new(at(0), &[]);
        let accounts = accounts(Quota { tokens_per_minute: Some(100), ..Quota::default() });
        let bound = Bound { tokens: 1000, estimate: 10, ..Bound::default() };
        let reservation = ledger.reserve(&accounts, bound, at(0)).unwrap();
        ledger.settle(reservation, &used(150), &tenant("a"), Spender::default(), at(0));
        let denied = ledger.reserve(&accounts, bound, at(0)).unwrap_err();
        assert_eq!(denied, Denied { why: Why::Tokens, retry_after: 36 });
        assert!(ledger.reserve(&accounts, bound, at(1)).is_ok());
    }

    #[test]
    fn tenants_do_not_share_a_budget_even_under_one_key_name() {
        let mut ledger = Ledger::new(at(0), &[]);
        let quota = Quota { tokens_per_day: Some(10), ..Quota::default() };
        let one = |name: &str| -> Arc<[Account]> {
            Arc::from([Account { tenant: tenant(name), key: Some("k".into()), quota: quota.clone() }])
        };
        let (a, b) = (one("a"), one("b"));
        spend(&mut ledger, &a, 10, at(0)).unwrap();
        assert!(spend(&mut ledger, &a, 1, at(0)).is_err());
        spend(&mut ledger, &b, 1, at(0)).unwrap();
    }

    #[test]
    fn attributions_are_bounded_and_sums_stay_whole() {
        let mut ledger = Ledger::new(at(0), &[]);
        let accounts = accounts(Quota::default());
        for user in 0..ATTRIBUTIONS + 500 {
            let reservation = ledger.reserve(&accounts, tokens(1), at(0)).unwrap();
            let spender = Spender { user: user.to_string().into(), ..Spender::default() };
            ledger.settle(reservation, &used(1), &tenant("a"), spender, at(0));
        }
        let pending = ledger.take_pending();
        assert_eq!(pending.len(), ATTRIBUTIONS + 1);
        assert_eq!(pending.iter().map(|(_, _, used)| used.requests).sum::<u64>(), (ATTRIBUTIONS + 500) as u64);
        ledger.put_back(pending);
        assert_eq!(ledger.take_pending().len(), ATTRIBUTIONS + 1);
    }

    proptest! {
        /// Requests begin and end in any order, and none takes more than its bound.
        #[test]
        fn a_budget_is_exact_within_one_request(steps in prop::collection::vec((any::<bool>(), 1u64..40, 0u64..100), 1..200)) {
            let mut ledger = Ledger::new(at(0), &[]);
            let accounts = accounts(Quota { tokens_per_day: Some(200), ..Quota::default() });
            let (mut open, mut sum, mut largest) = (Vec::new(), 0, 0);
            let mut settle = |ledger: &mut Ledger, (reservation, taken): (Reservation, u64)| {
                sum += taken;
                largest = largest.max(taken);
                ledger.settle(reservation, &used(taken), &tenant("a"), Spender::default(), at(0));
            };
            for (begin, bound, percent) in steps {
                if begin {
                    if let Ok(reservation) = ledger.reserve(&accounts, tokens(bound), at(0)) {
                        open.push((reservation, bound * percent / 100));
                    }
                } else if !open.is_empty() {
                    settle(&mut ledger, open.swap_remove(usize::try_from(bound).unwrap() % open.len()));
                }
            }
            for one in open {
                settle(&mut ledger, one);
            }
            prop_assert!(sum <= 200 + largest);
            // Without a request there is no state.
            if let Some(state) = ledger.states.get(&(tenant("a"), Some("k".into()))) {
                prop_assert_eq!((state.reserved_tokens, state.holders), (0, 0));
            }
        }
    }
}
