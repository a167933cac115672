//! The gateway in process, over real sockets.
#![allow(clippy::disallowed_methods, reason = "tests use clocks, files and sockets")]

mod access;
mod front;
mod support;
