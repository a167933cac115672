//! How much may be asked in all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::ask::Usage;
use crate::failure::{Failure, FailureKind};
use crate::settings::Price;

/// Bounds of a run; none is no bound. Tokens and price are known only when a reply is there. Until then the most that a
/// question and its reply can take is held back, and no other is asked that has no place beside it: the bound is passed by
/// one question and its reply at most, where the endpoint keeps to `max_tokens`. What failed is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Most requests, repeated ones counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Most tokens, of questions and replies together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Highest price, in the currency of the target's `price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// Longest time of one run, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// What was used of a budget. Shared by all that ask.
#[derive(Debug)]
pub struct Spent {
    budget: Budget,
    price: Price,
    requests: AtomicU64,
    tokens: Mutex<Tokens>,
    /// Something that was held back is free again.
    freed: Notify,
    until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    used: Usage,
    held: Usage,
}

/// One request of a budget, with what it can take at most. Dropped, it holds nothing back any more.
#[derive(Debug)]
pub struct Held<'a> {
    spent: &'a Spent,
    most: Usage,
}

impl Held<'_> {
    /// Counts what it took.
    pub fn note(self, usage: Usage) {
        self.spent.note(usage);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut tokens = self.spent.tokens();
        tokens.held.input = tokens.held.input.saturating_sub(self.most.input);
        tokens.held.output = tokens.held.output.saturating_sub(self.most.output);
        drop(tokens);
        self.spent.freed.notify_waiters();
    }
}

impl Spent {
    /// Nothing used yet; the time begins now.
    #[must_use]
    pub fn new(budget: Budget, price: Option<Price>) -> Self {
        Self {
            budget,
            price: price.unwrap_or_default(),
            requests: AtomicU64::new(0),
            tokens: Mutex::default(),
            freed: Notify::new(),
            until: budget.seconds.and_then(|s| Instant::now().checked_add(Duration::from_secs(s))),
        }
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what an earlier part of the run used.
    pub fn add_earlier(&self, requests: u64, usage: Usage) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.note(usage);
    }

    /// True where tokens are bounded, by number or by price.
    pub(crate) const fn counts_tokens(&self) -> bool {
        self.budget.tokens.is_some() || self.budget.price.is_some()
    }

    /// Takes one request that can take so many tokens, and waits where that depends on those under way.
    ///
    /// # Errors
    /// The budget is used up: [`FailureKind::Budget`], with the bound that was reached.
    pub async fn take(&self, most: Usage) -> Result<Held<'_>, Failure> {
        loop {
            let freed = self.freed.notified();
            if let Some(held) = self.held(most)? {
                return Ok(held);
            }
            match self.left() {
                None => freed.await,
                // At the end of the time the next look says so.
                Some(left) => drop(tokio::time::timeout(left, freed).await),
            }
        }
    }

    /// None where those under way may use the budget up.
    fn held(&self, most: Usage) -> Result<Option<Held<'_>>, Failure> {
        let over = |what: &str| Err(Failure::new(FailureKind::Budget, format!("the budget of {what} is used up")));
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return over("time");
        }
        let mut tokens = self.tokens();
        let Tokens { used, held } = *tokens;
        let (input, output) = (used.input.saturating_add(held.input), used.output.saturating_add(held.output));
        let sum = |n: u64, m: u64| self.budget.tokens.is_some_and(|most| n.saturating_add(m) >= most);
        let price = |n: u64, m: u64| self.budget.price.is_some_and(|most| self.price.of(n, m) >= most);
        if sum(used.input, used.output) {
            return over("tokens");
        }
        if price(used.input, used.output) {
            return over("price");
        }
        if sum(input, output) || price(input, output) {
            return Ok(None);
        }
        let bound = self.budget.requests.unwrap_or(u64::MAX);
        let next = |n: u64| (n < bound).then_some(n + 1);
        if self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_err() {
            return over("requests");
        }
        tokens.held.input = held.input.saturating_add(most.input);
        tokens.held.output = held.output.saturating_add(most.output);
        Ok(Some(Held { spent: self, most }))
    }

    /// The time that is left, where it is bounded.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Counts tokens.
    fn note(&self, usage: Usage) {
        let mut tokens = self.tokens();
        tokens.used.input = tokens.used.input.saturating_add(usage.input);
        tokens.used.output = tokens.used.output.saturating_add(usage.output);
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Tokens so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.tokens().used
    }

    /// The price so far.
    #[must_use]
    pub fn price(&self) -> f64 {
        let usage = self.usage();
        self.price.of(usage.input, usage.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(input: u64, output: u64) -> Usage {
        Usage { input, output, estimated: false }
    }

    #[tokio::test]
    async fn each_bound_ends_it() {
        let small = of(1, 1);
        let spent = Spent::new(Budget { requests: Some(2), ..Budget::default() }, None);
        assert!(spent.take(small).await.is_ok() && spent.take(small).await.is_ok());
        assert_eq!(spent.take(small).await.unwrap_err().kind, FailureKind::Budget);
        assert_eq!(spent.requests(), 2);

        let spent = Spent::new(Budget { tokens: Some(10), ..Budget::default() }, None);
        spent.take(small).await.unwrap().note(of(4, 5));
        assert_eq!(spent.usage(), of(4, 5));
        spent.take(small).await.unwrap().note(of(1, 0));
        assert!(spent.take(small).await.unwrap_err().detail.contains("tokens"));

        let price = Price { input: 1.0, output: 10.0 };
        let spent = Spent::new(Budget { price: Some(1.0), ..Budget::default() }, Some(price));
        spent.note(of(0, 100_000));
        assert!(spent.take(small).await.unwrap_err().detail.contains("price"));

        let spent = Spent::new(Budget { seconds: Some(0), ..Budget::default() }, None);
        assert!(spent.take(small).await.unwrap_err().detail.contains("time"));
    }

    #[tokio::test]
    async fn what_is_under_way_is_held_back() {
        let price = Price { input: 1e6, output: 1e6 };
        for budget in
            [Budget { tokens: Some(10), ..Budget::default() }, Budget { price: Some(10.0), ..Budget::default() }]
        {
            let spent = Spent::new(budget, Some(price));
            let waits =
                || async { tokio::time::timeout(Duration::from_millis(20), spent.take(of(2, 3))).await.is_err() };
            let first = spent.take(of(2, 3)).await.unwrap();
            // One that begins below the bound may pass it; the next one waits for both.
            let second = spent.take(of(4, 4)).await.unwrap();
            assert!(waits().await);
            // One that failed gives back what it held.
            drop(second);
            first.note(of(1, 2));
            let third = spent.take(of(2, 3)).await.unwrap();
            let (fourth, ()) = tokio::join!(spent.take(of(9, 9)), async { third.note(of(1, 1)) });
            assert!(waits().await);
            fourth.unwrap().note(of(9, 9));
            assert_eq!(spent.take(of(1, 0)).await.unwrap_err().kind, FailureKind::Budget);
        }
        // The end of the time ends the waiting too.
        let budget = Budget { tokens: Some(10), seconds: Some(1), ..Budget::default() };
        let spent = Spent::new(budget, None);
        let _under_way = spent.take(of(10, 0)).await.unwrap();
        assert!(spent.take(of(1, 0)).await.unwrap_err().detail.contains("time"));
    }
}
