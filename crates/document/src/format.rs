//! What kind of document some bytes are, by their content.

/// Kinds of documents with a text layer that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PDF (ISO 32000).
    Pdf,
    /// A zip archive: Office Open XML, OpenDocument, EPUB, or plain files.
    Archive,
    /// HTML.
    Html,
    /// A message (RFC 5322, MIME).
    Mail,
    /// XML other than HTML.
    Xml,
}

/// Bytes in which a signature may stand: readers accept junk before it, and so do attackers.
const HEAD: usize = 1024;

/// Bytes in which the header of a message is looked for.
const HEADER: usize = 8192;

/// The format of some bytes. A name or a declared media type is never believed, except that bytes declared as HTML and
/// not recognised as anything else are read as HTML: a fragment without its first tags has no mark of its own.
#[must_use]
pub fn recognise(bytes: &[u8], declared: Option<&str>) -> Option<Format> {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    if memchr::memmem::find(head, b"%PDF-").is_some() {
        return Some(Format::Pdf);
    }
    // A stub may stand before an archive, which is read from its end.
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Some(Format::Archive);
    }
    let start = text_start(bytes);
    if is_html(start) {
        return Some(Format::Html);
    }
    if starts_with(start, b"<?xml") {
        return Some(if is_html_after_declaration(start) { Format::Html } else { Format::Xml });
    }
    if is_mail(start) {
        return Some(Format::Mail);
    }
    let media = declared?.split(';').next()?.trim();
    ["text/html", "application/xhtml+xml"].iter().any(|m| media.eq_ignore_ascii_case(m)).then_some(Format::Html)
}

/// True for the first bytes of a format whose data says nothing when it is read as characters.
#[must_use]
pub(crate) fn is_picture_or_font(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 15] = [
        b"\x89PNG",
        b"\xff\xd8\xff",
        b"GIF8",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"\x01\0\0\0",
        b"\xd7\xcd\xc6\x9a",
        b"wOFF",
        b"wOF2",
        b"OTTO",
        b"\0\x01\0\0",
        b"true",
        b"ttcf",
        b"\0\0\x01\0",
    ];
    MAGIC.iter().any(|magic| bytes.starts_with(magic))
        || (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
}

fn text_start(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start()
}

fn starts_with(bytes: &[u8], tag: &[u8]) -> bool {
    bytes.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
}

/// True where it starts as a page does. Comments may come first.
fn is_html(mut bytes: &[u8]) -> bool {
    const TAGS: [&[u8]; 4] = [b"<!doctype html", b"<html", b"<head", b"<body"];
    for _ in 0..8 {
        if TAGS.iter().any(|tag| starts_with(bytes, tag)) {
            return true;
        }
        let Some(rest) = bytes.strip_prefix(b"<!--") else { return false };
        let Some(end) = memchr::memmem::find(rest, b"-->") else { return false };
        bytes = rest.get(end + 3..).unwrap_or_default().trim_ascii_start();
    }
    false
}

fn is_html_after_declaration(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let end = memchr::memmem::find(head, b"?>").map_or(0, |at| at + 2);
    is_html(bytes.get(end..).unwrap_or_default().trim_ascii_start())
}

/// True where it begins with header fields of which two are those of a message.
fn is_mail(bytes: &[u8]) -> bool {
    const FIELDS: [&str; 16] = [
        "from",
        "to",
        "cc",
        "subject",
        "date",
        "received",
        "return-path",
        "delivered-to",
        "message-id",
        "mime-version",
        "reply-to",
        "sender",
        "in-reply-to",
        "references",
        "content-type",
        "content-transfer-encoding",
    ];
    let head = bytes.get(..HEADER).unwrap_or(bytes);
    let mut known = 0_u32;
    for (number, line) in head.split(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if (number == 0 && line.starts_with(b"From ")) || line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else { break };
        let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
        if name.is_empty() || !name.iter().all(|b| b.is_ascii_graphic()) {
            break;
        }
        known += u32::from(FIELDS.iter().any(|f| name.eq_ignore_ascii_case(f.as_bytes())));
        if known >= 2 {
            return true;
        }
    }
    false
}
