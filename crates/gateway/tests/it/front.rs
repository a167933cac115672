//! TLS, both versions of HTTP, and the admin API.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_gateway::{AdminKey, ClientAuth, Role, SecretRef, Tls};
use http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{ANSWER, admin, http1, http2, question, start, timely};

/// An authority, a server certificate in files, and a client certificate.
struct Pki {
    folder: TempDir,
    roots: RootCertStore,
    client: (CertificateDer<'static>, PrivateKeyDer<'static>),
}

fn pki() -> Pki {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.path().join("server.pem"), server.pem()).unwrap();
    std::fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
    let client_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names.push(SanType::URI("spiffe://example/agent".try_into().unwrap()));
    let client = params.signed_by(&client_key, &authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(client_key.serialize_der()).unwrap();
    Pki { folder, roots, client: (client.der().clone(), key) }
}

impl Pki {
    fn tls(&self, mutual: bool) -> Tls {
        let file = |name: &str| self.folder.path().join(name);
        Tls {
            cert: file("server.pem"),
            key: SecretRef::File(file("server.key")),
            client_ca: mutual.then(|| file("ca.pem")),
            client_auth: ClientAuth::Required,
        }
    }

    async fn connect(
        &self,
        to: std::net::SocketAddr,
        alpn: &str,
        certificate: bool,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(self.roots.clone());
        let mut config = if certificate {
            builder.with_client_auth_cert(vec![self.client.0.clone()], self.client.1.clone_key()).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let socket = TcpStream::connect(to).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket).await
    }
}

#[test]
fn both_versions_are_served_with_and_without_tls() {
    timely(async {
        let plain = start(|_| {}).await;
        let one = http1(TcpStream::connect(plain.address).await.unwrap(), question()).await;
        let two = http2(TcpStream::connect(plain.address).await.unwrap(), question()).await;
        for response in [&one, &two] {
            assert_eq!((response.status(), response.body().as_ref()), (StatusCode::OK, ANSWER.as_bytes()));
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert!(!response.headers().contains_key("strict-transport-security"));
        }

        let pki = pki();
        let secure = start(|settings| settings.tls = Some(pki.tls(false))).await;
        let one = http1(pki.connect(secure.address, "http/1.1", false).await.unwrap(), question()).await;
        let two = http2(pki.connect(secure.address, "h2", false).await.unwrap(), question()).await;
        for response in [&one, &two] {
            assert_eq!((response.status(), response.body().as_ref()), (StatusCode::OK, ANSWER.as_bytes()));
            assert!(response.headers().contains_key("strict-transport-security"));
        }
    });
}

#[test]
fn without_a_certificate_there_is_no_mutual_tls() {
    timely(async {
        let pki = pki();
        let gateway = start(|settings| settings.tls = Some(pki.tls(true))).await;
        let known = http1(pki.connect(gateway.address, "http/1.1", true).await.unwrap(), question()).await;
        assert_eq!(known.status(), StatusCode::OK);
        // With TLS 1.3 the client learns only when it reads that the server wants a certificate.
        let refused = match pki.connect(gateway.address, "http/1.1", false).await {
            Err(_) => true,
            Ok(mut stream) => stream.read(&mut [0]).await.is_err(),
        };
        assert!(refused);
        let counted = || gateway.metrics.encode().contains("bartizan_errors_total{kind=\"tls\"} 1\n");
        while !counted() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn a_silent_connection_is_closed() {
    timely(async {
        let pki = pki();
        let plain = start(|_| {}).await;
        let secure = start(|settings| settings.tls = Some(pki.tls(false))).await;
        for address in [plain.address, secure.address] {
            for said in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"POST / HTTP/1.1\r\n"] {
                let started = Instant::now();
                let mut socket = TcpStream::connect(address).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut socket, said).await.unwrap();
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest).await;
                assert!(started.elapsed() < Duration::from_secs(5), "{said:?}");
            }
        }
    });
}

#[test]
fn administration_needs_a_key_and_stays_inside_its_tenants() {
    const VIEWER: &str = "viewer-0123456789";
    const LIMITED: &str = "limited-0123456789";
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str, secret: &str, tenants: &[&str]| {
            let path = folder.path().join(name);
            std::fs::write(&path, secret).unwrap();
            let tenants = tenants.iter().map(|t| bartizan_core::TenantId::authenticated(t).unwrap()).collect();
            AdminKey { name: name.to_owned(), key: SecretRef::File(path), role: Role::Viewer, tenants }
        };
        let gateway = start(|settings| {
            settings.admin.listen = Some("127.0.0.1:0".to_owned());
            settings.admin.key = vec![key("viewer", VIEWER, &[]), key("limited", LIMITED, &["acme"])];
        })
        .await;
        let at = gateway.admin.unwrap();
        let asked = http1(TcpStream::connect(gateway.address).await.unwrap(), question()).await;
        let event = asked.headers()["x-bartizan-event"].to_str().unwrap().to_owned();

        let (status, body) = admin(at, "not-a-key-at-all-0", "/admin/v1/status").await;
        assert_eq!(
            (status, body["detail"].as_str()),
            (StatusCode::UNAUTHORIZED, Some("a valid administration key is needed"))
        );
        let (status, body) = admin(at, VIEWER, "/admin/v1/status").await;
        assert_eq!((status, body["upstreams"][0].as_str()), (StatusCode::OK, Some("model")));
        let (status, body) = admin(at, VIEWER, "/admin/v1/events?limit=5").await;
        assert_eq!((status, body.as_array().map(Vec::len)), (StatusCode::OK, Some(2)));
        let (status, body) = admin(at, VIEWER, &format!("/admin/v1/events/{event}")).await;
        assert_eq!((status, body["id"].as_str()), (StatusCode::OK, Some(event.as_str())));

        // The limited key sees its own tenant, which has no records, and nothing else.
        let (status, body) = admin(at, LIMITED, "/admin/v1/events").await;
        assert_eq!((status, body.as_array().map(Vec::len)), (StatusCode::OK, Some(0)));
        for path in ["/admin/v1/events?tenant=default".to_owned(), format!("/admin/v1/events/{event}")] {
            assert_eq!(admin(at, LIMITED, &path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
        for bad in ["/admin/v1/events?limit=0", "/admin/v1/events?limit=x", "/admin/v1/events?tenant=../x"] {
            assert_eq!(admin(at, VIEWER, bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
        }
        // The two listeners know nothing of each other's paths.
        assert_eq!(admin(at, VIEWER, "/v1/models").await.0, StatusCode::NOT_FOUND);
        assert_eq!(admin(gateway.address, VIEWER, "/admin/v1/status").await.0, StatusCode::NOT_FOUND);
    });
}

#[test]
fn the_document_names_every_operation() {
    for (document, known) in [
        (bartizan_gateway::openapi(), "/admin/v1/events/{id}"),
        (bartizan_gateway::check_openapi(), "/v1/check/retrieval"),
    ] {
        describes(&document, known);
    }
}

fn describes(document: &serde_json::Value, known: &str) {
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key(known));
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{method} {path}");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let pointer = reference.split('"').next().unwrap().trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
