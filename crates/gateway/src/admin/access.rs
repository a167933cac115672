//! Who may administer.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_core::TenantId;
use bartizan_sign::SecretRef;
use http::{HeaderMap, Method, Uri};

use super::AdminError;
use crate::admission::{KeyHash, bearer};
use crate::console::{Oidc, Sessions};
use crate::settings::{Admin, Role};
use crate::shared::Shared;

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Looking.
    Look,
    /// Changing something.
    Change,
    /// Opening sealed content.
    Unseal,
    /// Seeing a tool call that waits, and deciding about it.
    Approve,
}

/// Someone who administers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    name: String,
    /// `None` is the operator of this machine, who holds the files and may do everything.
    role: Option<Role>,
    /// Empty is all.
    tenants: BTreeSet<TenantId>,
    by: By,
}

/// How someone who administers is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// By who may use the files of this machine.
    Machine,
    /// By a ticket that whoever may use the files of this machine has made.
    Ticket,
    /// By the key that has this digest.
    Key([u8; 32]),
    /// By the password whose hash has this digest.
    Password([u8; 32]),
    /// By an identity provider, which has these names of them; the first is for them to see.
    Person(Vec<String>),
}

impl By {
    /// In records.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Ticket => "ticket",
            Self::Key(_) => "key",
            Self::Password(_) => "password",
            Self::Person(_) => "oidc",
        }
    }
}

impl Operator {
    /// One who is known in some way.
    pub(crate) fn known(name: &str, role: Role, tenants: impl IntoIterator<Item = TenantId>, by: By) -> Self {
        Self { name: name.to_owned(), role: Some(role), tenants: tenants.into_iter().collect(), by }
    }

    /// The operator of this machine.
    fn local() -> Self {
        Self { name: "cli".to_owned(), role: None, tenants: BTreeSet::new(), by: By::Machine }
    }

    /// The operator of this machine in a browser, which is somebody who was given a ticket.
    pub(crate) fn at_console(&self) -> Self {
        Self { name: "console".to_owned(), by: By::Ticket, ..self.clone() }
    }

    /// True for whoever may use the files of this machine, and comes that way.
    pub(crate) const fn is_local(&self) -> bool {
        matches!(self.by, By::Machine)
    }

    /// True as long as the configuration has the same of it. `password` is the digest of the hash in force.
    pub(crate) fn is_still(&self, settings: &Admin, secrets: &Secrets, password: Option<[u8; 32]>) -> bool {
        match &self.by {
            By::Machine | By::Ticket => true,
            By::Key(_) => secrets.keys.iter().any(|(_, one)| one == self),
            By::Password(hash) => password.as_ref() == Some(hash),
            // The groups were the provider's to say at sign-in; what a row gives is the configuration's to say now.
            By::Person(_) => settings.oidc.iter().flat_map(|oidc| &oidc.role).any(|row| {
                self.role == Some(row.role) && row.tenants.iter().cloned().collect::<BTreeSet<_>>() == self.tenants
            }),
        }
    }

    /// How it is known.
    pub(crate) const fn by(&self) -> &'static str {
        self.by.as_str()
    }

    /// What it is called on its own screen. In records a person is a pseudonym.
    pub(crate) fn shown(&self) -> &str {
        match &self.by {
            By::Person(names) => names.first().map_or(&self.name, String::as_str),
            _ => &self.name,
        }
    }

    /// Every name that it goes by.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let names: &[String] = if let By::Person(names) = &self.by { names } else { &[] };
        std::iter::once(self.name.as_str()).chain(names.iter().map(String::as_str))
    }

    /// Tenants that it may see; empty is all.
    pub(crate) fn tenants(&self) -> &BTreeSet<TenantId> {
        &self.tenants
    }

    /// Name in records.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it may do, in records.
    pub(crate) fn role(&self) -> &'static str {
        self.role.map_or("local", Role::as_str)
    }

    pub(crate) fn may(&self, need: Need) -> bool {
        match (need, self.role) {
            (_, None) | (Need::Look, Some(_)) => true,
            (Need::Change, Some(role)) => role == Role::Operator,
            (Need::Unseal, Some(role)) => role == Role::Auditor,
            (Need::Approve, Some(role)) => matches!(role, Role::Approver | Role::Auditor),
        }
    }

    /// True for one who may not see every tenant.
    pub(crate) fn is_limited(&self) -> bool {
        !self.tenants.is_empty()
    }

    /// True where something belongs to a tenant that the operator may see.
    pub(crate) fn sees(&self, belongs: impl Fn(&TenantId) -> bool) -> bool {
        !self.is_limited() || self.tenants.iter().any(belongs)
    }

    /// The tenant that a question is about. Tenants beyond the operator's look as if they did not exist.
    pub(crate) fn tenant(&self, asked: Option<&str>) -> Result<TenantId, AdminError> {
        let tenant = match (asked, self.tenants.first()) {
            (Some(name), _) => TenantId::authenticated(name).map_err(|e| AdminError::bad(e.to_string()))?,
            (None, Some(only)) if self.tenants.len() == 1 => only.clone(),
            (None, Some(_)) => return Err(AdminError::bad("`tenant` is needed: this key may see several".to_owned())),
            (None, None) => TenantId::sole(),
        };
        if self.tenants.is_empty() || self.tenants.contains(&tenant) {
            Ok(tenant)
        } else {
            Err(AdminError::not_found("this tenant"))
        }
    }
}

/// How those who administer are known on one listener.
pub(crate) enum AdminAccess {
    /// By key, or by a token of the identity provider.
    Keys(Option<Arc<Oidc>>),
    /// By file permission.
    Local,
    /// By a session of the console.
    Sessions(Arc<Sessions>),
}

/// Secrets of administration, as the configuration in force has them: another one reads them anew.
pub(crate) struct Secrets {
    keys: Vec<(KeyHash, Operator)>,
    /// That of this gateway with the identity provider.
    client: Option<String>,
}

impl Secrets {
    /// Reads them.
    ///
    /// # Errors
    /// One cannot be read; a key is too short, or belongs to two names.
    pub(crate) fn read(settings: &Admin) -> Result<Self, String> {
        let mut keys: Vec<(KeyHash, Operator)> = Vec::with_capacity(settings.key.len());
        for key in &settings.key {
            let secret = key.key.resolve().map_err(|e| format!("administration key `{}`: {e}", key.name))?;
            if secret.len() < 16 {
                return Err(format!("the administration key `{}` is shorter than 16 characters", key.name));
            }
            let hash = KeyHash::of(&secret);
            if let Some((_, other)) = keys.iter().find(|(h, _)| h.is(&hash)) {
                return Err(format!("administration keys `{}` and `{}` are the same", other.name, key.name));
            }
            let by = By::Key(hash.fingerprint());
            keys.push((hash, Operator::known(&key.name, key.role, key.tenants.iter().cloned(), by)));
        }
        let client = settings.oidc.as_ref().and_then(|oidc| oidc.client_secret.as_ref());
        let client = client.map(SecretRef::resolve).transpose();
        Ok(Self { keys, client: client.map_err(|e| format!("`admin.oidc.client_secret`: {e}"))? })
    }

    /// The operator behind a key.
    pub(crate) fn operator(&self, shown: &str) -> Option<Operator> {
        let presented = KeyHash::of(shown);
        // Every key is compared, so that the time says nothing about which one matched.
        let fits =
            |found, (hash, one): &(KeyHash, Operator)| if hash.is(&presented) { Some(one.clone()) } else { found };
        self.keys.iter().fold(None, fits)
    }

    /// What this gateway shows the identity provider, where it has something.
    pub(crate) fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }
}

impl AdminAccess {
    /// By the keys of the configuration, and by its identity provider.
    ///
    /// # Errors
    /// There is neither.
    pub(crate) fn keys(settings: &Admin, oidc: Option<Arc<Oidc>>) -> Result<Self, String> {
        if settings.key.is_empty() && oidc.is_none() {
            let needs = "`admin.listen` needs somebody who may ask: add an `[[admin.key]]` section, or `[admin.oidc]`";
            return Err(needs.to_owned());
        }
        Ok(Self::Keys(oidc))
    }

    /// The operator of this machine.
    pub(crate) const fn local() -> Self {
        Self::Local
    }

    pub(crate) async fn admit(
        &self,
        shared: &Shared,
        method: &Method,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Operator, AdminError> {
        if matches!(self, Self::Local) {
            return Ok(Operator::local());
        }
        // A page that rebinds its name to this address has no key, but errors are no business of pages either.
        let authority = uri.authority().map(http::uri::Authority::as_str);
        if headers.contains_key(http::header::ORIGIN)
            && shared.live().admission.check_origin(headers, authority).is_err()
        {
            return Err(AdminError::forbidden("pages of other origins are not served".to_owned()));
        }
        let oidc = match self {
            Self::Sessions(sessions) => return sessions.admit(shared, method, headers),
            Self::Keys(oidc) => oidc.as_ref(),
            Self::Local => None,
        };
        let shown = bearer(headers).ok_or_else(AdminError::unauthorized)?;
        if let Some(operator) = shared.live().admission.admin().operator(shown) {
            return Ok(operator);
        }
        // A token has two dots, and a provider that is away keeps no key out.
        let token = match oidc.filter(|_| shown.matches('.').count() == 2) {
            Some(oidc) => oidc.bearer(shared, shown).await?,
            None => None,
        };
        token.ok_or_else(AdminError::unauthorized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_stays_signed_in_as_long_as_a_row_gives_the_same() {
        let admin = |rows: serde_json::Value| -> Admin {
            serde_json::from_value(serde_json::json!({"oidc": {
                "issuer": "https://id.example", "client_id": "us", "origin": "https://guard.example", "role": rows,
            }}))
            .unwrap()
        };
        let person = Operator::known("person:1", Role::Auditor, [], By::Person(vec!["Ann".to_owned()]));
        let row = |role: &str| serde_json::json!([{"group": "security", "role": role}]);
        let still = |admin: Admin| person.is_still(&admin, &Secrets::read(&admin).unwrap(), None);
        assert!(still(admin(row("auditor"))));
        assert!(!still(admin(row("viewer"))));
        assert!(!still(admin(serde_json::json!([]))));
        assert!(!still(Admin::default()));
    }
}
