//! Every sink against a receiver of its kind.
#![allow(clippy::disallowed_methods, reason = "tests use clocks, files and sockets")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::any;
use bartizan_core::{Act, Deed, Event, EventStore, RuleId, TenantId, Verdict};
use bartizan_sinks::{Counts, Sink, Sinks};
use bartizan_store::SqliteStore;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

type Seen = Arc<Mutex<Vec<(Uri, HeaderMap, String)>>>;

/// A receiver that refuses the first `refuse` deliveries.
async fn receiver(refuse: usize) -> (String, Seen) {
    let seen: Seen = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let handler = move |State(seen): State<Seen>, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let mut seen = seen.lock().unwrap();
        seen.push((uri, headers, String::from_utf8(body.to_vec()).unwrap()));
        if seen.len() <= refuse { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let router = Router::new().fallback(any(handler)).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

fn decision(id: usize, verdict: Verdict, rule: &'static str) -> Event {
    Event {
        id: format!("e{id}"),
        exchange: format!("x{id}"),
        time: "2026-01-02T03:04:05.000006Z".to_owned(),
        verdict,
        rules: [(RuleId::new(rule), 1)].into(),
        ..Event::default()
    }
}

fn deed() -> Act {
    Act {
        id: "a1".to_owned(),
        chain_id: String::new(),
        seq: 0,
        time: "2026-01-02T03:04:05.000006Z".to_owned(),
        tenant: TenantId::sole(),
        actor: "cli".to_owned(),
        deed: Deed::Contained,
        subject: "key:web".to_owned(),
        reason: "stolen".to_owned(),
        detail: Default::default(),
        prev: String::new(),
        hash: String::new(),
    }
}

async fn store(decisions: usize) -> Arc<SqliteStore> {
    let store = SqliteStore::open_in_memory().await.unwrap();
    for id in 0..decisions {
        let verdict = if id % 2 == 0 { Verdict::Deny } else { Verdict::Allow };
        store.append(decision(id, verdict, "prompt/system-leak")).await.unwrap();
    }
    store.act(deed()).await.unwrap();
    Arc::new(store)
}

fn sink(settings: Value) -> Vec<Sink> {
    vec![serde_json::from_value(settings).unwrap()]
}

fn secret(folder: &Path, text: &str) -> String {
    let path = folder.join("secret");
    std::fs::write(&path, text).unwrap();
    format!("file:{}", path.display())
}

/// Runs sinks until `done`, as a process would that is then killed.
async fn run_until(settings: &[Sink], store: &Arc<SqliteStore>, folder: &Path, done: impl Fn() -> bool) {
    let store: Arc<dyn EventStore> = Arc::clone(store) as Arc<dyn EventStore>;
    let running = tokio::spawn(Sinks::new(settings).unwrap().run(store, folder.to_owned(), |_| Counts::default()));
    for _ in 0..1000 {
        if done() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(done(), "nothing more was delivered");
    // The place is written after the answer.
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.abort();
}

fn ids(body: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(body).unwrap();
    value["records"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_webhook_gets_every_record_at_least_once_also_over_refusals_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let (url, seen) = receiver(2).await;
    let key = secret(folder.path(), "0123456789abcdef0123456789abcdef");
    let settings = sink(json!({ "name": "soc", "batch": 3, "to": { "type": "webhook", "url": url, "secret": key } }));
    let store = store(8).await;
    let count = |seen: &Seen| seen.lock().unwrap().len();
    run_until(&settings, &store, folder.path(), || count(&seen) >= 3).await;
    run_until(&settings, &store, folder.path(), || count(&seen) >= 5).await;

    let seen = seen.lock().unwrap();
    let got: BTreeSet<String> = seen.iter().skip(2).flat_map(|(.., body)| ids(body)).collect();
    let all = (0..8).map(|id| format!("e{id}")).chain(["a1".to_owned()]).collect();
    assert_eq!(got, all);
    // A repeated delivery has the same id, so that its receiver can leave it out.
    let delivery = |at: usize| seen[at].1["webhook-id"].clone();
    assert_eq!((delivery(0), delivery(1)), (delivery(2), delivery(2)));
    assert_ne!(delivery(2), delivery(3));
    for (_, headers, body) in seen.iter() {
        let signed = format!(
            "{}.{}.{body}",
            headers["webhook-id"].to_str().unwrap(),
            headers["webhook-timestamp"].to_str().unwrap()
        );
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
        use base64::Engine as _;
        let signature = headers["webhook-signature"].to_str().unwrap().strip_prefix("v1,").unwrap();
        let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
        aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    }
}

#[tokio::test]
async fn filters_choose_and_what_is_passed_over_does_not_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let (url, seen) = receiver(0).await;
    let key = secret(folder.path(), "0123456789abcdef0123456789abcdef");
    let settings = sink(json!({
        "name": "soc",
        "to": { "type": "webhook", "url": url, "secret": key },
        "only": { "verdict": "deny", "families": ["prompt"], "deeds": false },
    }));
    let store = store(4).await;
    store.append(decision(9, Verdict::Deny, "pii/email")).await.unwrap();
    run_until(&settings, &store, folder.path(), || !seen.lock().unwrap().is_empty()).await;
    let got: Vec<String> = seen.lock().unwrap().iter().flat_map(|(.., body)| ids(body)).collect();
    assert_eq!(got, ["e0", "e2"]);
}

#[tokio::test]
async fn splunk_and_opentelemetry_get_their_own_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let (url, seen) = receiver(0).await;
    let token = secret(folder.path(), "not-a-real-token");
    let store = store(1).await;
    let splunk =
        sink(json!({ "name": "splunk", "to": { "type": "splunk-hec", "url": url, "token": token, "index": "llm" } }));
    run_until(&splunk, &store, folder.path(), || seen.lock().unwrap().len() == 1).await;
    let otlp = sink(json!({ "name": "otel", "to": { "type": "otlp-logs", "url": url, "authorization": token } }));
    run_until(&otlp, &store, folder.path(), || seen.lock().unwrap().len() == 2).await;

    let seen = seen.lock().unwrap();
    let (uri, headers, body) = &seen[0];
    assert_eq!(
        (uri.path(), &headers["authorization"]),
        ("/services/collector/event", &"Splunk not-a-real-token".parse().unwrap())
    );
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["event"]["id"].as_str(), lines[0]["index"].as_str()), (Some("e0"), Some("llm")));
    assert_eq!(
        (lines[0]["sourcetype"].as_str(), lines[1]["sourcetype"].as_str()),
        (Some("bartizan:decision"), Some("bartizan:act"))
    );
    assert!((lines[0]["time"].as_f64().unwrap() - 1_767_323_045.000_006).abs() < 1e-6);

    let (uri, _, body) = &seen[1];
    assert_eq!(uri.path(), "/v1/logs");
    let body: Value = serde_json::from_str(body).unwrap();
    let log = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(log["timeUnixNano"], "1767323045000006000");
    assert_eq!((log["severityNumber"].as_u64(), log["eventName"].as_str()), (Some(17), Some("bartizan.decision")));
}

#[tokio::test]
async fn syslog_is_framed_by_octets_inside_tls() {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let got: Arc<Mutex<Vec<u8>>> = Arc::default();
    let sink_of = Arc::clone(&got);
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut piece).await {
                sink_of.lock().unwrap().extend_from_slice(&piece[..read]);
            }
        }
    });
    let settings = sink(json!({
        "name": "siem", "ca": ca,
        "to": { "type": "syslog", "address": format!("127.0.0.1:{port}"), "server_name": "localhost" },
    }));
    let store = store(2).await;
    run_until(&settings, &store, folder.path(), || got.lock().unwrap().windows(4).any(|w| w == b"\"a1\"")).await;

    let got = String::from_utf8(got.lock().unwrap().clone()).unwrap();
    let mut rest = got.as_str();
    let mut messages = Vec::new();
    while let Some((length, after)) = rest.split_once(' ') {
        let (message, next) = after.split_at(length.parse().unwrap());
        messages.push(message);
        rest = next;
    }
    assert_eq!(messages.len(), 3);
    assert!(
        messages[0].starts_with("<108>1 2026-01-02T03:04:05.000006Z - bartizan - decision [bartizan@32473 id=\"e0\"")
    );
    assert!(messages[2].starts_with("<109>1 ") && messages[2].contains(" act "));
    let body = messages[0].split_once('\u{feff}').unwrap().1;
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["id"], "e0");
}

#[test]
fn settings_that_would_leak_or_lose_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = secret(folder.path(), "0123456789abcdef0123456789abcdef");
    let wrong = |settings: Value| Sinks::new(&sink(settings)).err().map(|e| e.to_string());
    let webhook = |url: &str| json!({ "type": "webhook", "url": url, "secret": key });
    for (settings, expected) in [
        (
            json!({ "name": "a", "to": webhook("https://me:hidden@siem.example/x") }),
            "sink `a`: the address holds a user or password; give it as a secret",
        ),
        (
            json!({ "name": "a", "to": webhook("https://me:hidden @siem.example/x") }),
            "sink `a`: the address cannot be read; it is `https://HOST/PATH`",
        ),
        (
            json!({ "name": "a", "to": webhook("http://siem.example/x") }),
            "sink `a`: `http://siem.example/x` is not encrypted; `http://` is only for this machine",
        ),
        (
            json!({ "name": "../a", "to": webhook("https://siem.example") }),
            "sink `../a`: a name is made of letters, digits, `-` and `_`",
        ),
        (
            json!({ "name": "a", "batch": 0, "to": webhook("https://siem.example") }),
            "sink `a`: `batch` is from 1 to 1000",
        ),
        (
            json!({ "name": "a", "to": { "type": "syslog", "address": "siem.example" } }),
            "sink `a`: `siem.example` is not `host:port`",
        ),
    ] {
        assert_eq!(wrong(settings).as_deref(), Some(expected));
    }
}
