//! What a route declares holds on that route: sinks, schemas, scripts and lengths.

use std::collections::BTreeMap;

use bartizan_core::{CoverageStatus, Mode, Protocol, Severity, Verdict};
use bartizan_engine::Suppression;
use bartizan_guard::{Checked, Guard, ReplyContext, Route, RouteChecks, Settings};
use bartizan_policy::Outcome;
use bartizan_rules::{Override, RouteSettings, Scripts, SinkKind};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::streams::{anthropic, event, openai, run, text};

const ROUTE: Route<'static> = Route { name: "here", opaque: None, tenant: None, known: None };

fn settings(checks: RouteChecks) -> Settings {
    Settings { routes: BTreeMap::from([("here".to_owned(), checks)]), ..Settings::default() }
}

fn guard(checks: RouteChecks) -> Guard {
    Guard::new(&settings(checks)).unwrap()
}

fn sinks(kinds: &[SinkKind]) -> RouteChecks {
    RouteChecks {
        rules: RouteSettings { sink: Some(kinds.to_vec()), ..RouteSettings::default() },
        ..RouteChecks::default()
    }
}

fn form() -> RouteChecks {
    let schema = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}},
        "additionalProperties": false});
    RouteChecks { reply_schema: Some(schema), ..RouteChecks::default() }
}

fn ask(guard: &Guard, body: &Value, route: Route<'_>) -> Checked {
    let parsed = guard.read_request(Protocol::OpenaiChat, body.to_string().into_bytes()).unwrap();
    guard.check(parsed, &ReplyContext::default(), route)
}

fn user(text: &str) -> Value {
    json!({"model": "small", "messages": [{"role": "user", "content": text}]})
}

fn reply(guard: &Guard, text: &str, route: Route<'_>) -> Checked {
    let context = ask(guard, &user("hello"), route).context;
    answer(guard, text, route, &context)
}

fn answer(guard: &Guard, text: &str, route: Route<'_>, context: &ReplyContext) -> Checked {
    let body = json!({"id": "c", "object": "chat.completion", "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]});
    let parsed = guard.read_reply(Protocol::OpenaiChat, body.to_string().into_bytes()).unwrap();
    guard.check(parsed, context, route)
}

fn rules(checked: &Checked) -> Vec<String> {
    checked.assessment.findings.iter().map(|f| f.finding.rule.to_string()).collect()
}

fn said(checked: Checked) -> String {
    let Outcome::Forward { permitted, .. } = checked.outcome else { panic!("not forwarded") };
    let body: Value = serde_json::from_slice(&permitted.into_inner().body).unwrap();
    body["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[test]
fn a_sink_is_watched_where_it_is_declared_and_in_replies_only() {
    let guard = guard(sinks(&[SinkKind::Sql]));
    let attack = "x'; DROP TABLE users; --";
    assert_eq!(reply(&guard, attack, ROUTE).outcome.verdict(), Verdict::Deny);
    assert_eq!(reply(&guard, attack, Route::default()).outcome.verdict(), Verdict::Allow);
    let history = json!({"model": "m", "messages": [{"role": "assistant", "content": attack}, {"role": "user", "content": "go on"}]});
    assert_eq!(rules(&ask(&guard, &history, ROUTE)), Vec::<String>::new());
    assert_eq!(rules(&ask(&guard, &user(attack), ROUTE)), Vec::<String>::new());
}

#[test]
fn a_default_sink_can_be_taken_back_by_a_route() {
    let mut settings = settings(sinks(&[]));
    settings.rules.sink = vec![SinkKind::Sql];
    let guard = Guard::new(&settings).unwrap();
    assert_eq!(reply(&guard, "1' OR 1=1 --", Route::default()).outcome.verdict(), Verdict::Deny);
    assert_eq!(reply(&guard, "1' OR 1=1 --", ROUTE).outcome.verdict(), Verdict::Allow);
}

#[test]
fn what_can_be_neutralised_is_not_lost() {
    let log = guard(sinks(&[SinkKind::Log]));
    assert_eq!(said(reply(&log, "done\n2024-05-01 INFO ok\rx", ROUTE)), "done\\n2024-05-01 INFO ok\\rx");
    let html = guard(sinks(&[SinkKind::Html]));
    let out = said(reply(&html, "see </textarea>this", ROUTE));
    assert_eq!(out, "see &lt;/textarea>this");
}

#[test]
fn streams_into_a_log_are_what_whole_replies_are() {
    let guard = guard(sinks(&[SinkKind::Log]));
    let context = ask(&guard, &user("hello"), ROUTE).context;
    let bytes = openai(&["first\r", "\nINFO ", "x\n", "y"]);
    let (out, _) = run(&guard, Protocol::OpenaiChat, bytes.as_bytes(), &[], context);
    assert_eq!(text(Protocol::OpenaiChat, &out), "first\\r\\nINFO x\\ny");
}

#[test]
fn a_reply_has_to_fit_its_schema() {
    let guard = guard(form());
    assert_eq!(said(reply(&guard, "{\"city\": \"Ghent\"}", ROUTE)), "{\"city\": \"Ghent\"}");
    for bad in ["Ghent", "{\"city\": 1}", "{\"city\": \"a\", \"city\": \"b\"}"] {
        let checked = reply(&guard, bad, ROUTE);
        assert_eq!(rules(&checked), ["output/schema-violation"], "{bad}");
        assert_eq!(checked.outcome.verdict(), Verdict::Deny);
        assert_eq!(reply(&guard, bad, Route::default()).outcome.verdict(), Verdict::Allow);
    }
}

#[test]
fn a_reply_without_text_has_no_form() {
    let guard = guard(form());
    let body = json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "message":
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function":
        {"name": "f", "arguments": "{}"}}]}, "finish_reason": "tool_calls"}]});
    let parsed = guard.read_reply(Protocol::OpenaiChat, body.to_string().into_bytes()).unwrap();
    assert_eq!(rules(&guard.check(parsed, &ReplyContext::default(), ROUTE)), Vec::<String>::new());
}

#[test]
fn nothing_of_a_stream_is_out_before_it_fits() {
    let guard = guard(form());
    let context = || ask(&guard, &user("hello"), ROUTE).context;
    for (protocol, bytes) in [
        (Protocol::OpenaiChat, openai(&["{\"ci", "ty\": ", "\"Ghent\"}"])),
        (Protocol::AnthropicMessages, anthropic(&["{\"ci", "ty\": ", "\"Ghent\"}"])),
    ] {
        let (out, noted) = run(&guard, protocol, bytes.as_bytes(), &[], context());
        assert_eq!(text(protocol, &out), "{\"city\": \"Ghent\"}");
        assert_eq!(noted.verdict, Verdict::Allow);
    }
    for (protocol, bytes) in [
        (Protocol::OpenaiChat, openai(&["{\"city\": ", "\"Ghent\"} and more"])),
        (Protocol::AnthropicMessages, anthropic(&["{\"city\": ", "\"Ghent\"} and more"])),
        // The end never comes.
        (Protocol::OpenaiChat, event(&json!({"content": "{\"city\": \"Gh"}), &Value::Null)),
    ] {
        let (out, noted) = run(&guard, protocol, bytes.as_bytes(), &[], context());
        assert_eq!(text(protocol, &out), "");
        assert_eq!(noted.verdict, Verdict::Deny);
        // What else is in the text is not this rule's.
        let rules = noted.rules.keys().map(ToString::to_string).filter(|rule| rule.starts_with("output/"));
        assert_eq!(rules.collect::<Vec<_>>(), ["output/schema-violation"]);
    }
}

#[test]
fn a_stream_that_is_too_long_to_be_whole_ends() {
    let mut settings = settings(form());
    settings.limits.max_held = 64;
    let guard = Guard::new(&settings).unwrap();
    let context = ask(&guard, &user("hello"), ROUTE).context;
    let long = "x".repeat(40);
    let bytes = openai(&["{\"city\": \"", &long, &long, "\"}"]);
    let (out, noted) = run(&guard, Protocol::OpenaiChat, bytes.as_bytes(), &[], context);
    assert_eq!((text(Protocol::OpenaiChat, &out).as_str(), noted.verdict), ("", Verdict::Deny));
    assert_eq!(noted.coverage.status, CoverageStatus::Partial);
}

#[test]
fn in_monitor_mode_a_stream_passes_and_is_judged() {
    let guard = Guard::new(&Settings { mode: Mode::Monitor, ..settings(form()) }).unwrap();
    let context = ask(&guard, &user("hello"), ROUTE).context;
    let (out, noted) = run(&guard, Protocol::OpenaiChat, openai(&["no ", "form"]).as_bytes(), &[], context);
    assert_eq!((text(Protocol::OpenaiChat, &out).as_str(), noted.verdict), ("no form", Verdict::Deny));
}

#[test]
fn a_request_may_ask_for_a_form() {
    let guard = guard(RouteChecks { validate_requested_schema: true, ..RouteChecks::default() });
    let asks = |format: Value| {
        let mut body = user("hello");
        body["response_format"] = format;
        ask(&guard, &body, ROUTE)
    };
    let schema = json!({"type": "array", "items": {"type": "integer"}});
    let context = asks(json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})).context;
    assert_eq!(answer(&guard, "[1, 2]", ROUTE, &context).outcome.verdict(), Verdict::Allow);
    assert_eq!(answer(&guard, "[1, \"2\"]", ROUTE, &context).outcome.verdict(), Verdict::Deny);
    let context = asks(json!({"type": "json_object"})).context;
    assert_eq!(answer(&guard, "[1, 2]", ROUTE, &context).outcome.verdict(), Verdict::Deny);
    assert_eq!(
        answer(&guard, "anything", ROUTE, &ask(&guard, &user("hello"), ROUTE).context).outcome.verdict(),
        Verdict::Allow
    );
    // What cannot be checked is said, and by default not sent.
    let recursive = asks(json!({"type": "json_schema", "json_schema": {"schema": {"items": {"$ref": "#"}}}}));
    assert_eq!(recursive.assessment.coverage.status, CoverageStatus::Partial);
    assert_eq!(recursive.outcome.verdict(), Verdict::Deny);
}

#[test]
fn a_long_request_is_refused_and_the_caller_is_told() {
    let mut settings = settings(RouteChecks { max_input_tokens: Some(30), ..RouteChecks::default() });
    settings.limits.max_input_tokens = Some(20);
    settings.limits.max_input_tokens_by_model = BTreeMap::from([("sm*".to_owned(), 25), ("small".to_owned(), 40)]);
    let guard = Guard::new(&settings).unwrap();
    let of = |words: usize, model: &str, route: Route<'_>| {
        let mut body = user(&"word ".repeat(words));
        body["model"] = model.into();
        ask(&guard, &body, route)
    };
    for (words, model, route, fits) in [
        (15, "other", Route::default(), true),
        (22, "other", Route::default(), false),
        (34, "small", Route::default(), true),
        (34, "smart", Route::default(), false),
        (25, "small", ROUTE, true),
        (34, "small", ROUTE, false),
    ] {
        let checked = of(words, model, route);
        assert_eq!(checked.outcome.verdict() == Verdict::Allow, fits, "{words} {model} {}", route.name);
        assert_eq!(checked.notice.is_none(), fits);
    }
    let notice = of(100, "other", Route::default()).notice.unwrap();
    assert!(notice.contains("104 tokens") && notice.contains("at most 20"), "{notice}");
}

#[test]
fn scripts_are_judged_where_the_route_says() {
    let scripts = Scripts { allow: vec!["Latin".to_owned(), "Common".to_owned()], classes: vec![] };
    let guard = guard(RouteChecks {
        rules: RouteSettings { scripts: Some(scripts), ..RouteSettings::default() },
        ..RouteChecks::default()
    });
    let russian = user("Доброе утро, library");
    assert_eq!(rules(&ask(&guard, &russian, ROUTE)), ["unicode/disallowed-script"]);
    assert_eq!(ask(&guard, &russian, ROUTE).outcome.verdict(), Verdict::Deny);
    assert_eq!(ask(&guard, &russian, Route::default()).outcome.verdict(), Verdict::Allow);
}

#[test]
fn rules_of_an_exchange_are_rules_like_others() {
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(form());
        change(&mut settings);
        reply(&Guard::new(&settings).unwrap(), "no form", ROUTE)
    };
    let id = "output/schema-violation".to_owned();
    assert_eq!(with(&|s| s.rules.disabled.push(id.clone())).outcome.verdict(), Verdict::Allow);
    let suppressed = with(&|s| {
        let rule = id.clone().try_into().unwrap();
        s.suppress.push(Suppression { rule, sources: None, text: None, reason: "known".to_owned() });
    });
    assert_eq!((suppressed.outcome.verdict(), suppressed.assessment.suppressed), (Verdict::Allow, 1));
    let low = with(&|s| {
        s.rules.overrides.push(Override { rule: id.clone(), severity: Severity::Low, reason: "retried".to_owned() });
    });
    assert_eq!(low.assessment.findings[0].finding.severity, Severity::Low);
}

#[test]
fn a_schema_that_cannot_be_used_is_an_error() {
    for bad in [json!(null), json!({"type": "nothing"}), json!({"$ref": "https://example.com/s.json"})] {
        let checks = RouteChecks { reply_schema: Some(bad.clone()), ..RouteChecks::default() };
        let error = Guard::new(&settings(checks)).err().unwrap_or_else(|| panic!("{bad}")).to_string();
        assert!(error.contains("`here`"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn however_a_stream_is_cut_it_fits_or_is_not_there(cuts in proptest::collection::vec(any::<usize>(), 0..8), good in any::<bool>()) {
        let guard = guard(form());
        let context = ask(&guard, &user("hello"), ROUTE).context;
        let last = if good { "\"Ghent\"}" } else { "7}" };
        let bytes = openai(&["{\"city\"", ": ", last]);
        let (out, _) = run(&guard, Protocol::OpenaiChat, bytes.as_bytes(), &cuts, context);
        let expected = if good { "{\"city\": \"Ghent\"}" } else { "" };
        prop_assert_eq!(text(Protocol::OpenaiChat, &out), expected);
    }
}
