//! Counting everything in a store, for reports over all of it.

use std::collections::BTreeMap;

use bartizan_core::{Event, Head, StoreError, TenantId, Verdict};

use crate::database::{Built, Cells as _, Database, Whose, number, store_error};
use crate::read::{event, head};

const VERDICTS: [Verdict; 4] = [Verdict::Allow, Verdict::Redact, Verdict::Hold, Verdict::Deny];

/// How many records, from the last one back, are searched for what they contain: reading bodies is slower than counting.
const SEARCHED: u64 = 100_000;

/// What records can contain, by its word, and how the canonical JSON of one has it. A quotation mark in a string has a
/// backslash before it, so no text that somebody sent has these.
const CONTAINED: [(&str, &str); 3] = [
    ("tool-calls", r#"body LIKE '%"calls":[{%'"#),
    ("tool-texts", r#"body LIKE '%"injection":{%"tool":%'"#),
    ("mcp", r#"body LIKE '%"protocol":"mcp"%'"#),
];

/// What was done how often, and when last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeedTotal {
    /// How often.
    pub count: u64,
    /// When last, RFC 3339 in UTC.
    pub last: String,
}

/// The records of a store, counted. Nothing in it is content.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// The end of the chain.
    pub head: Head,
    /// Decisions.
    pub decisions: u64,
    /// When the first of them was made, RFC 3339 in UTC.
    pub since: Option<String>,
    /// When the last of them was made.
    pub until: Option<String>,
    /// Decisions by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Decisions of which the verdict was hold or deny, and which passed all the same: nothing was enforced.
    pub passed: u64,
    /// Decisions in which a rule fired, by the rule.
    pub rules: BTreeMap<String, u64>,
    /// What operators and the program did, by the word of the deed.
    pub deeds: BTreeMap<String, DeedTotal>,
    /// What stands in the latest decisions, by its word: `tool-calls`, `tool-texts`, `mcp`.
    pub contain: Vec<&'static str>,
    /// The last decision.
    pub last: Option<Event>,
}

/// Counts all records of one tenant, or of the installation, from a time on (RFC 3339 in UTC).
///
/// The database counts: a million decisions are one pass over the table, and one over those in which something fired.
pub(crate) async fn totals<D: Database>(
    db: &D,
    tenant: Option<&TenantId>,
    since: Option<&str>,
) -> Result<Totals, StoreError> {
    let whose = tenant.map_or(Whose::Operator, Whose::Tenant);
    let head = head(db).await?;
    let rows = |select: &str, kind: &str, rest: &str| {
        let mut sql = Built::new(format!("SELECT {select} FROM events WHERE kind = '{kind}'"));
        if let Some(tenant) = tenant {
            sql.push(" AND tenant = ").bind(tenant);
        }
        if let Some(since) = since {
            sql.push(" AND time >= ").bind(since);
        }
        sql.push(rest);
        db.rows(whose, sql.sql, sql.args)
    };
    // Counts in one pass: grouping would sort a million rows.
    let count = |what: &str| format!("COUNT(CASE WHEN {what} THEN 1 END)");
    let mut columns = vec!["COUNT(*), MIN(time), MAX(time)".to_owned()];
    columns.push(count("verdict IN ('hold', 'deny') AND action = 'pass'"));
    columns.extend(VERDICTS.iter().map(|verdict| count(&format!("verdict = '{verdict}'"))));
    let columns = columns.join(", ");
    let searched: Vec<String> = CONTAINED.iter().map(|(_, like)| count(like)).collect();
    let first = head.seq.unwrap_or(0).saturating_sub(SEARCHED);
    let (counts, fired, contained) = tokio::try_join!(
        rows(&columns, "decision", ""),
        rows("rules, COUNT(*)", "decision", " AND rules <> '' GROUP BY rules"),
        rows(&searched.join(", "), "decision", &format!(" AND seq >= {first}")),
    )?;
    let mut contain = Vec::new();
    if let Some(row) = contained.first() {
        for (at, (word, _)) in CONTAINED.into_iter().enumerate() {
            if number(row, at)? > 0 {
                contain.push(word);
            }
        }
    }
    let counts = counts.first().ok_or_else(|| StoreError::Failed("nothing was counted".to_owned()))?;
    let acts = rows("action, COUNT(*), MAX(time)", "act", " GROUP BY action").await?;
    let last = rows("body, hash", "decision", " ORDER BY seq DESC LIMIT 1").await?;

    let mut verdicts = BTreeMap::new();
    for (at, verdict) in VERDICTS.into_iter().enumerate() {
        verdicts.insert(verdict, number(counts, 4 + at)?);
    }
    // One row for each set of rules that fired together: far fewer than decisions.
    let mut rules = BTreeMap::new();
    for row in &fired {
        let (fired, decisions) = (row.text(0).map_err(store_error)?, number(row, 1)?);
        for rule in fired.split_whitespace() {
            *rules.entry(rule.to_owned()).or_default() += decisions;
        }
    }
    let mut deeds = BTreeMap::new();
    for row in &acts {
        let text = |at| row.text(at).map(str::to_owned).map_err(store_error);
        deeds.insert(text(0)?, DeedTotal { count: number(row, 1)?, last: text(2)? });
    }
    let time = |at| counts.maybe_text(at).map(|time| time.map(str::to_owned)).map_err(store_error);
    Ok(Totals {
        head,
        decisions: number(counts, 0)?,
        since: time(1)?,
        until: time(2)?,
        verdicts,
        passed: number(counts, 3)?,
        rules,
        deeds,
        contain,
        last: last.first().map(event).transpose()?,
    })
}
