//! What was decided of tool calls, and the approvals that they wait for.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Act;
use crate::store::StoreFuture;
use crate::tenant::TenantId;
use crate::verdict::Verdict;

/// What was decided of one tool call. It names places and holds keyed digests, never content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallRecord {
    /// The tool; `?` where the request did not offer it: its name is then the model's own text.
    pub tool: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why not allowed: a word, and the JSON Pointer to the argument.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Where each argument came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<ArgumentSource>,
    /// What is odd about the conversation before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oddities: Vec<String>,
    /// The approval that it waits for, or was let through by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// One edge of the argument → source graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArgumentSource {
    /// JSON Pointer to the argument value.
    pub argument: String,
    /// How well it is traced: `user`, `record`, `contact`, `ref`, `source`, `untrusted` or `untraced`.
    pub trace: String,
    /// Kind of place that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The tool whose result it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// JSON Pointer in that result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Bytes of the value.
    pub bytes: usize,
    /// Keyed digest of the value, hex; empty where the tenant's key is not open.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hmac: String,
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// Nobody has decided.
    #[default]
    Pending,
    /// The call passes once.
    Approved,
    /// The call does not pass.
    Denied,
    /// The call has passed.
    Used,
}
crate::rule::lowercase_words!(ApprovalState, Pending => "pending", Approved => "approved", Denied => "denied",
    Used => "used");

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Denied, Self::Used];
}

/// A tool call that waits for a person. It stands for one call: the same tool, the same arguments, from the same
/// sources, by the same caller, once, and until it expires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Unique id.
    pub id: String,
    /// Whose traffic.
    pub tenant: TenantId,
    /// Name of the client key that asked.
    pub key: String,
    /// Configured route.
    pub route: String,
    /// Id of the record about the reply that made the call.
    pub event: String,
    /// The call as it is on record: tool, reasons, sources.
    pub call: CallRecord,
    /// Keyed digest over tool, canonical arguments and sources, hex.
    pub digest: String,
    /// Where it stands.
    pub state: ApprovalState,
    /// When it was asked for, in milliseconds since 1970.
    pub asked: i64,
    /// When it expires, in milliseconds since 1970; an expired one is a denial.
    pub expires: i64,
    /// Who has decided; empty where nobody has.
    pub decided_by: String,
    /// Values and excerpts for whoever decides, sealed under a key of the tenant.
    #[serde(skip)]
    pub sealed: Vec<u8>,
}

/// How a person decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Approved or denied.
    pub approved: bool,
    /// Keyed digests of tool, argument and value that count as the user's words from now on.
    pub endorsed: Vec<String>,
    /// Who decides.
    pub actor: String,
    /// When, in milliseconds since 1970.
    pub now: i64,
}

/// Where approvals are kept, beside the client keys: any process of the installation may decide while a gateway runs.
pub trait ApprovalStore: Send + Sync {
    /// Keeps a request for an approval.
    fn ask<'a>(&'a self, tenant: &'a TenantId, approval: Approval) -> StoreFuture<'a, ()>;

    /// Those of a tenant that have not expired at a time, oldest first.
    fn approvals<'a>(&'a self, tenant: &'a TenantId, now: i64) -> StoreFuture<'a, Vec<Approval>>;

    /// The same of one client key of it, but those that were used.
    fn approvals_of<'a>(&'a self, tenant: &'a TenantId, key: &'a str, now: i64) -> StoreFuture<'a, Vec<Approval>>;

    /// One of a tenant, expired or not.
    fn approval<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Approval>>;

    /// Decides about one that is pending and has not expired, with the record of that. Answers false where there is none
    /// such; nothing is changed then.
    fn rule<'a>(&'a self, tenant: &'a TenantId, id: &'a str, ruling: Ruling, act: Act) -> StoreFuture<'a, bool>;

    /// Uses one that is approved and has not expired. Answers false where there is none such: it passes exactly once.
    fn use_up<'a>(&'a self, tenant: &'a TenantId, id: &'a str, now: i64) -> StoreFuture<'a, bool>;

    /// The values of a tenant that a person has endorsed, as keyed digests.
    fn endorsed<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<String>>;
}
