//! How the guards themselves may fail: by rule family and direction.

use std::collections::BTreeMap;

use bartizan_core::{Direction, Family};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of text that a guard had no time to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is denied.
    #[default]
    Closed,
    /// It passes unread by that guard, is recorded and counted as a fail-open.
    Open,
}

/// How one guard works in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuardRule {
    /// Milliseconds that its detectors may take for one request or reply; without it there is no bound but those on
    /// sizes. A call under way is never interrupted, so it is a bound on starting, not on ending.
    pub budget_ms: Option<u64>,
    /// What becomes of text that it had no time for.
    pub on_failure: OnFailure,
}

/// How one guard works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuardRules {
    /// On the way to the model.
    pub request: GuardRule,
    /// On the way back.
    pub reply: GuardRule,
}

/// The guards with settings of their own, by rule family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct GuardTable(BTreeMap<Family, GuardRules>);

impl GuardTable {
    /// How a guard works in a direction.
    #[must_use]
    pub fn rule(&self, family: Family, direction: Direction) -> GuardRule {
        let rules = self.0.get(&family).copied().unwrap_or_default();
        match direction {
            Direction::Request => rules.request,
            Direction::Reply => rules.reply,
        }
    }
}
