//! What targets say of their failures goes to reports: keys, credentials and addresses of people are taken out before.

use std::sync::LazyLock;

use bartizan_client::Failure;
use bartizan_core::{Context, Direction, Kind, Origin, Source};
use bartizan_engine::{Engine, Input};
use bartizan_policy::{Replacer, Table, apply, redactions};
use bartizan_rules::{Settings, detectors};

/// Longest piece that is kept, characters.
const LONGEST: usize = 300;

/// Rules of secrets, and of what identifies who holds them. None where the shipped rules are broken.
static ENGINE: LazyLock<Option<Engine>> = LazyLock::new(|| {
    let mut all = detectors(&Settings::default()).ok()?;
    let wanted = |rule: &str| rule.starts_with("secret/") || matches!(rule, "pii/credentials" | "pii/email");
    all.retain(|detector| detector.rules().iter().any(|rule| wanted(rule.id.as_str())));
    Engine::new(all, Vec::new(), bartizan_core::Limits::default()).ok()
});

/// The failure with no secret that the rules know, and a short piece of what was said.
pub(crate) fn redacted(failure: Failure) -> Failure {
    let said = if failure.said.is_empty() { String::new() } else { cleaned(&failure.said) };
    let redirect = failure.redirect.as_deref().map(cleaned);
    Failure { said, redirect, ..failure }
}

fn cleaned(text: &str) -> String {
    let Some(engine) = &*ENGINE else { return String::new() };
    let origin = Origin::new(Source::Model);
    let scan = engine.scan(&Input { text, kind: Kind::Text, origin: &origin, context: Context::default() });
    let table = Table::default();
    let replacer = Replacer::new(&table, Direction::Reply, None);
    let clean = apply(text, 0, &redactions(&scan.findings, text, 0, replacer));
    let mut short: String = clean.chars().take(LONGEST).collect();
    if short.len() < clean.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use bartizan_client::FailureKind;

    use super::*;

    #[test]
    fn a_key_that_a_provider_repeats_is_not_kept() {
        let key = ["sk-", "a8Kd02mZqLxP4vT7nYbR", "T3BlbkFJ", "H6gJ3sUeXo9iQzT5kVrM"].concat();
        let long = format!("Incorrect API key provided: {key} for ann@corp.example. {}", "x ".repeat(400));
        let failure = Failure { said: long, ..Failure::new(FailureKind::Unauthorized, "status 401") };
        let said = redacted(failure).said;
        assert!(said.starts_with("Incorrect API key provided: ") && said.chars().count() <= LONGEST + 1, "{said}");
        assert!(!said.contains("a8Kd02") && !said.contains("ann@corp"), "{said}");
        let plain = "The model `claude-3-5-sonnet-20241022` does not exist";
        assert_eq!(redacted(Failure { said: plain.into(), ..Failure::new(FailureKind::Rejected, "") }).said, plain);
    }
}
