//! Text layers of documents: PDF, Office and other archives of XML, HTML and e-mail, by bounded readers.
//!
//! A document inside a request is data to the gateway and words to the model. This crate gets the words out: what is
//! shown and what is not. Hidden text, comments, alternative texts, metadata, annotations, form fields and attachments
//! are text, because that is where instructions are hidden.
//!
//! Everything here reads hostile bytes. Work and memory are bounded by [`Limits`](bartizan_core::Limits) for all the
//! documents of one body together; the parsers of other crates run where a panic is caught; and what could not be
//! read is said, never passed over.
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

mod archive;
mod charset;
mod extract;
mod format;
mod html;
mod layer;
mod mail;
mod pdf;
#[cfg(test)]
mod tests;
mod xml;

pub use extract::Extractor;
pub use format::{Format, recognise};
pub use layer::{Document, Passage};
