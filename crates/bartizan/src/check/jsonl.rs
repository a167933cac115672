//! `bartizan check --jsonl`: one answer a line, in order, flushed per line.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read, Write as _};

use bartizan_core::Source;
use bartizan_guard::{Decision, Guard};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::CheckArgs;
use super::{exit_code, name, not_utf8};
use crate::args::Gate;
use crate::problem::Problem;
use crate::{DONE, FOUND, UNREAD};

/// One line in. Raw, so that the id comes back byte for byte and offsets in messages are those of the line.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    origin: Option<Source>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
}

/// Answers every line.
pub(super) fn run(guard: &Guard, input: Box<dyn Read>, args: &CheckArgs) -> anyhow::Result<u8> {
    let gate = args.fail_on.unwrap_or(Gate::None);
    let name = name(&args.file);
    let mut reader = Lines { input: BufReader::with_capacity(1 << 16, input), limit: guard.limits().max_body };
    let mut out = std::io::stdout().lock();
    let mut answer = Vec::new();
    let mut line = Vec::new();
    let mut code = DONE;
    for number in 1_u64.. {
        let bad = |why: String| Problem::new(format!("{name}: line {number}: {why}"));
        match reader.next(&mut line)? {
            Next::End => break,
            Next::TooLong => {
                let why = format!("it is longer than {} bytes", reader.limit);
                return Err(bad(why).help("raise `limits.max_body`").into());
            }
            Next::Line => {}
        }
        let text = match std::str::from_utf8(&line) {
            Ok(text) => text,
            Err(e) => return Err(not_utf8(&format!("{name}: line {number}"), &line, &e).into()),
        };
        // A list would do for serde.
        if !text.trim_start().starts_with('{') {
            return Err(bad("it is not a JSON object".to_owned()).help(FORM).into());
        }
        let parsed = serde_json::from_str::<Line<'_>>(text).map_err(|e| bad(wrong(&e)).help(FORM))?;
        let decision = decide(guard, &parsed).map_err(|why| bad(why).help(FORM))?;
        code = worst(code, exit_code(&decision, gate, args.strict));
        answer.clear();
        serde_json::to_writer(&mut answer, &decision.output(parsed.id.unwrap_or(RawValue::NULL)))?;
        answer.push(b'\n');
        out.write_all(&answer)?;
        out.flush()?;
    }
    Ok(if args.fail_on.is_some() { code } else { DONE })
}

const FORM: &str = "each line is {\"id\", \"text\", \"origin\"?} or {\"id\", \"messages\"}";

/// What serde_json says, with the column in the line; it counts lines within the line.
fn wrong(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    format!("{what} at column {}", error.column())
}

fn worst(a: u8, b: u8) -> u8 {
    if a == FOUND || b == FOUND {
        FOUND
    } else if a == UNREAD || b == UNREAD {
        UNREAD
    } else {
        DONE
    }
}

fn decide(guard: &Guard, line: &Line<'_>) -> Result<Decision, String> {
    match (line.text, line.messages) {
        (Some(_), Some(_)) => Err("it has both `text` and `messages`".to_owned()),
        (None, None) => Err("it has neither `text` nor `messages`".to_owned()),
        (Some(text), None) => Ok(guard.check_text(&string(text)?, line.origin.unwrap_or_default())),
        (None, Some(_)) if line.origin.is_some() => {
            Err("`origin` is for `text`; the origin of messages follows from their roles".to_owned())
        }
        (None, Some(messages)) => guard.check_conversation(messages.get()).map_err(|e| e.to_string()),
    }
}

/// The value of a JSON string. A lone surrogate, which JSON can spell and Unicode text cannot hold, becomes U+FFFD:
/// one odd line must not end a run over a million.
fn string(raw: &RawValue) -> Result<Cow<'_, str>, String> {
    match serde_json::from_str::<Text<'_>>(raw.get()) {
        Ok(Text(text)) => Ok(text),
        Err(_) => Err("`text` is not a string".to_owned()),
    }
}

struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
                match std::str::from_utf8(bytes) {
                    Ok(text) => Ok(Text(Cow::Borrowed(text))),
                    Err(_) => self.visit_bytes(bytes),
                }
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(surrogates_replaced(bytes))))
            }
        }
        // As bytes, because only then serde_json lets a lone surrogate through.
        deserializer.deserialize_bytes(Visitor)
    }
}

/// A lone surrogate comes as the three bytes ED A0..BF 80..BF; so long is U+FFFD as well.
fn surrogates_replaced(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    let mut from = 0;
    while let Err(e) = std::str::from_utf8(&bytes[from..]) {
        let at = from + e.valid_up_to();
        let surrogate = bytes[at] == 0xed && bytes.len() >= at + 3;
        if !surrogate {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        from = at + 3;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lines of bounded length.
struct Lines<R> {
    input: R,
    limit: usize,
}

enum Next {
    End,
    Line,
    TooLong,
}

impl<R: BufRead> Lines<R> {
    /// Reads a line without its line feed into `line`.
    fn next(&mut self, line: &mut Vec<u8>) -> std::io::Result<Next> {
        line.clear();
        let most = u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(2);
        if (&mut self.input).take(most).read_until(b'\n', line)? == 0 {
            return Ok(Next::End);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.len() > self.limit {
            return Ok(Next::TooLong);
        }
        Ok(Next::Line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        string(raw).unwrap().into_owned()
    }

    #[test]
    fn strings_come_as_they_are_meant() {
        assert_eq!(text(r#""a\u00e9\ud83d\ude00""#), "aé😀");
        assert_eq!(text(r#""x\ud83dy\ude00z""#), "x\u{fffd}y\u{fffd}z");
        assert_eq!(text(r#""\ude00\ud83d""#), "\u{fffd}\u{fffd}");
        let raw: &RawValue = serde_json::from_str("17").unwrap();
        assert!(string(raw).is_err());
    }

    #[test]
    fn a_line_that_is_too_long_is_not_read_whole() {
        let mut lines = Lines { input: BufReader::with_capacity(4, &b"1234\n12345\n"[..]), limit: 4 };
        let mut line = Vec::new();
        assert!(matches!(lines.next(&mut line).unwrap(), Next::Line));
        assert_eq!(line, b"1234");
        assert!(matches!(lines.next(&mut line).unwrap(), Next::TooLong));
        let mut endless = Lines { input: BufReader::new(std::io::repeat(b'x')), limit: 100 };
        assert!(matches!(endless.next(&mut line).unwrap(), Next::TooLong));
        assert!(line.len() < 200);
    }
}
