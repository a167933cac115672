//! What comes and goes besides bodies: media types, path, query and headers.

use bartizan_core::{Mode, Source, Verdict};
use bartizan_wire::ErrorKind;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;

use crate::coding::{Coding, CodingError, coding};
use crate::failure::Failure;
use crate::shared::Live;
use crate::surface::plain_path;

/// Only JSON bodies can be read. Answers with the coding that has to come off first.
pub(crate) fn check_head(headers: &HeaderMap) -> Result<Option<Coding>, Failure> {
    let unsupported = |label, message| Failure::new(ErrorKind::UnsupportedMedia, label, message);
    let coding = coding(headers).map_err(|error| match error {
        CodingError::Stacked => unsupported("encoding", "a body in more than one content coding is not read"),
        _ => unsupported("encoding", "this content coding is not read; use gzip, deflate, br, zstd or none"),
    })?;
    let json = headers.get_all(CONTENT_TYPE).iter().all(|v| {
        let essence = v.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if !json {
        return Err(unsupported("media_type", "the body must be `application/json`"));
    }
    Ok(coding)
}

/// True for a media type that is short and plain.
pub(crate) fn is_plain_type(value: &HeaderValue) -> bool {
    value.len() <= 256 && value.as_bytes().iter().all(|b| is_plain(*b))
}

/// What goes on besides the body: path, query and headers. They are short and plain, and the guard reads them; what it
/// would change or refuse is refused, since there is no place for a placeholder.
pub(crate) fn check_rest(live: &Live, parts: &Parts) -> Result<String, Failure> {
    let refuse = |label, what: &str| {
        Failure::new(ErrorKind::InvalidRequest, label, format!("{what} is not passed on: it is too long or not plain"))
    };
    let path = parts.uri.path();
    let plain = plain_path(path).filter(|p| !p.contains("..") && p.bytes().all(|b| is_plain(b) && b != b' '));
    let Some(plain) = plain.filter(|_| path.len() <= 256) else {
        return Err(refuse("path", "this path"));
    };
    let query = parts.uri.query().unwrap_or_default();
    if query.split('&').any(|p| p.starts_with("key=")) {
        let message = "a key in the query string ends up in logs; send it as the header `x-goog-api-key`";
        return Err(Failure::new(ErrorKind::InvalidRequest, "key_in_query", message));
    }
    if query.len() > 256 || !query.bytes().all(|b| is_plain(b) && b != b' ') {
        return Err(refuse("query", "this query string"));
    }
    let mut text = format!("{plain}\n{query}");
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
