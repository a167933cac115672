//! Tags of YAML: `!!name`, `!name`, `!handle!name` and `!<name>`, with handles that a document declares for itself.
//!
//! <https://yaml.org/spec/1.2.2/#6.9-node-properties>

use std::collections::HashMap;

use bartizan_core::Severity;

use crate::bytes::{from, show};
use crate::danger::is_code;

/// What `!!` stands for.
const CORE: &str = "tag:yaml.org,2002:";
/// Types that every loader knows.
const TYPES: &[&str] = &[
    "str",
    "int",
    "float",
    "bool",
    "null",
    "seq",
    "map",
    "set",
    "omap",
    "pairs",
    "binary",
    "timestamp",
    "merge",
    "value",
    "yaml",
];
/// Plain values of PyYAML's own.
const PLAIN: &[&str] =
    &["tuple", "str", "unicode", "int", "float", "bool", "none", "list", "dict", "complex", "bytes", "long"];
/// Handles of one document.
const HANDLES: usize = 64;

/// What handles stand for, as far as a document said.
#[derive(Default)]
pub(super) struct Handles(HashMap<String, String>);

type Found = (Severity, String);

impl Handles {
    /// Reads what follows `%TAG`.
    pub(super) fn declare(&mut self, rest: &str) -> Option<Found> {
        let mut words = rest.split_whitespace();
        let (handle, prefix) = (words.next()?, decoded(words.next()?));
        let usual = handle == "!!" && prefix == CORE;
        let severity = if handle == "!!" || prefix.contains("yaml.org") { Severity::High } else { Severity::Low };
        let found = format!("`%TAG` lets `{}` stand for `{}`", show(handle), show(&prefix));
        if self.0.len() < HANDLES {
            self.0.insert(handle.to_owned(), prefix);
        }
        (!usual).then_some((severity, found))
    }

    /// What the tags of a line say.
    pub(super) fn used(&self, line: &str) -> Vec<Found> {
        let mut found = Vec::new();
        let mut before = ' ';
        let mut quote = None;
        // Tags stand where a value may begin.
        let mut value = false;
        for (at, c) in line.char_indices() {
            let begins = before.is_whitespace() || matches!(before, '[' | '{' | ',');
            match (c, quote) {
                (c, Some(open)) => quote = (c != open).then_some(open),
                ('#', None) if begins && at > 0 => break,
                ('\'' | '"', None) if begins => quote = Some(c),
                ('!', None) if begins => {
                    let rest = line.get(at..).unwrap_or_default();
                    found.extend(self.judge(rest, value));
                }
                _ => {}
            }
            if !c.is_whitespace() {
                value = matches!(c, ':' | '-' | '[' | '{' | ',' | '?');
            }
            before = c;
        }
        found
    }

    fn judge(&self, rest: &str, value: bool) -> Option<Found> {
        let full = match rest.strip_prefix("!<") {
            Some(verbatim) => decoded(verbatim.split('>').next()?),
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || ",[]{}".contains(c)).unwrap_or(rest.len());
                let tag = rest.get(..end)?;
                let (handle, name) = match tag.get(1..)?.split_once('!') {
                    Some((handle, name)) => (format!("!{handle}!"), name),
                    None => ("!".to_owned(), tag.get(1..)?),
                };
                let prefix = match self.0.get(&handle) {
                    Some(prefix) => prefix.as_str(),
                    None if handle == "!!" => CORE,
                    None => "!",
                };
                if name.is_empty() {
                    return None;
                }
                format!("{prefix}{}", decoded(name))
            }
        };
        let said = |what: &str| format!("a YAML tag {what}: `{}`", show(&full));
        if let Some(kind) = full.strip_prefix(CORE) {
            let plain = TYPES.contains(&kind) || kind.strip_prefix("python/").is_some_and(|kind| PLAIN.contains(&kind));
            // Prose has marks of its own.
            let named = kind.starts_with(|c: char| c.is_ascii_alphabetic()) && (value || kind.contains('/'));
            return (!plain && named).then(|| (Severity::High, said("makes an object")));
        }
        let name = full.trim_start_matches('!');
        let target = name.split_once(':').map_or("", |(_, target)| target);
        if is_code(target) {
            return Some((Severity::High, said("names what runs code")));
        }
        let tag = name.starts_with(|c: char| c.is_ascii_alphabetic()) && (value || !target.is_empty());
        tag.then(|| (Severity::Low, said("is of a program's own")))
    }
}

/// Without escapes of the form `%41`.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digit = |b: &u8| char::from(*b).to_digit(16);
        let pair = match after {
            [a, b, ..] if *byte == b'%' => digit(a).zip(digit(b)),
            _ => None,
        };
        match pair.and_then(|(a, b)| u8::try_from(a * 16 + b).ok()) {
            Some(one) => {
                out.push(one);
                rest = from(after, 2);
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
