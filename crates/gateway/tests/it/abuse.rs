//! What callers ask is watched, reported, and answered as the configuration says.

use bartizan_core::TenantId;
use bartizan_gateway::{Abuse, AdminKey, Role, SecretRef};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::{Running, admin, http1, start, timely};

fn settings(response: serde_json::Value) -> Abuse {
    // So low that a test need not ask long.
    let level = json!({"least": 3, "fresh": 3, "factor": 2.0});
    let levels = json!({"logprob_requests": level, "varied_biases": level});
    serde_json::from_value(json!({"levels": levels, "response": response})).unwrap()
}

async fn ask(running: &Running, body: &serde_json::Value) -> Response<Bytes> {
    let request = Request::post("/v1/chat/completions")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    http1(TcpStream::connect(running.address).await.unwrap(), request).await
}

fn with_logprobs(n: usize) -> serde_json::Value {
    let text = format!("What is the height of tower number {n}?");
    json!({"model": "m", "logprobs": true, "top_logprobs": 5, "messages": [{"role": "user", "content": text}]})
}

async fn reported(running: &Running) -> usize {
    let events = running.store.recent(&TenantId::sole(), 100).await.unwrap();
    events.iter().filter(|e| e.rules.keys().any(|rule| rule.as_str() == "limits/logprob-harvest")).count()
}

#[test]
fn a_harvest_is_reported_once_and_passes() {
    timely(async {
        let running = start(|s| s.abuse = settings(json!([]))).await;
        for n in 0..8 {
            assert_eq!(ask(&running, &with_logprobs(n)).await.status(), StatusCode::OK);
        }
        assert_eq!(reported(&running).await, 1);
        let metrics = running.metrics.encode();
        assert!(metrics.contains("bartizan_abuse_alerts_total{signal=\"logprobs\"} 1"), "{metrics}");
        assert!(metrics.contains("bartizan_watched_keys 1"), "{metrics}");
    });
}

#[test]
fn a_harvest_is_refused_where_the_configuration_says_so_and_other_requests_pass() {
    timely(async {
        let response = json!([{"signals": ["logprobs"], "then": "deny"}]);
        let running = start(|s| s.abuse = settings(response)).await;
        let mut statuses = Vec::new();
        for n in 0..6 {
            statuses.push(ask(&running, &with_logprobs(n)).await.status().as_u16());
        }
        assert_eq!(statuses, [200, 200, 200, 400, 400, 400]);
        assert_eq!(reported(&running).await, 3);
        let plain = json!({"model": "m", "messages": [{"role": "user", "content": "Good day"}]});
        assert_eq!(ask(&running, &plain).await.status(), StatusCode::OK);
    });
}

#[test]
fn log_probabilities_are_stripped_and_the_record_says_so() {
    timely(async {
        let response = json!([{"then": "strip_logprobs"}]);
        let running = start(|s| s.abuse = settings(response)).await;
        for n in 0..5 {
            assert_eq!(ask(&running, &with_logprobs(n)).await.status(), StatusCode::OK);
        }
        let events = running.store.recent(&TenantId::sole(), 100).await.unwrap();
        let stripped = events.iter().filter(|e| e.action == bartizan_core::Action::Strip).count();
        assert_eq!(stripped, 2);
    });
}

#[test]
fn an_operator_sees_the_use_of_keys_and_takes_it_for_usual() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let secret = "key-of-the-operator-0123456789";
        std::fs::write(&path, secret).unwrap();
        let running = start(|s| {
            s.abuse = settings(json!([]));
            s.admin.listen = Some("127.0.0.1:0".to_owned());
            let key = SecretRef::File(path);
            s.admin.key.push(AdminKey { name: "op".to_owned(), key, role: Role::Operator, tenants: Vec::new() });
        })
        .await;
        for n in 0..5 {
            ask(&running, &with_logprobs(n)).await;
        }
        let at = running.admin.unwrap();
        let (status, list) = admin(at, secret, "/admin/v1/abuse").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!((&list[0]["requests"], &list[0]["raised"][0]["signal"]), (&json!(5), &json!("logprobs")));
        assert_eq!(list[0]["raised"][0]["rule"], "limits/logprob-harvest");
        let accept = |signal: &str| {
            let body = json!({"signal": signal, "reason": "the evaluation of release 7"}).to_string();
            Request::post("/admin/v1/abuse/accept")
                .header("host", "localhost")
                .header("authorization", format!("Bearer {secret}"))
                .body(Full::new(Bytes::from(body)))
                .unwrap()
        };
        let socket = || async { TcpStream::connect(at).await.unwrap() };
        assert_eq!(http1(socket().await, accept("coverage")).await.status(), StatusCode::NOT_FOUND);
        let answer = http1(socket().await, accept("logprobs")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let (_, list) = admin(at, secret, "/admin/v1/abuse").await;
        assert_eq!(list[0]["raised"], json!([]));
        let acts = running.store.acts(&TenantId::sole(), 10).await.unwrap();
        assert!(
            acts.iter().any(|act| act.deed == bartizan_core::Deed::UseAccepted && act.reason.contains("release 7"))
        );
    });
}

#[test]
fn what_is_switched_off_watches_nothing() {
    timely(async {
        let running = start(|s| s.abuse = Abuse { enabled: false, ..settings(json!([])) }).await;
        for n in 0..8 {
            ask(&running, &with_logprobs(n)).await;
        }
        assert_eq!(reported(&running).await, 0);
        assert!(running.metrics.encode().contains("bartizan_watched_keys 0"));
    });
}
