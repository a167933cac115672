//! How much may be asked in all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::ask::Usage;
use crate::failure::{Failure, FailureKind};
use crate::settings::Price;

/// Bounds of a run; none is no bound. Tokens and price are known only when a reply is there, so they may be passed by
/// what was under way at that moment: at most as many replies as the endpoint's `concurrency`.
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
    input: AtomicU64,
    output: AtomicU64,
    until: Option<Instant>,
}

impl Spent {
    /// Nothing used yet; the time begins now.
    #[must_use]
    pub fn new(budget: Budget, price: Option<Price>) -> Self {
        Self {
            budget,
            price: price.unwrap_or_default(),
            requests: AtomicU64::new(0),
            input: AtomicU64::new(0),
            output: AtomicU64::new(0),
            until: budget.seconds.and_then(|s| Instant::now().checked_add(Duration::from_secs(s))),
        }
    }

    /// Counts what an earlier part of the run used.
    pub fn add_earlier(&self, requests: u64, usage: Usage) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.note(usage);
    }

    /// Takes one request.
    ///
    /// # Errors
    /// The budget is used up: [`FailureKind::Budget`], with the bound that was reached.
    pub fn take(&self) -> Result<(), Failure> {
        let over = |what: &str| Err(Failure::new(FailureKind::Budget, format!("the budget of {what} is used up")));
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return over("time");
        }
        let (input, output) = (self.input.load(Ordering::Relaxed), self.output.load(Ordering::Relaxed));
        if self.budget.tokens.is_some_and(|most| input.saturating_add(output) >= most) {
            return over("tokens");
        }
        if self.budget.price.is_some_and(|most| self.price.of(input, output) >= most) {
            return over("price");
        }
        let most = self.budget.requests.unwrap_or(u64::MAX);
        let next = |n: u64| (n < most).then_some(n + 1);
        match self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(()),
            Err(_) => over("requests"),
        }
    }

    /// The time that is left, where it is bounded.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Counts the tokens of a reply.
    pub fn note(&self, usage: Usage) {
        self.input.fetch_add(usage.input, Ordering::Relaxed);
        self.output.fetch_add(usage.output, Ordering::Relaxed);
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Tokens so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Usage { input: load(&self.input), output: load(&self.output), estimated: false }
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

    #[test]
    fn each_bound_ends_it() {
        let spent = Spent::new(Budget { requests: Some(2), ..Budget::default() }, None);
        assert!(spent.take().is_ok() && spent.take().is_ok());
        assert_eq!(spent.take().unwrap_err().kind, FailureKind::Budget);
        assert_eq!(spent.requests(), 2);

        let spent = Spent::new(Budget { tokens: Some(10), ..Budget::default() }, None);
        spent.note(Usage { input: 4, output: 5, estimated: false });
        assert!(spent.take().is_ok());
        spent.note(Usage { input: 1, output: 0, estimated: false });
        assert!(spent.take().unwrap_err().detail.contains("tokens"));

        let price = Price { input: 1.0, output: 10.0 };
        let spent = Spent::new(Budget { price: Some(1.0), ..Budget::default() }, Some(price));
        spent.note(Usage { input: 0, output: 100_000, estimated: false });
        assert!(spent.take().unwrap_err().detail.contains("price"));

        let spent = Spent::new(Budget { seconds: Some(0), ..Budget::default() }, None);
        assert!(spent.take().unwrap_err().detail.contains("time"));
    }
}
