//! Core ML: `.mlmodel` and the model of an `.mlpackage`. Layers and models that are classes of the app are findings.

use std::collections::BTreeSet;

use bartizan_core::{Reason, Severity};

use crate::bytes::{piece, show, u32le};
use crate::desk::Desk;
use crate::path::{leads_away, leads_out};
use crate::proto::{self, Value, every, fields, part, parts, text};
use crate::rules;

/// Models inside one another.
const DEEPEST: usize = 16;
/// Texts of a program that are looked at.
const TEXTS: usize = 200_000;

/// Examines a `Model`; `None` where it is none.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    if !is_model(bytes) {
        return None;
    }
    let mut custom = BTreeSet::new();
    if !model(bytes, 0, &mut custom, desk) {
        desk.partial(Reason::Malformed, bytes.len(), "the model cannot be read to its end");
    }
    if proto::has_other(bytes, |number| number <= 3000) {
        desk.partial(Reason::Malformed, bytes.len(), "the model has fields that its format does not");
    }
    for class in custom {
        let what = format!("the class `{}` is code of the app that loads the model", show(&class));
        desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
    }
    desk.opaque(bytes.len(), "tensors and the graph of the model");
    Some("core ml")
}

/// A version, a description, and one kind of model by its number.
fn is_model(bytes: &[u8]) -> bool {
    proto::number(bytes, 1).is_some_and(|version| (1..=64).contains(&version))
        && fields(bytes).any(|f| matches!(f.number, 200..=3000))
        && part(bytes, 2).is_some_and(|d| proto::is_message(d, u64::MAX))
}

/// Weights of an `.mlpackage`: a count, version 2, and the mark of the first entry.
pub(crate) fn is_weights(bytes: &[u8]) -> bool {
    u32le(bytes, 4) == Some(2) && piece(bytes, 64, 4) == Some(&[0xef, 0xbe, 0xad, 0xde])
}

fn model(bytes: &[u8], depth: usize, custom: &mut BTreeSet<String>, desk: &mut Desk<'_>) -> bool {
    if depth > DEEPEST {
        return false;
    }
    let mut all = fields(bytes);
    let mut whole = true;
    for field in all.by_ref() {
        let Value::Bytes(inner) = field.value else { continue };
        match field.number {
            // Pipelines: of anything, of a classifier or of a regressor.
            202 => whole &= every(parts(inner, 1), |m| model(m, depth + 1, custom, desk)),
            200 | 201 => {
                let models = parts(inner, 1).flat_map(|pipeline| parts(pipeline, 1));
                whole &= every(models, |m| model(m, depth + 1, custom, desk));
            }
            303 | 403 | 500 => {
                for layer in parts(inner, 1) {
                    custom.extend(part(layer, 500).map(|c| text(c, 10)));
                }
                whole &= proto::is_message(inner, 4096);
            }
            502 => whole &= program(inner, desk),
            555 => {
                custom.insert(text(inner, 10));
            }
            556 => {
                for name in parts(inner, 1).chain(parts(inner, 2)).map(|p| text(p, 1)) {
                    if leads_away(&name) {
                        desk.find(&rules::PATH, format!("a model is read from `{}`", show(&name)), 0, 0);
                    }
                }
            }
            // A model as bytes.
            3000 => {
                if let Some(serialized) = part(inner, 3).or_else(|| part(inner, 2)) {
                    desk.within("model", serialized.len(), |desk| {
                        crate::kind::examine(serialized, desk);
                    });
                }
            }
            _ => {}
        }
    }
    whole && !all.is_broken()
}

/// A program: what counts are the files that its constants come from, wherever they stand in the tree.
fn program(program: &[u8], desk: &mut Desk<'_>) -> bool {
    const HOME: &[u8] = b"@model_path/";
    let mut at = 0;
    for _ in 0..TEXTS {
        let Some(found) = program.get(at..).and_then(|rest| memchr::memmem::find(rest, HOME)) else { return true };
        at += found + HOME.len();
        let rest = piece(program, at, 512.min(program.len().saturating_sub(at))).unwrap_or_default();
        let end = rest.iter().position(|b| !b.is_ascii_graphic()).unwrap_or(rest.len());
        let name = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        if leads_out(&name) {
            desk.find(&rules::PATH, format!("weights are read from `{}`", show(&name)), at, end);
        }
    }
    false
}
