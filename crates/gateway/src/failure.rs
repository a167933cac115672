//! Requests that are not forwarded, in the words of the protocol.

use axum::body::Body;
use bartizan_core::Protocol;
use bartizan_wire::{ErrorKind, error_body};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::metrics::Metrics;
use crate::upstream::UpstreamError;

/// A request that is not forwarded, in the words of the protocol.
pub(crate) struct Failure {
    kind: ErrorKind,
    message: String,
    /// Word for the error counter.
    label: &'static str,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, label: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), label }
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn upstream(error: &UpstreamError) -> Self {
        let (kind, label) = match error {
            UpstreamError::NoRoute => (ErrorKind::NotFound, "no_route"),
            UpstreamError::Unreachable(_) => (ErrorKind::Upstream, "upstream_unreachable"),
            UpstreamError::Timeout => (ErrorKind::Timeout, "upstream_timeout"),
            UpstreamError::Signed => (ErrorKind::Unauthorized, "signed_request"),
            UpstreamError::Header => (ErrorKind::InvalidRequest, "header"),
        };
        Self::new(kind, label, error.to_string())
    }

    pub(crate) fn respond(self, protocol: Protocol, metrics: &Metrics) -> Response<Body> {
        metrics.error(self.label);
        let retry = matches!(self.kind, ErrorKind::Unavailable);
        let (status, body) = error_body(protocol, self.kind, &self.message, None);
        let mut response = json(status, body);
        if retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A JSON body with a status.
pub(crate) fn json(status: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
