//! Active content in what the model wrote, and replies that do not fit what they are put into.

pub mod active_content;
mod code;
pub mod html_injection;
pub mod log_injection;
pub mod markdown_injection;
pub mod protected_text;
pub mod schema_violation;
pub mod shell_injection;
pub mod sink;
pub mod sql_injection;
pub mod template_injection;
pub mod terminal_escape;
