//! Text that people and models read differently, or that a route does not expect.

mod class;
pub mod disallowed_script;
pub mod hidden_text;
