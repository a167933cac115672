//! The admin API: one table of operations, from which the routes and the OpenAPI document are made.
//!
//! It has listeners of its own. On its TCP listener an administration key or an ID token says who asks; on the local
//! socket the operating system does, by file permission.

mod abuse;
mod access;
mod approvals;
mod candidate;
mod check;
mod console;
mod contain;
mod content;
mod error;
mod events;
mod exceptions;
mod keys;
mod mark;
mod openapi;
mod results;
mod rules;
mod status;
mod tools;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, RawPathParams, Request};
use axum::routing::{MethodFilter, on};
use bartizan_core::AccessStore;
use http::Response;
use serde::de::DeserializeOwned;
use tower::util::MapResponseLayer;

pub(crate) use access::{AdminAccess, By, Need, Operator, Secrets};
pub(crate) use error::AdminError;
pub use openapi::openapi;
pub(crate) use tools::{ServerView, ToolView, is_for};

use crate::body::read;
use crate::shared::Shared;
use crate::stack::with_security_headers;

/// Largest body of a question.
const MAX_BODY: usize = 1 << 20;

/// What an operation answers.
pub(crate) type Answer = Result<serde_json::Value, AdminError>;

/// One question to the admin API, from someone who may ask it.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) operator: Operator,
    path: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Call {
    /// A part of the path by its name in the template.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A parameter of the query string.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A number in the query string.
    pub(crate) fn number(&self, name: &str, default: u32, most: u32) -> Result<u32, AdminError> {
        match self.query(name) {
            None => Ok(default),
            Some(text) => match text.parse::<u32>() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(AdminError::bad(format!("`{name}` is a number from 1 to {most}"))),
            },
        }
    }

    /// The tenant that is asked about: the one named in the query string, or the only one that the operator may see.
    pub(crate) fn tenant(&self) -> Result<bartizan_core::TenantId, AdminError> {
        self.operator.tenant(self.query("tenant"))
    }

    /// Where keys and containments are kept.
    pub(crate) fn access_store(&self) -> Result<Arc<dyn AccessStore>, AdminError> {
        let store = self.shared.access.store();
        store.cloned().ok_or_else(|| AdminError::bad("this gateway keeps no keys and containments".to_owned()))
    }

    /// The body as what the operation takes.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, AdminError> {
        serde_json::from_slice(&self.body).map_err(|e| AdminError::bad(format!("the body does not fit: {e}")))
    }
}

/// Why something is done, without blanks around it.
pub(crate) fn reason(text: &str) -> Result<&str, AdminError> {
    match text.trim() {
        "" => Err(AdminError::bad("a reason is needed: it goes on record".to_owned())),
        reason => Ok(reason),
    }
}

/// A parameter of the query string.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
}

type Run = fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>>;
type SchemaOf = fn(&mut schemars::SchemaGenerator) -> schemars::Schema;

/// One operation.
pub(crate) struct Operation {
    pub(crate) method: http::Method,
    /// Path template: `/admin/v1/events/{id}`.
    pub(crate) path: &'static str,
    /// Name in the OpenAPI document.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) need: Need,
    pub(crate) query: &'static [Parameter],
    /// Shape of the body; `None` where there is none.
    pub(crate) body: Option<SchemaOf>,
    /// Shape of the answer.
    pub(crate) answer: SchemaOf,
    pub(crate) run: Run,
}

const TENANT: Parameter = Parameter { name: "tenant", summary: "Tenant; may be left out where there is one choice." };

/// Every operation.
pub(crate) fn operations() -> Vec<Operation> {
    [
        status::operations(),
        events::operations(),
        rules::operations(),
        candidate::operations(),
        check::operations(),
        console::operations(),
        content::operations(),
        keys::operations(),
        contain::operations(),
        mark::operations(),
        exceptions::operations(),
        approvals::operations(),
        abuse::operations(),
        results::operations(),
        tools::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes of all operations.
pub(crate) fn router(shared: Arc<Shared>, access: AdminAccess, tls: bool) -> Router {
    let access = Arc::new(access);
    let mut router = Router::new();
    for operation in operations() {
        let Ok(filter) = MethodFilter::try_from(operation.method.clone()) else { continue };
        let (shared, access) = (Arc::clone(&shared), Arc::clone(&access));
        let (need, run) = (operation.need, operation.run);
        let handler = move |path: RawPathParams, query: Query<BTreeMap<String, String>>, request: Request| {
            let (shared, access) = (Arc::clone(&shared), Arc::clone(&access));
            let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            async move {
                match answer(shared, &access, need, run, path, query.0, request).await {
                    Ok(value) => crate::failure::json(200, value.to_string().into_bytes()),
                    Err(error) => error.respond(),
                }
            }
        };
        router = router.route(operation.path, on(filter, handler));
    }
    router
        .fallback(|| async { AdminError::not_found("this operation").respond() })
        .layer(MapResponseLayer::new(move |response: Response<Body>| with_security_headers(response, tls)))
}

async fn answer(
    shared: Arc<Shared>,
    access: &AdminAccess,
    need: Need,
    run: Run,
    path: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    request: Request,
) -> Answer {
    let operator = access.admit(&shared, request.method(), request.headers(), request.uri()).await?;
    if !operator.may(need) {
        return Err(AdminError::forbidden(format!("`{}` may not do this", operator.name())));
    }
    let time = Duration::from_millis(shared.live().settings.timeouts.body_ms);
    let body = read(request.into_body(), MAX_BODY, time)
        .await
        .map_err(|_| AdminError::bad("the body is too large or did not arrive".to_owned()))?;
    run(Call { shared, operator, path, query, body }).await
}
