//! The console: pages for people, and a way in for them. What it shows and changes goes through the operations of the
//! admin API; a browser only has another way to say who it is.

mod account;
mod cookie;
mod limit;
mod oidc;
mod session;
mod signin;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use bartizan_sign::hex;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use tower::util::MapResponseLayer;

pub(crate) use account::Account;
pub(crate) use oidc::Oidc;
pub(crate) use session::Sessions;

use crate::admin::{self, AdminAccess, AdminError};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::stack::with_security_headers;

/// What a page may do: load what is here, and talk to here. Nothing inline runs, so text that is shown stays text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// Built files, by the path below `/console/`. `cargo xtask gen --check` compares them with their sources.
const FILES: &[(&str, &str, &[u8])] = &[
    ("", "text/html; charset=utf-8", include_bytes!("../../console/index.html")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../../console/app.js")),
    ("app.css", "text/css; charset=utf-8", include_bytes!("../../console/app.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../console/icon.svg")),
];

/// Where browsers find the gateway.
pub(crate) struct Place {
    /// Scheme, host and port.
    origin: String,
    /// Whether there is TLS between it and a browser. A proxy may end it.
    tls: bool,
}

impl Place {
    /// Of a gateway that listens at an address.
    ///
    /// # Errors
    /// `console.origin` is none.
    pub(crate) fn of(settings: &Settings, address: SocketAddr) -> Result<Self, String> {
        settings.console.check()?;
        let of_people = settings.admin.oidc.as_ref().and_then(|oidc| oidc.origin.as_ref());
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let said = settings.console.origin.as_ref().or(of_people).cloned();
        let origin = said.unwrap_or_else(|| format!("{scheme}://{address}"));
        Ok(Self { tls: settings.tls.is_some() || origin.starts_with("https:"), origin })
    }
}

/// Who may sign in, and who has.
pub(crate) struct Console {
    sessions: Arc<Sessions>,
    oidc: Option<Arc<Oidc>>,
    tls: bool,
}

impl Console {
    pub(crate) const fn new(sessions: Arc<Sessions>, oidc: Option<Arc<Oidc>>, place: &Place) -> Self {
        Self { sessions, oidc, tls: place.tls }
    }
}

/// The routes, below `/console`.
pub(crate) fn routes(shared: &Arc<Shared>, console: Console) -> Router {
    let mut router = Router::new().route("/console", get(to_slash));
    for (path, media, bytes) in FILES {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let tag = format!("\"{}\"", hex(digest.as_ref().get(..8).unwrap_or_default()));
        let tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
        let answer = async move |head: HeaderMap| file(&head, media, bytes, tag);
        router = router.route(&format!("/console/{path}"), get(answer));
    }
    let state = (Arc::clone(shared), Arc::new(console));
    let console = Arc::clone(&state.1);
    let ways = Router::new()
        .route("/console/session", post(sign_in).get(look).delete(sign_out))
        .route("/console/ways", get(show_ways))
        .route("/console/oidc/start", get(begin))
        .route("/console/oidc/callback", get(finish));
    let access = AdminAccess::Sessions(Arc::clone(&console.sessions));
    let tls = console.tls;
    router
        .merge(ways.with_state(state))
        .layer(MapResponseLayer::new(move |response: Response<Body>| with_security_headers(response, tls)))
        .nest("/console", admin::router(Arc::clone(shared), access, tls))
}

type Here = State<(Arc<Shared>, Arc<Console>)>;

async fn sign_in(State((shared, console)): Here, request: Request) -> Response<Body> {
    signin::respond(signin::sign_in(&shared, &console, request).await)
}

async fn look(State((shared, console)): Here, request: Request) -> Response<Body> {
    signin::respond(signin::look(&shared, &console, &request))
}

async fn sign_out(State((shared, console)): Here, request: Request) -> Response<Body> {
    signin::respond(signin::sign_out(&shared, &console, &request))
}

async fn show_ways(State((shared, console)): Here, request: Request) -> Response<Body> {
    signin::respond(signin::ways(&shared, &console, &request))
}

async fn begin(State((shared, console)): Here, request: Request) -> Response<Body> {
    match &console.oidc {
        Some(oidc) => signin::begin(&shared, oidc, &request.into_parts().0).await,
        None => AdminError::not_found("this way in").respond(),
    }
}

async fn finish(State((shared, console)): Here, request: Request) -> Response<Body> {
    match &console.oidc {
        Some(oidc) => signin::finish(&shared, &console, oidc, request.into_parts().0).await,
        None => AdminError::not_found("this way in").respond(),
    }
}

async fn to_slash() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/console/"));
    response
}

fn file(head: &HeaderMap, media: &'static str, bytes: &'static [u8], tag: HeaderValue) -> Response<Body> {
    let known = head.get(IF_NONE_MATCH).is_some_and(|known| *known == tag);
    let mut response = Response::new(if known { Body::empty() } else { Body::from(bytes) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
