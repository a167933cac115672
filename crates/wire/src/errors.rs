//! Errors and refusals in the shapes that clients of a protocol understand.
//!
//! A caller sees an event id and a message, never a rule: rules would tell an attacker what to change.

use bartizan_core::{Limits, Protocol};

use crate::json::encode;
use crate::stream::{Ending, Head, StreamReader};

/// Why a request gets no reply of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Policy does not let it pass.
    Blocked,
    /// The request is malformed.
    InvalidRequest,
    /// The route does not take this method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    SlowRequest,
    /// The request is larger than the limit.
    TooLarge,
    /// The request is of a media type or content coding that is not read.
    UnsupportedMedia,
    /// No key, or a wrong one.
    Unauthorized,
    /// The key does not cover this.
    Forbidden,
    /// No such route or model.
    NotFound,
    /// Over a budget or rate.
    RateLimited,
    /// The upstream answered with something unusable.
    Upstream,
    /// The guard or the upstream cannot be used now.
    Unavailable,
    /// The upstream took too long.
    Timeout,
    /// A fault of the guard itself.
    Internal,
}

impl ErrorKind {
    /// Every kind, in documentation order.
    pub const ALL: [Self; 14] = [
        Self::Blocked,
        Self::InvalidRequest,
        Self::MethodNotAllowed,
        Self::SlowRequest,
        Self::TooLarge,
        Self::UnsupportedMedia,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::Upstream,
        Self::Unavailable,
        Self::Timeout,
        Self::Internal,
    ];

    /// Status, `type` and `code` of an OpenAI error.
    const fn openai(self) -> (u16, &'static str, Option<&'static str>) {
        match self {
            Self::Blocked => (400, "invalid_request_error", Some("content_policy_violation")),
            Self::InvalidRequest => (400, "invalid_request_error", None),
            Self::MethodNotAllowed => (405, "invalid_request_error", Some("method_not_allowed")),
            Self::SlowRequest => (408, "invalid_request_error", Some("request_timeout")),
            Self::TooLarge => (413, "invalid_request_error", Some("request_too_large")),
            Self::UnsupportedMedia => (415, "invalid_request_error", Some("unsupported_media_type")),
            Self::Unauthorized => (401, "invalid_request_error", Some("invalid_api_key")),
            Self::Forbidden => (403, "invalid_request_error", Some("permission_denied")),
            Self::NotFound => (404, "invalid_request_error", Some("not_found")),
            Self::RateLimited => (429, "rate_limit_error", Some("rate_limit_exceeded")),
            Self::Upstream => (502, "server_error", Some("upstream_error")),
            Self::Unavailable => (503, "server_error", Some("unavailable")),
            Self::Timeout => (504, "server_error", Some("timeout")),
            Self::Internal => (500, "server_error", Some("internal_error")),
        }
    }

    /// Status and `type` of an Anthropic error.
    const fn anthropic(self) -> (u16, &'static str) {
        match self {
            Self::Blocked | Self::InvalidRequest => (400, "invalid_request_error"),
            Self::MethodNotAllowed => (405, "invalid_request_error"),
            Self::SlowRequest => (408, "invalid_request_error"),
            Self::TooLarge => (413, "request_too_large"),
            Self::UnsupportedMedia => (415, "invalid_request_error"),
            Self::Unauthorized => (401, "authentication_error"),
            Self::Forbidden => (403, "permission_error"),
            Self::NotFound => (404, "not_found_error"),
            Self::RateLimited => (429, "rate_limit_error"),
            Self::Upstream => (502, "api_error"),
            Self::Unavailable => (529, "overloaded_error"),
            Self::Timeout => (504, "timeout_error"),
            Self::Internal => (500, "api_error"),
        }
    }

    /// Status and `status` of a Google API error (google.rpc.Code).
    const fn google(self) -> (u16, &'static str) {
        match self {
            Self::Blocked | Self::InvalidRequest => (400, "INVALID_ARGUMENT"),
            Self::MethodNotAllowed => (405, "UNIMPLEMENTED"),
            Self::SlowRequest => (408, "DEADLINE_EXCEEDED"),
            Self::TooLarge => (413, "INVALID_ARGUMENT"),
            Self::UnsupportedMedia => (415, "INVALID_ARGUMENT"),
            Self::Unauthorized => (401, "UNAUTHENTICATED"),
            Self::Forbidden => (403, "PERMISSION_DENIED"),
            Self::NotFound => (404, "NOT_FOUND"),
            Self::RateLimited => (429, "RESOURCE_EXHAUSTED"),
            Self::Upstream => (502, "UNAVAILABLE"),
            Self::Unavailable => (503, "UNAVAILABLE"),
            Self::Timeout => (504, "DEADLINE_EXCEEDED"),
            Self::Internal => (500, "INTERNAL"),
        }
    }

    /// Status and exception name of a Bedrock Runtime error.
    const fn bedrock(self) -> (u16, &'static str) {
        match self {
            Self::Blocked | Self::InvalidRequest => (400, "ValidationException"),
            Self::MethodNotAllowed => (405, "ValidationException"),
            Self::SlowRequest => (408, "ModelTimeoutException"),
            Self::TooLarge => (413, "ValidationException"),
            Self::UnsupportedMedia => (415, "ValidationException"),
            Self::Unauthorized => (401, "AccessDeniedException"),
            Self::Forbidden => (403, "AccessDeniedException"),
            Self::NotFound => (404, "ResourceNotFoundException"),
            Self::RateLimited => (429, "ThrottlingException"),
            Self::Upstream => (502, "InternalServerException"),
            Self::Unavailable => (503, "ServiceUnavailableException"),
            Self::Timeout => (504, "ModelTimeoutException"),
            Self::Internal => (500, "InternalServerException"),
        }
    }
}

/// HTTP status and JSON body of an error. Protocols without a shape of their own get OpenAI's.
#[must_use]
pub fn error_body(protocol: Protocol, kind: ErrorKind, message: &str, event_id: Option<&str>) -> (u16, Vec<u8>) {
    let message = encode(message);
    match protocol {
        Protocol::AnthropicMessages => {
            let (status, name) = kind.anthropic();
            let id = event_id.map_or(String::new(), |id| format!(r#","request_id":{}"#, encode(id)));
            let body = format!(r#"{{"type":"error","error":{{"type":"{name}","message":{message}}}{id}}}"#);
            return (status, body.into_bytes());
        }
        Protocol::Gemini => {
            let (status, name) = kind.google();
            let reason = if kind == ErrorKind::Blocked { "CONTENT_POLICY_VIOLATION" } else { name };
            // google.rpc.ErrorInfo: where Google's clients look for more than a message.
            let details = event_id.map_or(String::new(), |id| {
                format!(
                    r#","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}","domain":"bartizan","metadata":{{"event_id":{}}}}}]"#,
                    encode(id)
                )
            });
            let body = format!(r#"{{"error":{{"code":{status},"message":{message},"status":"{name}"{details}}}}}"#);
            return (status, body.into_bytes());
        }
        // Before a message is read nobody knows its id.
        Protocol::Mcp => {
            let (status, _, _) = kind.openai();
            let data = event_id.map_or(String::new(), |id| format!(r#","data":{{"event_id":{}}}"#, encode(id)));
            let body = format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":-32000,"message":{message}{data}}}}}"#);
            return (status, body.into_bytes());
        }
        Protocol::BedrockConverse => {
            let (status, name) = kind.bedrock();
            let id = event_id.map_or(String::new(), |id| format!(r#","event_id":{}"#, encode(id)));
            return (status, format!(r#"{{"__type":"{name}","message":{message}{id}}}"#).into_bytes());
        }
        _ => {}
    }
    let (status, name, code) = kind.openai();
    let code = code.map_or("null".to_owned(), encode);
    let id = event_id.map_or(String::new(), |id| format!(r#","event_id":{}"#, encode(id)));
    let body = format!(r#"{{"error":{{"message":{message},"type":"{name}","param":null,"code":{code}{id}}}}}"#);
    (status, body.into_bytes())
}

/// Body of a well-formed 200 reply in which the model seems to refuse.
#[must_use]
pub fn refusal_body(protocol: Protocol, model: &str, event_id: &str, message: &str) -> Vec<u8> {
    said_body(protocol, model, event_id, message, true)
}

/// Body of a well-formed 200 reply in which the model seems to say this and to be done: it stands for a reply of which
/// a tool call did not go out.
#[must_use]
pub fn notice_body(protocol: Protocol, model: &str, event_id: &str, message: &str) -> Vec<u8> {
    said_body(protocol, model, event_id, message, false)
}

fn said_body(protocol: Protocol, model: &str, event_id: &str, message: &str, refused: bool) -> Vec<u8> {
    let or = |refusal: &'static str, notice: &'static str| if refused { refusal } else { notice };
    let (model, message, id) = (encode(model), encode(message), encode(event_id));
    let body = match protocol {
        Protocol::AnthropicMessages => format!(
            r#"{{"id":{},"type":"message","role":"assistant","model":{model},"content":[{{"type":"text","text":{message}}}],"stop_reason":"{}","stop_sequence":null,"usage":{{"input_tokens":0,"output_tokens":0}},"event_id":{id}}}"#,
            encode(&format!("msg_{event_id}")),
            or("refusal", "end_turn"),
        ),
        Protocol::OpenaiResponses => {
            let head = Head { id: encode(&format!("resp_{event_id}")), created_at: "0".to_owned(), model };
            let part = said_part(&message, refused);
            refused_response(&head, "completed", &refused_item(event_id, "completed", &part), event_id)
        }
        Protocol::OpenaiCompletions => format!(
            r#"{{"id":{},"object":"text_completion","created":0,"model":{model},"choices":[{{"index":0,"text":{message},"logprobs":null,"finish_reason":"{}"}}],"usage":{{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}},"event_id":{id}}}"#,
            encode(&format!("cmpl-{event_id}")),
            or("content_filter", "stop"),
        ),
        Protocol::Gemini => format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":{message}}}],"role":"model"}},"finishReason":"{}","index":0}}],"usageMetadata":{{"promptTokenCount":0,"totalTokenCount":0}},"modelVersion":{model},"responseId":{id}}}"#,
            or("SAFETY", "STOP"),
        ),
        Protocol::BedrockConverse => format!(
            r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":{message}}}]}}}},"stopReason":"{}","usage":{{"inputTokens":0,"outputTokens":0,"totalTokens":0}},"metrics":{{"latencyMs":0}},"event_id":{id}}}"#,
            or("content_filtered", "end_turn"),
        ),
        _ => format!(
            r#"{{"id":{},"object":"chat.completion","created":0,"model":{model},"choices":[{{"index":0,"message":{{"role":"assistant",{}}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}},"event_id":{id}}}"#,
            encode(&format!("chatcmpl-{event_id}")),
            if refused {
                format!(r#""content":null,"refusal":{message}"#)
            } else {
                format!(r#""content":{message},"refusal":null"#)
            },
        ),
    };
    body.into_bytes()
}

/// A whole event stream in which the model seems to refuse.
#[must_use]
pub fn refusal_stream(protocol: Protocol, model: &str, event_id: &str, message: &str) -> Vec<u8> {
    StreamReader::new(protocol, &Limits::default()).with_model(model).ending(Ending::Refusal { message, event_id })
}

/// The part of a message of a Responses reply with its last words. `text` is a JSON literal.
pub(crate) fn said_part(text: &str, refused: bool) -> String {
    if refused {
        format!(r#"{{"type":"refusal","refusal":{text}}}"#)
    } else {
        format!(r#"{{"type":"output_text","text":{text},"annotations":[],"logprobs":[]}}"#)
    }
}

/// The message item of a Responses reply in which the model seems to refuse. `content` are its parts.
pub(crate) fn refused_item(event_id: &str, status: &str, content: &str) -> String {
    let id = encode(&format!("msg_{event_id}"));
    format!(r#"{{"id":{id},"type":"message","status":"{status}","role":"assistant","content":[{content}]}}"#)
}

/// The same response. `output` are its items.
pub(crate) fn refused_response(head: &Head, status: &str, output: &str, event_id: &str) -> String {
    let usage = if status == "completed" { NO_USAGE } else { "null" };
    response(head, status, "null", output, usage, &format!(r#","event_id":{}"#, encode(event_id)))
}

/// The members of a Responses `error` event, and the response object of the event that ends it.
pub(crate) fn failed_response(head: &Head, kind: ErrorKind, message: &str, event_id: Option<&str>) -> (String, String) {
    let (_, name, code) = kind.openai();
    let (message, code) = (encode(message), encode(code.unwrap_or(name)));
    let id = event_id.map_or(String::new(), |id| format!(r#","event_id":{}"#, encode(id)));
    // The documented event is flat; the SDKs raise what stands under `error`, as the API itself sends it.
    let error = format!(
        r#""code":{code},"message":{message},"param":null,"error":{{"message":{message},"type":"{name}","param":null,"code":{code}{id}}}"#
    );
    let failure = format!(r#"{{"code":{code},"message":{message}}}"#);
    (error, response(head, "failed", &failure, "", "null", &id))
}

const NO_USAGE: &str = r#"{"input_tokens":0,"input_tokens_details":{"cached_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0}"#;

fn response(head: &Head, status: &str, error: &str, output: &str, usage: &str, tail: &str) -> String {
    let Head { id, created_at, model } = head;
    format!(
        r#"{{"id":{id},"object":"response","created_at":{created_at},"status":"{status}","error":{error},"incomplete_details":null,"instructions":null,"metadata":{{}},"model":{model},"output":[{output}],"parallel_tool_calls":true,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null,"usage":{usage}{tail}}}"#
    )
}
