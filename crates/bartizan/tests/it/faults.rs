//! What callers see when something behind or in front of the gateway fails.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{reply, send, serve};
use crate::support::Gateway;

const CHAT: &str = "/v1/chat/completions";
const QUICK: &str = "[timeouts]\nheader_ms = 400\nbody_ms = 400\nfirst_byte_ms = 400\nidle_ms = 400\ndrain_ms = 5000\n";
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

fn ask(stream: bool) -> Vec<u8> {
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hello"}]}).to_string().into_bytes()
}

fn event(text: &str) -> String {
    let chunk = json!({"id": "i", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {chunk}\n\n")
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

#[test]
fn a_silent_upstream_is_a_timeout() {
    let upstream = serve(|_, _| std::thread::sleep(Duration::from_secs(3)));
    let gateway = Gateway::start(&upstream, QUICK);
    let reply = send(&gateway.origin, "POST", CHAT, &[], &ask(false));
    assert_eq!((reply.status, code(&reply.json())), (504, "timeout"));
}

#[test]
fn a_stream_that_stops_ends_with_an_error_and_keeps_its_text() {
    let upstream = serve(|_, socket| {
        let _ = socket.write_all((STREAM_HEAD.to_owned() + &event("half a wor")).as_bytes());
        std::thread::sleep(Duration::from_secs(3));
    });
    let gateway = Gateway::start(&upstream, QUICK);
    let text = send(&gateway.origin, "POST", CHAT, &[], &ask(true)).text();
    let said: String = text
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l.strip_prefix("data: ")?).ok())
        .filter_map(|c| c["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(said, "half a wor");
    assert!(text.contains("stopped answering") && text.ends_with("data: [DONE]\n\n"), "{text}");
}

#[test]
fn replies_that_cannot_be_read_are_not_passed_on() {
    for (kind, body) in [
        ("application/json", "<html>secret page</html>"),
        ("application/json", "{\"choices\": \"none\"}"),
        ("text/html", "<html>secret page</html>"),
    ] {
        let upstream = serve(move |_, socket| reply(socket, kind, body));
        let gateway = Gateway::start(&upstream, "");
        let reply = send(&gateway.origin, "POST", CHAT, &[], &ask(false));
        assert_eq!(reply.status, 502, "{kind} {body}: {}", reply.text());
        assert!(!reply.text().contains("secret page"));
    }
    let upstream = serve(|_, socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    });
    let gateway = Gateway::start(&upstream, "");
    assert_eq!(send(&gateway.origin, "POST", CHAT, &[], &ask(false)).status, 502);
}

#[test]
fn errors_of_the_upstream_keep_their_status_and_are_examined() {
    let upstream = serve(|_, socket| {
        let body =
            json!({"error": {"message": "quota of ann.lee@example.org is used up", "type": "insufficient_quota"}})
                .to_string();
        let head = format!(
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nSet-Cookie: a=b\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = socket.write_all((head + &body).as_bytes());
    });
    let gateway = Gateway::start(&upstream, "");
    let reply = send(&gateway.origin, "POST", CHAT, &[], &ask(false));
    assert_eq!(reply.status, 429);
    assert!(reply.head.contains("retry-after: 7") && !reply.head.contains("set-cookie"), "{}", reply.head);
    assert_eq!(reply.json()["error"]["message"], "quota of [REDACTED:EMAIL_ADDRESS] is used up");
}

#[test]
fn a_slow_body_does_not_hold_a_place() {
    let gateway = Gateway::start("http://127.0.0.1:9", QUICK);
    let address = gateway.origin.strip_prefix("http://").expect("an origin").to_owned();
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    socket
        .write_all(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        .expect("sent");
    let mut head = [0; 12];
    socket.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 408");
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let gateway = Gateway::start("http://127.0.0.1:9", QUICK);
    let address = gateway.origin.strip_prefix("http://").expect("an origin").to_owned();
    for start in ["", "PRI * HT", "POST /v1/messages HTTP/1.1\r\nHost: local"] {
        let mut socket = TcpStream::connect(&address).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        socket.write_all(start.as_bytes()).expect("sent");
        let mut rest = Vec::new();
        let begun = Instant::now();
        let _ = socket.read_to_end(&mut rest);
        assert!(begun.elapsed() < Duration::from_secs(5), "{start:?} stays open");
    }
}

#[test]
fn too_many_requests_are_turned_away_at_once() {
    let (started, wait) = mpsc::channel();
    let upstream = serve(move |_, socket| {
        let _ = started.send(());
        std::thread::sleep(Duration::from_millis(800));
        reply(socket, "application/json", "{\"id\":\"i\",\"choices\":[]}");
    });
    let gateway = Gateway::start(&upstream, "max_in_flight = 1\n");
    let origin = gateway.origin.clone();
    let first = std::thread::spawn(move || send(&origin, "POST", CHAT, &[], &ask(false)).status);
    wait.recv_timeout(Duration::from_secs(10)).expect("the first one arrives");
    let start = Instant::now();
    let second = send(&gateway.origin, "POST", CHAT, &[], &ask(false));
    assert_eq!((second.status, code(&second.json())), (503, "unavailable"));
    assert!(second.head.contains("retry-after: 1") && start.elapsed() < Duration::from_millis(700));
    assert_eq!(first.join().expect("no panic"), 200);
}

#[test]
fn what_is_in_flight_is_finished_before_it_stops() {
    let (started, wait) = mpsc::channel();
    let upstream = serve(move |_, socket| {
        let _ = socket.write_all((STREAM_HEAD.to_owned() + &event("one ")).as_bytes());
        let _ = started.send(());
        std::thread::sleep(Duration::from_millis(600));
        let _ = socket.write_all((event("two ") + &event("three") + "data: [DONE]\n\n").as_bytes());
    });
    let mut gateway = Gateway::start(&upstream, "");
    let origin = gateway.origin.clone();
    let caller = std::thread::spawn(move || send(&origin, "POST", CHAT, &[], &ask(true)).text());
    wait.recv_timeout(Duration::from_secs(10)).expect("it arrives");
    gateway.terminate();
    let text = caller.join().expect("no panic");
    assert!(text.contains("three") && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(gateway.wait(), Some(0));
}

#[test]
fn a_caller_that_leaves_ends_the_upstream_too() {
    let (noticed, wait) = mpsc::channel();
    let upstream = serve(move |_, socket| {
        let _ = socket.write_all(STREAM_HEAD.as_bytes());
        for _ in 0..200 {
            if socket.write_all(event("word ").as_bytes()).is_err() {
                let _ = noticed.send(());
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    });
    let gateway = Gateway::start(&upstream, "");
    let address = gateway.origin.strip_prefix("http://").expect("an origin").to_owned();
    let mut socket = TcpStream::connect(address).expect("it listens");
    let body = ask(true);
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body)).expect("sent");
    let mut first = [0; 64];
    socket.read_exact(&mut first).expect("the stream begins");
    drop(socket);
    wait.recv_timeout(Duration::from_secs(5)).expect("the upstream notices");
}
