//! Every route of the gateway, and what a request goes through on it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use bartizan_core::Protocol;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use tower::util::MapResponseLayer;

use crate::admission::Peer;
use crate::proxy;
use crate::shared::Shared;

/// The routes. A request to a model goes: host and key → in-flight permit → bounded body → guard → record →
/// upstream → guard → record → caller.
pub(crate) fn router(shared: Arc<Shared>, tls: bool) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(|s, r| proxy::exchange(s, Protocol::OpenaiChat, r)))
        .route("/v1/messages", post(|s, r| proxy::exchange(s, Protocol::AnthropicMessages, r)))
        .route("/v1/models", get(proxy::look_up))
        .route("/v1/models/{id}", get(proxy::look_up))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(proxy::unknown_route)
        .method_not_allowed_fallback(proxy::wrong_method)
        .layer(MapResponseLayer::new(move |response| with_security_headers(response, tls)))
        .with_state(shared)
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response<axum::body::Body> {
    let (status, text) = match shared.recorder.store().ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the evidence store does not answer\n"),
    };
    plain(status, "text/plain; charset=utf-8", text.to_owned())
}

async fn metrics(
    State(shared): State<Arc<Shared>>,
    request: http::Request<axum::body::Body>,
) -> Response<axum::body::Body> {
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

pub(crate) fn plain(status: StatusCode, content_type: &'static str, text: String) -> Response<axum::body::Body> {
    let mut response = Response::new(axum::body::Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
