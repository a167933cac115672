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

use bartizan_core::RuleId;

/// True for the rules that go by the words of a text, as the classifier does. The others go by its form: delimiters, labels
/// of turns, known tokens.
#[must_use]
pub fn goes_by_words(rule: &RuleId) -> bool {
    let rules = [&instruction_override::RULES, &prompt_extraction::RULES, &indirect_instruction::RULES];
    rules.iter().any(|[by_words]| by_words.id == *rule)
}
