//! The console: pages for people, and a way in for them. What it shows and changes goes through the operations of the
//! admin API; a browser only has another way to say who it is.

mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use bartizan_sign::hex;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, Response, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use session::Sessions;
use session::{Opened, cookie};

use crate::admin::{self, AdminAccess, AdminError, Operator};
use crate::admission::KeyHash;
use crate::body::read;
use crate::failure;
use crate::settings::Admin;
use crate::shared::Shared;

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

/// How long a refused sign-in takes at least. Keys are long and random; this keeps guessing from being cheap.
const REFUSAL: Duration = Duration::from_millis(400);

/// Largest body of a sign-in.
const MAX_BODY: usize = 4096;

/// Who may sign in, and who has.
pub(crate) struct Console {
    sessions: Arc<Sessions>,
    keys: Vec<(KeyHash, Operator)>,
    tls: bool,
}

impl Console {
    /// # Errors
    /// An administration key cannot be used.
    pub(crate) fn new(settings: &Admin, sessions: Arc<Sessions>, tls: bool) -> Result<Self, String> {
        let keys = if settings.key.is_empty() { Vec::new() } else { admin::operators(settings)? };
        Ok(Self { sessions, keys, tls })
    }
}

/// The routes, below `/console`.
pub(crate) fn routes(shared: &Arc<Shared>, console: Console) -> Router {
    let (tls, sessions) = (console.tls, Arc::clone(&console.sessions));
    let console = Arc::new(console);
    let mut router = Router::new().route("/console", get(to_slash));
    for (path, media, bytes) in FILES {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let tag = format!("\"{}\"", hex(digest.as_ref().get(..8).unwrap_or_default()));
        let tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
        let answer = async move |head: HeaderMap| file(&head, media, bytes, tag);
        router = router.route(&format!("/console/{path}"), get(answer));
    }
    let (here, there, away) = (Arc::clone(shared), Arc::clone(shared), Arc::clone(shared));
    let (opening, looking, closing) = (Arc::clone(&console), Arc::clone(&console), console);
    router
        .route(
            "/console/session",
            post(async move |request: Request| respond(sign_in(&here, &opening, request).await))
                .get(async move |request: Request| respond(look(&there, &looking, &request)))
                .delete(async move |request: Request| respond(sign_out(&away, &closing, &request))),
        )
        .nest("/console", admin::router(Arc::clone(shared), AdminAccess::Sessions(sessions), tls))
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

/// What a browser shows to be let in: a ticket of `bartizan console`, or an administration key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum SignIn {
    Ticket(String),
    Key(String),
}

/// An answer, and the cookie that goes with it.
type Answer = Result<(Value, Option<HeaderValue>), AdminError>;

fn respond(answer: Answer) -> Response<Body> {
    match answer {
        Err(error) => error.respond(),
        Ok((value, cookie)) => {
            let mut response = failure::json(200, value.to_string().into_bytes());
            if let Some(cookie) = cookie {
                response.headers_mut().insert(http::header::SET_COOKIE, cookie);
            }
            response
        }
    }
}

async fn sign_in(shared: &Shared, console: &Console, request: Request) -> Answer {
    same_site(shared, request.headers(), request.uri())?;
    let time = Duration::from_millis(shared.live().settings.timeouts.body_ms);
    let body = read(request.into_body(), MAX_BODY, time)
        .await
        .map_err(|_| AdminError::bad("the body is too large or did not arrive".to_owned()))?;
    // What is wrong with a body that may hold a key is not repeated.
    let shown: SignIn = serde_json::from_slice(&body)
        .map_err(|_| AdminError::bad("the body is an object with either `ticket` or `key`".to_owned()))?;
    let now = shared.access.now().steady;
    let operator = match &shown {
        SignIn::Ticket(ticket) => console.sessions.redeem(ticket, now),
        SignIn::Key(key) => {
            let presented = KeyHash::of(key);
            // Every key is compared, so that the time says nothing about which one matched.
            let fits =
                |found, (hash, one): &(KeyHash, Operator)| if hash.is(&presented) { Some(one.clone()) } else { found };
            console.keys.iter().fold(None, fits)
        }
    };
    let Some(operator) = operator else {
        tokio::time::sleep(REFUSAL).await;
        return Err(AdminError::unauthorized());
    };
    let opened = console.sessions.open(operator, now).map_err(AdminError::bad)?;
    let set = cookie(&opened.cookie, console.tls, false);
    Ok((described(&opened), Some(set)))
}

fn look(shared: &Shared, console: &Console, request: &Request) -> Answer {
    let opened = console.sessions.known(shared, request.headers())?;
    Ok((described(&opened), None))
}

fn sign_out(shared: &Shared, console: &Console, request: &Request) -> Answer {
    same_site(shared, request.headers(), request.uri())?;
    console.sessions.admit(shared, request.method(), request.headers())?;
    console.sessions.close(request.headers());
    Ok((json!({}), Some(cookie("", console.tls, true))))
}

fn described(opened: &Opened) -> Value {
    json!({
        "name": opened.operator.name(),
        "role": opened.operator.role(),
        "tenants": opened.operator.tenants(),
        "csrf": opened.csrf,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Pages of other origins, and names that were made to point here, get nothing.
fn same_site(shared: &Shared, headers: &HeaderMap, uri: &Uri) -> Result<(), AdminError> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let checked = shared.live().admission.check_origin(headers, authority);
    checked.map_err(|_| AdminError::forbidden("pages of other origins are not served".to_owned()))
}
