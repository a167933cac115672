//! Secrets that the configuration refers to, and what else `up` needs to find.

use std::path::Path;

use bartizan_gateway::{SecretRef, check_clients};
use serde_json::Value;

use super::Loaded;
use super::load::tree;
use crate::problem::Problem;

/// Keys of settings that hold references to secrets.
const NAMES: [&str; 8] = ["key", "hash", "client_secret", "sign_key", "master_key", "secret", "token", "authorization"];

/// Something that `up` would not find here.
pub(crate) struct Missing {
    path: String,
    /// What it is and why it cannot be had.
    pub(crate) why: String,
    /// It may be there where `up` runs: it is in the environment, or in a folder that this machine does not have.
    pub(crate) elsewhere: bool,
}

impl Loaded {
    /// Every secret that cannot be read here and now, and the store where there is no place for it.
    pub(crate) fn missing(&self) -> anyhow::Result<Vec<Missing>> {
        let mut open = vec![(String::new(), tree(&self.config)?)];
        let mut missing = Vec::new();
        while let Some((path, value)) = open.pop() {
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            match value {
                Value::Object(members) => open.extend(members.into_iter().map(|(key, value)| (below(&key), value))),
                Value::Array(items) => {
                    open.extend(items.into_iter().enumerate().map(|(at, value)| (below(&at.to_string()), value)));
                }
                Value::String(text) if is_secret(&path) => {
                    // What is no reference is of another kind, such as a command that gives the key.
                    let Ok(secret) = SecretRef::try_from(text) else { continue };
                    if let Err(why) = secret.resolve() {
                        let elsewhere = match &secret {
                            SecretRef::Env(_) => true,
                            SecretRef::File(file) => file.is_absolute() && folder_of(file).is_some_and(|f| !f.is_dir()),
                        };
                        missing.push(Missing { why: format!("`{path}`: {why}"), path, elsewhere });
                    }
                }
                _ => {}
            }
        }
        missing.extend(self.missing_store());
        missing.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(missing)
    }

    /// What is wrong with the keys of clients, as `up` would find it.
    pub(crate) fn check_clients(&self) -> Result<(), Problem> {
        let mut clients = self.config.client.clone();
        // Keys that are not there are told on their own.
        clients.retain(|client| client.key.as_ref().is_none_or(|key| key.resolve().is_ok()));
        check_clients(&clients).map_err(|why| self.problem("client", why, ""))
    }

    fn missing_store(&self) -> Option<Missing> {
        let text = &self.config.store.path;
        let path = Path::new(text);
        let (why, elsewhere) = match folder_of(path) {
            _ if text == ":memory:" => return None,
            _ if path.is_dir() => ("it is a folder", false),
            Some(folder) if !folder.is_dir() => ("its folder is not there", path.is_absolute()),
            _ if text.is_empty() => ("it is empty", false),
            _ => return None,
        };
        Some(Missing { path: "store.path".to_owned(), why: format!("no store can be at `{text}`: {why}"), elsewhere })
    }

    /// The same as an error.
    pub(crate) fn missing_problem(&self, missing: &Missing) -> Problem {
        let help = "a path that is relative begins at the current folder";
        self.problem(&missing.path, missing.why.clone(), "").help(help)
    }
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn is_secret(path: &str) -> bool {
    let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
    NAMES.contains(&last) || above.ends_with("otlp_headers")
}
