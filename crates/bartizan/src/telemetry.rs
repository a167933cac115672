//! Logs and traces of the running gateway.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bartizan_gateway::{LogFormat, Telemetry, Timeouts, Transport};
use http_body_util::{BodyExt as _, Full, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::problem::Problem;
use crate::terminal;

/// Lines that wait to be written; more are dropped, so that a reader who stops reading stops nobody.
const LINES: usize = 4096;

/// Bursts of one and the same warning or error: so many lines in so long.
const BURST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Longest answer of a collector that is read.
const ANSWER: usize = 64 << 10;

/// What has to be finished when the program ends.
pub(crate) struct Running {
    provider: Option<SdkTracerProvider>,
}

impl Running {
    /// Sends what is not sent yet, for a short while.
    pub(crate) fn finish(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(Duration::from_secs(2))
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
        flush();
    }
}

/// Logs go to standard error: what the operator needs, never content.
pub(crate) fn log(settings: &Telemetry) {
    let filter = EnvFilter::try_from_env("BARTIZAN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = filter.and(Calm::default());
    let lines = Lines::start();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || lines.clone()).with_target(false);
    let registry = tracing_subscriber::registry();
    match settings.log {
        LogFormat::Human => {
            registry.with(layer.with_ansi(terminal::colored_stderr()).with_filter(filter)).init();
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_filter(filter)).init(),
    }
    // The text of a panic may quote what was being read.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "internal error: a panic was contained");
    }));
}

/// What sends spans, where an endpoint is configured. Needs a runtime.
pub(crate) fn exporter(settings: &Telemetry) -> Result<Option<SpanExporter>, Problem> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    let problem = |why: String| {
        Problem::new(format!("`telemetry.otlp_endpoint` is `{endpoint}`, and spans cannot be sent there: {why}"))
            .help("give the traces address of an OTLP/HTTP collector, such as http://127.0.0.1:4318/v1/traces")
    };
    if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
        return Err(problem("it begins with neither http:// nor https://".to_owned()));
    }
    let transport =
        bartizan_gateway::transport(&Timeouts::default(), endpoint.starts_with("https:")).map_err(problem)?;
    let mut headers = HashMap::new();
    for (name, secret) in &settings.otlp_headers {
        let value = secret.resolve().map_err(|e| problem(format!("header `{name}`: {e}")))?;
        headers.insert(name.clone(), value);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client { transport: transport.into(), runtime: tokio::runtime::Handle::current() })
        .with_headers(headers)
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(Duration::from_secs(5))
        .build()
        .map_err(|error| problem(error.to_string()))?;
    Ok(Some(exporter))
}

/// Starts to send spans.
pub(crate) fn traces(settings: &Telemetry, exporter: Option<SpanExporter>) -> Running {
    let Some(exporter) = exporter else { return Running { provider: None } };
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample))))
        .with_resource(Resource::builder_empty().with_service_name(settings.service_name.clone()).build())
        .build();
    opentelemetry::global::set_tracer_provider(provider.clone());
    Running { provider: Some(provider) }
}

/// The exporter has a thread of its own; requests are made on the runtime.
struct Client {
    transport: Arc<dyn Transport>,
    runtime: tokio::runtime::Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 't>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 't>>
    where
        'a: 't,
        Self: 't,
    {
        let transport = Arc::clone(&self.transport);
        let exchange = async move {
            let reply = transport.send(request.map(Full::new)).await?;
            let (head, body) = reply.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        let done = self.runtime.spawn(async move {
            match tokio::time::timeout(Duration::from_secs(5), exchange).await {
                Ok(done) => done,
                Err(_) => Err("the collector did not answer in time".into()),
            }
        });
        Box::pin(async move { done.await? })
    }
}

/// Writes lines from a thread of its own.
#[derive(Clone)]
struct Lines(SyncSender<Vec<u8>>);

/// Lines that were handed over and lines that were written.
static HANDED: AtomicU64 = AtomicU64::new(0);
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Waits a short while until every line is written.
fn flush() {
    let begun = Instant::now();
    while WRITTEN.load(Ordering::Acquire) < HANDED.load(Ordering::Acquire) && begun.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Lines {
    fn start() -> Self {
        let (sender, receiver) = sync_channel::<Vec<u8>>(LINES);
        let writing = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            for line in receiver {
                let _ = io::stderr().lock().write_all(&line);
                WRITTEN.fetch_add(1, Ordering::Release);
            }
        });
        // Without the thread the receiver is gone, and lines are written where they arise.
        drop(writing);
        Self(sender)
    }
}

impl Write for Lines {
    /// The formatter writes each line in one go.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0.try_send(line.to_vec()) {
            Ok(()) => {
                HANDED.fetch_add(1, Ordering::Release);
                Ok(line.len())
            }
            Err(TrySendError::Full(_)) => Ok(line.len()),
            Err(TrySendError::Disconnected(line)) => io::stderr().lock().write_all(&line).map(|()| line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets the same warning or error through a few times, so that what happens with each request does not fill a disk.
#[derive(Default)]
struct Calm {
    seen: Mutex<HashMap<Identifier, (Instant, u32)>>,
}

impl Calm {
    fn lets_through(&self, event: Identifier, now: Instant) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = seen.entry(event).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= BURST
    }
}

impl<S: Subscriber> Filter<S> for Calm {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        *event.metadata().level() > Level::WARN || self.lets_through(event.metadata().callsite(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place;

    impl tracing::Callsite for Place {
        fn set_interest(&self, _: tracing::subscriber::Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody asks")
        }
    }

    #[test]
    fn a_repeated_error_is_said_a_few_times() {
        let (calm, callsite) = (Calm::default(), Identifier(&Place));
        let now = Instant::now();
        let through = (0..100).filter(|_| calm.lets_through(callsite.clone(), now)).count();
        assert_eq!(through, 10);
        assert!(calm.lets_through(callsite, now + WINDOW));
    }
}
