//! The gateway in process, over real sockets.
#![allow(clippy::disallowed_methods, reason = "tests use clocks, files and sockets")]
#![allow(clippy::print_stdout, reason = "long runs say what they did")]

mod abuse;
mod access;
mod admin;
mod agents;
mod answers;
mod approvals;
mod bad_input;
mod console;
mod ext_proc;
mod faults;
mod front;
mod oidc;
mod password;
mod provider;
mod raw;
mod results;
mod rules;
mod smuggling;
mod support;
mod walls;
mod wires;
