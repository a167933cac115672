//! The one HTTP client of all sinks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::error::SinkError;

/// Sends a request and looks at the status of the answer.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Http {
    pub(crate) fn new(ca: Option<&Path>, timeout: Duration) -> Result<Self, String> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(ca)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), timeout })
    }

    /// Success is any status from 200 to 299. The body of the answer is not read.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<(), SinkError> {
        match tokio::time::timeout(self.timeout, self.client.request(request)).await {
            Err(_) => Err(SinkError::Timeout),
            Ok(Err(error)) => Err(SinkError::Unreachable(error.to_string())),
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(SinkError::Status(answer.status().as_u16())),
        }
    }
}

/// Trust in the system's authorities, or in those of one file alone.
pub(crate) fn tls(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match ca {
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

/// An address that records may go to: encrypted, or on this machine.
pub(crate) fn address(url: &str) -> Result<Uri, String> {
    // What cannot be read may hold a password too, so it is not repeated.
    let uri: Uri = url.parse().map_err(|_| "the address cannot be read; it is `https://HOST/PATH`".to_owned())?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err("the address holds a user or password; give it as a secret".to_owned());
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if here => Ok(uri),
        Some("http") => Err(format!("`{url}` is not encrypted; `http://` is only for this machine")),
        _ => Err(format!("`{url}` does not start with `https://`")),
    }
}

/// The address with a path behind it.
pub(crate) fn below(base: &str, path: &str) -> Result<Uri, String> {
    address(&format!("{}{path}", base.trim_end_matches('/')))
}
