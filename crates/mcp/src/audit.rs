//! What is wrong with a list of tools as a list: names that cannot be told apart, tools that speak of another server's,
//! tools that are not what was pinned.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::Confidence;
use serde_json::Value;

use crate::link::{Reach, links};
use crate::lock::{Lock, Pinned};
use crate::note::{Note, rules};
use crate::request::requested;
use crate::tool::{Listed, Tool};

/// Longest name of a tool (2025-11-25, server/tools, "Tool Names").
const LONGEST_NAME: usize = 128;

/// Most strings of one definition that are read for names of other tools.
const MOST_STRINGS: usize = 4096;

/// Bytes around a name in which an order is looked for.
const AROUND: usize = 96;

/// Tools of other servers, by name in normal form.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere(BTreeMap<String, String>);

impl Elsewhere {
    /// The tools of all servers but one, as a lock file knows them.
    #[must_use]
    pub fn of(lock: &Lock, server: &str) -> Self {
        let others = lock.servers.iter().filter(|(name, _)| *name != server);
        let names = others.flat_map(|(_, pinned)| pinned.tools.keys());
        Self(names.map(|name| (normal(name), name.clone())).collect())
    }

    /// The same of plain names.
    #[must_use]
    pub fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(|name| (normal(name), name.to_owned())).collect())
    }
}

/// True for requests whose answer is what a server says of itself.
#[must_use]
pub fn describes(method: &str) -> bool {
    matches!(method, "tools/list" | "initialize" | "server/discover")
}

/// All that is to be noted of a message of a server: what it asks for, what it links to, and where it answers a request
/// that [`describes`] it, what is wrong with what it says of itself.
#[must_use]
pub fn said(message: &Value, method: &str, reach: Reach, pinned: Option<&Pinned>, elsewhere: &Elsewhere) -> Vec<Note> {
    let mut notes = requested(message, "", reach);
    let Some(result) = message.get("result") else { return notes };
    notes.extend(links(result, "/result", reach));
    if method == "tools/list" {
        notes.extend(audit(result, "/result", pinned, elsewhere));
    } else if describes(method)
        && let (Some(pinned), Some(text)) = (pinned, result.get("instructions").and_then(Value::as_str))
        && !pinned.has_instructions(text)
    {
        notes.push(Note::new(rules::CHANGED, "/result/instructions", Confidence::High));
    }
    notes
}

/// Looks at the answer to a `tools/list`. `result` is an object with a member `tools`, `at` the JSON Pointer to it;
/// `pinned` what was accepted of the server, where anything was.
#[must_use]
pub fn audit(result: &Value, at: &str, pinned: Option<&Pinned>, elsewhere: &Elsewhere) -> Vec<Note> {
    let listed = Listed::read(result);
    let definitions = result.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let own: BTreeSet<String> = listed.tools.iter().map(|tool| normal(&tool.name)).collect();
    let mut notes = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, (tool, definition)) in listed.tools.iter().zip(definitions).enumerate() {
        let pointer = format!("{at}/tools/{index}");
        if !seen.insert(normal(&tool.name)) || !is_plain(&tool.name) {
            notes.push(Note::new(rules::SHADOWING, format!("{pointer}/name"), Confidence::High));
        } else if elsewhere.0.contains_key(&normal(&tool.name)) {
            notes.push(Note::new(rules::SHADOWING, format!("{pointer}/name"), Confidence::Low));
        }
        if pinned.is_some_and(|pinned| !pinned.has(tool)) {
            notes.push(Note::new(rules::CHANGED, format!("{pointer}/name"), Confidence::High));
        }
        references(definition, &pointer, (tool, &own), elsewhere, &mut notes);
    }
    notes
}

/// A name without what people and models overlook: case and separators.
fn normal(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).flat_map(char::to_lowercase).collect()
}

/// True for a name of the characters that the protocol asks for. Others look like these, or hide.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(plain)
}

/// Strings of a definition that name a tool of another server.
fn references(
    definition: &Value,
    pointer: &str,
    (tool, own): (&Tool, &BTreeSet<String>),
    elsewhere: &Elsewhere,
    notes: &mut Vec<Note>,
) {
    if elsewhere.0.is_empty() {
        return;
    }
    let mut left = vec![(definition, pointer.to_owned())];
    let mut read = 0;
    while let Some((value, pointer)) = left.pop() {
        match value {
            Value::Object(members) => left.extend(
                members
                    .iter()
                    .filter(|(key, _)| key.as_str() != "name")
                    .map(|(key, value)| (value, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")))),
            ),
            Value::Array(list) => {
                left.extend(list.iter().enumerate().map(|(at, value)| (value, format!("{pointer}/{at}"))));
            }
            Value::String(text) if read < MOST_STRINGS => {
                read += 1;
                if let Some(confidence) = speaks_of(text, &tool.name, own, elsewhere) {
                    notes.push(Note::new(rules::CROSS_SERVER, pointer, confidence));
                }
            }
            _ => {}
        }
    }
}

/// Words that make a mention an order or a condition.
const ORDERS: [&str; 16] = [
    "when", "whenever", "before", "after", "instead", "always", "must", "never", "rather", "every", "each", "once",
    "ensure", "whatever", "replace", "override",
];

/// How surely a text is about the use of another server's tool.
fn speaks_of(text: &str, name: &str, own: &BTreeSet<String>, elsewhere: &Elsewhere) -> Option<Confidence> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut found = None;
    let mut rest = 0;
    for word in text.split(|c: char| !is_name(c)) {
        // `split` gives slices of the text in order.
        let start = text.get(rest..).and_then(|tail| tail.find(word)).map_or(rest, |at| rest + at);
        rest = start + word.len();
        let word = word.trim_matches(|c| matches!(c, '.' | '-' | '_'));
        let key = normal(word);
        if word == name || own.contains(&key) {
            continue;
        }
        let Some(other) = elsewhere.0.get(&key) else { continue };
        // `search` and `send` are words of any text, `send_email` is not.
        let compound = word == other && word.len() >= 6 && (word.contains(['_', '-', '.']) || has_hump(word));
        if !compound {
            continue;
        }
        let from = floor(text, start.saturating_sub(AROUND));
        let to = floor(text, (rest + AROUND).min(text.len()));
        let near = text.get(from..to).unwrap_or_default().to_lowercase();
        let ordered = near.split(|c: char| !c.is_alphanumeric()).any(|word| ORDERS.contains(&word));
        let confidence = if ordered { Confidence::Medium } else { Confidence::Low };
        found = found.max(Some(confidence));
    }
    found
}

fn has_hump(word: &str) -> bool {
    word.as_bytes().windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
}

fn floor(text: &str, mut at: usize) -> usize {
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
