//! Instructions smuggled to the model, and what they are after.

mod evidence;
pub mod indirect_instruction;
pub mod instruction_override;
mod lexicon;
pub mod prompt_extraction;
mod words;
