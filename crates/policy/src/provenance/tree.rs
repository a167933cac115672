//! TOML and YAML as one tree with the place of every value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::rules::{PolicyFault, Syntax, fault};

/// Line and column, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) tree: Tree,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// Numbers, truth values, nothing: no policy holds any.
    Other,
}

/// Reads a document.
pub(super) fn read(text: &str, syntax: Syntax) -> Result<Node, PolicyFault> {
    match syntax {
        Syntax::Toml => {
            let root = DeTable::parse(text)
                .map_err(|e| fault(place(text, e.span().map_or(0, |s| s.start)), e.message().to_owned()))?;
            Ok(Node { at: Place { line: 1, column: 1 }, tree: table(text, root.get_ref()) })
        }
        Syntax::Yaml => {
            let root: serde_saphyr::Spanned<Tree> = serde_saphyr::from_str(text).map_err(|e| {
                let at = e.location().map_or(Place { line: 1, column: 1 }, |l| spot(&l));
                fault(at, "it is not well-formed YAML, repeats a key, or is too deep".to_owned())
            })?;
            Ok(Node { at: Place { line: 1, column: 1 }, tree: root.value })
        }
    }
}

fn place(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { line, column }
}

fn table(text: &str, table: &DeTable<'_>) -> Tree {
    let mut members: Vec<(usize, String, Node)> = table
        .iter()
        .map(|(key, value)| {
            let at = key.span().start;
            let tree = node(text, value.get_ref());
            // A fault of a list or word is shown at the value, of a table at its key.
            let shown = if matches!(tree, Tree::Map(_)) { at } else { value.span().start };
            (at, key.get_ref().to_string(), Node { at: place(text, shown), tree })
        })
        .collect();
    members.sort_by_key(|(at, ..)| *at);
    Tree::Map(members.into_iter().map(|(_, key, node)| (key, node)).collect())
}

fn node(text: &str, value: &DeValue<'_>) -> Tree {
    match value {
        DeValue::String(s) => Tree::Text(s.to_string()),
        DeValue::Array(items) => Tree::List(
            items.iter().map(|i| Node { at: place(text, i.span().start), tree: node(text, i.get_ref()) }).collect(),
        ),
        DeValue::Table(inner) => table(text, inner),
        _ => Tree::Other,
    }
}

fn spot(location: &serde_saphyr::Location) -> Place {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Place { line: number(location.line()), column: number(location.column()) }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<serde_saphyr::Spanned<Tree>>()? {
            list.push(Node { at: spot(&item.referenced), tree: item.value });
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = members.next_key::<serde_saphyr::Spanned<String>>()? {
            let value: serde_saphyr::Spanned<Tree> = members.next_value()?;
            let at = if matches!(value.value, Tree::Map(_)) { spot(&key.referenced) } else { spot(&value.referenced) };
            map.push((key.value, Node { at, tree: value.value }));
        }
        Ok(Tree::Map(map))
    }
}
