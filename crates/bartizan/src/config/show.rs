//! `bartizan config`.

use std::io::Write as _;

use bartizan_core::Redacted;
use serde_json::Value;

use super::load::{load, tree};
use super::{Config, Loaded};
use crate::DONE;
use crate::args::ConfigArgs;
use crate::terminal;
use crate::up;

/// `bartizan config check`.
pub(crate) fn check(args: &ConfigArgs) -> anyhow::Result<u8> {
    let loaded = load(args, &[])?;
    loaded.check_clients()?;
    let missing = loaded.missing()?;
    if let Some(missing) = missing.iter().find(|missing| !missing.elsewhere) {
        return Err(loaded.missing_problem(missing).into());
    }
    up::check(&loaded, &missing.iter().map(|missing| missing.path.as_str()).collect::<Vec<_>>())?;
    let mut out = std::io::stdout().lock();
    match &loaded.file {
        Some(file) => writeln!(out, "`{}` can be used", file.display())?,
        None => writeln!(out, "no configuration file; the defaults are used")?,
    }
    for missing in &missing {
        writeln!(out, "warning: {}; `up` needs it", terminal::line(&missing.why))?;
    }
    for note in loaded.config.exception_notes(jiff::Timestamp::now().as_millisecond()) {
        writeln!(out, "note: {}", terminal::line(&note))?;
    }
    Ok(DONE)
}

/// `bartizan config schema`.
pub(crate) fn schema() -> anyhow::Result<u8> {
    writeln!(std::io::stdout().lock(), "{}", schema_text()?)?;
    Ok(DONE)
}

/// The JSON schema of the file.
pub(crate) fn schema_text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&schemars::schema_for!(Config))?)
}

/// `bartizan config show`.
pub(crate) fn show(args: &ConfigArgs) -> anyhow::Result<u8> {
    let loaded = load(args, &[])?;
    let mut tables = Vec::new();
    collect(&loaded, "", &tree(&loaded.config)?, &mut tables);
    let mut out = std::io::stdout().lock();
    for (index, (header, lines)) in tables.iter().filter(|(_, lines)| !lines.is_empty()).enumerate() {
        if !header.is_empty() {
            writeln!(out, "{}{header}", if index == 0 { "" } else { "\n" })?;
        }
        let width = lines.iter().map(|(text, _)| text.chars().count()).filter(|w| *w <= 60).max().unwrap_or(0);
        for (text, origin) in lines {
            writeln!(out, "{text:width$}  # {origin}")?;
        }
    }
    Ok(DONE)
}

/// Lines of one table: `key = value`, and where it is from.
type Lines = Vec<(String, String)>;

fn collect(loaded: &Loaded, path: &str, value: &Value, tables: &mut Vec<(String, Lines)>) {
    let Value::Object(members) = value else { return };
    let header = if path.is_empty() { String::new() } else { format!("[{path}]") };
    let entry = header_of_entry(path).unwrap_or(header);
    let mut lines = Lines::new();
    let mut below = Vec::new();
    for (key, value) in members {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Null => {}
            Value::Object(_) => below.push((path, value)),
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
                below.extend(items.iter().enumerate().map(|(index, item)| (format!("{path}.{index}"), item)));
            }
            _ => lines.push((format!("{key} = {}", shown(&path, value)), loaded.origin(&path).to_string())),
        }
    }
    tables.push((entry, lines));
    for (path, value) in below {
        collect(loaded, &path, value, tables);
    }
}

/// `upstream.0` is an entry of `[[upstream]]`.
fn header_of_entry(path: &str) -> Option<String> {
    let (list, index) = path.rsplit_once('.')?;
    index.parse::<usize>().ok().map(|_| format!("[[{list}]]"))
}

/// A value as TOML. What must stay unknown, or may be a secret itself, is cut to an excerpt.
fn shown(path: &str, value: &Value) -> String {
    // The same below a candidate and a profile.
    let is = |key: &str| path.strip_suffix(key).is_some_and(|above| above.is_empty() || above.ends_with('.'));
    let listed = |list: &str| path.ends_with(".text") && path.split('.').any(|part| part == list);
    let secret = is("rules.canary") || is("rules.protected_prompt") || listed("suppress") || listed("exception");
    match value {
        Value::String(text) if secret => quoted(Redacted::excerpt(text).get()),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let hide = |item: &Value| match item {
                Value::String(text) if secret => quoted(Redacted::excerpt(text).get()),
                other => shown(path, other),
            };
            format!("[{}]", items.iter().map(hide).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    // A JSON string is a TOML string, but for the escape of a solidus, which is not written.
    Value::String(terminal::line(text)).to_string()
}
