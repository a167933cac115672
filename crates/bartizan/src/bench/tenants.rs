//! `bartizan bench tenants`: what a tenant at ten times its limit does to another.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderName, HeaderValue};
use http_body_util::BodyExt as _;

use super::gateway::{serve_model, small_request};
use super::load::{Scratch, Server, client, median, quantile, runtime};
use crate::DONE;

/// What each tenant may ask a minute.
const LIMIT: u32 = 3000;
/// How often the quiet tenant asks a second.
const QUIET: u32 = 40;
/// The noisy tenant's connections.
const CALLERS: u32 = 16;
const ROUNDS: usize = 5;

/// Prints the quiet tenant's latencies with and without the noisy one; `seconds` a round.
pub(super) fn run(seconds: u64) -> anyhow::Result<u8> {
    runtime(2)?.block_on(measure(Duration::from_secs(seconds)))
}

async fn measure(time: Duration) -> anyhow::Result<u8> {
    let upstream = serve_model().await?;
    let folder = Scratch::new()?;
    let tenant = |name: &str| {
        format!(
            "[[tenant]]\nname = \"{name}\"\nquota = {{ requests_per_minute = {LIMIT} }}\n\
             [[client]]\nname = \"{name}\"\ntenant = \"{name}\"\nkey = \"file:{name}.key\"\n"
        )
    };
    for name in ["quiet", "noisy"] {
        std::fs::write(folder.0.join(format!("{name}.key")), key(name))?;
    }
    let config = format!("[[upstream]]\nname = \"m\"\nurl = \"{upstream}\"\n{}{}", tenant("quiet"), tenant("noisy"));
    let server = Arc::new(Server::gateway(&config, &folder.0)?);

    let mut rows = [Vec::new(), Vec::new()];
    let mut times = [Vec::new(), Vec::new()];
    let (served, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for turn in 0..=ROUNDS {
        for noisy in [false, true] {
            let stop = Arc::new(AtomicBool::new(false));
            let callers: Vec<_> = (0..if noisy { CALLERS } else { 0 })
                .map(|seed| {
                    let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
                    let (served, refused) = (Arc::clone(&served), Arc::clone(&refused));
                    tokio::spawn(async move { shout(&server, seed, &stop, &served, &refused).await })
                })
                .collect();
            let mut latencies = whisper(&server, time).await?;
            stop.store(true, Ordering::Relaxed);
            for caller in callers {
                caller.await??;
            }
            latencies.sort();
            if turn > 0 {
                rows[usize::from(noisy)].push(quantile(&latencies, 0.99));
                times[usize::from(noisy)].extend(latencies);
            }
        }
    }
    let mut out = std::io::stdout();
    let [alone, beside] = rows.map(median);
    for (name, times) in ["quiet tenant alone", "beside the noisy one"].into_iter().zip(&mut times) {
        times.sort();
        let (p50, p99) = (quantile(times, 0.5), quantile(times, 0.99));
        writeln!(out, "{name:<22} {:>6} requests   p50 {p50:>7.0} us   p99 {p99:>7.0} us", times.len())?;
    }
    writeln!(
        out,
        "median p99 of {ROUNDS} rounds: {alone:.0} us, {beside:.0} us ({:+.0} %)",
        (beside / alone - 1.0) * 100.0
    )?;
    let (served, refused) = (served.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
    writeln!(out, "the noisy one: {served} served, {refused} refused")?;
    Ok(DONE)
}

fn key(name: &str) -> String {
    format!("bench-key-of-the-{name}-tenant-0123456789")
}

fn authorization(name: &str) -> anyhow::Result<(HeaderName, HeaderValue)> {
    Ok((axum::http::header::AUTHORIZATION, format!("Bearer {}", key(name)).parse()?))
}

/// Asks at an even pace, whatever becomes of the answers.
async fn whisper(server: &Server, time: Duration) -> anyhow::Result<Vec<Duration>> {
    let (body, (name, value)) = (small_request(), authorization("quiet")?);
    let client = client();
    let began = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / QUIET);
    let mut asked = Vec::new();
    while began.elapsed() < time {
        pace.tick().await;
        let mut request = server.request(&body)?;
        request.headers_mut().insert(name.clone(), value.clone());
        let client = client.clone();
        asked.push(tokio::spawn(async move {
            let start = Instant::now();
            let reply = client.request(request).await?;
            anyhow::ensure!(reply.status().is_success(), "the quiet tenant got {}", reply.status());
            reply.into_body().collect().await?;
            anyhow::Ok(start.elapsed())
        }));
    }
    let mut latencies = Vec::with_capacity(asked.len());
    for answer in asked {
        latencies.push(answer.await??);
    }
    Ok(latencies)
}

/// Asks at ten times the limit, together with the other callers. They know nothing of each other, so that the gaps
/// between their requests are those of a Poisson process and not a drum beat.
async fn shout(
    server: &Server,
    seed: u32,
    stop: &AtomicBool,
    served: &AtomicU64,
    refused: &AtomicU64,
) -> anyhow::Result<()> {
    let (body, (name, value)) = (small_request(), authorization("noisy")?);
    let client = client();
    let mean = 60.0 * f64::from(CALLERS) / f64::from(LIMIT * 10);
    let mut random = u64::from(seed) + 1;
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        // Knuth's MMIX generator; its upper bits are even enough for gaps.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[expect(clippy::cast_precision_loss, reason = "31 bits")]
        let even = ((random >> 33) as f64 + 1.0) / f64::from(1_u32 << 31);
        next += Duration::from_secs_f64(-mean * even.ln());
        tokio::time::sleep_until(next.into()).await;
        let mut request = server.request(&body)?;
        request.headers_mut().insert(name.clone(), value.clone());
        let reply = client.request(request).await?;
        let counter = if reply.status().is_success() { served } else { refused };
        counter.fetch_add(1, Ordering::Relaxed);
        reply.into_body().collect().await?;
    }
    Ok(())
}
