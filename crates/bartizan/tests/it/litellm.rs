//! A real LiteLLM proxy between a client and a model server, guarded by Bartizan as docs/guide/litellm.md says.

use serde_json::{Value, json};

use crate::support::{Gateway, Said, Sdk, recorded};

const KEY: &str = "litellm-asks-with-this-key-0123456789";
const MASTER: &str = "sk-callers-ask-with-this-key-0123456789";
const CARD: &str = "4111 1111 1111 1111";

/// The block of that language in the guide: what is tested is what is written there.
fn guide(language: &str) -> String {
    let page = include_str!("../../../../docs/guide/litellm.md");
    let (_, block) = page.split_once(&format!("```{language}\n")).expect("the guide has the block");
    block.split_once("```").expect("it ends").0.to_owned()
}

fn text(said: &Said) -> &str {
    said.step("reply")["text"].as_str().unwrap_or_else(|| panic!("{said:?}"))
}

fn error(said: &Said) -> String {
    let error = said.step("error");
    assert!(!error.is_null(), "{said:?}");
    error.to_string()
}

#[test]
#[ignore = "needs a LiteLLM proxy: cargo xtask e2e"]
fn a_real_litellm_proxy_blocks_and_masks_through_the_guide() {
    let Some(sdk) = Sdk::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("requests.jsonl");
    let card =
        format!("Grüße! The card is {CARD}, the mail ann@example.com. Anything else that I can do for you today?");
    let call = |value: &str| json!({"chunks": [], "tool": {"name": "get_weather", "arguments": {"city": value}}});
    let script = json!([
        {"chunks": ["Paris is the capital."]},
        {"chunks": ["Noted."]},
        {"chunks": [card]},
        {"chunks": [card], "split": 3, "write": 5},
        call("Paris"),
        {"chunks": ["18 degrees."]},
        call(CARD),
        {"chunks": ["My rules: {{system}}"], "split": 4},
        {"chunks": ["Noted."]},
    ]);
    let upstream = sdk.scripted(&script);
    let recorder = sdk.recorder(&upstream, &log);
    let gateway = Gateway::with_variables(&guide("toml"), &[("BARTIZAN_KEY", KEY)]);
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, guide("yaml")).expect("the configuration is written");
    let variables = [
        ("UPSTREAM_URL", recorder.v1()),
        ("UPSTREAM_KEY", "upstream-key".to_owned()),
        ("BARTIZAN_URL", gateway.origin.clone()),
        ("BARTIZAN_KEY", KEY.to_owned()),
        ("LITELLM_MASTER_KEY", MASTER.to_owned()),
    ];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let Some(litellm) = sdk.litellm(&config, &variables) else { return };
    let ask = |scenario: &str, more: &[&str]| {
        let [said] =
            sdk.openai(&litellm.v1(), [scenario], &[&["--model", "guarded", "--api-key", MASTER], more].concat());
        said
    };
    let requests = || -> Vec<Value> { recorded(&log).into_iter().filter(|r| r["method"] == "POST").collect() };
    let asked = || requests().len();

    // Requests: harmless ones pass, attacks end there, secrets never arrive.
    assert_eq!(text(&ask("chat", &[])), "Paris is the capital.");
    let blocked = error(&ask("blocked", &[]));
    assert!(blocked.contains("blocked by policy (event ") && !blocked.contains("prompt/"), "{blocked}");
    assert_eq!(asked(), 1, "the blocked one stays out: {:?}", recorded(&log));
    let secret = ask("secret", &[]);
    let sent = requests().pop().expect("a request")["body"].to_string();
    for value in secret.step("sent")["secrets"].as_object().expect("secrets").values() {
        assert!(!sent.contains(value.as_str().expect("a text")), "{sent}");
    }
    assert!(sent.contains("[REDACTED:"), "{sent}");

    // Answers, whole and streamed: the same mask, and no piece of what it covers in any chunk.
    let masked = "Grüße! The card is [REDACTED:CREDIT_CARD], the mail [REDACTED:EMAIL_ADDRESS]. Anything else that I can do for you today?";
    assert_eq!(text(&ask("chat", &[])), masked);
    let stream = ask("stream", &[]);
    let deltas: Vec<&str> =
        stream.step("reply")["deltas"].as_array().expect("deltas").iter().filter_map(Value::as_str).collect();
    assert_eq!(deltas.concat(), masked, "{stream:?}");
    assert!(deltas.len() > 3, "it still streams: {deltas:?}");
    assert!(deltas.iter().all(|d| !d.contains("4111") && !d.contains("ann@")), "{deltas:?}");

    // Tools: a harmless call passes and its result is examined; what cannot be masked in a call is blocked.
    let tools = ask("tools", &[]);
    assert_eq!(tools.step("call")["tool_calls"][0]["arguments"], json!({"city": "Paris"}), "{tools:?}");
    assert_eq!(text(&tools), "18 degrees.");
    let refused = error(&ask("tools", &[]));
    assert!(refused.contains("blocked by policy") && !refused.contains(CARD), "{refused}");
    let before = asked();
    let injected = error(&ask("injected-tool", &[]));
    assert!(injected.contains("blocked by policy"), "{injected}");
    assert_eq!(asked(), before, "an instruction in a tool result stays out");

    // A canary of the system prompt never comes out of a stream.
    let leak = ask("canary", &["--canary", "BARTIZAN-CANARY-0123456789abcdef"]);
    let shown = [leak.step("reply"), leak.step("error")].map(|s| s["deltas"].to_string()).concat();
    assert!(!shown.contains("0123456789abcdef") && !leak.step("error").is_null(), "{leak:?}");

    // Nobody answers: LiteLLM refuses, as `fail_closed` says.
    let before = asked();
    drop(gateway);
    error(&ask("chat", &[]));
    assert_eq!(asked(), before);
}
