//! What the machine did, as pseudo-Python.

use super::machine::Machine;
use super::profile::By;
use super::value::{Kind, Shape, V};
use crate::bytes::{piece, show};
use crate::desk::Step;

/// Longest line.
const LONGEST: usize = 240;

/// The dotted name of a callee or object.
pub(super) fn name(machine: &Machine<'_>, value: V) -> String {
    match machine.node(value).map(|n| &n.kind) {
        Some(Kind::Global { module, name, .. }) => show(&format!("{module}.{name}")),
        Some(Kind::Made { callee, .. }) => match machine.node(*callee).map(|n| &n.kind) {
            Some(Kind::Global { module, name, .. }) => show(&format!("{module}.{name}(…)")),
            _ => "the result of a call".to_owned(),
        },
        Some(Kind::Persistent(_)) => "an object outside the file".to_owned(),
        Some(Kind::Seq { .. } | Kind::Dict { .. } | Kind::Text(_)) => "a plain value".to_owned(),
        Some(Kind::Extension(_)) | None => "an unknown value".to_owned(),
    }
}

/// The value, down to `depth`.
pub(super) fn value(machine: &Machine<'_>, v: V, depth: usize) -> String {
    let mut out = String::new();
    write(machine, v, depth, &mut out);
    if out.chars().nth(LONGEST).is_some() {
        out = out.chars().take(LONGEST).collect();
        out.push('…');
    }
    out
}

fn list(machine: &Machine<'_>, items: &[V], depth: usize, out: &mut String) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        if at >= 8 || out.len() > LONGEST * 4 {
            out.push('…');
            return;
        }
        write(machine, *item, depth, out);
    }
}

fn write(machine: &Machine<'_>, v: V, depth: usize, out: &mut String) {
    match v {
        V::None => out.push_str("None"),
        V::Bool(true) => out.push_str("True"),
        V::Bool(false) => out.push_str("False"),
        V::Int(i) => out.push_str(&i.to_string()),
        V::Float => out.push_str("<float>"),
        V::Big | V::Magic => out.push_str("<long>"),
        V::Str { at, len } => {
            let text = String::from_utf8_lossy(piece(machine.data, at, len as usize).unwrap_or_default());
            out.push_str(&format!("'{}'", show(&text)));
        }
        V::Bytes { at, len } => {
            let text = String::from_utf8_lossy(piece(machine.data, at, (len as usize).min(80)).unwrap_or_default());
            out.push_str(&format!("b'{}'", show(&text)));
        }
        V::Data => out.push_str("<data>"),
        V::Lost => out.push_str("<unknown>"),
        V::Node(_) => {
            let Some(node) = machine.node(v) else { return };
            if depth == 0 || out.len() > LONGEST * 4 {
                out.push('…');
                return;
            }
            let depth = depth - 1;
            match &node.kind {
                Kind::Text(text) => out.push_str(&format!("'{}'", show(text))),
                Kind::Global { .. } => out.push_str(&name(machine, v)),
                Kind::Made { callee, args, .. } => {
                    write(machine, *callee, depth, out);
                    arguments(machine, *args, depth, out);
                }
                Kind::Seq { shape, items, .. } => {
                    let (open, close) = match shape {
                        Shape::Tuple => ("(", ")"),
                        Shape::List => ("[", "]"),
                        Shape::Set => ("{", "}"),
                    };
                    out.push_str(open);
                    list(machine, items, depth, out);
                    out.push_str(close);
                }
                Kind::Dict { items, .. } => {
                    out.push('{');
                    for (at, (key, value)) in items.iter().enumerate() {
                        if at > 0 {
                            out.push_str(", ");
                        }
                        if at >= 8 || out.len() > LONGEST * 4 {
                            out.push('…');
                            break;
                        }
                        write(machine, *key, depth, out);
                        out.push_str(": ");
                        write(machine, *value, depth, out);
                    }
                    out.push('}');
                }
                Kind::Persistent(id) => {
                    out.push_str("persistent_load(");
                    write(machine, *id, depth, out);
                    out.push(')');
                }
                Kind::Extension(code) => out.push_str(&format!("<extension {code}>")),
            }
        }
    }
}

fn arguments(machine: &Machine<'_>, args: V, depth: usize, out: &mut String) {
    match machine.node(args).map(|n| &n.kind) {
        Some(Kind::Seq { shape: Shape::Tuple, items, .. }) => {
            out.push('(');
            list(machine, items, depth, out);
            out.push(')');
        }
        _ => {
            out.push_str("(*");
            write(machine, args, depth, out);
            out.push(')');
        }
    }
}

/// The import and the call.
pub(super) fn chain(machine: &Machine<'_>, callee: V, args: V, by: By, at: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut origin = callee;
    // The callee may itself be the result of calls.
    for _ in 0..4 {
        match machine.node(origin).map(|n| (&n.kind, n.at)) {
            Some((Kind::Global { module, name, .. }, offset)) => {
                steps.push(Step { offset, text: format!("from {} import {}", show(module), show(name)) });
                break;
            }
            Some((Kind::Made { callee, .. }, offset)) => {
                steps.push(Step { offset, text: value(machine, origin, 4) });
                origin = *callee;
            }
            _ => break,
        }
    }
    steps.reverse();
    let mut text = name(machine, callee);
    if by == By::New {
        text.push_str(".__new__");
    }
    arguments(machine, args, 4, &mut text);
    if text.chars().nth(LONGEST).is_some() {
        text = text.chars().take(LONGEST).collect();
        text.push('…');
    }
    steps.push(Step { offset: at, text });
    steps
}
