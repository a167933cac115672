//! A tool result as records and leaves.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::decide::POINTER;
use super::text::{Shape, fold, name_tokens, shape};
use super::vocab::{self, among};

/// Most leaves that are kept of one result; what is beyond endorses nothing.
const LEAVES: usize = 20_000;
/// Deepest nesting that is entered.
const DEPTH: usize = 32;
/// Longest text that is read as YAML.
const YAML: usize = 1 << 20;

/// Who sets a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    /// The system: an identifier, a handle, a state.
    System,
    /// The system, from what an outsider gave: who sent or owns it.
    Party,
    /// What people call it.
    Title,
    /// Anybody.
    Outside,
}

/// One scalar of a result.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// JSON Pointer in the result.
    pub(crate) pointer: String,
    /// The same with every list index as `*`: leaves of the same list are alike.
    pub(crate) family: String,
    /// The nearest object key above it.
    pub(crate) key: Arc<Key>,
    /// Who sets it.
    pub(crate) field: Field,
    /// A policy says that the system sets it.
    pub(crate) vouched: bool,
    /// Index of its record among the records of the result.
    pub(crate) record: usize,
    /// The value as text.
    pub(crate) value: String,
    /// The same as it is compared.
    pub(crate) folded: String,
    /// What it looks like.
    pub(crate) shape: Shape,
}

/// A key as words, and what they say of the values below it. Records repeat their keys: each is read once.
#[derive(Debug, Default)]
pub(crate) struct Key {
    words: Vec<String>,
    title: bool,
    outside: bool,
    party: bool,
    /// The kind of private value that it names.
    pub(crate) private: Option<String>,
}

impl Key {
    fn new(name: &str) -> Self {
        const PARTY: &[&str] = &[
            "sender",
            "from",
            "author",
            "creator",
            "by",
            "organizer",
            "organiser",
            "requester",
            "reporter",
            "name",
            "nickname",
            "bio",
            "reply",
            "website",
            "link",
        ];
        let words = name_tokens(name);
        let last = words.last().map(String::as_str).unwrap_or_default();
        Self {
            title: words.iter().any(|w| among(vocab::TITLE, w)) && !matches!(last, "id" | "url" | "date"),
            outside: among(vocab::OUTSIDE, last),
            party: words.iter().any(|w| PARTY.contains(&w.as_str())),
            private: vocab::private(&words),
            words,
        }
    }
}

impl Deref for Key {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.words
    }
}

/// A result in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) leaves: Vec<Leaf>,
    /// How many records there are.
    pub(crate) records: usize,
    /// True where the result had a structure that the tool made.
    pub(crate) structured: bool,
    /// True where records stand in a table that is part of a text: whoever writes in the text can write a row.
    pub(crate) textual: bool,
    /// True where not all of it was kept.
    pub(crate) cut: bool,
    /// Keys that were read so far.
    keys: HashMap<String, Arc<Key>>,
}

impl Parts {
    fn key(&mut self, name: &str) -> Arc<Key> {
        if let Some(key) = self.keys.get(name) {
            return Arc::clone(key);
        }
        let key = Arc::new(Key::new(name));
        self.keys.insert(name.to_owned(), Arc::clone(&key));
        key
    }
}

/// JSON in which every key of an object comes once: parsers differ in which of two they take. `None` for all else.
pub(crate) fn once(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(|Once(value)| value)
}

struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated keys")
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = serde_json::Map::new();
        while let Some((key, Once(value))) = fields.next_entry::<String, _>()? {
            if all.insert(key, value).is_some() {
                return Err(de::Error::custom("a key comes twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

/// Reads a result: JSON, else YAML as dumped by programs, else lines of text.
pub(crate) fn read(text: &str) -> Parts {
    let mut parts = Parts::default();
    let value =
        serde_json::from_str::<Value>(text).ok().filter(|v| v.is_object() || v.is_array()).or_else(|| yaml(text));
    match value {
        Some(value) => {
            parts.structured = true;
            enter(&value, &mut parts);
        }
        None => lines(text, &mut parts),
    }
    parts.keys = HashMap::new();
    parts
}

/// MCP wraps its results: the text of `content` items is the result itself.
fn enter(value: &Value, parts: &mut Parts) {
    let items = value.get("content").and_then(Value::as_array).filter(|i| {
        !i.is_empty()
            && i.iter().all(|i| i.get("type").is_some_and(Value::is_string))
            && value.as_object().is_some_and(|o| o.len() <= 4)
    });
    match (value.get("structuredContent"), items) {
        (Some(inner), _) if inner.is_object() => walk(inner, parts),
        (_, Some(items)) => {
            for text in items.iter().filter_map(|i| i.get("text")?.as_str()) {
                match serde_json::from_str::<Value>(text)
                    .ok()
                    .filter(|v| v.is_object() || v.is_array())
                    .or_else(|| yaml(text))
                {
                    Some(inner) => walk(&inner, parts),
                    None => lines(text, parts),
                }
            }
        }
        _ => walk(value, parts),
    }
}

fn walk(value: &Value, parts: &mut Parts) {
    let record = parts.records;
    parts.records += 1;
    descend(
        value,
        &mut At {
            pointer: String::new(),
            family: String::new(),
            key: Arc::default(),
            record,
            outside: false,
            depth: 0,
        },
        parts,
    );
}

#[derive(Clone)]
struct At {
    pointer: String,
    family: String,
    key: Arc<Key>,
    record: usize,
    outside: bool,
    depth: usize,
}

fn descend(value: &Value, at: &mut At, parts: &mut Parts) {
    if at.depth > DEPTH || at.pointer.len() > POINTER || parts.leaves.len() >= LEAVES {
        parts.cut = true;
        return;
    }
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let mut below = At {
                    pointer: format!("{}/{i}", at.pointer),
                    family: format!("{}/*", at.family),
                    key: Arc::clone(&at.key),
                    record: at.record,
                    outside: at.outside,
                    depth: at.depth + 1,
                };
                if item.is_object() {
                    below.record = parts.records;
                    parts.records += 1;
                }
                descend(item, &mut below, parts);
            }
        }
        Value::Object(fields) => {
            // Objects keyed by data (`{"Hotel A": {...}, "Hotel B": {...}}`) hold a record for each key.
            let table = fields.len() > 1 && fields.values().all(|v| v.is_object());
            for (key, item) in fields {
                let named = parts.key(key);
                let mut below = At {
                    pointer: format!("{}/{}", at.pointer, key.replace('~', "~0").replace('/', "~1")),
                    family: format!("{}/{}", at.family, if table { "*" } else { key }),
                    outside: at.outside || named.outside && !item.is_object() && !item.is_array(),
                    key: named,
                    depth: at.depth + 1,
                    record: at.record,
                };
                if table {
                    below.record = parts.records;
                    parts.records += 1;
                }
                if key.contains([' ', '@']) || table || key.len() > 64 || below.key.len() > 5 {
                    let named = At { family: format!("{}/#key", at.family), key: Arc::default(), ..below.clone() };
                    leaf(key, &named, parts);
                }
                descend(item, &mut below, parts);
            }
        }
        Value::String(text) => leaf(text, at, parts),
        Value::Number(number) => leaf(&number.to_string(), at, parts),
        Value::Bool(_) | Value::Null => {}
    }
}

fn leaf(text: &str, at: &At, parts: &mut Parts) {
    let shape = shape(text);
    let field = if at.outside { Field::Outside } else { field(&at.key, text, shape) };
    parts.leaves.push(Leaf {
        pointer: at.pointer.clone(),
        family: at.family.clone(),
        key: Arc::clone(&at.key),
        field,
        vouched: false,
        record: at.record,
        value: text.to_owned(),
        folded: fold(text),
        shape,
    });
}

/// Who sets a field of that name with that value.
fn field(key: &Key, value: &str, seen: Shape) -> Field {
    if key.title {
        return Field::Title;
    }
    if key.outside {
        return Field::Outside;
    }
    // A name is short. Prose in a name is somebody's message.
    if value.len() > 96 && seen != Shape::Url || value.contains('\n') || value.split_whitespace().nth(6).is_some() {
        return Field::Outside;
    }
    if key.party { Field::Party } else { Field::System }
}

/// Text without structure: rows of tables are its records, short lines in a list its leaves, everything else is prose.
fn lines(text: &str, parts: &mut Parts) {
    let tables = super::table::read(text);
    if !tables.rows.is_empty() {
        parts.textual = true;
        return tabulated(&tables, parts);
    }
    let all: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).take(LEAVES).collect();
    let record = parts.records;
    parts.records += 1;
    let short = |l: &&str| l.len() <= 80 && l.split_whitespace().count() <= 6 && !l.ends_with(['.', '!', '?']);
    let list = !all.is_empty() && all.iter().all(short) && !all.iter().skip(1).any(|l| l.contains(": "));
    for (i, line) in all.iter().enumerate() {
        let item = line.trim_start_matches(['-', '*', '\u{2022}']).trim();
        // `Hotel Names: A`: the first name stands behind the heading.
        let item = if list && i == 0 && all.len() > 1 { item.split_once(": ").map_or(item, |(_, v)| v) } else { item };
        let shape = shape(item);
        parts.leaves.push(Leaf {
            pointer: format!("/{i}"),
            family: "/*".to_owned(),
            key: Arc::default(),
            field: if list { field(&Key::default(), item, shape) } else { Field::Outside },
            vouched: false,
            record,
            value: item.to_owned(),
            folded: fold(item),
            shape,
        });
    }
}

/// Tables in a text, and what stands around them.
fn tabulated(tables: &super::table::Tables<'_>, parts: &mut Parts) {
    for (i, row) in tables.rows.iter().enumerate() {
        let record = parts.records;
        parts.records += 1;
        for (name, value) in row {
            if parts.leaves.len() >= LEAVES {
                parts.cut = true;
                return;
            }
            let key = parts.key(name);
            let at = At {
                pointer: format!("/{i}/{}", name.replace('~', "~0").replace('/', "~1")),
                family: format!("/*/{name}"),
                outside: key.outside,
                key,
                record,
                depth: 0,
            };
            leaf(value, &at, parts);
        }
    }
    let record = parts.records;
    parts.records += 1;
    for (i, line) in tables.rest.iter().enumerate().take(LEAVES) {
        let at = At {
            pointer: format!("/{}", tables.rows.len() + i),
            family: "/#text".to_owned(),
            key: Arc::default(),
            record,
            outside: true,
            depth: 0,
        };
        leaf(line, &at, parts);
    }
}

/// YAML as programs dump it. Only where every line at the left margin looks like it; aliases and tags are not read.
fn yaml(text: &str) -> Option<Value> {
    if text.len() > YAML
        || text.contains(['&', '*']) && text.lines().any(|l| l.trim_start().starts_with(['&', '*', '!']))
    {
        return None;
    }
    // A comment is read by the model and by no parser.
    if text.lines().any(|l| l.trim_start().starts_with('#') || l.contains(" #")) {
        return None;
    }
    let margin = |l: &&str| l.starts_with(|c: char| !c.is_whitespace());
    let entry = |l: &str| {
        l.starts_with("- ")
            || l == "-"
            || l.split_once(':').is_some_and(|(k, v)| (v.is_empty() || v.starts_with(' ')) && k.len() <= 80)
    };
    let quoted_end = |l: &str| l.starts_with(['\'', '"', ']', '}']);
    let mut at_margin = text.lines().filter(margin).peekable();
    let first = at_margin.peek().copied()?;
    if !entry(first) || text.trim() == "-" || !at_margin.all(|l| entry(l) || quoted_end(l)) {
        return None;
    }
    // Programs write sorted keys. Lines such as `From: ...` over a free text are a form that anybody can continue.
    let keys: Vec<&str> = text
        .lines()
        .filter(margin)
        .filter(|l| !l.starts_with(['-', '\'', '"', ']', '}']))
        .filter_map(|l| l.split_once(':'))
        .map(|(k, _)| k)
        .collect();
    if !keys.is_sorted() {
        return None;
    }
    let value: Value = serde_saphyr::from_str(text).ok()?;
    (value.is_array() || value.is_object()).then_some(value)
}
