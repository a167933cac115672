//! In-toto statements, version 1: a predicate about subjects that are named by their digests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SignError;

/// The only type of statement that is read.
const TYPE: &str = "https://in-toto.io/Statement/v1";

/// A statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// What it is about.
    pub subject: Vec<Resource>,
    /// URI of the type of the predicate.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What it says.
    pub predicate: Value,
}

/// A thing by its digests (an in-toto `ResourceDescriptor`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Name, such as a path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uri: String,
    /// Algorithm to lower-case hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Value>,
}

impl Resource {
    /// A thing by its SHA-256, hex.
    #[must_use]
    pub fn sha256(name: impl Into<String>, digest: impl Into<String>) -> Self {
        Self { name: name.into(), digest: BTreeMap::from([("sha256".to_owned(), digest.into())]), ..Self::default() }
    }

    /// The same with one more annotation.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// Its SHA-256, where given.
    #[must_use]
    pub fn sha256_hex(&self) -> Option<&str> {
        self.digest.get("sha256").map(String::as_str)
    }

    /// The text of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).and_then(Value::as_str)
    }
}

impl Statement {
    /// A statement about subjects.
    #[must_use]
    pub fn new(subject: Vec<Resource>, predicate_type: &str, predicate: Value) -> Self {
        Self { kind: TYPE.to_owned(), subject, predicate_type: predicate_type.to_owned(), predicate }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// It is not a statement of version 1.
    pub fn parse(json: &[u8]) -> Result<Self, SignError> {
        let statement: Self = serde_json::from_slice(json)
            .map_err(|error| SignError::Statement(format!("it is not an in-toto statement: {error}")))?;
        if statement.kind != TYPE {
            let kind: String = statement.kind.chars().take(80).collect();
            return Err(SignError::Statement(format!("its type `{kind}` is not known")));
        }
        Ok(statement)
    }

    /// The JSON form, as it is signed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn to_json(&self) -> Result<Vec<u8>, SignError> {
        serde_json::to_vec(self).map_err(|error| SignError::Statement(error.to_string()))
    }

    /// True where a subject has this SHA-256.
    #[must_use]
    pub fn is_about(&self, sha256: &str) -> bool {
        self.subject.iter().any(|s| s.sha256_hex() == Some(sha256))
    }
}
