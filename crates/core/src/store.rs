//! What the engine's surfaces need of a database.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Act, Event};
use crate::exchange::{Direction, Protocol};
use crate::rule::RuleId;
use crate::sealed::Sealed;
use crate::tenant::TenantId;
use crate::verdict::Verdict;

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot take more now: full disk or full queue. The caller answers 503.
    #[error("the evidence store cannot take more: {0}")]
    Full(String),
    /// The store cannot be reached or is broken.
    #[error("the evidence store failed: {0}")]
    Failed(String),
    /// The records do not fit together.
    #[error("the evidence chain is broken at record {seq}: {reason}")]
    Broken {
        /// First record that does not fit.
        seq: u64,
        /// What does not fit.
        reason: String,
    },
}

/// Boxed future of a store call.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// `prev` of the first record of a chain.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Record {
    /// What an operator or the program on its own did. It is told apart by its `deed`.
    Act(Box<Act>),
    /// A decision about a request or reply.
    Decision(Box<Event>),
}

impl Record {
    /// Unique id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Act(act) => &act.id,
            Self::Decision(event) => &event.id,
        }
    }

    /// Position in the chain.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Act(act) => act.seq,
            Self::Decision(event) => event.seq,
        }
    }

    /// When, RFC 3339 in UTC with microseconds.
    #[must_use]
    pub fn time(&self) -> &str {
        match self {
            Self::Act(act) => &act.time,
            Self::Decision(event) => &event.time,
        }
    }

    /// Whom it concerns.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Act(act) => &act.tenant,
            Self::Decision(event) => &event.tenant,
        }
    }

    /// SHA-256 of the record before it and its own JSON without `hash`, hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        match self {
            Self::Act(act) => &act.hash,
            Self::Decision(event) => &event.hash,
        }
    }
}

/// The end of a chain: what a checkpoint vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The chain.
    pub chain_id: String,
    /// Position of the last record; `None` where there is no record yet.
    pub seq: Option<u64>,
    /// Hash of the last record, hex; [`GENESIS`] where there is none.
    pub hash: String,
}

impl Head {
    /// Position of the next record, which is the number of records since the chain began.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.seq.map_or(0, |seq| seq.saturating_add(1))
    }
}

/// Which decisions are asked for. Every condition that is set has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventQuery {
    /// From this time on, RFC 3339 in UTC.
    pub since: Option<String>,
    /// Before this time, RFC 3339 in UTC.
    pub until: Option<String>,
    /// One of these rules fired; empty is any or none.
    pub rules: BTreeSet<RuleId>,
    /// One of these verdicts; empty is any.
    pub verdicts: BTreeSet<Verdict>,
    /// By a client key of one of these names; empty is any.
    pub keys: BTreeSet<String>,
    /// About this exchange.
    pub exchange: Option<String>,
    /// Behind this position in the chain. With it the oldest come first, without it the newest.
    pub after_seq: Option<u64>,
    /// Before this position in the chain: the next page of the newest.
    pub before_seq: Option<u64>,
    /// Most answers; 0 is [`EventQuery::LIMIT`].
    pub limit: u32,
}

impl EventQuery {
    /// Answers where no limit is given.
    pub const LIMIT: u32 = 1000;
}

/// How many decisions of one verdict there were in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HourTally {
    /// The hour, as the beginning of an RFC 3339 time in UTC: `2026-11-23T05`.
    pub hour: String,
    /// The verdict.
    pub verdict: Verdict,
    /// How many.
    pub decisions: u64,
}

/// Decisions of a time, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// By hour and verdict, oldest first.
    pub hours: Vec<HourTally>,
    /// Decisions in which a rule fired, by the rule.
    pub rules: BTreeMap<String, u64>,
    /// True where only the newest [`Tally::MOST`] records of the chain were counted, and the time begins before them.
    pub cut: bool,
}

impl Tally {
    /// Most records that are counted.
    pub const MOST: u64 = 200_000;
}

/// Where decisions are recorded. What is asked for is asked for one tenant; only the chain as a whole belongs to the
/// operator of the installation.
pub trait EventStore: Send + Sync {
    /// Appends a record; it is durable against a crash of the process once this returns. The store fills in
    /// `chain_id`, `seq`, `prev` and `hash`.
    fn append(&self, event: Event) -> StoreFuture<'_, ()>;

    /// Appends the record of a deed to the same chain, as durably.
    fn act(&self, act: Act) -> StoreFuture<'_, ()>;

    /// The newest decisions of a tenant, newest first.
    fn recent<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Event>>;

    /// One decision of a tenant by its id.
    fn get<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Event>>;

    /// The decisions of a tenant that fit.
    fn query<'a>(&'a self, tenant: &'a TenantId, query: &'a EventQuery) -> StoreFuture<'a, Vec<Event>>;

    /// The decisions of a tenant since a time (RFC 3339 in UTC), counted.
    fn tally<'a>(&'a self, tenant: &'a TenantId, since: &'a str) -> StoreFuture<'a, Tally>;

    /// The decisions about one exchange of a tenant, oldest first.
    fn exchange<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Vec<Event>>;

    /// The newest deeds that concern a tenant, newest first.
    fn acts<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Act>>;

    /// Every record behind a position, oldest first and without gaps, of all tenants: for the operator's own
    /// deliveries, which go on where they stopped. `None` begins with the oldest record kept.
    fn after(&self, seq: Option<u64>, limit: u32) -> StoreFuture<'_, Vec<Record>>;

    /// Answers where it can be reached.
    fn ready(&self) -> StoreFuture<'_, ()>;

    /// Recomputes the chain; answers up to how many records, counted from its beginning, it vouches for.
    fn verify(&self) -> StoreFuture<'_, u64>;
}

/// The chain as a whole. It belongs to the operator of the installation, not to a tenant.
pub trait ChainStore: EventStore {
    /// Its end.
    fn head(&self) -> StoreFuture<'_, Head>;

    /// Hashes of the records from a position on, oldest first, hex, each with its position.
    fn hashes(&self, from: u64, limit: u32) -> StoreFuture<'_, Vec<(u64, String)>>;

    /// Position of the oldest record that is kept; `None` where there is none.
    fn first(&self) -> StoreFuture<'_, Option<u64>>;

    /// Position of the oldest record such that it and all behind it are not older than a time; at most the end.
    fn first_since<'a>(&'a self, time: &'a str) -> StoreFuture<'a, Option<u64>>;

    /// The newest deed of a kind, whomever it concerns.
    fn last_act(&self, deed: crate::Deed) -> StoreFuture<'_, Option<Act>>;

    /// Takes the records before a position away and appends the record of that, both or neither.
    fn prune(&self, before: u64, act: Act) -> StoreFuture<'_, ()>;
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPurpose {
    /// Sealing content, one key for a tenant and day.
    Content,
    /// Pseudonyms and digests, one key for a tenant.
    Pseudonym,
}
crate::rule::lowercase_words!(KeyPurpose, Content => "content", Pseudonym => "pseudonym");

/// A tenant's key under a key that is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Unique id.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// What for.
    pub purpose: KeyPurpose,
    /// The day of what is sealed with it, `YYYY-MM-DD`; empty for a key that has none.
    pub day: String,
    /// The key, encrypted; empty once it is destroyed.
    pub wrapped: Vec<u8>,
    /// When it was destroyed, RFC 3339; empty as long as it was not.
    pub destroyed: String,
}

/// A body under a tenant's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedContent {
    /// The decision about it.
    pub event: String,
    /// Shared by a request and its reply.
    pub exchange: String,
    /// Whose.
    pub tenant: TenantId,
    /// Which way it went.
    pub direction: Direction,
    /// Its dialect.
    pub protocol: Protocol,
    /// True for server-sent events.
    pub stream: bool,
    /// True where the body was longer than what is kept.
    pub cut: bool,
    /// When, RFC 3339 in UTC with microseconds.
    pub time: String,
    /// The body.
    pub body: Sealed<Vec<u8>>,
}

/// What an erasure took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// Keys.
    pub keys: u64,
    /// Bodies that can no longer be read.
    pub contents: u64,
}

/// Content under tenants' keys, and those keys under a key that the store does not have.
pub trait SealedStore: Send + Sync {
    /// Appends the record of a decision together with the content that it is about, both or neither.
    fn put_sealed(&self, event: Event, content: Vec<SealedContent>) -> StoreFuture<'_, ()>;

    /// What is kept of one decision of a tenant.
    fn sealed<'a>(&'a self, tenant: &'a TenantId, event: &'a str) -> StoreFuture<'a, Vec<SealedContent>>;

    /// Ids of the exchanges of a tenant with content from a time on (RFC 3339; empty is from the beginning), oldest
    /// first, behind an exchange id of an earlier page. Ids are UUIDs of version 7, which sort by time.
    fn list_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        since: &'a str,
        after: &'a str,
        limit: u32,
    ) -> StoreFuture<'a, Vec<String>>;

    /// What is kept of one exchange of a tenant, oldest first.
    fn sealed_exchange<'a>(&'a self, tenant: &'a TenantId, exchange: &'a str) -> StoreFuture<'a, Vec<SealedContent>>;

    /// Keeps a key, unless there is a live one of the same tenant, purpose and day; answers with the one that is
    /// kept.
    fn put_key(&self, key: WrappedKey) -> StoreFuture<'_, WrappedKey>;

    /// One key of a tenant, destroyed or not.
    fn key<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<WrappedKey>>;

    /// The live key of a tenant for a purpose and day.
    fn live_key<'a>(
        &'a self,
        tenant: &'a TenantId,
        purpose: KeyPurpose,
        day: &'a str,
    ) -> StoreFuture<'a, Option<WrappedKey>>;

    /// Destroys the content keys of a tenant for the days before one (`YYYY-MM-DD`), or with `None` every key of the
    /// tenant, takes their content away, and appends the record of that. All or nothing. The store adds how many to
    /// the particulars.
    fn destroy_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        before: Option<&'a str>,
        act: Act,
    ) -> StoreFuture<'a, Destroyed>;

    /// Tenants with content of days before one: those that a retention concerns.
    fn sealed_tenants<'a>(&'a self, before: &'a str) -> StoreFuture<'a, Vec<TenantId>>;
}
