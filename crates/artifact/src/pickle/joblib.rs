//! joblib's arrays: raw bytes in the middle of the stream, behind the state of a `NumpyArrayWrapper`.

use super::machine::{End, Machine};
use super::value::{Kind, V};
use crate::bytes::piece;

/// Stands for an array of objects: a pickle follows.
pub(crate) const OBJECTS: usize = usize::MAX;
/// Types inside of types.
const DEPTH: u8 = 16;

/// How many bytes follow the BUILD of a wrapper; `None` where the object is none.
pub(super) fn raw_bytes(machine: &Machine<'_>, target: V, state: V) -> Result<Option<usize>, End> {
    let wrapper = match machine.node(target).map(|n| &n.kind) {
        Some(Kind::Made { callee, .. }) => machine.global(*callee).is_some_and(|(module, name, _)| {
            matches!(module, "joblib.numpy_pickle" | "sklearn.externals.joblib.numpy_pickle")
                && name == "NumpyArrayWrapper"
        }),
        _ => false,
    };
    if !wrapper {
        return Ok(None);
    }
    let unknown = End::Spent("the size of an array cannot be told");
    let dtype = machine.get(state, "dtype").ok_or(unknown)?;
    let shape = machine.get(state, "shape").ok_or(unknown)?;
    let item = of_type(machine, dtype, DEPTH).ok_or(unknown)?;
    if item == OBJECTS {
        return Ok(Some(OBJECTS));
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
    Ok(Some(bytes.min(OBJECTS - 1)))
}

/// Bytes of an element of `numpy.dtype(code, …)` with its state, where everything about it is known.
fn of_type(machine: &Machine<'_>, dtype: V, depth: u8) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let Kind::Made { callee, args, state, built, .. } = &machine.node(dtype)?.kind else { return None };
    machine.global(*callee).filter(|(module, name, _)| (*module, *name) == ("numpy", "dtype"))?;
    let code = machine.items(*args)?.first().copied().and_then(|v| machine.text(v))?;
    let size = item_size(&code)?;
    let state = match (built, state) {
        (0, _) => return Some(size),
        (1, Some(state)) => machine.items(*state)?,
        _ => return None,
    };
    // Version, order of bytes, (type, shape), names, fields, size, alignment, flags.
    let [_, _, inner, _, fields, whole, rest @ ..] = state else { return None };
    let size = match (inner, fields) {
        (V::None, V::None) => size,
        (V::None, fields) => {
            let mut objects = false;
            let Kind::Dict { items, more: false, .. } = &machine.node(*fields)?.kind else { return None };
            for (_, field) in items {
                objects |= of_type(machine, *machine.items(*field)?.first()?, depth)? == OBJECTS;
            }
            let V::Int(whole) = whole else { return None };
            let whole = usize::try_from(*whole).ok().filter(|whole| *whole == size)?;
            if objects { OBJECTS } else { whole }
        }
        (inner, V::None) => match of_type(machine, *machine.items(*inner)?.first()?, depth)? {
            OBJECTS => OBJECTS,
            _ => size,
        },
        _ => return None,
    };
    // A flag says as well that the elements are objects.
    match rest.get(1) {
        None => Some(size),
        Some(V::Int(flags)) => ((flags & 1 == 1) == (size == OBJECTS)).then_some(size),
        Some(_) => None,
    }
}

/// Bytes of an element by numpy's code, such as `<f8`.
pub(crate) fn item_size(code: &str) -> Option<usize> {
    let code = code.trim_start_matches(['<', '>', '|', '=']);
    let mut chars = code.chars();
    let kind = chars.next()?;
    let rest = chars.as_str();
    let digits = rest.get(..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))?;
    let unit = rest.get(digits.len()..)?;
    let number: Option<usize> = digits.parse().ok();
    let dated = unit.starts_with('[') && unit.ends_with(']') && matches!(kind, 'm' | 'M');
    if !unit.is_empty() && !dated {
        return None;
    }
    match kind {
        'O' => Some(OBJECTS),
        '?' => Some(1),
        'b' | 'B' if digits.is_empty() => Some(1),
        'm' | 'M' => Some(8),
        'b' | 'f' | 'i' | 'u' | 'c' | 'S' | 'a' | 'V' => number,
        'U' => number?.checked_mul(4),
        _ => None,
    }
}
