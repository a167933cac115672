//! Builds the record of a decision. Content never gets here, only keyed digests of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bartizan_core::{
    Act, Action, Approval, CallRecord, Coverage, Deed, Direction, EngineId, Event, EventStore, Exchange, Family,
    Finding, Grounds, Mode, Principal, Protocol, RuleId, Scores, StoreError, TenantId, Timings, VaultStore, Verdict,
};
use bartizan_engine::Spent;
use bartizan_sign::{Pseudonyms, Secret};
use uuid::Uuid;

use crate::agents::{Approving, CallNote, Desk};
use crate::candidate::Compared;
use crate::conversation::Conversation;
use crate::exchange::{Meta, micros};
use crate::facts::ReplyFacts;
use crate::guard::{Guard, Parsed};
use crate::pseudonyms::Conversations;
use crate::vault::{Kept, Vault};

/// Most tool calls of one reply that are recorded one by one.
const MOST_CALLS: usize = 64;

/// One request on its way, as far as records need to know it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Shared by the decisions about the request and its reply.
    pub exchange: String,
    /// Id of the record about the request.
    pub request_event: String,
    /// Id of the record about the reply: known before the reply is, so that a stream can name it when it is cut.
    pub reply_event: String,
    /// Who asks.
    pub principal: Principal,
    /// Configured route.
    pub route: String,
    engine: EngineId,
    policy: String,
    mode: Mode,
    started: Instant,
}

impl Request {
    /// A request that starts now. What decides about it is fixed here, whatever is reloaded meanwhile.
    #[must_use]
    pub fn start(principal: Principal, route: &str, guard: &Guard) -> Self {
        Self {
            exchange: new_id(),
            request_event: new_id(),
            reply_event: new_id(),
            principal,
            route: route.to_owned(),
            engine: guard.id().clone(),
            policy: guard.policy_digest().to_owned(),
            mode: guard.mode(),
            started: Instant::now(),
        }
    }

    /// When it started.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }
}

/// What a surface knows of one decision.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// What policy decided.
    pub verdict: Verdict,
    /// What was done.
    pub action: Action,
    /// Rules that fired, with how often.
    pub rules: BTreeMap<RuleId, u64>,
    /// Findings hidden by suppressions.
    pub suppressed: u64,
    /// How many of them by exceptions, by the id of the exception.
    pub exceptions: BTreeMap<String, u64>,
    /// Ids of the containments that were met.
    pub contained: BTreeSet<String>,
    /// Scores.
    pub scores: Scores,
    /// What was not read.
    pub coverage: Coverage,
    /// Something passed unread because the configuration says so.
    pub failed_open: bool,
    /// Where the time went; the total is filled in.
    pub timings: Timings,
    /// Keyed digests, by name.
    pub hmacs: BTreeMap<String, String>,
    /// What a candidate policy would have decided on the same findings.
    pub compared: Option<Compared>,
    /// What the verdict was made of, where that is known.
    pub grounds: Option<Grounds>,
    /// What each guard took.
    pub spent: Vec<(Family, Spent)>,
    /// What the model server says of its reply.
    pub facts: ReplyFacts,
    /// What was decided of its tool calls.
    pub calls: Vec<CallNote>,
}

impl Noted {
    /// Counts findings by rule.
    pub fn count<'a>(&mut self, findings: impl IntoIterator<Item = &'a Finding>) {
        for finding in findings {
            *self.rules.entry(finding.rule.clone()).or_default() += 1;
        }
    }
}

/// Writes records.
pub struct Recorder {
    store: Arc<dyn EventStore>,
    vault: Option<Arc<Vault>>,
    /// For digests and pseudonyms where there is no vault.
    passing: Arc<Pseudonyms>,
    conversations: Conversations,
}

impl Recorder {
    /// A recorder of no content, with a fresh key for digests and pseudonyms: they can be compared within one run of the
    /// process.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(store: Arc<dyn EventStore>) -> Result<Self, StoreError> {
        let secret = Secret::generate().map_err(|e| StoreError::Failed(e.to_string()))?;
        Ok(Self {
            store,
            vault: None,
            passing: Arc::new(Pseudonyms::new(&secret)),
            conversations: Conversations::default(),
        })
    }

    /// The same with a vault: keys that last, and content as its settings say. Both have to be over one store.
    #[must_use]
    pub fn with_vault(self, vault: Arc<Vault>) -> Self {
        Self { vault: Some(vault), ..self }
    }

    /// The same with pseudonyms that are kept. Without a vault of keys that last they could not be opened again.
    #[must_use]
    pub fn with_pseudonyms(self, store: Arc<dyn VaultStore>) -> Self {
        Self { conversations: Conversations::with_store(store), ..self }
    }

    /// Finds the conversation that a request belongs to, where the guard has operators. Ask [`Recorder::know`] before.
    ///
    /// # Errors
    /// The store fails or a key is not open; the caller answers 503.
    pub async fn converse(
        &self,
        guard: &Guard,
        who: &Principal,
        parsed: &Parsed,
    ) -> Result<Option<Arc<Conversation>>, StoreError> {
        if !guard.has_operators() {
            return Ok(None);
        }
        let unknown = || StoreError::Failed("the tenant's key is not open".to_owned());
        let names = self.names(&who.tenant).ok_or_else(unknown)?;
        // Without a name for it, a reply alone does not say what it is the reply to.
        let lone = parsed.exchange().direction == Direction::Reply && who.session.is_none();
        let kept = guard.pseudonyms_last().filter(|_| !lone);
        self.conversations.open(&names, who, parsed.exchange(), kept).await.map(Some)
    }

    /// Keeps the pseudonyms that a request has used, before it goes on as `passed`.
    ///
    /// # Errors
    /// The store fails; the caller answers 503, since the reply could not be restored.
    pub async fn keep_pseudonyms(
        &self,
        guard: &Guard,
        conversation: &Arc<Conversation>,
        who: &Principal,
        passed: &Exchange,
    ) -> Result<(), StoreError> {
        match guard.pseudonyms_last() {
            Some(ttl) => self.conversations.keep(conversation, who, passed, ttl).await,
            None => Ok(()),
        }
    }

    /// Takes away all pseudonyms of a tenant and closes its conversations, because its keys were destroyed. Answers how
    /// many the store had.
    ///
    /// # Errors
    /// The store fails; what it has left cannot be opened.
    pub async fn forget_pseudonyms(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        self.conversations.forget(tenant).await
    }

    /// The vault, where content is sealed.
    #[must_use]
    pub fn vault(&self) -> Option<&Vault> {
        self.vault.as_deref()
    }

    /// Opens the keys of a tenant. Until then its records have no pseudonyms and digests.
    ///
    /// # Errors
    /// The store or the master key fails; the caller answers 503.
    pub async fn know(&self, tenant: &TenantId) -> Result<(), StoreError> {
        match &self.vault {
            Some(vault) => vault.know(tenant).await,
            None => Ok(()),
        }
    }

    fn names(&self, tenant: &TenantId) -> Option<Arc<Pseudonyms>> {
        match &self.vault {
            Some(vault) => vault.names(tenant),
            None => Some(Arc::clone(&self.passing)),
        }
    }

    /// What a person of a tenant is called in its records; `None` where its keys are not [known](Self::know).
    #[must_use]
    pub fn user(&self, tenant: &TenantId, name: &str) -> Option<String> {
        Some(self.names(tenant)?.name("user", name))
    }

    fn pseudonyms(&self, who: &Principal) -> BTreeMap<String, String> {
        let Some(key) = self.names(&who.tenant) else { return BTreeMap::new() };
        [("user", &who.user), ("session", &who.session), ("feature", &who.feature), ("team", &who.team)]
            .into_iter()
            .filter_map(|(kind, name)| Some((kind.to_owned(), key.name(kind, name.as_deref()?))))
            .collect()
    }

    /// The keyed digest of a tenant's body, in hex; `None` where its key is not [known](Self::know).
    #[must_use]
    pub fn digest(&self, tenant: &TenantId, body: &[u8]) -> Option<String> {
        self.names(tenant).map(|key| key.digest(body))
    }

    /// Room for a body that may be recorded; `None` where none of its kind is.
    #[must_use]
    pub fn keep(&self, protocol: Protocol, direction: Direction, stream: bool) -> Option<Kept> {
        self.vault.as_ref()?.keep(protocol, direction, stream)
    }

    fn calls(&self, tenant: &TenantId, notes: &[CallNote]) -> Vec<CallRecord> {
        if notes.is_empty() {
            return Vec::new();
        }
        let names = self.names(tenant);
        notes.iter().take(MOST_CALLS).map(|note| note.record(names.as_deref())).collect()
    }

    /// The approvals of one caller, as they stand. Ask [`Recorder::know`] before; `None` where its key is not open.
    #[must_use]
    pub fn desk(&self, tenant: &TenantId, approvals: Vec<Approval>, endorsed: Vec<String>) -> Option<Desk> {
        Some(Desk::new(self.names(tenant)?, approvals, endorsed))
    }

    /// What seals and opens the content of a tenant's approvals. Ask [`Recorder::know`] before.
    #[must_use]
    pub fn approving(&self, tenant: &TenantId) -> Option<Approving> {
        Approving::new(&*self.names(tenant)?, tenant)
    }

    /// The record of a decision.
    #[must_use]
    pub fn event(&self, request: &Request, meta: &Meta, noted: Noted) -> Event {
        let id = match meta.direction {
            Direction::Request => &request.request_event,
            Direction::Reply => &request.reply_event,
        };
        Event {
            id: id.clone(),
            exchange: request.exchange.clone(),
            chain_id: String::new(),
            seq: 0,
            time: format!("{:.6}", jiff::Timestamp::now()),
            tenant: request.principal.tenant.clone(),
            key: request.principal.key.to_string(),
            pseudonyms: self.pseudonyms(&request.principal),
            route: request.route.clone(),
            protocol: meta.protocol,
            direction: meta.direction,
            model: bounded_model(&meta.model),
            mode: request.mode,
            verdict: noted.verdict,
            action: noted.action,
            rules: noted.rules,
            suppressed: noted.suppressed,
            exceptions: noted.exceptions,
            contained: noted.contained.into_iter().collect(),
            calls: self.calls(&request.principal.tenant, &noted.calls),
            scores: noted.scores,
            coverage: noted.coverage,
            policy: request.policy.clone(),
            engine: request.engine.clone(),
            hmacs: noted.hmacs,
            recording: String::new(),
            timings: Timings { total_us: micros(request.started.elapsed()), ..noted.timings },
            failed_open: noted.failed_open,
            candidate: noted.compared.map(|compared| compared.candidate.verdict),
            grounds: noted.grounds,
            prev: String::new(),
            hash: String::new(),
        }
    }

    /// Appends a record; durable against a crash of the process once this returns.
    ///
    /// # Errors
    /// The store is full or broken; the caller answers 503.
    pub async fn append(&self, event: Event) -> Result<(), StoreError> {
        self.store.append(event).await
    }

    /// Appends a record together with the body that it is about, where that is recorded: both or neither.
    ///
    /// # Errors
    /// The store is full or broken, or the key fails; the caller answers 503.
    pub async fn append_with(&self, event: Event, kept: Option<Kept>) -> Result<(), StoreError> {
        match (&self.vault, kept) {
            (Some(vault), Some(kept)) => vault.append(event, kept).await,
            _ => self.store.append(event).await,
        }
    }

    /// Appends the record of what the program did to itself, such as taking a configuration.
    ///
    /// # Errors
    /// The store is full or broken.
    pub async fn act(
        &self,
        deed: Deed,
        subject: &str,
        reason: &str,
        detail: BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let act = Act {
            id: new_id(),
            chain_id: String::new(),
            seq: 0,
            time: format!("{:.6}", jiff::Timestamp::now()),
            tenant: bartizan_core::TenantId::sole(),
            actor: "bartizan".to_owned(),
            deed,
            subject: subject.to_owned(),
            reason: reason.to_owned(),
            detail,
            prev: String::new(),
            hash: String::new(),
        };
        self.store.act(act).await
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }
}

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// A model name as it may be kept: it is the caller's text, so a long or odd one becomes `?`.
#[must_use]
pub fn bounded_model(model: &str) -> String {
    let plain = model.len() <= 128 && model.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/@+".contains(&b));
    if plain { model.to_owned() } else { "?".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_cannot_carry_content() {
        assert_eq!(bounded_model("gpt-4o-mini"), "gpt-4o-mini");
        assert_eq!(bounded_model("my ssn is 078-05-1120"), "?");
    }
}
