//! YAML: all documents of a stream, with anchors, aliases and merge keys.

use std::collections::HashMap;

use bartizan_core::Span;
use serde_saphyr::granit_parser::{Event, Parser};

use crate::tree::{Broken, DEEPEST, Data, MOST, Node};

/// Documents, and what ended the reading before the end. Documents before a fault are kept.
pub(crate) fn parse(text: &str) -> (Vec<Node>, Option<Broken>) {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let broken = match event {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or(0..0);
                builder.take(event, Span::new(range.start, range.end.max(range.start))).err()
            }
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(0);
                let why = if text.contains("{{") {
                    "this is no YAML; render templates first, as with `helm template`"
                } else {
                    "this is no YAML from here on"
                };
                Some(Broken::new(at, why))
            }
        };
        if let Some(broken) = broken {
            return (builder.documents, Some(broken));
        }
    }
    (builder.documents, None)
}

struct Open {
    data: Data,
    /// The key whose value comes next.
    key: Option<Node>,
    start: usize,
    anchor: usize,
    /// Values in it.
    weight: usize,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    count: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                self.open.clear();
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == serde_saphyr::granit_parser::ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let data = if null { Data::Null } else { Data::Scalar(text.into_owned()) };
                self.put(Node { data, span }, anchor, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.enter(Data::List(Vec::new()), anchor, span.start),
            Event::MappingStart(_, anchor, _) => self.enter(Data::Map(Vec::new()), anchor, span.start),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let span = Span::new(open.start, span.end.max(open.start));
                let node = Node { data: merged(open.data), span };
                self.put(node, open.anchor, open.weight)
            }
            Event::Alias(id) => {
                // The place of what an alias stands for is where it was written.
                let Some((node, weight)) = self.anchors.get(&id) else {
                    return self.put(Node { data: Data::Null, span }, 0, 1);
                };
                if self.count.saturating_add(*weight) > MOST {
                    return Err(Broken::limit(span.start, "aliases repeat more values than the limit"));
                }
                let (node, weight) = (node.clone(), *weight);
                self.count = self.count.saturating_add(weight);
                self.put(node, 0, weight)
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, data: Data, anchor: usize, start: usize) -> Result<(), Broken> {
        if self.open.len() >= DEEPEST {
            return Err(Broken::limit(start, "nested deeper than the limit"));
        }
        self.open.push(Open { data, key: None, start, anchor, weight: 1 });
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize, weight: usize) -> Result<(), Broken> {
        self.count = self.count.saturating_add(1);
        if self.count > MOST {
            return Err(Broken::limit(node.span.start, "more values than the limit"));
        }
        if anchor > 0 {
            self.count = self.count.saturating_add(weight);
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(weight);
        match &mut open.data {
            Data::List(items) => items.push(node),
            Data::Map(entries) => match open.key.take() {
                Some(key) => entries.push((key, node)),
                None => open.key = Some(node),
            },
            Data::Scalar(_) | Data::Null => {}
        }
        Ok(())
    }
}

/// Merge keys (`<<`): entries of the mappings named come first, so that those written beside the key win.
fn merged(data: Data) -> Data {
    let Data::Map(entries) = data else { return data };
    if !entries.iter().any(|(key, _)| key.text() == Some("<<")) {
        return Data::Map(entries);
    }
    let (mut all, mut own) = (Vec::new(), Vec::new());
    for (key, value) in entries {
        if key.text() != Some("<<") {
            own.push((key, value));
            continue;
        }
        match value.data {
            Data::Map(entries) => all.extend(entries),
            Data::List(items) => {
                // The first of several mappings wins.
                for item in items.into_iter().rev() {
                    if let Data::Map(entries) = item.data {
                        all.extend(entries);
                    }
                }
            }
            Data::Scalar(_) | Data::Null => {}
        }
    }
    all.extend(own);
    Data::Map(all)
}
