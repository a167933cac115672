//! How records are linked.
//!
//! The body of a record is its JSON without `hash`: compact, members in the order of [`Event`] or [`Act`]. It is
//! stored and hashed as the same bytes, so a later version with more members still verifies what an earlier one
//! wrote.

use aws_lc_rs::digest;
use bartizan_core::store::GENESIS;
use bartizan_core::{Act, Deed, Event, Head, Record, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The word for a decision in the column `kind`.
pub(crate) const DECISION: &str = "decision";
/// The word for an act.
pub(crate) const ACT: &str = "act";

/// One row as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) time: String,
    pub(crate) tenant: String,
    pub(crate) exchange: String,
    pub(crate) key: String,
    pub(crate) verdict: String,
    pub(crate) action: String,
    pub(crate) rules: String,
    pub(crate) hash: String,
    pub(crate) body: String,
}

/// Puts a record at the end of a chain and moves the head.
pub(crate) fn link(record: &mut Record, head: &mut Head) -> Result<Row, StoreError> {
    let seq = head.next();
    let body = match record {
        Record::Decision(event) => {
            event.seq = seq;
            event.chain_id.clone_from(&head.chain_id);
            event.prev.clone_from(&head.hash);
            event.hash.clear();
            body(event.as_ref())?
        }
        Record::Act(act) => {
            act.seq = seq;
            act.chain_id.clone_from(&head.chain_id);
            act.prev.clone_from(&head.hash);
            act.hash.clear();
            body(act.as_ref())?
        }
    };
    let hash = hash(&head.hash, &body);
    head.seq = Some(seq);
    head.hash.clone_from(&hash);
    Ok(Row { hash, body, ..columns(record) })
}

/// `hash` is the last member; an empty one is taken off again rather than describing every record twice.
fn body(record: &impl Serialize) -> Result<String, StoreError> {
    let mut body = serde_json::to_string(record).map_err(|e| StoreError::Failed(e.to_string()))?;
    let Some(end) = body.strip_suffix(NO_HASH).map(str::len) else {
        return Err(StoreError::Failed("`hash` is not the last member of a record".to_owned()));
    };
    body.truncate(end);
    body.push('}');
    Ok(body)
}

const NO_HASH: &str = ",\"hash\":\"\"}";

/// The decision of a stored row.
pub(crate) fn event(body: &str, hash: &str) -> Result<Event, serde_json::Error> {
    let mut event: Event = parse(body)?;
    hash.clone_into(&mut event.hash);
    Ok(event)
}

/// The act of a stored row.
pub(crate) fn act(body: &str, hash: &str) -> Result<Act, serde_json::Error> {
    let mut act: Act = parse(body)?;
    hash.clone_into(&mut act.hash);
    Ok(act)
}

/// The record of a stored row.
pub(crate) fn record(kind: &str, body: &str, hash: &str) -> Result<Record, serde_json::Error> {
    if kind == ACT {
        act(body, hash).map(|a| Record::Act(Box::new(a)))
    } else {
        event(body, hash).map(|e| Record::Decision(Box::new(e)))
    }
}

fn parse<T: DeserializeOwned>(body: &str) -> Result<T, serde_json::Error> {
    let open = body.strip_suffix('}').unwrap_or(body);
    serde_json::from_str(&format!("{open}{NO_HASH}"))
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

/// What a row repeats of its record, for queries.
fn columns(record: &Record) -> Row {
    match record {
        Record::Decision(event) => Row {
            seq: event.seq,
            kind: DECISION.to_owned(),
            id: event.id.clone(),
            time: event.time.clone(),
            tenant: event.tenant.to_string(),
            exchange: event.exchange.clone(),
            key: event.key.clone(),
            verdict: event.verdict.to_string(),
            action: event.action.to_string(),
            rules: rules(event),
            ..Row::default()
        },
        Record::Act(act) => Row {
            seq: act.seq,
            kind: ACT.to_owned(),
            id: act.id.clone(),
            time: act.time.clone(),
            tenant: act.tenant.to_string(),
            action: act.deed.to_string(),
            ..Row::default()
        },
    }
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

/// Walks along a chain and checks each link.
#[derive(Debug)]
pub(crate) struct Walk {
    head: Head,
    /// The oldest record that is there, where earlier ones are not, and the hash that it builds on.
    missing: Option<(u64, String)>,
}

impl Walk {
    /// A walk from the oldest record kept.
    pub(crate) fn new(chain_id: String) -> Self {
        Self { head: Head { chain_id, seq: None, hash: GENESIS.to_owned() }, missing: None }
    }

    /// Checks that a stored row is the next of the chain.
    ///
    /// # Errors
    /// [`StoreError::Broken`] with the position and what does not fit.
    pub(crate) fn step(&mut self, row: &Row) -> Result<Record, StoreError> {
        let next = self.head.next();
        let broken = |reason: &str| Err(StoreError::Broken { seq: next, reason: reason.to_owned() });
        let record = match record(&row.kind, &row.body, &row.hash) {
            Ok(record) => record,
            Err(e) => return broken(&format!("it cannot be read: {e}")),
        };
        let (prev, chain_id) = match &record {
            Record::Decision(event) => (&event.prev, &event.chain_id),
            Record::Act(act) => (&act.prev, &act.chain_id),
        };
        if self.head.seq.is_none() && row.seq > 0 && row.seq < u64::MAX {
            // Earlier records may have been pruned; then a later one says so.
            self.missing = Some((row.seq, prev.clone()));
            self.head.seq = Some(row.seq - 1);
            self.head.hash.clone_from(prev);
        } else if row.seq != next {
            return broken("the record is missing");
        }
        let next = self.head.next();
        let broken = |reason: &str| Err(StoreError::Broken { seq: next, reason: reason.to_owned() });
        if hash(&self.head.hash, &row.body) != row.hash {
            return broken("its hash does not match its content and the record before it");
        }
        if record.seq() != row.seq || *prev != self.head.hash {
            return broken("it belongs to another place");
        }
        if *chain_id != self.head.chain_id {
            return broken("it belongs to another chain");
        }
        if (Row { hash: row.hash.clone(), body: row.body.clone(), ..columns(&record) }) != *row {
            return broken("its columns do not match its content");
        }
        if let (Some((first, before)), Record::Act(act)) = (&self.missing, &record)
            && act.deed == Deed::Pruned
            && act.detail.get("before").is_some_and(|b| *b == first.to_string())
            && act.detail.get("head") == Some(before)
        {
            self.missing = None;
        }
        self.head.seq = Some(next);
        self.head.hash.clone_from(&row.hash);
        Ok(record)
    }

    /// The number of records since the chain began.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where the first ones are missing and no record says that they were pruned.
    pub(crate) fn end(self) -> Result<u64, StoreError> {
        if self.missing.is_some() {
            let reason = "the record is missing, and no later one says that it was pruned".to_owned();
            return Err(StoreError::Broken { seq: 0, reason });
        }
        Ok(self.head.next())
    }

    /// Position of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.head.next()
    }
}
