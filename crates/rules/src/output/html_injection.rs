//! HTML that runs, loads, or leaves the place it is put into.

use bartizan_core::{Confidence, Detector, Fix, Reference, Severity, Span};

use super::active_content::is_active;
use super::sink::{Breakout, SinkDetector, SinkKind, SinkRule, word};
use crate::html::{Opened, Tag, border, tag_at};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Most bytes of one tag.
const TAG: usize = 1024;

static RULE: SinkRule = SinkRule {
    id: "output/html-injection",
    sink: SinkKind::Html,
    summary: "HTML that runs or leaves its place, in a reply that is put into a page",
    doc: include_str!("html_injection.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-79"),
        Reference::new("CWE", "CWE-80"),
        Reference::new("URL", "https://html.spec.whatwg.org/multipage/parsing.html"),
    ],
    first: Class::of(b"<-\"'"),
    non_ascii: false,
    longest: TAG + 64,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(SinkDetector::boxed(&RULE, settings))
}

/// Elements that only lay text out.
const PLAIN: [&[u8]; 52] = [
    b"a",
    b"abbr",
    b"b",
    b"bdi",
    b"bdo",
    b"blockquote",
    b"br",
    b"caption",
    b"cite",
    b"code",
    b"col",
    b"colgroup",
    b"dd",
    b"del",
    b"dfn",
    b"div",
    b"dl",
    b"dt",
    b"em",
    b"figcaption",
    b"figure",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"hr",
    b"i",
    b"ins",
    b"kbd",
    b"li",
    b"mark",
    b"ol",
    b"p",
    b"pre",
    b"q",
    b"s",
    b"samp",
    b"small",
    b"span",
    b"strong",
    b"sub",
    b"sup",
    b"table",
    b"tbody",
    b"td",
    b"tfoot",
    b"th",
    b"thead",
    b"tr",
    b"u",
];

/// Attributes that only describe.
const DESCRIBES: [&[u8]; 16] = [
    b"alt",
    b"align",
    b"class",
    b"colspan",
    b"cite",
    b"datetime",
    b"dir",
    b"headers",
    b"href",
    b"lang",
    b"rel",
    b"rowspan",
    b"scope",
    b"start",
    b"title",
    b"type",
];

/// Elements whose content is text until their end tag: the end tag leaves them.
const RAW_TEXT: [&[u8]; 9] =
    [b"script", b"style", b"title", b"textarea", b"template", b"noscript", b"iframe", b"xmp", b"select"];

/// Source: HTML Standard, 13.2.5 Tokenization, with the contexts of the OWASP cheat sheet on XSS prevention.
fn find(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    match tape.at(start)? {
        b'<' => match tape.at(start + 1)? {
            b'/' => leaves(tape, start),
            b'!' => comment(tape, start),
            b'?' => Some(escaped(tape, start, start + 2, Severity::Medium)),
            _ => tag(tape, start),
        },
        b'-' => {
            let long = tape.at(start + 1)? == b'-';
            let end = start + if tape.at(start + 2)? == b'!' { 4 } else { 3 };
            (long && tape.at(end - 1)? == b'>' && tape.before(start) != Some(b'-'))
                .then(|| escaped(tape, start, end, Severity::Medium))
        }
        _ => handler(tape, start),
    }
}

/// The same characters as text.
fn escaped(tape: &Tape<'_>, start: usize, end: usize, severity: Severity) -> Breakout {
    let end = border(tape, end);
    let text = String::from_utf8_lossy(tape.slice(Span::new(start, end))).into_owned();
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    let confidence = if severity >= Severity::High { Confidence::High } else { Confidence::Medium };
    Breakout::new(end, severity, confidence).fix(Fix::Replace(out))
}

/// An end tag that leaves a script, a style, a title or a form field.
fn leaves(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let (name, end) = word(tape, start + 2, 16);
    RAW_TEXT.contains(&name.as_slice()).then(|| escaped(tape, start, end, Severity::High))
}

/// A comment or other declaration. `<!doctype` begins a page of its own.
fn comment(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let third = tape.at(start + 2)?;
    (third == b'-' || third == b'[' || third.is_ascii_alphabetic())
        .then(|| escaped(tape, start, start + 3, Severity::Medium))
}

fn tag(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let Opened::Tag(tag) = tag_at(tape, start, TAG)? else { return None };
    if is_active(tape, &tag) {
        return Some(escaped(tape, start, tag.end, Severity::High));
    }
    (!is_plain(&tag)).then(|| escaped(tape, start, tag.end, Severity::Medium))
}

fn is_plain(tag: &Tag) -> bool {
    let plain = |name: &[u8]| DESCRIBES.contains(&name) || name.starts_with(b"aria-");
    PLAIN.contains(&tag.name.as_slice()) && tag.attributes.iter().all(|a| plain(&a.name))
}

/// A quote that ends an attribute of the page and begins a handler: `" onfocus=…`.
fn handler(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let at = tape.run(start + 1, start + 17, Class::SPACE.or(Class::of(b"/")));
    let (name, end) = word(tape, at, 32);
    if name.len() < 5 || !name.starts_with(b"on") || !name.iter().all(u8::is_ascii_lowercase) {
        return None;
    }
    let equals = tape.run(end, end + 8, Class::SPACE);
    (tape.at(equals)? == b'=').then(|| escaped(tape, start, equals + 1, Severity::High))
}
