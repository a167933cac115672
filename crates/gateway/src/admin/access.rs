//! Who may administer.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_core::TenantId;
use http::{HeaderMap, Method, Uri};

use super::AdminError;
use crate::admission::{KeyHash, bearer};
use crate::console::Sessions;
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
}

impl Operator {
    /// One who is known by a key.
    pub(crate) fn of_key(name: &str, role: Role, tenants: impl IntoIterator<Item = TenantId>) -> Self {
        Self { name: name.to_owned(), role: Some(role), tenants: tenants.into_iter().collect() }
    }

    /// The operator of this machine, by another way in.
    pub(crate) fn at_console(&self) -> Self {
        Self { name: "console".to_owned(), ..self.clone() }
    }

    /// True for the operator of this machine.
    pub(crate) const fn is_local(&self) -> bool {
        self.role.is_none()
    }

    /// True as long as the configuration has the same of it.
    pub(crate) fn is_still(&self, settings: &Admin) -> bool {
        self.is_local()
            || settings.key.iter().any(|key| *self == Self::of_key(&key.name, key.role, key.tenants.clone()))
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
    /// By key.
    Keys(Vec<(KeyHash, Operator)>),
    /// By file permission.
    Local,
    /// By a session of the console.
    Sessions(Arc<Sessions>),
}

/// Reads the administration keys.
///
/// # Errors
/// One cannot be read, is too short, or belongs to two names.
pub(crate) fn operators(settings: &Admin) -> Result<Vec<(KeyHash, Operator)>, String> {
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
        keys.push((hash, Operator::of_key(&key.name, key.role, key.tenants.iter().cloned())));
    }
    Ok(keys)
}

impl AdminAccess {
    /// By the keys of the configuration.
    ///
    /// # Errors
    /// As [`operators`], or there is no key.
    pub(crate) fn keys(settings: &Admin) -> Result<Self, String> {
        if settings.key.is_empty() {
            return Err("`admin.listen` needs keys: add an `[[admin.key]]` section".to_owned());
        }
        Ok(Self::Keys(operators(settings)?))
    }

    /// The operator of this machine.
    pub(crate) const fn local() -> Self {
        Self::Local
    }

    pub(crate) fn admit(
        &self,
        shared: &Shared,
        method: &Method,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Operator, AdminError> {
        if matches!(self, Self::Local) {
            return Ok(Operator { name: "cli".to_owned(), role: None, tenants: BTreeSet::new() });
        }
        // A page that rebinds its name to this address has no key, but errors are no business of pages either.
        let authority = uri.authority().map(http::uri::Authority::as_str);
        if headers.contains_key(http::header::ORIGIN)
            && shared.live().admission.check_origin(headers, authority).is_err()
        {
            return Err(AdminError::forbidden("pages of other origins are not served".to_owned()));
        }
        let keys = match self {
            Self::Sessions(sessions) => return sessions.admit(shared, method, headers),
            Self::Keys(keys) => keys.as_slice(),
            Self::Local => &[],
        };
        let presented = KeyHash::of(bearer(headers).ok_or_else(AdminError::unauthorized)?);
        // Every key is compared, so that the time says nothing about which one matched.
        let mut found = None;
        for (hash, operator) in keys {
            if hash.is(&presented) {
                found = Some(operator);
            }
        }
        found.cloned().ok_or_else(AdminError::unauthorized)
    }
}
