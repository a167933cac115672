//! What is done to the chain besides appending: checkpoints, retention, erasure, unsealing. Each leaves a record.

use std::sync::Arc;

use bartizan_core::{Act, ChainStore, Deed, Destroyed, Event, EventStore, SealedStore, StoreError, TenantId};
use bartizan_sign::merkle::{Tree, leaf};
use bartizan_sign::{Checkpoint, Claim, NoteKey, hex, unhex};
use uuid::Uuid;

use crate::vault::{Opened, Vault};

/// Who the program itself is in the record of a deed.
pub const PROGRAM: &str = "bartizan";

/// Hashes that are read at once.
const BATCH: u32 = 4096;

/// Most records that one pruning takes away: a store that does it cannot record meanwhile.
const PRUNED: u64 = 20_000;

/// The record of a deed that is done now.
#[must_use]
pub fn deed(deed: Deed, tenant: &TenantId, actor: &str) -> Act {
    Act::new(Uuid::now_v7().to_string(), now(), tenant.clone(), actor, deed)
}

/// Now, as records have it: RFC 3339 in UTC with microseconds.
#[must_use]
pub fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

/// The time so many days ago, as records have it.
#[must_use]
pub fn days_ago(days: u32) -> String {
    let ago = jiff::SignedDuration::from_hours(i64::from(days) * 24);
    format!("{:.6}", jiff::Timestamp::now().checked_sub(ago).unwrap_or(jiff::Timestamp::MIN))
}

/// The tree that a record of a checkpoint or pruning names; `None` where it names none.
#[must_use]
pub fn tree_of(act: &Act) -> Option<Tree> {
    let size = act.detail.get("before")?.parse().ok()?;
    let peaks = act.detail.get("tree")?.split_whitespace().map(unhex).collect::<Option<Vec<_>>>()?;
    Tree::from_parts(size, peaks)
}

/// Looks after one chain.
pub struct Keeper {
    chain: Arc<dyn ChainStore>,
    key: Option<NoteKey>,
    tree: Option<Tree>,
}

impl Keeper {
    /// With the key that signs, where there is one.
    #[must_use]
    pub fn new(chain: Arc<dyn ChainStore>, key: Option<NoteKey>) -> Self {
        Self { chain, key, tree: None }
    }

    /// The tree over the records before a position, from what is known of an earlier one.
    async fn tree(&self, start: Tree, size: u64) -> Result<Tree, StoreError> {
        let mut tree = start;
        while tree.size() < size {
            let hashes = self.chain.hashes(tree.size(), BATCH).await?;
            let before = tree.size();
            for (seq, hash) in hashes {
                if seq != tree.size() || seq >= size {
                    break;
                }
                let bytes = unhex::<32>(&hash);
                let broken = || StoreError::Broken { seq, reason: "its hash is none".to_owned() };
                tree.push(leaf(&bytes.ok_or_else(broken)?));
            }
            if tree.size() == before {
                return Err(StoreError::Broken { seq: before, reason: "the record is missing".to_owned() });
            }
        }
        Ok(tree)
    }

    /// How many records the last checkpoint on record covers: 0 without one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn covered(&self) -> Result<u64, StoreError> {
        Ok(self.chain.last_act(Deed::Checkpointed).await?.as_ref().and_then(tree_of).map_or(0, |tree| tree.size()))
    }

    /// The largest tree on record that is not larger than `most`.
    async fn start(&self, most: u64) -> Result<Tree, StoreError> {
        let mut best = Tree::new();
        for kind in [Deed::Pruned, Deed::Checkpointed] {
            if let Some(tree) = self.chain.last_act(kind).await?.as_ref().and_then(tree_of)
                && tree.size() <= most
                && tree.size() > best.size()
            {
                best = tree;
            }
        }
        Ok(best)
    }

    fn note(&self, claim: Claim, chain_id: String, tree: &Tree, head: &str, time: &str) -> Option<String> {
        let (root, size) = (tree.root(), tree.size());
        let checkpoint = Checkpoint { claim, chain_id, size, root, head: head.to_owned(), time: time.to_owned() };
        self.key.as_ref().map(|key| key.sign(&checkpoint.text()))
    }

    /// Signs the end of the chain, where records came since the last time. `None` without a key or news. The record of
    /// it is appended once the note has been [given away](Self::given).
    ///
    /// # Errors
    /// The store fails.
    pub async fn checkpoint(&mut self) -> Result<Option<(String, Act)>, StoreError> {
        let head = self.chain.head().await?;
        let known = match self.tree.take() {
            Some(tree) if tree.size() <= head.next() => tree,
            _ => self.start(head.next()).await?,
        };
        // The record of the last checkpoint is no news.
        if self.key.is_none() || head.next() <= known.size().saturating_add(u64::from(known.size() > 0)) {
            self.tree = Some(known);
            return Ok(None);
        }
        let tree = self.tree(known, head.next()).await?;
        let note = self.note(Claim::Checkpoint, head.chain_id, &tree, &head.hash, &now());
        let act = with_tree(deed(Deed::Checkpointed, &TenantId::sole(), PROGRAM), &tree, &head.hash);
        self.tree = Some(tree);
        Ok(note.map(|note| (note, act)))
    }

    /// Appends the record of a checkpoint that was given away.
    ///
    /// # Errors
    /// The store fails.
    pub async fn given(&self, act: Act) -> Result<(), StoreError> {
        self.chain.act(act).await
    }

    /// Takes away the records older than a time, in parts. Answers how many.
    ///
    /// # Errors
    /// The store fails.
    pub async fn prune(&mut self, older_than: &str) -> Result<u64, StoreError> {
        let mut pruned = 0;
        loop {
            let Some(first) = self.chain.first().await? else { return Ok(pruned) };
            let head = self.chain.head().await?;
            let end = self.chain.first_since(older_than).await?.unwrap_or_else(|| head.next());
            let before = end.min(first.saturating_add(PRUNED));
            if before <= first {
                return Ok(pruned);
            }
            let start = match self.chain.last_act(Deed::Pruned).await?.as_ref().and_then(tree_of) {
                Some(tree) if tree.size() == first => tree,
                _ if first == 0 => Tree::new(),
                _ => return Err(StoreError::Failed("no record says what was pruned before".to_owned())),
            };
            let tree = self.tree(start, before).await?;
            let last = self.chain.hashes(before - 1, 1).await?;
            let Some((_, hash)) = last.into_iter().next() else { return Ok(pruned) };
            let act = with_tree(deed(Deed::Pruned, &TenantId::sole(), PROGRAM), &tree, &hash);
            let note = self.note(Claim::Pruned, head.chain_id, &tree, &hash, &act.time);
            let act = act.with("first", first).with("records", before - first).with("older_than", older_than);
            let act = if let Some(note) = note { act.with("note", note) } else { act };
            self.chain.prune(before, act).await?;
            pruned += before - first;
        }
    }
}

fn with_tree(act: Act, tree: &Tree, head: &str) -> Act {
    let peaks: Vec<String> = tree.peaks().iter().map(|peak| hex(peak)).collect();
    act.with("before", tree.size()).with("tree", peaks.join(" ")).with("head", head)
}

/// Destroys the content keys of days before one (`YYYY-MM-DD`) for every tenant that has some.
///
/// # Errors
/// The store fails.
pub async fn forget(store: &dyn SealedStore, day: &str) -> Result<u64, StoreError> {
    let mut keys = 0;
    for tenant in store.sealed_tenants(day).await? {
        let act = deed(Deed::Erased, &tenant, PROGRAM).because("retention").with("before", day);
        keys += store.destroy_sealed(&tenant, Some(day), act).await?.keys;
    }
    Ok(keys)
}

/// Makes what is recorded of a tenant unreadable for good: of the days before one, or all of it, then with the key of
/// its pseudonyms.
///
/// # Errors
/// The store fails.
pub async fn erase(
    store: &dyn SealedStore,
    tenant: &TenantId,
    before: Option<&str>,
    actor: &str,
    reason: &str,
) -> Result<Destroyed, StoreError> {
    let act = deed(Deed::Erased, tenant, actor).because(reason);
    let act = if let Some(day) = before { act.with("before", day) } else { act };
    store.destroy_sealed(tenant, before, act).await
}

/// Opens what is recorded of a decision or exchange for someone with a role and a reason. The record of that comes
/// first: without it nothing is opened.
///
/// # Errors
/// The store fails, or the content cannot be opened.
pub async fn unseal(
    store: &dyn EventStore,
    vault: &Vault,
    tenant: &TenantId,
    id: &str,
    (actor, role): (&str, &str),
    reason: &str,
) -> Result<Vec<Opened>, StoreError> {
    store.act(deed(Deed::Unsealed, tenant, actor).about(id).because(reason).with("role", role)).await?;
    vault.open(tenant, id).await
}

/// Decrypts what the operator `encrypt` has made, for someone with a role and a reason. The record of that comes first.
/// `None` where it was made with another key.
///
/// # Errors
/// The store or the master key fails.
pub async fn reveal(
    store: &dyn EventStore,
    vault: &Vault,
    tenant: &TenantId,
    token: &str,
    (actor, role): (&str, &str),
    reason: &str,
) -> Result<Option<String>, StoreError> {
    let act = deed(Deed::Unsealed, tenant, actor).about("encrypted value").because(reason);
    store.act(act.with("role", role)).await?;
    vault.know(tenant).await?;
    let keys = vault.names(tenant).and_then(|names| crate::conversation::keys(&names, tenant));
    Ok(keys.and_then(|keys| bartizan_policy::operator::decrypt(&keys, token)))
}

/// The hash of a decision as its chain has it, recomputed from what is exported: `None` where a later version wrote
/// it with members that this one does not know.
#[must_use]
pub fn body_of(event: &Event) -> Option<String> {
    let text = serde_json::to_string(event).ok()?;
    text.strip_suffix(&format!(",\"hash\":\"{}\"}}", event.hash)).map(|open| format!("{open}}}"))
}
