//! How records are linked.
//!
//! The body of a record is its JSON without `hash`: compact, members in the order of [`Event`]. It is stored and
//! hashed as the same bytes, so a later version with more members still verifies what an earlier one wrote.

use aws_lc_rs::digest;
use bartizan_core::{Event, StoreError};

/// `prev` of the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

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
    /// Position of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.seq.map_or(0, |seq| seq + 1)
    }
}

/// One row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) time: String,
    pub(crate) tenant: String,
    pub(crate) verdict: &'static str,
    pub(crate) action: &'static str,
    pub(crate) rules: String,
    pub(crate) hash: String,
    pub(crate) body: String,
}

/// Puts an event at the end of a chain and moves the head.
pub(crate) fn link(mut event: Event, head: &mut Head) -> Result<Row, StoreError> {
    event.seq = head.next();
    event.chain_id.clone_from(&head.chain_id);
    event.prev.clone_from(&head.hash);
    event.hash.clear();
    let mut body = serde_json::to_string(&event).map_err(|e| StoreError::Failed(e.to_string()))?;
    // `hash` is the last member; an empty one is taken off again rather than describing every event twice.
    let Some(end) = body.strip_suffix(NO_HASH).map(str::len) else {
        return Err(StoreError::Failed("`hash` is not the last member of a record".to_owned()));
    };
    body.truncate(end);
    body.push('}');
    let hash = hash(&event.prev, &body);
    head.seq = Some(event.seq);
    head.hash.clone_from(&hash);
    Ok(Row {
        seq: event.seq,
        rules: rules(&event),
        id: event.id,
        time: event.time,
        tenant: event.tenant.as_str().to_owned(),
        verdict: event.verdict.as_str(),
        action: event.action.as_str(),
        hash,
        body,
    })
}

const NO_HASH: &str = ",\"hash\":\"\"}";

/// The event of a stored row.
pub(crate) fn event(body: &str, hash: &str) -> Result<Event, serde_json::Error> {
    let open = body.strip_suffix('}').unwrap_or(body);
    let mut event: Event = serde_json::from_str(&format!("{open}{NO_HASH}"))?;
    hash.clone_into(&mut event.hash);
    Ok(event)
}

/// The hash of a record, hex. `prev` has a fixed length, so no two inputs run together.
pub(crate) fn hash(prev: &str, body: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(prev.as_bytes());
    context.update(body.as_bytes());
    hex(context.finish().as_ref())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The names of the rules that fired, separated by spaces: ids contain none.
fn rules(event: &Event) -> String {
    let mut out = String::new();
    for rule in event.rules.keys() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(rule.as_str());
    }
    out
}

/// A row as it was read back.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) time: String,
    pub(crate) tenant: String,
    pub(crate) verdict: String,
    pub(crate) action: String,
    pub(crate) rules: String,
    pub(crate) hash: String,
    pub(crate) body: String,
}

/// Checks that a stored row is the next of the chain, and moves the head.
///
/// # Errors
/// [`StoreError::Broken`] with the position and what does not fit.
pub(crate) fn check(row: &Stored, head: &mut Head) -> Result<(), StoreError> {
    let next = head.next();
    let broken = |reason: &str| Err(StoreError::Broken { seq: next, reason: reason.to_owned() });
    if row.seq != next {
        return broken("the record is missing");
    }
    if hash(&head.hash, &row.body) != row.hash {
        return broken("its hash does not match its content and the record before it");
    }
    let event = match event(&row.body, &row.hash) {
        Ok(event) => event,
        Err(e) => return broken(&format!("it cannot be read: {e}")),
    };
    if event.seq != row.seq || event.prev != head.hash {
        return broken("it belongs to another place");
    }
    if event.chain_id != head.chain_id {
        return broken("it belongs to another chain");
    }
    let columns = row.id == event.id
        && row.time == event.time
        && row.tenant == event.tenant.as_str()
        && row.verdict == event.verdict.as_str()
        && row.action == event.action.as_str()
        && row.rules == rules(&event);
    if !columns {
        return broken("its columns do not match its content");
    }
    head.seq = Some(next);
    head.hash.clone_from(&row.hash);
    Ok(())
}
