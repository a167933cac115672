//! What comes and goes besides bodies: media types, path, query and headers.

use bartizan_core::{Mode, Source, Verdict};
use bartizan_wire::ErrorKind;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;

use crate::failure::Failure;
use crate::shared::Live;

/// Only plain JSON bodies can be read.
pub(crate) fn check_head(headers: &HeaderMap) -> Result<(), Failure> {
    if is_encoded(headers) {
        let message = "compressed request bodies are not read; send the body without `content-encoding`";
        return Err(unsupported("encoding", message));
    }
    let json = headers.get_all(CONTENT_TYPE).iter().all(|v| {
        let essence = v.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if !json {
        return Err(unsupported("media_type", "the body must be `application/json`"));
    }
    Ok(())
}

/// True where a body is compressed or otherwise coded.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
        || headers.get_all(TRANSFER_ENCODING).iter().any(|v| !v.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

fn unsupported(label: &'static str, message: &str) -> Failure {
    Failure::new(ErrorKind::InvalidRequest, label, message).status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// What goes on besides the body: path, query and headers. They are short and plain, and the guard reads them; what it
/// would change or refuse is refused, since there is no place for a placeholder.
pub(crate) fn check_rest(live: &Live, parts: &Parts) -> Result<String, Failure> {
    let refuse = |label, what: &str| {
        Failure::new(ErrorKind::InvalidRequest, label, format!("{what} is not passed on: it is too long or not plain"))
    };
    let path = parts.uri.path();
    if path.len() > 256 || path.contains("..") || !path.bytes().all(|b| is_plain(b) && b != b' ') {
        return Err(refuse("path", "this path"));
    }
    let query = parts.uri.query().unwrap_or_default();
    if query.len() > 256 || !query.bytes().all(|b| is_plain(b) && b != b' ') {
        return Err(refuse("query", "this query string"));
    }
    let mut text = format!("{path}\n{query}");
    for name in live.upstreams.passed_headers().chain([&ACCEPT]) {
        for value in parts.headers.get_all(name) {
            if value.len() > 256 || !value.as_bytes().iter().all(|b| is_plain(*b)) {
                return Err(refuse("header", &format!("the header `{name}`")));
            }
            text.push('\n');
            text.push_str(value.to_str().unwrap_or_default());
        }
    }
    if live.guard.mode() == Mode::Enforce && live.guard.check_text(&text, Source::Parameter).verdict > Verdict::Allow {
        let message = "the path, query string or a header holds what the policy does not let pass";
        return Err(Failure::new(ErrorKind::Blocked, "header", message));
    }
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Ok(format!("{path}{query}"))
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'=' | b'&' | b',' | b';' | b'+' | b'*' | b' ')
}

/// Reply headers that mean something to a caller, where they are short and plain. A header is text that nobody
/// examines, so nothing else passes.
pub(crate) fn reply_headers(from: &HeaderMap, to: &mut HeaderMap) {
    const NAMES: &[&str] = &["request-id", "x-request-id", "retry-after", "openai-processing-ms", "openai-version"];
    const PREFIXES: &[&str] = &["x-ratelimit-", "anthropic-ratelimit-"];
    for (name, value) in from {
        let text = name.as_str();
        let known = NAMES.contains(&text) || PREFIXES.iter().any(|p| text.starts_with(p));
        if known && value.len() <= 128 && value.as_bytes().iter().all(|b| is_plain(*b)) {
            to.append(name.clone(), value.clone());
        }
    }
}
