//! Rule packs: rules that are data, built in or written by a user.
//!
//! A pack is a TOML file of `[[rule]]` tables. A rule describes the form of a token by *shapes*: literal text with
//! runs of characters in braces, `"ghp_{alnum:36}"`, `"sk-{token:20-80}"`, `"{[MNO]:1}{base64url:23-27}"`. Where
//! that is not enough, a `regex` that begins with one of a list of `literals`. Tokens without a form of their own are bound
//! to names: with `keywords` the shape must be the whole value that is given to a name with one of these words in it, and
//! with `context` one of these words must stand before it. All rules of a pack share one pass over
//! the text. Every rule carries examples that must fire and examples that must not; [`load`] runs them.

mod checksum;
mod detector;
mod example;
mod page;
mod schema;
mod shape;
mod weak;

use bartizan_core::Detector;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RulesError;

/// Most bytes of one finding of a pack. Longer tokens are reported up to here.
pub const LONGEST: usize = 8192;

/// What is wrong with a pack, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The file is not TOML, or has an unknown, missing or mistyped key.
    #[error("line {line}, column {column}: {reason}")]
    Toml {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the TOML reader says.
        reason: String,
    },
    /// A rule cannot be used.
    #[error("line {line}, column {column}: rule `{rule}`: {reason}")]
    Rule {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The rule's id.
        rule: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// A pack of a user: in configuration its path. Detectors know no files, so whoever reads the configuration reads
/// the file as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PackFile {
    /// The path.
    pub path: String,
    /// What is in the file, once it was read.
    pub text: Option<String>,
}

impl From<String> for PackFile {
    fn from(path: String) -> Self {
        Self { path, text: None }
    }
}

impl From<PackFile> for String {
    fn from(pack: PackFile) -> Self {
        pack.path
    }
}

impl PackFile {
    /// The detectors of the pack, its examples run.
    pub(crate) fn detectors(&self) -> Result<Vec<Box<dyn Detector>>, RulesError> {
        let text = self.text.as_ref().ok_or_else(|| RulesError::PackNotRead(self.path.clone()))?;
        load(text).map_err(|error| RulesError::Pack { path: self.path.clone(), error })
    }
}

/// Reads a user's pack and runs its examples.
///
/// # Errors
/// A pack that cannot be read, a rule that cannot be used, or an example that does not behave.
pub fn load(toml: &str) -> Result<Vec<Box<dyn Detector>>, PackError> {
    let (pack, sources) = detector::Pack::build(toml)?;
    example::check(&pack, &sources, toml)?;
    Ok(vec![Box::new(pack)])
}

/// Reads built-in packs, each a name and a text, into one detector. Their examples are run by tests, not at every start.
pub(crate) fn built_in(packs: &[(&'static str, &str)]) -> Result<Box<dyn Detector>, RulesError> {
    let fail = |name: &str, error: PackError| RulesError::Pattern {
        rule: format!("packs/{name}.toml"),
        reason: error.to_string(),
    };
    let mut pack = detector::Pack::empty().map_err(|error| fail("", error))?;
    for (name, toml) in packs {
        pack.read(toml).map_err(|error| fail(name, error))?;
    }
    pack.finish().map_err(|error| fail("", error))?;
    Ok(Box::new(pack))
}

/// Line and column, from 1, of a byte offset.
fn place(toml: &str, offset: usize) -> (usize, usize) {
    let before = toml.get(..toml.floor_char_boundary(offset)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}
