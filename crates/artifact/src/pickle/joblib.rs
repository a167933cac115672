//! joblib's arrays: raw bytes in the middle of the stream, behind the state of a `NumpyArrayWrapper`.

use super::machine::{End, Machine};
use super::value::{Kind, V};
use crate::bytes::piece;

/// Stands for an array of objects: a pickle follows.
pub(super) const OBJECTS: usize = usize::MAX;

/// How many bytes follow the BUILD of a wrapper; 0 where none do.
pub(super) fn raw_bytes(machine: &Machine<'_>, callee: V, state: V) -> Result<usize, End> {
    let wrapper = machine
        .global(callee)
        .is_some_and(|(module, name, _)| module == "joblib.numpy_pickle" && name == "NumpyArrayWrapper");
    if !wrapper {
        return Ok(0);
    }
    let unknown = End::Spent("the size of an array cannot be told");
    let dtype = machine.get(state, "dtype").ok_or(unknown)?;
    let shape = machine.get(state, "shape").ok_or(unknown)?;
    let Some(Kind::Made { args, .. }) = machine.node(dtype).map(|n| &n.kind) else { return Err(unknown) };
    let code = machine.items(*args).and_then(|a| a.first().copied()).and_then(|v| machine.text(v)).ok_or(unknown)?;
    let item = item_size(&code).ok_or(unknown)?;
    if item == OBJECTS {
        return Ok(OBJECTS);
    }
    let mut bytes = item;
    for dimension in machine.items(shape).ok_or(unknown)? {
        let V::Int(dimension) = dimension else { return Err(unknown) };
        let dimension = usize::try_from(*dimension).map_err(|_| End::Broken("the shape of an array is negative"))?;
        bytes = bytes.checked_mul(dimension).ok_or(End::Broken("an array is larger than the file"))?;
    }
    if machine.get(state, "numpy_array_alignment_bytes").is_some_and(|v| !matches!(v, V::None)) {
        // One byte says how many bytes of padding follow.
        let padding = piece(machine.data, machine.at, 1).and_then(|p| p.first().copied()).unwrap_or(0);
        bytes = bytes.saturating_add(1 + usize::from(padding));
    }
    Ok(bytes.min(OBJECTS - 1))
}

/// Bytes of an element by numpy's code, such as `<f8`.
pub(crate) fn item_size(code: &str) -> Option<usize> {
    let code = code.trim_start_matches(['<', '>', '|', '=']);
    let mut chars = code.chars();
    let kind = chars.next()?;
    let digits: String = chars.as_str().chars().take_while(char::is_ascii_digit).collect();
    let number: usize = digits.parse().ok().unwrap_or(1);
    match kind {
        'O' => Some(OBJECTS),
        'b' if digits.is_empty() => Some(1),
        '?' => Some(1),
        'f' | 'i' | 'u' | 'c' | 'b' | 'S' | 'a' | 'V' | 'm' | 'M' => {
            Some(if matches!(kind, 'm' | 'M') { 8 } else { number })
        }
        'U' => number.checked_mul(4),
        _ => None,
    }
}
