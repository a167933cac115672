//! Signing people in with OpenID Connect, without I/O: the authorization code flow (OpenID Connect Core 1.0, section 3.1)
//! with proof of who asked (PKCE, RFC 7636), a state and a nonce, and the provider's name in its answer (RFC 9207), as
//! RFC 9700 advises.

use aws_lc_rs::{constant_time, digest, rand};
use bartizan_core::TenantId;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use serde_json::Value;

use crate::error::AccessError;
use crate::jwt::{Algorithm, Expected, JwkKeys, JwtError, is_sheltered, plain_claim};
use crate::key::KeyHasher;

/// Longest document of a provider, in bytes.
const DOCUMENT: usize = 256 << 10;

/// Most groups of a person that are looked at.
const GROUPS: usize = 1000;

/// Longest time since an ID token was issued where it is shown by itself, in seconds. A session of the console lasts no
/// longer either, so a group that is taken from somebody counts after as long in both.
const OLDEST: i64 = 12 * 3600;

/// Claims besides `sub` by which people are called.
const NAMES: &[&str] = &["preferred_username", "email", "upn", "name"];

/// What is wrong with a provider, or with what it answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// Its description of itself cannot be used.
    #[error("the description of the provider {0}")]
    Provider(&'static str),
    /// Its answer came from elsewhere, or does not say where it came from.
    #[error("the answer is not of the provider that was asked")]
    OtherProvider,
    /// It gave no token for a code.
    #[error("the provider's answer to a code {0}")]
    Token(&'static str),
}

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    issuer: String,
    authorization: String,
    token: String,
    keys: String,
    /// Its answers name it.
    names_itself: bool,
    /// It takes a client's secret in the body alone.
    secret_in_body: bool,
}

/// Who asks a provider.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Its name with the provider.
    pub id: &'a str,
    /// Its secret, where it has one.
    pub secret: Option<&'a str>,
    /// Where the provider sends browsers back to.
    pub redirect: &'a str,
}

/// How a code is turned into a token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenQuestion {
    /// Body, as a form.
    pub body: String,
    /// Value of the header `Authorization`.
    pub authorization: Option<String>,
}

impl Provider {
    /// Where the description of an issuer is.
    #[must_use]
    pub fn address(issuer: &str) -> String {
        format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
    }

    /// Reads a description.
    ///
    /// # Errors
    /// [`OidcError::Provider`]: it is another's, or lacks what a sign-in needs.
    pub fn parse(issuer: &str, text: &[u8]) -> Result<Self, OidcError> {
        let wrong = OidcError::Provider;
        if text.len() > DOCUMENT {
            return Err(wrong("is larger than 256 KiB"));
        }
        let said: Value = serde_json::from_slice(text).map_err(|_| wrong("is not JSON"))?;
        // Whoever may choose an issuer's path on a host would be its equal otherwise.
        if said.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(wrong("names another issuer than `admin.oidc.issuer`"));
        }
        // A provider elsewhere leads nowhere on this machine, and one on this machine is spoken to without TLS.
        let scheme = if issuer.starts_with("https://") { "https://" } else { "http://" };
        let address = |name: &str, reason| {
            let found = said.get(name).and_then(Value::as_str).unwrap_or_default();
            let plain = found.bytes().all(|b| b.is_ascii_graphic()) && !found.contains('#');
            let good = is_sheltered(found) && found.starts_with(scheme) && plain;
            if good { Ok(found.to_owned()) } else { Err(wrong(reason)) }
        };
        let lists = |name: &str, word: &str| {
            said.get(name).and_then(Value::as_array).map(|list| list.iter().any(|one| one.as_str() == Some(word)))
        };
        if lists("response_types_supported", "code") == Some(false) {
            return Err(wrong("has no authorization code flow"));
        }
        if lists("code_challenge_methods_supported", "S256") == Some(false) {
            return Err(wrong("has no PKCE with SHA-256"));
        }
        let method = |word| lists("token_endpoint_auth_methods_supported", word);
        Ok(Self {
            issuer: issuer.to_owned(),
            authorization: address(
                "authorization_endpoint",
                "has no `authorization_endpoint` with the scheme of its issuer",
            )?,
            token: address("token_endpoint", "has no `token_endpoint` with the scheme of its issuer")?,
            keys: address("jwks_uri", "has no `jwks_uri` with the scheme of its issuer")?,
            names_itself: said.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
            secret_in_body: method("client_secret_basic") == Some(false) && method("client_secret_post") == Some(true),
        })
    }

    /// Where its keys are.
    #[must_use]
    pub fn keys(&self) -> &str {
        &self.keys
    }

    /// Where codes are turned into tokens.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where a browser goes to sign in.
    #[must_use]
    pub fn question(&self, client: &Client<'_>, scopes: &[String], attempt: &Attempt) -> String {
        let mut scope = vec!["openid"];
        scopes.iter().map(String::as_str).filter(|one| *one != "openid").for_each(|one| scope.push(one));
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", client.id)
            .append_pair("redirect_uri", client.redirect)
            .append_pair("scope", &scope.join(" "))
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256")
            .finish();
        let joint = if self.authorization.contains('?') { '&' } else { '?' };
        format!("{}{joint}{query}", self.authorization)
    }

    /// Checks whom an answer to a browser says that it is from.
    ///
    /// # Errors
    /// [`OidcError::OtherProvider`].
    pub fn check_answer(&self, named: Option<&str>) -> Result<(), OidcError> {
        match named {
            Some(name) if name == self.issuer => Ok(()),
            None if !self.names_itself => Ok(()),
            _ => Err(OidcError::OtherProvider),
        }
    }

    /// What is asked of [`Self::token`] for a code.
    #[must_use]
    pub fn redeem(&self, client: &Client<'_>, code: &str, attempt: &Attempt) -> TokenQuestion {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", client.redirect)
            .append_pair("code_verifier", &attempt.verifier());
        let authorization = match client.secret {
            Some(secret) if !self.secret_in_body => {
                // Both are written as in a form before they are joined (RFC 6749, section 2.3.1).
                let written = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                Some(format!("Basic {}", STANDARD.encode(format!("{}:{}", written(client.id), written(secret)))))
            }
            Some(secret) => {
                form.append_pair("client_id", client.id).append_pair("client_secret", secret);
                None
            }
            None => {
                form.append_pair("client_id", client.id);
                None
            }
        };
        TokenQuestion { body: form.finish(), authorization }
    }
}

/// The ID token in the answer to a code. The access token beside it is not looked at: nothing is asked with it.
///
/// # Errors
/// [`OidcError::Token`].
pub fn id_token_in(answer: &[u8]) -> Result<String, OidcError> {
    if answer.len() > DOCUMENT {
        return Err(OidcError::Token("is larger than 256 KiB"));
    }
    let said: Value = serde_json::from_slice(answer).map_err(|_| OidcError::Token("is not JSON"))?;
    match said.get("id_token").and_then(Value::as_str) {
        Some(token) => Ok(token.to_owned()),
        None => Err(OidcError::Token("has no ID token")),
    }
}

/// One sign-in under way: what ties the provider's answer to the browser that began, and to this program.
pub struct Attempt([[u8; 32]; 3]);

impl Attempt {
    /// Bytes of one.
    pub const LENGTH: usize = 96;

    /// A new one.
    ///
    /// # Errors
    /// [`AccessError::Random`].
    pub fn new() -> Result<Self, AccessError> {
        let mut parts = [[0; 32]; 3];
        for part in &mut parts {
            rand::fill(part).map_err(|_| AccessError::Random)?;
        }
        Ok(Self(parts))
    }

    /// Its bytes. They are secret.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// One of these bytes; `None` where they are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (parts, rest) = bytes.as_chunks::<32>();
        rest.is_empty().then(|| <[[u8; 32]; 3]>::try_from(parts).ok().map(Self)).flatten()
    }

    fn text(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What the provider gives back through the browser.
    #[must_use]
    pub fn state(&self) -> String {
        let Self([state, _, _]) = self;
        Self::text(state)
    }

    /// What the provider puts into the ID token.
    #[must_use]
    pub fn nonce(&self) -> String {
        let Self([_, nonce, _]) = self;
        Self::text(nonce)
    }

    fn verifier(&self) -> String {
        let Self([_, _, verifier]) = self;
        Self::text(verifier)
    }

    fn challenge(&self) -> String {
        Self::text(digest::digest(&digest::SHA256, self.verifier().as_bytes()).as_ref())
    }

    /// Whether an answer belongs to it.
    #[must_use]
    pub fn is_answered_by(&self, state: &str) -> bool {
        constant_time::verify_slices_are_equal(self.state().as_bytes(), state.as_bytes()).is_ok()
    }
}

/// Someone whom a provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name with the provider, which stays.
    pub subject: String,
    /// What they are called.
    pub name: String,
    /// Every name that the token has of them, the one that stays first.
    pub names: Vec<String>,
    /// Groups that they are in.
    pub groups: Vec<String>,
}

/// What a person is called in records: a pseudonym, which only who has the key of the installation can match to a name.
#[must_use]
pub fn person_in_records(hasher: &KeyHasher, issuer: &str, subject: &str) -> String {
    // An issuer is an address, so it has no line break.
    format!("person:{}", hasher.pseudonym(&TenantId::sole(), &format!("{issuer}\n{subject}")))
}

/// Which ID tokens are good.
#[derive(Clone, Copy, Debug)]
pub struct IdTokens<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Name of this program with the provider.
    pub client_id: &'a str,
    /// Algorithms that may sign.
    pub algorithms: &'a [Algorithm],
    /// By how many seconds clocks may differ.
    pub leeway_s: u32,
    /// The claim with the groups.
    pub groups: &'a str,
}

impl IdTokens<'_> {
    /// Checks an ID token (OpenID Connect Core 1.0, section 3.1.3.7). `nonce` is that of the sign-in which it belongs to;
    /// none where somebody shows a token that they have, which then has to be of the last twelve hours. `now` is in
    /// seconds since 1970.
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn verify(&self, keys: &JwkKeys, token: &str, nonce: Option<&str>, now: i64) -> Result<Person, JwtError> {
        let claims = keys.signed(self.algorithms, token)?;
        let audience = [self.client_id.to_owned()];
        Expected { issuer: self.issuer, audience: &audience, leeway: i64::from(self.leeway_s) }.check(&claims, now)?;
        if nonce.is_none() {
            #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and the result is only compared")]
            let issued = claims.get("iat").and_then(Value::as_f64).map(|seconds| seconds as i64);
            let leeway = i64::from(self.leeway_s);
            match issued.map(|issued| now.saturating_sub(issued)) {
                Some(age) if age <= OLDEST.saturating_add(leeway) && age >= -leeway => {}
                _ => return Err(JwtError::Old),
            }
        }
        let several = claims.get("aud").and_then(Value::as_array).is_some_and(|list| list.len() > 1);
        match claims.get("azp").map(Value::as_str) {
            Some(party) if party != Some(self.client_id) => return Err(JwtError::Party),
            None if several => return Err(JwtError::Party),
            _ => {}
        }
        if let Some(nonce) = nonce {
            let said = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
            constant_time::verify_slices_are_equal(said.as_bytes(), nonce.as_bytes()).map_err(|_| JwtError::Nonce)?;
        }
        let subject = plain_claim(&claims, "sub").ok_or_else(|| JwtError::Claim("sub".to_owned()))?;
        let called: Vec<String> = NAMES.iter().filter_map(|name| plain_claim(&claims, name)).collect();
        let name = called.first().unwrap_or(&subject).clone();
        let names = std::iter::once(subject.clone()).chain(called).collect();
        let groups = match claims.get(self.groups) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(list)) => list.iter().take(GROUPS).filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok(Person { subject, name, names, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ISSUER: &str = "https://id.example";

    fn description() -> Value {
        json!({
            "issuer": ISSUER, "authorization_endpoint": "https://id.example/auth", "jwks_uri": "https://id.example/keys",
            "token_endpoint": "https://id.example/token", "code_challenge_methods_supported": ["S256"],
        })
    }

    fn provider(description: &Value) -> Result<Provider, OidcError> {
        Provider::parse(ISSUER, description.to_string().as_bytes())
    }

    #[test]
    fn a_description_is_of_the_issuer_and_leads_nowhere_unsheltered() {
        assert!(provider(&description()).is_ok());
        for (name, value) in [
            ("issuer", json!("https://id.example/")),
            ("issuer", json!("https://evil.example")),
            ("issuer", Value::Null),
            ("authorization_endpoint", json!("http://id.example/auth")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", json!("https://id.example/auth#x")),
            ("authorization_endpoint", json!("https://id.example/a\r\nset-cookie: x=y")),
            ("token_endpoint", json!("http://127.0.0.1.evil.example/token")),
            ("token_endpoint", json!(["https://id.example/token"])),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("jwks_uri", json!("http://127.0.0.1:9/keys")),
            ("token_endpoint", json!("http://localhost:9/token")),
            ("authorization_endpoint", json!("http://[::1]/auth")),
            ("response_types_supported", json!(["id_token"])),
            ("code_challenge_methods_supported", json!(["plain"])),
        ] {
            let mut changed = description();
            changed[name] = value;
            assert!(provider(&changed).is_err(), "{changed}");
        }
        assert!(Provider::parse(ISSUER, b"[]").is_err() && Provider::parse(ISSUER, b"{").is_err());
        // Over a connection without TLS nothing goes where TLS is meant.
        let mut local = json!({
            "issuer": "http://localhost:9", "authorization_endpoint": "http://localhost:9/auth",
            "jwks_uri": "http://127.0.0.1:9/keys", "token_endpoint": "http://localhost:9/token",
        });
        assert!(Provider::parse("http://localhost:9", local.to_string().as_bytes()).is_ok());
        local["token_endpoint"] = json!("https://id.example/token");
        assert!(Provider::parse("http://localhost:9", local.to_string().as_bytes()).is_err());
        assert_eq!(Provider::address("https://id.example/a/"), Provider::address("https://id.example/a"));
    }

    #[test]
    fn a_question_has_everything_that_ties_its_answer() {
        let attempt = Attempt::new().unwrap();
        let client = Client { id: "a b&c", secret: None, redirect: "https://guard.example/console/oidc/callback" };
        let asked = provider(&description()).unwrap().question(&client, &["openid".into(), "groups".into()], &attempt);
        let (address, query) = asked.split_once('?').unwrap();
        assert_eq!(address, "https://id.example/auth");
        let query: std::collections::BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!((query["client_id"].as_str(), query["scope"].as_str()), ("a b&c", "openid groups"));
        assert_eq!((&query["state"], &query["nonce"]), (&attempt.state(), &attempt.nonce()));
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["code_challenge"], attempt.challenge());
        assert!(!asked.contains(&attempt.verifier()), "the proof stays here");
        assert!(attempt.is_answered_by(&attempt.state()) && !attempt.is_answered_by(&attempt.nonce()));
        let again = Attempt::from_bytes(&attempt.to_bytes()).unwrap();
        assert_eq!(
            (again.state(), again.nonce(), again.verifier()),
            (attempt.state(), attempt.nonce(), attempt.verifier())
        );
        assert!(Attempt::from_bytes(&[0; 95]).is_none() && Attempt::from_bytes(&[0; 97]).is_none());
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let mut attempt = Attempt([[0; 32]; 3]);
        let verifier = URL_SAFE_NO_PAD.decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        attempt.0[2].copy_from_slice(&verifier);
        assert_eq!(attempt.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_secret_goes_the_way_the_provider_takes_it() {
        let attempt = Attempt::new().unwrap();
        let with = Client { id: "us", secret: Some("p:w"), redirect: "https://g.example/cb" };
        let basic = provider(&description()).unwrap().redeem(&with, "c&d", &attempt);
        assert_eq!(basic.authorization.as_deref(), Some(&*format!("Basic {}", STANDARD.encode("us:p%3Aw"))));
        assert!(basic.body.contains("code=c%26d") && !basic.body.contains("secret"));
        let mut said = description();
        said["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        let post = provider(&said).unwrap().redeem(&with, "c", &attempt);
        assert!(post.authorization.is_none() && post.body.contains("client_secret=p%3Aw"));
        let public = provider(&said).unwrap().redeem(&Client { secret: None, ..with }, "c", &attempt);
        assert!(public.authorization.is_none() && public.body.contains("client_id=us"));
    }

    #[test]
    fn an_answer_is_of_who_was_asked() {
        let mut said = description();
        let silent = provider(&said).unwrap();
        assert!(silent.check_answer(None).is_ok() && silent.check_answer(Some(ISSUER)).is_ok());
        assert!(silent.check_answer(Some("https://evil.example")).is_err());
        said["authorization_response_iss_parameter_supported"] = json!(true);
        assert!(provider(&said).unwrap().check_answer(None).is_err(), "it says that it always says so");
        assert_eq!(id_token_in(br#"{"id_token":"x","access_token":"y"}"#).unwrap(), "x");
        assert!(id_token_in(br#"{"access_token":"y"}"#).is_err() && id_token_in(b"<html>").is_err());
    }
}
