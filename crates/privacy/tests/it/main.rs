//! Privacy tests against a server whose memory is known exactly.
#![allow(clippy::disallowed_methods, reason = "tests own files")]

mod known;
mod memoriser;
