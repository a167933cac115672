//! The program as a whole, from outside.
#![allow(clippy::disallowed_methods, reason = "tests own processes, sockets and files")]

mod backup;
mod checks;
mod cli;
mod conformance;
mod content;
mod custody;
mod data;
mod demo;
mod dialects;
mod evidence;
mod exposed;
mod faults;
mod fuzz_replay;
mod gateway;
mod guides;
mod http;
mod import;
mod litellm;
mod mcp;
mod oncall;
mod operations;
mod packaging;
mod posture;
mod privacy;
mod pseudonyms;
mod redteam;
mod reload;
mod report;
mod requests;
mod scan;
mod sdk;
mod siem;
mod signing;
mod support;
mod tenants;
