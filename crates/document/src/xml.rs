//! XML: the text of elements and the attributes that hold words.

use bartizan_core::Reason;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::html;
use crate::layer::Layer;

/// Elements of word processors, sheets and slides that do not end a word: a word is often split over several runs.
const INLINE: [&str; 22] = [
    "t",
    "r",
    "rPr",
    "delText",
    "instrText",
    "delInstrText",
    "ins",
    "del",
    "moveFrom",
    "moveTo",
    "hyperlink",
    "smartTag",
    "fldSimple",
    "sdt",
    "sdtContent",
    "span",
    "a",
    "b",
    "i",
    "rt",
    "fld",
    "ruby",
];

/// Elements that end a line, whether or not they hold text themselves.
const LINES: [&str; 9] = ["p", "br", "cr", "tr", "row", "si", "c", "tab", "h"];

/// Shortest value without white space that is taken for words.
const LONG: usize = 24;

/// Reads a file. One that is not well-formed is read once more as the browsers read pages, and said to be malformed.
pub(crate) fn read(member: &str, source: &str, layer: &mut Layer<'_>) {
    if !layer.part() {
        return;
    }
    let mut words = Words::default();
    if words.read(source).is_err() {
        layer.fault(Reason::Malformed);
        html::read(member, source, layer);
    }
    layer.text(member, words.text);
    layer.text(&format!("{member}#attributes"), words.asides);
}

/// True for values that say something: with white space, or long and not only hexadecimal, or an address.
pub(crate) fn is_worded(value: &str) -> bool {
    let trimmed = value.trim();
    let letters = trimmed.chars().filter(|c| c.is_alphabetic()).count();
    let spaced = trimmed.contains(char::is_whitespace) || trimmed.contains('_') || !trimmed.is_ascii();
    let hexadecimal = trimmed.bytes().all(|b| b.is_ascii_hexdigit() || b"-{}".contains(&b));
    letters >= 3 && !hexadecimal && (spaced || trimmed.len() >= LONG || trimmed.contains("://"))
}

#[derive(Default)]
struct Words {
    text: String,
    asides: String,
    /// The element that is open has text of its own.
    has_text: bool,
}

impl Words {
    fn read(&mut self, source: &str) -> Result<(), ()> {
        let mut reader = Reader::from_str(source);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        loop {
            match reader.read_event().map_err(|_| ())? {
                Event::Start(tag) => self.start(&tag),
                Event::Empty(tag) => {
                    self.start(&tag);
                    self.end(tag.local_name().as_ref());
                }
                Event::End(tag) => self.end(tag.local_name().as_ref()),
                Event::Text(text) => self.push(&text.into_inner()),
                Event::CData(text) => self.push(&text.into_inner()),
                Event::GeneralRef(name) => self.reference(&name),
                Event::Comment(text) | Event::DocType(text) => self.aside(&text.into_inner()),
                Event::PI(text) => self.aside(&text.into_inner()),
                Event::Decl(_) => {}
                Event::Eof => return Ok(()),
            }
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        self.has_text = false;
        // Without the check for repeated names, which is quadratic.
        for attribute in tag.attributes().with_checks(false).flatten() {
            let key = attribute.key.as_ref();
            if key.starts_with("xmlns") {
                continue;
            }
            let raw: &str = &attribute.value;
            let value = quick_xml::escape::unescape(raw).unwrap_or(std::borrow::Cow::Borrowed(raw));
            if is_worded(&value) {
                self.aside(&value);
            }
        }
    }

    fn end(&mut self, name: &str) {
        if LINES.contains(&name) || (self.has_text && !INLINE.contains(&name)) {
            if !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            self.has_text = false;
        }
    }

    fn push(&mut self, piece: &str) {
        // Indentation between elements is no text.
        if piece.trim().is_empty() && piece.contains('\n') {
            return;
        }
        self.has_text = true;
        self.text.push_str(piece);
    }

    fn reference(&mut self, name: &quick_xml::events::BytesRef<'_>) {
        let c = match name.resolve_char_ref() {
            Ok(Some(c)) => Some(c),
            _ => match name.borrow().into_inner().as_ref() {
                "lt" => Some('<'),
                "gt" => Some('>'),
                "amp" => Some('&'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                "nbsp" => Some(' '),
                // Entities that the file defines are in its document type, which is read as text.
                _ => None,
            },
        };
        if let Some(c) = c {
            self.has_text = true;
            self.text.push(c);
        }
    }

    fn aside(&mut self, piece: &str) {
        if !piece.trim().is_empty() {
            self.asides.push_str(piece);
            self.asides.push('\n');
        }
    }
}
