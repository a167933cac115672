//! One exchange over HTTP: bounded in time and size.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::failure::{Failure, FailureKind};
use crate::said;
use crate::settings::SettingsError;

pub(crate) struct Web {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What came back.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Web {
    /// A client; `encrypted` where certificates are needed at all.
    pub(crate) fn new(encrypted: bool, ca: Option<&Path>) -> Result<Self, SettingsError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(encrypted, ca).map_err(SettingsError::Tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        Ok(Self { client })
    }

    pub(crate) async fn send(
        &self,
        (method, uri, headers): (Method, Uri, HeaderMap),
        body: Vec<u8>,
        patience: Duration,
        most: usize,
    ) -> Result<Got, Failure> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let late =
            |_| Failure::new(FailureKind::Timeout, format!("no whole answer within {} ms", patience.as_millis()));
        tokio::time::timeout(patience, self.whole(request, most)).await.map_err(late)?
    }

    async fn whole(&self, request: Request<Full<Bytes>>, most: usize) -> Result<Got, Failure> {
        let reply = self.client.request(request).await.map_err(|e| match e.is_connect() {
            true => Failure::new(FailureKind::Unreachable, format!("no connection: {}", cause(&e))),
            false => Failure::new(FailureKind::Broken, "the connection broke off"),
        })?;
        let (head, body) = reply.into_parts();
        let body =
            Limited::new(body, most).collect().await.map_err(|e| match e.is::<http_body_util::LengthLimitError>() {
                true => Failure::new(FailureKind::TooLarge, format!("more than {most} bytes")),
                false => Failure::new(FailureKind::Broken, "the connection broke off within the answer"),
            })?;
        Ok(Got { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// The innermost reason: `connection refused` and no list of layers.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The failure that a status is, if it is one. `code` is what the body names as the reason, if that is a plain word.
pub(crate) fn failed(got: &Got, code: Option<&str>) -> Option<Failure> {
    let kind = match got.status.as_u16() {
        200..=299 => return None,
        401 | 403 => FailureKind::Unauthorized,
        408 => FailureKind::SlowRequest,
        429 => FailureKind::RateLimited,
        500..=599 => FailureKind::Server,
        _ => FailureKind::Rejected,
    };
    let detail = match code {
        Some(code) => format!("status {} ({code})", got.status.as_u16()),
        None => format!("status {}", got.status.as_u16()),
    };
    let header = |name| got.headers.get(name).and_then(|v| v.to_str().ok());
    let redirect = header(LOCATION).filter(|_| got.status.is_redirection()).map(said::place);
    Some(Failure {
        status: Some(got.status.as_u16()),
        said: said::of_body(&got.body),
        redirect,
        retry_after: header(RETRY_AFTER).and_then(|v| v.trim().parse().ok()),
        ..Failure::new(kind, detail)
    })
}

/// Trust in the system's authorities, or in those of one file alone. Plain connections need none, and a machine may
/// have none.
fn tls(encrypted: bool, ca: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match ca {
        _ if !encrypted => builder.with_root_certificates(RootCertStore::empty()),
        None => builder.with_native_roots().map_err(|e| format!("cannot read the system's root certificates: {e}"))?,
        Some(path) => {
            let broken = |e: &dyn std::fmt::Display| format!("cannot read authorities from `{}`: {e}", path.display());
            let mut roots = RootCertStore::empty();
            for authority in CertificateDer::pem_file_iter(path).map_err(|e| broken(&e))? {
                roots.add(authority.map_err(|e| broken(&e))?).map_err(|e| broken(&e))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    Ok(builder.with_no_client_auth())
}
