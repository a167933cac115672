//! A gateway with a model server behind it, and clients of every version.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bartizan_core::EventStore;
use bartizan_gateway::{Gateway, Metrics, Reloader, Settings, Upstream};
use bartizan_guard::Guard;
use bartizan_store::SqliteStore;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A whole answer of the model server.
pub(crate) const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Good day."},"finish_reason":"stop"}]}"#;

/// A question that passes.
pub(crate) const QUESTION: &str = r#"{"model":"m","messages":[{"role":"user","content":"Good day"}]}"#;

/// A gateway that runs until this value goes.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) envoy: Option<SocketAddr>,
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) reloader: Reloader,
    _stop: oneshot::Sender<()>,
}

/// Starts a model server that answers everything with [`ANSWER`], and a gateway before it.
pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Running {
    start_with(change, Arc::new(SqliteStore::open_in_memory().await.unwrap())).await
}

/// The same with a store of the test's choice.
pub(crate) async fn start_with(change: impl FnOnce(&mut Settings), store: Arc<dyn EventStore>) -> Running {
    let mut settings = Settings { listen: "127.0.0.1:0".to_owned(), ..Settings::default() };
    settings.store.path = ":memory:".to_owned();
    settings.timeouts.header_ms = 300;
    settings.upstream.push(model().await);
    change(&mut settings);
    let guard = Arc::new(Guard::new(&bartizan_guard::Settings::default()).unwrap());
    let gateway = Gateway::bind(settings.clone(), guard, Arc::clone(&store)).await.unwrap();
    let (address, admin, envoy) = (gateway.address().unwrap(), gateway.admin_address(), gateway.ext_proc_address());
    let (metrics, reloader) = (gateway.metrics(), gateway.reloader());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(gateway.serve(async move {
        let _ = stopped.await;
    }));
    Running { address, admin, envoy, settings, store, metrics, reloader, _stop: stop }
}

/// Starts a model server that answers everything with [`ANSWER`].
pub(crate) async fn model() -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let json = [("content-type", "application/json")];
    let model = Router::new().route("/v1/chat/completions", post(move || async move { (json, ANSWER) }));
    tokio::spawn(async move { axum::serve(listener, model).await });
    Upstream::at("model", &url)
}

/// A question to the model.
pub(crate) fn question() -> Request<Full<Bytes>> {
    Request::post("http://localhost/v1/chat/completions")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(QUESTION.as_bytes())))
        .unwrap()
}

/// Sends one request over HTTP/1.1 on a connection that is open.
pub(crate) async fn http1<S>(socket: S, request: Request<Full<Bytes>>) -> Response<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().clone();
    let mut request = Request::from_parts(parts, body);
    *request.uri_mut() = path.to_string().parse().unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    whole(sender.send_request(request).await.unwrap()).await
}

/// Sends one request over HTTP/2 on a connection that is open.
pub(crate) async fn http2<S>(socket: S, request: Request<Full<Bytes>>) -> Response<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let executor = TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    parts.headers.remove("host");
    whole(sender.send_request(Request::from_parts(parts, body)).await.unwrap()).await
}

async fn whole(response: Response<hyper::body::Incoming>) -> Response<Bytes> {
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// A question to the admin API.
pub(crate) async fn admin(at: SocketAddr, key: &str, path: &str) -> (StatusCode, serde_json::Value) {
    let request = Request::get(format!("http://localhost{path}"))
        .header("host", "localhost")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::default())
        .unwrap();
    let response = http1(TcpStream::connect(at).await.unwrap(), request).await;
    (response.status(), serde_json::from_slice(response.body()).unwrap())
}

/// Runs a test that must not hang.
pub(crate) fn timely(test: impl Future<Output = ()>) {
    within(Duration::from_secs(30), test);
}

fn within(time: Duration, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(time, test).await.expect("it ends") });
}

/// How long a test goes on, and with which cases. The gate plays the same few cases each time; `cargo xtask faults`
/// says `SEED SECONDS` in `BARTIZAN_FAULTS`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) seed: u64,
    pub(crate) time: Duration,
}

/// The trial that was asked for, or this one.
pub(crate) fn trial(seed: u64, time: Duration) -> Trial {
    let asked = std::env::var("BARTIZAN_FAULTS").unwrap_or_default();
    let mut numbers = asked.split_whitespace().map(|n| n.parse::<u64>().expect("`BARTIZAN_FAULTS` is two numbers"));
    match (numbers.next(), numbers.next()) {
        (Some(seed), Some(seconds)) => Trial { seed, time: Duration::from_secs(seconds) },
        _ => Trial { seed, time },
    }
}

impl Trial {
    /// Runs a test that must not hang once its time is over.
    pub(crate) fn timely(self, test: impl Future<Output = ()>) {
        within(self.time + Duration::from_secs(60), test);
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same cases for the same seed, near seeds too.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end as u64)).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
