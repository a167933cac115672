//! The records of the evidence chain: decisions, and what operators did. They never hold content.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::CallRecord;
use crate::coverage::Coverage;
use crate::exchange::{Direction, Protocol};
use crate::grounds::Grounds;
use crate::rule::RuleId;
use crate::subject::Scores;
use crate::tenant::TenantId;
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub tenant: TenantId,
    /// Name of the client key, never the key; empty where none was needed.
    pub key: String,
    /// Who was behind it, by `user`, `session`, `feature` and `team`: HMAC-SHA-256 under a key of the tenant, hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pseudonyms: BTreeMap<String, String>,
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
    /// How many of them by exceptions that lapse, by the id of the exception.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exceptions: BTreeMap<String, u64>,
    /// Ids of the containments that it met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contained: Vec<String>,
    /// What was decided of the tool calls in a reply, and where their arguments came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallRecord>,
    /// Scores.
    pub scores: Scores,
    /// What was not read.
    pub coverage: Coverage,
    /// What decided.
    pub engine: EngineId,
    /// Digest of the policy and configuration that decided, hex; empty where the caller has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub policy: String,
    /// Keyed digests of the bodies (`request`, `reply`): HMAC-SHA-256, hex. They show equality to who has the key.
    pub hmacs: BTreeMap<String, String>,
    /// SHA-256 of the sealed recording of the body, with what is said about it, hex; empty where none is kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recording: String,
    /// Where the time went.
    pub timings: Timings,
    /// The request let something through because a part failed and the configuration says fail open.
    pub failed_open: bool,
    /// What the candidate policy would have decided on the same findings; absent where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Verdict>,
    /// What the verdict was made of; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Grounds>,
    /// Hash of the record before this one, hex.
    pub prev: String,
    /// SHA-256 over `prev` and the canonical JSON of the record without `hash`, hex.
    pub hash: String,
}

/// What an operator, or the program on its own, did to the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// A configuration came into force, at start or by a reload.
    ConfigLoaded,
    /// A configuration was not taken; the one before stays in force.
    ConfigRejected,
    /// The candidate policy became the live one.
    PolicyPromoted,
    /// A change of the policy is tried beside the one in force.
    CandidateStaged,
    /// A change of the policy is not tried any more.
    CandidateDropped,
    /// A client key was made.
    KeyCreated,
    /// A client key got a new secret.
    KeyRotated,
    /// A client key was taken back.
    KeyRevoked,
    /// Sealed content was opened.
    Unsealed,
    /// Records past their retention were taken away; the chain goes on from the head they had.
    Pruned,
    /// Sealed content was made unreadable for good by destroying its key.
    Erased,
    /// The head of the chain was signed and given away.
    Checkpointed,
    /// Records were exported.
    Exported,
    /// Something was cut off: a key, tenant, tool, server or model.
    Contained,
    /// Something contained works again.
    Released,
    /// A decision was called right or wrong by a person.
    Marked,
    /// A finding is accepted for a while.
    ExceptionAdded,
    /// An exception came to its end.
    ExceptionLapsed,
    /// A stored recording was examined again.
    Hunted,
    /// A person let a tool call pass that waited.
    CallApproved,
    /// A person refused a tool call that waited.
    CallDenied,
    /// The store was copied.
    BackedUp,
    /// A copy took the place of the store; what came after the copy is not in it.
    Restored,
    /// A content pack was installed, or the one before put back.
    ContentChanged,
    /// A person took an unusual use of a key for usual.
    UseAccepted,
    /// A ticket was made, which opens one session of the console.
    TicketMade,
    /// Somebody signed in to the console.
    SignedIn,
    /// Somebody was not let into the console: by the password of the account for emergencies, or for want of a role.
    SignInRefused,
}
crate::rule::lowercase_words!(Deed, ConfigLoaded => "config-loaded", ConfigRejected => "config-rejected",
    PolicyPromoted => "policy-promoted", CandidateStaged => "candidate-staged",
    CandidateDropped => "candidate-dropped", KeyCreated => "key-created", KeyRotated => "key-rotated",
    KeyRevoked => "key-revoked", Unsealed => "unsealed", Pruned => "pruned", Erased => "erased",
    Checkpointed => "checkpointed", Exported => "exported", Contained => "contained", Released => "released",
    Marked => "marked", ExceptionAdded => "exception-added", ExceptionLapsed => "exception-lapsed",
    Hunted => "hunted", CallApproved => "call-approved", CallDenied => "call-denied", BackedUp => "backed-up", Restored => "restored",
    ContentChanged => "content-changed", UseAccepted => "use-accepted",
    TicketMade => "ticket-made", SignedIn => "signed-in", SignInRefused => "sign-in-refused");

/// The record of a deed. It is linked into the same chain as the decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Act {
    /// Unique id (UUID version 7).
    pub id: String,
    /// The chain.
    pub chain_id: String,
    /// Position in the chain.
    pub seq: u64,
    /// When, RFC 3339 in UTC with microseconds.
    pub time: String,
    /// Whom it concerns.
    pub tenant: TenantId,
    /// Who did it: name of an administration key, `cli:USER`, or `bartizan` for the program itself.
    pub actor: String,
    /// What was done.
    pub deed: Deed,
    /// What it was done to: an id or a name, never content.
    pub subject: String,
    /// Why, in the words of who did it; empty where nobody was asked.
    pub reason: String,
    /// Particulars by name: numbers, ids, digests, times.
    pub detail: BTreeMap<String, String>,
    /// Hash of the record before this one, hex.
    pub prev: String,
    /// SHA-256 over `prev` and the canonical JSON of the record without `hash`, hex.
    pub hash: String,
}

impl Act {
    /// A deed about the whole tenant, without reason and particulars. The store fills in its place in the chain.
    #[must_use]
    pub fn new(id: String, time: String, tenant: TenantId, actor: &str, deed: Deed) -> Self {
        Self {
            id,
            chain_id: String::new(),
            seq: 0,
            time,
            tenant,
            actor: actor.to_owned(),
            deed,
            subject: String::new(),
            reason: String::new(),
            detail: BTreeMap::new(),
            prev: String::new(),
            hash: String::new(),
        }
    }

    /// The same about something.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.subject);
        self
    }

    /// The same with a reason.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// The same with one more particular.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }
}
