//! Paddle: programs as protocol buffers, and their parameters. Recognised and searched for operators that run Python.

use bartizan_core::{Reason, Severity};

use crate::bytes::{piece, show, u32le};
use crate::desk::Desk;
use crate::proto::{self, parts, text};
use crate::rules;

/// Examines a `ProgramDesc`; `None` where it is none.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    if !parts(bytes, 1).any(is_block) {
        return None;
    }
    if proto::has_other(bytes, |number| number <= 5) {
        desk.partial(Reason::Malformed, bytes.len(), "the model has fields that its format does not");
    }
    for block in parts(bytes, 1) {
        for op in parts(block, 4).map(|op| text(op, 3)) {
            let what = match op.as_str() {
                "py_func" | "py_layer" => "runs Python code of the process",
                "load" | "load_combine" | "read_file" => "reads files",
                "save" | "save_combine" => "writes files",
                _ => continue,
            };
            let severity = if op.starts_with("py_") { Severity::High } else { Severity::Medium };
            desk.find_as(&rules::CONFIG, severity, format!("the operator `{}` {what}", show(&op)), (0, 0), Vec::new());
        }
    }
    desk.opaque(bytes.len(), "the graph of the model");
    Some("paddle")
}

/// A number, and variables and operators.
fn is_block(block: &[u8]) -> bool {
    let op = |op| text(op, 3);
    proto::is_message(block, u64::MAX)
        && proto::number(block, 1).is_some()
        && parts(block, 4).map(op).next().is_some_and(|op| !op.is_empty() && op.bytes().all(|b| b.is_ascii_graphic()))
}

/// Parameters: versions and a level of zero, then the description of the first tensor.
pub(crate) fn is_parameters(bytes: &[u8]) -> bool {
    piece(bytes, 0, 16).is_some_and(|head| head.iter().all(|b| *b == 0))
        && u32le(bytes, 16).is_some_and(|len| (4..256).contains(&len))
        && piece(bytes, 20, 1) == Some(&[8])
}
