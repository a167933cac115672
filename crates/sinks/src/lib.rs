//! Delivers records to places outside, at least once.
//!
//! A sink reads the chain in order behind the place where it stopped, and that place moves only after the other side has
//! acknowledged. So a record may come twice after a crash or a lost answer, and receivers tell by its `id`; none is left
//! out. Nothing here is on the way of a request.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "sinks own sockets, clocks and the files of their places")]

mod cursor;
mod deliver;
mod error;
mod http;
mod otlp;
mod settings;
mod splunk;
mod syslog;
mod time;
mod webhook;

pub use deliver::{Counts, Sinks};
pub use error::SinkError;
pub use settings::{Filter, Sink, Target};
