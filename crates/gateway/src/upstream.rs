//! The model servers: which one a request goes to, and how it gets there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bartizan_access::model_fits;
use bartizan_core::{Exchange, TenantId};
use bartizan_policy::Permitted;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::admission::KEY_HEADERS;
use crate::attempt::{Breaker, is_busy, is_idempotent, wait};
use crate::hidden::Hidden;
use crate::settings::{Dialect, Settings, Timeouts, Upstream};

/// What goes wrong on the way to an upstream. It is never the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No upstream is configured for this dialect and model.
    #[error("no upstream serves this model")]
    NoRoute,
    /// No connection: no byte of the request has reached it.
    #[error("the upstream could not be reached")]
    Unconnected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It broke off; it may have worked on the request.
    #[error("the upstream broke off")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It failed several times in a row and is left alone for a while.
    #[error("the upstream has failed and is left alone for a while; try again later")]
    Resting,
    /// The model behind it is not what its records say. Which part of it is between the operator and the log.
    #[error("the model behind this upstream is held back; ask who runs the gateway")]
    Held,
    /// It did not answer in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// The caller's signature covers what the gateway changes.
    #[error(
        "a request signed with AWS Signature Version 4 cannot be passed on, since the signature covers what the gateway \
         changes; use a Bedrock API key as `Authorization: Bearer`, or set `key` of the upstream"
    )]
    Signed,
    /// A header cannot be sent.
    #[error("a header cannot be sent to the upstream")]
    Header,
}

/// Boxed future of a send.
pub type SendFuture = Pin<Box<dyn Future<Output = Result<Response<Incoming>, UpstreamError>> + Send>>;

/// How a request gets to an upstream. One implementation for every connector, so that tests can bring a network of
/// their own.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for the head of the reply.
    fn send(&self, request: Request<Full<Bytes>>) -> SendFuture;
}

impl<C: Connect + Clone + Send + Sync + 'static> Transport for Client<C, Full<Bytes>> {
    fn send(&self, request: Request<Full<Bytes>>) -> SendFuture {
        let reply = self.request(request);
        Box::pin(async move {
            reply.await.map_err(|e| match e.is_connect() {
                true => UpstreamError::Unconnected(Box::new(e)),
                false => UpstreamError::Unreachable(Box::new(e)),
            })
        })
    }
}

struct Target {
    settings: Upstream,
    base: String,
    key: Option<String>,
    first_byte: Duration,
    breaker: Breaker,
    /// It gets no requests.
    held: bool,
    /// Where its requests go when it cannot take them, in order.
    fallbacks: Vec<usize>,
}

/// All upstreams, with their keys.
pub struct Upstreams {
    targets: Vec<Target>,
    transport: Box<dyn Transport>,
    pass_headers: Vec<HeaderName>,
    /// The keys of all of them: a fallback may answer for another.
    hidden: Arc<Hidden>,
}

/// The address of an upstream that Envoy reaches.
const ENVOY: &str = "envoy";

impl Upstream {
    /// True where Envoy sends the requests on.
    #[must_use]
    pub fn is_behind_envoy(&self) -> bool {
        self.url == ENVOY
    }

    /// What an upstream cannot have that Envoy reaches: it is Envoy who connects, signs and tries again.
    pub(crate) fn check_envoy(&self) -> Result<(), String> {
        let wrong = [
            (self.key.is_some(), "key", "the provider's key belongs into Envoy's configuration"),
            (!self.fallback.is_empty(), "fallback", "Envoy chooses the cluster"),
            (self.breaker.is_some(), "breaker", "outlier detection is Envoy's"),
            (self.retries > 1 || self.retry_busy, "retries", "a retry policy is Envoy's"),
        ];
        match wrong.into_iter().find(|(is_wrong, ..)| *is_wrong) {
            Some((_, key, why)) => {
                Err(format!("upstream `{}` is behind Envoy, so it cannot have `{key}`: {why}", self.name))
            }
            None => Ok(()),
        }
    }
}

/// Takes a request on in place of the gateway's own client.
pub(crate) trait Carry: Send + Sync {
    /// Passes the request on and waits for the head of the reply.
    fn carry(&self, request: Request<Bytes>) -> CarryFuture;
}

/// Boxed future of [`Carry::carry`].
pub(crate) type CarryFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, UpstreamError>> + Send>>;

/// Who takes a request on: an extension of requests that came through another proxy.
#[derive(Clone)]
pub(crate) struct Carrier(pub(crate) Arc<dyn Carry>);

impl Carrier {
    /// Who takes this request on; `None` is the gateway itself.
    pub(crate) fn of(extensions: &http::Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }
}

/// What is sent besides the body.
pub(crate) struct Outgoing<'a> {
    /// Whose request.
    pub(crate) tenant: &'a TenantId,
    pub(crate) method: Method,
    /// Path and query; the path starts with `/`.
    pub(crate) path: &'a str,
    /// Headers of the caller.
    pub(crate) caller: &'a HeaderMap,
    /// The caller's own credentials may go on, where the upstream has none configured.
    pub(crate) pass_credentials: bool,
    /// How a configured key is sent.
    pub(crate) dialect: Dialect,
    /// Media type of the body.
    pub(crate) content_type: Option<HeaderValue>,
    /// Who takes it on; `None` is the gateway itself.
    pub(crate) carrier: Option<Carrier>,
}

/// Request headers that mean something to a provider. Nothing else is passed on.
const PASSED: &[&str] = &[
    "anthropic-version",
    "anthropic-beta",
    "openai-organization",
    "openai-project",
    "openai-beta",
    "idempotency-key",
    "traceparent",
];

impl Upstreams {
    /// Reads addresses and keys and prepares the client.
    ///
    /// # Errors
    /// An address or key is wrong, or an `https` upstream is configured and the system has no root certificates.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let transport = transport(&settings.timeouts, settings.upstream.iter().any(|u| u.url.starts_with("https:")))?;
        Self::with_transport(settings, transport)
    }

    /// The same over another transport.
    ///
    /// # Errors
    /// An address, key or header name is wrong.
    pub fn with_transport(settings: &Settings, transport: Box<dyn Transport>) -> Result<Self, String> {
        for rule in &settings.passthrough {
            rule.check()?;
            if let Some(name) =
                rule.upstream.as_ref().filter(|name| !settings.upstream.iter().any(|u| u.name == **name))
            {
                return Err(format!("passthrough `{}` goes to upstream `{name}`, which does not exist", rule.path));
            }
        }
        let mut targets = Vec::with_capacity(settings.upstream.len());
        for upstream in &settings.upstream {
            let azure = upstream.dialects == [Dialect::Azure];
            let url = if upstream.is_behind_envoy() { "http://envoy" } else { upstream.url.as_str() };
            let base = base(url, azure).map_err(|e| format!("upstream `{}`: {e}", upstream.name))?;
            let key = match &upstream.key {
                Some(key) => Some(key.resolve().map_err(|e| format!("key of upstream `{}`: {e}", upstream.name))?),
                None => None,
            };
            let first_byte = Duration::from_millis(upstream.first_byte_ms.unwrap_or(settings.timeouts.first_byte_ms));
            let breaker = Breaker::new(upstream.breaker.unwrap_or(if upstream.fallback.is_empty() { 0 } else { 5 }));
            let fallbacks = fallbacks(settings, upstream)?;
            let held = settings.held.contains_key(&upstream.name);
            targets.push(Target { settings: upstream.clone(), base, key, first_byte, breaker, held, fallbacks });
        }
        let mut pass_headers: Vec<HeaderName> = PASSED.iter().map(|n| HeaderName::from_static(n)).collect();
        for name in &settings.pass_headers {
            let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is not a header name"))?;
            if name.as_str().starts_with("x-bartizan-") {
                return Err(format!("`{name}` is for the gateway and is not passed on"));
            }
            pass_headers.push(name);
        }
        let hidden = Arc::new(Hidden::new(targets.iter().filter_map(|target| target.key.as_deref())));
        Ok(Self { targets, transport, pass_headers, hidden })
    }

    /// The upstream for a request: the first whose dialect, model and tenant fit, among those that `carrier` reaches.
    pub(crate) fn route(
        &self,
        carrier: Option<&Carrier>,
        dialect: Dialect,
        model: &str,
        tenant: &TenantId,
    ) -> Result<usize, UpstreamError> {
        self.targets
            .iter()
            .position(|t| {
                let dialects = &t.settings.dialects;
                let models = &t.settings.models;
                t.settings.is_behind_envoy() == carrier.is_some()
                    && (dialects.is_empty() || dialects.contains(&dialect))
                    && t.settings.serves(tenant)
                    && (models.is_empty() || model.is_empty() || models.iter().any(|m| model_fits(m, model)))
            })
            .ok_or(UpstreamError::NoRoute)
    }

    /// The upstream with this name.
    pub(crate) fn named(&self, name: &str) -> Result<usize, UpstreamError> {
        self.targets.iter().position(|t| t.settings.name == name).ok_or(UpstreamError::NoRoute)
    }

    /// Keys that no answer may hold.
    pub(crate) const fn hidden(&self) -> &Arc<Hidden> {
        &self.hidden
    }

    /// Headers of a caller that are passed on.
    pub(crate) fn passed_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.pass_headers.iter()
    }

    pub(crate) fn settings(&self, index: usize) -> Option<&Upstream> {
        self.targets.get(index).map(|t| &t.settings)
    }

    /// Sends what policy permitted.
    ///
    /// A request is sent once more only where no byte of the one before can have been processed: there was no
    /// connection, or, where sending twice is harmless, it was turned away with a time to come back. The first byte of
    /// a reply ends it, and so does the time that the first upstream has for all attempts.
    pub(crate) async fn send(
        &self,
        index: usize,
        outgoing: Outgoing<'_>,
        permitted: Permitted<Exchange>,
    ) -> Result<Response<Body>, UpstreamError> {
        let tenant = outgoing.tenant;
        let first = self.targets.get(index).ok_or(UpstreamError::NoRoute)?;
        let body = Bytes::from(permitted.into_inner().body);
        if first.settings.is_behind_envoy() != outgoing.carrier.is_some() {
            return Err(UpstreamError::NoRoute);
        }
        if let Some(Carrier(carrier)) = &outgoing.carrier {
            if first.held {
                return Err(UpstreamError::Held);
            }
            let carried = carrier.carry(self.request(first, &outgoing, body)?);
            return tokio::time::timeout(first.first_byte, carried).await.unwrap_or(Err(UpstreamError::Timeout));
        }
        let deadline = Instant::now() + first.first_byte;
        let others = first.fallbacks.iter().filter_map(|at| self.targets.get(*at));
        let mut last = UpstreamError::Resting;
        for target in std::iter::once(first).chain(others.filter(|t| t.settings.serves(tenant))) {
            if target.held {
                last = UpstreamError::Held;
                continue;
            }
            if !target.breaker.lets(Instant::now().into_std()) {
                continue;
            }
            let harmless = target.settings.retry_busy || is_idempotent(&outgoing.method, outgoing.caller);
            for attempt in 0..=target.settings.retries {
                let request = self.request(target, &outgoing, body.clone())?.map(Full::new);
                let within = deadline.min(Instant::now() + target.first_byte);
                let reply = tokio::time::timeout_at(within, self.transport.send(request)).await;
                let (busy, reply) = match reply.map(|reply| reply.map(|reply| reply.map(Body::new))) {
                    Ok(Ok(reply)) => {
                        let broken = matches!(reply.status().as_u16(), 502..=504);
                        target.breaker.note(!broken, Instant::now().into_std());
                        if !harmless || !is_busy(reply.status(), reply.headers()) {
                            return Ok(reply);
                        }
                        (true, Ok(reply))
                    }
                    Ok(Err(error)) => {
                        target.breaker.note(false, Instant::now().into_std());
                        if !matches!(error, UpstreamError::Unconnected(_)) {
                            return Err(error);
                        }
                        (false, Err(error))
                    }
                    Err(_) => {
                        target.breaker.note(false, Instant::now().into_std());
                        return Err(UpstreamError::Timeout);
                    }
                };
                let headers = reply.as_ref().ok().filter(|_| busy).map(Response::headers);
                let pause = wait(attempt + 1, headers).filter(|pause| Instant::now() + *pause < deadline);
                match (pause, attempt < target.settings.retries) {
                    (Some(pause), true) => tokio::time::sleep(pause).await,
                    _ if first.fallbacks.is_empty() => return reply,
                    _ => {
                        // With nobody else left, this is the answer.
                        match reply {
                            Ok(reply) if self.is_last(first, target, tenant) => return Ok(reply),
                            Ok(_) => {}
                            Err(error) => last = error,
                        }
                        tracing::warn!(upstream = target.settings.name, "the upstream cannot take a request");
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    /// The request as this upstream gets it.
    fn request(&self, target: &Target, outgoing: &Outgoing<'_>, body: Bytes) -> Result<Request<Bytes>, UpstreamError> {
        let uri: Uri = format!("{}{}", target.base, outgoing.path).parse().map_err(|_| UpstreamError::Header)?;
        let mut request = Request::builder().method(outgoing.method.clone()).uri(uri);
        if let Some(headers) = request.headers_mut() {
            self.headers(target, outgoing, headers)?;
        }
        request.body(body).map_err(|_| UpstreamError::Header)
    }

    /// True where no other upstream is left to try.
    fn is_last(&self, first: &Target, target: &Target, tenant: &TenantId) -> bool {
        let serving = |at: &&usize| self.targets.get(**at).is_some_and(|t| t.settings.serves(tenant));
        let last = first.fallbacks.iter().rfind(serving).and_then(|at| self.targets.get(*at)).unwrap_or(first);
        std::ptr::eq(last, target)
    }

    fn headers(&self, target: &Target, outgoing: &Outgoing<'_>, out: &mut HeaderMap) -> Result<(), UpstreamError> {
        let caller = outgoing.caller;
        for name in &self.pass_headers {
            for value in caller.get_all(name) {
                out.append(name.clone(), value.clone());
            }
        }
        if let Some(kind) = outgoing.content_type.clone() {
            out.insert(CONTENT_TYPE, kind);
        }
        if let Some(accept) = caller.get(ACCEPT) {
            out.insert(ACCEPT, accept.clone());
        }
        out.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        match &target.key {
            Some(key) => {
                let (name, text) = match outgoing.dialect {
                    Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key.clone()),
                    Dialect::Azure => (HeaderName::from_static("api-key"), key.clone()),
                    Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), key.clone()),
                    Dialect::Openai | Dialect::Bedrock => (AUTHORIZATION, format!("Bearer {key}")),
                };
                let mut value = HeaderValue::from_str(&text).map_err(|_| UpstreamError::Header)?;
                value.set_sensitive(true);
                out.insert(name, value);
            }
            None if outgoing.pass_credentials => {
                if caller.get_all(AUTHORIZATION).iter().any(is_signature) {
                    return Err(UpstreamError::Signed);
                }
                for name in KEY_HEADERS.map(HeaderName::from_static).into_iter().chain([AUTHORIZATION]) {
                    if let Some(value) = caller.get(&name) {
                        let mut value = value.clone();
                        value.set_sensitive(true);
                        out.insert(name, value);
                    }
                }
            }
            None => {}
        }
        Ok(())
    }
}

/// True for AWS Signature Version 4 and its relatives.
fn is_signature(value: &HeaderValue) -> bool {
    value.as_bytes().get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"AWS4"))
}

/// The upstreams that an upstream names as its fallbacks. They stand in for it, so they speak the same dialects, and
/// what cannot be read is treated the same.
fn fallbacks(settings: &Settings, upstream: &Upstream) -> Result<Vec<usize>, String> {
    let mut found = Vec::with_capacity(upstream.fallback.len());
    for name in &upstream.fallback {
        let at = settings.upstream.iter().position(|u| u.name == *name && u.name != upstream.name);
        let other = at.and_then(|at| settings.upstream.get(at));
        match (at, other) {
            (Some(_), Some(other)) if other.is_behind_envoy() => {
                return Err(format!("the fallback `{name}` of upstream `{}` is behind Envoy", upstream.name));
            }
            (Some(at), Some(other)) if other.dialects == upstream.dialects && other.opaque == upstream.opaque => {
                found.push(at);
            }
            (Some(_), Some(_)) => {
                return Err(format!(
                    "upstream `{}` and its fallback `{name}` differ in dialects or `opaque`",
                    upstream.name
                ));
            }
            _ => return Err(format!("the fallback `{name}` of upstream `{}` is no other upstream", upstream.name)),
        }
    }
    Ok(found)
}

/// The address without what SDKs expect at its end and requests to the gateway repeat: the `/v1` of OpenAI's, the
/// `/openai/v1` of Azure's, the `/v1beta` of Google's.
fn base(url: &str, azure: bool) -> Result<String, String> {
    let trimmed = url.trim_end_matches('/');
    // What may hold a secret is not repeated.
    let uri: Uri = trimmed.parse().map_err(|_| "the address cannot be read; it is `https://HOST/PATH`".to_owned())?;
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err("the address holds a user or password; give a secret as `key`".to_owned());
    }
    if uri.query().is_some() {
        return Err("the address has a query; a base address such as `https://api.openai.com/v1` has none".to_owned());
    }
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(format!("`{url}` does not start with `http://` or `https://`")),
    }
    let endings: &[&str] = if azure { &["/openai/v1", "/openai", "/v1"] } else { &["/v1", "/v1beta"] };
    Ok(endings.iter().find_map(|ending| trimmed.strip_suffix(ending)).unwrap_or(trimmed).to_owned())
}

/// A pooled client over TCP, with TLS where it is needed.
///
/// # Errors
/// TLS is needed and the system has no root certificates.
pub fn transport(timeouts: &Timeouts, needs_tls: bool) -> Result<Box<dyn Transport>, String> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_millis(timeouts.connect_ms)));
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(60));
    if !needs_tls {
        return Ok(Box::new(client.build::<_, Full<Bytes>>(http)));
    }
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(|e| format!("cannot read the system's root certificates (install `ca-certificates`): {e}"))?
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(http);
    Ok(Box::new(client.build::<_, Full<Bytes>>(connector)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_addresses() {
        assert_eq!(base("https://api.openai.com/v1", false).unwrap(), "https://api.openai.com");
        assert_eq!(base("https://api.anthropic.com/", false).unwrap(), "https://api.anthropic.com");
        assert_eq!(base("http://h:1/openai/v1/", false).unwrap(), "http://h:1/openai");
        assert_eq!(base("https://n.openai.azure.com/openai/v1", true).unwrap(), "https://n.openai.azure.com");
        assert_eq!(base("https://g.example/v1beta", false).unwrap(), "https://g.example");
        for bad in ["api.openai.com", "ftp://x", "http://u:p@h", "http://h/?x=1", ""] {
            assert!(base(bad, false).is_err(), "{bad}");
        }
        for secret in ["http://u:hidden@h", "ftp://u:hidden@h", "http://u:hidden @h", "https://h/v1?key=hidden"] {
            assert!(!base(secret, false).unwrap_err().contains("hidden"), "{secret}");
        }
    }
}
