//! Findings that are accepted for a while: suppressions with an owner, a scope and an end.

use std::collections::BTreeMap;
use std::sync::Arc;

use bartizan_core::{Exchange, Finding, Rule, Severity, Source, TenantId};
use bartizan_engine::RulePattern;
use bartizan_policy::Assessment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// Most days that an exception may lie ahead.
pub const LONGEST_DAYS: i64 = 90;

/// A finding that is counted instead of judged, for a while.
///
/// A finding of severity critical is only excepted where `text` or `text_sha256` names exactly what was matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Rule, or `family/*`.
    pub rule: RulePattern,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The day from whose beginning (UTC) on it does not hold any more, `YYYY-MM-DD`; at most 90 days ahead.
    pub expires: String,
    /// Where it holds; everywhere where left out.
    #[serde(default)]
    pub scope: Scope,
}

/// Where an exception holds. Every condition that is set has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// For this tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// For callers with the client key of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// On this route: the name of an upstream, or of a check API in records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// In text from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Source>,
    /// Where what was matched has this SHA-256, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_sha256: Option<String>,
    /// Where exactly this was matched, as it stands in the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The beginning of a day in UTC, in milliseconds since 1970.
fn beginning(day: &str) -> Option<i64> {
    let date: jiff::civil::Date = day.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

impl Exception {
    /// Its name in records: the first 12 hex digits of the SHA-256 of what it says.
    #[must_use]
    pub fn id(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut id = sha256(&text);
        id.truncate(12);
        id
    }

    /// When it ends, in milliseconds since 1970. What is no day has ended.
    #[must_use]
    pub fn ends(&self) -> i64 {
        beginning(&self.expires).unwrap_or(i64::MIN)
    }

    /// True where it holds at a time, in milliseconds since 1970.
    #[must_use]
    pub fn holds(&self, now: i64) -> bool {
        now < self.ends()
    }

    /// Days that are left of it, rounded up; not above zero where it has ended.
    #[must_use]
    pub fn days_left(&self, now: i64) -> i64 {
        let left = self.ends().saturating_sub(now);
        if left > 0 { left.saturating_add(DAY - 1) / DAY } else { 0 }
    }

    /// Checks it at a time, in milliseconds since 1970. One that has ended is no mistake.
    ///
    /// # Errors
    /// Which key is wrong, and what is wrong with it.
    pub fn check(&self, now: i64) -> Result<(), (&'static str, String)> {
        for (key, text) in [("reason", &self.reason), ("owner", &self.owner)] {
            if text.trim().is_empty() {
                return Err((
                    key,
                    format!("an exception needs its `{key}`: whoever reads the configuration has to know"),
                ));
            }
        }
        let Some(ends) = beginning(&self.expires) else {
            return Err(("expires", format!("`{}` is no day; days are written YYYY-MM-DD", self.expires)));
        };
        if ends > now.saturating_add(LONGEST_DAYS * DAY) {
            return Err((
                "expires",
                format!("an exception lasts {LONGEST_DAYS} days at most, and `{}` is later", self.expires),
            ));
        }
        match (&self.scope.text, &self.scope.text_sha256) {
            (Some(_), Some(_)) => Err(("scope", "`text` and `text_sha256` say the same; give one of them".to_owned())),
            (Some(text), None) if text.is_empty() => Err(("scope", "`text` is empty".to_owned())),
            (None, Some(sum)) if sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Err(("scope", "`text_sha256` is 64 hex digits".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// True where there is a rule that it is about.
    pub(crate) fn is_about<'a>(&self, mut rules: impl Iterator<Item = &'a Rule>) -> bool {
        rules.any(|rule| self.rule.matches(&rule.id))
    }

    fn is_for(&self, caller: Caller<'_>) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let Scope { tenant, key, route, .. } = &self.scope;
        tenant.as_ref().is_none_or(|tenant| tenant == caller.tenant)
            && fits(key, caller.key)
            && fits(route, caller.route)
    }

    /// `matched` is `None` where what was matched is not known any more.
    fn covers(&self, finding: &Finding, source: Source, matched: Option<&str>) -> bool {
        let exact = match (&self.scope.text, &self.scope.text_sha256) {
            (Some(text), _) => matched == Some(text),
            (None, Some(sum)) => matched.is_some_and(|matched| sha256(matched).eq_ignore_ascii_case(sum)),
            (None, None) => finding.severity < Severity::Critical,
        };
        exact && self.rule.matches(&finding.rule) && self.scope.origin.is_none_or(|origin| origin == source)
    }
}

fn sha256(text: &str) -> String {
    bartizan_sign::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref())
}

/// For whom something is decided.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Whose traffic.
    pub tenant: &'a TenantId,
    /// Name of the client key; empty where none was needed.
    pub key: &'a str,
    /// Name of the route.
    pub route: &'a str,
}

/// The exceptions that hold for one caller at one time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Excepted(Option<Arc<[(String, Exception)]>>);

impl Excepted {
    /// Out of all that are configured, at a time in milliseconds since 1970.
    #[must_use]
    pub fn of(all: &[Exception], caller: Caller<'_>, now: i64) -> Self {
        let holding = all.iter().filter(|one| one.holds(now) && one.is_for(caller));
        let list: Vec<(String, Exception)> = holding.map(|one| (one.id(), one.clone())).collect();
        Self((!list.is_empty()).then(|| list.into()))
    }

    /// The id of the exception that covers a finding.
    pub(crate) fn covering(&self, finding: &Finding, source: Source, matched: Option<&str>) -> Option<&str> {
        let mut list = self.0.iter().flat_map(|list| list.iter());
        list.find(|(_, one)| one.covers(finding, source, matched)).map(|(id, _)| id.as_str())
    }

    /// Takes the findings of an exchange out that are covered, and counts them.
    pub(crate) fn apply(&self, exchange: &Exchange, assessment: &mut Assessment) {
        if self.0.is_none() {
            return;
        }
        let Assessment { findings, suppressed, exceptions, .. } = assessment;
        findings.retain(|found| {
            let text = exchange.texts.get(found.text);
            let source = text.map_or(Source::User, |text| text.origin.source);
            let matched = text.and_then(|text| text.value.get(found.finding.span().start..found.finding.span().end));
            self.count(&found.finding, source, matched, (suppressed, exceptions)).is_none()
        });
    }

    /// The id of the exception that covers a finding, which is counted then.
    pub(crate) fn count(
        &self,
        finding: &Finding,
        source: Source,
        matched: Option<&str>,
        (suppressed, exceptions): (&mut u64, &mut BTreeMap<String, u64>),
    ) -> Option<()> {
        let id = self.covering(finding, source, matched)?;
        *suppressed += 1;
        *exceptions.entry(id.to_owned()).or_default() += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{Confidence, Fix, Location, RuleId, Span, View};

    const NOW: i64 = 1_793_491_200_000; // 2026-11-01

    fn exception() -> Exception {
        Exception {
            rule: RulePattern::try_from("pii/email".to_owned()).unwrap(),
            reason: "our public address".into(),
            owner: "ann".into(),
            expires: "2026-12-01".into(),
            scope: Scope::default(),
        }
    }

    fn finding(severity: Severity) -> Finding {
        Finding {
            rule: RuleId::new("pii/email"),
            severity,
            confidence: Confidence::High,
            entity: None,
            view: View::Raw,
            depth: 0,
            at: Location::Text { span: Span::new(0, 1) },
            fix: Fix::Mask,
        }
    }

    fn excepted(scope: Scope, tenant: &str, now: i64) -> Excepted {
        let tenant = TenantId::authenticated(tenant).unwrap();
        Excepted::of(&[Exception { scope, ..exception() }], Caller { tenant: &tenant, key: "ci", route: "u" }, now)
    }

    #[test]
    fn it_lapses_at_the_beginning_of_its_day() {
        let one = exception();
        assert!(one.holds(NOW + 30 * DAY - 1) && !one.holds(NOW + 30 * DAY));
        assert_eq!((one.days_left(NOW), one.days_left(NOW + 30 * DAY - 1), one.days_left(NOW + 30 * DAY)), (30, 1, 0));
        let covers = |now| {
            excepted(Scope::default(), "default", now).covering(&finding(Severity::High), Source::User, None).is_some()
        };
        assert!(covers(NOW) && !covers(NOW + 30 * DAY));
    }

    #[test]
    fn what_lasts_too_long_or_has_nobody_to_ask_is_a_mistake() {
        assert!(exception().check(NOW).is_ok());
        assert!(exception().check(NOW + 1000 * DAY).is_ok(), "one that has ended is no mistake");
        assert!(Exception { expires: "2027-01-30".into(), ..exception() }.check(NOW).is_ok());
        for (key, bad) in [
            ("expires", Exception { expires: "2027-01-31".into(), ..exception() }),
            ("expires", Exception { expires: "soon".into(), ..exception() }),
            ("owner", Exception { owner: " ".into(), ..exception() }),
            ("reason", Exception { reason: String::new(), ..exception() }),
            ("scope", Exception { scope: Scope { text_sha256: Some("ab".into()), ..Scope::default() }, ..exception() }),
            ("scope", Exception { scope: Scope { text: Some(String::new()), ..Scope::default() }, ..exception() }),
        ] {
            assert_eq!(bad.check(NOW).unwrap_err().0, key);
        }
    }

    #[test]
    fn scope_decides() {
        let covers = |scope: Scope, tenant: &str, severity, source, matched: Option<&str>| {
            excepted(scope, tenant, NOW).covering(&finding(severity), source, matched).is_some()
        };
        let some = |text: &str| Some(text.to_owned());
        let high = Severity::High;
        let own = Scope { tenant: TenantId::authenticated("acme").ok(), ..Scope::default() };
        assert!(covers(own.clone(), "acme", high, Source::User, None));
        assert!(!covers(own, "default", high, Source::User, None), "another tenant's is without effect");
        assert!(!covers(Scope { key: some("other"), ..Scope::default() }, "acme", high, Source::User, None));
        assert!(!covers(Scope { route: some("v"), ..Scope::default() }, "acme", high, Source::User, None));
        let tool = Scope { origin: Some(Source::Tool), ..Scope::default() };
        assert!(
            covers(tool.clone(), "acme", high, Source::Tool, None) && !covers(tool, "acme", high, Source::User, None)
        );
        let text = Scope { text: some("a@example.com"), ..Scope::default() };
        let sum = Scope { text_sha256: Some(sha256("a@example.com").to_uppercase()), ..Scope::default() };
        for scope in [text, sum] {
            assert!(covers(scope.clone(), "acme", Severity::Critical, Source::User, Some("a@example.com")));
            assert!(!covers(scope.clone(), "acme", high, Source::User, Some("b@example.com")));
            assert!(!covers(scope, "acme", high, Source::User, None));
        }
        assert!(
            !covers(Scope::default(), "acme", Severity::Critical, Source::User, Some("x")),
            "no broad one hides it"
        );
    }
}
