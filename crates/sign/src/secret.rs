//! Secrets by reference: configuration files never hold them.
#![allow(clippy::disallowed_methods, reason = "this is where references are followed")]

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A secret, by reference only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum SecretRef {
    /// `env:NAME`.
    Env(String),
    /// `file:PATH`; surrounding white space is not part of it.
    File(PathBuf),
}

impl TryFrom<String> for SecretRef {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            // The text may be the secret itself, so it is not repeated.
            _ => Err("a secret is given as `env:NAME` or `file:PATH`, never in the file itself".to_owned()),
        }
    }
}

impl From<SecretRef> for String {
    fn from(secret: SecretRef) -> Self {
        match secret {
            SecretRef::Env(name) => format!("env:{name}"),
            SecretRef::File(path) => format!("file:{}", path.display()),
        }
    }
}

impl SecretRef {
    /// The secret.
    ///
    /// # Errors
    /// The variable is not set, or the file cannot be read, or it is empty.
    pub fn resolve(&self) -> Result<String, String> {
        let secret = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| format!("environment variable `{name}` is not set"))?,
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?
            }
        };
        let secret = secret.trim().to_owned();
        if secret.is_empty() {
            Err(format!("the secret at `{}` is empty", String::from(self.clone())))
        } else {
            Ok(secret)
        }
    }
}
