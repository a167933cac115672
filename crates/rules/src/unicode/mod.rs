//! Text that people and models read differently.

mod class;
pub mod hidden_text;
