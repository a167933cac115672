//! From bytes to passages.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bartizan_core::{Limits, Reason};

use crate::format::{Format, is_picture_or_font, recognise};
use crate::layer::{Budget, Document, Layer};
use crate::{archive, charset, html, mail, pdf, xml};

/// Reads documents, all within one budget: make one for each body.
///
/// Its limits are `max_text` bytes of text, `max_document_expanded` bytes from decompression and decoding,
/// `max_document_parts` members, pages and attachments, and `max_document_depth` documents inside one another.
#[derive(Debug)]
pub struct Extractor {
    budget: Budget,
}

impl Extractor {
    /// An extractor with a fresh budget.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self { budget: Budget::new(limits) }
    }

    /// Reads a document; `None` where the bytes are none that can be read. `declared` is a media type, if there is one.
    /// It never fails: what could not be read is in the answer.
    pub fn read(&mut self, bytes: &[u8], declared: Option<&str>) -> Option<Document> {
        let format = recognise(bytes, declared)?;
        let mut layer = Layer::new(&mut self.budget);
        if layer.part() {
            guarded(&mut layer, |layer| dispatch(format, bytes, layer));
        }
        Some(layer.finish(format))
    }
}

/// Runs a parser. One that panics has read what it has read.
pub(crate) fn guarded(layer: &mut Layer<'_>, read: impl FnOnce(&mut Layer<'_>)) {
    // The layer stays usable after a panic: it is a list and some counters.
    if catch_unwind(AssertUnwindSafe(|| read(layer))).is_err() {
        layer.fault(Reason::Malformed);
    }
}

fn dispatch(format: Format, bytes: &[u8], layer: &mut Layer<'_>) {
    match format {
        Format::Pdf => pdf::read(bytes, layer),
        Format::Archive => archive::read(bytes, layer),
        Format::Html => html::read("html", &charset::text(bytes), layer),
        Format::Mail => mail::read(bytes, layer),
        Format::Xml => xml::read("xml", &charset::text(bytes), layer),
    }
}

/// Reads a part that was found in a document.
pub(crate) fn part(member: &str, bytes: &[u8], declared: Option<&str>, layer: &mut Layer<'_>) {
    match recognise(bytes, declared) {
        Some(Format::Html) => html::read(member, &charset::text(bytes), layer),
        Some(Format::Xml) => xml::read(member, &charset::text(bytes), layer),
        Some(format) => {
            layer.inside(member, |layer| guarded(layer, |layer| dispatch(format, bytes, layer)));
        }
        None if charset::is_text(bytes) => layer.text(member, charset::text(bytes).into_owned()),
        None if bytes.is_empty() || is_picture_or_font(bytes) => {}
        None => layer.file(),
    }
}

/// True where the bytes are a document of their own.
pub(crate) fn is_document(bytes: &[u8]) -> bool {
    matches!(recognise(bytes, None), Some(Format::Pdf | Format::Archive | Format::Mail))
}
