//! A change of the policy that is not in force: what of it is a matter of rules, rows and thresholds.

use std::fmt::Write as _;

use bartizan_core::{Confidence, RuleId, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::table::{Levels, Row, Selector, Thresholds};

/// A change of the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Rules that are switched off besides those that are: ids, or whole families as `pii/*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disabled: Vec<Selector>,
    /// Rows that come before those of the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
    /// Thresholds of the injection score. What is left out stays.
    #[serde(skip_serializing_if = "is_as_it_was")]
    pub injection: Thresholds,
}

fn is_as_it_was(injection: &Thresholds) -> bool {
    *injection == Thresholds::default()
}

impl Change {
    /// Most rows, and most rules that are switched off.
    pub const MOST: usize = 64;

    /// Checks it against the rules that there are.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, rules: &[&RuleId]) -> Result<(), String> {
        if *self == Self::default() {
            return Err("the change changes nothing".to_owned());
        }
        if self.rows.len() > Self::MOST || self.disabled.len() > Self::MOST {
            return Err(format!(
                "a change has at most {} rows and {} rules that are switched off",
                Self::MOST,
                Self::MOST
            ));
        }
        for selector in self.disabled.iter().chain(self.rows.iter().map(|row| &row.rule)) {
            if !rules.iter().any(|rule| selector.matches(rule)) {
                return Err(format!("`{selector}` names no rule in force"));
            }
        }
        if let Some(every) = self.disabled.iter().find(|selector| **selector == Selector::All) {
            return Err(format!("`{every}` would switch every rule off; name rules or families"));
        }
        for (name, levels) in self.levels() {
            for (key, value) in [("flag", levels.flag), ("block", levels.block)] {
                if value.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
                    return Err(format!("`{name}.{key}` is a score from 0 to 1, or above 1 for never"));
                }
            }
        }
        Ok(())
    }

    fn levels(&self) -> [(&'static str, Levels); 3] {
        [("user", self.injection.user), ("tool", self.injection.tool), ("document", self.injection.document)]
    }

    /// The lines for `bartizan.toml`. `disabled` are the rules that it switches off already.
    #[must_use]
    pub fn toml(&self, disabled: &[String]) -> String {
        let mut out = String::new();
        if !self.disabled.is_empty() {
            let all = disabled.iter().cloned().chain(self.disabled.iter().map(ToString::to_string));
            let mut names: Vec<String> = Vec::new();
            for name in all.map(|name| quoted(&name)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let _ = writeln!(
                out,
                "# in the place of `disabled`, where `[rules]` has it\n[rules]\ndisabled = [{}]\n",
                names.join(", ")
            );
        }
        if !self.rows.is_empty() {
            out.push_str("# before every other `[[policy.rows]]`: the first row that fits decides\n");
        }
        for row in &self.rows {
            let _ = writeln!(out, "[[policy.rows]]\nrule = {}", quoted(&row.rule.to_string()));
            if !row.from.is_empty() {
                let from: Vec<String> = row.from.iter().map(|source| quoted(source.as_str())).collect();
                let _ = writeln!(out, "from = [{}]", from.join(", "));
            }
            if row.severity > Severity::Info {
                let _ = writeln!(out, "severity = {}", quoted(row.severity.as_str()));
            }
            if row.confidence > Confidence::Low {
                let _ = writeln!(out, "confidence = {}", quoted(row.confidence.as_str()));
            }
            let _ = writeln!(out, "verdict = {}\n", quoted(row.verdict.as_str()));
        }
        for (name, levels) in self.levels().into_iter().filter(|(_, levels)| *levels != Levels::default()) {
            let _ = writeln!(out, "[policy.injection.{name}]");
            for (key, value) in [("flag", levels.flag), ("block", levels.block)] {
                if let Some(value) = value {
                    let _ = writeln!(out, "{key} = {value:?}");
                }
            }
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

/// A string of TOML. What is quoted here is made of letters, digits and a few signs.
fn quoted(plain: &str) -> String {
    format!("{plain:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Policy, Table};
    use bartizan_core::Direction::{Reply, Request};
    use bartizan_core::{Found, Grounds, Source, Verdict};

    fn change(text: &str) -> Change {
        serde_json::from_str(text).unwrap()
    }

    fn found(rule: &str, from: Source) -> Found {
        Found {
            rule: RuleId::parse(rule).unwrap(),
            from,
            severity: Severity::Medium,
            confidence: Confidence::High,
            entity: None,
            own_fix: false,
            redact: Verdict::Redact,
            least: Verdict::Allow,
        }
    }

    #[test]
    fn the_lines_say_the_same() {
        let change = change(
            r#"{"rows": [{"rule": "pii/email", "from": ["user", "tool"], "confidence": "high", "verdict": "deny"},
                         {"rule": "secret/*", "severity": "high", "verdict": "hold"}],
                "injection": {"user": {"block": 0.95}, "tool": {"flag": 1.0}},
                "disabled": ["prompt/chat-template", "pii/*"]}"#,
        );
        let toml = change.toml(&["pii/*".to_owned(), "topic/own".to_owned()]);
        let read: toml::Table = toml.parse().unwrap_or_else(|e| panic!("{e}: {toml}"));
        let policy: Policy = read["policy"].clone().try_into().unwrap();
        assert_eq!((&policy.rows, policy.injection), (&change.rows, change.injection), "{toml}");
        assert!(Table::new(policy).has(&change) && !Table::default().has(&change));
        let disabled = read["rules"]["disabled"].as_array().unwrap();
        let names: Vec<_> = disabled.iter().filter_map(toml::Value::as_str).collect();
        assert_eq!(names, ["pii/*", "topic/own", "prompt/chat-template"]);
        assert_eq!(serde_json::from_str::<Change>(&serde_json::to_string(&change).unwrap()).unwrap(), change);
    }

    #[test]
    fn a_record_comes_to_what_the_table_says_of_its_grounds() {
        let table = Table::default();
        let mut grounds = Grounds::default();
        assert_eq!(table.grounds(&grounds, Request), Verdict::Allow);
        grounds.find(found("pii/email", Source::User));
        assert_eq!(table.grounds(&grounds, Request), Verdict::Redact);
        let fixed = Found { redact: Verdict::Deny, ..found("pii/iban", Source::Parameter) };
        grounds.find(fixed);
        assert_eq!(table.grounds(&grounds, Request), Verdict::Deny, "it cannot be redacted there");
        let off = table.changed(&change(r#"{"disabled": ["pii/iban"]}"#));
        assert_eq!(off.grounds(&grounds, Request), Verdict::Redact);
        let off = table.changed(&change(r#"{"disabled": ["pii/*"]}"#));
        assert_eq!(off.grounds(&grounds, Request), Verdict::Allow);
        grounds.besides = Verdict::Hold;
        assert_eq!(off.grounds(&grounds, Request), Verdict::Hold, "what is no finding stays");
        let asked = Found { least: Verdict::Deny, ..found("limits/unusual-use", Source::Parameter) };
        let asked = Grounds { found: [asked].into(), ..Grounds::default() };
        assert_eq!(table.grounds(&asked, Request), Verdict::Deny);
        let off = table.changed(&change(r#"{"disabled": ["limits/*"]}"#));
        assert_eq!(off.grounds(&asked, Request), Verdict::Allow);
    }

    #[test]
    fn rows_come_first_and_thresholds_move() {
        let own = r#"{"rows": [{"rule": "pii/email", "verdict": "deny"}], "injection": {"user": {"block": 0.5}}}"#;
        let table = Table::new(serde_json::from_str(own).unwrap());
        let grounds = Grounds {
            found: [found("pii/email", Source::Model)].into(),
            injection: [(Source::User, 0.9)].into(),
            ..Grounds::default()
        };
        let after = |text: &str| table.changed(&change(text)).grounds(&grounds, Reply);
        let pass = r#""rows": [{"rule": "pii/email", "verdict": "allow"}]"#;
        assert_eq!(after(&format!("{{{pass}}}")), Verdict::Deny, "the score is still too high");
        assert_eq!(after(&format!(r#"{{{pass}, "injection": {{"user": {{"block": 0.95}}}}}}"#)), Verdict::Allow);
        assert_eq!(after(&format!(r#"{{{pass}, "injection": {{"user": {{"flag": 0.95}}}}}}"#)), Verdict::Deny);
        assert_eq!(after(&format!(r#"{{{pass}, "disabled": ["prompt/learned-injection"]}}"#)), Verdict::Allow);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let rules = [&RuleId::new("pii/email"), &RuleId::new("prompt/x")];
        let refused = |text: &str| change(text).check(&rules).unwrap_err();
        assert!(refused("{}").contains("nothing"));
        assert!(refused(r#"{"disabled": ["pii/iban"]}"#).contains("`pii/iban`"));
        assert!(refused(r#"{"disabled": ["*"]}"#).contains("every rule"));
        assert!(refused(r#"{"rows": [{"rule": "secret/*", "verdict": "deny"}]}"#).contains("`secret/*`"));
        assert!(refused(r#"{"injection": {"user": {"block": -1}}}"#).contains("`user.block`"));
        let many =
            Row { verdict: Verdict::Deny, ..change(r#"{"rows": [{"rule": "*", "verdict": "deny"}]}"#).rows.remove(0) };
        let many = Change { rows: vec![many; Change::MOST + 1], ..Change::default() };
        assert!(many.check(&rules).unwrap_err().contains("at most"));
        change(r#"{"disabled": ["pii/*"]}"#).check(&rules).unwrap();
    }
}
