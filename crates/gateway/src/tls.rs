//! TLS for callers: the server's certificate, and what a client certificate says about its owner.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use bartizan_sign::SecretRef;

/// TLS for callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain, the server's own first.
    pub cert: PathBuf,
    /// PEM private key.
    pub key: SecretRef,
    /// PEM file with the authorities whose client certificates are accepted (mTLS).
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Whether a client certificate is needed where `client_ca` is set.
    #[serde(default)]
    pub client_auth: ClientAuth,
}

/// Whether callers have to show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// No certificate, no connection.
    #[default]
    Required,
    /// A certificate is one way to say who one is; a key is another.
    Optional,
}

/// What a verified client certificate says. An extension of every request on its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// Distinguished name in RFC 4514 order, such as `CN=agent,O=Example`.
    pub(crate) subject: String,
    /// Subject alternative names: `spiffe://…`, DNS names, mail addresses.
    pub(crate) names: Vec<String>,
}

impl ClientCertificate {
    /// Reads a certificate whose chain has been verified.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).ok()?;
        let names = match certificate.subject_alternative_name() {
            Ok(Some(names)) => names
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::URI(text) | GeneralName::DNSName(text) | GeneralName::RFC822Name(text) => {
                        Some((*text).to_owned())
                    }
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        Some(Self { subject: certificate.subject().to_string(), names })
    }
}

impl Tls {
    /// Reads the files and makes what accepts connections. HTTP/2 is offered before HTTP/1.1 (ALPN).
    ///
    /// # Errors
    /// A file cannot be read, or certificate and key do not belong together.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = certificates(&self.cert)?;
        let key = self.key.resolve().map_err(|e| format!("TLS key: {e}"))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "the TLS key is not in PEM form")?;
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    roots.add(authority).map_err(|e| format!("`{}`: {e}", path.display()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match self.client_auth {
                    ClientAuth::Required => verifier,
                    ClientAuth::Optional => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(|e| e.to_string())?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|e| format!("`{}`: {e}", self.cert.display()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let broken = |e: &dyn std::fmt::Display| format!("cannot read certificates from `{}`: {e}", path.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|e| broken(&e))?.collect();
    match found {
        Ok(found) if found.is_empty() => Err(broken(&"it holds none")),
        Ok(found) => Ok(found),
        Err(error) => Err(broken(&error)),
    }
}
