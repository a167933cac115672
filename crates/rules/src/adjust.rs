//! What a deployment changes about the built-in rules: some are not wanted, some are better or worse news there.

use std::collections::BTreeMap;

use bartizan_core::{
    Anchors, Context, Cost, Coverage, Detector, Family, Hold, Limits, Origin, Rule, RuleId, Scores, Severity, Sink,
    Subject, Views,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RulesError;

/// Another severity for the findings of a rule.
///
/// It holds where findings are made, so that policy, records, SARIF and exit codes agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Rule id, or a whole family as `pii/*`. Of several entries for one rule the last counts.
    pub rule: String,
    /// The severity of all findings of the rule, also of those that would have one of their own.
    pub severity: Severity,
    /// Why, for whoever reads the configuration next.
    pub reason: String,
}

/// Takes the unwanted rules out and gives others another severity. A detector with no rule left is not built, so it
/// costs nothing.
///
/// # Errors
/// An entry that names no rule or family with one, or an override without a reason.
pub(crate) fn adjust(
    detectors: Vec<Box<dyn Detector>>,
    disabled: &[String],
    overrides: &[Override],
) -> Result<Vec<Box<dyn Detector>>, RulesError> {
    let is_known = |entry: &str| detectors.iter().flat_map(|d| d.rules()).any(|rule| names(entry, &rule.id));
    let entries = disabled.iter().map(|entry| ("rules.disabled", entry));
    for (key, entry) in entries.chain(overrides.iter().map(|o| ("rules.override", &o.rule))) {
        if !is_known(entry) {
            let reason = "names no rule; `bartizan rules list` shows them, and `pii/*` is a whole family";
            return Err(RulesError::Setting { key, value: entry.clone(), reason: reason.to_owned() });
        }
    }
    if let Some(bare) = overrides.iter().find(|o| o.reason.trim().is_empty()) {
        let reason = "has no reason; say in `reason` why the severity differs".to_owned();
        return Err(RulesError::Setting { key: "rules.override", value: bare.rule.clone(), reason });
    }
    if disabled.is_empty() && overrides.is_empty() {
        return Ok(detectors);
    }
    Ok(detectors.into_iter().filter_map(|inner| adjusted(inner, disabled, overrides)).collect())
}

fn adjusted(inner: Box<dyn Detector>, disabled: &[String], overrides: &[Override]) -> Option<Box<dyn Detector>> {
    let is_wanted = |rule: &&Rule| !disabled.iter().any(|entry| names(entry, &rule.id));
    let mut severities = BTreeMap::new();
    let mut rules: Vec<Rule> = inner.rules().iter().filter(is_wanted).cloned().collect();
    for rule in &mut rules {
        if let Some(other) = overrides.iter().rev().find(|o| names(&o.rule, &rule.id)) {
            rule.severity = other.severity;
            severities.insert(rule.id.clone(), other.severity);
        }
    }
    if rules.is_empty() {
        return None;
    }
    if rules.len() == inner.rules().len() && severities.is_empty() {
        return Some(inner);
    }
    Some(Box::new(Adjusted { inner, rules, severities }))
}

fn names(entry: &str, rule: &RuleId) -> bool {
    match entry.strip_suffix("/*") {
        Some(family) => Family::parse(family) == Some(rule.family()),
        None => entry == rule.as_str(),
    }
}

/// A detector of which some rules are wanted, or have another severity.
struct Adjusted {
    inner: Box<dyn Detector>,
    rules: Vec<Rule>,
    severities: BTreeMap<RuleId, Severity>,
}

impl Detector for Adjusted {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn views(&self) -> Views {
        self.inner.views()
    }

    fn hold(&self) -> Hold {
        self.inner.hold()
    }

    fn cost(&self) -> Cost {
        self.inner.cost()
    }

    fn anchors(&self) -> Anchors<'_> {
        self.inner.anchors()
    }

    fn concerns(&self, origin: &Origin, context: &Context<'_>) -> bool {
        self.inner.concerns(origin, context)
    }

    fn live(&self, tail: &str) -> usize {
        self.inner.live(tail)
    }

    fn inspect(&self, subject: &Subject<'_>, limits: &Limits, out: &mut Sink<'_>) {
        let (mut found, mut scores, mut coverage) = (Vec::new(), Scores::default(), Coverage::default());
        let mut inner = Sink::new(&mut found, &mut scores, &mut coverage, limits).allowing(out.allowance());
        self.inner.inspect(subject, limits, &mut inner);
        out.settle(inner.allowance());
        for mut finding in found {
            if !self.rules.iter().any(|rule| rule.id == finding.rule) {
                continue;
            }
            finding.severity = self.severities.get(&finding.rule).copied().unwrap_or(finding.severity);
            out.pass(finding);
        }
        out.score(scores);
        coverage.parts.iter().for_each(|part| out.uncovered(*part));
    }
}

/// Rules whose findings are made by the guard. They are here so that lists, suppressions,
/// overrides and policy know them; nothing leads to them in a single text.
struct OfGuard(Vec<Rule>);

/// Rules of the guard as a detector that is never called.
pub(crate) fn of_guard(rules: &[&Rule]) -> Box<dyn Detector> {
    Box::new(OfGuard(rules.iter().map(|rule| (*rule).clone()).collect()))
}

impl Detector for OfGuard {
    fn rules(&self) -> &[Rule] {
        &self.0
    }

    fn views(&self) -> Views {
        Views::NONE
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors::default()
    }

    fn concerns(&self, _: &Origin, _: &Context<'_>) -> bool {
        false
    }

    fn inspect(&self, _: &Subject<'_>, _: &Limits, _: &mut Sink<'_>) {}
}

#[cfg(test)]
mod tests {
    use bartizan_core::{Context, Family, Kind, Limits, Origin, Severity};
    use bartizan_engine::{Engine, Input};

    use crate::{Override, Settings, detectors};

    fn ids(disabled: &[&str]) -> Vec<String> {
        let disabled = disabled.iter().map(ToString::to_string).collect();
        let built = detectors(&Settings { disabled, ..Settings::default() }).unwrap();
        built.iter().flat_map(|d| d.rules()).map(|r| r.id.to_string()).collect()
    }

    #[test]
    fn rules_and_families_go() {
        let all = ids(&[]);
        let some = ids(&["pii/*", "secret/openai-key", "prompt/many-shot"]);
        assert!(some.iter().all(|id| !id.starts_with("pii/") && id != "prompt/many-shot" && id != "secret/openai-key"));
        let gone = all.iter().filter(|id| !some.contains(id)).count();
        assert_eq!(gone, all.iter().filter(|id| id.starts_with("pii/")).count() + 2);
    }

    fn overridden(rule: &str, severity: Severity, reason: &str) -> Settings {
        let entry = Override { rule: rule.to_owned(), severity, reason: reason.to_owned() };
        Settings { overrides: vec![entry], ..Settings::default() }
    }

    #[test]
    fn a_severity_is_changed_in_the_rule_and_in_its_findings() {
        let built = detectors(&overridden("pii/*", Severity::Critical, "regulated here")).unwrap();
        let engine = Engine::new(built, vec![], Limits::default()).unwrap();
        assert!(engine.rules().all(|r| r.id.family() != Family::Pii || r.severity == Severity::Critical));
        let origin = Origin::default();
        let text = "write to jo@example.com";
        let found = engine.scan(&Input { text, kind: Kind::Text, origin: &origin, context: Context::default() });
        assert_eq!(found.findings.iter().map(|f| f.severity).collect::<Vec<_>>(), [Severity::Critical]);
    }

    #[test]
    fn an_override_needs_a_known_rule_and_a_reason() {
        assert!(detectors(&overridden("pii/emial", Severity::Low, "x")).is_err());
        assert!(detectors(&overridden("pii/email", Severity::Low, " ")).is_err());
        assert!(detectors(&overridden("output/schema-violation", Severity::Low, "the client retries")).is_ok());
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        for bad in ["pii/emial", "topic/*", "*"] {
            let settings = Settings { disabled: vec![bad.to_owned()], ..Settings::default() };
            assert!(detectors(&settings).is_err(), "{bad}");
        }
    }
}
