//! Secrets that the configuration refers to, and what else `up` needs to find.

use std::ops::Range;
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
    pub(crate) path: String,
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
                            SecretRef::File(file) => is_elsewhere(file),
                        };
                        missing.push(Missing { why: format!("`{path}`: {why}"), path, elsewhere });
                    }
                }
                Value::String(text) => {
                    let file = match path.rsplit('.').next() {
                        Some("ca" | "cert" | "client_ca") => Some(text.as_str()),
                        Some("jwks") => text.strip_prefix("file:"),
                        _ => None,
                    };
                    if let Some(file) = file.map(Path::new).filter(|file| is_elsewhere(file)) {
                        let why = format!("`{path}`: there is no `{}`", file.display());
                        missing.push(Missing { why, path, elsewhere: true });
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
        if self.config.store.url.is_some() {
            return None;
        }
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

/// True for a file in a folder that this machine does not have.
fn is_elsewhere(file: &Path) -> bool {
    file.is_absolute() && folder_of(file).is_some_and(|folder| !folder.is_dir())
}

fn is_secret(path: &str) -> bool {
    let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
    NAMES.contains(&last) || above.ends_with("otlp_headers") || path == "store.url"
}

/// The text as it may be drawn, each byte where it was: secrets that are not references, and passwords in URLs, are
/// mistakes that are drawn, and drawings end up in logs. What is no TOML is drawn too, so this does not parse, and rather
/// hides too much: the value of `api_key` like that of `key`.
pub(super) fn cover(text: &str) -> String {
    let mut out: Vec<u8> = text.into();
    for name in NAMES.into_iter().chain(["password", HEADERS]) {
        for (at, _) in text.match_indices(name) {
            let after = &text[at + name.len()..];
            let is_part = name == HEADERS && text[..at].trim_end_matches("otlp_").ends_with(is_word);
            if is_part || after.starts_with(is_word) {
                continue;
            }
            let after = after.strip_prefix(['"', '\'']).unwrap_or(after).trim_start_matches(BLANK);
            match after.chars().next() {
                Some('=' | ':') => _ = hide(&mut out, text, &after[1..]),
                Some('"' | '\'') => _ = hide(&mut out, text, after),
                Some('.' | ']') if name == HEADERS => hide_below(&mut out, text, after),
                _ => {}
            }
        }
    }
    for (at, _) in text.match_indices("://") {
        let host = &text[at + 3..];
        let host = &host[..host.find(['/', '"', '\'', ' ', '\n']).unwrap_or(host.len())];
        if let Some(length) = host.rfind('@') {
            out[at + 3..at + 3 + length].fill(b'*');
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Below it every value is a secret.
const HEADERS: &str = "headers";

const BLANK: [char; 2] = [' ', '\t'];

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Hides the value that begins where `from`, an end of the text, does. Answers with what follows it.
fn hide<'a>(out: &mut [u8], text: &str, from: &'a str) -> &'a str {
    let value = from.trim_start_matches(BLANK);
    let inside = inside(value);
    let (start, hidden) = (text.len() - value.len() + inside.start, &value[inside.clone()]);
    if !hidden.starts_with("env:") && !hidden.starts_with("file:") {
        out[start..start + hidden.len()].iter_mut().filter(|b| !b.is_ascii_whitespace()).for_each(|b| *b = b'*');
    }
    &value[inside.end..]
}

/// Hides what is assigned behind the name of a table: to one key of it (`.`), or to all keys of its section (`]`).
fn hide_below(out: &mut [u8], text: &str, after: &str) {
    let mut rest = after;
    loop {
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        if let Some(at) = line.find('=') {
            rest = hide(out, text, &rest[at + 1..]);
        }
        rest = rest.split_once('\n').map_or("", |(_, next)| next);
        if after.starts_with('.') || rest.is_empty() || rest.trim_start().starts_with('[') {
            return;
        }
    }
}

/// Where the inside of the value is that a text begins with.
fn inside(value: &str) -> Range<usize> {
    if let Some(quote) = quote_of(value) {
        return quote.len()..quote.len() + quoted(&value[quote.len()..], quote);
    }
    if !value.starts_with(['[', '{']) {
        return 0..value.find(['\n', '\r']).unwrap_or(value.len());
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(c) = value[at..].chars().next() {
        if let Some(quote) = quote_of(&value[at..]) {
            at += quote.len() + quoted(&value[at + quote.len()..], quote);
            at += if value[at..].starts_with(quote) { quote.len() } else { 0 };
            continue;
        }
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' if depth == 1 => break,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        at += c.len_utf8();
    }
    1..at
}

fn quote_of(text: &str) -> Option<&'static str> {
    ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| text.starts_with(quote))
}

/// How long the inside of a quoted value is: to its own quote, or to where it can only be broken off.
fn quoted(rest: &str, quote: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if !escaped && rest[at..].starts_with(quote) || quote.len() == 1 && c == '\n' {
            return at;
        }
        escaped = !escaped && c == '\\' && quote.starts_with('"');
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_the_wrong_place_are_not_drawn() {
        for (text, drawn) in [
            ("key = \"sk-abc\"\nurl = 1", "key = \"******\"\nurl = 1"),
            ("key = sk-abc", "key = ******"),
            ("a = { key = 'x1', b = 2 }", "a = { key = '**', b = 2 }"),
            ("key = \"env:NAME\" # keys = \"a\"", "key = \"env:NAME\" # keys = \"a\""),
            ("url = \"https://me:pw@host/v1\"", "url = \"https://*****@host/v1\""),
            ("key = \"schlüssel\"", "key = \"**********\""),
            // To the end of the value, whatever is in it.
            (r#"key = "a,b}c'd\"e" # f"#, r#"key = "**********" # f"#),
            (r"key = 'a\' # f", "key = '**' # f"),
            ("key = \"\"\"\na\nb\"\"\"\nc = 1", "key = \"\"\"\n*\n*\"\"\"\nc = 1"),
            ("key = \"broken\nurl = 1", "key = \"******\nurl = 1"),
            ("key = [\n'a',\n\"]\"] # f", "key = [\n****\n***] # f"),
            ("key = { a = [1], b = \"}\" }, c", "key = { * * **** * * *** }, c"),
            // By whatever name, and however it is assigned.
            ("api_key = \"a\"\npassword = \"b\"", "api_key = \"*\"\npassword = \"*\""),
            ("\"key\" = \"a\"\nkey: \"b\"\nkey \"c\"", "\"key\" = \"*\"\nkey: \"*\"\nkey \"*\""),
            ("keys = \"a\"\nkey_file = \"b\"", "keys = \"a\"\nkey_file = \"b\""),
            // Below a table of which every value is one.
            (
                "[otlp_headers]\na = 'b'\n\n\"c-d\" = 'e'\n[f]\ng = 'h'",
                "[otlp_headers]\na = '*'\n\n\"c-d\" = '*'\n[f]\ng = 'h'",
            ),
            ("t.otlp_headers.a = \"b\"\nc = \"d\"", "t.otlp_headers.a = \"*\"\nc = \"d\""),
            ("otlp_headers = { a = \"b\" }", "otlp_headers = { * * *** }"),
            ("pass_headers = [\"a\"]", "pass_headers = [\"a\"]"),
        ] {
            assert_eq!(cover(text), drawn);
        }
        for name in NAMES {
            let text = |value: &str| format!("to = {{ {name} = \"{value}\", url = \"u\" }}");
            assert_eq!(cover(&text("a-value")), text("*******"));
            assert_eq!(cover(&text("env:VALUE")), text("env:VALUE"));
        }
    }

    #[test]
    fn what_breaks_off_is_covered_too() {
        for broken in ["", "\"é", "\"\\", "'", "'''", "\"\"\"é", "[", "[\"é", "{ é", "{ '", "]", "\n=é"] {
            for text in
                [format!("key = {broken}"), format!("headers{broken}"), format!("[headers]{broken}\nx = {broken}")]
            {
                assert_eq!(cover(&text).len(), text.len(), "{text}");
            }
        }
    }
}
