//! What a corpus may hold to be trained on: limits on rows with findings, by rule, severity and confidence.

use bartizan_core::finding::FindingRecord;
use bartizan_core::{Confidence, Severity};
use serde::{Deserialize, Serialize};

use crate::clean::What;
use crate::scanner::Looked;

/// Limits, all of which have to hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Each by itself.
    limit: Vec<Limit>,
}

/// One limit. Of `rows`, `findings` and `share` those that are given have to hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    /// A family of rules, a rule, an entity type, `poison`, `duplicate`, `contamination`, or `unread`; `*` is everything.
    what: String,
    /// Least severity of findings that count.
    severity: Option<Severity>,
    /// Least confidence of findings that count.
    confidence: Option<Confidence>,
    /// Most rows with such a finding; of `unread`, most places.
    rows: Option<u64>,
    /// Most such findings.
    findings: Option<u64>,
    /// Most rows with such a finding, as a share of all rows from 0 to 1.
    share: Option<f64>,
}

/// How a limit stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stood {
    /// What it is about.
    pub what: String,
    /// Least severity of findings that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Least confidence of findings that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The limit in words.
    pub limit: String,
    /// Rows that count, or places that were not read.
    pub rows: u64,
    /// Findings that count.
    pub findings: u64,
    /// True where it holds.
    pub met: bool,
}

/// Limits and what counts against them.
#[derive(Clone, Debug)]
pub struct Gates {
    all: Vec<(Limit, What, u64, u64)>,
    rows: u64,
}

impl Gates {
    /// Of limits.
    ///
    /// # Errors
    /// What is wrong with one.
    pub fn new(limits: Limits) -> Result<Self, String> {
        if limits.limit.is_empty() {
            return Err("it has no `[[limit]]`".to_owned());
        }
        let read = |limit: Limit| {
            let what = What::parse(&limit.what).map_err(|why| format!("`what`: {why}"))?;
            let told = &limit.what;
            if limit.rows.is_none() && limit.findings.is_none() && limit.share.is_none() {
                return Err(format!("the limit on `{told}` needs `rows`, `findings` or `share`"));
            }
            if limit.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                return Err(format!("the `share` of the limit on `{told}` is not between 0 and 1"));
            }
            let about_findings = limit.severity.is_some() || limit.confidence.is_some() || limit.findings.is_some();
            if what == What::Unread && about_findings {
                return Err("the limit on `unread` takes `rows` or `share` only".to_owned());
            }
            Ok((limit, what, 0, 0))
        };
        Ok(Self { all: limits.limit.into_iter().map(read).collect::<Result<_, _>>()?, rows: 0 })
    }

    /// Takes in a row; true where what is left in it counts against a limit.
    pub fn add(&mut self, looked: &Looked) -> bool {
        self.rows += 1;
        let mut counts = false;
        for (limit, what, rows, findings) in &mut self.all {
            let here = looked.left().filter(|finding| limit.counts(what, finding)).count() as u64;
            *findings += here;
            *rows += u64::from(here > 0);
            counts |= here > 0;
            if *what == What::Unread && crate::scanner::partial(&looked.report.coverage) {
                *rows += 1;
                counts = true;
            }
        }
        counts
    }

    /// Takes in a place that was not read.
    pub fn unread(&mut self) {
        for (_, _, rows, _) in self.all.iter_mut().filter(|(_, what, ..)| *what == What::Unread) {
            *rows += 1;
        }
    }

    /// True where a limit says how much may be unread: more or less than that is no other matter.
    #[must_use]
    pub fn on_unread(&self) -> bool {
        self.all.iter().any(|(_, what, ..)| *what == What::Unread)
    }

    /// How each limit stands.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn stood(&self) -> Vec<Stood> {
        self.all
            .iter()
            .map(|(limit, _, rows, findings)| {
                let of_all = *rows as f64 / self.rows.max(1) as f64;
                let met = limit.rows.is_none_or(|most| *rows <= most)
                    && limit.findings.is_none_or(|most| *findings <= most)
                    && limit.share.is_none_or(|most| of_all <= most);
                let words = [
                    limit.rows.map(|most| format!("{most} rows")),
                    limit.findings.map(|most| format!("{most} findings")),
                    limit.share.map(|most| format!("{most} of the rows")),
                ];
                Stood {
                    what: limit.what.clone(),
                    severity: limit.severity,
                    confidence: limit.confidence,
                    limit: format!("at most {}", words.into_iter().flatten().collect::<Vec<_>>().join(" and ")),
                    rows: *rows,
                    findings: *findings,
                    met,
                }
            })
            .collect()
    }
}

impl Limit {
    fn counts(&self, what: &What, finding: &FindingRecord) -> bool {
        what.matches(&finding.rule, finding.entity.as_deref())
            && self.severity.is_none_or(|least| finding.severity >= least)
            && self.confidence.is_none_or(|least| finding.confidence >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examine::RowReport;
    use crate::layout::Row;
    use bartizan_core::RuleId;

    fn gates(limits: serde_json::Value) -> Result<Gates, String> {
        Gates::new(serde_json::from_value(serde_json::json!({ "limit": limits })).unwrap())
    }

    fn row(rules: &[(&str, Severity)], dealt: bool) -> Looked {
        let mut report = RowReport::new("a", 0, &Row::default());
        report.findings.extend(rules.iter().map(|(rule, severity)| FindingRecord {
            rule: RuleId::parse(rule).unwrap(),
            severity: *severity,
            confidence: Confidence::Medium,
            entity: None,
            path: None,
            start: 0,
            end: 1,
            in_use: None,
        }));
        Looked { dealt: vec![dealt; rules.len()], ..Looked::new(report, 1) }
    }

    #[test]
    fn what_is_left_counts_by_rule_severity_and_number() {
        let mut gates = gates(serde_json::json!([
            {"what": "secret", "rows": 1},
            {"what": "pii", "severity": "medium", "share": 0.25},
            {"what": "poison", "rows": 0},
            {"what": "pii/email", "confidence": "high", "findings": 0},
            {"what": "unread", "rows": 0},
        ]))
        .unwrap();
        assert!(gates.add(&row(&[("secret/jwt", Severity::High), ("secret/jwt", Severity::High)], false)));
        assert!(gates.add(&row(&[("pii/email", Severity::Medium)], false)));
        assert!(!gates.add(&row(&[("pii/email", Severity::Low)], false)));
        assert!(!gates.add(&row(&[("data/poison-trigger", Severity::Critical)], true)), "it was dealt with");
        let met = |gates: &Gates| gates.stood().iter().map(|one| one.met).collect::<Vec<_>>();
        assert_eq!(met(&gates), [true; 5]);
        gates.add(&row(&[("secret/jwt", Severity::High)], false));
        gates.add(&row(&[("pii/iban", Severity::High)], false));
        gates.add(&row(&[("data/poison-payload", Severity::High)], false));
        gates.unread();
        assert_eq!(met(&gates), [false, false, false, true, false]);
        assert_eq!((gates.stood()[0].rows, gates.stood()[0].findings), (2, 3));
        assert!(gates.on_unread());
    }

    #[test]
    fn what_is_wrong_with_a_limit_is_said() {
        for (limits, why) in [
            (serde_json::json!([]), "no `[[limit]]`"),
            (serde_json::json!([{"what": "sekret", "rows": 0}]), "`secret`"),
            (serde_json::json!([{"what": "secret"}]), "needs `rows`"),
            (serde_json::json!([{"what": "secret", "share": 2.0}]), "between 0 and 1"),
            (serde_json::json!([{"what": "unread", "rows": 0, "severity": "high"}]), "takes `rows`"),
        ] {
            let said = gates(limits).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
