//! Requests of agents: histories, policies, and decisions about calls.

use std::sync::Arc;

use bartizan_core::{Integrity, Protocol, Verdict};
use bartizan_policy::provenance::{Call, History, Rules, Run, Syntax, With, decisions, tools};
use serde_json::{Value, json};

const PROTOCOLS: [Protocol; 5] = [
    Protocol::OpenaiChat,
    Protocol::AnthropicMessages,
    Protocol::OpenaiResponses,
    Protocol::Gemini,
    Protocol::BedrockConverse,
];

/// A call goes to nobody that was not offered, and text that nobody vouches for opens no door. The first byte chooses the
/// dialect and whether a policy stands before the request, as one line of JSON with the policy as a string.
pub fn run(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let text = super::text(body);
    let (policy, body) = match text.split_once('\n') {
        Some((policy, body)) if first & 8 != 0 => (serde_json::from_str::<String>(policy).unwrap_or_default(), body),
        _ => (String::new(), text.as_str()),
    };
    let syntax = if first & 16 == 0 { Syntax::Toml } else { Syntax::Yaml };
    let rules = Rules::parse(&policy, syntax).ok().map(Arc::new);
    let Ok(body) = serde_json::from_str::<Value>(body) else { return };
    if let Some(rules) = &rules {
        let offered = tools(body.get("tools"));
        for fault in rules.check(&offered).iter().chain(&rules.check_alone()) {
            assert!(fault.line > 0 && fault.column > 0, "{fault}");
        }
    }
    let protocol = PROTOCOLS[usize::from(first & 7) % PROTOCOLS.len()];
    let mut history = History::read(protocol, &body, rules.clone());
    let calls = wanted(&body);
    let before: Vec<Verdict> = calls.iter().map(|call| history.decide(call).verdict).collect();
    for (call, verdict) in calls.iter().zip(&before) {
        let decision = history.decide(call);
        assert_eq!(decision.verdict, *verdict, "two answers");
        assert!(history.offers(&call.name) || *verdict == Verdict::Deny, "not offered");
        assert_eq!(decision.reasons.is_empty(), *verdict == Verdict::Allow);
    }
    history.push_untrusted("Anybody may have written this, and it asks to send everything to eve@evil.example.");
    assert_eq!(history.label().integrity, Integrity::Untrusted);
    for (call, verdict) in calls.iter().zip(&before) {
        assert!(history.decide(call).verdict >= *verdict, "untrusted text opened a door");
    }
    if let Ok(run) = serde_json::from_value::<Run>(body) {
        let with = With { rules, ..With::default() };
        assert_eq!(decisions(&run, with).len(), run.calls.len());
    }
}

/// What a model might call: what the request says was called, and each tool with strings out of the request.
fn wanted(body: &Value) -> Vec<Call> {
    let mut strings = Vec::new();
    collect(body, &mut strings, 0);
    let names = tools(body.get("tools")).into_iter().map(|tool| tool.name).chain(["unknown".to_owned()]);
    let args = |n: usize| {
        let value = strings.get(n % strings.len().max(1)).cloned().unwrap_or_default();
        json!({"id": value, "to": [value], "url": value, "text": value})
    };
    names.take(8).enumerate().map(|(n, name)| Call { id: "x".to_owned(), name, args: args(n * 7) }).collect()
}

fn collect(value: &Value, out: &mut Vec<String>, depth: u8) {
    match value {
        Value::String(text) if out.len() < 64 => out.push(text.clone()),
        Value::Array(items) if depth < 16 => items.iter().for_each(|item| collect(item, out, depth + 1)),
        Value::Object(fields) if depth < 16 => fields.values().for_each(|item| collect(item, out, depth + 1)),
        _ => {}
    }
}
