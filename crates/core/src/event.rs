//! The record of one decision. It never holds content.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::coverage::Coverage;
use crate::exchange::{Direction, Protocol};
use crate::rule::RuleId;
use crate::subject::Scores;
use crate::verdict::{Action, Mode, Verdict};

/// What decided: change any of it and verdicts may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct EngineId {
    /// Version of the canonicaliser.
    pub canon: String,
    /// Digest of the rules with their settings and the policy table.
    pub rules: String,
    /// Digest of the classifier's weights, or `none`.
    pub model: String,
}

/// Where the time went, in microseconds of wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Parsing.
    pub parse_us: u64,
    /// Views and detectors.
    pub scan_us: u64,
    /// Until the upstream's first byte.
    pub upstream_us: u64,
    /// First request byte to last reply byte.
    pub total_us: u64,
}

/// The record of one decision. `chain_id` and `seq` place it in a hash chain; `prev` and `hash` are filled in by
/// the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Unique id (UUID version 7), the one that a blocked caller sees.
    pub id: String,
    /// Shared by the decisions about one request and its reply.
    pub exchange: String,
    /// The chain: one per store.
    pub chain_id: String,
    /// Position in the chain, from 0.
    pub seq: u64,
    /// When, RFC 3339 in UTC with microseconds.
    pub time: String,
    /// Whose traffic.
    pub tenant: String,
    /// Name of the client key, never the key; empty where none was needed.
    pub key: String,
    /// Configured route or upstream.
    pub route: String,
    /// Dialect.
    pub protocol: Protocol,
    /// Which way the text went.
    pub direction: Direction,
    /// Model named in the request.
    pub model: String,
    /// Whether verdicts were carried out.
    pub mode: Mode,
    /// What policy decided.
    pub verdict: Verdict,
    /// What was done.
    pub action: Action,
    /// Rules that fired, with how often.
    pub rules: BTreeMap<RuleId, u64>,
    /// Findings hidden by suppressions.
    pub suppressed: u64,
    /// Scores.
    pub scores: Scores,
    /// What was not read.
    pub coverage: Coverage,
    /// What decided.
    pub engine: EngineId,
    /// Keyed digests of the bodies (`request`, `reply`): HMAC-SHA-256, hex. They show equality to who has the key.
    pub hmacs: BTreeMap<String, String>,
    /// Where the time went.
    pub timings: Timings,
    /// The request let something through because a part failed and the configuration says fail open.
    pub failed_open: bool,
    /// Hash of the record before this one, hex.
    pub prev: String,
    /// SHA-256 over `prev` and the canonical JSON of the record without `hash`, hex.
    pub hash: String,
}
