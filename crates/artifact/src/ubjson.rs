//! UBJSON as XGBoost writes its models: walked to its end, its names as those of JSON.
//!
//! <https://ubjson.org/type-reference/>

use bartizan_core::Reason;

use crate::bytes::{contains, from, piece};
use crate::desk::Desk;
use crate::rules;

/// True where an object with the parts of a model of XGBoost begins.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let head = piece(bytes, 0, 128.min(bytes.len())).unwrap_or_default();
    matches!(head, [b'{', b'L' | b'i' | b'U' | b'I' | b'l', ..])
        && (contains(head, b"learner") || contains(head, b"version"))
}

/// Examines a model.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    match end(bytes) {
        Some(end) if end < bytes.len() => {
            let rest = from(bytes, end);
            desk.find(&rules::TRAILING, format!("{} bytes follow the model", rest.len()), end, rest.len());
            if crate::kind::magic(rest).is_some() {
                desk.within("appended", rest.len(), |desk| {
                    crate::kind::examine(rest, desk);
                });
            }
        }
        Some(_) => {}
        None => desk.partial(Reason::Malformed, bytes.len(), "the UBJSON document breaks off"),
    }
    desk.opaque(bytes.len(), "trees of the model");
    "xgboost"
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self, byte: u8) -> bool {
        self.data.get(self.at) == Some(&byte)
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.at = self.at.checked_add(len).filter(|at| *at <= self.data.len())?;
        Some(())
    }

    /// A length: a kind of number, then the number.
    fn length(&mut self) -> Option<usize> {
        let kind = self.byte()?;
        let bytes = piece(self.data, self.at, width(kind)?)?;
        self.at += bytes.len();
        if kind != b'U' && bytes.first().is_some_and(|b| *b > 0x7f) {
            return None;
        }
        bytes.iter().try_fold(0usize, |n, b| n.checked_mul(256)?.checked_add(usize::from(*b)))
    }
}

fn width(kind: u8) -> Option<usize> {
    Some(match kind {
        b'i' | b'U' | b'C' => 1,
        b'I' => 2,
        b'l' | b'd' => 4,
        b'L' | b'D' => 8,
        b'T' | b'F' | b'Z' | b'N' => 0,
        _ => return None,
    })
}

/// An object or array that is open.
struct Open {
    object: bool,
    /// Kind of all elements, where one was given.
    kind: Option<u8>,
    /// Elements left, where a number was given.
    left: Option<usize>,
}

/// Where the first value ends.
fn end(data: &[u8]) -> Option<usize> {
    let mut reader = Reader { data, at: 0 };
    let mut open: Vec<Open> = Vec::new();
    loop {
        let mut next = None;
        if let Some(top) = open.last_mut() {
            let close = if top.object { b'}' } else { b']' };
            let done = match &mut top.left {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => reader.peek(close) && reader.byte().is_some(),
            };
            if done {
                open.pop();
                if open.is_empty() {
                    return Some(reader.at);
                }
                continue;
            }
            if top.object {
                let len = reader.length()?;
                reader.skip(len)?;
            }
            next = top.kind;
        }
        let kind = match next {
            Some(kind) => kind,
            None => reader.byte()?,
        };
        match kind {
            b'{' | b'[' => {
                let mut inside = Open { object: kind == b'{', kind: None, left: None };
                if reader.peek(b'$') {
                    reader.byte()?;
                    inside.kind = Some(reader.byte()?);
                }
                if reader.peek(b'#') {
                    reader.byte()?;
                    inside.left = Some(reader.length()?);
                }
                match (inside.kind.and_then(width), inside.left, inside.object) {
                    // Numbers of one kind are one block.
                    (Some(width), Some(count), false) => {
                        reader.skip(count.checked_mul(width)?)?;
                        inside.left = Some(0);
                    }
                    (_, Some(count), _) if count > data.len() => return None,
                    _ => {}
                }
                if open.len() >= 256 {
                    return None;
                }
                open.push(inside);
            }
            b'S' | b'H' => {
                let len = reader.length()?;
                reader.skip(len)?;
            }
            plain => reader.skip(width(plain)?)?,
        }
        if open.is_empty() {
            return Some(reader.at);
        }
    }
}
