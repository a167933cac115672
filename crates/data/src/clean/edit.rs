//! Other texts in the place of some texts of a row; everything else stays as it is written.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::cell::Cell;
use crate::layout::NAME;

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// It is this text.
    Text(String),
    /// Some of the values in it change, by their position.
    Inside(BTreeMap<u32, Edit>),
}

impl Edit {
    /// Texts by their places. `None` where one is the name of a value, which cannot change by itself.
    pub(super) fn of<'a>(texts: impl Iterator<Item = (&'a [u32], String)>) -> Option<Self> {
        let mut root = Self::Inside(BTreeMap::new());
        for (place, text) in texts {
            if place.contains(&NAME) {
                return None;
            }
            let mut at = &mut root;
            for step in place {
                let Self::Inside(inner) = at else { return None };
                at = inner.entry(*step).or_insert_with(|| Self::Inside(BTreeMap::new()));
            }
            *at = Self::Text(text);
        }
        Some(root)
    }

    /// The values that change in it.
    pub(super) const fn inside(&self) -> Option<&BTreeMap<u32, Self>> {
        match self {
            Self::Inside(inner) => Some(inner),
            Self::Text(_) => None,
        }
    }
}

/// A number stays one where the new text is one.
fn number(text: &str) -> Option<serde_json::Number> {
    serde_json::from_str(text).ok()
}

/// Changes a value. Names stay, and so does what is no text and has no new text.
pub(super) fn cell(value: &mut Cell, edit: &Edit) {
    match (value, edit) {
        (value @ Cell::Text(_), Edit::Text(text)) => *value = Cell::Text(text.clone()),
        (value, Edit::Text(text)) => {
            *value = number(text).map_or(Cell::Null, |number| Cell::Number(number.to_string()));
        }
        (Cell::Headed(_, row), edit @ Edit::Inside(_)) => cell(row, edit),
        (Cell::List(items), Edit::Inside(inner)) => {
            for (step, item) in (0..).zip(items) {
                if let Some(edit) = inner.get(&step) {
                    cell(item, edit);
                }
            }
        }
        (Cell::Map(pairs), Edit::Inside(inner)) => {
            for (step, (_, item)) in (0..).zip(pairs) {
                if let Some(edit) = inner.get(&step) {
                    cell(item, edit);
                }
            }
        }
        (_, Edit::Inside(_)) => {}
    }
}

/// A JSON value with its changes. Values that do not change keep their bytes; between those that do, white space goes.
/// `None` where it is no JSON.
pub(super) fn json(bytes: &[u8], edit: &Edit) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    written(std::str::from_utf8(bytes).ok()?, edit, &mut out)?;
    Some(out)
}

fn written(json: &str, edit: &Edit, out: &mut Vec<u8>) -> Option<()> {
    let json = json.trim();
    match (edit, json.bytes().next()?) {
        (Edit::Inside(inner), _) if inner.is_empty() => out.extend_from_slice(json.as_bytes()),
        (Edit::Text(text), b'"') => serde_json::to_writer(out, text).ok()?,
        (Edit::Text(text), _) => match number(text) {
            Some(_) => out.extend_from_slice(text.trim().as_bytes()),
            None => out.extend_from_slice(b"null"),
        },
        (Edit::Inside(inner), b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            out.push(b'[');
            for (step, item) in (0..).zip(items) {
                if step > 0 {
                    out.push(b',');
                }
                part(item, inner.get(&step), out)?;
            }
            out.push(b']');
        }
        (Edit::Inside(inner), b'{') => {
            let Pairs(pairs) = serde_json::from_str(json).ok()?;
            out.push(b'{');
            for (step, (name, item)) in (0..).zip(pairs) {
                if step > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, &name).ok()?;
                out.push(b':');
                part(item, inner.get(&step), out)?;
            }
            out.push(b'}');
        }
        (Edit::Inside(_), _) => return None,
    }
    Some(())
}

fn part(item: &RawValue, edit: Option<&Edit>, out: &mut Vec<u8>) -> Option<()> {
    match edit {
        Some(edit) => written(item.get(), edit, out),
        None => {
            out.extend_from_slice(item.get().as_bytes());
            Some(())
        }
    }
}

/// The pairs of an object in their order, those with the same name too.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(All).map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::{Columns, Row, places};

    /// Every turn in upper case with a mark, by both ways of writing.
    fn marked(json: &str) -> (Cell, Cell) {
        let mut value: Cell = serde_json::from_str(json).unwrap();
        let (row, places) = (Row::new(&value, &Columns::default()), places(&value, &Columns::default()));
        assert_eq!(row.turns.len(), places.len());
        let texts = row.turns.iter().zip(&places).filter(|(_, place)| !place.contains(&NAME));
        let edit = Edit::of(texts.map(|(turn, place)| (&place[..], format!("{}\u{1}", turn.text)))).unwrap();
        let bytes = super::json(json.as_bytes(), &edit).unwrap();
        cell(&mut value, &edit);
        (serde_json::from_slice(&bytes).unwrap(), value)
    }

    #[test]
    fn what_does_not_change_keeps_its_bytes() {
        let row =
            r#" {"a": 1.50, "text" : "x", "text": "y\u00e9", "n": [1e2, {"k":"v"}], "big": 123456789012345678901}"#;
        let value: Cell = serde_json::from_str(row).unwrap();
        let place = places(&value, &Columns::default());
        let edit = Edit::of([(&place[1][..], "new \"1\"".to_owned())].into_iter()).unwrap();
        assert_eq!(
            String::from_utf8(json(row.as_bytes(), &edit).unwrap()).unwrap(),
            r#"{"a":1.50,"text":"x","text":"new \"1\"","n":[1e2, {"k":"v"}],"big":123456789012345678901}"#
        );
        let number = Edit::of([(&[0_u32][..], "12".to_owned())].into_iter()).unwrap();
        assert_eq!(json(b"[7,8]", &number).unwrap(), b"[12,8]");
        let none = Edit::of([(&[0_u32][..], "twelve".to_owned())].into_iter()).unwrap();
        assert_eq!(json(b"[7,8]", &none).unwrap(), b"[null,8]");
        assert_eq!(Edit::of([(&[0, NAME][..], String::new())].into_iter()), None);
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            ".{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("role|content|text|[a-c~/\"]{1,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn both_ways_of_writing_say_the_same(value in tree()) {
            let (bytes, cells) = marked(&value.to_string());
            prop_assert_eq!(bytes, cells);
        }
    }
}
