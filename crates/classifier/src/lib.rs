//! Does a text try to instruct a model against its operator? A small linear model over hashed features of words,
//! letters and meanings, on windows of about 500 characters of the whole text and of all that is encoded in it.
//!
//! It runs over every text that may hold an instruction, in time linear in the text and with memory for one window.
//! Where it is not sure, a small transformer reads the passages that it suspects most.
//! `docs/guide/injection.md` says what its scores mean, `docs/threats/injection.md` what it cannot do.
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

mod cascade;
mod concepts;
mod detector;
mod encoder;
mod error;
mod features;
pub mod fit;
mod given;
mod model;
mod normal;
mod placeholder;
mod reading;

pub use detector::{Classifier, channel};
pub use encoder::{Encoder, Logits};
pub use error::ClassifierError;
pub use given::Given;
pub use model::{Calibration, Channel, Family, Hit, Passage, Scorer, Stages, Weights};
