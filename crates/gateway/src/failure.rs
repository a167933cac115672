//! Requests that are not forwarded, in the words of the protocol.

use axum::body::Body;
use bartizan_access::{Denied, Why};
use bartizan_core::Protocol;
use bartizan_wire::{ErrorKind, error_body};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::metrics::Metrics;
use crate::proxy::event_header;
use crate::upstream::UpstreamError;

/// A request that is not forwarded, in the words of the protocol.
pub(crate) struct Failure {
    kind: ErrorKind,
    message: String,
    /// Another HTTP status than the kind's.
    status: Option<StatusCode>,
    /// Word for the error counter.
    label: &'static str,
    /// Seconds after which the caller may try again.
    retry_after: Option<u64>,
    unsent: bool,
    /// The record of it, where there is one.
    event: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, label: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, label, retry_after: None, unsent: false, event: None }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// What is wrong, for an answer in a shape of its own.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Moves the error counter.
    pub(crate) fn count(&self, metrics: &Metrics) {
        metrics.error(self.label);
    }

    /// Something that an operator has cut off. What it is stays between the operator and the record.
    pub(crate) fn contained(event: &str) -> Self {
        let message = format!("what this request uses is cut off for now; ask who runs the gateway (event {event})");
        Self { event: Some(event.to_owned()), ..Self::new(ErrorKind::Forbidden, "contained", message) }
    }

    /// Over a limit.
    pub(crate) fn denied(denied: Denied) -> Self {
        let what = denied.why.as_str();
        let message = format!("the limit of {what} is reached; try again in {} s", denied.retry_after);
        let label = match denied.why {
            Why::Requests => "limit_requests",
            Why::Tokens => "limit_tokens",
            Why::Concurrency => "limit_concurrency",
            Why::Budget | Why::Contended => "budget",
            Why::Crowded => "limit_callers",
        };
        Self { retry_after: Some(denied.retry_after), ..Self::new(ErrorKind::RateLimited, label, message) }
    }

    pub(crate) fn upstream(error: &UpstreamError) -> Self {
        let (kind, label) = match error {
            UpstreamError::NoRoute => (ErrorKind::NotFound, "no_route"),
            UpstreamError::Resting => (ErrorKind::Unavailable, "upstream_resting"),
            UpstreamError::Held => (ErrorKind::Unavailable, "upstream_held"),
            UpstreamError::Unconnected(_) | UpstreamError::Unreachable(_) => {
                (ErrorKind::Upstream, "upstream_unreachable")
            }
            UpstreamError::Timeout => (ErrorKind::Timeout, "upstream_timeout"),
            UpstreamError::Signed => (ErrorKind::Unauthorized, "signed_request"),
            UpstreamError::Header => (ErrorKind::InvalidRequest, "header"),
        };
        let unsent = matches!(
            error,
            UpstreamError::NoRoute | UpstreamError::Resting | UpstreamError::Held | UpstreamError::Unconnected(_)
        );
        Self { unsent, ..Self::new(kind, label, error.to_string()) }
    }

    /// True where no byte of the request has reached an upstream.
    pub(crate) fn is_unsent(&self) -> bool {
        self.unsent
    }

    pub(crate) fn respond(self, protocol: Protocol, metrics: &Metrics) -> Response<Body> {
        self.count(metrics);
        let retry = self.retry_after.or((self.kind == ErrorKind::Unavailable).then_some(1));
        let (status, body) = error_body(protocol, self.kind, &self.message, self.event.as_deref());
        let mut response = json(self.status.map_or(status, |s| s.as_u16()), body);
        if let Some(seconds) = retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(event) = &self.event {
            event_header(&mut response, event);
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
