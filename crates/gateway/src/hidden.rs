//! The keys of providers, hidden in what upstreams answer: an error that repeats the request's key must not hand it to
//! callers, nor to who reads recordings.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use memchr::memmem::Finder;

/// A shorter key is no secret, and hiding it would hide words.
const SHORTEST: usize = 8;

/// Takes the place of each byte, so that lengths stay what they were.
const MASK: u8 = b'*';

/// Keys that no answer may hold.
#[derive(Debug, Default)]
pub(crate) struct Hidden(Vec<Finder<'static>>);

impl Hidden {
    pub(crate) fn new<'a>(keys: impl Iterator<Item = &'a str>) -> Self {
        let keys = keys.map(str::trim).filter(|key| key.len() >= SHORTEST);
        Self(keys.map(|key| Finder::new(key).into_owned()).collect())
    }

    /// Hides every key in a body.
    pub(crate) fn mask(&self, body: &mut [u8]) {
        for key in &self.0 {
            let mut from = 0;
            while let Some(found) = body.get(from..).and_then(|rest| key.find(rest)) {
                let end = from + found + key.needle().len();
                if let Some(place) = body.get_mut(from + found..end) {
                    place.fill(MASK);
                }
                from = end;
            }
        }
    }

    /// Takes headers away that hold a key.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        let holds = |value: &[u8]| self.0.iter().any(|key| key.find(value).is_some());
        let names: Vec<_> =
            headers.iter().filter(|(_, value)| holds(value.as_bytes())).map(|(name, _)| name.clone()).collect();
        for name in names {
            headers.remove(name);
        }
    }

    /// How many bytes at the end may be the beginning of a key.
    fn begun(&self, bytes: &[u8]) -> usize {
        let begun = |key: &[u8]| {
            let longest = bytes.len().min(key.len().saturating_sub(1));
            (1..=longest).rev().find(|length| key.get(..*length).is_some_and(|start| bytes.ends_with(start)))
        };
        self.0.iter().filter_map(|key| begun(key.needle())).max().unwrap_or(0)
    }
}

/// Hides keys in a body that comes in pieces, wherever it is split.
#[derive(Debug)]
pub(crate) struct Hiding {
    keys: Arc<Hidden>,
    /// What may be the beginning of a key.
    held: Vec<u8>,
}

impl Hiding {
    pub(crate) const fn new(keys: Arc<Hidden>) -> Self {
        Self { keys, held: Vec::new() }
    }

    /// What can be read on with, of what was held back and the next piece.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        if self.keys.0.is_empty() {
            return piece;
        }
        let is_plain = self.held.is_empty() && self.keys.0.iter().all(|key| key.find(&piece).is_none());
        if is_plain && self.keys.begun(&piece) == 0 {
            return piece;
        }
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(&piece);
        self.keys.mask(&mut bytes);
        self.held = bytes.split_off(bytes.len() - self.keys.begun(&bytes));
        bytes.into()
    }

    /// What was held back and began no key after all.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then(|| held.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Arc<Hidden> {
        Arc::new(Hidden::new(["ab-ab-abc-1234", "other-key-5678", "short"].into_iter()))
    }

    #[test]
    fn a_key_is_hidden_wherever_a_body_is_split() {
        let text = b"ab- {\"error\": \"ab-ab-ab-abc-1234\", \"short\": \"other-key-5678ab-ab-abc-1234\"} ab-ab-ab";
        let mut whole = text.to_vec();
        keys().mask(&mut whole);
        let said = String::from_utf8(whole.clone()).unwrap();
        assert_eq!(said.len(), text.len());
        assert!(!said.contains("1234") && !said.contains("5678") && said.contains("short"), "{said}");
        for first in 0..text.len() {
            for second in first..text.len() {
                let mut hiding = Hiding::new(keys());
                let mut out = Vec::new();
                for piece in [&text[..first], &text[first..second], &text[second..]] {
                    out.extend_from_slice(&hiding.push(Bytes::copy_from_slice(piece)));
                }
                out.extend(hiding.rest().unwrap_or_default());
                assert_eq!(out, whole, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn only_what_may_be_a_key_is_held_back() {
        let mut hiding = Hiding::new(keys());
        assert_eq!(hiding.push(Bytes::from_static(b"data: {}\n\n")), "data: {}\n\n");
        assert_eq!(hiding.push(Bytes::from_static(b"x ab-ab")), "x ");
        assert_eq!(hiding.push(Bytes::from_static(b"!")), "ab-ab!");
        assert_eq!(hiding.rest(), None);
    }

    #[test]
    fn headers_with_a_key_are_taken_away() {
        let mut headers = HeaderMap::new();
        headers.append("x-request-id", "ab-ab-abc-1234.7".parse().unwrap());
        headers.append("request-id", "req-1".parse().unwrap());
        keys().strip(&mut headers);
        assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["request-id"]);
    }
}
