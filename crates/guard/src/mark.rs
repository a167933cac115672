//! What people say of decisions: a finding was right, or a false alarm.

use std::collections::BTreeMap;

use bartizan_core::{Act, Deed, Event, EventStore, RuleId, StoreError, TenantId};
use bartizan_stats::{Interval, wilson};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::keeper::deed;

/// What someone says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MarkLabel {
    /// It was a false alarm.
    False,
    /// It was right.
    True,
}

impl MarkLabel {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::True => "true",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::False, Self::True].into_iter().find(|label| label.as_str() == word)
    }
}

/// What is marked where a person says of the tool calls of a reply whether they were harmful. No detector has it.
pub const CALLS: RuleId = RuleId::new("tool/calls");

/// Why something cannot be marked.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// No such decision of this tenant.
    #[error("the tenant `{tenant}` has no event `{event}`")]
    NoEvent {
        /// Whose it would be.
        tenant: TenantId,
        /// Its id.
        event: String,
    },
    /// No rule fired, or not this one.
    #[error("{}", not_fired(.rule.as_ref(), .fired))]
    NotFired {
        /// The one that was named.
        rule: Option<RuleId>,
        /// Those that fired, as one text.
        fired: String,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn not_fired(rule: Option<&RuleId>, fired: &str) -> String {
    match rule {
        _ if fired.is_empty() => "no rule fired in this event, so there is nothing to mark".to_owned(),
        Some(rule) => format!("`{rule}` did not fire in this event; what fired: {fired}"),
        None => format!("several rules fired in this event, name one: {fired}"),
    }
}

/// Records what someone says of a rule in a decision; without a rule, of the only one that fired. Tool calls that were
/// decided are marked as [`CALLS`], whether they passed or not. What is said later stands. Answers with the decision and
/// the rule.
///
/// # Errors
/// There is no such decision, the rule did not fire in it, or the store fails.
pub async fn mark(
    store: &dyn EventStore,
    tenant: &TenantId,
    event: &str,
    (label, rule): (MarkLabel, Option<&RuleId>),
    actor: &str,
    reason: &str,
) -> Result<(Event, RuleId), MarkError> {
    let found = store.get(tenant, event).await?;
    let no_event = || MarkError::NoEvent { tenant: tenant.clone(), event: event.chars().take(64).collect() };
    let event = found.ok_or_else(no_event)?;
    let calls = (!event.calls.is_empty()).then_some(CALLS);
    let mut fired = event.rules.keys();
    let rule = match (rule, fired.next(), fired.next(), &calls) {
        (Some(rule), ..) if event.rules.contains_key(rule) || calls.as_ref() == Some(rule) => rule.clone(),
        (None, Some(only), None, _) => only.clone(),
        (None, None, None, Some(calls)) => calls.clone(),
        _ => {
            let fired: Vec<&str> = event.rules.keys().chain(&calls).map(RuleId::as_str).collect();
            return Err(MarkError::NotFired { rule: rule.cloned(), fired: fired.join(", ") });
        }
    };
    let act = deed(Deed::Marked, tenant, actor)
        .about(&event.id)
        .because(reason)
        .with("rule", &rule)
        .with("label", label.as_str())
        .with("exchange", &event.exchange)
        .with("time", &event.time);
    store.act(act).await?;
    Ok((event, rule))
}

/// A mark as it is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Marked {
    /// The decision.
    pub event: String,
    /// Shared by the decisions about a request and its reply.
    pub exchange: String,
    /// When it was decided, RFC 3339.
    pub time: String,
    /// The rule.
    pub rule: String,
    /// What was said of it.
    pub label: MarkLabel,
    /// Who said it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it was said, RFC 3339.
    pub marked: String,
}

/// The marks that stand, out of the records of all: of each rule in each decision the last.
#[derive(Debug, Default)]
pub struct Marks(BTreeMap<(String, String), Marked>);

impl Marks {
    /// Takes a record; later ones have to come later.
    pub fn take(&mut self, act: &Act) {
        let part = |name: &str| act.detail.get(name).cloned().unwrap_or_default();
        let Some(label) = MarkLabel::parse(&part("label")).filter(|_| act.deed == Deed::Marked) else { return };
        let marked = Marked {
            event: act.subject.clone(),
            exchange: part("exchange"),
            time: part("time"),
            rule: part("rule"),
            label,
            actor: act.actor.clone(),
            reason: act.reason.clone(),
            marked: act.time.clone(),
        };
        self.0.insert((marked.event.clone(), marked.rule.clone()), marked);
    }

    /// Those about decisions from a time on.
    pub fn since<'a>(&'a self, time: &'a str) -> impl Iterator<Item = &'a Marked> {
        self.0.values().filter(move |marked| marked.time.as_str() >= time)
    }
}

/// How often a rule was right, as far as people said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tally {
    /// Findings called right.
    pub right: u64,
    /// Findings called false alarms.
    pub wrong: u64,
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, label: MarkLabel) {
        match label {
            MarkLabel::True => self.right += 1,
            MarkLabel::False => self.wrong += 1,
        }
    }

    /// The share of right ones; `None` without any.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        let all = self.right + self.wrong;
        (all > 0).then(|| real(self.right) / real(all))
    }

    /// The interval that holds the true share with 95 % confidence (Wilson 1927, "Probable inference, the law of
    /// succession, and statistical inference", JASA 22).
    #[must_use]
    pub fn interval(&self) -> Option<(f64, f64)> {
        let counted = self.right + self.wrong;
        let Interval { low, high } = wilson(self.right, counted);
        (counted > 0).then_some((low, high))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of what people typed")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(event: &str, rule: &str, label: &str) -> Act {
        deed(Deed::Marked, &TenantId::sole(), "cli:test")
            .about(event)
            .with("rule", rule)
            .with("label", label)
            .with("time", "2026-11-02T00:00:00Z")
    }

    #[test]
    fn the_last_mark_stands() {
        let mut marks = Marks::default();
        for (event, rule, label) in [
            ("e1", "pii/email", "false"),
            ("e1", "pii/email", "true"),
            ("e1", "pii/iban", "false"),
            ("e2", "x", "maybe"),
        ] {
            marks.take(&act(event, rule, label));
        }
        let labels: Vec<(&str, MarkLabel)> = marks.since("").map(|m| (m.rule.as_str(), m.label)).collect();
        assert_eq!(labels, [("pii/email", MarkLabel::True), ("pii/iban", MarkLabel::False)]);
        assert_eq!(marks.since("2026-12").count(), 0);
    }

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe 1998, table I: 81 of 263 and 0 of 20.
        let (low, high) = Tally { right: 81, wrong: 182 }.interval().unwrap();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let (low, high) = Tally { right: 0, wrong: 20 }.interval().unwrap();
        assert!(low.abs() < 1e-12 && (high - 0.1611).abs() < 5e-5, "{low} {high}");
        assert_eq!(Tally::default().interval(), None);
    }
}
