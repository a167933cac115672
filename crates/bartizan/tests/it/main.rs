//! The program as a whole, from outside.

mod cli;
mod conformance;
mod fuzz_replay;
mod gateway;
mod http;
mod requests;
mod sdk;
mod support;
