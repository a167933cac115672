//! Every route of the gateway, and what a request goes through on it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{MethodRouter, any, get, post};
use bartizan_core::Protocol;
use bartizan_wire::ErrorKind;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode};
use tower::util::MapResponseLayer;

use crate::admission::Peer;
use crate::check_api;
use crate::console::{self, Console};
use crate::failure::Failure;
use crate::mcp;
use crate::pass;
use crate::proxy;
use crate::shared::Shared;
use crate::surface::Surface;

/// The routes. A request to a model goes: host and key → in-flight permit → bounded body → guard → record →
/// upstream → guard → record → caller.
pub(crate) fn router(shared: Arc<Shared>, console: Option<Console>, tls: bool) -> Router {
    let console = console.map(|console| console::routes(&shared, console)).unwrap_or_default();
    models()
        .route("/mcp/{name}", any(mcp::serve))
        .merge(check_api::routes())
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(pass::unread)
        .method_not_allowed_fallback(proxy::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&shared), one_reading))
        .with_state(shared)
        .merge(console)
        .layer(MapResponseLayer::new(move |response| with_security_headers(response, tls)))
}

/// The routes of models alone, for requests that another proxy takes on.
pub(crate) fn carried(shared: Arc<Shared>) -> Router {
    models()
        .fallback(pass::unread)
        .method_not_allowed_fallback(proxy::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&shared), one_reading))
        .with_state(shared)
        .layer(MapResponseLayer::new(|response| with_security_headers(response, false)))
}

fn models() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/chat/completions", post(|s, r| proxy::exchange(s, Protocol::OpenaiChat, r)))
        .route("/v1/completions", post(|s, r| proxy::exchange(s, Protocol::OpenaiCompletions, r)))
        .route("/v1/embeddings", post(|s, r| proxy::exchange(s, Protocol::OpenaiEmbeddings, r)))
        .route("/v1/responses", post(|s, r| proxy::exchange(s, Protocol::OpenaiResponses, r)))
        .route("/v1/responses/compact", post(|s, r| proxy::exchange(s, Surface::counter(Protocol::OpenaiResponses), r)))
        .route(
            "/v1/responses/input_tokens",
            post(|s, r| proxy::exchange(s, Surface::counter(Protocol::OpenaiResponses), r)),
        )
        .route("/v1/responses/{id}", get(proxy::stored).delete(proxy::stored))
        .route("/v1/responses/{id}/cancel", post(proxy::stored))
        .route("/v1/responses/{id}/input_items", get(proxy::stored))
        .route("/v1/messages", post(|s, r| proxy::exchange(s, Protocol::AnthropicMessages, r)))
        .route(
            "/v1/messages/count_tokens",
            post(|s, r| proxy::exchange(s, Surface::counter(Protocol::AnthropicMessages), r)),
        )
        .route("/v1/models", get(proxy::look_up))
        .route("/v1/models/{id}", get(proxy::look_up).post(gemini))
        .route("/v1beta/models", get(proxy::look_up))
        .route("/v1beta/models/{id}", get(proxy::look_up).post(gemini))
        .route("/model/{id}/{operation}", post(bedrock))
        .route("/openai/deployments/{id}/chat/completions", azure(Protocol::OpenaiChat))
        .route("/openai/deployments/{id}/completions", azure(Protocol::OpenaiCompletions))
        .route("/openai/deployments/{id}/embeddings", azure(Protocol::OpenaiEmbeddings))
        .route("/openai/v1/chat/completions", azure(Protocol::OpenaiChat))
        .route("/openai/v1/completions", azure(Protocol::OpenaiCompletions))
        .route("/openai/v1/embeddings", azure(Protocol::OpenaiEmbeddings))
        .route("/openai/responses", azure(Protocol::OpenaiResponses))
        .route("/openai/responses/{id}", get(proxy::stored).delete(proxy::stored))
        .route("/openai/responses/{id}/cancel", post(proxy::stored))
        .route("/openai/responses/{id}/input_items", get(proxy::stored))
        .route("/openai/v1/responses", azure(Protocol::OpenaiResponses))
        .route("/openai/v1/responses/{id}", get(proxy::stored).delete(proxy::stored))
        .route("/openai/v1/responses/{id}/cancel", post(proxy::stored))
        .route("/openai/v1/responses/{id}/input_items", get(proxy::stored))
        .route("/openai/v1/models", get(proxy::look_up))
        .route("/openai/v1/models/{id}", get(proxy::look_up))
}

/// Turns requests away whose body another server could read as another (RFC 9112, sections 6.1 and 11.2). Lengths have
/// been compared, and a length beside an encoding ends the connection; an encoding is `chunked`, once, and nothing else.
async fn one_reading(State(shared): State<Arc<Shared>>, request: Request<Body>, next: Next) -> Response<Body> {
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let plain = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if plain && codings.next().is_none() {
        return next.run(request).await;
    }
    let protocol = proxy::protocol_of(&request);
    let message = "the transfer coding of a request is `chunked`, once, or none";
    let failure = Failure::new(ErrorKind::InvalidRequest, "transfer_coding", message);
    let mut response = failure.respond(protocol, &shared.metrics);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Paths that are examined, up to the first part that varies. No passthrough may cover one.
pub(crate) const GUARDED: &[&str] = &[
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/models",
    "/v1/responses",
    "/v1beta/models",
    "/model",
    "/openai/deployments",
    "/openai/v1/chat/completions",
    "/openai/v1/completions",
    "/openai/v1/embeddings",
    "/openai/v1/models",
    "/openai/v1/responses",
    "/openai/responses",
    "/mcp",
];

fn azure(protocol: Protocol) -> MethodRouter<Arc<Shared>> {
    post(move |shared, request: Request<Body>| {
        let surface = Surface::azure(protocol, request.uri());
        proxy::exchange(shared, surface, request)
    })
}

async fn gemini(shared: State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    match Surface::gemini(request.uri()) {
        Ok(surface) => proxy::exchange(shared, surface, request).await,
        Err(message) => proxy::not_served(&shared, Protocol::Gemini, message),
    }
}

async fn bedrock(shared: State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    match Surface::bedrock(request.uri()) {
        Ok(surface) => proxy::exchange(shared, surface, request).await,
        Err(message) => proxy::not_served(&shared, Protocol::BedrockConverse, message),
    }
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let guard = Arc::clone(&shared.live().guard);
    let loaded = guard.is_ready();
    if !loaded {
        // Loading happens once, whoever asks for it, and is not waited for here.
        drop(tokio::task::spawn_blocking(move || guard.load()));
    }
    let held =
        shared.live().settings.held.keys().map(|name| format!("upstream `{name}` is held back\n")).collect::<String>();
    let (status, text) = match shared.recorder.store().ready().await {
        Ok(()) if !held.is_empty() => (StatusCode::SERVICE_UNAVAILABLE, held),
        Ok(()) if !loaded => (StatusCode::SERVICE_UNAVAILABLE, "the injection model is loading\n".to_owned()),
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the evidence store does not answer\n".to_owned()),
    };
    plain(status, "text/plain; charset=utf-8", text)
}

async fn metrics(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let local = request.extensions().get::<Peer>().is_some_and(|peer| peer.0.is_loopback());
    // Counts by rule tell an attacker which rule an attempt met, so callers from elsewhere do not get them.
    if !local || shared.live().admission.check_origin(request.headers(), authority).is_err() {
        return plain(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", "only for this machine\n".to_owned());
    }
    plain(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", shared.metrics.encode())
}

/// Nothing of the gateway is a page, is sniffed, framed or kept by a cache (OWASP secure headers).
pub(crate) fn with_security_headers<B>(mut response: Response<B>, tls: bool) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

pub(crate) fn plain(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
