//! Definitions of tools, and their canonical form.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// One tool as a server defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name; empty where it has none.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// SHA-256 of the whole definition in canonical form, hex.
    pub hash: String,
}

/// What one answer to `tools/list` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The tools in their order.
    pub tools: Vec<Tool>,
    /// True where there are more pages.
    pub more: bool,
}

impl Listed {
    /// Reads a result: an object with a member `tools`.
    #[must_use]
    pub fn read(result: &Value) -> Self {
        let tools = result.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self {
            tools: tools.iter().map(Tool::read).collect(),
            more: result.get("nextCursor").is_some_and(|cursor| !cursor.is_null()),
        }
    }
}

impl Tool {
    /// Reads one definition. Whatever it is, it has a hash.
    #[must_use]
    pub fn read(definition: &Value) -> Self {
        let text = |key| definition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name: text("name"), description: text("description"), hash: hash(definition) }
    }
}

/// SHA-256 of a value in canonical form, hex.
#[must_use]
pub fn hash(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write as _;
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes a value so that equal values are equal texts: no blanks, the keys of objects by their bytes. Numbers are
/// written as they are read; the parser has bounded the depth.
pub fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(list) => {
            out.push('[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                canonical(value, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (at, (key, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}
