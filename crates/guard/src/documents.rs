//! Documents in a body: their text layers become texts of the exchange.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bartizan_core::{
    Coverage, Exchange, Extracted, Kind, Limits, Opaque, OpaqueKind, Origin, Part, Protocol, Reason, Source, Span, Text,
};
use bartizan_document::{Document, Extractor, Format, recognise};
use bartizan_wire::json::{Doc, NodeKind};

/// Shortest data in which a document is looked for, in bytes.
const SHORTEST: usize = 48;

/// Bytes that are decoded to see whether all have to be.
const HEAD: usize = 12 << 10;

/// True where the exchange may hold documents, so that reading it may take time.
pub(crate) fn may_hold(exchange: &Exchange) -> bool {
    exchange.opaque.iter().any(|part| part.bytes > 0 && may_be_document(part.kind))
        || exchange.texts.iter().any(|text| may_be_text(text.kind) && candidate(text).is_some())
}

const fn may_be_document(kind: OpaqueKind) -> bool {
    matches!(kind, OpaqueKind::Image | OpaqueKind::Audio | OpaqueKind::File | OpaqueKind::Unknown)
}

const fn may_be_text(kind: Kind) -> bool {
    matches!(kind, Kind::Text | Kind::ToolArguments)
}

/// Adds the text layers of the documents in an exchange.
pub(crate) fn read(exchange: &mut Exchange, limits: &Limits) {
    let mut reader = Reader { extractor: Extractor::new(limits), texts: Vec::new(), found: Vec::new() };
    let texts = exchange.texts.len();
    let seen = reader.parts(exchange, limits, texts);
    reader.texts(exchange, &seen, texts);
    exchange.texts.append(&mut reader.texts);
    exchange.extracted = reader.found;
}

/// True where a file is a document of which the text layer can be read, by its content.
#[must_use]
pub fn is_document(bytes: &[u8]) -> bool {
    recognise(bytes, None).is_some()
}

/// The exchange of a file that is a document; `None` where it is none that can be read.
pub(crate) fn of_file(bytes: &[u8], source: Source, limits: &Limits) -> Option<Exchange> {
    let mut reader = Reader { extractor: Extractor::new(limits), texts: Vec::new(), found: Vec::new() };
    let document = reader.extractor.read(bytes, None)?;
    let whole = Span::new(0, bytes.len());
    let mut exchange = Exchange { protocol: Protocol::Text, ..Exchange::default() };
    let mut place = Extracted { bytes: bytes.len(), ..Extracted::default() };
    // A textual format is a text as well.
    let textual = matches!(document.format, Format::Html | Format::Mail | Format::Xml);
    if textual && let Ok(text) = std::str::from_utf8(bytes) {
        let value = text.to_owned();
        let leaf = Text { origin: source.into(), value, literal: whole, editable: true, ..Text::default() };
        exchange.texts.push(leaf);
        place.text = Some(0);
    } else {
        let kind = if document.is_read() { OpaqueKind::Document } else { OpaqueKind::File };
        let origin = Origin::new(Source::User);
        let bytes = bytes.len();
        let part = Opaque { pointer: String::new(), origin, kind, literal: whole, strippable: false, bytes };
        exchange.opaque.push(part);
        place.opaque = Some(0);
    }
    reader.add(document, place, &Origin::new(source), exchange.texts.len());
    exchange.texts.append(&mut reader.texts);
    exchange.extracted = reader.found;
    exchange.body = bytes.to_vec();
    Some(exchange)
}

/// What coverage says of a document in a text. Of one in an opaque part, policy says it.
pub(crate) fn note_coverage(document: &Extracted, coverage: &mut Coverage) {
    match (document.opaque, document.text, document.fault) {
        (Some(_), ..) | (None, Some(_), None) => {}
        // A page or message was read as the text that it is; only limits leave something out.
        (None, Some(_), Some(Reason::Malformed | Reason::File | Reason::Encrypted)) => {}
        (None, Some(_), Some(reason)) => coverage.add(Part::partial(reason, document.bytes)),
        (None, None, None) => coverage.add(Part::structural(Reason::TextLayerRead, document.bytes)),
        (None, None, Some(_)) => coverage.add(Part::structural(Reason::File, document.bytes)),
    }
}

struct Reader {
    extractor: Extractor,
    texts: Vec<Text>,
    found: Vec<Extracted>,
}

impl Reader {
    /// Documents in parts that are not text. Answers with the literals that were looked at.
    fn parts(&mut self, exchange: &mut Exchange, limits: &Limits, offset: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut order: Vec<usize> = (0..exchange.opaque.len()).collect();
        // A part may stand in another: the inner one has what is in it.
        order.sort_by_key(|index| exchange.opaque.get(*index).map_or(0, |part| part.literal.len()));
        for index in order {
            let Some(part) = exchange.opaque.get_mut(index) else { continue };
            if !may_be_document(part.kind) {
                continue;
            }
            let literal = exchange.body.get(part.literal.start..part.literal.end).unwrap_or_default();
            let Ok(doc) = Doc::parse(literal, limits) else { continue };
            let (mut read, mut unread) = (0, 0);
            for node in 0..doc.len() {
                let Some(found) = doc.node(node).filter(|n| n.kind == NodeKind::String) else { continue };
                let start = part.literal.start + found.literal().start;
                if found.literal().len() < SHORTEST || !seen.insert(start) {
                    continue;
                }
                let value = doc.value(node);
                let Some((bytes, declared)) = bartizan_wire::data(&value) else { continue };
                match self.extractor.read(&bytes, declared) {
                    Some(document) => {
                        *(if document.is_read() { &mut read } else { &mut unread }) += 1;
                        let place = Extracted {
                            pointer: part.pointer.clone(),
                            opaque: Some(index),
                            bytes: bytes.len(),
                            ..Extracted::default()
                        };
                        self.add(document, place, &part.origin, offset);
                    }
                    None if bytes.len() >= SHORTEST => unread += 1,
                    None => {}
                }
            }
            if read > 0 && unread == 0 {
                part.kind = OpaqueKind::Document;
            } else if self.found.last().is_some_and(|d| d.opaque == Some(index)) {
                part.kind = OpaqueKind::File;
            }
        }
        seen
    }

    /// Documents in texts: base64 in a tool result, and texts that are pages or messages themselves.
    fn texts(&mut self, exchange: &Exchange, seen: &BTreeSet<usize>, offset: usize) {
        for (index, text) in exchange.texts.iter().enumerate() {
            let known = text.container.is_none() && seen.contains(&text.literal.start);
            if known || !may_be_text(text.kind) {
                continue;
            }
            let Some(Candidate { bytes, declared, itself }) = candidate(text) else { continue };
            let Some(document) = self.extractor.read(&bytes, declared) else { continue };
            let place = Extracted {
                pointer: text.pointer.clone(),
                text: itself.then_some(index),
                bytes: bytes.len(),
                ..Extracted::default()
            };
            self.add(document, place, &text.origin, offset);
        }
    }

    fn add(&mut self, document: Document, mut place: Extracted, origin: &Origin, offset: usize) {
        let start = offset + self.texts.len();
        place.fault = document.fault.or(document.has_files.then_some(Reason::File));
        for passage in document.passages {
            let origin = Origin { source: Source::Document, field: Some(passage.member.into()), ..origin.clone() };
            self.texts.push(Text {
                pointer: place.pointer.clone(),
                origin,
                kind: Kind::Text,
                value: passage.text,
                ..Text::default()
            });
        }
        place.texts = start..offset + self.texts.len();
        self.found.push(place);
    }
}

/// What may be a document in a text.
struct Candidate<'a> {
    bytes: Cow<'a, [u8]>,
    /// Media type that a `data:` URL declares.
    declared: Option<&'a str>,
    /// The text is the document, not an encoding of it.
    itself: bool,
}

fn candidate(text: &Text) -> Option<Candidate<'_>> {
    let value = text.value.as_str();
    if value.len() < SHORTEST {
        return None;
    }
    let is_url = value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if !is_url {
        if matches!(recognise(value.as_bytes(), None), Some(Format::Html | Format::Mail)) {
            return Some(Candidate { bytes: value.as_bytes().into(), declared: None, itself: true });
        }
        let starts = value.bytes().take(SHORTEST).all(|b| b.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&b));
        if !starts {
            return None;
        }
        let head = value.get(..value.floor_char_boundary(HEAD)).unwrap_or(value);
        let head = head.get(..head.len() & !3).unwrap_or(head);
        recognise(&bartizan_wire::data(head)?.0, None)?;
    }
    let (bytes, declared) = bartizan_wire::data(value)?;
    Some(Candidate { bytes: bytes.into(), declared, itself: false })
}
