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

use std::collections::BTreeMap;

use bartizan_core::{Detector, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod adjust;
pub mod data;
pub mod egress;
mod html;
pub mod limits;
pub mod mcp;
pub mod output;
pub mod pack;
pub mod pii;
pub mod prompt;
pub mod registry;
pub mod secret;
mod tape;
pub mod topic;
pub mod unicode;

pub use adjust::Override;
pub use output::sink::SinkKind;
pub use pack::PackFile;
pub use topic::Topic;
pub use unicode::disallowed_script::Scripts;

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
    /// Rules of your own, as files: `bartizan rules test FILE` reads the same form. Read where the configuration is.
    pub packs: Vec<PackFile>,
    /// What replies are put into: their rules then read every reply as that language does. A route may say otherwise.
    pub sink: Vec<SinkKind>,
    /// Scripts and classes of characters that texts may have; all by default. A route may say otherwise.
    pub scripts: Scripts,
    /// Subjects that are not wanted, or the only ones that are.
    pub topic: Vec<Topic>,
    /// Other severities than the rules'.
    #[serde(rename = "override")]
    pub overrides: Vec<Override>,
    /// What routes say for themselves, by profile from number 1 on. Filled in by whoever knows the routes.
    #[serde(skip)]
    pub routes: Vec<RouteSettings>,
    /// Tables of rules in the place of shipped ones, by name: [`secret::keys::tables`]. Filled in by whoever reads a content
    /// pack.
    #[serde(skip)]
    pub tables: BTreeMap<String, String>,
}

/// What a route may say for itself. What is left out is as for all routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSettings {
    /// What replies are put into there.
    pub sink: Option<Vec<SinkKind>>,
    /// Scripts and classes of characters that texts may have there.
    pub scripts: Option<Scripts>,
}

impl Settings {
    /// A value for every [`Profile`](bartizan_core::Profile): first for what is true of all routes, then by route.
    pub(crate) fn by_profile<T>(&self, value: impl Fn(Option<&RouteSettings>) -> T) -> Vec<T> {
        std::iter::once(None).chain(self.routes.iter().map(Some)).map(value).collect()
    }
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
    /// A user's pack cannot be used.
    #[error("`{path}`: {error}")]
    Pack {
        /// The file.
        path: String,
        /// What is wrong and where.
        error: pack::PackError,
    },
    /// A user's pack was named and not read.
    #[error("the rule pack `{0}` was not read")]
    PackNotRead(String),
    /// A pattern of a rule does not compile.
    #[error("rule `{rule}`: {reason}")]
    Pattern {
        /// The rule.
        rule: String,
        /// What is wrong.
        reason: String,
    },
}

/// All detectors: the built-in ones, and those that the settings add.
///
/// # Errors
/// A setting that cannot be used.
pub fn detectors(settings: &Settings) -> Result<Vec<Box<dyn Detector>>, RulesError> {
    detectors_with(settings, Vec::new())
}

/// The same with detectors made elsewhere that report under rules of this crate.
///
/// # Errors
/// A setting that cannot be used.
pub fn detectors_with(settings: &Settings, more: Vec<Box<dyn Detector>>) -> Result<Vec<Box<dyn Detector>>, RulesError> {
    let mut all = registry::DETECTORS.iter().map(|make| make(settings)).collect::<Result<Vec<_>, _>>()?;
    let made = |rule: &&&Rule| more.iter().flat_map(|d| d.rules()).any(|own| own.id == rule.id);
    let left: Vec<&Rule> = registry::OF_GUARD.iter().filter(|rule| !made(rule)).copied().collect();
    all.push(adjust::of_guard(&left));
    all.extend(more);
    for pack in &settings.packs {
        all.extend(pack.detectors()?);
    }
    all.extend(topic::detectors(settings)?);
    adjust::adjust(all, &settings.disabled, &settings.overrides)
}

/// All built-in rules, sorted by id.
#[must_use]
pub fn catalogue() -> Vec<Rule> {
    rules(&Settings::default()).unwrap_or_default()
}

/// All rules under these settings, with their severities there, sorted by id.
///
/// # Errors
/// A setting that cannot be used.
pub fn rules(settings: &Settings) -> Result<Vec<Rule>, RulesError> {
    let mut rules: Vec<Rule> = detectors(settings)?.iter().flat_map(|d| d.rules().iter().cloned()).collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rules)
}
