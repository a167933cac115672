//! The cookies of the console (RFC 6265bis).

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

/// A cookie that scripts cannot read and that no other host can set where there is TLS.
#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    name: String,
    attributes: String,
}

impl Cookie {
    /// That of a session: other sites cannot send it.
    pub(super) fn session(tls: bool) -> Self {
        Self::new("bartizan_console", "/console", "Strict", tls)
    }

    /// That of a sign-in under way: the provider's page has to be able to send the browser back with it.
    pub(super) fn attempt(tls: bool) -> Self {
        Self::new("bartizan_signin", "/console/oidc", "Lax", tls)
    }

    fn new(name: &str, path: &str, same_site: &str, tls: bool) -> Self {
        // The prefix holds a browser to `Secure`, `Path=/` and this host alone.
        let (name, path, secure) =
            if tls { (format!("__Host-{name}"), "/", "; Secure") } else { (name.to_owned(), path, "") };
        Self { name, attributes: format!("; Path={path}; HttpOnly; SameSite={same_site}{secure}") }
    }

    /// What sets it, for so many seconds, or for as long as the browser is open.
    pub(super) fn set(&self, value: &str, age: Option<u64>) -> HeaderValue {
        let age = age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let text = format!("{}={value}{}{age}", self.name, self.attributes);
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    /// What takes it away.
    pub(super) fn end(&self) -> HeaderValue {
        self.set("", Some(0))
    }

    /// Its value. With two of them it is nobody's.
    pub(super) fn of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
        let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == self.name);
        let (_, value) = ours.next()?;
        ours.next().is_none().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cookies_are_nobodys() {
        let cookie = Cookie::session(false);
        let head = |value: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(value))]);
        assert_eq!(cookie.of(&head("a=b; bartizan_console=c")), Some("c"));
        assert_eq!(cookie.of(&head("bartizan_console=c; bartizan_console=d")), None);
        assert_eq!(cookie.of(&head("xbartizan_console=c")), None);
        assert_eq!(Cookie::session(true).of(&head("bartizan_console=c")), None, "one that anybody could set");
    }

    #[test]
    fn with_tls_no_other_host_can_set_one() {
        let set = Cookie::session(true).set("v", None);
        assert_eq!(set, "__Host-bartizan_console=v; Path=/; HttpOnly; SameSite=Strict; Secure");
        let attempt = Cookie::attempt(false).set("v", Some(600));
        assert_eq!(attempt, "bartizan_signin=v; Path=/console/oidc; HttpOnly; SameSite=Lax; Max-Age=600");
    }
}
