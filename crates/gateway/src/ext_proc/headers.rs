//! Heads as Envoy writes them, and what is changed in them.

use bartizan_core::Direction;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};

use super::api::{self, APPEND, HeaderMutation, HeaderValueOption, HttpHeaders, OVERWRITE};

/// Most bytes of a head, as for callers of the gateway itself.
const MOST: usize = 16 << 10;

/// Longest value of a field that Envoy adds for its own use, in bytes.
const OWN: usize = 128;

/// The head of a request. An error says what is wrong with it.
pub(super) fn request(head: &HttpHeaders) -> Result<Request<()>, &'static str> {
    let (mut method, mut path, mut authority, mut scheme) = (None, None, None, None);
    let mut headers = HeaderMap::new();
    let mut size = 0usize;
    for (name, value) in fields(head) {
        size = size.saturating_add(name.len()).saturating_add(value.len());
        if size > MOST {
            return Err("the head of the request is larger than 16 KiB");
        }
        let Some(pseudo) = name.strip_prefix(':') else {
            let (name, value) = field(name, value).ok_or("a header of the request is not valid")?;
            if is_envoys(&name) && !is_short(&value) {
                return Err("a header whose name begins with `x-envoy-` is too long or not plain");
            }
            headers.append(name, value);
            continue;
        };
        let place = match pseudo {
            "method" => &mut method,
            "path" => &mut path,
            "authority" => &mut authority,
            "scheme" => &mut scheme,
            _ => return Err("upgrades are not served"),
        };
        if place.replace(value).is_some() {
            return Err("the head of the request is not valid");
        }
    }
    let invalid = "the head of the request is not valid";
    // What stands behind `#` is no part of a parsed path: it would go on unread.
    let path = path.filter(|path| !path.contains(&b'#')).ok_or(invalid)?;
    let mut uri = Uri::builder().path_and_query(path);
    if let Some(authority) = authority {
        uri = uri.authority(authority).scheme(scheme.unwrap_or(b"http"));
    }
    let mut request = Request::new(());
    *request.uri_mut() = uri.build().map_err(|_| invalid)?;
    *request.method_mut() = Method::from_bytes(method.ok_or(invalid)?).map_err(|_| invalid)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The head of a reply.
pub(super) fn reply(head: &HttpHeaders) -> Option<(StatusCode, HeaderMap)> {
    let mut status = None;
    let mut headers = HeaderMap::new();
    let mut size = 0usize;
    for (name, value) in fields(head) {
        size = size.saturating_add(name.len()).saturating_add(value.len());
        if size > 4 * MOST {
            return None;
        }
        if name == ":status" {
            status = Some(StatusCode::from_bytes(value).ok()?);
        } else {
            let (name, value) = field(name, value)?;
            if is_envoys(&name) && !is_short(&value) {
                return None;
            }
            headers.append(name, value);
        }
    }
    Some((status?, headers))
}

fn fields(head: &HttpHeaders) -> impl Iterator<Item = (&str, &[u8])> {
    head.headers.iter().flat_map(|map| &map.headers).map(|one| {
        let value = if one.raw_value.is_empty() { one.value.as_bytes() } else { &one.raw_value };
        (one.key.as_str(), value)
    })
}

fn field(name: &str, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
}

/// What has to change so that only what is wanted goes on, besides what Envoy writes for itself.
pub(super) fn change(of: Direction, from: &HeaderMap, to: &HeaderMap) -> HeaderMutation {
    let stays = |name: &HeaderName| from.get_all(name).iter().all(|value| is_own(of, name, value));
    let removed = from.keys().filter(|name| !to.contains_key(*name) && **name != HOST && !stays(name));
    let mut out = HeaderMutation {
        remove_headers: removed.map(|name| name.as_str().to_owned()).collect(),
        set_headers: Vec::new(),
    };
    for name in to.keys().filter(|name| !from.get_all(*name).iter().eq(to.get_all(*name).iter())) {
        set(&mut out, name.as_str(), to.get_all(name).iter().map(HeaderValue::as_bytes));
    }
    out
}

/// All fields of an answer of the gateway's own. Envoy knows how long it is.
pub(super) fn all(headers: &HeaderMap) -> HeaderMutation {
    let mut out = HeaderMutation::default();
    for name in headers.keys().filter(|name| **name != http::header::CONTENT_LENGTH) {
        set(&mut out, name.as_str(), headers.get_all(name).iter().map(HeaderValue::as_bytes));
    }
    out
}

/// Sets a field in place of what it was.
pub(super) fn set<'a>(out: &mut HeaderMutation, name: &str, values: impl Iterator<Item = &'a [u8]>) {
    for (at, value) in values.enumerate() {
        let raw_value = bytes::Bytes::copy_from_slice(value);
        let header = Some(api::HeaderValue { key: name.to_owned(), value: String::new(), raw_value });
        let append_action = if at == 0 { OVERWRITE } else { APPEND };
        out.set_headers.push(HeaderValueOption { header, append_action });
    }
}

/// A field that Envoy writes for its own use and for its log.
fn is_own(of: Direction, name: &HeaderName, value: &HeaderValue) -> bool {
    let addresses = |b: &u8| b.is_ascii_hexdigit() || b".:, ".contains(b);
    match (of, name.as_str()) {
        (Direction::Reply, name) => name == "x-envoy-upstream-service-time" && is_short(value),
        (_, "x-forwarded-for") => value.len() <= 2 * OWN && value.as_bytes().iter().all(addresses),
        (_, "x-request-id" | "x-forwarded-proto") => is_short(value),
        _ => is_envoys(name) && is_short(value),
    }
}

/// A field that Envoy may refuse to take away.
fn is_envoys(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-envoy-")
}

/// A value that holds a name, a number or an address, and no prose.
fn is_short(value: &HeaderValue) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(b);
    value.len() <= OWN && value.as_bytes().iter().all(plain)
}
