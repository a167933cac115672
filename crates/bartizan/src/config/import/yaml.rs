//! YAML with the line of every value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value and the line, from 1, where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) tree: Tree,
}

/// What a value is. Numbers keep what they were read as.
#[derive(Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file. The line of a member is that of its key.
    Map(Vec<(String, Node)>),
}

/// Reads one document. The error is the line and what is wrong; it shows nothing of the file, which may hold secrets.
pub(super) fn read(text: &str) -> Result<Node, (u64, String)> {
    match serde_saphyr::from_str::<Spanned<Tree>>(text) {
        Ok(root) => Ok(Node { line: root.referenced.line(), tree: root.value }),
        Err(error) => {
            let line = error.location().map_or(0, |at| at.line());
            Err((line, "it is not well-formed, repeats a key, or is too deep".to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

#[allow(clippy::cast_precision_loss, reason = "settings are small numbers")]
impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Tree>>()? {
            list.push(Node { line: item.referenced.line(), tree: item.value });
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = members.next_key::<Spanned<String>>()? {
            let value: Tree = members.next_value()?;
            map.push((key.value, Node { line: key.referenced.line(), tree: value }));
        }
        Ok(Tree::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_known() {
        let root = read("a: 1\nb:\n  - x\n  - c: true\n").unwrap();
        let Tree::Map(members) = &root.tree else { panic!("{root:?}") };
        assert_eq!(members.iter().map(|(k, v)| (k.as_str(), v.line)).collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
        let Tree::List(items) = &members[1].1.tree else { panic!("{root:?}") };
        assert_eq!((items[0].line, items[1].line), (3, 4));
        assert!(read("a: 1\na: 2\n").is_err());
        assert!(read("a: [").is_err_and(|(_, why)| !why.contains('[')));
    }
}
