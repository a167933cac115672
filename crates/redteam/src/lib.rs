//! Attacks on a model and its guard, with proof.
//!
//! A [`Plan`] names probes, ways of writing them and numbers of trials; [`Work`] is the plan made ready; [`run`] carries it
//! out against a [`Target`] and keeps every word in a [`journal`]; [`Tally`] counts what was proven and [`Summary`] says how
//! sure that is. Nothing here needs a network of its own, and an error of a target counts as nothing.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::disallowed_methods, reason = "it keeps journals, owns a sink's socket and measures time")]

pub mod canary;
mod compare;
mod error;
mod evidence;
mod fuzz;
mod gate;
pub mod harden;
mod harness;
mod import;
pub mod journal;
mod judge;
mod media;
mod pair;
mod plan;
mod probe;
mod proof;
mod redact;
pub mod report;
mod run;
mod scene;
pub mod stats;
mod summary;
mod tally;
mod target;
mod trial;

#[cfg(test)]
mod zoo;

pub use compare::{Compared, Pair, compare};
pub use error::RedteamError;
pub use evidence::{Evidence, Marks, Seen, Step, weigh};
pub use fuzz::{Evasion, Fuzz, Fuzzed, fuzz};
pub use gate::{Bound, Gate, Measure};
pub use harness::{Effect, Sink, World};
pub use import::{Imported, import};
pub use judge::Judge;
pub use plan::{Cell, Estimate, Plan, Work};
pub use probe::{Channel, Gadget, Pack, Probe, Proof};
pub use run::{Done, Options, rescore, run};
pub use scene::{Chain, Filling, Scene, set};
pub use summary::{GateResult, Line, Share, Summary, WayLine};
pub use tally::{Fault, Tally};
pub use target::{Script, Target};
