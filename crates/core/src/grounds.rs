//! What a verdict was made of, without content: enough to say what another policy would have made of it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{EntityType, Finding, Fix};
use crate::origin::Source;
use crate::rule::{Confidence, RuleId, Severity};
use crate::subject::Scores;
use crate::verdict::Verdict;

/// What a policy looks at of a finding. Findings that are alike are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The rule.
    pub rule: RuleId,
    /// Where the text is from.
    pub from: Source,
    /// How bad it is if true.
    pub severity: Severity,
    /// How likely it is true.
    pub confidence: Confidence,
    /// Entity or secret type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityType>,
    /// It says itself what goes in its place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub own_fix: bool,
    /// What redacting comes to where it stands: `deny` where nothing can be changed.
    #[serde(default = "redact", skip_serializing_if = "is_redact")]
    pub redact: Verdict,
    /// The verdict that the configuration asks for wherever the rule has a finding.
    #[serde(default, skip_serializing_if = "is_allow")]
    pub least: Verdict,
}

impl Found {
    /// A finding that can be redacted where it stands.
    #[must_use]
    pub fn new(finding: &Finding, from: Source) -> Self {
        Self {
            rule: finding.rule.clone(),
            from,
            severity: finding.severity,
            confidence: finding.confidence,
            entity: finding.entity.clone(),
            own_fix: finding.fix != Fix::Mask,
            redact: Verdict::Redact,
            least: Verdict::Allow,
        }
    }
}

/// What a verdict was made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grounds {
    /// What was found.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub found: BTreeSet<Found>,
    /// The largest injection score by where a text is from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub injection: BTreeMap<Source, f32>,
    /// What all else comes to: what was not read, opaque parts, tool calls, what is cut off.
    #[serde(default, skip_serializing_if = "is_allow")]
    pub besides: Verdict,
    /// More was found than is kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

impl Grounds {
    /// Most findings that differ and are kept.
    pub const MOST: usize = 64;

    /// Adds a finding.
    pub fn find(&mut self, found: Found) {
        if self.found.len() < Self::MOST {
            self.found.insert(found);
        } else {
            self.cut |= !self.found.contains(&found);
        }
    }

    /// Adds the scores of text from there.
    pub fn score(&mut self, from: Source, scores: &Scores) {
        if let Some(score) = scores.injection {
            let largest = self.injection.entry(from).or_insert(score);
            *largest = largest.max(score);
        }
    }

    /// Adds others.
    pub fn merge(&mut self, other: Self) {
        other.found.into_iter().for_each(|found| self.find(found));
        for (from, injection) in other.injection {
            self.score(from, &Scores { injection: Some(injection), ..Scores::default() });
        }
        self.besides = self.besides.max(other.besides);
        self.cut |= other.cut;
    }
}

const fn redact() -> Verdict {
    Verdict::Redact
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_redact(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Redact)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_allow(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Allow)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: usize) -> Found {
        Found {
            rule: RuleId::parse(&format!("pii/kind-{number}")).unwrap(),
            from: Source::User,
            severity: Severity::Medium,
            confidence: Confidence::High,
            entity: None,
            own_fix: false,
            redact: Verdict::Redact,
            least: Verdict::Allow,
        }
    }

    #[test]
    fn what_is_usual_takes_no_room() {
        let mut grounds = Grounds::default();
        assert_eq!(serde_json::to_string(&grounds).unwrap(), "{}");
        grounds.find(found(1));
        grounds.score(Source::Tool, &Scores { injection: Some(0.5), ..Scores::default() });
        let text = r#"{"found":[{"rule":"pii/kind-1","from":"user","severity":"medium","confidence":"high"}],"injection":{"tool":0.5}}"#;
        assert_eq!(serde_json::to_string(&grounds).unwrap(), text);
        assert_eq!(serde_json::from_str::<Grounds>(text).unwrap(), grounds);
    }

    #[test]
    fn what_does_not_fit_in_is_said() {
        let mut grounds = Grounds::default();
        for _ in 0..2 {
            (0..Grounds::MOST).for_each(|number| grounds.find(found(number)));
        }
        assert!(!grounds.cut);
        let mut all = Grounds { besides: Verdict::Hold, ..Grounds::default() };
        all.merge(grounds.clone());
        assert_eq!((all.found.len(), all.cut, all.besides), (Grounds::MOST, false, Verdict::Hold));
        grounds.find(found(Grounds::MOST));
        all.merge(grounds);
        assert!(all.cut);
    }
}
