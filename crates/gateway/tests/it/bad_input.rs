//! Hostile bodies in every protocol: the right status in the protocol's own shape, and never a hang; and addresses in
//! bodies that nobody follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bartizan_core::{Direction, EventQuery, TenantId, Verdict};
use bartizan_gateway::Upstream;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::raw::{Recorder, exchange, statuses};
use crate::support::{Running, start, timely};

/// Path of a protocol, a header of its clients, and where its errors have a message.
const PROTOCOLS: &[(&str, &str, &str)] = &[
    ("/v1/chat/completions", "x-a: b", "/error/message"),
    ("/v1/completions", "x-a: b", "/error/message"),
    ("/v1/embeddings", "x-a: b", "/error/message"),
    ("/v1/responses", "x-a: b", "/error/message"),
    ("/v1/messages", "anthropic-version: 2023-06-01", "/error/message"),
    ("/v1beta/models/m:generateContent", "x-a: b", "/error/message"),
    ("/model/m/converse", "x-a: b", "/message"),
    ("/openai/deployments/m/chat/completions", "x-a: b", "/error/message"),
];

async fn small() -> Running {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", dead.local_addr().unwrap());
    start(|s| {
        s.upstream = vec![Upstream::at("u", &nowhere)];
        s.timeouts.body_ms = 300;
        s.timeouts.header_ms = 300;
    })
    .await
}

fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bad_bodies_are_refused_in_the_words_of_every_protocol() {
    timely(async {
        let gateway = small().await;
        let bomb = gzip(&vec![b' '; 40 << 20]);
        let json = "Content-Type: application/json\r\n";
        let sized = |n: usize| format!("Content-Length: {n}\r\n");
        let cases: &[(&str, String, Vec<u8>, u16)] = &[
            ("a bomb", format!("{json}Content-Encoding: gzip\r\n{}", sized(bomb.len())), bomb.clone(), 413),
            (
                "a bomb that is deflate",
                format!("{json}Content-Encoding: deflate\r\n{}", sized(bomb.len())),
                bomb.clone(),
                400,
            ),
            ("too long by its own word", format!("{json}{}", sized(1 << 40)), b"{".to_vec(), 413),
            ("never ending", format!("{json}{}", sized(1000)), b"{\"model\":".to_vec(), 408),
            (
                "never ending in chunks",
                format!("{json}Transfer-Encoding: chunked\r\n"),
                b"5\r\n{\"mod\r\n".to_vec(),
                408,
            ),
            ("a form", format!("Content-Type: application/x-www-form-urlencoded\r\n{}", sized(2)), b"{}".to_vec(), 415),
            ("a page", format!("Content-Type: text/html\r\n{}", sized(2)), b"{}".to_vec(), 415),
            ("two types", format!("{json}Content-Type: text/plain\r\n{}", sized(2)), b"{}".to_vec(), 415),
            ("another coding", format!("{json}Content-Encoding: lzma\r\n{}", sized(2)), b"{}".to_vec(), 415),
            ("no JSON", format!("{json}{}", sized(2)), b"{]".to_vec(), 400),
            ("UTF-16", format!("{json}{}", sized(6)), b"\xff\xfe{\0}\0".to_vec(), 400),
            ("no UTF-8", format!("{json}{}", sized(9)), b"{\"a\":\"\xff\"}".to_vec()[..9].to_vec(), 400),
            (
                "surrogates as bytes",
                format!("{json}{}", sized(11)),
                b"{\"a\":\"\xed\xa0\x80\"}".to_vec()[..11].to_vec(),
                400,
            ),
        ];
        for (path, header, pointer) in PROTOCOLS {
            let played = cases.iter().map(|(name, head, body, status)| {
                let to = gateway.address;
                async move {
                    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n{head}\r\n");
                    let bytes = [head.as_bytes(), body].concat();
                    let begun = Instant::now();
                    let reply =
                        exchange(to, &bytes, usize::MAX).await.unwrap_or_else(|| panic!("{path} {name}: no end"));
                    let shown = String::from_utf8_lossy(&reply).into_owned();
                    assert_eq!(statuses(&reply), [*status], "{path} {name}: {shown}");
                    let text = shown.split_once("\r\n\r\n").unwrap().1;
                    let value: Value = serde_json::from_str(text).unwrap();
                    assert!(value.pointer(pointer).is_some_and(Value::is_string), "{path} {name}: {text}");
                    assert!(begun.elapsed() < Duration::from_secs(4), "{path} {name}: {:?}", begun.elapsed());
                }
            });
            futures_util::future::join_all(played).await;
        }
        assert_eq!(gateway.metrics.in_flight.get(), 0);
    });
}

#[test]
fn a_body_without_end_is_cut_off_by_its_size() {
    timely(async {
        let gateway = small().await;
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        let head = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = socket.split();
        let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 1 << 16], b"\r\n"].concat();
        let mut sent = 0_usize;
        let send = async {
            while write.write_all(&chunk).await.is_ok() {
                sent += 1 << 16;
            }
            std::future::pending::<()>().await;
        };
        let mut reply = vec![0; 12];
        tokio::select! {
            () = send => {},
            got = read.read_exact(&mut reply) => { got.unwrap(); },
        }
        // Whichever comes first on a slow machine: the size, or the time.
        assert!(reply == b"HTTP/1.1 413" || reply == b"HTTP/1.1 408", "{}", String::from_utf8_lossy(&reply));
        assert!(sent < 256 << 20, "{sent} bytes were taken");
    });
}

#[test]
fn nobody_follows_an_address_in_a_body() {
    timely(async {
        let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = trap.local_addr().unwrap();
        let visits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visits);
        tokio::spawn(async move {
            while trap.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let upstream = Recorder::start().await;
        let gateway = start(|s| {
            s.upstream = vec![Upstream::at("u", &upstream.url)];
            s.upstream[0].opaque = serde_json::from_value(json!({"reference": "allow", "user": "allow"})).ok();
        })
        .await;
        let url = format!("http://{address}/x");
        let page = format!(
            "<html><img src=\"{url}\"><link rel=stylesheet href=\"{url}\"><iframe src=\"{url}\"></iframe></html>"
        );
        let user = |content: Value| json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        let bodies = [
            user(json!(format!("see {url} and ![i]({url}) <img src='{url}'>"))),
            user(json!([{"type": "image_url", "image_url": {"url": url}}])),
            user(json!([{"type": "file", "file": {"file_data": format!("data:text/html,{page}"), "filename": url}}])),
            user(json!(format!("<!DOCTYPE a [<!ENTITY x SYSTEM \"{url}\">]><a>&x;</a>"))),
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "api_base": url, "base_url": url,
                "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"$schema": url, "$ref": url}}}}),
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": url}}}]}),
            json!({"model": "m", "messages": [{"role": "tool", "tool_call_id": "1", "content": url}], "webhook": url, "callback_url": url}),
        ];
        let mut answered = 0;
        for body in &bodies {
            let body = body.to_string();
            for (target, head) in [
                ("/v1/chat/completions".to_owned(), String::new()),
                (
                    "/v1/chat/completions".to_owned(),
                    format!("X-Forwarded-Host: {address}\r\nForwarded: host={address}\r\nX-Original-URL: {url}\r\n"),
                ),
                (format!("http://{address}/v1/chat/completions"), String::new()),
            ] {
                let request = format!(
                    "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n{head}Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let reply = exchange(gateway.address, request.as_bytes(), usize::MAX).await.expect("it ends");
                let status = statuses(&reply);
                assert!(
                    status.len() == 1 && (status[0] == 200 || (400..500).contains(&status[0])),
                    "{status:?} {body}"
                );
                answered += usize::from(status[0] == 200);
            }
        }
        assert!(answered >= 4, "{answered} of them arrive, so that there was something to follow");
        assert_eq!(upstream.all().len(), answered);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(visits.load(Ordering::Relaxed), 0, "somebody followed an address");
    });
}

#[test]
fn an_error_that_is_not_json_keeps_its_status() {
    use axum::http::StatusCode;
    timely(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = |body: String| async move {
            let body: Value = serde_json::from_str(&body).unwrap();
            let status = StatusCode::from_u16(body["n"].as_u64().unwrap().try_into().unwrap()).unwrap();
            (status, [("content-type", "text/html"), ("retry-after", "9")], "<h1>Too busy</h1>")
        };
        let model = axum::Router::new().fallback(axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, model).await });
        let gateway = start(|s| s.upstream = vec![Upstream::at("u", &url)]).await;
        for (sent, got) in [(401, 401), (413, 413), (429, 429), (503, 503), (500, 500), (302, 502), (200, 502)] {
            for (path, header, message) in [PROTOCOLS[0], PROTOCOLS[4]] {
                let body = json!({"model": "m", "n": sent, "max_tokens": 1, "messages": [{"role": "user", "content": "Good day"}]});
                let body = body.to_string();
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                let reply = exchange(gateway.address, (head + &body).as_bytes(), usize::MAX).await.unwrap();
                assert_eq!(statuses(&reply), [got], "{sent}");
                let text = String::from_utf8(reply).unwrap();
                assert_eq!(text.contains("retry-after: 9"), got == sent, "{text}");
                let said: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
                assert!(said.pointer(message).is_some_and(Value::is_string) && !text.contains("busy"), "{text}");
            }
        }
        let records = gateway.store.query(&TenantId::sole(), &EventQuery::default()).await.unwrap();
        let replies = records.iter().filter(|record| record.direction == Direction::Reply);
        let denied = records.iter().filter(|record| record.verdict == Verdict::Deny).count();
        assert_eq!((replies.count(), denied), (14, 4));
    });
}
