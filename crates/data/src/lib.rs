//! Corpora of text, row by row and as a whole.
//!
//! Readers know formats, [`layout`] knows what columns mean, the guard knows rules about a text, and [`poison`] and
//! [`duplicates`] know what only shows in many rows. Rows go through in batches; results do not depend on their order or
//! on the number of threads.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "this crate reads and writes the files of a corpus")]

pub mod canaries;
mod cell;
pub mod clean;
pub mod contamination;
pub mod difference;
pub mod duplicates;
mod error;
mod examine;
mod excerpt;
pub mod layout;
pub mod ledger;
pub mod limits;
pub mod page;
mod pass;
pub mod poison;
mod read;
pub mod rules;
mod scanner;
mod stream;
pub mod suite;
mod whole;

pub use cell::Cell;
pub use error::DataError;
pub use examine::{Place, RowReport, examine};
pub use layout::{Columns, Role, Row, Turn};
pub use pass::{At, Corpus, Passed, Shard};
pub use read::{Batch, Body, Coding, Form, Gap, Item, Reading, Record, Shape, Sink, Unit, read, spool, units};
pub use scanner::{Looked, Scanner};
pub use stream::arrow;
pub use whole::{Whole, look, look_without};
