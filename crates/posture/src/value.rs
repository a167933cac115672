//! Values as they will be read at run time, as far as the file tells: variables with their defaults, references to
//! secret stores, words for true and false, and names that announce a secret.

use std::collections::HashMap;

/// How much of a value the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    /// It is written there.
    Literal,
    /// It is what holds where nothing else is set.
    Default,
    /// It comes from somewhere else.
    Elsewhere,
}

/// A value with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) text: String,
    pub(crate) known: Known,
}

/// Variables that the same file sets.
pub(crate) type Variables = HashMap<String, String>;

/// References that tools resolve themselves: LiteLLM, 1Password, Vault, AWS and the like.
const REFERENCES: &[&str] = &[
    "os.environ/",
    "op://",
    "vault:",
    "secret://",
    "secretsmanager:",
    "arn:aws:",
    "projects/",
    "keyvault:",
    "env:",
    "file:",
    "env.",
    "secrets.",
    "sm://",
    "!vault",
    "!Ref",
    "ENC[",
];

/// Replaces variables. Nesting of defaults is followed four deep.
pub(crate) fn resolve(raw: &str, variables: &Variables) -> Resolved {
    let reference = REFERENCES.iter().any(|prefix| raw.starts_with(prefix)) || raw.contains("{{") || raw.contains("%(");
    if reference {
        return Resolved { text: raw.to_owned(), known: Known::Elsewhere };
    }
    expand(raw, variables, 4)
}

fn expand(raw: &str, variables: &Variables, depth: usize) -> Resolved {
    let (mut text, mut known) = (String::with_capacity(raw.len()), Known::Literal);
    let mut rest = raw;
    while let Some(at) = rest.find('$') {
        text.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let open = after.chars().next();
        rest = match open {
            Some('$') => {
                text.push('$');
                after.get(1..).unwrap_or_default()
            }
            Some('{' | '(') => {
                let (inner, tail) = braced(after);
                let part =
                    if open == Some('{') { parameter(inner, variables, depth) } else { lookup(inner, variables) };
                text.push_str(&part.text);
                known = known.max(part.known);
                tail
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                let part = lookup(after.get(..end).unwrap_or_default(), variables);
                text.push_str(&part.text);
                known = known.max(part.known);
                after.get(end..).unwrap_or_default()
            }
            _ => {
                text.push('$');
                after
            }
        };
    }
    text.push_str(rest);
    Resolved { text, known }
}

/// What stands between the first brace of `text` and the one that closes it, and what follows.
fn braced(text: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (text.get(1..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        }
    }
    (text.get(1..).unwrap_or_default(), "")
}

fn lookup(name: &str, variables: &Variables) -> Resolved {
    match variables.get(name) {
        // A variable that is made of variables is not followed.
        Some(value) if !value.contains('$') => Resolved { text: value.clone(), known: Known::Literal },
        _ => Resolved { text: String::new(), known: Known::Elsewhere },
    }
}

/// `NAME`, `NAME:-default`, `NAME-default`, `NAME:?error`, `NAME:+other`.
fn parameter(inner: &str, variables: &Variables, depth: usize) -> Resolved {
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, operator) = inner.split_at_checked(end).unwrap_or((inner, ""));
    let set = lookup(name, variables);
    if set.known == Known::Literal {
        return set;
    }
    match operator.strip_prefix(":-").or_else(|| operator.strip_prefix('-')) {
        Some(default) if depth > 0 => {
            let part = expand(default, variables, depth - 1);
            Resolved { known: part.known.max(Known::Default), ..part }
        }
        _ => Resolved { text: String::new(), known: Known::Elsewhere },
    }
}

/// Words for true, as YAML 1.1, Python and environment readers take them.
pub(crate) fn is_true(text: &str) -> bool {
    ["true", "1", "yes", "on", "y", "t", "enable", "enabled"].iter().any(|w| text.trim().eq_ignore_ascii_case(w))
}

/// Words for false, nothing included.
pub(crate) fn is_false(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || ["false", "0", "no", "off", "n", "f", "disable", "disabled", "none", "null"]
            .iter()
            .any(|w| text.eq_ignore_ascii_case(w))
}

/// True for addresses that only the same machine reaches.
pub(crate) fn is_loopback(address: &str) -> bool {
    let host = host_of(address);
    host.eq_ignore_ascii_case("localhost") || host == "::1" || host.starts_with("127.") || host.starts_with('/')
}

/// True for addresses that stand for every interface.
pub(crate) fn is_wildcard(address: &str) -> bool {
    matches!(host_of(address), "0.0.0.0" | "::" | "*" | "0" | "0:0:0:0:0:0:0:0")
}

/// The host of `host`, `host:port`, `[v6]:port` or `scheme://host:port/`.
fn host_of(address: &str) -> &str {
    let address = address.trim();
    let address = address.split_once("://").map_or(address, |(scheme, rest)| if scheme == "unix" { "/" } else { rest });
    let address = if address.starts_with('/') { address } else { address.split('/').next().unwrap_or(address) };
    if let Some(rest) = address.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match address.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => address,
    }
}

/// True where a name says that its value is a secret: `HF_TOKEN`, `db.password`, `--api-key`.
pub(crate) fn names_secret(name: &str) -> bool {
    let name = name.trim_start_matches('-');
    let mut words: Vec<String> = Vec::new();
    for part in name.split(['_', '.', '-', ':', '/']).filter(|p| !p.is_empty()) {
        // `apiKey` is two words.
        let mut word = String::new();
        let mut lower = false;
        for c in part.chars().take(100) {
            if c.is_ascii_uppercase() && lower {
                words.push(std::mem::take(&mut word));
            }
            lower = c.is_ascii_lowercase();
            word.push(c.to_ascii_lowercase());
        }
        words.push(word);
    }
    let last = words.last().map_or("", String::as_str);
    let before = words.len().checked_sub(2).and_then(|at| words.get(at)).map_or("", String::as_str);
    if words.iter().any(|w| {
        matches!(
            w.as_str(),
            "pad"
                | "bos"
                | "eos"
                | "unk"
                | "sep"
                | "cls"
                | "mask"
                | "special"
                | "stop"
                | "image"
                | "public"
                | "hash"
                | "hashed"
                | "min"
                | "max"
                | "num"
        )
    }) {
        return false;
    }
    match last {
        "token" | "password" | "passwd" | "pwd" | "secret" | "apikey" | "requirepass" | "passphrase" | "masterauth" => {
            true
        }
        "pass" => words.len() > 1,
        "key" => matches!(
            before,
            "api"
                | "secret"
                | "access"
                | "master"
                | "private"
                | "auth"
                | "salt"
                | "encryption"
                | "fernet"
                | "account"
                | "admin"
                | "license"
                | "signing"
                | "webui"
        ),
        "authorization" => true,
        _ => false,
    }
}

/// Values that manuals print and products ship with.
const DEFAULTS: &[&str] = &[
    "admin",
    "password",
    "changeme",
    "change_me",
    "change-me",
    "changethis",
    "secret",
    "minioadmin",
    "postgres",
    "root",
    "test",
    "test123",
    "123456",
    "12345678",
    "1234",
    "guest",
    "default",
    "letmein",
    "qwerty",
    "ollama",
    "milvus",
    "sk-1234",
    "sk-123456",
    "sk-12345",
    "empty",
    "token-abc123",
    "t0p-s3cr3t",
    "airflow",
    "langflow",
    "mlflow",
    "redis",
    "flowise",
    "infini_rag_flow",
    "myapikey",
    "my-api-key",
    "mysecret",
    "my-secret",
    "mypassword",
    "supersecret",
    "pass",
    "user",
    "example",
    "demo",
    "adminpass",
    "admin123",
    "password1234",
    "password123",
    "root123",
    "llm",
    "apikey",
    "api-key",
    "none",
    "dummy",
    "fake",
    "not-needed",
    "elastic",
    "neo4j",
    "litellm",
    "my-secret-key",
    "very-long-mysecretkey",
    "ragflow",
    "difyai123456",
    "sk-litellm",
];

/// What clients of servers without keys send, because their libraries want something.
const STAND_INS: &[&str] =
    &["empty", "none", "dummy", "fake", "not-needed", "ollama", "example", "no-key", "unused", "na", "n/a"];

/// True for a value that anybody would try first.
pub(crate) fn is_default(value: &str) -> bool {
    let lower = value.trim().to_ascii_lowercase();
    DEFAULTS.contains(&lower.as_str())
}

/// True for what stands in for a value that somebody is to fill in.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let lower = value.trim().to_ascii_lowercase();
    lower.len() < 2
        || lower.starts_with(['<', '[', '{', '%', '@'])
        || lower.ends_with("...")
        || lower.ends_with('…')
        || lower.starts_with("your")
        || lower.starts_with("my_")
        || lower.starts_with("replace")
        || lower.starts_with("insert")
        || lower.starts_with("enter")
        || lower.contains("your-")
        || lower.contains("your_")
        || lower.contains("placeholder")
        || lower.contains("redacted")
        || lower.contains("todo")
        // LibreChat: every user brings a key.
        || lower == "user_provided"
        || lower.bytes().all(|b| matches!(b, b'x' | b'*' | b'.' | b'-'))
        || lower
            .rsplit_once(['-', '_'])
            .is_some_and(|(_, tail)| tail.len() > 2 && tail.bytes().all(|b| matches!(b, b'x' | b'.' | b'*')))
}

/// How keys of providers of models and of their trackers begin, and how many letters and digits follow at least.
const PROVIDERS: &[(&str, usize)] = &[
    ("hf_", 30),
    ("sk-proj-", 20),
    ("sk-svcacct-", 20),
    ("sk-admin-", 20),
    ("sk-ant-", 20),
    ("sk-or-v1-", 20),
    ("sk-lf-", 20),
    ("nvapi-", 30),
    ("gsk_", 30),
    ("r8_", 30),
    ("lsv2_pt_", 30),
    ("lsv2_sk_", 30),
    ("xai-", 40),
    ("pplx-", 30),
    ("tgp_v1_", 30),
    ("wandb_v1_", 30),
];

/// True for a value that is a key of a provider by its own shape, whatever name it has.
pub(crate) fn is_provider_key(value: &str) -> bool {
    let text = value.trim();
    let text = text.strip_prefix("Bearer ").unwrap_or(text).trim();
    let fits = |(prefix, least): &(&str, usize)| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            let mut seen = std::collections::BTreeSet::new();
            seen.extend(rest.bytes());
            rest.len() >= *least
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
                // What stands in for a key repeats itself.
                && seen.len() >= 10
        })
    };
    PROVIDERS.iter().any(fits) && !is_placeholder(text)
}

/// What a value given to the name of a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretValue {
    /// A secret that whoever reads the file has.
    Plain,
    /// A secret that everybody has.
    Default,
    /// No secret: nothing, a placeholder, a path, a reference.
    None,
}

/// Judges a value under the name of a secret.
pub(crate) fn judge_secret(value: &Resolved) -> SecretValue {
    let text = value.text.trim();
    let bearer = text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("Basic ")).unwrap_or(text).trim();
    if value.known == Known::Elsewhere || is_placeholder(bearer) && !is_default(bearer) || is_path(bearer) {
        return SecretValue::None;
    }
    if matches!(
        bearer,
        "true" | "false" | "True" | "False" | "null" | "None" | "none" | "auto" | "optional" | "required"
    ) {
        return SecretValue::None;
    }
    if STAND_INS.iter().any(|w| bearer.eq_ignore_ascii_case(w)) {
        return SecretValue::None;
    }
    if is_default(bearer) {
        return SecretValue::Default;
    }
    // `TOKEN_NAME = "HF_TOKEN"` names a variable.
    let names_variable =
        bearer.contains('_') && bearer.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit());
    if bearer.len() < 6 || names_variable || bearer.contains(char::is_whitespace) {
        SecretValue::None
    } else {
        SecretValue::Plain
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with(['/', '~'])
        || text.starts_with("./")
        || text.starts_with("http://")
        || text.starts_with("https://")
}

/// The password of `scheme://user:password@host`.
pub(crate) fn password_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password).filter(|p| !p.is_empty())
}
