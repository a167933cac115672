//! `bartizan bench gateway`: what the guard adds to a plain proxy of the same make.
//!
//! This process is the model server and the load. The gateway and the plain proxy are processes of their own, so that
//! their processor time can be read from outside. Rounds alternate between the two.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use axum::routing::post;
use bartizan_core::Protocol;
use bartizan_guard::{Guard, ReplyContext, Route, Settings};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use super::{PROSE, text};
use crate::DONE;

type Http = Client<HttpConnector, Full<Bytes>>;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 8;

/// Runs the benchmark: `requests` a round.
pub(super) fn run(requests: usize) -> anyhow::Result<u8> {
    runtime(2)?.block_on(measure(requests))
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

fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

fn client() -> Http {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(http)
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

fn reply() -> String {
    let message = json!({"role": "assistant", "content": text(PROSE, 560)});
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020},
    })
    .to_string()
}

/// Prose in pieces like a model's tokens: a word with the space before it.
fn words(pieces: &[&str], count: usize) -> Vec<String> {
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

fn event(delta: &serde_json::Value, finish: &serde_json::Value) -> String {
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

/// A conversation of about 4 KiB.
fn request(stream: bool) -> Bytes {
    let mut messages = vec![json!({"role": "system", "content": SYSTEM})];
    for turn in 0..6 {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": text(PROSE, 480)}));
    }
    messages.push(json!({"role": "user", "content": "What follows from this?"}));
    let body = json!({"model": "m", "stream": stream, "temperature": 0.2, "messages": messages});
    Bytes::from(body.to_string())
}

/// A process under measurement; it ends with this value.
struct Server {
    child: Child,
    /// Kept open, so that the process can go on writing.
    _out: BufReader<std::process::ChildStdout>,
    url: String,
    started: Duration,
}

impl Server {
    fn start(args: &[&str], folder: &Path) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(args)
            .current_dir(folder)
            .env("BARTIZAN_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("the process has no standard output")?);
        let mut line = String::new();
        loop {
            line.clear();
            if out.read_line(&mut line)? == 0 {
                return Err(anyhow!("the process did not say where it listens"));
            }
            // The line for clients ends with the address; the one about the upstream does not.
            let line = line.trim_end();
            if let Some(at) = line.find("http://127.0.0.1:").filter(|_| line.ends_with("/v1")) {
                let url = line.get(at..).unwrap_or_default().to_owned();
                return Ok(Self { child, _out: out, url, started: began.elapsed() });
            }
        }
    }

    /// Processor time of all its threads, in nanoseconds.
    fn cpu(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            sum += stat.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
        }
        Ok(sum)
    }

    fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|k| k.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One round: processor time a request in microseconds, and every latency.
struct Round {
    cpu_us: f64,
    latencies: Vec<Duration>,
}

async fn round(server: &Server, body: &Bytes, requests: usize, connections: usize) -> anyhow::Result<Round> {
    let before = server.cpu()?;
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (client, url, body) = (client(), format!("{}/chat/completions", server.url), body.clone());
        let share = requests / connections;
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::with_capacity(share);
            for _ in 0..share {
                let request =
                    Request::post(&url).header("content-type", "application/json").body(Full::new(body.clone()))?;
                let start = Instant::now();
                let reply = client.request(request).await?;
                anyhow::ensure!(reply.status().is_success(), "status {}", reply.status());
                reply.into_body().collect().await?;
                latencies.push(start.elapsed());
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut latencies = Vec::with_capacity(requests);
    for task in tasks {
        latencies.extend(task.await??);
    }
    #[allow(clippy::cast_precision_loss, reason = "microseconds of a benchmark")]
    let cpu_us = (server.cpu()? - before) as f64 / 1e3 / latencies.len() as f64;
    Ok(Round { cpu_us, latencies })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn quantile(sorted: &[Duration], part: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |d| d.as_secs_f64() * 1e6)
}

async fn measure(requests: usize) -> anyhow::Result<u8> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let upstream = format!("http://{}/v1", listener.local_addr()?);
    let router = Router::new().route("/v1/chat/completions", post(model));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = std::env::temp_dir().join(format!("bartizan-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = compare(&upstream, &folder, requests).await;
    let _ = std::fs::remove_dir_all(&folder);
    result?;
    alone()?;
    hold_back()?;
    Ok(DONE)
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
    const TIMES: u32 = 4000;
    let guard = Guard::new(&Settings::default())?;
    let ask = request(false).to_vec();
    let answer = reply().into_bytes();
    let context = ReplyContext { system: vec![SYSTEM.to_owned()], ..ReplyContext::default() };
    let mut spent = [Duration::ZERO; 2];
    for _ in 0..TIMES {
        let start = Instant::now();
        let parsed = guard.read_request(Protocol::OpenaiChat, ask.clone())?;
        std::hint::black_box(guard.check(parsed, &ReplyContext::default(), Route::default()));
        let between = Instant::now();
        let parsed = guard.read_reply(Protocol::OpenaiChat, answer.clone())?;
        std::hint::black_box(guard.check(parsed, &context, Route::default()));
        spent[0] += between - start;
        spent[1] += between.elapsed();
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(TIMES);
    writeln!(
        std::io::stdout(),
        "the guard alone: {:.1} us for the request of {} bytes, {:.1} us for the reply of {} bytes",
        each(spent[0]),
        ask.len(),
        each(spent[1]),
        answer.len(),
    )?;
    Ok(())
}

/// How much text a stream holds back after each piece, on ordinary prose.
fn hold_back() -> anyhow::Result<()> {
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
    writeln!(
        std::io::stdout(),
        "streaming alone: {:.1} us an event; held back after each of {} pieces of prose: median {} bytes, p99 {} bytes, \
         most {} bytes",
        spent / f64::from(u32::try_from(events.len())?),
        held.len(),
        at(50),
        at(99),
        at(100),
    )?;
    Ok(())
}
