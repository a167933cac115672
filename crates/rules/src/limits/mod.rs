//! Sizes, repetition, resource use.

pub mod input_tokens;
pub mod oversized_text;
pub mod repetition;
