//! `bartizan bench gateway`: what the guard adds to a plain proxy of the same make.
//!
//! This process is the model server and the load. The gateway and the plain proxy are processes of their own, so that
//! their processor time can be read from outside. Rounds alternate between the two.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Request, Response};
use axum::routing::post;
use bartizan_core::Protocol;
use bartizan_guard::{Guard, ReplyContext, Route, Settings};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use super::load::{Http, Scratch, Server, client, median, quantile, round, runtime};
use super::{PROSE, cpu_seconds, text};
use crate::DONE;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 8;

/// Another gateway to put beside this one.
#[derive(Clone, Debug)]
pub(super) struct Peer<'a> {
    /// Shell command, see [`Server::peer`].
    pub(super) command: &'a str,
    /// `name: value`, with `{upstream}` for the model server's URL.
    pub(super) headers: &'a [String],
}

/// Runs the benchmark: `requests` a round.
pub(super) fn run(requests: usize, peers: &[Peer<'_>]) -> anyhow::Result<u8> {
    runtime(2)?.block_on(measure(requests, peers))
}

/// The plain proxy: the same server, client and body handling as the gateway, and nothing in between.
pub(super) fn passthrough(upstream: &str) -> anyhow::Result<u8> {
    runtime(2)?.block_on(async {
        let state = Arc::new((client(), upstream.to_owned()));
        let router = Router::new().route("/v1/chat/completions", post(forward)).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        announce(listener.local_addr()?)?;
        axum::serve(listener, router).await?;
        Ok(DONE)
    })
}

fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "http://{address}/v1")?;
    out.flush()
}

async fn forward(State(state): State<Arc<(Http, String)>>, request: Request<Body>) -> Response<Body> {
    let (client, upstream) = &*state;
    let answer = async {
        let body = request.into_body().collect().await?.to_bytes();
        let request = Request::post(format!("{upstream}/chat/completions"))
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let reply = client.request(request).await?;
        let (head, body) = reply.into_parts();
        let stream = head.headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"text/event-stream"));
        let body = if stream { Body::new(body) } else { Body::from(body.collect().await?.to_bytes()) };
        let mut response = Response::new(body);
        if let Some(content_type) = head.headers.get("content-type") {
            response.headers_mut().insert("content-type", content_type.clone());
        }
        anyhow::Ok(response)
    };
    answer.await.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = axum::http::StatusCode::BAD_GATEWAY;
        response
    })
}

/// The model server: a reply of about 800 bytes, or 21 events.
async fn model(request: Request<Body>) -> Response<Body> {
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let stream = body.windows(13).any(|w| w == b"\"stream\":true");
    let (content_type, reply) =
        if stream { ("text/event-stream", sse(&words(PROSE, 19))) } else { ("application/json", reply()) };
    let mut response = Response::new(Body::from(reply));
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static(content_type));
    response
}

pub(super) fn reply() -> String {
    let message = json!({"role": "assistant", "content": text(PROSE, 560)});
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020},
    })
    .to_string()
}

/// Prose in pieces like a model's tokens: a word with the space before it.
pub(super) fn words(pieces: &[&str], count: usize) -> Vec<String> {
    text(pieces, count * 12).split_inclusive(' ').map(str::to_owned).take(count).collect::<Vec<_>>().into_iter().fold(
        Vec::new(),
        |mut out: Vec<String>, word| {
            let bare = word.trim_end().to_owned();
            out.push(if out.is_empty() { bare } else { format!(" {bare}") });
            out
        },
    )
}

fn sse(pieces: &[String]) -> String {
    let mut out = String::new();
    for piece in pieces {
        out += &event(&json!({"content": piece}), &serde_json::Value::Null);
    }
    out + &event(&json!({}), &json!("stop")) + "data: [DONE]\n\n"
}

pub(super) fn event(delta: &serde_json::Value, finish: &serde_json::Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    });
    format!("data: {chunk}\n\n")
}

/// Not the prose that the model answers with: that would be a leak of the system text.
const SYSTEM: &str = "You help the members of a reading circle. Keep answers short, name the chapter that you refer to, \
    and say so when you are not sure. Prefer plain words. Where two editions differ, mention both. Leave the ending of \
    a book out unless somebody asks for it. Dates are written with the month in words, and titles in quotation marks.";

/// The same as a stream.
pub(super) fn streaming_request() -> Bytes {
    request(true)
}

/// A conversation of about 4 KiB.
pub(super) fn request(stream: bool) -> Bytes {
    let mut messages = vec![json!({"role": "system", "content": SYSTEM})];
    for turn in 0..6 {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": text(PROSE, 480)}));
    }
    messages.push(json!({"role": "user", "content": "What follows from this?"}));
    let body = json!({"model": "m", "stream": stream, "temperature": 0.2, "messages": messages});
    Bytes::from(body.to_string())
}

/// The model server, in this process; its URL with `/v1`.
pub(super) async fn serve_model() -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let upstream = format!("http://{}/v1", listener.local_addr()?);
    let router = Router::new().route("/v1/chat/completions", post(model));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(upstream)
}

async fn measure(requests: usize, peers: &[Peer<'_>]) -> anyhow::Result<u8> {
    let upstream = serve_model().await?;
    let folder = Scratch::new()?;
    compare(&upstream, &folder.0, requests).await?;
    throughput(&upstream, &folder.0, requests, peers).await?;
    alone()?;
    hold_back()?;
    Ok(DONE)
}

/// What is reached at 1 KiB a request with 64 connections, where the model server, the load and the gateway share the
/// machine. The guard is that of the lexical rules; others do no guarding at all.
async fn throughput(upstream: &str, folder: &Path, requests: usize, peers: &[Peer<'_>]) -> anyhow::Result<()> {
    const CALLERS: usize = 64;
    let body = small_request();
    let lexical =
        format!("[[upstream]]\nname = \"m\"\nurl = \"{upstream}\"\n[rules]\ndisabled = [\"pii/*\", \"secret/*\"]\n");
    let mut servers = vec![
        ("plain proxy".to_owned(), Server::start(&["bench", "passthrough", upstream], folder)?, requests),
        ("guarded, lexical rules".to_owned(), Server::gateway(&lexical, folder)?, requests),
    ];
    for Peer { command, headers } in peers {
        let headers = headers.iter().map(|header| header_of(header, upstream)).collect::<anyhow::Result<Vec<_>>>()?;
        let server = Server::peer(command, upstream, headers, &body).await?;
        // Most are slower by orders of magnitude.
        servers.push((format!("`{command}`"), server, (requests / 20).max(CALLERS)));
    }
    let mut rows: Vec<(Vec<f64>, Vec<f64>, Vec<Duration>)> = servers.iter().map(|_| Default::default()).collect();
    for turn in 0..=ROUNDS {
        for ((_, server, count), row) in servers.iter().zip(&mut rows) {
            let round = round(server, &body, *count, CALLERS).await?;
            // The first one warms up.
            if turn > 0 {
                row.0.push(round.cpu_us);
                row.1.push(round.rate);
                row.2.extend(round.latencies);
            }
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "{} bytes, {CALLERS} connections, load and model server on the same machine", body.len())?;
    for ((name, server, _), (cpu, rate, mut times)) in servers.iter().zip(rows) {
        times.sort();
        writeln!(
            out,
            "  {:>7.0} requests/s   {:>8.1} us CPU   p50 {:>8.0} us   p99 {:>8.0} us   {:>6.1} MiB   {name}",
            median(rate),
            median(cpu),
            quantile(&times, 0.5),
            quantile(&times, 0.99),
            server.resident_mib(),
        )?;
    }
    Ok(())
}

fn header_of(header: &str, upstream: &str) -> anyhow::Result<(HeaderName, HeaderValue)> {
    let (name, value) = header.split_once(':').context("a header is `name: value`")?;
    Ok((name.trim().parse()?, value.trim().replace("{upstream}", upstream).parse()?))
}

/// A question of about 1 KiB.
pub(super) fn small_request() -> Bytes {
    let messages = [json!({"role": "system", "content": SYSTEM}), json!({"role": "user", "content": text(PROSE, 420)})];
    Bytes::from(json!({"model": "m", "messages": messages}).to_string())
}

async fn compare(upstream: &str, folder: &Path, requests: usize) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let plain = Server::start(&["bench", "passthrough", upstream], folder)?;
    let guarded = Server::start(&["up", "--upstream", upstream, "--listen", "127.0.0.1:0"], folder)?;
    writeln!(out, "start of `up` until it accepts: {:.0} ms", guarded.started.as_secs_f64() * 1e3)?;
    for (name, stream, count, connections) in [
        ("4 KiB request, 0.8 KiB reply, 8 connections", false, requests, CONNECTIONS),
        ("the same, 64 connections", false, requests, 64),
        ("the same, 1 connection", false, requests / 2, 1),
        ("4 KiB request, 21 events, 8 connections", true, requests / 4, CONNECTIONS),
    ] {
        let body = request(stream);
        for server in [&plain, &guarded] {
            round(server, &body, count / 5, connections).await?;
        }
        let mut rows = [Vec::new(), Vec::new()];
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (i, server) in [&plain, &guarded].into_iter().enumerate() {
                let round = round(server, &body, count, connections).await?;
                rows[i].push(round.cpu_us);
                times[i].extend(round.latencies);
            }
        }
        writeln!(out, "{name} ({} bytes, {ROUNDS} rounds of {count})", body.len())?;
        let mut cpu = [0.0; 2];
        for (i, label) in ["plain proxy", "guarded"].into_iter().enumerate() {
            times[i].sort();
            cpu[i] = median(std::mem::take(&mut rows[i]));
            writeln!(
                out,
                "  {label:<12} {:>7.1} us CPU   wall p50 {:>7.0} us   p99 {:>7.0} us",
                cpu[i],
                quantile(&times[i], 0.5),
                quantile(&times[i], 0.99),
            )?;
        }
        writeln!(out, "  added        {:>7.1} us CPU", cpu[1] - cpu[0])?;
    }
    writeln!(out, "resident: plain proxy {:.1} MiB, guarded {:.1} MiB", plain.resident_mib(), guarded.resident_mib())?;
    Ok(())
}

/// What reading, scanning and deciding cost, without sockets and records.
fn alone() -> anyhow::Result<()> {
    let (request, reply) = (cost(&Settings::default(), 4000)?, cost_of_reply(4000)?);
    writeln!(
        std::io::stdout(),
        "the guard alone: {request:.1} us for the request of {} bytes, {reply:.1} us for the reply of {} bytes",
        self::request(false).len(),
        self::reply().len(),
    )?;
    Ok(())
}

/// Microseconds of CPU for reading, scanning and deciding a request of about 4 KiB, nothing of it known.
pub(super) fn cost(settings: &Settings, times: u32) -> anyhow::Result<f64> {
    let guard = Guard::new(settings)?;
    let body = request(false).to_vec();
    each(times, || {
        let parsed = guard.read_request(Protocol::OpenaiChat, body.clone())?;
        std::hint::black_box(guard.check(parsed, &ReplyContext::default(), Route::default()));
        Ok(())
    })
}

fn cost_of_reply(times: u32) -> anyhow::Result<f64> {
    let guard = Guard::new(&Settings::default())?;
    let body = reply().into_bytes();
    let context = ReplyContext { system: vec![SYSTEM.to_owned()], ..ReplyContext::default() };
    each(times, || {
        let parsed = guard.read_reply(Protocol::OpenaiChat, body.clone())?;
        std::hint::black_box(guard.check(parsed, &context, Route::default()));
        Ok(())
    })
}

/// Microseconds of CPU that the work takes, on average.
fn each(times: u32, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (began, cpu) = (Instant::now(), cpu_seconds());
    for _ in 0..times {
        work()?;
    }
    let spent = cpu.zip(cpu_seconds()).map_or(began.elapsed().as_secs_f64(), |(before, after)| after - before);
    Ok(spent * 1e6 / f64::from(times))
}

/// How much text a stream holds back after each piece, on ordinary prose.
fn hold_back() -> anyhow::Result<()> {
    let Held { each_us, pieces, median, p99, most } = held()?;
    writeln!(
        std::io::stdout(),
        "streaming alone: {each_us:.1} us an event; held back after each of {pieces} pieces of prose: median {median} \
         bytes, p99 {p99} bytes, most {most} bytes",
    )?;
    Ok(())
}

/// Bytes that a stream holds back after pieces of prose, and what a piece costs.
pub(super) struct Held {
    each_us: f64,
    pieces: usize,
    median: usize,
    pub(super) p99: usize,
    most: usize,
}

pub(super) fn held() -> anyhow::Result<Held> {
    let guard = Guard::new(&Settings::default())?;
    let mut stream = guard.reply_stream(Protocol::OpenaiChat, ReplyContext::default(), "bench", false);
    let pieces = words(PROSE, 4000);
    let events: Vec<String> =
        pieces.iter().map(|piece| event(&json!({"content": piece}), &serde_json::Value::Null)).collect();
    let mut held: Vec<usize> = Vec::with_capacity(pieces.len());
    let start = Instant::now();
    for event in &events {
        stream.push(event.as_bytes());
        held.push(stream.held());
    }
    let spent = start.elapsed().as_secs_f64() * 1e6;
    held.sort_unstable();
    let at = |part: usize| held.get((held.len() * part / 100).min(held.len() - 1)).copied().unwrap_or(0);
    let each_us = spent / f64::from(u32::try_from(events.len())?);
    Ok(Held { each_us, pieces: held.len(), median: at(50), p99: at(99), most: at(100) })
}
