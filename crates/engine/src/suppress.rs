//! Findings that a user has looked at and does not want to hear of again.

use std::fmt;

use bartizan_core::{Family, Finding, Rule, RuleId, Severity, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// One rule, or all rules of a family: `family/kebab-name` or `family/*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum RulePattern {
    /// One rule.
    Rule(RuleId),
    /// All rules of a family.
    Family(Family),
}

impl RulePattern {
    /// True where it stands for that rule.
    #[must_use]
    pub fn matches(&self, rule: &RuleId) -> bool {
        match self {
            Self::Rule(id) => id == rule,
            Self::Family(family) => rule.family() == *family,
        }
    }
}

impl fmt::Display for RulePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(id) => id.fmt(f),
            Self::Family(family) => write!(f, "{family}/*"),
        }
    }
}

impl TryFrom<String> for RulePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_suffix("/*") {
            Some(family) => Family::parse(family)
                .map(Self::Family)
                .ok_or_else(|| format!("the pattern `{text}` names the unknown family `{family}`")),
            None => RuleId::parse(&text).map(Self::Rule),
        }
    }
}

impl From<RulePattern> for String {
    fn from(pattern: RulePattern) -> Self {
        pattern.to_string()
    }
}

/// A finding that is counted instead of reported.
///
/// A finding of severity critical is only suppressed where `text` names exactly what was matched, so that no
/// broad suppression hides one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// Rule, or `family/*`.
    pub rule: RulePattern,
    /// Only in text from these sources; everywhere where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<Source>>,
    /// Only where exactly this text was matched, as it stands in the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why, for whoever reads the configuration next.
    pub reason: String,
}

impl Suppression {
    /// True where it covers a finding in text from `source` that matched `matched`.
    #[must_use]
    pub fn covers(&self, finding: &Finding, source: Source, matched: &str) -> bool {
        let exact = match &self.text {
            Some(text) => text == matched,
            None => finding.severity < Severity::Critical,
        };
        exact && self.rule.matches(&finding.rule) && self.sources.as_ref().is_none_or(|s| s.contains(&source))
    }

    /// Checks it against the rules that exist.
    pub(crate) fn check<'a>(&self, rules: impl Iterator<Item = &'a Rule> + Clone) -> Result<(), EngineError> {
        if self.reason.trim().is_empty() {
            return Err(EngineError::NoReason(self.rule.to_string()));
        }
        if self.text.as_ref().is_some_and(String::is_empty) {
            return Err(EngineError::EmptyText(self.rule.to_string()));
        }
        if rules.clone().any(|rule| self.rule.matches(&rule.id)) {
            return Ok(());
        }
        let pattern = self.rule.to_string();
        let closest = rules
            .map(|rule| (distance(&pattern, rule.id.as_str()), &rule.id))
            .min()
            .filter(|(distance, _)| *distance <= pattern.len() / 3)
            .map(|(_, id)| id.clone());
        Err(EngineError::UnknownRule { pattern, closest })
    }
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, y) in cells.zip(b.bytes()) {
            let cost = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = cost;
            left = cost;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn patterns_round_trip() {
        for text in ["pii/email", "secret/*"] {
            let pattern = RulePattern::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(pattern), text);
        }
        for bad in ["secret", "nope/*", "*", "secret/", "nope/x"] {
            assert!(RulePattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
