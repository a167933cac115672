//! The test servers and clients by themselves, without Bartizan between them. Where these fail, no other end-to-end
//! test says anything.

use serde_json::json;

use crate::support::{Sdk, recorded};

#[test]
fn openai_sdk_talks_to_the_real_model_through_the_recorder() {
    let Some(sdk) = Sdk::find() else { return };
    let Some(model) = sdk.model("smollm2") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("requests.jsonl");
    let recorder = sdk.recorder(&model, &log);

    let [said] = sdk.openai(&recorder.v1(), ["secret"], &["--max-tokens", "4"]);
    let secret = said.step("sent")["secrets"]["aws-access-key-id"].as_str().expect("a secret").to_owned();
    assert!(said.step("reply")["usage"]["completion_tokens"].as_u64().is_some_and(|n| (1..=4).contains(&n)));
    let requests = recorded(&log);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["path"], "/v1/chat/completions");
    // Without a guard the upstream sees everything: this is what the guarded test must not find.
    assert!(requests[0]["body"].as_str().is_some_and(|b| b.contains(&secret)));

    let [said] = sdk.openai(&model.v1(), ["responses-stream"], &["--max-tokens", "4"]);
    let reply = said.step("reply");
    assert!(reply["deltas"].as_array().is_some_and(|d| !d.is_empty()), "{said:?}");
}

#[test]
fn anthropic_sdk_talks_to_the_real_model() {
    let Some(sdk) = Sdk::find() else { return };
    let Some(model) = sdk.model("smollm2") else { return };
    let strict = sdk.server("anthropic_upstream.py", &["--openai", &model.origin]);
    for origin in [&model.origin, &strict.origin] {
        let [said] = sdk.anthropic(origin, ["stream"], &["--max-tokens", "4"]);
        let reply = said.step("reply");
        assert_eq!(reply["last_event"], "message_stop", "{said:?}");
        assert_eq!(reply["blocks"], json!(["text"]));
        assert!(reply["deltas"].as_array().is_some_and(|d| !d.is_empty()));
    }
    // The strict one answers what the lenient one lets pass.
    let [said] = sdk.anthropic(&strict.origin, ["chat"], &["--max-tokens", "0"]);
    assert_eq!(said.step("error")["body"]["error"]["type"], "invalid_request_error", "{said:?}");
}

#[test]
fn scripted_upstream_says_what_it_is_told() {
    let Some(sdk) = Sdk::find() else { return };
    let call = json!({"name": "get_weather", "arguments": {"city": "Paris"}});
    let blocked = json!({"error": {"message": "blocked", "type": "invalid_request_error", "param": null, "code": "content_policy_violation", "event_id": "e1"}});
    let script = json!([
        {"chunks": ["I was told: {{system}}"], "split": 5, "write": 7},
        {"chunks": ["One moment."], "tool": call},
        {"chunks": ["half", " a"], "cut": true},
        {"status": 400, "error": blocked},
    ]);

    let upstream = sdk.scripted(&script);
    let scenarios = ["canary", "responses-stream", "stream", "blocked"];
    let [canary, call, cut, refused] = sdk.openai(&upstream.v1(), scenarios, &["--canary", "KESTREL-1"]);
    assert!(canary.step("reply")["text"].as_str().is_some_and(|t| t.contains("KESTREL-1")), "{canary:?}");
    assert!(canary.step("reply")["deltas"].as_array().is_some_and(|d| d.iter().all(|t| t != "KESTREL-1")));
    assert_eq!(call.step("reply")["tool_calls"][0]["arguments"], json!({"city": "Paris"}), "{call:?}");
    assert_eq!(cut.step("error")["deltas"], json!(["half", " a"]), "{cut:?}");
    assert_eq!(refused.step("error")["status"], 400, "{refused:?}");
    assert_eq!(refused.step("error")["event_id"], "e1");

    let upstream = sdk.scripted(&script);
    let scenarios = ["canary", "tools-stream", "stream"];
    let [canary, call, cut] = sdk.anthropic(&upstream.origin, scenarios, &["--canary", "KESTREL-1"]);
    assert!(canary.step("reply")["text"].as_str().is_some_and(|t| t.contains("KESTREL-1")), "{canary:?}");
    assert_eq!(call.step("call")["tool_calls"][0]["arguments"], json!({"city": "Paris"}), "{call:?}");
    assert_eq!(call.step("call")["finish"], "tool_use");
    assert_eq!(cut.step("error")["deltas"], json!(["half", " a"]), "{cut:?}");
}

#[test]
#[ignore = "needs the large model: cargo xtask e2e"]
fn real_model_calls_a_tool() {
    let Some(sdk) = Sdk::find() else { return };
    let Some(model) = sdk.model("qwen") else { return };
    let said: [_; 2] = sdk.openai(&model.v1(), ["tools", "tools-stream"], &["--max-tokens", "64"]);
    for said in said {
        assert_eq!(said.step("call")["tool_calls"][0]["name"], "get_weather", "{said:?}");
        assert_eq!(said.step("call")["finish"], "tool_calls");
    }
    let strict = sdk.server("anthropic_upstream.py", &["--openai", &model.origin]);
    let [said] = sdk.anthropic(&strict.origin, ["tools-stream"], &["--max-tokens", "64"]);
    assert_eq!(said.step("call")["tool_calls"][0]["name"], "get_weather", "{said:?}");
}
