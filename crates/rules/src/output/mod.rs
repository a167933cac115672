//! Active content in what the model wrote.

pub mod active_content;
mod code;
pub mod terminal_escape;
