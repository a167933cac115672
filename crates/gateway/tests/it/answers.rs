//! What callers get of an upstream's answer: never the provider's key, and of its models those that they may use.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bartizan_gateway::{SecretRef, Settings, Upstream};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Running, http1, question, start, timely};

/// No provider's key looks like that, so that no rule finds it.
const KEY: &str = "plain-words-of-a-test";

/// A server that answers so, and settings of an upstream with a key for it.
async fn upstream(folder: &tempfile::TempDir, routes: Router) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let file = folder.path().join("provider-key");
    std::fs::write(&file, KEY).unwrap();
    Upstream { key: Some(SecretRef::File(file)), ..Upstream::at("a", &url) }
}

async fn gateway(upstream: Upstream, change: impl FnOnce(&mut Settings)) -> Running {
    start(|settings| {
        settings.upstream = vec![upstream];
        settings.passthrough = serde_json::from_value(json!([{"path": "/v1/files", "reason": "a test"}])).unwrap();
        change(settings);
    })
    .await
}

fn asking(path: &str, key: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://localhost{path}"))
        .header("host", "localhost")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::default())
        .unwrap()
}

#[test]
fn the_providers_key_stays_with_the_gateway() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let error = || format!(r#"{{"error":{{"message":"the key {KEY} is not known","type":"auth"}}}}"#);
        let refuse = move || async move {
            let head = [("content-type", "application/json"), ("x-request-id", KEY), ("request-id", "r1")];
            (StatusCode::UNAUTHORIZED, head, error())
        };
        let told = move || async move {
            let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": {"content": format!("It is {KEY}, he said.")}}]});
            let text = format!("data: {chunk}\n\ndata: [DONE]\n\n");
            let (first, last) = text.split_at(text.find(KEY).unwrap() + 7);
            let pieces = [first.to_owned(), last.to_owned()];
            let pieces = stream::unfold(pieces.into_iter(), async |mut pieces| {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, Infallible>(pieces.next()?), pieces))
            });
            ([("content-type", "text/event-stream")], Body::from_stream(pieces))
        };
        let routes = Router::new()
            .route("/v1/chat/completions", post(refuse))
            .route("/v1/files", get(refuse))
            .route("/v1/messages", post(refuse));
        let refusing = gateway(upstream(&folder, routes).await, |_| {}).await;
        for request in [question(), asking("/v1/files", "any")] {
            let reply = http1(TcpStream::connect(refusing.address).await.unwrap(), request).await;
            assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
            let said = String::from_utf8(reply.body().to_vec()).unwrap();
            assert!(said.contains("is not known") && !said.contains(KEY), "{said}");
            assert!(reply.headers().contains_key("request-id") && !reply.headers().contains_key("x-request-id"));
        }

        let routes = Router::new().route("/v1/chat/completions", post(told));
        let telling = gateway(upstream(&folder, routes).await, |_| {}).await;
        let reply = http1(TcpStream::connect(telling.address).await.unwrap(), question()).await;
        let said = String::from_utf8(reply.body().to_vec()).unwrap();
        assert!(said.contains("said.") && said.contains("[DONE]") && !said.contains(KEY), "{said}");
    });
}

#[test]
fn models_are_listed_for_who_may_use_them() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let head = [("content-type", "application/json")];
        let all = r#"{"object":"list","data":[{"id":"gpt-5","object":"model"},{"id":"other","object":"model"}]}"#;
        let routes = Router::new()
            .route("/v1/models", get(move || async move { (head, all) }))
            .route("/v1/models/other", get(move || async move { (head, r#"{"id":"other","object":"model"}"#) }))
            .route("/v1/models/gpt-5", get(move || async move { (head, r#"{"id":"gpt-5","object":"model"}"#) }));
        let key = |name: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, format!("key-of-a-caller-{name}")).unwrap();
            format!("file:{}", file.display())
        };
        let clients = json!([
            {"name": "some", "key": key("some"), "models": ["gpt-*"]}, {"name": "any", "key": key("any")},
        ]);
        let upstream = upstream(&folder, routes).await;
        let gateway = gateway(upstream, |s| s.client = serde_json::from_value(clients).unwrap()).await;
        for (who, path, wanted) in [
            ("some", "/v1/models", Ok(vec!["gpt-5"])),
            ("any", "/v1/models", Ok(vec!["gpt-5", "other"])),
            ("some", "/v1/models/gpt-5", Ok(vec![])),
            ("any", "/v1/models/other", Ok(vec![])),
            ("some", "/v1/models/other", Err(StatusCode::FORBIDDEN)),
        ] {
            let request = asking(path, &format!("key-of-a-caller-{who}"));
            let reply = http1(TcpStream::connect(gateway.address).await.unwrap(), request).await;
            let seen = match reply.status() {
                StatusCode::OK => {
                    let body: Value = serde_json::from_slice(reply.body()).unwrap();
                    let list = body["data"].as_array().cloned().unwrap_or_default();
                    Ok(list.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
                }
                other => Err(other),
            };
            assert_eq!(seen, wanted.map(|names| names.into_iter().map(str::to_owned).collect()), "{who} {path}");
        }
    });
}
