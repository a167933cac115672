//! The detectors: what Bartizan looks for.
//!
//! One detector is one stem with two files: `<family>/<stem>.rs` holds the code, `<family>/<stem>.md` its page,
//! whose `fire` and `silent` blocks are run as tests. Detectors know rules; they know no formats, no protocols
//! and no thresholds. The list of all of them is [`registry`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::todo,
        clippy::unreachable
    )
)]

use bartizan_core::{Detector, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod disabled;
pub mod egress;
mod html;
pub mod limits;
pub mod output;
pub mod pack;
pub mod pii;
pub mod prompt;
pub mod registry;
pub mod secret;
mod tape;
pub mod unicode;

/// What a deployment can tell the built-in detectors. These are sections of the user's `bartizan.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where what a model wrote may link to.
    pub egress: egress::Settings,
    /// Tokens placed in system prompts, documents or tools, which must never come out of a model. Eight
    /// characters or more each. Tokens of the form `BARTIZAN-CANARY-` need not be listed.
    pub canary: Vec<String>,
    /// Texts that must not be repeated by a model although they are not in the exchange, such as the prompt of
    /// another assistant. The system text of the exchange itself is always protected.
    pub protected_prompt: Vec<String>,
    /// Rules that are not wanted: ids, or whole families as `pii/*`. They cost nothing. To go on seeing findings
    /// and only let them pass, write a policy row instead.
    pub disabled: Vec<String>,
}

/// Why the detectors could not be built.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A value of [`Settings`] cannot be used.
    #[error("setting `{key}`: `{value}` {reason}")]
    Setting {
        /// Path of the setting.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A pattern of a rule does not compile.
    #[error("rule `{rule}`: {reason}")]
    Pattern {
        /// The rule.
        rule: String,
        /// What is wrong.
        reason: String,
    },
}

/// All built-in detectors, by family and name.
///
/// # Errors
/// A setting that cannot be used.
pub fn detectors(settings: &Settings) -> Result<Vec<Box<dyn Detector>>, RulesError> {
    let all = registry::DETECTORS.iter().map(|make| make(settings)).collect::<Result<_, _>>()?;
    disabled::without(all, &settings.disabled)
}

/// All built-in rules, sorted by id.
#[must_use]
pub fn catalogue() -> Vec<Rule> {
    let detectors = detectors(&Settings::default()).unwrap_or_default();
    let mut rules: Vec<Rule> = detectors.iter().flat_map(|d| d.rules().iter().cloned()).collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    rules
}
