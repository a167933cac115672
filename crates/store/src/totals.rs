//! Counting everything in a store, for reports over all of it.

use std::collections::BTreeMap;

use bartizan_core::{ChainStore as _, Event, Head, StoreError, TenantId, Verdict};
use sqlx::sqlite::Sqlite;
use sqlx::{QueryBuilder, Row as _};

use crate::read::{event, number};
use crate::sqlite::{SqliteStore, store_error};

const VERDICTS: [Verdict; 4] = [Verdict::Allow, Verdict::Redact, Verdict::Hold, Verdict::Deny];

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
    /// The last decision.
    pub last: Option<Event>,
}

impl SqliteStore {
    /// Counts all records of one tenant, or of the installation, from a time on (RFC 3339 in UTC).
    ///
    /// SQLite counts: a million decisions are one pass over the table, and one over those in which something fired.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the database cannot be read.
    pub async fn totals(&self, tenant: Option<&TenantId>, since: Option<&str>) -> Result<Totals, StoreError> {
        let of = |select: &str, kind: &str| {
            let mut sql = QueryBuilder::<Sqlite>::new(format!("SELECT {select} FROM events WHERE kind = '{kind}'"));
            if let Some(tenant) = tenant {
                sql.push(" AND tenant = ").push_bind(tenant.as_str().to_owned());
            }
            if let Some(since) = since {
                sql.push(" AND time >= ").push_bind(since.to_owned());
            }
            sql
        };
        // Sums in one pass: grouping would sort a million rows.
        let sum = |what: &str| format!("COALESCE(SUM({what}), 0)");
        let mut columns = vec!["COUNT(*), MIN(time), MAX(time)".to_owned()];
        columns.push(sum("verdict IN ('hold', 'deny') AND action = 'pass'"));
        columns.extend(VERDICTS.iter().map(|verdict| sum(&format!("verdict = '{verdict}'"))));
        let mut counts = of(&columns.join(", "), "decision");
        let mut fired = of("rules, COUNT(*)", "decision");
        fired.push(" AND rules <> '' GROUP BY rules");
        let mut acts = of("action, COUNT(*), MAX(time)", "act");
        acts.push(" GROUP BY action");
        let mut last = of("body, hash", "decision");
        last.push(" ORDER BY seq DESC LIMIT 1");
        let pool = self.readers();
        let (counts, fired) =
            tokio::try_join!(counts.build().fetch_one(pool), fired.build().fetch_all(pool)).map_err(store_error)?;
        let acts = acts.build().fetch_all(pool).await.map_err(store_error)?;
        let last = last.build().fetch_optional(pool).await.map_err(store_error)?;

        let mut verdicts = BTreeMap::new();
        for (at, verdict) in VERDICTS.into_iter().enumerate() {
            verdicts.insert(verdict, number(&counts, 4 + at)?);
        }
        // One row for each set of rules that fired together: far fewer than decisions.
        let mut rules = BTreeMap::new();
        for row in &fired {
            let (fired, decisions): (String, u64) = (row.try_get(0).map_err(store_error)?, number(row, 1)?);
            for rule in fired.split_whitespace() {
                *rules.entry(rule.to_owned()).or_default() += decisions;
            }
        }
        let mut deeds = BTreeMap::new();
        for row in &acts {
            let total = DeedTotal { count: number(row, 1)?, last: row.try_get(2).map_err(store_error)? };
            deeds.insert(row.try_get(0).map_err(store_error)?, total);
        }
        Ok(Totals {
            head: self.head().await?,
            decisions: number(&counts, 0)?,
            since: counts.try_get(1).map_err(store_error)?,
            until: counts.try_get(2).map_err(store_error)?,
            verdicts,
            passed: number(&counts, 3)?,
            rules,
            deeds,
            last: last.as_ref().map(event).transpose()?,
        })
    }
}
