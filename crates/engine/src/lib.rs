//! The engine: one text in, findings, scores and coverage out; whole or as a stream.
//!
//! A text is brought into its [views](bartizan_core::view), all anchors of all detectors are looked for in one
//! shared pass over each distinct view, and only detectors with something to look at are called. [`Engine::scan`]
//! does it for a whole text, [`Stream`] for one that is still arriving, with the same findings for every split.
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

mod dedupe;
mod digits;
mod engine;
mod error;
pub mod law;
mod meter;
mod prefilter;
mod stream;
mod suppress;
#[cfg(test)]
mod toys;
mod views;

pub use engine::{Engine, Input, Scan};
pub use error::EngineError;
pub use meter::{Clock, Meter, Spent};
pub use stream::{Step, Stream, Surroundings};
pub use suppress::{RulePattern, Suppression};

/// A name as it is compared: without what cannot be seen, compatibility forms, letter case, combining marks and white
/// space, and with look-alikes of ASCII characters replaced by them. Equal names may be taken for one another.
#[must_use]
pub fn fold_name(name: &str) -> String {
    views::fold_name(name)
}

/// Version of the canonicaliser, for [`EngineId::canon`](bartizan_core::EngineId::canon).
#[must_use]
pub const fn canon() -> &'static str {
    views::VERSION
}
