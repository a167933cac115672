//! Documents as trees of values that know their place, whatever syntax they were written in.

use bartizan_core::Span;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// Anything that is written as one word or string; numbers and booleans too.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with their values, in the order of the file.
    Map(Vec<(Node, Node)>),
    /// Nothing.
    Null,
}

/// A value at its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) data: Data,
    /// Bytes of the file.
    pub(crate) span: Span,
}

impl Node {
    pub(crate) fn scalar(text: impl Into<String>, span: Span) -> Self {
        Self { data: Data::Scalar(text.into()), span }
    }

    /// The value of a key. Loaders take the last of equal keys.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }

    /// The value at a dotted path. A key may have the dots itself, as Elasticsearch writes it.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        self.get(path).or_else(|| path.split('.').try_fold(self, |node, key| node.get(key)))
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The text at a dotted path.
    pub(crate) fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path).and_then(Self::text)
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[(Self, Self)] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// True for a mapping.
    pub(crate) const fn is_map(&self) -> bool {
        matches!(self.data, Data::Map(_))
    }

    /// Scalars below, with their dotted paths; items of lists have the path of the list. Parsers bound the depth.
    pub(crate) fn leaves<'n>(&'n self, visit: &mut dyn FnMut(&str, &'n Self)) {
        fn walk<'n>(node: &'n Node, path: &mut String, visit: &mut dyn FnMut(&str, &'n Node)) {
            match &node.data {
                Data::Scalar(_) | Data::Null => visit(path, node),
                Data::List(items) => items.iter().for_each(|item| walk(item, path, visit)),
                Data::Map(entries) => {
                    for (key, value) in entries {
                        let length = path.len();
                        if !path.is_empty() {
                            path.push('.');
                        }
                        // A key that nobody would write costs no more than a short one.
                        path.extend(key.text().unwrap_or_default().chars().take(200));
                        walk(value, path, visit);
                        path.truncate(length);
                    }
                }
            }
        }
        walk(self, &mut String::new(), visit);
    }
}

/// Why a document could not be read, and where.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// Byte of the file.
    pub(crate) at: usize,
    /// For people; it quotes nothing of the file.
    pub(crate) why: String,
    /// True where a limit was met, and not the syntax.
    pub(crate) limit: bool,
}

impl Broken {
    pub(crate) fn new(at: usize, why: impl Into<String>) -> Self {
        Self { at, why: why.into(), limit: false }
    }

    pub(crate) fn limit(at: usize, why: impl Into<String>) -> Self {
        Self { at, why: why.into(), limit: true }
    }
}

/// Deepest nesting of a document.
pub(crate) const DEEPEST: usize = 64;
/// Most values of a file, with what aliases repeat.
pub(crate) const MOST: usize = 200_000;
