//! `bartizan bench streams`: what an open stream takes.

use std::convert::Infallible;
use std::io::Write as _;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response};
use axum::routing::post;
use bartizan_guard::{Guard, ReplyContext, Settings};
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::PROSE;
use super::gateway::{event, streaming_request, words};
use super::load::{Scratch, Server, client, runtime};
use crate::DONE;

/// Streams that are opened at a time.
const AT_ONCE: usize = 64;
/// Events that a stream has carried before it rests.
const EVENTS: usize = 40;

/// Opens so many streams, lets each carry some text, holds all of them and prints what that takes.
pub(super) fn run(streams: usize) -> anyhow::Result<u8> {
    runtime(2)?.block_on(measure(streams))
}

async fn measure(streams: usize) -> anyhow::Result<u8> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let upstream = format!("http://{}/v1", listener.local_addr()?);
    let router = Router::new().route("/v1/chat/completions", post(endless));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = Scratch::new()?;
    let most = streams + 64;
    let config =
        format!("max_in_flight = {most}\nmax_connections = {most}\n[[upstream]]\nname = \"m\"\nurl = \"{upstream}\"\n");
    let server = Server::gateway(&config, &folder.0)?;
    let body = streaming_request();
    let mut out = std::io::stdout();

    let open = |_| async {
        let reply = client().request(server.request(&body)?).await?;
        anyhow::ensure!(reply.status().is_success(), "status {}", reply.status());
        let mut reply = reply.into_body();
        let mut seen = 0;
        // What is held back is less than the last events.
        while seen < EVENTS - 8 {
            let frame = reply.frame().await.ok_or_else(|| anyhow::anyhow!("a stream ended"))??;
            seen += frame.data_ref().map_or(0, |data| data.windows(6).filter(|w| w == b"data: ").count());
        }
        anyhow::Ok(reply)
    };
    // What the first ones cost is not what each costs.
    let warm: Vec<_> = stream::iter(0..AT_ONCE).map(open).buffer_unordered(AT_ONCE).collect().await;
    let before = server.resident_mib();
    let began = Instant::now();
    let held: Vec<anyhow::Result<_>> =
        stream::iter(0..streams - AT_ONCE).map(open).buffer_unordered(AT_ONCE).collect().await;
    let held = held.into_iter().chain(warm).collect::<anyhow::Result<Vec<_>>>()?;
    let opened = began.elapsed();
    let idle = server.cpu()?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    #[allow(clippy::cast_precision_loss, reason = "a benchmark's counts")]
    let (count, rest) = (held.len() as f64, (server.cpu()? - idle) as f64 / 5e9);
    let after = server.resident_mib();
    writeln!(
        out,
        "{} streams open, each with {EVENTS} events, opened in {:.1} s: {after:.0} MiB resident, {:.1} KiB a stream, \
         {:.1} % of a core while they rest",
        held.len(),
        opened.as_secs_f64(),
        (after - before) * 1024.0 / count,
        rest * 100.0,
    )?;
    drop(held);
    long()?;
    Ok(DONE)
}

/// Some events, then nothing for as long as anybody listens.
async fn endless() -> Response<Body> {
    let events: Vec<String> =
        words(PROSE, EVENTS).iter().map(|piece| event(&json!({"content": piece}), &Value::Null)).collect();
    let events = stream::iter(events).map(|event| Ok::<_, Infallible>(Bytes::from(event)));
    let never: std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Infallible>> + Send>> = Box::pin(stream::pending());
    let mut response = Response::new(Body::from_stream(events.chain(never)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
    response
}

/// What a long reply takes that arrives in small pieces.
fn long() -> anyhow::Result<()> {
    let guard = Guard::new(&Settings::default())?;
    let mut out = std::io::stdout();
    for count in [1000, 10_000, 100_000] {
        let mut reply =
            guard.reply_stream(bartizan_core::Protocol::OpenaiChat, ReplyContext::default(), "bench", false);
        let events: Vec<String> =
            words(PROSE, count).iter().map(|piece| event(&json!({"content": piece}), &Value::Null)).collect();
        let (began, cpu) = (Instant::now(), super::cpu_seconds());
        for event in &events {
            std::hint::black_box(reply.push(event.as_bytes()));
        }
        let spent = cpu.zip(super::cpu_seconds()).map_or(began.elapsed().as_secs_f64(), |(a, b)| b - a);
        #[allow(clippy::cast_precision_loss, reason = "a benchmark's counts")]
        let each = spent * 1e6 / events.len() as f64;
        writeln!(out, "a reply of {count:>6} events: {each:.1} us an event")?;
    }
    Ok(())
}
