//! A gateway with a model server behind it, and clients of every version.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bartizan_gateway::{Gateway, Settings, Upstream};
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
    _stop: oneshot::Sender<()>,
}

/// Starts a model server that answers everything with [`ANSWER`], and a gateway before it.
pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let json = [("content-type", "application/json")];
    let model = Router::new().route("/v1/chat/completions", post(move || async move { (json, ANSWER) }));
    tokio::spawn(async move { axum::serve(listener, model).await });

    let mut settings = Settings { listen: "127.0.0.1:0".to_owned(), ..Settings::default() };
    settings.store.path = ":memory:".to_owned();
    settings.timeouts.header_ms = 300;
    let upstream: Upstream = serde_json::from_value(serde_json::json!({ "name": "model", "url": url })).unwrap();
    settings.upstream.push(upstream);
    change(&mut settings);
    let guard = Arc::new(Guard::new(&bartizan_guard::Settings::default()).unwrap());
    let store = Arc::new(SqliteStore::open_in_memory().await.unwrap());
    let gateway = Gateway::bind(settings, guard, store).await.unwrap();
    let (address, admin) = (gateway.address().unwrap(), gateway.admin_address());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(gateway.serve(async move {
        let _ = stopped.await;
    }));
    Running { address, admin, _stop: stop }
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
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), test).await.expect("it ends") });
}
