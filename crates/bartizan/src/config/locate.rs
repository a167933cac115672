//! Where in the file a value stands.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Byte ranges of every value of a TOML text by its path, such as `store.path` or `upstream.0.url`.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<String, Range<usize>>);

impl Places {
    /// The places of a text; none where it is not TOML.
    pub(crate) fn of(text: &str) -> Self {
        let mut places = Self::default();
        if let Ok(root) = DeTable::parse(text) {
            places.table("", root.get_ref());
        }
        places
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let key = key.get_ref();
            let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            self.value(&path, value.span(), value.get_ref());
        }
    }

    fn value(&mut self, path: &str, span: Range<usize>, value: &DeValue<'_>) {
        self.0.insert(path.to_owned(), span);
        match value {
            DeValue::Table(table) => self.table(path, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&format!("{path}.{index}"), item.span(), item.get_ref());
                }
            }
            _ => {}
        }
    }

    /// Where strings with that value are.
    pub(crate) fn texts(&self, text: &str, value: &str) -> Vec<Range<usize>> {
        let is_it = |span: &&Range<usize>| {
            text.get(span.start..span.end).is_some_and(|literal| literal.trim_matches(['"', '\'']) == value)
        };
        self.0.values().filter(is_it).cloned().collect()
    }

    /// Where the value is, if the file has it.
    pub(crate) fn get(&self, path: &str) -> Option<Range<usize>> {
        self.0.get(path).cloned()
    }
}

/// The line, from 1, of a byte offset.
pub(crate) fn line(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}
