//! Tests over all built-in detectors, through the real engine.

mod disguise;
mod ordinary;
mod packs;
mod pages;
mod streaming;
