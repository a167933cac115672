//! Who administers a gateway, and where.

use std::path::PathBuf;

use bartizan_access::{Algorithm, is_sheltered};
use bartizan_core::TenantId;
use bartizan_sign::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::tls::Tls;

/// What an administrator may do besides looking at records and state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks at records and state.
    #[default]
    Viewer,
    /// Changes things: keys, containment, marks, exceptions.
    Operator,
    /// Opens sealed content, and decides about tool calls that wait.
    Auditor,
    /// Decides about tool calls that wait.
    Approver,
}

impl Role {
    /// The word in configurations and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Approver => "approver",
        }
    }
}

/// A key of the admin API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminKey {
    /// Name in records of what was done with it.
    pub name: String,
    /// The key, sent as `Authorization: Bearer`.
    pub key: SecretRef,
    /// What it may do.
    #[serde(default)]
    pub role: Role,
    /// Tenants it may see; empty is all.
    #[serde(default)]
    pub tenants: Vec<TenantId>,
}

/// Sign-in of people with OpenID Connect (authorization code flow with PKCE): to the console, and with an ID token to the
/// admin API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The provider, exactly as its tokens name it: `https://id.example.com`.
    pub issuer: String,
    /// Name of this gateway with the provider.
    pub client_id: String,
    /// Its secret with the provider; without one it is a public client.
    #[serde(default)]
    pub client_secret: Option<SecretRef>,
    /// Where browsers find this gateway: `https://guard.example.com`. The provider has to know this address followed by
    /// `/console/oidc/callback`. Default: `origin` of `[console]`, or the address that the gateway listens on.
    #[serde(default)]
    pub origin: Option<String>,
    /// Scopes that are asked for, besides `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim of the ID token that lists a person's groups.
    #[serde(default = "groups")]
    pub groups: String,
    /// Algorithms that may sign ID tokens.
    #[serde(default = "bartizan_access::default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// By how many seconds clocks may differ.
    #[serde(default = "leeway")]
    pub leeway_s: u32,
    /// What the members of a group may do. The first row with a group of theirs holds; who is in none may do nothing.
    pub role: Vec<OidcRole>,
}

/// What the members of a group may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcRole {
    /// The group, as the provider writes it.
    pub group: String,
    /// What its members may do.
    #[serde(default)]
    pub role: Role,
    /// Tenants that they may see; empty is all.
    #[serde(default)]
    pub tenants: Vec<TenantId>,
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn groups() -> String {
    "groups".to_owned()
}

const fn leeway() -> u32 {
    30
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

fn bare(address: &str) -> bool {
    plain(address) && is_sheltered(address) && !address.contains(['?', '#', '@'])
}

fn is_origin(address: &str) -> bool {
    bare(address) && address.splitn(4, '/').count() == 3
}

impl Oidc {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The setting, and what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wrong = |key: &str, why: &str| Err(format!("`admin.oidc.{key}` {why}"));
        if !bare(&self.issuer) {
            return wrong("issuer", "is not an `https://` address");
        }
        if self.client_id.is_empty() {
            return wrong("client_id", "is empty: tokens made for any client would do");
        }
        if self.origin.as_deref().is_some_and(|found| !is_origin(found)) {
            return wrong("origin", "is not `https://HOST` or `https://HOST:PORT`");
        }
        if !self.scopes.iter().all(|scope| plain(scope)) {
            return wrong("scopes", "has a scope with blanks in it: write each on its own");
        }
        if self.algorithms.is_empty() {
            return wrong("algorithms", "is empty: no token could be checked");
        }
        if self.leeway_s > 600 {
            return wrong("leeway_s", "is longer than ten minutes");
        }
        if self.role.is_empty() || self.role.iter().any(|one| one.group.is_empty()) {
            return wrong("role", "has to name the groups that may sign in");
        }
        Ok(())
    }
}

/// The account for when nothing else lets anybody in. Each sign-in with it, and each that was refused, is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// Its password as `bartizan console password` hashes it (Argon2id). A file is read anew for each sign-in, and a
    /// change ends the sessions of the account.
    pub hash: SecretRef,
    /// What it may do.
    #[serde(default = "operator")]
    pub role: Role,
    /// Tenants that it may see; empty is all.
    #[serde(default)]
    pub tenants: Vec<TenantId>,
}

const fn operator() -> Role {
    Role::Operator
}

/// The admin API. It has no key of callers, and callers' keys mean nothing there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address to listen on; without it only the local socket answers. Other machines reach it only with TLS.
    pub listen: Option<String>,
    /// TLS of that address.
    pub tls: Option<Tls>,
    /// Its keys.
    pub key: Vec<AdminKey>,
    /// Sign-in of people with OpenID Connect.
    pub oidc: Option<Oidc>,
    /// An account with a password, for when nothing else lets anybody in.
    pub break_glass: Option<BreakGlass>,
    /// Unix socket through which the command line reaches a running gateway; who may use it is a matter of file
    /// permissions (0600). Default: the store's path with `.sock`; empty is none.
    pub socket: Option<PathBuf>,
}

impl Admin {
    /// Where the local socket is; `None` for none.
    #[must_use]
    pub fn socket_path(&self, store: &Store) -> Option<PathBuf> {
        match &self.socket {
            Some(path) if path.as_os_str().is_empty() => None,
            Some(path) => Some(path.clone()),
            None if store.path == ":memory:" => None,
            None => Some(PathBuf::from(format!("{}.sock", store.path))),
        }
    }
}

/// The console: pages on `/console` of the address that callers use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleSettings {
    /// Whether there is one. Left out: where only this machine can reach the address. Elsewhere it needs `[tls]`.
    pub enabled: Option<bool>,
    /// Where browsers find it, where that is not the address that the gateway listens on: `https://guard.example.com`
    /// behind a proxy that ends TLS. Cookies are then for TLS alone. Default: `origin` of `[admin.oidc]`.
    pub origin: Option<String>,
    /// Folder with result files of other commands (`scan`, `verify`, `redteam run`, `privacy`), which the console shows.
    /// They are of the whole installation.
    pub results: Option<PathBuf>,
}

impl ConsoleSettings {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The setting, and what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.origin {
            Some(found) if !is_origin(found) => {
                Err("`console.origin` is not `https://HOST` or `https://HOST:PORT`".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_would_let_anybody_in_is_a_mistake() {
        let good: Oidc = serde_json::from_value(serde_json::json!({
            "issuer": "https://id.example", "client_id": "us", "origin": "https://guard.example:8700",
            "role": [{"group": "security", "role": "operator"}],
        }))
        .unwrap();
        assert_eq!(good.check(), Ok(()));
        type Change = fn(&mut Oidc);
        let cases: [(&str, Change); 8] = [
            ("issuer", |o| o.issuer = "http://id.example".into()),
            ("issuer", |o| o.issuer = "https://id.example?x".into()),
            ("issuer", |o| o.issuer = "http://localhost:1@id.example".into()),
            ("client_id", |o| o.client_id = String::new()),
            ("origin", |o| o.origin = Some("https://guard.example/console".into())),
            ("scopes", |o| o.scopes = vec!["a b".into()]),
            ("role", |o| o.role.clear()),
            ("algorithms", |o| o.algorithms.clear()),
        ];
        for (key, change) in cases {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(bad.check().unwrap_err().contains(key), "{key}");
        }
    }
}
