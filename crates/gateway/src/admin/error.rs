//! Answers to questions that cannot be answered, as problem details (RFC 9457).

use axum::body::Body;
use bartizan_core::StoreError;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct AdminError {
    status: StatusCode,
    detail: String,
}

impl AdminError {
    /// The question is wrong.
    pub(crate) fn bad(detail: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail }
    }

    /// Nobody known asks.
    pub(crate) fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, detail: "a valid administration key is needed".to_owned() }
    }

    /// What was shown lets nobody in.
    pub(crate) fn refused(detail: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, detail: detail.to_owned() }
    }

    /// Too often.
    pub(crate) fn too_often() -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, detail: "too many attempts; wait a minute".to_owned() }
    }

    /// What is asked about does not answer.
    pub(crate) fn unavailable(detail: &str) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, detail: detail.to_owned() }
    }

    /// It cannot be answered yet.
    pub(crate) fn conflict(detail: &str) -> Self {
        Self { status: StatusCode::CONFLICT, detail: detail.to_owned() }
    }

    /// The one who asks may not do this.
    pub(crate) fn forbidden(detail: String) -> Self {
        Self { status: StatusCode::FORBIDDEN, detail }
    }

    /// There is no such thing, or it is another tenant's: the answer does not say which.
    pub(crate) fn not_found(what: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: format!("{what} does not exist") }
    }

    pub(crate) fn respond(self) -> Response<Body> {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = crate::failure::json(self.status.as_u16(), body.to_string().into_bytes());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed under the admin API");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, detail: "the evidence store does not answer".to_owned() }
    }
}

impl From<serde_json::Error> for AdminError {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "an answer of the admin API cannot be written");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, detail: "internal error".to_owned() }
    }
}
