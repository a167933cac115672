//! BUILD: what a state does to an object. A class may have a `__setstate__`; else the names in a mapping become
//! attributes, and the pickle machine itself looks some of them up again.

use super::arena::Was;
use super::machine::Machine;
use super::profile;
use super::value::{Keys, Kind, Level, Shape, V};
use crate::bytes::piece;

/// Methods that opcodes look up on instances: `APPEND`, `APPENDS` and `ADDITEMS`.
const HOOKS: &[&[u8]] = &[b"append", b"extend", b"add"];

/// Methods that constructors and functions look up on instances that they are given, such as `dict`, which calls `keys`.
const LOOKED_UP: &[&[u8]] = &[
    b"keys",
    b"items",
    b"values",
    b"update",
    b"get",
    b"pop",
    b"copy",
    b"read",
    b"readline",
    b"readlines",
    b"readinto",
    b"write",
    b"close",
    b"tell",
    b"seek",
];

/// What keys of a dictionary may become.
pub(super) fn keys(machine: &Machine<'_>, pairs: &[V]) -> Keys {
    pairs.chunks(2).fold(Keys::default(), |all, pair| match pair {
        [key, value] => all.and(of_pair(machine, *key, *value)),
        [key] => all.and(of_key(machine, *key)),
        _ => all,
    })
}

/// A function under the name of a method is as special as a method of the language.
fn of_pair(machine: &Machine<'_>, key: V, value: V) -> Keys {
    let keys = of_key(machine, key);
    let named = |name: &[u8]| LOOKED_UP.contains(&name);
    let looked_up = match key {
        V::Str { at, len } => named(piece(machine.data, at, len as usize).unwrap_or_default()),
        V::Node(_) => matches!(machine.node(key).map(|n| &n.kind), Some(Kind::Text(text)) if named(text.as_bytes())),
        _ => false,
    };
    Keys { special: keys.special || looked_up && is_callable(machine, value), ..keys }
}

/// Why a pair of a key and a value is one that no file has, whatever mapping it stands in. Classes look up their
/// methods in what their state holds, at any depth: torch's modules in `_modules`, estimators in what they wrap.
pub(super) fn refuses(machine: &Machine<'_>, key: V, value: V, mapping: bool) -> Option<&'static str> {
    let waits = matches!(machine.node(key).map(|n| &n.kind), Some(Kind::Made { .. }));
    if mapping && waits && is_callable(machine, key) {
        return Some("a call that waits for its arguments is a key");
    }
    if !is_callable(machine, value) {
        return None;
    }
    let text = machine.text(key);
    let name = text.as_deref().unwrap_or_default().as_bytes();
    // Pairs that are no items yet may become some.
    let method = of_name(name).special || mapping && (HOOKS.contains(&name) || LOOKED_UP.contains(&name));
    method.then_some("a function stands under the name of a method that loading looks up")
}

/// Something imported, or `functools.partial` of it.
pub(super) fn is_callable(machine: &Machine<'_>, value: V) -> bool {
    match machine.node(value).map(|n| &n.kind) {
        Some(Kind::Global { .. }) => true,
        Some(Kind::Made { callee, .. }) => {
            machine.global(*callee).is_some_and(|(module, name, _)| name == "partial" || module == "operator")
        }
        _ => false,
    }
}

fn of_key(machine: &Machine<'_>, key: V) -> Keys {
    let special = Keys { special: true, ..Keys::default() };
    let unclear = Keys { unclear: true, ..Keys::default() };
    match key {
        V::Str { at, len } => of_name(piece(machine.data, at, len as usize).unwrap_or_default()),
        V::Data | V::Lost => unclear,
        V::Node(_) => match machine.node(key).map(|n| &n.kind) {
            Some(Kind::Text(text)) => of_name(text.as_bytes()),
            Some(Kind::Seq { .. } | Kind::Dict { .. }) => Keys::default(),
            // It may be any text.
            Some(_) => special,
            None => match machine.trace(key).map(|t| t.was) {
                Some(Was::Seq | Was::Dict) => Keys::default(),
                _ => special,
            },
        },
        _ => Keys::default(),
    }
}

fn of_name(name: &[u8]) -> Keys {
    let special = name.starts_with(b"__")
        && name.ends_with(b"__")
        && !profile::PLAIN_SPECIALS.iter().any(|plain| plain.as_bytes() == name);
    Keys { special, hook: HOOKS.contains(&name), unclear: false }
}

/// What a state may set: `Keys::special` where special methods, or names that cannot be told.
///
/// `compiled`: the object is of a class of Cython's, which reads its state by itself.
pub(super) fn of(machine: &Machine<'_>, state: V, compiled: bool) -> Keys {
    let Some(Kind::Seq { shape, items, .. }) = machine.node(state).map(|n| &n.kind) else {
        return mapping(machine, state);
    };
    let plain = items.iter().filter(|v| matches!(machine.node(**v).map(|n| &n.kind), Some(Kind::Dict { .. })));
    let found = plain.fold(Keys::default(), |all, dict| all.and(mapping(machine, *dict)));
    // `(attributes, slots)`. Where the first is neither a mapping nor false, every loader fails before the second.
    match (shape, items.as_slice()) {
        (Shape::Tuple, [attributes, slots]) if !compiled => {
            let first = mapping(machine, *attributes);
            let goes_on = is_false(machine, *attributes) || is_mapping(machine, *attributes);
            found.and(first).and(if goes_on { mapping(machine, *slots) } else { Keys::default() })
        }
        _ => found,
    }
}

fn is_false(machine: &Machine<'_>, value: V) -> bool {
    match value {
        V::None | V::Bool(false) | V::Int(0) | V::Float | V::Data | V::Lost => true,
        V::Str { len, .. } | V::Bytes { len, .. } => len == 0,
        V::Node(_) => machine.items(value).is_some_and(<[V]>::is_empty),
        _ => false,
    }
}

fn is_mapping(machine: &Machine<'_>, value: V) -> bool {
    match machine.node(value).map(|n| &n.kind) {
        Some(Kind::Made { callee, .. }) => profile::takes_items(machine, *callee),
        Some(Kind::Dict { .. } | Kind::Global { .. } | Kind::Persistent(_) | Kind::Extension(_)) => true,
        Some(Kind::Text(_) | Kind::Seq { .. }) => false,
        None => !matches!(machine.trace(value).map(|t| t.was), Some(Was::Seq)),
    }
}

/// The keys of what has items, where they can be told.
fn mapping(machine: &Machine<'_>, value: V) -> Keys {
    let special = Keys { special: true, ..Keys::default() };
    let unclear = Keys { unclear: true, ..Keys::default() };
    match value {
        V::Data | V::Lost => unclear,
        V::Node(_) => match machine.node(value).map(|n| (&n.kind, n.level)) {
            Some((Kind::Dict { keys, .. }, _)) => *keys,
            Some((Kind::Made { callee, args, keys, state, .. }, _)) if profile::takes_items(machine, *callee) => {
                let empty = machine.items(*args).is_some_and(<[V]>::is_empty) && state.is_none();
                if empty { *keys } else { special }
            }
            Some((Kind::Global { .. }, Level::Foreign) | (Kind::Extension(_), _)) => special,
            Some(_) => Keys::default(),
            None => match machine.trace(value) {
                Some(trace) if trace.was == Was::Other => Keys::default(),
                Some(trace) if trace.was == Was::Taker => trace.keys.and(unclear),
                Some(trace) => trace.keys,
                None => unclear,
            },
        },
        _ => Keys::default(),
    }
}
