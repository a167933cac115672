//! Exceptions hold where findings are collected: in whole bodies and in streams, for their scope and time only.

use std::collections::BTreeMap;

use bartizan_core::{Protocol, TenantId, Verdict};
use bartizan_engine::RulePattern;
use bartizan_guard::{Caller, Exception, Guard, ReplyContext, Route, Scope, Settings};
use serde_json::json;

use crate::streams::openai;

const NOW: i64 = 1_793_491_200_000;

fn guard(scope: Scope) -> (Guard, String) {
    let exception = Exception {
        rule: RulePattern::try_from("pii/email".to_owned()).unwrap(),
        reason: "our public address".into(),
        owner: "ann".into(),
        expires: "2026-12-01".into(),
        scope,
    };
    let id = exception.id();
    (Guard::new(&Settings { exceptions: vec![exception], ..Settings::default() }).unwrap(), id)
}

fn caller<'a>(tenant: &'a TenantId, key: &'a str) -> Caller<'a> {
    Caller { tenant, key, route: "u" }
}

#[test]
fn a_request_is_excepted_in_scope_and_time() {
    let (guard, id) =
        guard(Scope { key: Some("ci".into()), text: Some("joe.doe@example.org".into()), ..Scope::default() });
    let tenant = TenantId::sole();
    let ask = |text: &str, key: &str, now: i64| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let mut parsed = guard.read_request(Protocol::OpenaiChat, body.to_string().into_bytes()).unwrap();
        parsed.except(guard.excepted(caller(&tenant, key), now));
        let checked = guard.check(parsed, &ReplyContext::default(), Route::default());
        (checked.outcome.verdict(), checked.assessment.suppressed, checked.assessment.exceptions)
    };
    let once = BTreeMap::from([(id, 1)]);
    assert_eq!(ask("write to joe.doe@example.org", "ci", NOW), (Verdict::Allow, 1, once));
    for (text, key, now) in [
        ("write to ann@example.org", "ci", NOW),
        ("write to joe.doe@example.org", "other", NOW),
        ("write to joe.doe@example.org", "ci", NOW + 31 * 86_400_000),
    ] {
        assert_eq!(ask(text, key, now), (Verdict::Redact, 0, BTreeMap::new()), "{text} {key}");
    }
}

#[test]
fn a_stream_is_excepted_as_a_whole_reply_is() {
    let (guard, id) = guard(Scope { text: Some("joe.doe@example.org".into()), ..Scope::default() });
    let tenant = TenantId::sole();
    let through = |pieces: &[&str], now: i64| {
        let mut stream = guard.reply_stream(Protocol::OpenaiChat, ReplyContext::default(), "e1", false);
        stream.except(guard.excepted(caller(&tenant, "ci"), now));
        let mut out = stream.push(openai(pieces).as_bytes()).released.into_inner();
        out.extend(stream.finish().released.into_inner());
        let noted = stream.noted();
        (
            crate::streams::text(Protocol::OpenaiChat, &String::from_utf8(out).unwrap()),
            noted.suppressed,
            noted.exceptions,
            noted.verdict,
        )
    };
    let pieces = ["write to jo", "e.doe@exam", "ple.org or to ann", "@example.org now"];
    let (text, suppressed, exceptions, verdict) = through(&pieces, NOW);
    assert!(text.contains("joe.doe@example.org") && !text.contains("ann@"), "{text}");
    assert_eq!((suppressed, exceptions, verdict), (1, BTreeMap::from([(id, 1)]), Verdict::Redact));
    let (text, suppressed, ..) = through(&pieces, NOW + 31 * 86_400_000);
    assert!(!text.contains("joe.doe@") && suppressed == 0, "{text}");
}

#[test]
fn an_exception_for_no_rule_is_a_mistake() {
    let (_, _) = guard(Scope::default());
    let unknown = Exception {
        rule: RulePattern::try_from("pii/nothing".to_owned()).unwrap(),
        reason: "r".into(),
        owner: "ann".into(),
        expires: "2026-12-01".into(),
        scope: Scope::default(),
    };
    assert!(Guard::new(&Settings { exceptions: vec![unknown], ..Settings::default() }).is_err());
}
