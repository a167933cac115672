//! A report beside an earlier one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assess::Status;
use crate::report::{Report, Totals};

/// Most earlier reports that are carried along.
const MOST: usize = 120;

/// How many identifiers stood where at a time, by catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When, RFC 3339.
    pub made: String,
    /// By the short name of the catalogue.
    pub totals: BTreeMap<String, Totals>,
}

/// An identifier that stands elsewhere than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The catalogue.
    pub framework: String,
    /// The identifier.
    pub id: String,
    /// Where it stood.
    pub before: Status,
    /// Where it stands.
    pub now: Status,
}

impl Change {
    /// True where less is shown than before.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.now.rank() < self.before.rank() && self.before.rank().is_some()
    }
}

/// What changed since an earlier report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// When the earlier report was made, RFC 3339.
    pub since: String,
    /// Identifiers that stand elsewhere.
    pub changes: Vec<Change>,
    /// Earlier reports, oldest first; each carries those before it.
    pub history: Vec<Point>,
}

/// The totals of a report.
fn point(report: &Report) -> Point {
    let totals = report.frameworks.iter().map(|f| (f.id.clone(), f.totals)).collect();
    Point { made: report.made.clone(), totals }
}

/// What a report says beside an earlier one.
pub(crate) fn compare(before: &Report, now: &Report) -> Trend {
    let mut stood: BTreeMap<(&str, &str), Status> = BTreeMap::new();
    for framework in &before.frameworks {
        stood.extend(framework.controls.iter().map(|c| ((framework.id.as_str(), c.id.as_str()), c.status)));
    }
    let mut changes = Vec::new();
    for framework in &now.frameworks {
        for control in &framework.controls {
            if let Some(earlier) = stood.get(&(framework.id.as_str(), control.id.as_str()))
                && *earlier != control.status
            {
                changes.push(Change {
                    framework: framework.id.clone(),
                    id: control.id.clone(),
                    before: *earlier,
                    now: control.status,
                });
            }
        }
    }
    // What got worse is what somebody has to look at.
    changes.sort_by_key(|change| !change.is_worse());
    let mut history: Vec<Point> = before.trend.iter().flat_map(|trend| trend.history.iter().cloned()).collect();
    history.push(point(before));
    let surplus = history.len().saturating_sub(MOST);
    history.drain(..surplus);
    Trend { since: before.made.clone(), changes, history }
}
