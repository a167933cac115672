//! OpenAI, Anthropic, Gemini, Bedrock and MCP bodies ⇄ [`Exchange`](bartizan_core::Exchange), whole bodies and streams.
//!
//! Everything here is a function of bytes: no sockets, no clock. [`request`], [`reply`] and [`conversation`] read a
//! body into an exchange in which *every* string, key and number is a text with an origin, or part of something that
//! cannot be read. [`rewrite`] changes single texts and leaves all other bytes alone. [`SseDecoder`] and
//! [`StreamReader`] do the same for streamed replies.
//!
//! Bodies that two parsers could read differently are refused: a key that comes twice, a role that is unknown, a
//! field of the wrong type where it decides who says what.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::todo,
        clippy::unreachable
    )
)]

mod anthropic;
mod bedrock;
mod blob;
mod body;
mod error;
mod errors;
mod gemini;
mod generic;
pub mod json;
mod mcp;
mod openai;
mod openai_completions;
mod openai_embeddings;
mod openai_responses;
mod rewrite;
mod sampling;
mod splice;
mod sse;
mod stream;
mod visit;

pub use blob::data;
pub use body::{conversation, mcp, reply, request};
pub use error::WireError;
pub use errors::{ErrorKind, error_body, notice_body, refusal_body, refusal_stream};
pub use rewrite::{prune, rewrite};
pub use sampling::{Sampling, sampling, without_logprobs};
pub use sse::{SseDecoder, SseEvent};
pub use stream::{CallPart, Channel, ChannelPart, Chunk, Delta, Ending, StreamReader};

#[cfg(test)]
mod tests;
