//! The JSON lines of `bartizan check`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::coverage::Coverage;
use crate::finding::FindingRecord;
use crate::subject::Scores;
use crate::verdict::Verdict;

/// Decisions at the shipped thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Flags {
    /// The text tries to instruct the model against its operator.
    pub injection: bool,
}

/// One line out. `Id` is how the caller holds the `id` of the input.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckOutput<Id = serde_json::Value> {
    /// The `id` of the input.
    pub id: Id,
    /// What policy decides.
    pub verdict: Verdict,
    /// Scores; `injection` is always there.
    pub scores: Scores,
    /// Decisions at the shipped thresholds.
    pub flags: Flags,
    /// Findings by place.
    pub findings: Vec<FindingRecord>,
    /// What was not read.
    pub coverage: Coverage,
    /// Ids of the containments that it met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contained: Vec<String>,
}
