//! Tests over all built-in detectors, through the real engine.

mod ordinary;
mod packs;
mod pages;
