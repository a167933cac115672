//! An identity provider that keeps to the rules, or breaks one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use bartizan_gateway::{Oidc, OidcRole, Role, SecretRef};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const CLIENT: &str = "bartizan";
const SECRET: &str = "secret-of-the-client-0123";

/// How a token is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signed {
    /// As it should be.
    #[default]
    Well,
    /// `alg` is `none`, and there is no signature.
    Not,
    /// With a secret that everybody knows: the public key.
    WithThePublicKey,
    /// With a key that the provider does not have.
    ByAnother,
}

/// What it does with the next codes.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    /// Claims in place of the good ones; null takes one away.
    pub(crate) claims: BTreeMap<&'static str, Value>,
    pub(crate) signed: Signed,
}

struct Inner {
    issuer: String,
    key: EncodingKey,
    other: EncodingKey,
    plan: Plan,
    /// Nonce and challenge by code.
    codes: BTreeMap<String, (String, String)>,
    asked: usize,
}

/// A provider that runs until the test is over.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Mutex<Inner>>);

fn key() -> EncodingKey {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    EncodingKey::from_ec_der(key.as_ref())
}

fn jwk(key: &EncodingKey) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, Algorithm::ES256).unwrap()).unwrap();
    jwk["kid"] = json!("k1");
    jwk
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner { issuer, key: key(), other: key(), plan: Plan::default(), codes: BTreeMap::new(), asked: 0 };
        let this = Self(Arc::new(Mutex::new(inner)));
        let routes = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async |State(it): State<Self>| it.description().to_string()),
            )
            .route("/keys", get(async |State(it): State<Self>| it.keys().to_string()))
            .route("/token", post(async |State(it): State<Self>, head: HeaderMap, body: String| it.token(&head, &body)))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    pub(crate) fn issuer(&self) -> String {
        self.0.lock().unwrap().issuer.clone()
    }

    /// How often a code was shown.
    pub(crate) fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    pub(crate) fn plan(&self, plan: Plan) {
        self.0.lock().unwrap().plan = plan;
    }

    /// Settings that trust it: the group `security` operates, `approvers` approve, `watchers` look.
    pub(crate) fn settings(&self, folder: &std::path::Path) -> Oidc {
        let path = folder.join("client-secret");
        std::fs::write(&path, SECRET).unwrap();
        let row = |group: &str, role| OidcRole { group: group.to_owned(), role, tenants: Vec::new() };
        let mut settings: Oidc = serde_json::from_value(json!({
            "issuer": self.issuer(), "client_id": CLIENT, "role": [],
        }))
        .unwrap();
        settings.client_secret = Some(SecretRef::File(path));
        settings.role =
            vec![row("security", Role::Operator), row("approvers", Role::Approver), row("watchers", Role::Viewer)];
        settings
    }

    fn description(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"), "jwks_uri": format!("{issuer}/keys"),
            "token_endpoint": format!("{issuer}/token"), "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn keys(&self) -> Value {
        json!({ "keys": [jwk(&self.0.lock().unwrap().key)] })
    }

    /// What somebody who signs in gets for the question that their browser brings: a code.
    pub(crate) fn sign_in(&self, question: &BTreeMap<String, String>) -> String {
        assert_eq!((question["response_type"].as_str(), question["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(question["code_challenge_method"], "S256");
        let mut inner = self.0.lock().unwrap();
        let code = format!("code-{}", inner.codes.len());
        inner.codes.insert(code.clone(), (question["nonce"].clone(), question["code_challenge"].clone()));
        code
    }

    fn token(&self, headers: &HeaderMap, body: &str) -> (StatusCode, String) {
        let form: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let wrong = |error: &str| (StatusCode::BAD_REQUEST, json!({ "error": error }).to_string());
        let mut inner = self.0.lock().unwrap();
        inner.asked += 1;
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&basic) {
            return wrong("invalid_client");
        }
        // Codes are for one use.
        let Some((nonce, challenge)) = form.get("code").and_then(|code| inner.codes.remove(code)) else {
            return wrong("invalid_grant");
        };
        let proof = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
        if URL_SAFE_NO_PAD.encode(proof) != challenge || !form["redirect_uri"].ends_with("/console/oidc/callback") {
            return wrong("invalid_grant");
        }
        drop(inner);
        (
            StatusCode::OK,
            json!({ "access_token": "x", "token_type": "Bearer", "id_token": self.id_token(&nonce) }).to_string(),
        )
    }

    /// A token by the plan.
    pub(crate) fn id_token(&self, nonce: &str) -> String {
        let inner = self.0.lock().unwrap();
        let mut claims = json!({
            "iss": inner.issuer, "aud": CLIENT, "sub": "u-17", "iat": now(), "exp": now() + 300, "nonce": nonce,
            "preferred_username": "ann", "email": "ann@example.com", "groups": ["everybody", "security"],
        });
        for (name, value) in &inner.plan.claims {
            claims[*name] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(*name);
            }
        }
        let header = |algorithm| Header { kid: Some("k1".to_owned()), ..Header::new(algorithm) };
        match inner.plan.signed {
            Signed::Well => encode(&header(Algorithm::ES256), &claims, &inner.key).unwrap(),
            Signed::ByAnother => encode(&header(Algorithm::ES256), &claims, &inner.other).unwrap(),
            Signed::WithThePublicKey => {
                let public = jwk(&inner.key).to_string();
                encode(&header(Algorithm::HS256), &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap()
            }
            Signed::Not => {
                let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
                format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&claims))
            }
        }
    }
}
