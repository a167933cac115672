//! Paddle: programs as protocol buffers, and their parameters. Recognised and searched for operators that run Python.

use bartizan_core::Severity;

use crate::bytes::{piece, show, u32le};
use crate::desk::Desk;
use crate::proto::{self, fields, part, parts, text};
use crate::rules;

/// Examines a `ProgramDesc`; `None` where it is none.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    let block = fields(bytes).next().filter(|f| f.number == 1).and_then(|_| part(bytes, 1))?;
    // The first block has the number 0 and, at most, variables, operators and a forward block.
    let plain = fields(bytes).all(|f| f.number <= 5) && proto::is_message(block, 5);
    let op = parts(block, 4).next().map(|op| text(op, 3))?;
    if !plain || proto::number(block, 1).is_none() || op.is_empty() || !op.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
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

/// Parameters: versions and a level of zero, then the description of the first tensor.
pub(crate) fn is_parameters(bytes: &[u8]) -> bool {
    piece(bytes, 0, 16).is_some_and(|head| head.iter().all(|b| *b == 0))
        && u32le(bytes, 16).is_some_and(|len| (4..256).contains(&len))
        && piece(bytes, 20, 1) == Some(&[8])
}
