//! Tests over all built-in detectors, through the real engine.

mod abuse;
mod complaints;
mod disguise;
mod leak;
mod ordinary;
mod packs;
mod pages;
mod requests;
mod streaming;
mod topics;
