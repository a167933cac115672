//! What is proposed: one entry of a configuration.

use aws_lc_rs::digest;
use bartizan_core::Source;
use bartizan_guard::Settings;
use bartizan_policy::PolicyFile;
use bartizan_rules::Topic;
use bartizan_sign::hex;
use serde::{Deserialize, Serialize};

use crate::error::RedteamError;

/// A policy of tool calls, where the configuration names none.
pub const AGENT_POLICY: &str = "agents.harden.toml";

/// An entry of a configuration that would stop attacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// A row of `[[rules.topic]]`: words that attacks have and harmless texts do not.
    Topic(Topic),
    /// Another `block` of `[policy.injection]`.
    Threshold {
        /// Of texts from there: `user`, `tool` or `document`.
        source: Source,
        /// The new one.
        block: f32,
    },
    /// A line of `[calls]` in the policy of tool calls.
    Call {
        /// The tool.
        tool: String,
        /// What its arguments need, or `ask`.
        need: String,
    },
}

impl Change {
    /// A short name that depends on what it says.
    #[must_use]
    pub fn id(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        let tag = hex(digest::digest(&digest::SHA256, json.as_bytes()).as_ref());
        format!("h{}", tag.get(..8).unwrap_or_default())
    }

    /// The rule that it adds, where it adds one.
    #[must_use]
    pub fn rule(&self) -> Option<String> {
        match self {
            Self::Topic(topic) => Some(format!("topic/{}", topic.name)),
            Self::Threshold { .. } | Self::Call { .. } => None,
        }
    }

    /// In a line, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Topic(topic) => {
                let words: Vec<String> = topic.words.iter().map(|w| format!("\"{w}\"")).collect();
                let near =
                    topic.within.map_or(String::new(), |n| format!(", {} of them within {n} words", topic.count));
                format!("rule topic/{}: {}{near}", topic.name, words.join(", "))
            }
            Self::Threshold { source, block } => format!("policy.injection.{source}.block = {block}"),
            Self::Call { tool, need } => format!("agent policy: calls.{tool} = \"{need}\""),
        }
    }

    /// The settings with it in force.
    ///
    /// # Errors
    /// It does not fit them.
    pub fn over(&self, settings: &Settings) -> Result<Settings, RedteamError> {
        let mut settings = settings.clone();
        match self {
            Self::Topic(topic) => settings.rules.topic.push(topic.clone()),
            Self::Threshold { source, block } => {
                let levels = match source {
                    Source::User => &mut settings.policy.injection.user,
                    Source::Tool => &mut settings.policy.injection.tool,
                    _ => &mut settings.policy.injection.document,
                };
                levels.block = Some(*block);
                // A text that is blocked and not flagged would puzzle whoever reads the record.
                let flag = levels.flag.or(bartizan_policy::Thresholds::default().of(*source).map(|(flag, _)| flag));
                levels.flag = flag.map(|flag| flag.min(*block));
            }
            Self::Call { tool, need } => {
                let file = settings.policy.agents.policy.take();
                let path = file.as_ref().map_or_else(|| AGENT_POLICY.to_owned(), |f| f.path.clone());
                let text = file.and_then(|f| f.text).unwrap_or_default();
                let text = with_call(&path, &text, tool, need)?;
                settings.policy.agents.policy = Some(PolicyFile { path, text: Some(text) });
            }
        }
        Ok(settings)
    }
}

/// A policy with one more line under `[calls]`. Comments are lost: it is for trying out.
fn with_call(path: &str, text: &str, tool: &str, need: &str) -> Result<String, RedteamError> {
    let wrong = |reason: String| RedteamError::File { path: path.to_owned(), reason };
    let is_toml = std::path::Path::new(path).extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
    if !is_toml {
        return Err(wrong("lines can be added to a policy in TOML only".to_owned()));
    }
    let mut policy: toml::Table = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let calls = policy.entry("calls").or_insert_with(|| toml::Value::Table(toml::Table::new()));
    let calls = calls.as_table_mut().ok_or_else(|| wrong("`calls` is no table".to_owned()))?;
    if calls.contains_key(tool) {
        return Err(wrong(format!("it says something of `{tool}` already")));
    }
    calls.insert(tool.to_owned(), toml::Value::String(need.to_owned()));
    toml::to_string(&policy).map_err(|e| wrong(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_settings_and_have_names() {
        let topic: Topic = toml::from_str("name = 'harden-1'\nwords = ['disregard every guideline']").unwrap();
        let changes = [
            Change::Topic(topic),
            Change::Threshold { source: Source::User, block: 0.8 },
            Change::Call { tool: "send_mail".into(), need: "ask".into() },
        ];
        let mut settings = Settings::default();
        for change in &changes {
            settings = change.over(&settings).unwrap();
            let json = serde_json::to_string(change).unwrap();
            assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), *change);
        }
        bartizan_guard::Guard::new(&settings).unwrap();
        assert_eq!(settings.rules.topic.len(), 1);
        assert_eq!((settings.policy.injection.user.block, settings.policy.injection.user.flag), (Some(0.8), Some(0.8)));
        assert!(changes[2].over(&settings).unwrap_err().to_string().contains("already"));
        let ids: std::collections::BTreeSet<String> = changes.iter().map(Change::id).collect();
        assert_eq!(ids.len(), 3);
    }
}
