//! The policy that is tried.

use std::path::PathBuf;

use bartizan_core::Mode;
use bartizan_engine::Suppression;
use bartizan_policy::Policy;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A policy beside the one in force. What is not given is as in force, key by key; a list stands for the whole list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Candidate {
    /// File with the keys below but for `every`; it stands alone.
    pub(crate) file: Option<PathBuf>,
    /// What findings mean.
    pub(crate) policy: Option<Policy>,
    /// Settings of the rules. A candidate with other rules scans for itself, off the way of the request.
    pub(crate) rules: Option<bartizan_rules::Settings>,
    /// Findings that are known and accepted.
    pub(crate) suppress: Option<Vec<Suppression>>,
    /// Whether verdicts are to be carried out once it is promoted.
    pub(crate) mode: Option<Mode>,
    /// A candidate that scans for itself looks at each so manyeth body; 0 is none.
    pub(crate) every: u32,
}

impl Default for Candidate {
    fn default() -> Self {
        Self { file: None, policy: None, rules: None, suppress: None, mode: None, every: 1 }
    }
}

impl Candidate {
    /// True where there is nothing to try.
    pub(crate) const fn is_empty(&self) -> bool {
        self.policy.is_none() && self.rules.is_none() && self.suppress.is_none() && self.mode.is_none()
    }

    /// The settings that it stands for.
    pub(crate) fn over(&self, live: &bartizan_guard::Settings) -> bartizan_guard::Settings {
        let mut settings = live.clone();
        let Self { policy, rules, suppress, mode, .. } = self.clone();
        settings.policy = policy.unwrap_or(settings.policy);
        settings.rules = rules.unwrap_or(settings.rules);
        settings.suppress = suppress.unwrap_or(settings.suppress);
        settings.mode = mode.unwrap_or(settings.mode);
        settings
    }
}

/// A section in force with what is given put over it.
pub(super) fn laid_over<T: Serialize + DeserializeOwned>(live: &T, given: Value) -> serde_json::Result<T> {
    // By way of text, so that 0.9 stays 0.9.
    let mut all = serde_json::from_str(&serde_json::to_string(live)?)?;
    put_over(&mut all, given);
    serde_json::from_value(all)
}

fn put_over(live: &mut Value, given: Value) {
    match (live, given) {
        (Value::Object(live), Value::Object(given)) => {
            for (key, given) in given {
                put_over(live.entry(key).or_insert(Value::Null), given);
            }
        }
        (live, given) => *live = given,
    }
}
