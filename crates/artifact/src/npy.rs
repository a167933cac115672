//! numpy's array files: a header, then raw values, or a pickle for arrays of objects.

use bartizan_core::Reason;

use crate::bytes::{from, piece, u16le, u32le};
use crate::desk::Desk;
use crate::{pickle, rules};

/// Examines an array.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let (len, start) = match bytes.get(6) {
        Some(1) => (u16le(bytes, 8).map(usize::from), 10),
        _ => (u32le(bytes, 8).and_then(|n| usize::try_from(n).ok()), 12),
    };
    let Some(header) = len.and_then(|len| piece(bytes, start, len)) else {
        desk.partial(Reason::Malformed, bytes.len(), "the header of the array is cut off");
        return "npy";
    };
    let header = String::from_utf8_lossy(header);
    let data = from(bytes, start + header.len());
    let descr = header.split_once("'descr':").map_or("", |(_, rest)| rest.trim_start());
    let structured = descr.starts_with('[');
    let code: String = descr.trim_start_matches(['\'', '"']).chars().take_while(|c| *c != '\'' && *c != '"').collect();
    let object = if structured { header.contains("O'") || header.contains("O8") } else { code.contains('O') };
    if object || pickle::begins(data) && data.last() == Some(&b'.') {
        // What numpy reads with `allow_pickle`.
        desk.within("objects", data.len(), |desk| {
            pickle::examine(data, desk, false);
        });
        return "npy";
    }
    let shape = header
        .split_once("'shape':")
        .and_then(|(_, rest)| rest.split_once('('))
        .and_then(|(_, rest)| rest.split_once(')'));
    let expected = shape.filter(|_| !structured).and_then(|(dims, _)| {
        let dims = dims.split(',').map(str::trim).filter(|d| !d.is_empty());
        let item = pickle::joblib::item_size(&code)?;
        dims.map(|d| d.parse::<usize>().ok()).try_fold(item, |n, d| n.checked_mul(d?))
    });
    match expected {
        Some(expected) if expected > data.len() => {
            desk.find_as(
                &rules::STRUCTURE,
                bartizan_core::Severity::Medium,
                format!("the array has {} bytes where its header says {expected}", data.len()),
                (0, bytes.len()),
                Vec::new(),
            );
            desk.partial(Reason::Malformed, data.len(), "the array is cut off");
        }
        Some(expected) if expected < data.len() => {
            let rest = from(data, expected);
            desk.find(
                &rules::TRAILING,
                format!("{} bytes follow the array", rest.len()),
                bytes.len() - rest.len(),
                rest.len(),
            );
            if crate::kind::magic(rest).is_some() {
                desk.within("appended", rest.len(), |desk| {
                    crate::kind::examine(rest, desk);
                });
            }
        }
        _ => {}
    }
    desk.opaque(data.len(), "tensors");
    "npy"
}
