//! Model files as they are on disk, read without ever loading them.
//!
//! [`examine`] takes the bytes of one file and says what loading it would do, what it is made of, and what of it was
//! not read. A pickle is interpreted, not searched: every import, call and attribute write that its machine may carry
//! out is recorded when it happens, and judged against the few that frameworks need. What is not known is a finding.
//!
//! Types are told by content, never by name. Everything here reads hostile bytes: time is linear in what is read, work
//! and memory are bounded by [`Budget`], nothing recurses without a depth, and what was left out is said.
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

mod bytes;
mod codec;
mod config;
#[cfg(test)]
mod container_tests;
mod coreml;
mod danger;
mod desk;
#[cfg(test)]
mod evasion_tests;
#[cfg(test)]
mod format_tests;
mod gguf;
mod hdf5;
mod keras;
mod kind;
mod msgpack;
mod names;
mod npy;
mod onnx;
mod openvino;
mod paddle;
mod path;
mod pickle;
mod proto;
mod python;
mod raw;
pub mod rules;
mod safetensors;
mod sentencepiece;
mod sevenz;
mod tar;
mod template;
mod tensorflow;
#[cfg(test)]
mod tests;
mod tflite;
mod ubjson;
mod zip;

pub use desk::{Budget, Found, Gap, Report, Step};

/// Examines one file. `bytes` is all of it.
#[must_use]
pub fn examine(bytes: &[u8], budget: &Budget) -> Report {
    let mut desk = desk::Desk::new(budget);
    let format = kind::examine(bytes, &mut desk);
    desk.report(format)
}
