//! The form of a pack file.

use bartizan_core::{Confidence, Persona, Reference, Severity};
use serde::Deserialize;
use toml::Spanned;

use super::checksum::Checksum;

/// A pack file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) defaults: Defaults,
    pub(super) rule: Vec<Row>,
}

/// What most rules of a pack share.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Defaults {
    pub(super) why: String,
    pub(super) limits: String,
    pub(super) fix: String,
    pub(super) severity: Option<Severity>,
    pub(super) confidence: Option<Confidence>,
    pub(super) references: Vec<String>,
    pub(super) entropy: f32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            why: "The author of the pack did not say.".to_owned(),
            limits: "Only the written form is checked, not whether the token is in use.".to_owned(),
            fix: "Take the token out, and replace it where it is in use.".to_owned(),
            severity: None,
            confidence: None,
            references: Vec::new(),
            entropy: 2.5,
        }
    }
}

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) id: Spanned<String>,
    pub(super) summary: String,
    /// By default the summary.
    pub(super) description: Option<String>,
    pub(super) why: Option<String>,
    pub(super) limits: Option<String>,
    pub(super) fix: Option<String>,
    pub(super) severity: Option<Severity>,
    pub(super) confidence: Option<Confidence>,
    #[serde(default = "regular")]
    pub(super) persona: Persona,
    #[serde(rename = "type")]
    pub(super) entity: String,
    #[serde(default)]
    pub(super) references: Vec<String>,
    #[serde(default = "first_version")]
    pub(super) since: String,
    /// Forms of the token.
    #[serde(default)]
    pub(super) shapes: Vec<Spanned<String>>,
    /// Instead of shapes. A group named `token` narrows what is reported.
    pub(super) regex: Option<Spanned<String>>,
    /// What the regex begins with.
    #[serde(default)]
    pub(super) literals: Vec<String>,
    /// Most bytes that the regex covers.
    #[serde(default = "regex_length")]
    pub(super) max_length: usize,
    /// The token must be the value given to a name with one of these in it, as in `acme_key = …`.
    #[serde(default)]
    pub(super) keywords: Vec<String>,
    /// For keywords that are words of a language: the name must also say what its value is, as `acme_token` does.
    #[serde(default)]
    pub(super) named: bool,
    /// One of these must stand before the token.
    #[serde(default)]
    pub(super) context: Vec<String>,
    /// How many bytes before the token a context word may start.
    #[serde(default = "context_distance")]
    pub(super) within: usize,
    /// Behind one of these the token is one that is made to be shown, as in the page of a web application. It is reported
    /// with low confidence then. They stand in the `within` bytes before.
    #[serde(default)]
    pub(super) public: Vec<String>,
    /// Least entropy of the token's runs, in bits a character.
    pub(super) entropy: Option<f32>,
    #[serde(default)]
    pub(super) checksum: Checksum,
    #[serde(default)]
    pub(super) mismatch: Mismatch,
    /// Whether the token must not stand inside a longer word.
    #[serde(default = "yes")]
    pub(super) boundary: bool,
    pub(super) fire: Vec<Spanned<String>>,
    pub(super) silent: Vec<Spanned<String>>,
}

impl Row {
    /// Least entropy of the token's runs.
    pub(super) fn least_entropy(&self, defaults: &Defaults) -> f32 {
        self.entropy.unwrap_or(defaults.entropy)
    }

    /// What the rule is about, also outside of this pack.
    pub(super) fn references<'a>(&'a self, defaults: &'a Defaults) -> &'a [String] {
        if self.references.is_empty() { &defaults.references } else { &self.references }
    }
}

/// What a wrong checksum means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mismatch {
    /// Not a token.
    #[default]
    Drop,
    /// A token with one step less confidence: older tokens may have no checksum.
    Lower,
}

const fn regular() -> Persona {
    Persona::Regular
}

fn first_version() -> String {
    "0.1.0".to_owned()
}

const fn regex_length() -> usize {
    256
}

const fn context_distance() -> usize {
    100
}

const fn yes() -> bool {
    true
}

/// `CWE-798`, `LLM02`, `RFC 7519`, `CVE-2025-1`, a bare address, or `CATALOGUE entry`.
pub(super) fn reference(text: &str) -> Reference {
    let (catalogue, id) = if text.starts_with("CWE-") {
        ("CWE", text)
    } else if text.starts_with("CVE-") {
        ("CVE", text)
    } else if text.starts_with("LLM") {
        ("OWASP-LLM", text)
    } else if text.starts_with("https://") {
        ("URL", text)
    } else {
        text.split_once(' ').unwrap_or(("URL", text))
    };
    Reference { catalogue: catalogue.to_owned().into(), id: id.to_owned().into() }
}
