//! ONNX: a walk over the protocol buffer for where its tensors are.

use crate::bytes::{piece, show};
use crate::desk::Desk;
use crate::rules;
use crate::zip::leads_out;

struct Field<'a> {
    number: u64,
    bytes: Option<&'a [u8]>,
    value: u64,
}

fn varint(data: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *data.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn field<'a>(data: &'a [u8], at: &mut usize) -> Option<Field<'a>> {
    let key = varint(data, at)?;
    let number = key >> 3;
    let (bytes, value) = match key & 7 {
        0 => (None, varint(data, at)?),
        1 => {
            *at = at.checked_add(8).filter(|a| *a <= data.len())?;
            (None, 0)
        }
        2 => {
            let len = usize::try_from(varint(data, at)?).ok()?;
            let bytes = piece(data, *at, len)?;
            *at += len;
            (Some(bytes), 0)
        }
        5 => {
            *at = at.checked_add(4).filter(|a| *a <= data.len())?;
            (None, 0)
        }
        _ => return None,
    };
    (number > 0).then_some(Field { number, bytes, value })
}

fn fields(data: &[u8]) -> Option<Vec<Field<'_>>> {
    let (mut at, mut all) = (0, Vec::new());
    while at < data.len() {
        all.push(field(data, &mut at)?);
        if all.len() > 1_000_000 {
            return None;
        }
    }
    Some(all)
}

/// Examines a `ModelProto`; `None` where it is none.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    let top = fields(bytes)?;
    let version = top.iter().find(|f| f.number == 1 && f.bytes.is_none())?.value;
    let graph = top.iter().find(|f| f.number == 7).and_then(|f| f.bytes)?;
    if !(1..=64).contains(&version) || top.iter().any(|f| f.number > 64) {
        return None;
    }
    let whole = graph_of(graph, 0, desk)
        && top.iter().filter(|f| f.number == 25).filter_map(|f| f.bytes).all(|function| fields(function).is_some());
    if !whole {
        desk.partial(bartizan_core::Reason::Malformed, graph.len(), "the graph cannot be read to its end");
    }
    desk.opaque(bytes.len(), "tensors and the graph of the model");
    Some("onnx")
}

/// Nodes (1) with their attributes (5), initializers (5).
fn graph_of(graph: &[u8], depth: usize, desk: &mut Desk<'_>) -> bool {
    if depth > desk.budget.depth {
        return false;
    }
    let Some(parts) = fields(graph) else { return false };
    parts.iter().filter_map(|f| Some((f.number, f.bytes?))).all(|(number, part)| match number {
        1 => node(part, depth, desk),
        5 => tensor(part, desk),
        _ => true,
    })
}

fn node(part: &[u8], depth: usize, desk: &mut Desk<'_>) -> bool {
    let Some(node) = fields(part) else { return false };
    for attribute in node.iter().filter(|f| f.number == 5).filter_map(|f| f.bytes) {
        let Some(values) = fields(attribute) else { return false };
        for (number, value) in values.iter().filter_map(|f| Some((f.number, f.bytes?))) {
            let read = match number {
                5 | 10 => tensor(value, desk),
                6 | 11 => graph_of(value, depth + 1, desk),
                _ => true,
            };
            if !read {
                return false;
            }
        }
    }
    let domain = node.iter().find(|f| f.number == 7).and_then(|f| f.bytes).unwrap_or_default();
    let kind = node.iter().find(|f| f.number == 4).and_then(|f| f.bytes).unwrap_or_default();
    if matches!(kind, b"PyOp" | b"PythonOp" | b"PyFunc" | b"PyCustomOp") {
        let what = format!("the operator `{}` runs Python", show(&String::from_utf8_lossy(kind)));
        desk.find(&rules::CONFIG, what, 0, 0);
    }
    let known =
        [&b""[..], b"ai.onnx", b"ai.onnx.ml", b"com.microsoft", b"ai.onnx.preview.training", b"com.microsoft.nchwc"];
    if !known.contains(&domain) {
        let what = format!("operators of `{}` need a native library", show(&String::from_utf8_lossy(domain)));
        desk.find_as(&rules::CONFIG, bartizan_core::Severity::Low, what, (0, 0), Vec::new());
    }
    true
}

/// External data (13): pairs of key (1) and value (2).
fn tensor(part: &[u8], desk: &mut Desk<'_>) -> bool {
    let Some(tensor) = fields(part) else { return false };
    for entry in tensor.iter().filter(|f| f.number == 13).filter_map(|f| f.bytes) {
        let Some(pair) = fields(entry) else { return false };
        let text = |number| {
            let bytes = pair.iter().find(|f| f.number == number).and_then(|f| f.bytes).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let (key, value) = (text(1), text(2));
        if key == "location" && (leads_out(&value) || value.contains("://")) {
            desk.find(&rules::PATH, format!("a tensor is read from `{}`", show(&value)), 0, 0);
        }
    }
    true
}
