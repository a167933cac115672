//! The gateway between the official SDKs and real upstreams.

use crate::support::{Gateway, Sdk, recorded};

#[test]
fn real_model_answers_through_the_gateway_and_never_sees_a_secret() {
    let Some(sdk) = Sdk::find() else { return };
    let Some(model) = sdk.model("smollm2") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("requests.jsonl");
    let recorder = sdk.recorder(&model, &log);
    let gateway = Gateway::start(&recorder.v1(), "");

    let [chat, stream, secret, blocked] =
        sdk.openai(&gateway.v1(), ["chat", "stream", "secret", "blocked"], &["--max-tokens", "8"]);
    // At temperature 0 the same request has the same answer, streamed or not.
    assert!(chat.step("reply")["text"].is_string(), "{chat:?}");
    assert_eq!(chat.step("reply")["text"], stream.step("reply")["text"]);
    assert!(blocked.step("error")["event_id"].is_string(), "{blocked:?}");
    let secrets = secret.step("sent")["secrets"].as_object().expect("secrets");
    let requests = recorded(&log);
    assert_eq!(requests.len(), 3, "the blocked one stays out");
    for request in requests {
        let body = request["body"].as_str().expect("a body");
        assert!(secrets.values().all(|s| !body.contains(s.as_str().expect("a text"))), "{body}");
        assert!(!body.contains("Ignore all previous"), "{body}");
    }
}
