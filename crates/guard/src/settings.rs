//! The part of the configuration that decides about content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_core::{Direction, Limits, Mode};
use bartizan_engine::Suppression;
use bartizan_policy::Policy;
use bartizan_policy::provenance::Writer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::Content;
use crate::exceptions::Exception;
use crate::protected::ProtectedCorpus;

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
    /// Corpora that replies must not repeat.
    pub protected: Vec<ProtectedCorpus>,
    /// The injection classifier.
    pub classifier: ClassifierSettings,
    /// Findings that are known and accepted.
    pub suppress: Vec<Suppression>,
    /// Findings that are accepted for a while.
    pub exceptions: Vec<Exception>,
    /// What routes say for themselves, by name.
    pub routes: BTreeMap<String, RouteChecks>,
    /// What a content pack puts in the place of what is shipped. Filled in by whoever reads the pack.
    #[serde(skip)]
    pub content: Option<Arc<Content>>,
}

/// The injection classifier: `docs/guide/injection.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierSettings {
    /// Whether a small transformer reads the passages that the linear stage is not sure of: some milliseconds of
    /// processor time for each of them, and none for the rest.
    pub second_stage: bool,
}

impl Default for ClassifierSettings {
    fn default() -> Self {
        Self { second_stage: true }
    }
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
    /// Who writes the user messages.
    pub user: Writer,
}

/// Which bodies are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordMode {
    /// None.
    #[default]
    Off,
    /// Those in which a rule fired, or that did not pass.
    Fired,
    /// Each.
    All,
}

/// Who may open what is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRole {
    /// Name in records.
    pub name: String,
    /// SHA-256 of the key of the role, hex: `bartizan record role NAME` makes a key and prints it.
    pub key_sha256: String,
}

/// Recording of content. Everything is sealed with a key of its tenant and day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordSettings {
    /// Which bodies are recorded.
    pub mode: RecordMode,
    /// Which way they go: `request` as received, `reply` as the model sent it.
    pub bodies: BTreeSet<Direction>,
    /// Most bytes of a body that are kept.
    pub max_body_bytes: usize,
    /// The key over all tenants' keys: `env:NAME`, `file:PATH` or `exec:COMMAND`. Pseudonyms and digests last beyond a
    /// restart only with it.
    pub master_key: Option<String>,
    /// Days after which recorded content is made unreadable by destroying its key; 0 is never.
    pub retention_days: u32,
    /// Who may open what is recorded.
    pub role: Vec<RecordRole>,
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self {
            mode: RecordMode::Off,
            bodies: [Direction::Request, Direction::Reply].into(),
            max_body_bytes: 4 << 20,
            master_key: None,
            retention_days: 30,
            role: Vec::new(),
        }
    }
}
