//! Rules that a deployment does not want.

use bartizan_core::{
    Anchors, Cost, Coverage, Detector, Family, Finding, Hold, Limits, Rule, RuleId, Scores, Sink, Subject, Views,
};

use crate::RulesError;

/// Takes the unwanted rules out. A detector with none left is not built, so it costs nothing.
///
/// # Errors
/// An entry that names no built-in rule or family with one.
pub(crate) fn without(
    detectors: Vec<Box<dyn Detector>>,
    disabled: &[String],
) -> Result<Vec<Box<dyn Detector>>, RulesError> {
    for entry in disabled {
        if !detectors.iter().flat_map(|d| d.rules()).any(|rule| names(entry, &rule.id)) {
            let reason = "names no built-in rule; `bartizan rules list` shows them, and `pii/*` is a whole family";
            return Err(RulesError::Setting { key: "rules.disabled", value: entry.clone(), reason: reason.to_owned() });
        }
    }
    if disabled.is_empty() {
        return Ok(detectors);
    }
    let is_wanted = |rule: &Rule| !disabled.iter().any(|entry| names(entry, &rule.id));
    Ok(detectors
        .into_iter()
        .filter_map(|inner| {
            let rules: Vec<Rule> = inner.rules().iter().filter(|r| is_wanted(r)).cloned().collect();
            if rules.len() == inner.rules().len() {
                return Some(inner);
            }
            (!rules.is_empty()).then(|| Box::new(Partly { inner, rules }) as Box<dyn Detector>)
        })
        .collect())
}

fn names(entry: &str, rule: &RuleId) -> bool {
    match entry.strip_suffix("/*") {
        Some(family) => Family::parse(family) == Some(rule.family()),
        None => entry == rule.as_str(),
    }
}

/// A detector of which some rules are wanted.
struct Partly {
    inner: Box<dyn Detector>,
    rules: Vec<Rule>,
}

impl Detector for Partly {
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

    fn live(&self, tail: &str) -> usize {
        self.inner.live(tail)
    }

    fn inspect(&self, subject: &Subject<'_>, limits: &Limits, out: &mut Sink<'_>) {
        let (mut found, mut scores, mut coverage) = (Vec::new(), Scores::default(), Coverage::default());
        self.inner.inspect(subject, limits, &mut Sink::new(&mut found, &mut scores, &mut coverage, limits));
        let is_wanted = |finding: &Finding| self.rules.iter().any(|rule| rule.id == finding.rule);
        found.into_iter().filter(is_wanted).for_each(|finding| out.pass(finding));
        out.score(scores);
        coverage.parts.iter().for_each(|part| out.uncovered(*part));
    }
}

#[cfg(test)]
mod tests {
    use crate::{Settings, detectors};

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

    #[test]
    fn an_unknown_name_is_an_error() {
        for bad in ["pii/emial", "topic/*", "*"] {
            let settings = Settings { disabled: vec![bad.to_owned()], ..Settings::default() };
            assert!(detectors(&settings).is_err(), "{bad}");
        }
    }
}
