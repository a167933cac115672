//! Per-key detection of model theft and abuse: what a key asks, against what it usually asks.
//!
//! A [`Watch`] is what is known of one key: a few counters a day, a sketch of the words that it has used, and signatures
//! of its latest requests. Nothing in it is text; words are kept as keyed hashes (SipHash-1-3, Aumasson and Bernstein
//! 2012) that differ from key to key. [`Watches`] holds a bounded number of them. There is no clock and no I/O here: the
//! time is an argument, and the same requests at the same times give the same answer.
//!
//! The patterns are those of the literature on model extraction: unnatural queries and coverage of the input space
//! (Krishna et al., ICLR 2020; Kesarwani et al., ACSAC 2018; Juuti et al., PRADA, EuroS&P 2019), near-identical queries
//! (Zhang et al., SEAT, 2021), log probabilities and logit biases (Carlini et al., ICML 2024; Finlayson et al., 2024),
//! dumps of embeddings (Dziedzic et al., 2022), and variants of a text that was refused.
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

mod codec;
mod days;
mod query;
mod refused;
mod ring;
mod settings;
mod signal;
mod sketch;
mod watch;
mod watches;

pub use codec::CodecError;
pub use query::{Asked, Query, Reader, Text};
pub use settings::{Expect, Level, Levels, Response, Settings, Then};
pub use signal::{Measure, Signal, Signals};
pub use watch::{Count, Raised, Seen, Standing, Watch};
pub use watches::{Kept, Listed, Totals, Watches, Who};

/// Milliseconds of an hour.
pub(crate) const HOUR: i64 = 3_600_000;
/// Milliseconds of a day.
pub(crate) const DAY: i64 = 24 * HOUR;

#[cfg(test)]
mod tests;
