//! The ways into the console: a ticket, an administration key, the password of the account for emergencies, and an
//! identity provider. Each sign-in is on record before there is a session.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request};
use bartizan_core::{Act, Deed, StoreError, TenantId};
use bartizan_guard::deed;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{Extensions, HeaderMap, Response, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::NAME as BREAK_GLASS;
use super::oidc::{Oidc, Refusal};
use super::session::Opened;
use super::{Console, POLICY};
use crate::admin::{AdminError, Operator};
use crate::admission::Peer;
use crate::body::read;
use crate::failure;
use crate::shared::Shared;

/// How long a refused sign-in takes at least. Keys are long and random; this keeps guessing from being cheap.
const REFUSAL: Duration = Duration::from_millis(400);

/// Largest body of a sign-in.
const MAX_BODY: usize = 4096;

/// What a browser shows to be let in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum SignIn {
    /// A ticket of `bartizan console`.
    Ticket(String),
    /// An administration key.
    Key(String),
    /// The password of the account for emergencies.
    Password(String),
}

/// An answer, and the cookie that goes with it.
type Answer = Result<(Value, Option<HeaderValue>), AdminError>;

pub(super) fn respond(answer: Answer) -> Response<Body> {
    match answer {
        Err(error) => error.respond(),
        Ok((value, cookie)) => {
            let mut response = failure::json(200, value.to_string().into_bytes());
            if let Some(cookie) = cookie {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
    }
}

/// Which ways there are.
pub(super) fn ways(shared: &Shared, console: &Console, request: &Request) -> Answer {
    same_site(shared, request.headers(), request.uri())?;
    let ways = json!({
        "key": !shared.live().settings.admin.key.is_empty(),
        "password": console.sessions.account().is_some(),
        "oidc": console.oidc.as_ref().map(|oidc| oidc.start_address()),
    });
    Ok((ways, None))
}

pub(super) async fn sign_in(shared: &Arc<Shared>, console: &Arc<Console>, request: Request) -> Answer {
    same_site(shared, request.headers(), request.uri())?;
    let peer = peer(request.extensions());
    let (parts, body) = request.into_parts();
    let time = Duration::from_millis(shared.live().settings.timeouts.body_ms);
    let body = read(body, MAX_BODY, time)
        .await
        .map_err(|_| AdminError::bad("the body is too large or did not arrive".to_owned()))?;
    // What is wrong with a body that may hold a key is not repeated.
    let shown: SignIn = serde_json::from_slice(&body)
        .map_err(|_| AdminError::bad("the body is an object with one of `ticket`, `key` and `password`".to_owned()))?;
    let (shared, console) = (Arc::clone(shared), Arc::clone(console));
    // Whoever hangs up has tried all the same.
    let attempt = tokio::spawn(async move { attempt(&shared, &console, shown, &parts.headers, peer).await });
    attempt.await.unwrap_or_else(|_| Err(AdminError::unavailable("the sign-in broke off")))
}

async fn attempt(shared: &Shared, console: &Console, shown: SignIn, headers: &HeaderMap, peer: IpAddr) -> Answer {
    let now = shared.access.now().steady;
    let operator = match shown {
        SignIn::Ticket(ticket) => console.sessions.redeem(&ticket, now),
        SignIn::Key(key) => shared.live().admission.admin().operator(&key),
        SignIn::Password(password) => Some(by_password(shared, console, password, peer).await?),
    };
    let Some(operator) = operator else {
        tokio::time::sleep(REFUSAL).await;
        return Err(AdminError::unauthorized());
    };
    record(shared, Deed::SignedIn, operator.name(), operator.by(), operator.role()).await?;
    // A session that the browser has is not raised: there is another.
    console.sessions.close(headers);
    let opened = console.sessions.open(operator, now).map_err(AdminError::bad)?;
    let set = console.sessions.cookie().set(&opened.cookie, None);
    Ok((described(&opened), Some(set)))
}

async fn by_password(
    shared: &Shared,
    console: &Console,
    password: String,
    peer: IpAddr,
) -> Result<Operator, AdminError> {
    let wrong = || AdminError::refused("this password lets nobody in");
    let Some(account) = console.sessions.account() else {
        tokio::time::sleep(REFUSAL).await;
        return Err(wrong());
    };
    let now = shared.access.now().steady;
    if !account.may_try(peer, now) {
        if account.is_news(now) {
            tracing::warn!(%peer, "too many attempts at the password of the account for emergencies");
            let act = act(Deed::SignInRefused, BREAK_GLASS, "password", "").with("why", "too-often");
            keep(shared, act).await?;
        }
        return Err(AdminError::too_often());
    }
    // Whoever can let time pass without a record could try unseen.
    let admitted = account.admit(password).await;
    if let Some(operator) = admitted {
        tracing::warn!(%peer, "the account for emergencies is used");
        return Ok(operator);
    }
    record(shared, Deed::SignInRefused, BREAK_GLASS, "password", "").await?;
    tokio::time::sleep(REFUSAL).await;
    Err(wrong())
}

/// Begins a sign-in with the identity provider.
pub(super) async fn begin(shared: &Shared, oidc: &Arc<Oidc>, asked: &Parts) -> Response<Body> {
    if let Err(error) = same_site(shared, &asked.headers, &asked.uri) {
        return error.respond();
    }
    match oidc.begin(shared.access.now()).await {
        Err(refusal) => page(refusal),
        Ok((address, cookie)) => match HeaderValue::try_from(address) {
            Ok(address) => moved(address, [cookie].into()),
            Err(_) => page(Refusal::Unreachable),
        },
    }
}

/// Ends it, when the provider has sent the browser back.
pub(super) async fn finish(
    shared: &Arc<Shared>,
    console: &Arc<Console>,
    oidc: &Arc<Oidc>,
    asked: Parts,
) -> Response<Body> {
    if let Err(error) = same_site(shared, &asked.headers, &asked.uri) {
        return error.respond();
    }
    let over = oidc.cookie().end();
    let (shared, console, oidc) = (Arc::clone(shared), Arc::clone(console), Arc::clone(oidc));
    // Whoever hangs up has tried all the same.
    let opened = tokio::spawn(async move { opened(&shared, &console, &oidc, &asked).await });
    let opened = opened.await.unwrap_or(Err(Refusal::Unreachable));
    // What is not about the sign-in of this browser, or comes too early, does not end it.
    let goes_on = matches!(opened, Err(Refusal::Stale | Refusal::TooOften));
    let mut response = match opened {
        Err(refusal) => page(refusal),
        Ok(cookie) => moved(HeaderValue::from_static("/console/"), [cookie].into()),
    };
    if !goes_on {
        response.headers_mut().append(SET_COOKIE, over);
    }
    response
}

async fn opened(shared: &Shared, console: &Console, oidc: &Arc<Oidc>, asked: &Parts) -> Result<HeaderValue, Refusal> {
    let now = shared.access.now();
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(&asked.uri).map_err(|_| Refusal::Stale)?;
    let attempt = oidc.attempt(&asked.headers, &query, now.steady).ok_or(Refusal::Stale)?;
    // Only now: what strangers make up would use up the places of others.
    if !oidc.limit().admits(peer(&asked.extensions), now.steady) {
        return Err(Refusal::TooOften);
    }
    let person = oidc.answer(shared, attempt, &query, now).await?;
    let name = oidc.recorded(shared, &person);
    let lost = |_| Refusal::Store;
    let Some(operator) = oidc.operator(shared, person) else {
        record(shared, Deed::SignInRefused, &name, "oidc", "").await.map_err(lost)?;
        return Err(Refusal::NoRole);
    };
    record(shared, Deed::SignedIn, &name, operator.by(), operator.role()).await.map_err(lost)?;
    let opened = console.sessions.open(operator, now.steady).map_err(|_| Refusal::Store)?;
    Ok(console.sessions.cookie().set(&opened.cookie, None))
}

pub(super) fn look(shared: &Shared, console: &Console, request: &Request) -> Answer {
    let opened = console.sessions.known(shared, request.headers())?;
    Ok((described(&opened), None))
}

pub(super) fn sign_out(shared: &Shared, console: &Console, request: &Request) -> Answer {
    same_site(shared, request.headers(), request.uri())?;
    console.sessions.admit(shared, request.method(), request.headers())?;
    console.sessions.close(request.headers());
    Ok((json!({}), Some(console.sessions.cookie().end())))
}

fn described(opened: &Opened) -> Value {
    json!({
        "name": opened.operator.shown(),
        "recorded": opened.operator.name(),
        "role": opened.operator.role(),
        "tenants": opened.operator.tenants(),
        "csrf": opened.csrf,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Puts it on record that somebody came in, or was not let in.
async fn record(shared: &Shared, what: Deed, actor: &str, by: &str, role: &str) -> Result<(), StoreError> {
    keep(shared, act(what, actor, by, role)).await
}

fn act(what: Deed, actor: &str, by: &str, role: &str) -> Act {
    let act = deed(what, &TenantId::sole(), actor).about("console").with("by", by);
    if role.is_empty() { act } else { act.with("role", role) }
}

async fn keep(shared: &Shared, act: Act) -> Result<(), StoreError> {
    shared.recorder.store().act(act).await.inspect_err(|error| tracing::error!(%error, "a sign-in cannot be recorded"))
}

/// Pages of other origins, and names that were made to point here, get nothing.
fn same_site(shared: &Shared, headers: &HeaderMap, uri: &Uri) -> Result<(), AdminError> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let checked = shared.live().admission.check_origin(headers, authority);
    checked.map_err(|_| AdminError::forbidden("pages of other origins are not served".to_owned()))
}

fn peer(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0)
}

fn moved(to: HeaderValue, cookies: Vec<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, to);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    response
}

/// Says why somebody is not signed in. Nothing of what the browser or the provider sent is on the page.
fn page(refusal: Refusal) -> Response<Body> {
    let (status, text) = match refusal {
        Refusal::Stale => (
            StatusCode::BAD_REQUEST,
            "This answer belongs to no sign-in that this browser has begun here within ten minutes, or was used before.",
        ),
        Refusal::Unproven => {
            (StatusCode::UNAUTHORIZED, "The identity provider did not confirm who you are. The gateway's log says why.")
        }
        Refusal::NoRole => {
            (StatusCode::FORBIDDEN, "The identity provider knows you, but none of your groups may use this console.")
        }
        Refusal::TooOften => (StatusCode::TOO_MANY_REQUESTS, "Too many sign-ins at once. Wait a minute."),
        Refusal::Unreachable => {
            (StatusCode::BAD_GATEWAY, "The identity provider does not answer as it should. The gateway's log says why.")
        }
        Refusal::Store => {
            (StatusCode::SERVICE_UNAVAILABLE, "The sign-in cannot be recorded, so it is refused. Try again later.")
        }
    };
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Not signed in · Bartizan</title>
<link rel="icon" href="/console/icon.svg">
<link rel="stylesheet" href="/console/app.css">
</head>
<body>
<main class="signin">
<h1>Not signed in</h1>
<p role="alert">{text}</p>
<p><a href="/console/">Back to the sign-in</a></p>
</main>
</body>
</html>
"#
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
