//! The part of the configuration that decides about content.

use bartizan_core::{Limits, Mode};
use bartizan_engine::Suppression;
use bartizan_policy::Policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part of the configuration that decides about content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// Bounds on work and memory.
    pub limits: Limits,
    /// Settings of the rules.
    pub rules: bartizan_rules::Settings,
    /// What findings mean.
    pub policy: Policy,
    /// Findings that are known and accepted.
    pub suppress: Vec<Suppression>,
}
