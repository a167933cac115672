//! What result files are taken for.

use bartizan_report::{Dated, Kind, LONGEST, State, recognise};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{origin, read};

fn scan(word: Option<&str>, denied: u64, status: &str) -> Value {
    let mut document = json!({
        "files": [{ "path": "a", "findings": [{ "rule": "model/pickle-code-execution", "severity": "low" }] }],
        "summary": { "files": 1, "denied": denied, "coverage": { "status": status } },
    });
    if let Some(word) = word {
        document["scan"] = word.into();
    }
    document
}

#[test]
fn each_result_is_told_by_its_content() {
    let share = |hits: u64| json!({ "hits": hits, "trials": 4 });
    let run = |hits: u64, gates: Value| {
        json!({
            "target": "http://127.0.0.1/v1", "plan": "x", "trials": 4, "complete": true,
            "total": { "asr": share(hits) }, "gates": gates,
            "families": [{ "risk": ["LLM01"], "atlas": ["AML.T0054"], "asr": share(hits) }],
        })
    };
    let membership = |evidence: bool| json!({ "signal": "echo", "verdict": "v", "missing": {}, "blind": {}, "scores": [{ "evidence": evidence }] });
    let cases = [
        (scan(Some("model"), 0, "complete"), Kind::ModelScan, State::Good),
        (scan(Some("model"), 1, "complete"), Kind::ModelScan, State::Open),
        (scan(Some("infra"), 0, "structural"), Kind::InfraScan, State::Good),
        (scan(Some("agents"), 0, "partial"), Kind::AgentScan, State::Weak),
        (
            json!({ "rows": [], "summary": { "sources": 1, "rows": 9, "stopped": 0, "coverage": { "status": "complete" } } }),
            Kind::DataScan,
            State::Good,
        ),
        (
            json!({ "endpoint": "http://h", "asked": [], "findings": [{ "rule": "infra/management-api" }] }),
            Kind::EndpointProbe,
            State::Open,
        ),
        (
            json!({ "bomFormat": "CycloneDX", "compositions": [{ "aggregate": "incomplete" }] }),
            Kind::ModelBill,
            State::Weak,
        ),
        (
            json!({ "bomFormat": "CycloneDX", "compositions": [{ "aggregate": "complete" }] }),
            Kind::ModelBill,
            State::Good,
        ),
        (run(0, json!([])), Kind::RedTeam, State::Good),
        (run(1, json!([])), Kind::RedTeam, State::Open),
        (run(1, json!([{ "met": true }])), Kind::RedTeam, State::Weak),
        (run(0, json!([{ "met": false }])), Kind::RedTeam, State::Open),
        (json!({ "rows": 3, "auroc": 0.9, "ece": 0.1, "lines": [] }), Kind::GuardEval, State::Good),
        (
            json!({ "signal": "echo", "groups": [{ "planted": 2, "extractable": 1 }], "canaries": [] }),
            Kind::CanaryTest,
            State::Open,
        ),
        (
            json!({ "signal": "text", "verbatim": {}, "near": {}, "measured": 1, "records": [{ "near": false }], "missing": { "a": 1 } }),
            Kind::ExtractionTest,
            State::Weak,
        ),
        (membership(false), Kind::MembershipTest, State::Good),
        (membership(true), Kind::MembershipTest, State::Open),
        (json!({ "measure": "m", "compared": 1, "more": [1], "less": [] }), Kind::PrivacyComparison, State::Open),
        (
            json!({ "verified": true, "model": { "name": "m" }, "files": [{ "path": "a", "status": "ok" }] }),
            Kind::ModelSignature,
            State::Good,
        ),
        (
            json!({ "verified": true, "model": { "name": "m" }, "files": [{ "path": "a", "status": "unsigned" }] }),
            Kind::ModelSignature,
            State::Weak,
        ),
        (json!({ "verified": true, "model": { "name": "m" }, "files": [] }), Kind::ModelSignature, State::Weak),
        (json!({ "signal": "echo", "groups": [], "canaries": [] }), Kind::CanaryTest, State::Weak),
        (json!({ "measure": "m", "compared": 0, "more": [], "less": [] }), Kind::PrivacyComparison, State::Weak),
        (
            json!({ "signal": "echo", "kinds": [{ "extractable": 1 }], "values": [1], "unusable": 0 }),
            Kind::ExtractionTest,
            State::Open,
        ),
        (json!({ "signal": "echo", "kinds": [{}], "values": [1], "unusable": 2 }), Kind::ExtractionTest, State::Weak),
        (
            json!({ "signal": "text", "repeats": {}, "rankings": [], "found": [1], "samples": 9 }),
            Kind::ExtractionTest,
            State::Open,
        ),
        (json!({ "verified": false, "reason": "r" }), Kind::ModelSignature, State::Open),
        (json!({ "chain": { "holds": true, "links": [] } }), Kind::CustodyChain, State::Good),
    ];
    for (document, kind, state) in cases {
        let all = read("x.json", &document);
        assert_eq!((all.len(), all[0].kind, all[0].state), (1, kind, state), "{document}");
        assert_eq!(all[0].sha256.as_ref().map(String::len), Some(64));
    }
    let chain = json!({ "holds": false, "links": [{ "holds": false }] });
    let files = json!([{ "path": "a", "status": "ok" }]);
    let both = read("x", &json!({ "verified": true, "model": { "name": "m" }, "files": files, "chain": chain }));
    assert_eq!(
        both.iter().map(|e| (e.kind, e.state)).collect::<Vec<_>>(),
        [(Kind::ModelSignature, State::Good), (Kind::CustodyChain, State::Open)]
    );
}

#[test]
fn scans_without_a_mark_are_told_by_hashes_and_rules() {
    let mut old = scan(None, 0, "complete");
    assert!(recognise(&origin("x"), old.to_string().as_bytes()).is_err());
    old["files"][0]["sha256"] = "00".into();
    assert_eq!(read("x", &old)[0].kind, Kind::ModelScan);
    let mut infra = scan(None, 0, "complete");
    infra["files"][0]["findings"][0]["rule"] = "infra/public-bind".into();
    assert_eq!(read("x", &infra)[0].kind, Kind::InfraScan);
}

#[test]
fn severities_count_and_not_the_gate_of_the_command() {
    for (severity, denied, state) in [
        ("medium", 0, State::Good),
        ("high", 0, State::Open),
        ("critical", 0, State::Open),
        // A gate that was stricter.
        ("medium", 1, State::Open),
        ("", 0, State::Weak),
        ("terrible", 0, State::Weak),
    ] {
        for word in ["model", "infra", "agents"] {
            let mut document = scan(Some(word), denied, "complete");
            document["files"][0]["findings"][0]["severity"] = severity.into();
            assert_eq!(read("x", &document)[0].state, state, "{word} {severity} {denied}");
        }
    }
    // Where findings are not listed one by one, the summary has them.
    let mut document = scan(Some("infra"), 0, "complete");
    document["summary"]["findings"] = json!({ "high": 2, "low": 1 });
    assert_eq!(read("x", &document)[0].state, State::Open);

    let data = |more: Value| {
        let mut document = json!({ "rows": [], "summary": {
            "sources": 1, "rows": 9, "stopped": 0, "findings": { "pii/iban": 3 }, "coverage": { "status": "complete" },
        } });
        let summary = document["summary"].as_object_mut().expect("an object");
        summary.extend(more.as_object().expect("an object").clone());
        read("x", &document)[0].state
    };
    assert_eq!(data(json!({ "severities": { "high": 1 } })), State::Open);
    assert_eq!(data(json!({ "severities": { "medium": 3 } })), State::Good);
    assert_eq!(data(json!({})), State::Weak);
    assert_eq!(data(json!({ "worst": "high", "severities": { "high": 1 } })), State::Open);
    // What was found was taken out.
    assert_eq!(data(json!({ "worst": null, "severities": { "high": 1 } })), State::Good);
    assert_eq!(data(json!({ "worst": null, "gates": [{ "met": true }, { "met": false }] })), State::Open);
}

#[test]
fn json_lines_and_sarif_are_read_too() {
    let lines = "{\"source\":\"a\",\"row\":0}\n{\"summary\":{\"sources\":1,\"rows\":2,\"stopped\":1,\"poison_rows\":2,\"findings\":{\"pii/iban\":1},\"coverage\":{\"status\":\"complete\"}}}\n";
    let all = recognise(&origin("x.jsonl"), lines.as_bytes()).unwrap();
    assert_eq!((all[0].kind, all[0].state, all[0].rules["pii/iban"]), (Kind::DataScan, State::Open, 1));
    assert_eq!(all[0].covers, ["poison"]);
    let sarif = json!({ "version": "2.1.0", "runs": [{
        "tool": { "driver": { "name": "bartizan", "rules": [{ "id": "mcp/covert-instruction" }] } },
        "results": [{ "ruleId": "mcp/covert-instruction", "level": "error" }],
        "properties": { "coverage": { "status": "complete" } },
    }] });
    assert_eq!((read("x", &sarif)[0].kind, read("x", &sarif)[0].state), (Kind::AgentScan, State::Open));
    let mut other = sarif;
    other["runs"][0]["tool"]["driver"]["name"] = "another".into();
    assert!(recognise(&origin("x"), other.to_string().as_bytes()).is_err());
}

#[test]
fn signed_statements_are_read_and_say_when_they_were_made() {
    use base64::Engine as _;
    let bundle = |statement: &Value| {
        let payload = base64::engine::general_purpose::STANDARD.encode(statement.to_string());
        json!({ "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": { "payload": payload } })
    };
    let mut scan = json!({
        "subject": [{ "name": "llama" }], "predicateType": "https://in-toto.io/attestation/vulns/v0.2",
        "predicate": {
            "scanner": { "result": [{ "id": "model/pickle-function", "severity": [{ "score": "medium" }] }] },
            "verdict": "allow", "worst": "medium",
            "metadata": { "scanFinishedOn": "2026-05-01T10:00:00Z" }, "coverage": { "status": "complete" },
        },
    });
    let of = &read("x", &bundle(&scan))[0];
    assert_eq!(
        (of.kind, of.state, of.dated, of.made.as_str()),
        (Kind::ModelScan, State::Good, Dated::Content, "2026-05-01T10:00:00Z")
    );
    scan["predicate"]["verdict"] = "deny".into();
    scan["predicate"]["metadata"]["scanFinishedOn"] = "yesterday".into();
    let of = &read("x", &bundle(&scan))[0];
    assert_eq!((of.state, of.dated, of.rules["model/pickle-function"]), (State::Open, Dated::File, 1));
    scan["predicate"]["verdict"] = "allow".into();
    scan["predicate"]["worst"] = "critical".into();
    assert_eq!(read("x", &bundle(&scan))[0].state, State::Open, "the verdict is that of the examiner's gate");
    scan["predicateType"] = "urn:another".into();
    assert!(recognise(&origin("x"), bundle(&scan).to_string().as_bytes()).is_err());
}

#[test]
fn what_is_no_result_is_refused() {
    let corpus = json!({ "verified": true, "corpus": { "name": "c" }, "files": [{ "path": "a", "status": "ok" }] });
    for other in [json!({ "verified": true }), corpus, json!({ "verified": false, "corpus": {}, "reason": "r" })] {
        assert!(recognise(&origin("x"), other.to_string().as_bytes()).is_err(), "{other}");
    }
    for bytes in [&b""[..], b"{}", b"[]", b"null", b"\xff\xfe", b"{\"summary\":1}", b"{\"files\":3,\"summary\":{}}"] {
        assert!(recognise(&origin("x"), bytes).is_err(), "{bytes:?}");
    }
    assert!(recognise(&origin("x"), &vec![b' '; LONGEST + 1]).is_err());
    let deep = "[".repeat(100_000);
    assert!(recognise(&origin("x"), deep.as_bytes()).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "files",
        "summary",
        "scan",
        "findings",
        "rule",
        "runs",
        "version",
        "tool",
        "target",
        "plan",
        "trials",
        "families",
        "asr",
        "hits",
        "risk",
        "signal",
        "groups",
        "canaries",
        "chain",
        "holds",
        "links",
        "verified",
        "rows",
        "sources",
        "bomFormat",
        "more",
        "less",
        "measure",
        "compared",
        "blind",
        "scores",
        "verdict",
        "near",
        "verbatim",
        "records",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["CycloneDX", "bartizan", "model", "infra", "partial", "<b>"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..8)
                .prop_map(|m| Value::Object(m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_it_panic(document in value()) {
        let _ = recognise(&origin("x"), document.to_string().as_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = recognise(&origin("x"), &bytes);
    }
}
