//! How an endpoint is reached, as it stands in a plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bartizan_sign::SecretRef;
use serde::{Deserialize, Serialize};

use crate::mcp::McpTool;

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is wrong.
    #[error("`{url}` cannot be used as an address: {reason}")]
    Url {
        /// The address as given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The address holds a password or a key.
    #[error("the address of the target holds {0}, which would be printed and kept with the run")]
    Credential(&'static str),
    /// A setting is missing or does not fit the others.
    #[error("target: {0}")]
    Setting(String),
    /// A secret cannot be read.
    #[error("target: {0}")]
    Secret(String),
    /// The encrypted transport cannot be set up.
    #[error("cannot prepare TLS: {0}")]
    Tls(String),
}

impl SettingsError {
    /// What to do about it, where that is not plain from the error.
    #[must_use]
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::Credential(_) => Some(
                "take it out of the address and give it with `--key env:NAME` or `--key file:PATH`, or in a plan as `key` or in `headers`",
            ),
            _ => None,
        }
    }
}

/// What the endpoint speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI chat completions, as nearly every server speaks it; Ollama and llama.cpp too.
    #[default]
    Openai,
    /// Anthropic messages.
    Anthropic,
    /// Any endpoint that takes and gives JSON; see [`Template`].
    Http,
    /// A server of the Model Context Protocol, over Streamable HTTP: one of its tools is asked; see [`McpTool`].
    Mcp,
    /// A program: the question as one JSON object on standard input, the reply on standard output.
    Command,
}

/// The value of a header: a secret by reference, or a plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderText {
    /// `env:NAME` or `file:PATH`.
    Secret(SecretRef),
    /// The text itself.
    Plain(String),
}

/// Prices in a currency of the user's, per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of the question.
    pub input: f64,
    /// Of the reply.
    pub output: f64,
}

impl Price {
    /// The price of so many tokens.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "tokens of one run are far below 2^53")]
    pub fn of(&self, input: u64, output: u64) -> f64 {
        (input as f64).mul_add(self.input, output as f64 * self.output) / 1e6
    }
}

/// How an endpoint that is no model API is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `POST` (the default) or `PUT`.
    #[serde(default = "post")]
    pub method: String,
    /// The body. In strings `{{prompt}}` is the last turn of the user, `{{system}}` the operator's text, `{{model}}`
    /// the model, `{{mcp}}` the address of a server of tools for this question; a string that is only `{{messages}}` becomes the list of turns.
    pub body: toml::Value,
    /// JSON Pointer of the reply's text, or, of a stream, of the piece in each event.
    pub reply: String,
    /// JSON Pointer of the tool calls: a list of objects with `name` and `arguments`.
    #[serde(default)]
    pub calls: Option<String>,
    /// The reply is a stream of server-sent events.
    #[serde(default)]
    pub stream: bool,
}

fn post() -> String {
    "POST".to_owned()
}

/// An endpoint of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoint {
    /// What it speaks.
    pub kind: Dialect,
    /// Its address, as an SDK takes it as base URL.
    pub url: String,
    /// The model to ask.
    pub model: String,
    /// Its key, `env:NAME` or `file:PATH`; sent as the dialect wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
    /// More headers. Values of those that hold secrets are `env:NAME` or `file:PATH`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderText>,
    /// A file of certificate authorities to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Longest wait for one whole answer, milliseconds.
    pub timeout_ms: u64,
    /// Longest reply, tokens.
    pub max_tokens: u32,
    /// Temperature; without one the endpoint's own default holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Most questions under way at once.
    pub concurrency: usize,
    /// Most questions a second; none is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// How often a question that was turned away is asked again.
    pub retries: u32,
    /// Largest answer, bytes.
    pub max_reply_bytes: usize,
    /// What tokens cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// How it is asked, for `kind = "http"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Template>,
    /// Which tool is asked, for `kind = "mcp"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp: Option<McpTool>,
    /// Program and arguments, for `kind = "command"`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            kind: Dialect::Openai,
            url: String::new(),
            model: String::new(),
            key: None,
            headers: BTreeMap::new(),
            ca: None,
            timeout_ms: 60_000,
            max_tokens: 512,
            temperature: None,
            concurrency: 8,
            requests_per_second: None,
            retries: 2,
            max_reply_bytes: 8 << 20,
            price: None,
            http: None,
            mcp: None,
            command: Vec::new(),
        }
    }
}

/// Names of headers whose values are secrets.
fn holds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["authorization", "cookie", "key", "token", "secret", "password"].iter().any(|word| name.contains(word))
}

/// Ends of words that name a secret: `api_key`, `apikey`, `accessToken`.
const SECRET_ENDS: &[&str] =
    &["key", "token", "secret", "password", "passwd", "passphrase", "credential", "credentials", "authorization"];

/// Words that name a secret.
const SECRET_WORDS: &[&str] = &["auth", "bearer", "jwt", "pass", "pwd", "sas", "sid", "sig", "signature", "session"];

/// What keys of well-known providers begin with.
const KEY_STARTS: &[&str] = &["sk-", "sk_", "AIza", "eyJ", "gsk_", "hf_", "ghp_", "xox", "AKIA"];

/// The shortest `code` that is a key, as Azure Functions takes it.
const CODE: usize = 16;

/// True where a parameter of a query is a secret, by its name or its value.
fn is_credential(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase().replace("%5f", "_").replace("%2d", "-");
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let named = words.any(|word| SECRET_ENDS.iter().any(|end| word.ends_with(end)) || SECRET_WORDS.contains(&word));
    let code = name == "code" && value.len() >= CODE;
    named || code || KEY_STARTS.iter().any(|start| value.starts_with(start))
}

/// What of a secret is in an address, if anything. Read without a parser: what cannot be parsed must not be shown either.
fn credential_in(url: &str) -> Option<&'static str> {
    let behind = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = behind.split(['/', '?', '#']).next().unwrap_or_default();
    // A password with a `/` or `?` in it ends the host too early, in what should be the port.
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let cut = !host.starts_with('[') && !port.bytes().all(|b| b.is_ascii_digit()) && behind.contains('@');
    if host.contains('@') || cut {
        return Some("a user or password");
    }
    let mut parameters = behind.split(['?', '#', '&', ';']).skip(1).filter_map(|one| one.split_once('='));
    let secret = parameters.any(|(name, value)| !value.is_empty() && is_credential(name, value));
    secret.then_some("a parameter that looks like a key")
}

impl Endpoint {
    /// Whether its parts fit together.
    ///
    /// # Errors
    /// A setting is missing, is not in its range, or holds a secret.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let wrong = |what: &str| Err(SettingsError::Setting(what.to_owned()));
        match self.kind {
            Dialect::Command if self.command.is_empty() => return wrong("`command` is missing"),
            Dialect::Http if self.http.is_none() => return wrong("the table `http` is missing"),
            Dialect::Mcp if self.mcp.is_none() => return wrong("the table `mcp` is missing"),
            Dialect::Command => {}
            _ if self.url.is_empty() => return wrong("`url` is missing"),
            _ => {}
        }
        if let Some(what) = credential_in(&self.url) {
            return Err(SettingsError::Credential(what));
        }
        if self.concurrency == 0 || self.concurrency > 4096 {
            return wrong("`concurrency` is from 1 to 4096");
        }
        if self.timeout_ms == 0 {
            return wrong("`timeout_ms` is at least 1");
        }
        if self.retries > 10 {
            return wrong("`retries` is at most 10");
        }
        if self.requests_per_second.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return wrong("`requests_per_second` is above 0");
        }
        if self.temperature.is_some_and(|t| !(0.0..=5.0).contains(&t)) {
            return wrong("`temperature` is from 0 to 5");
        }
        if self.price.is_some_and(|p| !(p.input >= 0.0 && p.output >= 0.0 && (p.input + p.output).is_finite())) {
            return wrong("prices are not below 0");
        }
        for (name, value) in &self.headers {
            if matches!(value, HeaderText::Plain(_)) && holds_secret(name) {
                return Err(SettingsError::Setting(format!(
                    "the value of header `{name}` is a secret; give it as `env:NAME` or `file:PATH`"
                )));
            }
        }
        Ok(())
    }
}
