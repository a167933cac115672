//! What callers are told instead of rules: coarse kinds of detectors, in the words of each API.

use bartizan_core::{Confidence, Family, RuleId};

/// A kind of detector. Rules stay out of answers: they would tell an attacker which words to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detector {
    /// Instructions smuggled to the model.
    PromptAttack,
    /// The operator's instructions, or a canary in them, in an answer.
    PromptLeak,
    /// Credentials.
    Secrets,
    /// Personal data.
    Pii,
    /// Characters that people do not see.
    HiddenText,
    /// Data leaving through links and images.
    Exfiltration,
    /// Active content in an answer.
    UnsafeOutput,
    /// Sizes and repetition.
    ResourceAbuse,
    /// Subjects and words that the deployment does not want.
    Topics,
    /// Tool definitions and calls.
    ToolAbuse,
    /// Something that must not pass because it cannot be read.
    Unread,
}

impl Detector {
    /// The kind that a rule belongs to.
    pub(crate) fn of(rule: &RuleId) -> Self {
        match rule.family() {
            Family::Prompt if rule.as_str().ends_with("-leak") => Self::PromptLeak,
            Family::Prompt => Self::PromptAttack,
            Family::Secret => Self::Secrets,
            Family::Pii => Self::Pii,
            Family::Unicode => Self::HiddenText,
            Family::Egress => Self::Exfiltration,
            Family::Output => Self::UnsafeOutput,
            Family::Limits => Self::ResourceAbuse,
            Family::Topic => Self::Topics,
            Family::Tool | Family::Mcp | Family::Model | Family::Data | Family::Infra => Self::ToolAbuse,
        }
    }

    /// The kinds that have rules in force. What cannot be read is always noticed.
    pub(crate) fn served<'a>(rules: impl Iterator<Item = &'a RuleId>) -> Vec<Self> {
        let mut served: Vec<Self> = rules.map(Self::of).chain([Self::Unread]).collect();
        served.sort_unstable();
        served.dedup();
        served
    }

    /// Category of the moderations API.
    pub(crate) const fn category(self) -> &'static str {
        match self {
            Self::PromptAttack => "prompt_attack",
            Self::PromptLeak => "prompt_leak",
            Self::Secrets => "secrets",
            Self::Pii => "pii",
            Self::HiddenText => "hidden_text",
            Self::Exfiltration => "exfiltration",
            Self::UnsafeOutput => "unsafe_output",
            Self::ResourceAbuse => "resource_abuse",
            Self::Topics => "topics",
            Self::ToolAbuse => "tool_abuse",
            Self::Unread => "unreadable",
        }
    }

    /// Scanner of LLM Guard, on prompts or on outputs; a name of our own where it has none for the same thing.
    pub(crate) const fn scanner(self, output: bool) -> &'static str {
        match self {
            Self::PromptAttack => "PromptInjection",
            Self::PromptLeak => "PromptLeak",
            Self::Secrets => "Secrets",
            Self::Pii if output => "Sensitive",
            Self::Pii => "Anonymize",
            Self::HiddenText => "InvisibleText",
            Self::Exfiltration => "Exfiltration",
            Self::UnsafeOutput => "UnsafeOutput",
            Self::ResourceAbuse => "ResourceAbuse",
            Self::Topics => "BanSubstrings",
            Self::ToolAbuse => "ToolAbuse",
            Self::Unread => "Unreadable",
        }
    }
}

/// Lakera's type of a finding: `pii/email`, `prompt_attack`.
pub(crate) fn lakera(detector: Detector, entity: Option<&str>) -> String {
    let name = match (detector, entity) {
        (Detector::Exfiltration, _) => "unknown_links",
        (Detector::Pii, Some("EMAIL_ADDRESS")) => "pii/email",
        (Detector::Pii, Some("US_SSN")) => "pii/us_social_security_number",
        (Detector::Pii, Some(entity)) => return format!("pii/{}", entity.to_ascii_lowercase()),
        (other, _) => other.category(),
    };
    name.to_owned()
}

/// A score for APIs that want one. Rules say how sure they are in three words; these are those words as numbers, not
/// probabilities.
pub(crate) const fn score(confidence: Confidence) -> f64 {
    match confidence {
        Confidence::Low => 0.5,
        Confidence::Medium => 0.75,
        Confidence::High => 1.0,
    }
}
