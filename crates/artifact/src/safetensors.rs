//! safetensors: a JSON header and tensors that lie side by side.

use bartizan_core::Reason;
use serde_json::Value;

use crate::bytes::{piece, show, size, u64le};
use crate::desk::Desk;
use crate::rules;

/// Longest header that the reference reader accepts.
const LONGEST: usize = 100_000_000;

/// True where the bytes begin as a header.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && u64le(bytes, 0).is_some_and(|len| len < 1 << 40)
}

fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" | "F6_E2M3" | "F6_E3M2" => return None,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "I64" | "U64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

/// Examines a file.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    const NAME: &str = "safetensors";
    let len = size(u64le(bytes, 0).unwrap_or(0));
    let Some(header) = piece(bytes, 8, len).filter(|_| len <= LONGEST) else {
        desk.find(&rules::STRUCTURE, "the header is longer than the file or than loaders accept", 0, 8);
        desk.partial(Reason::Malformed, bytes.len(), "the header is cut off");
        return NAME;
    };
    let Ok(Value::Object(header)) = serde_json::from_slice::<Value>(header) else {
        desk.find(&rules::STRUCTURE, "the header is no JSON object", 8, len);
        desk.partial(Reason::Malformed, bytes.len(), "the header cannot be read");
        return NAME;
    };
    let data = bytes.len().saturating_sub(8 + len);
    let mut spans = Vec::new();
    for (name, tensor) in &header {
        if name == "__metadata__" {
            let plain = tensor.as_object().is_some_and(|m| m.values().all(Value::is_string));
            if !plain {
                desk.find(&rules::STRUCTURE, "the metadata is no table of texts", 8, len);
            }
            crate::config::tree(tensor, desk);
            continue;
        }
        let place = tensor.get("data_offsets").and_then(Value::as_array);
        let place = place.and_then(|p| match p.as_slice() {
            [start, end] => Some((start.as_u64()?, end.as_u64()?)),
            _ => None,
        });
        let dtype = tensor.get("dtype").and_then(Value::as_str);
        let shape = tensor.get("shape").and_then(Value::as_array);
        let (Some((start, end)), Some(dtype), Some(shape)) = (place, dtype, shape) else {
            desk.find(&rules::STRUCTURE, format!("tensor `{}` has no type, shape or place", show(name)), 8, len);
            continue;
        };
        if start > end || end > data as u64 {
            desk.find(&rules::STRUCTURE, format!("tensor `{}` lies outside of the file", show(name)), 8, len);
            continue;
        }
        let count = shape.iter().try_fold(1u64, |n, d| n.checked_mul(d.as_u64()?));
        let fits = match (count, bits(dtype)) {
            (Some(count), Some(bits)) => count.checked_mul(bits) == Some((end - start).saturating_mul(8)),
            (None, _) => false,
            (_, None) => true,
        };
        if !fits {
            desk.find(
                &rules::STRUCTURE,
                format!("the size of tensor `{}` is not that of its shape", show(name)),
                8,
                len,
            );
        }
        spans.push((start, end));
    }
    spans.sort_unstable();
    let mut last = 0;
    for (start, end) in spans {
        if start < last {
            desk.find(&rules::STRUCTURE, "tensors share their bytes", 8 + len, 0);
        } else if start > last {
            let gap = start - last;
            desk.find_as(
                &rules::TRAILING,
                bartizan_core::Severity::High,
                format!("{gap} bytes between tensors belong to none"),
                (8 + len + size(last), size(gap)),
                Vec::new(),
            );
        }
        last = last.max(end);
    }
    let rest = (data as u64).saturating_sub(last);
    if rest > 0 {
        let at = 8 + len + size(last);
        desk.find_as(
            &rules::TRAILING,
            bartizan_core::Severity::High,
            format!("{rest} bytes follow the last tensor"),
            (at, size(rest)),
            Vec::new(),
        );
        let tail = crate::bytes::from(bytes, at);
        if crate::kind::magic(tail).is_some() {
            desk.within("appended", tail.len(), |desk| {
                crate::kind::examine(tail, desk);
            });
        }
    }
    desk.opaque(data, "tensors");
    NAME
}
