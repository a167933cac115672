//! JSON Web Tokens (RFC 7519) of an identity provider, checked as RFC 8725 advises.
//!
//! A token never says where its key is: `jku`, `jwk`, `x5u` and `x5c` in its header are not looked at. Only the
//! configured key set counts, only public-key algorithms exist here, and a key is used with algorithms of its own kind.

use std::sync::Arc;

use bartizan_core::{Quota, TenantId};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{DecodingKey, Validation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::AccessError;

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 16 << 10;

/// Largest key set, in bytes, and most keys in it.
const KEY_SET: usize = 256 << 10;
const KEYS: usize = 100;

/// Longest name that is taken from a claim, in characters.
const NAME: usize = 128;

/// Signature algorithms. All have a public and a private half: with a shared secret, whoever checks can also sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    const fn known(self) -> jsonwebtoken::Algorithm {
        use jsonwebtoken::Algorithm as A;
        match self {
            Self::RS256 => A::RS256,
            Self::RS384 => A::RS384,
            Self::RS512 => A::RS512,
            Self::PS256 => A::PS256,
            Self::PS384 => A::PS384,
            Self::PS512 => A::PS512,
            Self::ES256 => A::ES256,
            Self::ES384 => A::ES384,
            Self::EdDsa => A::EdDSA,
        }
    }
}

/// Claims by what they say about a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// Whose traffic; without it every token is of the tenant `default`. A token without the claim is refused.
    pub tenant: Option<String>,
    /// Name in records, metrics and limits. A token without the claim is refused.
    pub key: String,
    /// The person behind the application. It then cannot be set by a header.
    pub user: Option<String>,
    /// Team that pays. It then cannot be set by a header.
    pub team: Option<String>,
    /// Models that the caller may use: a list, or words separated by spaces. A token without the claim may use none.
    pub models: Option<String>,
    /// Guard profile.
    pub profile: Option<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { tenant: None, key: "sub".to_owned(), user: None, team: None, models: None, profile: None }
    }
}

/// Tokens of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    /// `iss` of the tokens, exactly.
    pub issuer: String,
    /// `aud` of the tokens: one of these has to be among them.
    pub audience: Vec<String>,
    /// The key set: `file:PATH`, or an `https://` address (`http://` on this machine only).
    pub jwks: String,
    /// Algorithms that may sign.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// By how many seconds clocks may differ.
    #[serde(default = "leeway")]
    pub leeway_s: u32,
    /// After how many seconds the key set is fetched again.
    #[serde(default = "refresh")]
    pub refresh_s: u32,
    /// Which claim says what.
    #[serde(default)]
    pub claims: ClaimNames,
    /// How much each subject may use.
    #[serde(default)]
    pub quota: Quota,
}

/// Algorithms that may sign where nobody says which.
#[must_use]
pub fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDsa]
}

const fn leeway() -> u32 {
    30
}

const fn refresh() -> u32 {
    300
}

impl JwtSettings {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`AccessError::Jwt`] with the setting.
    pub fn check(&self) -> Result<(), AccessError> {
        let wrong = |key, reason| Err(AccessError::Jwt { key, reason });
        if self.issuer.is_empty() {
            return wrong("issuer", "is empty: any provider's tokens would do");
        }
        if self.audience.is_empty() {
            return wrong("audience", "is empty: tokens made for other services would do");
        }
        if self.algorithms.is_empty() {
            return wrong("algorithms", "is empty: no token could be checked");
        }
        if self.leeway_s > 600 {
            return wrong("leeway_s", "is longer than ten minutes");
        }
        if self.refresh_s < 10 {
            return wrong("refresh_s", "is shorter than ten seconds");
        }
        let good = is_sheltered(&self.jwks) || self.jwks.strip_prefix("file:").is_some_and(|p| !p.is_empty());
        if !good {
            return wrong("jwks", "is neither `file:PATH` nor an `https://` address");
        }
        Ok(())
    }
}

/// True for an address that nobody on the way can answer for: `https`, or on this machine.
#[must_use]
pub fn is_sheltered(address: &str) -> bool {
    let local = |start: &&str| {
        let Some(rest) = address.strip_prefix(*start) else { return false };
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        host.is_empty() || host.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
    };
    address.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        || ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(local)
}

/// Why a token is not good. For the operator; a caller is told nothing but that it is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Longer than any token need be.
    #[error("it is too long")]
    TooLong,
    /// Not a token.
    #[error("it cannot be read")]
    Malformed,
    /// Signed in a way that is not allowed, or asks for extensions.
    #[error("its algorithm or header is not allowed")]
    Algorithm,
    /// Signed with a key that is not in the key set; a newer set may have it.
    #[error("its key is not in the key set")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature does not fit")]
    Signature,
    /// Past its date, or without one.
    #[error("it has expired, or never would")]
    Expired,
    /// Issued longer ago than a token that is shown by itself may be, or it does not say when.
    #[error("it was issued too long ago, or does not say when")]
    Old,
    /// Before its date.
    #[error("it is not valid yet")]
    NotYet,
    /// Of another provider.
    #[error("its issuer is another")]
    Issuer,
    /// For another service.
    #[error("it is for another audience")]
    Audience,
    /// Made for another sign-in.
    #[error("it belongs to another sign-in")]
    Nonce,
    /// Made for a client besides this one, at the request of that one.
    #[error("another client asked for it")]
    Party,
    /// A claim that is needed is not there or not usable.
    #[error("its claim `{0}` is missing or cannot be used")]
    Claim(String),
}

/// Who a token says the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose traffic.
    pub tenant: TenantId,
    /// Name in records.
    pub key: Arc<str>,
    /// The person.
    pub user: Option<Arc<str>>,
    /// Team that pays.
    pub team: Option<Arc<str>>,
    /// Models; `None` where the settings name no claim for them.
    pub models: Option<Vec<String>>,
    /// Guard profile.
    pub profile: Option<String>,
}

struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    key: DecodingKey,
}

/// The public keys of a provider.
pub struct JwkKeys(Vec<Key>);

impl std::fmt::Debug for JwkKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JwkKeys({})", self.0.len())
    }
}

impl JwkKeys {
    /// Reads a key set (RFC 7517). Keys that are not for signatures, or not of a public-key algorithm, are left out.
    ///
    /// # Errors
    /// [`AccessError::KeySet`]: too large, not a key set, or no usable key in it.
    pub fn parse(text: &[u8]) -> Result<Self, AccessError> {
        let wrong = |what: &str| AccessError::KeySet(what.to_owned());
        if text.len() > KEY_SET {
            return Err(wrong("it is larger than 256 KiB"));
        }
        let set: Value = serde_json::from_slice(text).map_err(|_| wrong("it is not JSON"))?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or_else(|| wrong("it has no list `keys`"))?;
        if keys.len() > KEYS {
            return Err(wrong("it has more than 100 keys"));
        }
        let keys: Vec<Key> = keys.iter().filter_map(usable).collect();
        if keys.is_empty() { Err(wrong("it has no usable public key")) } else { Ok(Self(keys)) }
    }

    /// Checks a token. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn verify(&self, settings: &JwtSettings, token: &str, now: i64) -> Result<Identity, JwtError> {
        let claims = self.signed(&settings.algorithms, token)?;
        let expected =
            Expected { issuer: &settings.issuer, audience: &settings.audience, leeway: i64::from(settings.leeway_s) };
        expected.check(&claims, now)?;
        identity(settings, &claims)
    }

    /// The claims of a token that one of the keys has signed. Nothing is said of what is in them.
    pub(crate) fn signed(&self, algorithms: &[Algorithm], token: &str) -> Result<Value, JwtError> {
        if token.len() > LONGEST {
            return Err(JwtError::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| JwtError::Malformed)?;
        let allowed = algorithms.iter().any(|a| a.known() == header.alg);
        if !allowed || header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(JwtError::Algorithm);
        }
        let fits = |key: &&Key| {
            key.key.family() == header.alg.family()
                && key.algorithm.as_ref().is_none_or(|name| *name == format!("{:?}", header.alg))
        };
        let mut candidates: Vec<&Key> = match &header.kid {
            Some(id) => self.0.iter().filter(|key| key.id.as_ref() == Some(id)).filter(fits).collect(),
            None => self.0.iter().filter(fits).collect(),
        };
        // Without an id there has to be no choice; with one, two keys of the same id are both of the provider's.
        if header.kid.is_none() && candidates.len() > 1 {
            candidates.clear();
        }
        if candidates.is_empty() {
            return Err(JwtError::UnknownKey);
        }
        let mut validation = Validation::new(header.alg);
        // Dates and names are checked by the caller, with the caller's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let token = candidates
            .into_iter()
            .find_map(|key| jsonwebtoken::decode::<Value>(token, &key.key, &validation).ok())
            .ok_or(JwtError::Signature)?;
        Ok(token.claims)
    }
}

fn usable(value: &Value) -> Option<Key> {
    // The name as it is written: the library's own list of algorithms is longer than ours.
    let algorithm = value.get("alg").and_then(Value::as_str).map(str::to_owned);
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_) | AlgorithmParameters::Other(_)) {
        return None;
    }
    if jwk.common.public_key_use.as_ref().is_some_and(|u| *u != PublicKeyUse::Signature) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, key })
}

/// Whose tokens are good, and for whom they have to be.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a [String],
    /// By how many seconds clocks may differ.
    pub(crate) leeway: i64,
}

impl Expected<'_> {
    /// Checks dates, issuer and audience. `now` is in seconds since 1970.
    pub(crate) fn check(&self, claims: &Value, now: i64) -> Result<(), JwtError> {
        // NumericDate may have a fraction (RFC 7519, 2).
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and the result is only compared")]
        let date = |name: &str| claims.get(name).map(|v| v.as_f64().map(|seconds| seconds as i64));
        match date("exp").flatten() {
            Some(exp) if now < exp.saturating_add(self.leeway) => {}
            _ => return Err(JwtError::Expired),
        }
        match date("nbf") {
            None => {}
            Some(Some(nbf)) if now.saturating_add(self.leeway) >= nbf => {}
            Some(_) => return Err(JwtError::NotYet),
        }
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer) {
            return Err(JwtError::Issuer);
        }
        let ours = |value: &Value| value.as_str().is_some_and(|a| self.audience.iter().any(|ours| ours == a));
        let audience = match claims.get("aud") {
            Some(Value::Array(list)) => list.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        };
        if audience { Ok(()) } else { Err(JwtError::Audience) }
    }
}

fn identity(settings: &JwtSettings, claims: &Value) -> Result<Identity, JwtError> {
    let names = &settings.claims;
    let needed = |name: &str| plain_claim(claims, name).ok_or_else(|| JwtError::Claim(name.to_owned()));
    let optional = |name: &Option<String>| match name {
        Some(name) if claims.get(name).is_some() => needed(name).map(Some),
        _ => Ok(None),
    };
    let tenant = match &names.tenant {
        Some(name) => TenantId::authenticated(&needed(name)?).map_err(|_| JwtError::Claim(name.clone()))?,
        None => TenantId::sole(),
    };
    let models = match &names.models {
        Some(name) => Some(words(claims.get(name)).ok_or_else(|| JwtError::Claim(name.clone()))?),
        None => None,
    };
    Ok(Identity {
        tenant,
        key: needed(&names.key)?.into(),
        user: optional(&names.user)?.map(Arc::from),
        team: optional(&names.team)?.map(Arc::from),
        models,
        profile: optional(&names.profile)?,
    })
}

/// A claim that is a short text without control characters.
pub(crate) fn plain_claim(claims: &Value, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    let plain = !text.is_empty() && text.chars().count() <= NAME && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned())
}

/// A list of words, or words separated by spaces as in `scope` (RFC 8693, 4.2). Never empty: an empty list of models
/// would mean all.
fn words(value: Option<&Value>) -> Option<Vec<String>> {
    let words: Vec<String> = match value? {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        _ => return None,
    };
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    struct Signer {
        key: EncodingKey,
        algorithm: jsonwebtoken::Algorithm,
    }

    impl Signer {
        fn ec() -> Self {
            let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
            Self { key: EncodingKey::from_ec_der(key.as_ref()), algorithm: jsonwebtoken::Algorithm::ES256 }
        }

        fn ed() -> Self {
            let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
            Self { key: EncodingKey::from_ed_der(key.as_ref()), algorithm: jsonwebtoken::Algorithm::EdDSA }
        }

        fn jwk(&self, id: &str) -> Value {
            let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
            jwk["kid"] = json!(id);
            jwk
        }

        fn sign(&self, id: Option<&str>, claims: &Value) -> String {
            let header = Header { kid: id.map(str::to_owned), ..Header::new(self.algorithm) };
            encode(&header, claims, &self.key).unwrap()
        }
    }

    fn settings() -> JwtSettings {
        serde_json::from_value(json!({
            "issuer": "https://id.example", "audience": ["bartizan"], "jwks": "file:keys.json",
            "claims": {"tenant": "org", "user": "email", "models": "models"},
        }))
        .unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "https://id.example", "aud": ["other", "bartizan"], "sub": "app", "exp": NOW + 60,
            "org": "acme", "email": "ann@example.com", "models": "gpt-4o claude-*",
        })
    }

    fn set(keys: &[Value]) -> JwkKeys {
        JwkKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_good_token_says_who_it_is() {
        for signer in [Signer::ec(), Signer::ed()] {
            let keys = set(&[signer.jwk("1")]);
            for id in [Some("1"), None] {
                let identity = keys.verify(&settings(), &signer.sign(id, &claims()), NOW).unwrap();
                assert_eq!((identity.tenant.as_str(), &*identity.key), ("acme", "app"));
                assert_eq!(identity.user.as_deref(), Some("ann@example.com"));
                assert_eq!(identity.models.unwrap(), ["gpt-4o", "claude-*"]);
            }
        }
    }

    #[test]
    fn expired_early_and_foreign_tokens_are_refused() {
        let signer = Signer::ec();
        let keys = set(&[signer.jwk("1")]);
        for (claim, value, error) in [
            ("exp", json!(NOW - 30), JwtError::Expired),
            ("exp", json!("soon"), JwtError::Expired),
            ("exp", Value::Null, JwtError::Expired),
            ("nbf", json!(NOW + 31), JwtError::NotYet),
            ("nbf", json!("later"), JwtError::NotYet),
            ("iss", json!("https://id.example/"), JwtError::Issuer),
            ("iss", json!(["https://id.example"]), JwtError::Issuer),
            ("aud", json!("other"), JwtError::Audience),
            ("aud", json!([]), JwtError::Audience),
            ("org", json!("../acme"), JwtError::Claim("org".into())),
            ("org", Value::Null, JwtError::Claim("org".into())),
            ("sub", json!(""), JwtError::Claim("sub".into())),
            ("sub", json!("a\nb"), JwtError::Claim("sub".into())),
            ("models", json!([]), JwtError::Claim("models".into())),
            ("models", json!(""), JwtError::Claim("models".into())),
        ] {
            let mut claims = claims();
            claims[claim] = value;
            assert_eq!(keys.verify(&settings(), &signer.sign(Some("1"), &claims), NOW), Err(error), "{claim}");
        }
        let mut late = claims();
        late["exp"] = json!(NOW - 29);
        assert!(keys.verify(&settings(), &signer.sign(Some("1"), &late), NOW).is_ok(), "within the leeway");
    }

    #[test]
    fn keys_cannot_be_confused() {
        let (ours, theirs, ed) = (Signer::ec(), Signer::ec(), Signer::ed());
        let keys = set(&[ours.jwk("1"), ed.jwk("2")]);
        let check = |token: &str| keys.verify(&settings(), token, NOW).unwrap_err();
        assert_eq!(check(&theirs.sign(Some("1"), &claims())), JwtError::Signature);
        assert_eq!(check(&theirs.sign(Some("3"), &claims())), JwtError::UnknownKey);
        // A key of another kind is never tried, whatever id is named.
        assert_eq!(check(&ours.sign(Some("2"), &claims())), JwtError::UnknownKey);
        // Two keys of a kind and no id: there is no guessing.
        let two = set(&[ours.jwk("1"), theirs.jwk("2")]);
        assert_eq!(two.verify(&settings(), &ours.sign(None, &claims()), NOW), Err(JwtError::UnknownKey));
        // Two keys with one id: either may have signed.
        let twins = set(&[theirs.jwk("1"), ours.jwk("1")]);
        assert!(twins.verify(&settings(), &ours.sign(Some("1"), &claims()), NOW).is_ok());
    }

    #[test]
    fn algorithms_cannot_be_confused() {
        let signer = Signer::ec();
        let jwk = signer.jwk("1");
        let keys = set(std::slice::from_ref(&jwk));
        // The public key as a shared secret, in the forms that an attacker has it in.
        for secret in [jwk.to_string(), jwk["x"].as_str().unwrap().to_owned()] {
            let header = Header { kid: Some("1".into()), ..Header::new(jsonwebtoken::Algorithm::HS256) };
            let token = encode(&header, &claims(), &EncodingKey::from_secret(secret.as_bytes())).unwrap();
            assert_eq!(keys.verify(&settings(), &token, NOW), Err(JwtError::Algorithm));
        }
        // `{"alg":"none"}` and a payload, without a signature.
        let payload = signer.sign(None, &claims()).split('.').nth(1).unwrap().to_owned();
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIn0"] {
            let token = format!("{header}.{payload}.");
            assert_eq!(keys.verify(&settings(), &token, NOW), Err(JwtError::Malformed));
        }
        let narrow = JwtSettings { algorithms: vec![Algorithm::EdDsa], ..settings() };
        assert_eq!(keys.verify(&narrow, &signer.sign(Some("1"), &claims()), NOW), Err(JwtError::Algorithm));
    }

    #[test]
    fn a_token_cannot_bring_its_own_key() {
        let (ours, theirs) = (Signer::ec(), Signer::ec());
        let keys = set(&[ours.jwk("1")]);
        let own: Jwk = serde_json::from_value(theirs.jwk("1")).unwrap();
        let header = Header {
            kid: Some("1".into()),
            jwk: Some(own),
            jku: Some("https://evil.example/keys".into()),
            x5u: Some("https://evil.example/cert".into()),
            ..Header::new(theirs.algorithm)
        };
        let token = encode(&header, &claims(), &theirs.key).unwrap();
        assert_eq!(keys.verify(&settings(), &token, NOW), Err(JwtError::Signature));
        let critical = Header { crit: Some(vec!["exp".into()]), kid: Some("1".into()), ..Header::new(ours.algorithm) };
        let token = encode(&critical, &claims(), &ours.key).unwrap();
        assert_eq!(keys.verify(&settings(), &token, NOW), Err(JwtError::Algorithm));
    }

    #[test]
    fn odd_and_oversized_tokens_are_refused_without_work() {
        let signer = Signer::ec();
        let keys = set(&[signer.jwk("1")]);
        let token = signer.sign(Some("1"), &claims());
        assert_eq!(keys.verify(&settings(), &"a".repeat(LONGEST + 1), NOW), Err(JwtError::TooLong));
        for end in 0..token.len() {
            assert!(keys.verify(&settings(), &token[..end], NOW).is_err());
        }
        for odd in ["", ".", "..", "...", "a.b.c", "é.é.é"] {
            assert!(keys.verify(&settings(), odd, NOW).is_err(), "{odd}");
        }
    }

    #[test]
    fn key_sets_are_bounded_and_hold_public_keys_only() {
        let ec = Signer::ec().jwk("1");
        let mut encryption = ec.clone();
        encryption["use"] = json!("enc");
        for bad in [
            "?".to_owned(),
            "{}".to_owned(),
            json!({"keys": []}).to_string(),
            json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}).to_string(),
            json!({"keys": [encryption]}).to_string(),
            json!({"keys": vec![ec; 101]}).to_string(),
            " ".repeat(KEY_SET + 1),
        ] {
            assert!(JwkKeys::parse(bad.as_bytes()).is_err(), "{:.60}", bad);
        }
    }

    #[test]
    fn settings_that_would_let_anybody_in_are_refused() {
        assert_eq!(settings().check(), Ok(()));
        for (key, value) in [
            ("issuer", json!("")),
            ("audience", json!([])),
            ("algorithms", json!([])),
            ("leeway_s", json!(601)),
            ("refresh_s", json!(1)),
            ("jwks", json!("http://id.example/keys")),
            ("jwks", json!("http://127.0.0.1.evil.example/keys")),
            ("jwks", json!("file:")),
        ] {
            let mut tree = serde_json::to_value(settings()).unwrap();
            tree[key] = value;
            let settings: JwtSettings = serde_json::from_value(tree).unwrap();
            assert!(settings.check().is_err(), "{key}");
        }
        for algorithm in ["HS256", "none"] {
            let mut tree = serde_json::to_value(settings()).unwrap();
            tree["algorithms"] = json!([algorithm]);
            assert!(serde_json::from_value::<JwtSettings>(tree).is_err());
        }
    }
}
