//! A server of the Model Context Protocol as the target: one of its tools is asked, over Streamable HTTP.
//!
//! Each question is a connection of its own: initialize, then one call, then the session is ended where there is one, so
//! nothing of one question is left for the next.

use std::time::Duration;

use http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::{Answer, Ask, Reply, Role, Usage};
use crate::failure::{Failure, FailureKind};
use crate::web::{Got, Web, failed};

/// The revision that is asked for.
const REVISION: &str = "2025-11-25";

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Which tool of a server is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpTool {
    /// Its name.
    pub tool: String,
    /// The argument that is the last turn of the user.
    pub argument: String,
    /// Other arguments, as they are.
    #[serde(default)]
    pub arguments: serde_json::Map<String, Value>,
}

/// What is needed to ask.
pub(crate) struct Line<'a> {
    pub(crate) web: &'a Web,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) patience: Duration,
    pub(crate) most: usize,
}

impl Line<'_> {
    async fn send(&self, method: Method, session: Option<&HeaderValue>, body: &Value) -> Result<Got, Failure> {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if body["method"] != "initialize" {
            headers.insert(VERSION, HeaderValue::from_static(REVISION));
        }
        if let Some(session) = session {
            headers.insert(SESSION, session.clone());
        }
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let got = self.web.send((method, self.uri.clone(), headers), bytes, self.patience, self.most).await?;
        match failed(&got, None) {
            Some(failure) => Err(failure),
            None => Ok(got),
        }
    }
}

/// Asks the tool.
pub(crate) async fn ask(line: &Line<'_>, tool: &McpTool, ask: &Ask) -> Result<Answer, Failure> {
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "bartizan", "version": env!("CARGO_PKG_VERSION")}}});
    let got = line.send(Method::POST, None, &hello).await?;
    answer(&got, 1)?;
    let session = got.headers.get(SESSION).cloned();
    let session = session.as_ref();
    line.send(Method::POST, session, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
    let prompt = ask.turns.iter().rev().find(|t| t.role == Role::User).map_or("", |t| t.content.as_str());
    let mut arguments = tool.arguments.clone();
    arguments.insert(tool.argument.clone(), Value::from(prompt));
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool.tool, "arguments": arguments}});
    let got = line.send(Method::POST, session, &call).await?;
    if session.is_some() {
        // A server need not let itself be told (405).
        let _ = line.send(Method::DELETE, session, &Value::Null).await;
    }
    let result = answer(&got, 2)?;
    let texts = result["content"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    let text = texts.collect::<Vec<_>>().join("\n");
    if result["isError"] == true {
        return Err(Failure::new(FailureKind::Rejected, "the tool says that it failed").saying(text));
    }
    let usage = Usage { estimated: true, ..Usage::default() };
    Ok(Answer::Reply(Reply { text, usage, ..Reply::default() }))
}

/// The result of the request with this id: the body, or an event of it.
fn answer(got: &Got, id: u64) -> Result<Value, Failure> {
    let text = std::str::from_utf8(&got.body).map_err(|_| Failure::malformed("not UTF-8"))?;
    let whole = serde_json::from_str::<Value>(text).ok();
    let events = || text.lines().filter_map(|l| serde_json::from_str::<Value>(l.strip_prefix("data:")?.trim()).ok());
    let message = whole.into_iter().chain(events()).find(|m| m["id"] == id);
    let mut message = message.ok_or_else(|| Failure::malformed("no answer to the request"))?;
    match message.get("error") {
        Some(error) => {
            let code = error["code"].as_i64().unwrap_or_default();
            let said = error["message"].as_str().unwrap_or_default();
            Err(Failure::new(FailureKind::Rejected, format!("error {code} of the server")).saying(said))
        }
        None => Ok(message["result"].take()),
    }
}
