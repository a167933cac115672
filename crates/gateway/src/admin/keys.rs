//! Client keys.

use bartizan_access::{AccessError, KeyHasher, NewKey};
use bartizan_core::{AccessStore, Grant, KeyRecord, TenantId};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AdminError, Answer, Call, Need, Operation, TENANT, reason};
use crate::keys::{KeyChange, KeyView, create_key, find_key, is_key_name, revoke_key, rotate_key};

/// A key that is to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// Name in records and metrics: 1 to 64 of the characters a-z, A-Z, 0-9, `-`, `_`, `.` and `@`.
    name: String,
    /// For how many seconds it is good; for ever where this is left out.
    ttl_s: Option<u32>,
    /// What it may do; everything where this is left out.
    #[serde(default)]
    grant: Grant,
}

/// How a key gets another secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// For how many seconds the secret before is good too.
    #[serde(default)]
    grace_s: u32,
}

/// Why a key is taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// It goes on record.
    reason: String,
}

/// A key with its secret, which is shown this once.
#[derive(Serialize, JsonSchema)]
struct Shown {
    /// The key itself.
    secret: String,
    /// What is kept of it.
    key: KeyView,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/keys",
            id: "listKeys",
            summary: "Client keys of the tenant, without their secrets",
            need: Need::Look,
            query: &[TENANT],
            body: None,
            answer: |generator| generator.subschema_for::<Vec<KeyView>>(),
            run: |call| Box::pin(list(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/keys",
            id: "createKey",
            summary: "Make a client key; its secret is in the answer and nowhere else",
            need: Need::Change,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Create>()),
            answer: |generator| generator.subschema_for::<Shown>(),
            run: |call| Box::pin(create(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/keys/{key}/rotate",
            id: "rotateKey",
            summary: "Give a client key another secret",
            need: Need::Change,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Rotate>()),
            answer: |generator| generator.subschema_for::<Shown>(),
            run: |call| Box::pin(rotate(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/keys/{key}/revoke",
            id: "revokeKey",
            summary: "Take a client key back",
            need: Need::Change,
            query: &[TENANT],
            body: Some(|generator| generator.subschema_for::<Revoke>()),
            answer: |generator| generator.subschema_for::<KeyView>(),
            run: |call| Box::pin(revoke(call)),
        },
    ]
}

async fn hasher(store: &dyn AccessStore) -> Result<KeyHasher, AdminError> {
    Ok(KeyHasher::new(&store.hash_key().await?))
}

fn random(error: AccessError) -> AdminError {
    bartizan_core::StoreError::Failed(error.to_string()).into()
}

async fn list(call: Call) -> Answer {
    let (tenant, now) = (call.tenant()?, call.shared.access.now().wall);
    let keys = call.access_store()?.keys(&tenant).await?;
    Ok(serde_json::to_value(keys.iter().map(|key| KeyView::of(key, now)).collect::<Vec<_>>())?)
}

async fn create(call: Call) -> Answer {
    let (tenant, wanted) = (call.tenant()?, call.body::<Create>()?);
    let live = call.shared.live();
    if !is_key_name(&wanted.name) {
        let rule = "a name is 1 to 64 of the characters a-z, A-Z, 0-9, `-`, `_`, `.` and `@`";
        return Err(AdminError::bad(rule.to_owned()));
    }
    let tenants = &live.settings.tenant;
    if !tenants.is_empty() && tenant != TenantId::sole() && !tenants.iter().any(|t| t.name == tenant) {
        return Err(AdminError::not_found("this tenant"));
    }
    if wanted.grant.profile.as_ref().is_some_and(|name| !live.has_profile(name)) {
        return Err(AdminError::bad("the guard profile of `grant` is not configured".to_owned()));
    }
    let store = call.access_store()?;
    let now = call.shared.access.now().wall;
    let expires = wanted.ttl_s.map(|seconds| now.saturating_add(i64::from(seconds) * 1000));
    let hasher = hasher(store.as_ref()).await?;
    let made = create_key((&tenant, &wanted.name), wanted.grant, (now, expires), &hasher, call.operator.name());
    let (secret, KeyChange { key, act }) = made.map_err(random)?;
    let view = KeyView::of(&key, now);
    if !store.create(&tenant, key, act).await? {
        return Err(AdminError::bad("there is a key with this name already; rotate or revoke it".to_owned()));
    }
    shown(&call, &secret, view).await
}

/// The answer with a secret, once the key works.
async fn shown(call: &Call, secret: &NewKey, key: KeyView) -> Answer {
    call.shared.access.look().await?;
    Ok(serde_json::to_value(Shown { secret: secret.text().to_owned(), key })?)
}

async fn named(call: &Call, store: &dyn AccessStore, tenant: &TenantId) -> Result<KeyRecord, AdminError> {
    let found = find_key(store.keys(tenant).await?, call.path("key"));
    found.ok_or_else(|| AdminError::not_found("this key"))
}

async fn rotate(call: Call) -> Answer {
    let (tenant, Rotate { grace_s }) = (call.tenant()?, call.body()?);
    let store = call.access_store()?;
    let old = named(&call, store.as_ref(), &tenant).await?;
    let (now, hasher) = (call.shared.access.now().wall, hasher(store.as_ref()).await?);
    let turned = rotate_key(old, i64::from(grace_s) * 1000, now, &hasher, call.operator.name());
    let (secret, KeyChange { key, act }) = turned.map_err(random)?;
    let view = KeyView::of(&key, now);
    if !store.change(&tenant, key, act).await? {
        return Err(AdminError::not_found("this key"));
    }
    shown(&call, &secret, view).await
}

async fn revoke(call: Call) -> Answer {
    let (tenant, wanted) = (call.tenant()?, call.body::<Revoke>()?);
    let reason = reason(&wanted.reason)?;
    let store = call.access_store()?;
    let old = named(&call, store.as_ref(), &tenant).await?;
    let now = call.shared.access.now().wall;
    let KeyChange { key, act } = revoke_key(old, now, call.operator.name(), reason);
    let view = KeyView::of(&key, now);
    if !store.change(&tenant, key, act).await? {
        return Err(AdminError::not_found("this key"));
    }
    // Out of force when this is answered, and not only when the store is looked at next.
    call.shared.access.look().await?;
    Ok(serde_json::to_value(view)?)
}
