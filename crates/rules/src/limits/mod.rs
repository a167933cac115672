//! Sizes, repetition, resource use, and how a key is used over many requests.

pub mod abuse;
pub mod input_tokens;
pub mod oversized_text;
pub mod repetition;
