//! What a caller may use, the keys that say so, and what was used.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::ApprovalStore;
use crate::contain::ContainStore;
use crate::event::Act;
use crate::store::StoreFuture;
use crate::tenant::TenantId;

/// An amount of money in whatever currency the prices of the configuration are in. Kept in billionths, so that sums
/// are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64")]
pub struct Money(u64);

/// Billionths of a unit in a unit.
const NANO: f64 = 1e9;

impl Money {
    /// An amount in billionths of a unit.
    #[must_use]
    pub const fn nano(nano: u64) -> Self {
        Self(nano)
    }

    /// The amount in billionths of a unit.
    #[must_use]
    pub const fn as_nano(self) -> u64 {
        self.0
    }

    /// The sum; it stays at the largest amount where it would pass it.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; never below nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl TryFrom<f64> for Money {
    type Error = &'static str;
    fn try_from(units: f64) -> Result<Self, Self::Error> {
        if !(0.0..=1e9).contains(&units) {
            return Err("an amount of money is a number from 0 to a billion");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 1e18, and not negative")]
        let nano = (units * NANO).round() as u64;
        Ok(Self(nano))
    }
}

impl From<Money> for f64 {
    #[expect(clippy::cast_precision_loss, reason = "for people; sums are kept in whole billionths")]
    fn from(money: Money) -> Self {
        money.0 as Self / NANO
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}", f64::from(*self))
    }
}

/// How much may be used. What is left out is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, in and out.
    pub tokens_per_minute: Option<u32>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
    /// Tokens a day (UTC), in and out.
    pub tokens_per_day: Option<u64>,
    /// Tokens a calendar month (UTC), in and out.
    pub tokens_per_month: Option<u64>,
    /// Money a day (UTC), by the prices of the configuration.
    pub spend_per_day: Option<Money>,
    /// Money a calendar month (UTC), by the prices of the configuration.
    pub spend_per_month: Option<Money>,
}

impl Quota {
    /// True where what is used up stays used up for a day or a month.
    #[must_use]
    pub const fn has_budget(&self) -> bool {
        self.tokens_per_day.is_some() || self.tokens_per_month.is_some() || self.has_spend()
    }

    /// True where money is limited, so that the price of a model has to be known.
    #[must_use]
    pub const fn has_spend(&self) -> bool {
        self.spend_per_day.is_some() || self.spend_per_month.is_some()
    }
}

/// What a caller may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// Models: names, or prefixes with `*` at the end; empty is all.
    pub models: Vec<String>,
    /// Guard profile; without one the settings of the whole configuration hold.
    pub profile: Option<String>,
    /// How much.
    pub quota: Quota,
}

/// A client key as it is kept: never the key itself.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public part, in the key and in lists. Unique in an installation.
    pub id: String,
    /// Name in records and metrics. Unique among the keys of a tenant that are not revoked.
    pub name: Arc<str>,
    /// Whose key.
    pub tenant: TenantId,
    /// Keyed SHA-256 of the secret part.
    pub hash: [u8; 32],
    /// The hash before the last rotation, and until when it is good, in milliseconds since 1970.
    pub previous: Option<([u8; 32], i64)>,
    /// What it may do.
    pub grant: Arc<Grant>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// From when on it is not good any more, in milliseconds since 1970.
    pub expires: Option<i64>,
    /// Since when it is taken back, in milliseconds since 1970.
    pub revoked: Option<i64>,
}

impl fmt::Debug for KeyRecord {
    // Hashes of keys stay out of logs too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("tenant", &self.tenant)
            .field("expires", &self.expires)
            .field("revoked", &self.revoked)
            .finish_non_exhaustive()
    }
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Used {
    /// Requests.
    pub requests: u64,
    /// Tokens that went in, cached ones included.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// Money.
    pub spend: Money,
}

impl Used {
    /// Tokens in and out.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Adds to it.
    pub const fn add(&mut self, more: &Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.input_tokens = self.input_tokens.saturating_add(more.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(more.output_tokens);
        self.spend = self.spend.plus(more.spend);
    }
}

/// Who used it and what for. Persons and sessions are keyed pseudonyms here, never names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Spender {
    /// Day, counted from 1970-01-01 in UTC.
    pub day: i64,
    /// Name of the key or token subject.
    pub key: Arc<str>,
    /// Model.
    pub model: Arc<str>,
    /// Pseudonym of the person; empty where nobody was named.
    pub user: Arc<str>,
    /// Pseudonym of the conversation.
    pub session: Arc<str>,
    /// Feature of the application.
    pub feature: Arc<str>,
    /// Team that pays.
    pub team: Arc<str>,
}

/// What one key used on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Whose key.
    pub tenant: TenantId,
    /// Name of the key or token subject.
    pub key: Arc<str>,
    /// Day, counted from 1970-01-01 in UTC.
    pub day: i64,
    /// How much.
    pub used: Used,
}

/// What is known of how a key is used: sketches and counts, no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whose key.
    pub tenant: TenantId,
    /// Name of the key or token subject.
    pub key: Arc<str>,
    /// When it last asked, in milliseconds since 1970.
    pub at: i64,
    /// The state of its watch.
    pub state: Vec<u8>,
}

/// Where client keys are kept, and what was used of them. What is asked for is asked for one tenant; only
/// authentication itself, and the sums that budgets start from, concern the whole installation.
pub trait AccessStore: ContainStore + ApprovalStore {
    /// A number that is another one after each change of a key, whichever process made it.
    fn revision(&self) -> StoreFuture<'_, u64>;

    /// Every key that is not revoked: what callers are authenticated against.
    fn ring(&self) -> StoreFuture<'_, Vec<KeyRecord>>;

    /// The key that keys are hashed and people are given pseudonyms with.
    fn hash_key(&self) -> StoreFuture<'_, [u8; 32]>;

    /// The keys of a tenant, revoked ones included, oldest first.
    fn keys<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<KeyRecord>>;

    /// Adds a key, and the record of the deed to those that wait for the chain. Answers false where the tenant has a
    /// key of that name already; nothing is changed then.
    fn create<'a>(&'a self, tenant: &'a TenantId, key: KeyRecord, act: Act) -> StoreFuture<'a, bool>;

    /// Changes a key of a tenant, found by its id, and adds the record of the deed to those that wait for the chain.
    /// Answers false where the tenant has no such key, or it is revoked; nothing is changed then.
    fn change<'a>(&'a self, tenant: &'a TenantId, key: KeyRecord, act: Act) -> StoreFuture<'a, bool>;

    /// Records of deeds that are not in the chain yet, oldest first.
    fn waiting_acts(&self) -> StoreFuture<'_, Vec<Act>>;

    /// Takes a record off those that wait: it is in the chain.
    fn act_done<'a>(&'a self, id: &'a str) -> StoreFuture<'a, ()>;

    /// Adds to what was used, all or nothing.
    fn spend(&self, used: Vec<(TenantId, Spender, Used)>) -> StoreFuture<'_, ()>;

    /// What was used by each key of each tenant on each day from `day` on. Budgets start from it.
    fn totals(&self, day: i64) -> StoreFuture<'_, Vec<Total>>;

    /// Keeps what is known of how keys are used, in place of what was kept of them before, and forgets keys that were last
    /// seen before a time in milliseconds since 1970. A store that keeps none of it may leave this out: then what is
    /// known begins anew with each start.
    fn keep_watched(&self, watched: Vec<Watched>, since: i64) -> StoreFuture<'_, ()> {
        let _ = (watched, since);
        Box::pin(async { Ok(()) })
    }

    /// What is kept of how keys are used, newest first.
    fn watched(&self, limit: u32) -> StoreFuture<'_, Vec<Watched>> {
        let _ = limit;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// What a tenant used from `day` on, by everything that it is attributed to.
    fn usage<'a>(&'a self, tenant: &'a TenantId, day: i64) -> StoreFuture<'a, Vec<(Spender, Used)>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_in_sums_and_plain_in_text() {
        let tenth = Money::try_from(0.1).unwrap();
        let sum = (0..10).fold(Money::default(), |sum, _| sum.plus(tenth));
        assert_eq!(sum, Money::try_from(1.0).unwrap());
        assert_eq!(serde_json::to_string(&tenth).unwrap(), "0.1");
        for bad in [-0.1, f64::NAN, 2e9] {
            assert!(Money::try_from(bad).is_err(), "{bad}");
        }
    }
}
