//! The list of all built-in detectors: one line each, in alphabetical order.

use bartizan_core::{Detector, Rule};

use crate::{RulesError, Settings};

/// Builds one detector.
pub type Make = fn(&Settings) -> Result<Box<dyn Detector>, RulesError>;

/// Every built-in detector.
pub const DETECTORS: &[Make] = &[
    crate::egress::markup_link::make,
    crate::limits::oversized_text::make,
    crate::limits::repetition::make,
    crate::mcp::tool_poisoning::make,
    crate::output::active_content::make,
    crate::output::html_injection::make,
    crate::output::log_injection::make,
    crate::output::markdown_injection::make,
    crate::output::shell_injection::make,
    crate::output::sql_injection::make,
    crate::output::template_injection::make,
    crate::output::terminal_escape::make,
    crate::pii::age::make,
    crate::pii::coordinates::make,
    crate::pii::credentials::make,
    crate::pii::credit_card::make,
    crate::pii::crypto_address::make,
    crate::pii::date::make,
    crate::pii::email::make,
    crate::pii::iban::make,
    crate::pii::identifier::make,
    crate::pii::names::make,
    crate::pii::nationality::make,
    crate::pii::network_address::make,
    crate::pii::phone::make,
    crate::pii::title::make,
    crate::pii::travel_document::make,
    crate::pii::url::make,
    crate::pii::us_ssn::make,
    crate::pii::zip_code::make,
    crate::prompt::canary_leak::make,
    crate::prompt::delimiter_attack::make,
    crate::prompt::indirect_instruction::make,
    crate::prompt::instruction_override::make,
    crate::prompt::many_shot::make,
    crate::prompt::prompt_extraction::make,
    crate::prompt::role_forging::make,
    crate::prompt::special_tokens::make,
    crate::prompt::system_leak::make,
    crate::secret::generic_assignment::make,
    crate::secret::keys::make,
    crate::secret::kubernetes_secret::make,
    crate::unicode::disallowed_script::make,
    crate::unicode::hidden_text::make,
];

/// Rules whose findings the guard makes: about a whole exchange, with what the modules of the rules offer, and of the
/// classifier.
pub const OF_GUARD: &[&Rule] = &[
    &crate::data::CANARY_DOCUMENT,
    &crate::data::OUT_OF_SCOPE_CHUNK,
    &crate::limits::abuse::BROAD_COVERAGE,
    &crate::limits::abuse::EMBEDDING_DUMP,
    &crate::limits::input_tokens::RULE,
    &crate::limits::abuse::LOGPROB_HARVEST,
    &crate::limits::abuse::REFUSAL_RETRIES,
    &crate::limits::abuse::TEMPLATED_PROBING,
    &crate::limits::abuse::USAGE_ANOMALY,
    &crate::mcp::CROSS_SERVER_REFERENCE,
    &crate::mcp::ELICITED_SECRET,
    &crate::mcp::SAMPLING_REQUEST,
    &crate::mcp::TOOL_CHANGED,
    &crate::mcp::TOOL_SHADOWING,
    &crate::mcp::UNDECIDED_CALL,
    &crate::mcp::UNSAFE_LINK,
    &crate::output::protected_text::RULE,
    &crate::output::schema_violation::RULE,
    &crate::prompt::learned_injection::RULE,
];
