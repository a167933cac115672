//! ONNX: every graph, function and tensor of a model. What matters is where tensors are read from and which operators
//! need code of others.

use std::collections::{BTreeMap, HashSet};

use bartizan_core::{Reason, Severity};

use crate::bytes::show;
use crate::desk::Desk;
use crate::path::leads_away;
use crate::proto::{self, Value, every, fields, number, parts, text};
use crate::rules;

/// Graphs inside one another.
const DEEPEST: usize = 32;
/// Operators and metadata that are listed one by one.
const LISTED: usize = 64;
/// Domains whose operators the runtime itself brings.
const DOMAINS: &[&str] = &[
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview.training",
    "com.microsoft",
    "com.microsoft.nchwc",
    "com.microsoft.experimental",
    "com.ms.internal.nhwc",
];

/// Examines a `ModelProto`; `None` where it is none.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    let mut top = fields(bytes);
    let (mut version, mut graph) = (None, false);
    for field in top.by_ref() {
        match (field.number, field.value) {
            (1, Value::Number(value)) => version = Some(value),
            (7, Value::Bytes(_)) => graph = true,
            _ => {}
        }
    }
    if !graph || !version.is_some_and(|v| (1..=64).contains(&v)) {
        return None;
    }
    let mut model = Model::default();
    let mut whole = !top.is_broken();
    for function in parts(bytes, 25) {
        model.functions.insert((text(function, 10), text(function, 1)));
    }
    for field in fields(bytes) {
        let Value::Bytes(part) = field.value else { continue };
        match field.number {
            7 => whole &= model.graph(part, 0, desk),
            // Training: an initialization and an algorithm.
            20 => whole &= every(parts(part, 1).chain(parts(part, 2)), |graph| model.graph(graph, 0, desk)),
            25 => {
                whole &= proto::is_message(part, 64);
                whole &= every(parts(part, 7), |node| model.node(node, 0, desk));
            }
            14 => metadata(part, desk),
            _ => {}
        }
    }
    model.report(desk);
    if !whole {
        desk.partial(Reason::Malformed, bytes.len(), "the graph cannot be read to its end");
    }
    if proto::has_other(bytes, |number| number <= 64) {
        desk.partial(Reason::Malformed, bytes.len(), "the model has fields that its format does not");
    }
    desk.opaque(bytes.len(), "tensors and the graph of the model");
    Some("onnx")
}

/// A tensor by itself, as test data of models is kept: a type, and at most dimensions, a name and values.
pub(crate) fn is_tensor(bytes: &[u8]) -> bool {
    proto::is_message(bytes, 16)
        && fields(bytes).all(|f| matches!(f.number, 1 | 2 | 4..=12 | 14))
        && number(bytes, 2).is_some_and(|kind| (1..=32).contains(&kind))
        && fields(bytes).any(|f| matches!(f.number, 4..=7 | 9..=11))
}

/// A pair of texts, which programs read as they like: a template or a document in it is examined as one.
fn metadata(pair: &[u8], desk: &mut Desk<'_>) {
    let value = text(pair, 2);
    let document = value.starts_with('{') && crate::config::json(&value, desk);
    if !document && (value.contains("{%") || value.contains("{{")) {
        crate::template::examine(&value, 0, desk);
    }
}

#[derive(Default)]
struct Model {
    /// Functions that the model brings itself: domain and name.
    functions: HashSet<(String, String)>,
    /// Operators of other domains, with how often they occur.
    foreign: BTreeMap<(String, String), usize>,
}

impl Model {
    fn graph(&mut self, graph: &[u8], depth: usize, desk: &mut Desk<'_>) -> bool {
        if depth > DEEPEST {
            return false;
        }
        let mut all = fields(graph);
        let mut whole = true;
        for field in all.by_ref() {
            let Value::Bytes(part) = field.value else { continue };
            whole &= match field.number {
                1 => self.node(part, depth, desk),
                5 => tensor(part, desk),
                // Sparse: values and indices.
                15 => every(parts(part, 1).chain(parts(part, 2)), |t| tensor(t, desk)),
                _ => true,
            };
        }
        whole && !all.is_broken()
    }

    fn node(&mut self, node: &[u8], depth: usize, desk: &mut Desk<'_>) -> bool {
        let mut all = fields(node);
        let mut whole = true;
        let (mut kind, mut domain) = (&b""[..], &b""[..]);
        let (mut context, mut embedded) = (None, true);
        for field in all.by_ref() {
            let Value::Bytes(part) = field.value else { continue };
            match field.number {
                4 => kind = part,
                7 => domain = part,
                5 => {
                    whole &= self.attribute(part, depth, desk);
                    match proto::part(part, 1) {
                        Some(b"ep_cache_context") => context = proto::part(part, 4),
                        Some(b"embed_mode") => embedded = number(part, 3) != Some(0),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        let (kind, domain) = (String::from_utf8_lossy(kind), String::from_utf8_lossy(domain));
        if matches!(&*kind, "PyOp" | "PythonOp" | "PyFunc" | "PyCustomOp" | "PyCustomOpDef") {
            desk.find(&rules::CONFIG, format!("the operator `{}` runs code of the process", show(&kind)), 0, 0);
        }
        if kind == "EPContext" {
            let path = String::from_utf8_lossy(context.unwrap_or_default());
            if !embedded && leads_away(&path) {
                desk.find(&rules::PATH, format!("a compiled graph is read from `{}`", show(&path)), 0, 0);
            }
            let what = "the graph is compiled for one device: its code is not examined";
            desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
        }
        if !DOMAINS.contains(&&*domain) && self.foreign.len() < LISTED {
            let name = (domain.into_owned(), kind.into_owned());
            if !self.functions.contains(&name) {
                *self.foreign.entry(name).or_default() += 1;
            }
        }
        whole && !all.is_broken()
    }

    fn attribute(&mut self, attribute: &[u8], depth: usize, desk: &mut Desk<'_>) -> bool {
        let mut all = fields(attribute);
        let mut whole = true;
        for field in all.by_ref() {
            let Value::Bytes(part) = field.value else { continue };
            whole &= match field.number {
                5 | 10 => tensor(part, desk),
                6 | 11 => self.graph(part, depth + 1, desk),
                22 | 23 => every(parts(part, 1).chain(parts(part, 2)), |t| tensor(t, desk)),
                _ => true,
            };
        }
        whole && !all.is_broken()
    }

    fn report(&self, desk: &mut Desk<'_>) {
        for (domain, kind) in self.foreign.keys() {
            let what = format!("the operator `{}` of `{}` needs a native library", show(kind), show(domain));
            desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
        }
    }
}

/// Bytes of a value by its type, where the type has whole ones.
fn width(kind: u64) -> Option<u64> {
    Some(match kind {
        2 | 3 | 9 | 17..=20 => 1,
        4 | 5 | 10 | 16 => 2,
        1 | 6 | 12 => 4,
        7 | 11 | 13 | 14 => 8,
        15 => 16,
        _ => return None,
    })
}

fn tensor(tensor: &[u8], desk: &mut Desk<'_>) -> bool {
    let mut all = fields(tensor);
    let mut count = Some(1u64);
    let mut multiply = |value: u64| count = count.and_then(|n| n.checked_mul(value));
    let (mut kind, mut raw, mut name) = (0, None, &b""[..]);
    for field in all.by_ref() {
        match (field.number, field.value) {
            (1, Value::Number(dimension)) => multiply(dimension),
            (1, Value::Bytes(packed)) => packed_numbers(packed, &mut multiply),
            (2, Value::Number(value)) => kind = value,
            (8, Value::Bytes(text)) => name = text,
            (9, Value::Bytes(bytes)) => raw = Some(bytes.len() as u64),
            (13, Value::Bytes(pair)) => external(pair, desk),
            _ => {}
        }
    }
    if let (Some(raw), Some(width)) = (raw.filter(|raw| *raw > 0), width(kind))
        && count.and_then(|n| n.checked_mul(width)) != Some(raw)
    {
        let name = show(&String::from_utf8_lossy(name));
        desk.find(&rules::STRUCTURE, format!("the size of tensor `{name}` is not that of its shape"), 0, 0);
    }
    !all.is_broken()
}

fn packed_numbers(mut bytes: &[u8], each: &mut impl FnMut(u64)) {
    while let Some(end) = bytes.iter().position(|b| b & 0x80 == 0) {
        let (number, rest) = bytes.split_at(end + 1);
        each(number.iter().rev().fold(0u64, |n, b| n << 7 | u64::from(b & 0x7f)));
        bytes = rest;
    }
}

/// A key and its value: where the data of a tensor is.
fn external(pair: &[u8], desk: &mut Desk<'_>) {
    let (key, value) = (text(pair, 1), text(pair, 2));
    if key == "location" && leads_away(&value) {
        desk.find(&rules::PATH, format!("a tensor is read from `{}`", show(&value)), 0, 0);
    }
}
