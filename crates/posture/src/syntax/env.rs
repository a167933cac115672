//! Files of variables: `NAME=value` lines, as compose, systemd and shells read them.

use bartizan_core::Span;

/// One variable.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The value, or the name where the value is empty.
    pub(crate) span: Span,
}

/// Reads all lines that set a variable; the second number counts the lines that are neither that nor blank.
pub(crate) fn parse(text: &str) -> (Vec<Variable>, usize) {
    let (mut all, mut others) = (Vec::new(), 0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            continue;
        }
        let body = plain.strip_prefix("export ").unwrap_or(plain).trim_start();
        let Some((name, value)) = body.split_once('=') else {
            others += 1;
            continue;
        };
        let name = name.trim_end();
        if !is_name(name) {
            others += 1;
            continue;
        }
        let lead = line.len() - line.trim_start().len() + (plain.len() - body.len());
        let value_at = at + lead + (body.len() - value.len());
        all.push(variable(name, value, value_at, at + lead));
    }
    (all, others)
}

/// True for what a shell takes as the name of a variable; dots are for properties.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A variable of `NAME=value`, quotes and comments taken off. `at` is the first byte behind the `=`.
pub(crate) fn variable(name: &str, value: &str, at: usize, name_at: usize) -> Variable {
    let trimmed = value.trim_start();
    let at = at + value.len() - trimmed.len();
    let (inner, offset) = match trimmed.as_bytes().first() {
        Some(quote @ (b'"' | b'\'')) => {
            let body = trimmed.get(1..).unwrap_or_default();
            (body.find(char::from(*quote)).map_or(body, |end| body.get(..end).unwrap_or_default()), 1)
        }
        _ => (trimmed.find(" #").map_or(trimmed, |end| trimmed.get(..end).unwrap_or_default()).trim_end(), 0),
    };
    let span = if inner.is_empty() {
        Span::new(name_at, name_at + name.len())
    } else {
        Span::new(at + offset, at + offset + inner.len())
    };
    Variable { name: name.to_owned(), value: inner.to_owned(), span }
}
