//! What an operator has cut off for a while, and where that is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Act;
use crate::store::StoreFuture;
use crate::tenant::TenantId;

/// What can be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A client key or token subject, by its name in records.
    Key,
    /// All of a tenant.
    Tenant,
    /// A tool, by the name that models call it by.
    Tool,
    /// A tool server, by its label.
    Server,
    /// A model; `*` at the end stands for any rest.
    Model,
}
crate::rule::lowercase_words!(Target, Key => "key", Tenant => "tenant", Tool => "tool", Server => "server",
    Model => "model");
use std::fmt;

impl Target {
    /// Every target, in documentation order.
    pub const ALL: [Self; 5] = [Self::Key, Self::Tenant, Self::Tool, Self::Server, Self::Model];
}

/// Something cut off. It ends at its time, or when it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Containment {
    /// Unique id.
    pub id: String,
    /// Whose traffic it is about.
    pub tenant: TenantId,
    /// What kind of thing.
    pub target: Target,
    /// Its name.
    pub name: String,
    /// Why, in the words of who did it.
    pub reason: String,
    /// Who did it.
    pub actor: String,
    /// From when on, in milliseconds since 1970.
    pub since: i64,
    /// Until when, in milliseconds since 1970.
    pub until: i64,
}

/// Where containments are kept, beside the client keys: any process of the installation may write them while a gateway
/// runs. Each change brings the record of the deed, which waits for the chain as those about keys do.
pub trait ContainStore: Send + Sync {
    /// A number that is another one after each change of a containment, whichever process made it.
    fn contain_revision(&self) -> StoreFuture<'_, u64>;

    /// What is not released, of all tenants, also where its time is over: for a gateway, which serves them all.
    fn all_containments(&self) -> StoreFuture<'_, Vec<Containment>>;

    /// The same of one tenant, oldest first.
    fn containments<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<Containment>>;

    /// Adds one.
    fn contain<'a>(&'a self, tenant: &'a TenantId, containment: Containment, act: Act) -> StoreFuture<'a, ()>;

    /// Ends one of a tenant. Answers false where the tenant has none of that id, or it has ended already; nothing is
    /// changed then.
    fn release<'a>(&'a self, tenant: &'a TenantId, id: &'a str, act: Act) -> StoreFuture<'a, bool>;

    /// Adds the record of a deed that is to be recorded once, whoever comes first: `mark` says what it is about.
    /// Answers false where that was done before.
    fn once<'a>(&'a self, mark: &'a str, act: Act) -> StoreFuture<'a, bool>;
}
