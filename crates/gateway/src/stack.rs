//! Every route of the gateway, and what a request goes through on it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use bartizan_core::Protocol;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};

use crate::admission::Peer;
use crate::proxy;
use crate::shared::Shared;

/// The routes. A request to a model goes: host and key → in-flight permit → bounded body → guard → record →
/// upstream → guard → record → caller.
pub fn router(shared: Arc<Shared>) -> Router {
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

pub(crate) fn plain(status: StatusCode, content_type: &'static str, text: String) -> Response<axum::body::Body> {
    let mut response = Response::new(axum::body::Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
