//! Who may ask at all: host and origin checks, client keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use bartizan_access::{Account, Identity, model_fits};
use bartizan_core::{Grant, Principal, Quota, TenantId};
use bartizan_sign::SecretRef;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, ORIGIN};

use crate::access::{Access, accounts};
use crate::admin::Secrets;
use crate::jwks::Jwks;
use crate::settings::{Client, Settings, Tenant};
use crate::tls::ClientCertificate;

/// Why a caller is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The `Host` header names no host of this gateway: DNS rebinding.
    Host,
    /// A web page of another origin asks.
    Origin,
    /// No key, or not one of ours.
    Key,
    /// The key set of the identity provider is not there yet.
    NotReady,
}

/// Who was let in.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    /// Who asks.
    pub(crate) principal: Principal,
    /// True where the caller's own credentials may be passed on to the provider.
    pub(crate) pass_credentials: bool,
    /// What of the principal a token says.
    pub(crate) vouched: Vouched,
    /// What the caller may do.
    pub(crate) grant: Arc<Grant>,
    /// Whom its use is charged to; empty where no key was needed.
    pub(crate) accounts: Arc<[Account]>,
}

/// What of a principal is said by a token, and not by a header of whoever asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vouched {
    pub(crate) user: bool,
    pub(crate) team: bool,
}

impl Admitted {
    /// True where the caller may use the model.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.grant.models.is_empty() || self.grant.models.iter().any(|pattern| model_fits(pattern, model))
    }
}

/// What a caller shows of itself.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// Host of the request line.
    pub(crate) authority: Option<&'a str>,
    /// Verified by the listener.
    pub(crate) certificate: Option<&'a ClientCertificate>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) std::net::IpAddr);

/// A caller of the configuration.
struct Known {
    name: Arc<str>,
    tenant: TenantId,
    hash: Option<KeyHash>,
    certificate: Option<String>,
    grant: Arc<Grant>,
}

/// Decides who may ask.
pub(crate) struct Admission {
    hosts: Vec<String>,
    clients: Vec<Known>,
    jwt: Option<Arc<Jwks>>,
    tenants: BTreeMap<TenantId, Tenant>,
    access: Arc<Access>,
    admin: Secrets,
}

/// Longest name in a header that says what a request is for, in bytes.
const NAME: usize = 128;

/// Whether the keys and certificates of the clients can be read and tell them apart.
///
/// # Errors
/// What is wrong, as the start of a gateway would find it.
pub fn check_clients(clients: &[Client]) -> Result<(), String> {
    known(clients).map(drop)
}

fn known(settings: &[Client]) -> Result<Vec<Known>, String> {
    let mut clients: Vec<Known> = Vec::with_capacity(settings.len());
    for client in settings {
        let name = &client.name;
        let secret = client.key.as_ref().map(SecretRef::resolve).transpose();
        let key = secret.map_err(|e| format!("key of client `{name}`: {e}"))?;
        if key.is_none() && client.certificate.is_none() {
            return Err(format!("client `{name}` has neither `key` nor `certificate`"));
        }
        if key.as_ref().is_some_and(|key| key.len() < 16) {
            return Err(format!("the key of client `{name}` is shorter than 16 characters"));
        }
        let hash = key.as_deref().map(KeyHash::of);
        if let Some(other) = clients.iter().find(|c| c.hash.as_ref().zip(hash.as_ref()).is_some_and(|(a, b)| a.is(b))) {
            return Err(format!("clients `{}` and `{name}` have the same key", other.name));
        }
        let same = |c: &&Known| c.certificate.is_some() && c.certificate == client.certificate;
        if let Some(other) = clients.iter().find(same) {
            return Err(format!("clients `{}` and `{name}` have the same certificate", other.name));
        }
        clients.push(Known {
            name: Arc::from(name.as_str()),
            tenant: client.tenant.clone(),
            hash,
            certificate: client.certificate.clone(),
            grant: Arc::new(client.grant()),
        });
    }
    Ok(clients)
}

impl Admission {
    /// Reads the keys of clients and of administration.
    ///
    /// # Errors
    /// A key cannot be read, two clients or administrators share one, or it is too short to be a random key; a client has neither key
    /// nor certificate; a tenant is not configured; the settings of tokens are wrong.
    pub(crate) fn new(settings: &Settings, access: &Arc<Access>) -> Result<Self, String> {
        let clients = known(&settings.client)?;
        let jwt = settings.jwt.as_ref().map(|jwt| access.jwks(jwt)).transpose()?;
        let hosts = settings.hosts.iter().map(|h| h.to_ascii_lowercase()).collect();
        let tenants = settings.tenant.iter().map(|t| (t.name.clone(), t.clone())).collect();
        let this =
            Self { hosts, clients, jwt, tenants, access: Arc::clone(access), admin: Secrets::read(&settings.admin)? };
        match this.clients.iter().find(|c| !this.knows(&c.tenant)) {
            Some(c) => Err(format!("client `{}` is of the tenant `{}`, which is not configured", c.name, c.tenant)),
            None => Ok(this),
        }
    }

    /// Who administers by key, and what the identity provider knows this gateway by.
    pub(crate) const fn admin(&self) -> &Secrets {
        &self.admin
    }

    /// True where callers need a key.
    pub(crate) fn needs_key(&self) -> bool {
        !self.clients.is_empty() || self.jwt.is_some() || self.access.keyed()
    }

    /// True where there may be more than one tenant.
    pub(crate) fn has_walls(&self) -> bool {
        let claimed = self.jwt.as_ref().is_some_and(|jwt| jwt.settings().claims.tenant.is_some());
        let mut tenants = self.clients.iter().map(|c| &c.tenant);
        let first = tenants.next();
        claimed || self.access.keyed() || !self.tenants.is_empty() || tenants.any(|t| Some(t) != first)
    }

    /// Once tenants are configured, others do not exist.
    fn knows(&self, tenant: &TenantId) -> bool {
        self.tenants.is_empty() || self.tenants.contains_key(tenant) || *tenant == TenantId::sole()
    }

    /// Lets a caller in or not.
    pub(crate) fn admit(&self, shown: Shown<'_>) -> Result<Admitted, Rejection> {
        self.check_origin(shown.headers, shown.authority)?;
        if !self.needs_key() {
            return Ok(Admitted {
                // Who somebody is cannot be said here; which conversation it is can, for its pseudonyms.
                principal: Principal { session: name_in(shown.headers, "x-bartizan-session"), ..Principal::default() },
                pass_credentials: true,
                vouched: Vouched::default(),
                grant: Arc::default(),
                accounts: Arc::from([]),
            });
        }
        match (presented_key(shown.headers)?, shown.certificate) {
            (Some(credential), _) => self.by_credential(credential, shown.headers),
            (None, Some(certificate)) => self.by_certificate(certificate, shown.headers),
            (None, None) => Err(Rejection::Key),
        }
    }

    fn by_credential(&self, credential: &str, headers: &HeaderMap) -> Result<Admitted, Rejection> {
        let now = self.access.now().wall;
        if credential.starts_with("bz_") {
            let record = self.access.ring().verify(credential, now).map_err(|_| Rejection::Key)?;
            let grant = Arc::clone(&record.grant);
            return self.admitted(&record.tenant, &record.name, grant, None, headers);
        }
        // A token has two dots; a client key of the configuration may have them too.
        if let Some(jwt) = self.jwt.as_ref().filter(|_| credential.matches('.').count() == 2) {
            match jwt.verify(credential, now) {
                None => return Err(Rejection::NotReady),
                Some(Ok(identity)) => {
                    let grant = Grant {
                        models: identity.models.clone().unwrap_or_default(),
                        profile: identity.profile.clone(),
                        quota: jwt.settings().quota.clone(),
                    };
                    let (tenant, key) = (identity.tenant.clone(), Arc::clone(&identity.key));
                    return self.admitted(&tenant, &key, Arc::new(grant), Some(&identity), headers);
                }
                Some(Err(reason)) => tracing::debug!(%reason, "a token is not good"),
            }
        }
        let hash = KeyHash::of(credential);
        // Every client is compared, so that the time says nothing about which one matched.
        let mut found = None;
        for known in &self.clients {
            if known.hash.as_ref().is_some_and(|h| h.is(&hash)) {
                found = Some(known);
            }
        }
        self.client(found.ok_or(Rejection::Key)?, headers)
    }

    fn by_certificate(&self, certificate: &ClientCertificate, headers: &HeaderMap) -> Result<Admitted, Rejection> {
        let fits = |c: &&Known| {
            c.certificate.as_ref().is_some_and(|name| *name == certificate.subject || certificate.names.contains(name))
        };
        self.client(self.clients.iter().find(fits).ok_or(Rejection::Key)?, headers)
    }

    fn client(&self, known: &Known, headers: &HeaderMap) -> Result<Admitted, Rejection> {
        self.admitted(&known.tenant, &known.name, Arc::clone(&known.grant), None, headers)
    }

    fn admitted(
        &self,
        tenant: &TenantId,
        key: &Arc<str>,
        mut grant: Arc<Grant>,
        identity: Option<&Identity>,
        headers: &HeaderMap,
    ) -> Result<Admitted, Rejection> {
        if !self.knows(tenant) {
            return Err(Rejection::Key);
        }
        let of_tenant = self.tenants.get(tenant);
        if grant.profile.is_none()
            && let Some(profile) = of_tenant.and_then(|t| t.profile.clone())
        {
            grant = Arc::new(Grant { profile: Some(profile), ..(*grant).clone() });
        }
        // What a token says of people and teams cannot be said otherwise.
        let claims = self.jwt.as_ref().filter(|_| identity.is_some()).map(|j| &j.settings().claims);
        let said = |claimed: bool, claim: Option<&Arc<str>>, header: &str| {
            if claimed { claim.cloned() } else { name_in(headers, header) }
        };
        let principal = Principal {
            tenant: tenant.clone(),
            key: Arc::clone(key),
            user: said(
                claims.is_some_and(|c| c.user.is_some()),
                identity.and_then(|i| i.user.as_ref()),
                "x-bartizan-user",
            ),
            session: name_in(headers, "x-bartizan-session"),
            feature: name_in(headers, "x-bartizan-feature"),
            team: said(
                claims.is_some_and(|c| c.team.is_some()),
                identity.and_then(|i| i.team.as_ref()),
                "x-bartizan-team",
            ),
        };
        let vouched =
            Vouched { user: claims.is_some_and(|c| c.user.is_some()), team: claims.is_some_and(|c| c.team.is_some()) };
        let none = Quota::default();
        let accounts = accounts(tenant, of_tenant.map_or(&none, |t| &t.quota), key, &grant.quota);
        Ok(Admitted { principal, pass_credentials: false, vouched, grant, accounts })
    }

    /// A name that resolves to this machine is no proof of friendliness: a page that rebinds its own name to
    /// 127.0.0.1 sends that name as `Host`, and browsers add `Origin`.
    pub(crate) fn check_origin(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Rejection> {
        // One request names one host: whoever routed it here may have gone by another of several (RFC 9112, section 3.2;
        // RFC 9113, section 8.3.1).
        let mut named = headers.get_all(HOST).iter();
        let field = named.next().map(|h| h.to_str().map_err(|_| Rejection::Host)).transpose()?;
        let differ = |field: &str, authority: &str| !host_of(field).eq_ignore_ascii_case(host_of(authority));
        let host = match (authority, field) {
            (Some(authority), Some(field)) if differ(field, authority) => return Err(Rejection::Host),
            (Some(host), _) | (None, Some(host)) => host,
            (None, None) => return Err(Rejection::Host),
        };
        if named.next().is_some() {
            return Err(Rejection::Host);
        }
        // Behind keys, and with no names configured, any name will do: a page cannot know a key. What needs no key
        // is only for callers on this machine.
        let any = self.needs_key() && self.hosts.is_empty();
        if !any && !self.is_ours(host) {
            return Err(Rejection::Host);
        }
        match headers.get(ORIGIN) {
            None => Ok(()),
            Some(origin) => {
                let origin = origin.to_str().map_err(|_| Rejection::Origin)?;
                let host = origin.split_once("://").map(|(_, host)| host).ok_or(Rejection::Origin)?;
                if self.is_ours(host) { Ok(()) } else { Err(Rejection::Origin) }
            }
        }
    }

    fn is_ours(&self, authority: &str) -> bool {
        let host = host_of(authority).to_ascii_lowercase();
        let loopback = host == "localhost"
            || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || host.parse::<std::net::Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
        loopback || self.hosts.contains(&host)
    }
}

fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(host, _)| host);
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

/// Headers besides `Authorization` in which the dialects' clients send a key: Anthropic, Azure OpenAI, Google.
pub(crate) const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// One request has one credential: with two that differ it is nobody's.
fn presented_key(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let keys = KEY_HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let mut keys = keys.map(|v| v.to_str().unwrap_or_default());
    let bearer = headers.contains_key(AUTHORIZATION).then(|| bearer(headers).unwrap_or_default());
    let first = keys.next().or(bearer);
    if keys.chain(bearer).any(|other| Some(other) != first) || headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Err(Rejection::Key);
    }
    Ok(first)
}

/// What a header says a request is for: a short text of visible characters, else nothing.
fn name_in(headers: &HeaderMap, name: &str) -> Option<Arc<str>> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty() && text.len() <= NAME).then(|| Arc::from(text))
}

/// The credential of `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// SHA-256 of a key. The keys have full entropy, so a fast hash is enough. There is no `==`: nothing but [`Self::is`]
/// compares what somebody shows.
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    pub(crate) fn of(key: &str) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
        Self(out)
    }

    /// What tells it from others where both are known here: nobody who asks can choose one of them.
    pub(crate) const fn fingerprint(&self) -> [u8; 32] {
        self.0
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (http::HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn access() -> Arc<Access> {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(Access::open(None, Arc::default()))
            .unwrap()
    }

    fn with(settings: serde_json::Value) -> Result<Admission, String> {
        Admission::new(&serde_json::from_value(settings).unwrap(), &access())
    }

    fn open() -> Admission {
        with(serde_json::json!({"hosts": ["gw.example"]})).unwrap()
    }

    fn admit(admission: &Admission, headers: &HeaderMap) -> Result<Admitted, Rejection> {
        admission.admit(Shown { headers, authority: None, certificate: None })
    }

    fn rejected(admission: &Admission, headers: &HeaderMap) -> Rejection {
        admit(admission, headers).unwrap_err()
    }

    /// A secret in a file, as the configuration names it.
    fn secret(text: &str) -> (tempfile::NamedTempFile, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let reference = format!("file:{}", file.path().display());
        (file, reference)
    }

    #[test]
    fn rebinding_and_foreign_pages_are_turned_away() {
        for host in ["localhost", "localhost:8700", "127.0.0.1:1", "[::1]:8700", "GW.example:443"] {
            let mut h = HeaderMap::new();
            h.insert(HOST, HeaderValue::from_str(host).unwrap());
            assert!(admit(&open(), &h).is_ok(), "{host}");
        }
        assert_eq!(rejected(&open(), &headers(&[("host", "evil.example")])), Rejection::Host);
        assert_eq!(rejected(&open(), &headers(&[])), Rejection::Host);
        let page = headers(&[("host", "localhost:8700"), ("origin", "https://evil.example")]);
        assert_eq!(rejected(&open(), &page), Rejection::Origin);
        let null = headers(&[("host", "localhost:8700"), ("origin", "null")]);
        assert_eq!(rejected(&open(), &null), Rejection::Origin);
    }

    #[test]
    fn keys_are_needed_once_there_are_clients() {
        let (_file, key) = secret("0123456789abcdef");
        let keyed = with(serde_json::json!({"client": [{"name": "ci", "key": key, "tenant": "acme"}]})).unwrap();
        let host = ("host", "gw.internal");
        assert_eq!(rejected(&keyed, &headers(&[host])), Rejection::Key);
        assert_eq!(rejected(&keyed, &headers(&[host, ("authorization", "Bearer wrong")])), Rejection::Key);
        for good in [
            ("authorization", "Bearer 0123456789abcdef"),
            ("x-api-key", "0123456789abcdef"),
            ("api-key", "0123456789abcdef"),
            ("x-goog-api-key", "0123456789abcdef"),
        ] {
            assert_eq!(rejected(&keyed, &headers(&[host, good, ("x-api-key", "other")])), Rejection::Key);
            let admitted = admit(&keyed, &headers(&[host, good])).unwrap();
            assert_eq!((&*admitted.principal.key, admitted.pass_credentials), ("ci", false));
            assert_eq!(admitted.principal.tenant.as_str(), "acme");
        }
    }

    #[test]
    fn headers_say_what_a_request_is_for_but_never_whose_it_is() {
        let (_file, key) = secret("0123456789abcdef");
        let keyed = with(serde_json::json!({"client": [{"name": "ci", "key": key, "tenant": "acme"}]})).unwrap();
        let shown = headers(&[
            ("host", "gw"),
            ("x-api-key", "0123456789abcdef"),
            ("x-bartizan-tenant", "other"),
            ("x-bartizan-key", "other"),
            ("x-bartizan-user", "ann"),
            ("x-bartizan-team", "search"),
        ]);
        let principal = admit(&keyed, &shown).unwrap().principal;
        assert_eq!((principal.tenant.as_str(), &*principal.key), ("acme", "ci"));
        assert_eq!((principal.user.as_deref(), principal.team.as_deref()), (Some("ann"), Some("search")));
        let anonymous = admit(&open(), &headers(&[("host", "localhost"), ("x-bartizan-user", "ann")])).unwrap();
        assert_eq!(anonymous.principal, Principal::default());
        let named = admit(&open(), &headers(&[("host", "localhost"), ("x-bartizan-session", "s1")])).unwrap();
        assert_eq!(named.principal.session.as_deref(), Some("s1"));
    }

    #[test]
    fn a_certificate_is_an_identity_by_exact_name() {
        let clients = serde_json::json!({"client": [
            {"name": "agent", "certificate": "spiffe://example.org/agent", "tenant": "acme"},
            {"name": "batch", "certificate": "CN=batch"},
        ]});
        let admission = with(clients).unwrap();
        let headers = headers(&[("host", "gw")]);
        let by = |subject: &str, names: &[&str]| {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            let certificate = ClientCertificate { subject: subject.to_owned(), names };
            let shown = Shown { headers: &headers, authority: None, certificate: Some(&certificate) };
            admission.admit(shown).map(|a| a.principal.key.to_string())
        };
        assert_eq!(by("CN=x", &["spiffe://example.org/agent"]), Ok("agent".to_owned()));
        assert_eq!(by("CN=batch", &[]), Ok("batch".to_owned()));
        for (subject, name) in [("CN=batch, O=x", "b"), ("O=CN=batch", "b"), ("CN=x", "spiffe://example.org/agent/2")] {
            assert_eq!(by(subject, &[name]), Err(Rejection::Key), "{subject} {name}");
        }
    }

    #[test]
    fn clients_that_could_not_be_told_apart_are_refused() {
        let (_file, key) = secret("0123456789abcdef");
        for (clients, part) in [
            (serde_json::json!([{"name": "a"}]), "neither"),
            (serde_json::json!([{"name": "a", "key": key}, {"name": "b", "key": key}]), "same key"),
            (
                serde_json::json!([{"name": "a", "certificate": "CN=x"}, {"name": "b", "certificate": "CN=x"}]),
                "same certificate",
            ),
        ] {
            let error = with(serde_json::json!({ "client": clients })).err().unwrap();
            assert!(error.contains(part), "{error}");
        }
        let foreign = serde_json::json!({
            "tenant": [{"name": "acme"}], "client": [{"name": "a", "key": key, "tenant": "other"}],
        });
        assert!(with(foreign).err().unwrap().contains("not configured"));
    }
}
