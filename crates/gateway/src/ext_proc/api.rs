//! Messages of Envoy's external processing protocol, as far as they are used here.
//!
//! Names, numbers and types are those of the public Envoy API: `envoy/service/ext_proc/v3/external_processor.proto`,
//! `envoy/config/core/v3/base.proto`, `envoy/type/v3/http_status.proto` and
//! `envoy/extensions/filters/http/ext_proc/v3/processing_mode.proto`. A field that is not here is skipped when it is read.

use bytes::Bytes;
use prost::{Message, Oneof};

/// Full name of the method, as a path.
pub const PROCESS: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";

/// `ProcessingMode.BodySendMode.FULL_DUPLEX_STREAMED`.
pub const FULL_DUPLEX_STREAMED: i32 = 4;

/// `HeaderValueOption.HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD`.
pub const APPEND: i32 = 0;

/// `HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD`.
pub const OVERWRITE: i32 = 2;

/// What Envoy says.
#[derive(Clone, PartialEq, Message)]
pub struct ProcessingRequest {
    /// About which part of an exchange.
    #[prost(oneof = "Part", tags = "2, 3, 4, 5, 6, 7")]
    pub request: Option<Part>,
    /// No answer is waited for.
    #[prost(bool, tag = "10")]
    pub observability_mode: bool,
    /// How bodies are sent. In the first message only.
    #[prost(message, optional, tag = "11")]
    pub protocol_config: Option<ProtocolConfiguration>,
}

/// Part of an exchange.
#[derive(Clone, PartialEq, Oneof)]
pub enum Part {
    /// The head of the request.
    #[prost(message, tag = "2")]
    RequestHeaders(HttpHeaders),
    /// The head of the reply.
    #[prost(message, tag = "3")]
    ResponseHeaders(HttpHeaders),
    /// A piece of the request's body.
    #[prost(message, tag = "4")]
    RequestBody(HttpBody),
    /// A piece of the reply's body.
    #[prost(message, tag = "5")]
    ResponseBody(HttpBody),
    /// Trailers of the request.
    #[prost(message, tag = "6")]
    RequestTrailers(HttpTrailers),
    /// Trailers of the reply.
    #[prost(message, tag = "7")]
    ResponseTrailers(HttpTrailers),
}

/// How bodies are sent.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ProtocolConfiguration {
    /// `BodySendMode` of requests.
    #[prost(int32, tag = "1")]
    pub request_body_mode: i32,
    /// `BodySendMode` of replies.
    #[prost(int32, tag = "2")]
    pub response_body_mode: i32,
}

/// A head.
#[derive(Clone, PartialEq, Message)]
pub struct HttpHeaders {
    /// Its fields, pseudo-headers included.
    #[prost(message, optional, tag = "1")]
    pub headers: Option<HeaderMap>,
    /// There is no body.
    #[prost(bool, tag = "3")]
    pub end_of_stream: bool,
}

/// A piece of a body.
#[derive(Clone, PartialEq, Message)]
pub struct HttpBody {
    /// Its bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub body: Bytes,
    /// It is the last one, and no trailers follow.
    #[prost(bool, tag = "2")]
    pub end_of_stream: bool,
}

/// Trailers.
#[derive(Clone, PartialEq, Message)]
pub struct HttpTrailers {
    /// Their fields.
    #[prost(message, optional, tag = "1")]
    pub trailers: Option<HeaderMap>,
}

/// Fields of a head.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderMap {
    /// In order.
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<HeaderValue>,
}

/// One field.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderValue {
    /// Its name in lower case.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value as text; empty where it is in `raw_value`.
    #[prost(string, tag = "2")]
    pub value: String,
    /// Its value as bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub raw_value: Bytes,
}

/// What Envoy is told.
#[derive(Clone, PartialEq, Message)]
pub struct ProcessingResponse {
    /// About which part of an exchange.
    #[prost(oneof = "Answer", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub response: Option<Answer>,
}

/// An answer about a part of an exchange.
#[derive(Clone, PartialEq, Oneof)]
pub enum Answer {
    /// The head of the request.
    #[prost(message, tag = "1")]
    RequestHeaders(CommonAnswer),
    /// The head of the reply.
    #[prost(message, tag = "2")]
    ResponseHeaders(CommonAnswer),
    /// A piece of the request's body.
    #[prost(message, tag = "3")]
    RequestBody(CommonAnswer),
    /// A piece of the reply's body.
    #[prost(message, tag = "4")]
    ResponseBody(CommonAnswer),
    /// Trailers of the request.
    #[prost(message, tag = "5")]
    RequestTrailers(TrailersResponse),
    /// Trailers of the reply.
    #[prost(message, tag = "6")]
    ResponseTrailers(TrailersResponse),
    /// An answer in place of the upstream's.
    #[prost(message, tag = "7")]
    ImmediateResponse(ImmediateResponse),
}

/// `HeadersResponse` and `BodyResponse`, which are alike.
#[derive(Clone, PartialEq, Message)]
pub struct CommonAnswer {
    /// What becomes of the part.
    #[prost(message, optional, tag = "1")]
    pub response: Option<CommonResponse>,
}

/// What becomes of a part. Its `status` is always `CONTINUE`, which is the default.
#[derive(Clone, PartialEq, Message)]
pub struct CommonResponse {
    /// Changes of the head.
    #[prost(message, optional, tag = "2")]
    pub header_mutation: Option<HeaderMutation>,
    /// What is sent in place of the body.
    #[prost(message, optional, tag = "3")]
    pub body_mutation: Option<BodyMutation>,
}

/// What becomes of trailers.
#[derive(Clone, PartialEq, Message)]
pub struct TrailersResponse {
    /// Changes of the fields.
    #[prost(message, optional, tag = "1")]
    pub header_mutation: Option<HeaderMutation>,
}

/// Changes of fields.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderMutation {
    /// Fields that are set.
    #[prost(message, repeated, tag = "1")]
    pub set_headers: Vec<HeaderValueOption>,
    /// Names of fields that are taken away, before others are set.
    #[prost(string, repeated, tag = "2")]
    pub remove_headers: Vec<String>,
}

/// A field to set.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderValueOption {
    /// The field.
    #[prost(message, optional, tag = "1")]
    pub header: Option<HeaderValue>,
    /// [`APPEND`] or [`OVERWRITE`].
    #[prost(int32, tag = "3")]
    pub append_action: i32,
}

/// What is sent in place of a body. Of the three forms, the one of full duplex.
#[derive(Clone, PartialEq, Message)]
pub struct BodyMutation {
    /// A piece of it.
    #[prost(message, optional, tag = "3")]
    pub streamed_response: Option<StreamedBodyResponse>,
}

/// A piece of a body.
#[derive(Clone, PartialEq, Message)]
pub struct StreamedBodyResponse {
    /// Its bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub body: Bytes,
    /// It is the last one.
    #[prost(bool, tag = "2")]
    pub end_of_stream: bool,
}

/// An answer in place of the upstream's.
#[derive(Clone, PartialEq, Message)]
pub struct ImmediateResponse {
    /// Its status.
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
    /// Its fields.
    #[prost(message, optional, tag = "2")]
    pub headers: Option<HeaderMutation>,
    /// Its body.
    #[prost(bytes = "bytes", tag = "3")]
    pub body: Bytes,
    /// A word for Envoy's access log.
    #[prost(string, tag = "5")]
    pub details: String,
}

/// A status.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct HttpStatus {
    /// Such as 400.
    #[prost(int32, tag = "1")]
    pub code: i32,
}
