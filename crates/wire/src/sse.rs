//! An incremental decoder of server-sent events (WHATWG HTML, section 9.2.6).
//!
//! It keeps the bytes of every event, so that what needs no change is forwarded as it came. Where a bare CR ends the
//! bytes so far, it waits for the next byte: the events do not depend on how the stream is cut.

use bartizan_core::Limits;

use crate::error::WireError;

/// One event with its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The bytes, comments and the empty line at the end included. The bytes of all events in a row are the stream.
    pub raw: Vec<u8>,
    /// Name of the event; empty for the default.
    pub name: String,
    /// The data lines, joined by line feeds; `None` without any (a comment, a keep-alive).
    pub data: Option<String>,
    /// Comments, ids and unknown fields, line by line: nothing that a client reads, but nothing to leave unread.
    pub rest: String,
    /// False for what was left when the stream ended. Most clients drop it.
    pub complete: bool,
}

/// The decoder.
#[derive(Debug)]
pub struct SseDecoder {
    /// Bytes of the event that is not complete.
    pending: Vec<u8>,
    /// How far `pending` was searched for line ends.
    searched: usize,
    /// Where the current line begins.
    line: usize,
    first: bool,
    max_event: usize,
}

impl SseDecoder {
    /// A decoder for one stream. An event may have at most `limits.max_body` bytes.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self { pending: Vec::new(), searched: 0, line: 0, first: true, max_event: limits.max_body }
    }

    /// Takes the next bytes and appends the events that they complete.
    ///
    /// # Errors
    /// An event larger than the limit, or with bytes that are not UTF-8.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<SseEvent>) -> Result<(), WireError> {
        self.pending.extend_from_slice(bytes);
        let mut start = 0;
        loop {
            let rest = self.pending.get(self.searched..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.searched = self.pending.len();
                break;
            };
            let at = self.searched + found;
            let after = match (self.pending.get(at), self.pending.get(at + 1)) {
                (Some(b'\r'), Some(b'\n')) => at + 2,
                // The next byte decides whether this is one line end or half of one.
                (Some(b'\r'), None) => {
                    self.searched = at;
                    break;
                }
                _ => at + 1,
            };
            let line_start = self.line;
            self.searched = after;
            self.line = after;
            if self.is_blank(start, line_start, at) {
                let raw = self.pending.get(start..after).unwrap_or_default().to_vec();
                self.check(raw.len())?;
                out.push(self.event(raw, true)?);
                start = after;
            }
        }
        if start > 0 {
            self.pending.drain(..start);
            self.searched -= start;
            self.line -= start;
        }
        self.check(self.pending.len())
    }

    /// Ends the stream; the bytes of an event that was not completed come back as one.
    ///
    /// # Errors
    /// As [`SseDecoder::push`].
    pub fn finish(&mut self) -> Result<Option<SseEvent>, WireError> {
        let raw = std::mem::take(&mut self.pending);
        (self.searched, self.line) = (0, 0);
        if raw.is_empty() { Ok(None) } else { self.event(raw, false).map(Some) }
    }

    /// How many bytes wait for the rest of their event.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.pending.len()
    }

    fn check(&self, size: usize) -> Result<(), WireError> {
        if size > self.max_event {
            return Err(WireError::TooLarge { what: "stream event", limit: self.max_event });
        }
        Ok(())
    }

    /// True for the empty line that ends an event. A byte order mark before the first line is not part of it.
    fn is_blank(&self, start: usize, line: usize, end: usize) -> bool {
        line == end || (self.first && start == line && self.pending.get(line..end) == Some("\u{feff}".as_bytes()))
    }

    fn event(&mut self, raw: Vec<u8>, complete: bool) -> Result<SseEvent, WireError> {
        let mut event = SseEvent { complete, ..SseEvent::default() };
        {
            let text = std::str::from_utf8(&raw).map_err(|_| WireError::Stream("bytes that are not UTF-8"))?;
            let text = if self.first { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
            for line in lines(text) {
                let line = line.trim_end_matches(['\r', '\n']);
                match field(line) {
                    ("data", value) => {
                        let data = event.data.get_or_insert_default();
                        data.push_str(value);
                        data.push('\n');
                    }
                    ("event", value) => value.clone_into(&mut event.name),
                    _ if line.is_empty() => {}
                    _ => {
                        event.rest.push_str(line);
                        event.rest.push('\n');
                    }
                }
            }
        }
        if let Some(data) = &mut event.data {
            data.pop();
        }
        self.first = false;
        event.raw = raw;
        Ok(event)
    }
}

/// Name and value of a field line.
pub(crate) fn field(line: &str) -> (&str, &str) {
    match line.split_once(':') {
        Some((name, value)) => (name, value.strip_prefix(' ').unwrap_or(value)),
        None => (line, ""),
    }
}

/// Lines with their ends: CR LF, LF or CR.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let end = match memchr::memchr2(b'\n', b'\r', bytes) {
            None => bytes.len(),
            Some(at) if bytes.get(at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n') => at + 2,
            Some(at) => at + 1,
        };
        let (line, tail) = rest.split_at_checked(end)?;
        rest = tail;
        Some(line)
    })
}

/// Writes an event with one data line per line of `data`.
pub(crate) fn write_event(name: &str, data: &str, out: &mut Vec<u8>) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    for line in data.split('\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = SseDecoder::new(&Limits::default());
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk, &mut events).unwrap();
        }
        events.extend(decoder.finish().unwrap());
        events
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let stream = "\u{feff}: hello\r\nevent: a\r\ndata: one\r\ndata:two\r\ndata:  three\r\nid: 7\r\n\r\ndata\n\n\rdata: x\r\revent: b\n\ndata: cut";
        let events = decode(&[stream.as_bytes()]);
        let seen: Vec<_> = events.iter().map(|e| (e.name.as_str(), e.data.as_deref(), e.complete)).collect();
        assert_eq!(
            seen,
            [
                ("a", Some("one\ntwo\n three"), true),
                ("", Some(""), true),
                ("", None, true),
                ("", Some("x"), true),
                ("b", None, true),
                ("", Some("cut"), false),
            ]
        );
        assert_eq!(events[0].rest, ": hello\nid: 7\n");
    }

    #[test]
    fn an_event_has_a_largest_size() {
        let limits = Limits { max_body: 16, ..Limits::default() };
        let mut decoder = SseDecoder::new(&limits);
        let mut out = Vec::new();
        assert!(decoder.push(b"data: 12345678\n\n", &mut out).is_ok());
        assert_eq!(
            decoder.push(b"data: 12345678901", &mut out),
            Err(WireError::TooLarge { what: "stream event", limit: 16 })
        );
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_the_cuts(
            stream in "(\u{feff})?(data: ?[a-zé:]{0,4}|event: ?x|: c|[a-z]{0,3}|\r\n|\n|\r){0,30}",
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let (mut at, mut chunks) = (0, Vec::new());
            for cut in cuts {
                chunks.push(&bytes[at..cut]);
                at = cut;
            }
            chunks.push(&bytes[at..]);
            let whole = decode(&[bytes]);
            prop_assert_eq!(&decode(&chunks), &whole);
            let raw: Vec<u8> = whole.iter().flat_map(|e| e.raw.clone()).collect();
            prop_assert_eq!(raw, bytes);
        }
    }
}
