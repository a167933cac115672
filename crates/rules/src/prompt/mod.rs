//! Instructions smuggled to the model, and what they are after.

pub mod canary_leak;
pub mod delimiter_attack;
mod evidence;
pub mod indirect_instruction;
pub mod instruction_override;
pub mod learned_injection;
pub mod many_shot;
mod object;
pub mod prompt_extraction;
mod reader;
pub mod role_forging;
pub mod special_tokens;
pub mod system_leak;
mod words;
