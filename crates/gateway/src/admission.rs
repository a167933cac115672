//! Who may ask at all: host and origin checks, client keys.

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use bartizan_core::Principal;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, ORIGIN};

use crate::settings::Settings;

/// Why a caller is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The `Host` header names no host of this gateway: DNS rebinding.
    Host,
    /// A web page of another origin asks.
    Origin,
    /// No key, or not one of ours.
    Key,
}

/// Who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Who asks.
    pub(crate) principal: Principal,
    /// True where the caller's own credentials may be passed on to the provider.
    pub(crate) pass_credentials: bool,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) std::net::IpAddr);

/// Decides who may ask.
pub(crate) struct Admission {
    hosts: Vec<String>,
    /// Name and SHA-256 of each client key. The keys have full entropy, so a fast hash is enough.
    clients: Vec<(String, [u8; 32])>,
}

impl Admission {
    /// Reads the client keys.
    ///
    /// # Errors
    /// A key cannot be read, two clients share one, or it is too short to be a random key.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let mut clients: Vec<(String, [u8; 32])> = Vec::with_capacity(settings.client.len());
        for client in &settings.client {
            let key = client.key.resolve().map_err(|e| format!("key of client `{}`: {e}", client.name))?;
            if key.len() < 16 {
                return Err(format!("the key of client `{}` is shorter than 16 characters", client.name));
            }
            let hash = hash(&key);
            if let Some((other, _)) = clients.iter().find(|(_, h)| *h == hash) {
                return Err(format!("clients `{other}` and `{}` have the same key", client.name));
            }
            clients.push((client.name.clone(), hash));
        }
        Ok(Self { hosts: settings.hosts.iter().map(|h| h.to_ascii_lowercase()).collect(), clients })
    }

    /// True where callers need a key.
    pub(crate) fn needs_key(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Lets a caller in or not.
    pub(crate) fn admit(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<Admitted, Rejection> {
        self.check_origin(headers, authority)?;
        if self.clients.is_empty() {
            return Ok(Admitted { principal: Principal::default(), pass_credentials: true });
        }
        let key = presented_key(headers).ok_or(Rejection::Key)?;
        let hash = hash(key);
        // Every client is compared, so that the time says nothing about which one matched.
        let mut found = None;
        for (name, known) in &self.clients {
            if same_hash(known, &hash) {
                found = Some(name);
            }
        }
        let client = found.ok_or(Rejection::Key)?.as_str();
        let principal = Principal { key: Arc::from(client), ..Principal::default() };
        Ok(Admitted { principal, pass_credentials: false })
    }

    /// A name that resolves to this machine is no proof of friendliness: a page that rebinds its own name to
    /// 127.0.0.1 sends that name as `Host`, and browsers add `Origin`.
    pub(crate) fn check_origin(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Rejection> {
        let host = match authority {
            Some(authority) => authority,
            None => headers.get(HOST).and_then(|h| h.to_str().ok()).ok_or(Rejection::Host)?,
        };
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

fn presented_key(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = KEY_HEADERS.iter().find_map(|name| headers.get(*name)) {
        return key.to_str().ok();
    }
    bearer(headers)
}

/// The credential of `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Compares in a time that does not depend on where two hashes differ.
pub(crate) fn same_hash(a: &[u8; 32], b: &[u8; 32]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

pub(crate) fn hash(key: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (http::HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn open() -> Admission {
        Admission { hosts: vec!["gw.example".into()], clients: vec![] }
    }

    fn keyed() -> Admission {
        Admission { hosts: vec![], clients: vec![("ci".into(), hash("0123456789abcdef"))] }
    }

    #[test]
    fn rebinding_and_foreign_pages_are_turned_away() {
        for host in ["localhost", "localhost:8700", "127.0.0.1:1", "[::1]:8700", "GW.example:443"] {
            let mut h = HeaderMap::new();
            h.insert(HOST, HeaderValue::from_str(host).unwrap());
            assert!(open().admit(&h, None).is_ok(), "{host}");
        }
        assert_eq!(open().admit(&headers(&[("host", "evil.example")]), None), Err(Rejection::Host));
        assert_eq!(open().admit(&headers(&[]), None), Err(Rejection::Host));
        let page = headers(&[("host", "localhost:8700"), ("origin", "https://evil.example")]);
        assert_eq!(open().admit(&page, None), Err(Rejection::Origin));
        let null = headers(&[("host", "localhost:8700"), ("origin", "null")]);
        assert_eq!(open().admit(&null, None), Err(Rejection::Origin));
    }

    #[test]
    fn keys_are_needed_once_there_are_clients() {
        let host = ("host", "gw.internal");
        assert_eq!(keyed().admit(&headers(&[host]), None), Err(Rejection::Key));
        assert_eq!(keyed().admit(&headers(&[host, ("authorization", "Bearer wrong")]), None), Err(Rejection::Key));
        for good in [
            ("authorization", "Bearer 0123456789abcdef"),
            ("x-api-key", "0123456789abcdef"),
            ("api-key", "0123456789abcdef"),
            ("x-goog-api-key", "0123456789abcdef"),
        ] {
            let admitted = keyed().admit(&headers(&[host, good]), None).unwrap();
            assert_eq!((&*admitted.principal.key, admitted.pass_credentials), ("ci", false));
        }
    }
}
