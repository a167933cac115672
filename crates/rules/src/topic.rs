//! Subjects that a deployment does not want, or the only ones it wants. None is shipped.

mod inflection;
mod off_topic;
mod word_list;

use bartizan_core::{Detector, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RulesError, Settings};

/// Most words and phrases of one topic.
const MOST: usize = 2000;

/// What a topic is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Its words are findings of the rule `topic/NAME`.
    #[default]
    Deny,
    /// What a user writes must be about a topic of this kind, or it is a finding of `topic/off-topic`.
    Allow,
}

/// A subject, as the words and phrases that give it away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Name of the rule behind `topic/`: small letters, digits and hyphens.
    pub name: String,
    /// Words and phrases. Case, accents and look-alike letters do not matter, and usual endings are tolerated;
    /// `word*` stands for every word that begins so. Three bytes or more each.
    pub words: Vec<String>,
    /// What the topic is for.
    #[serde(default)]
    pub mode: Wanted,
    /// Only these forms and no other endings.
    #[serde(default)]
    pub exact: bool,
    /// Occurrences that make a finding.
    #[serde(default = "one")]
    pub count: usize,
    /// The occurrences have to stand within so many words of one another; anywhere in the text where left out.
    #[serde(default)]
    pub within: Option<usize>,
    /// Severity of its findings.
    #[serde(default = "high")]
    pub severity: Severity,
}

const fn one() -> usize {
    1
}

const fn high() -> Severity {
    Severity::High
}

fn wrong(value: &str, reason: impl Into<String>) -> RulesError {
    RulesError::Setting { key: "rules.topic", value: value.to_owned(), reason: reason.into() }
}

impl Topic {
    fn check(&self) -> Result<(), RulesError> {
        let words = self.words.len();
        if words == 0 || words > MOST {
            return Err(wrong(&self.name, format!("has {words} words; give 1 to {MOST}")));
        }
        if self.count == 0 || self.within == Some(0) {
            return Err(wrong(&self.name, "needs a `count` and a `within` of at least 1"));
        }
        if self.name == off_topic::NAME {
            return Err(wrong(&self.name, "is the name of the rule about all topics; choose another"));
        }
        Ok(())
    }
}

/// The detectors of the topics of a deployment; none where it has none.
///
/// # Errors
/// A name that is no rule name, or words that cannot be looked for.
pub(crate) fn detectors(settings: &Settings) -> Result<Vec<Box<dyn Detector>>, RulesError> {
    let mut all: Vec<Box<dyn Detector>> = Vec::new();
    for topic in &settings.topic {
        topic.check()?;
        if topic.mode == Wanted::Deny {
            all.push(Box::new(word_list::WordList::new(topic)?));
        }
    }
    let allowed: Vec<&Topic> = settings.topic.iter().filter(|t| t.mode == Wanted::Allow).collect();
    if !allowed.is_empty() {
        all.push(Box::new(off_topic::OffTopic::new(&allowed)?));
    }
    Ok(all)
}
