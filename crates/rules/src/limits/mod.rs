//! Sizes, repetition, resource use.

pub mod oversized_text;
pub mod repetition;
