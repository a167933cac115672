//! Bounds on work and memory. Nothing that reads hostile input runs without them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds on work and memory for one request, file or row. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest request or reply body that is read.
    pub max_body: usize,
    /// Longest single text that is examined; the rest counts as not read.
    pub max_text: usize,
    /// Deepest nesting of JSON.
    pub max_json_depth: usize,
    /// Most values in one JSON document.
    pub max_json_values: usize,
    /// Most encodings peeled off one another.
    pub max_decode_depth: u8,
    /// Most bytes that decoding may produce for one text.
    pub max_decoded: usize,
    /// Most findings of one detector in one text.
    pub max_findings: usize,
    /// Most bytes of one tool call's arguments held back in a stream.
    pub max_held: usize,
    /// Most bytes that decompression and decoding may produce for the documents of one body.
    pub max_document_expanded: usize,
    /// Most members, pages and attachments of the documents of one body.
    pub max_document_parts: usize,
    /// Most documents inside one another.
    pub max_document_depth: usize,
    /// Most passages of one request or reply that the second stage of the injection classifier reads, the most suspect
    /// of each text first; the first stage alone judges the rest.
    pub max_model_passages: usize,
    /// Most tokens of a request, estimated rather high; a longer one is refused and never cut short. No limit where
    /// left out. An upstream may say otherwise.
    pub max_input_tokens: Option<usize>,
    /// The same by model: names, or prefixes with `*` at the end. The longest name that fits counts.
    pub max_input_tokens_by_model: BTreeMap<String, usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 16 << 20,
            max_text: 8 << 20,
            max_json_depth: 64,
            max_json_values: 1 << 20,
            max_decode_depth: 4,
            max_decoded: 4 << 20,
            max_findings: 1000,
            max_held: 1 << 20,
            max_document_expanded: 64 << 20,
            max_document_parts: 10_000,
            max_document_depth: 4,
            max_model_passages: 32,
            max_input_tokens: None,
            max_input_tokens_by_model: BTreeMap::new(),
        }
    }
}
