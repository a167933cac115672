//! The lock file: what a person has accepted of each server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tool::{Listed, Tool, hash};

/// Why a lock file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Not the JSON that it must be.
    #[error("the lock file is malformed at line {line}, column {column}: {reason}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// Written by another version of the format.
    #[error("the lock file has version {0}, this program reads version {VERSION}")]
    Version(u32),
}

/// Version of the format.
const VERSION: u32 = 1;

/// What is accepted, by server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// By the name that a server is configured under.
    pub servers: BTreeMap<String, Pinned>,
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, servers: BTreeMap::new() }
    }
}

/// What is accepted of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// SHA-256 of its instructions; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// By name.
    pub tools: BTreeMap<String, PinnedTool>,
}

/// What is accepted of one tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedTool {
    /// SHA-256 of the whole definition in canonical form, hex.
    pub sha256: String,
    /// What it said of itself, so that a person sees what has changed.
    pub description: String,
}

/// What differs from what is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A tool that was not there.
    Added(String),
    /// A tool with another definition.
    Changed {
        /// Its name.
        tool: String,
        /// What it said of itself.
        from: String,
        /// What it says now.
        to: String,
    },
    /// A tool that is gone.
    Removed(String),
    /// Other instructions of the server.
    Instructions,
}

impl Lock {
    /// Reads a lock file. An empty one is empty.
    ///
    /// # Errors
    /// It is malformed, or of another version.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let lock: Self = serde_json::from_str(text).map_err(|error| LockError::Malformed {
            line: error.line(),
            column: error.column(),
            reason: error.to_string(),
        })?;
        if lock.version == VERSION { Ok(lock) } else { Err(LockError::Version(lock.version)) }
    }

    /// It as a file: JSON, one fact a line, in a stable order.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl Pinned {
    /// What a server says now.
    #[must_use]
    pub fn of(instructions: Option<&str>, tools: &[Tool]) -> Self {
        let pinned = |tool: &Tool| PinnedTool { sha256: tool.hash.clone(), description: tool.description.clone() };
        Self {
            instructions: instructions.filter(|text| !text.is_empty()).map(|text| hash(&Value::from(text))),
            tools: tools.iter().map(|tool| (tool.name.clone(), pinned(tool))).collect(),
        }
    }

    /// True where a tool is what was pinned.
    #[must_use]
    pub fn has(&self, tool: &Tool) -> bool {
        self.tools.get(&tool.name).is_some_and(|pinned| pinned.sha256 == tool.hash)
    }

    /// True where the instructions are what was pinned. None at all is always fine.
    #[must_use]
    pub fn has_instructions(&self, text: &str) -> bool {
        text.is_empty() || self.instructions.as_deref() == Some(hash(&Value::from(text)).as_str())
    }

    /// Adds a page of tools that is seen for the first time.
    pub fn add(&mut self, listed: &Listed) {
        self.tools.extend(Self::of(None, &listed.tools).tools);
    }

    /// How another state differs from this one.
    #[must_use]
    pub fn changes(&self, now: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.instructions != now.instructions {
            changes.push(Change::Instructions);
        }
        for (name, tool) in &now.tools {
            match self.tools.get(name) {
                None => changes.push(Change::Added(name.clone())),
                Some(old) if old.sha256 != tool.sha256 => changes.push(Change::Changed {
                    tool: name.clone(),
                    from: old.description.clone(),
                    to: tool.description.clone(),
                }),
                Some(_) => {}
            }
        }
        let gone = self.tools.keys().filter(|name| !now.tools.contains_key(*name));
        changes.extend(gone.cloned().map(Change::Removed));
        changes
    }
}
