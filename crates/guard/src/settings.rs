//! The part of the configuration that decides about content.

use std::collections::BTreeMap;

use bartizan_core::{Limits, Mode};
use bartizan_engine::Suppression;
use bartizan_policy::Policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// What routes say for themselves, by name.
    pub routes: BTreeMap<String, RouteChecks>,
}

/// What a route says for itself. What is left out is as for all routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteChecks {
    /// Settings of rules.
    pub rules: bartizan_rules::RouteSettings,
    /// JSON Schema that the text of every reply has to fit.
    pub reply_schema: Option<Value>,
    /// Whether replies have to fit the schema that their request asks for.
    pub validate_requested_schema: bool,
    /// Most tokens of a request, estimated.
    pub max_input_tokens: Option<usize>,
}
