//! The value of a row in any format.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value. Unlike a JSON tree it keeps every pair of an object whose keys repeat: loaders differ in which one they take.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A number as it is written in JSON.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Cell>),
    /// Named values in their order.
    Map(Vec<(String, Cell)>),
    /// Bytes that are no text, and how many.
    Opaque(usize),
    /// Something nested too deep to be read.
    Deep,
    /// The first row of a table, with the names of its columns.
    Headed(Vec<String>, Box<Cell>),
}

impl Cell {
    /// The value of a key, the last one where there are several.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(pairs) => pairs.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            Self::Headed(_, row) => row.get(key),
            _ => None,
        }
    }

    /// The value as a short word: text, number or truth.
    #[must_use]
    pub fn word(&self) -> Option<String> {
        match self {
            Self::Bool(b) => Some(b.to_string()),
            Self::Number(n) => Some(n.clone()),
            Self::Text(t) => Some(t.clone()),
            _ => None,
        }
    }

    /// The value as JSON. Bytes become `null`.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null | Self::Opaque(_) | Self::Deep => Value::Null,
            Self::Headed(_, row) => row.json(),
            Self::Bool(b) => Value::Bool(*b),
            Self::Number(n) => serde_json::from_str(n).unwrap_or(Value::Null),
            Self::Text(t) => Value::String(t.clone()),
            Self::List(items) => Value::Array(items.iter().map(Self::json).collect()),
            Self::Map(pairs) => Value::Object(pairs.iter().map(|(k, v)| (k.clone(), v.json())).collect()),
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Deep => 8,
            Self::Headed(names, row) => names.iter().map(String::len).sum::<usize>() + row.size(),
            Self::Number(t) | Self::Text(t) => t.len() + 8,
            Self::List(items) => items.iter().map(Self::size).sum::<usize>() + 8,
            Self::Map(pairs) => pairs.iter().map(|(k, v)| k.len() + v.size() + 8).sum(),
            Self::Opaque(bytes) => *bytes,
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Cell;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Cell, E> {
                Ok(Cell::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Cell, E> {
                Ok(Cell::Number(v.to_string()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Cell, E> {
                Ok(Cell::Number(v.to_string()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Cell, E> {
                Ok(Cell::Number(v.to_string()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Cell, E> {
                Ok(Cell::Text(v.to_owned()))
            }
            fn visit_string<E>(self, v: String) -> Result<Cell, E> {
                Ok(Cell::Text(v))
            }
            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Cell::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Cell::Map(pairs))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
