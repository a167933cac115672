//! The list of a server's tools, asked for by the gateway itself where a client calls before anybody has listed.
//!
//! A definition that was never read can neither be compared with its pin nor be refused, so no tool is called before all
//! pages of the list went through the guard once.

use std::sync::Arc;

use bartizan_mcp::{Id, Message};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::session::{Next, Session};
use crate::shared::{Live, Shared};

/// Most pages of a list that are asked for.
pub(super) const MOST_PAGES: usize = 100;

/// A page of the list to ask a server for.
pub(crate) struct Page {
    pub(crate) id: Id,
    /// What the server is sent.
    pub(crate) request: Vec<u8>,
    /// Answered once the page was read: where the next one is, if there is one. Closed where it could not be read.
    pub(crate) read: oneshot::Receiver<Option<String>>,
    meta: Option<Value>,
    number: usize,
}

impl Session {
    /// The first page of the list, where this message is a call and nobody has listed yet.
    pub(crate) async fn page_before(&self, shared: &Arc<Shared>, live: &Arc<Live>, message: &[u8]) -> Option<Page> {
        if self.server.is_listed(&self.principal.tenant) {
            return None;
        }
        let Ok(Message::Request { method, params, .. }) = Message::read(message) else { return None };
        if method != "tools/call" {
            return None;
        }
        // From 2026-07-28 on every request says there which revision it is of.
        let params: Option<Value> = params.and_then(|params| serde_json::from_str(params.get()).ok());
        let mut meta = params.and_then(|params| params.get("_meta").cloned());
        if let Some(meta) = meta.as_mut().and_then(Value::as_object_mut) {
            meta.remove("progressToken");
        }
        self.page(shared, live, (meta, None), 0).await
    }

    /// The page at that place.
    pub(crate) async fn page_after(
        &self,
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        page: Page,
        cursor: String,
    ) -> Option<Page> {
        let number = page.number + 1;
        if number < MOST_PAGES { self.page(shared, live, (page.meta, Some(cursor)), number).await } else { None }
    }

    async fn page(
        &self,
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        (meta, cursor): (Option<Value>, Option<String>),
        number: usize,
    ) -> Option<Page> {
        let name = format!("bartizan-{}", uuid::Uuid::now_v7());
        let mut params = serde_json::Map::new();
        params.extend(meta.clone().map(|meta| ("_meta".to_owned(), meta)));
        params.extend(cursor.map(|cursor| ("cursor".to_owned(), Value::from(cursor))));
        let request = json!({"jsonrpc": "2.0", "id": name, "method": "tools/list", "params": params});
        let id = Id::Text(name);
        let read = self.expect_page(&id);
        match self.client_says(shared, live, request.to_string().into_bytes()).await {
            Next::Forward(permitted) => Some(Page { id, request: permitted.into_inner().body, read, meta, number }),
            _ => {
                self.forget(&id);
                None
            }
        }
    }
}
