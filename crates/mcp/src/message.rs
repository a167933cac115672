//! The envelope of a message (JSON-RPC 2.0), and messages of our own.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Why a line or body is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not one JSON object, a member twice, or of the wrong type.
    #[error("not one JSON-RPC message (line {line}, column {column})")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// `jsonrpc` is not `2.0`.
    #[error("`jsonrpc` must be `2.0`")]
    Version,
    /// An id that is neither a string nor an integer.
    #[error("`id` must be a string or an integer")]
    Id,
    /// It has neither a method nor an outcome, or more than one of them.
    #[error("a message has a `method`, or an `id` with one of `result` and `error`")]
    Shape,
    /// A request without an id: a peer that looks at the method alone carries it out, and nobody is told.
    #[error("a request needs an `id`: only methods under `notifications/` have none")]
    NoId,
}

/// Where the methods are that need no answer.
const NOTIFICATIONS: &str = "notifications/";

/// The id of a request. Two ids are one where a peer would take them for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A string.
    Text(String),
}

impl Id {
    /// It as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        }
    }

    fn read(raw: &RawValue) -> Result<Option<Self>, MessageError> {
        match serde_json::from_str(raw.get()) {
            Ok(serde_json::Value::Null) => Ok(None),
            Ok(serde_json::Value::String(text)) => Ok(Some(Self::Text(text))),
            Ok(serde_json::Value::Number(number)) => {
                number.as_i64().map(Self::Number).map(Some).ok_or(MessageError::Id)
            }
            _ => Err(MessageError::Id),
        }
    }
}

/// One message, borrowed from its bytes.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// Somebody asks.
    Request {
        /// Its id.
        id: Id,
        /// What is asked for.
        method: String,
        /// With what.
        params: Option<&'a RawValue>,
    },
    /// Somebody says something that needs no answer.
    Notification {
        /// What it is about.
        method: String,
        /// Particulars.
        params: Option<&'a RawValue>,
    },
    /// An answer.
    Response {
        /// The request that it answers; `None` where the peer could not read one.
        id: Option<Id>,
        /// What came out; `None` where an error did.
        result: Option<&'a RawValue>,
    },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    jsonrpc: String,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// A member that is there, be it `null`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Message<'a> {
    /// Reads the envelope. What is in it is for the guard to read.
    ///
    /// # Errors
    /// It is no message of JSON-RPC 2.0, or a batch, which the protocol has not (since 2025-06-18).
    pub fn read(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let envelope: Envelope<'a> = serde_json::from_slice(bytes)
            .map_err(|error| MessageError::Malformed { line: error.line(), column: error.column() })?;
        if envelope.jsonrpc != "2.0" {
            return Err(MessageError::Version);
        }
        let id = envelope.id.map(Id::read).transpose()?;
        let Envelope { method, params, result, error, .. } = envelope;
        match (method, id, result, error) {
            (Some(method), None, None, None) if !method.starts_with(NOTIFICATIONS) => Err(MessageError::NoId),
            (Some(method), None, None, None) => Ok(Self::Notification { method, params }),
            (Some(method), Some(id), None, None) => {
                Ok(Self::Request { id: id.ok_or(MessageError::Id)?, method, params })
            }
            (None, Some(id), Some(_), None) | (None, Some(id), None, Some(_)) => Ok(Self::Response { id, result }),
            _ => Err(MessageError::Shape),
        }
    }
}

/// What a `tools/call` calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// The arguments; an empty object where there are none.
    pub arguments: serde_json::Value,
}

impl ToolCall {
    /// Reads the parameters of a `tools/call`; `None` where they name no tool.
    #[must_use]
    pub fn read(params: Option<&RawValue>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Params {
            name: String,
            #[serde(default)]
            arguments: serde_json::Map<String, serde_json::Value>,
        }
        let Params { name, arguments } = serde_json::from_str(params?.get()).ok()?;
        Some(Self { name, arguments: arguments.into() })
    }

    /// SHA-256 of the tool and its arguments in canonical form, hex: two calls of one hash are one call.
    #[must_use]
    pub fn hash(&self) -> String {
        crate::tool::hash(&serde_json::json!({"name": self.name, "arguments": self.arguments}))
    }
}

/// An answer that something went wrong. `code` is JSON-RPC's; the event names the record of a decision.
#[must_use]
pub fn error_reply(id: Option<&Id>, code: i32, message: &str, event: Option<&str>) -> Vec<u8> {
    let id = id.map_or("null".to_owned(), Id::json);
    let message = serde_json::Value::from(message);
    let data = event.map_or(String::new(), |event| format!(r#","data":{}"#, serde_json::json!({"event_id": event})));
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}{data}}}}}"#).into_bytes()
}

/// The answer to a `tools/call` that a model can go on from: a result that is an error.
#[must_use]
pub fn tool_error(id: &Id, message: &str, event: &str) -> Vec<u8> {
    let (id, message) = (id.json(), serde_json::Value::from(message));
    let meta = serde_json::json!({"bartizan/event_id": event});
    // The later revision wants to know of each result whether it is one.
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":{message}}}],"isError":true,"resultType":"complete","_meta":{meta}}}}}"#
    )
    .into_bytes()
}
