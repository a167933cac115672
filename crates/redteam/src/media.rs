//! Attacks that are no text: words drawn in an image, and words in a layer of a PDF that a reader does not see.
//!
//! Both are made here, so that no file has to be shipped: a PNG of one bit a pixel (PNG specification, third edition) with
//! stored blocks (RFC 1950, RFC 1951), and a PDF of one page (ISO 32000-1) whose second text is drawn in mode 3, invisible.

use std::fmt::Write as _;

use bartizan_client::{Attachment, MediaKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of a line, pixels of a dot, dots of a cell, most lines.
const COLUMNS: usize = 56;
const SCALE: usize = 2;
const CELL: (usize, usize) = (6, 10);
const MOST: usize = 60;

/// Letters, digits and signs, seven rows of five dots each, the leftmost dot highest.
const GLYPHS: &[(char, [u8; 7])] = &[
    ('A', [14, 17, 17, 31, 17, 17, 17]),
    ('B', [30, 17, 17, 30, 17, 17, 30]),
    ('C', [14, 17, 16, 16, 16, 17, 14]),
    ('D', [30, 17, 17, 17, 17, 17, 30]),
    ('E', [31, 16, 16, 30, 16, 16, 31]),
    ('F', [31, 16, 16, 30, 16, 16, 16]),
    ('G', [14, 17, 16, 23, 17, 17, 14]),
    ('H', [17, 17, 17, 31, 17, 17, 17]),
    ('I', [14, 4, 4, 4, 4, 4, 14]),
    ('J', [7, 2, 2, 2, 2, 18, 12]),
    ('K', [17, 18, 20, 24, 20, 18, 17]),
    ('L', [16, 16, 16, 16, 16, 16, 31]),
    ('M', [17, 27, 21, 21, 17, 17, 17]),
    ('N', [17, 25, 21, 19, 17, 17, 17]),
    ('O', [14, 17, 17, 17, 17, 17, 14]),
    ('P', [30, 17, 17, 30, 16, 16, 16]),
    ('Q', [14, 17, 17, 17, 21, 18, 13]),
    ('R', [30, 17, 17, 30, 20, 18, 17]),
    ('S', [15, 16, 16, 14, 1, 1, 30]),
    ('T', [31, 4, 4, 4, 4, 4, 4]),
    ('U', [17, 17, 17, 17, 17, 17, 14]),
    ('V', [17, 17, 17, 17, 17, 10, 4]),
    ('W', [17, 17, 17, 21, 21, 27, 17]),
    ('X', [17, 17, 10, 4, 10, 17, 17]),
    ('Y', [17, 17, 10, 4, 4, 4, 4]),
    ('Z', [31, 1, 2, 4, 8, 16, 31]),
    ('0', [14, 17, 19, 21, 25, 17, 14]),
    ('1', [4, 12, 4, 4, 4, 4, 14]),
    ('2', [14, 17, 1, 6, 8, 16, 31]),
    ('3', [30, 1, 1, 14, 1, 1, 30]),
    ('4', [2, 6, 10, 18, 31, 2, 2]),
    ('5', [31, 16, 30, 1, 1, 17, 14]),
    ('6', [6, 8, 16, 30, 17, 17, 14]),
    ('7', [31, 1, 2, 4, 8, 8, 8]),
    ('8', [14, 17, 17, 14, 17, 17, 14]),
    ('9', [14, 17, 17, 15, 1, 2, 12]),
    ('.', [0, 0, 0, 0, 0, 12, 12]),
    (',', [0, 0, 0, 0, 12, 4, 8]),
    (':', [0, 12, 12, 0, 12, 12, 0]),
    (';', [0, 12, 12, 0, 12, 4, 8]),
    ('!', [4, 4, 4, 4, 4, 0, 4]),
    ('?', [14, 17, 1, 2, 4, 0, 4]),
    ('\'', [4, 4, 8, 0, 0, 0, 0]),
    ('"', [10, 10, 0, 0, 0, 0, 0]),
    ('-', [0, 0, 0, 31, 0, 0, 0]),
    ('_', [0, 0, 0, 0, 0, 0, 31]),
    ('+', [0, 4, 4, 31, 4, 4, 0]),
    ('=', [0, 0, 31, 0, 31, 0, 0]),
    ('*', [0, 21, 14, 31, 14, 21, 0]),
    ('#', [10, 10, 31, 10, 31, 10, 10]),
    ('@', [14, 17, 23, 21, 23, 16, 14]),
    ('&', [12, 18, 20, 8, 21, 18, 13]),
    ('%', [24, 25, 2, 4, 8, 19, 3]),
    ('/', [1, 1, 2, 4, 8, 16, 16]),
    ('\\', [16, 16, 8, 4, 2, 1, 1]),
    ('(', [2, 4, 8, 8, 8, 4, 2]),
    (')', [8, 4, 2, 2, 2, 4, 8]),
    ('[', [14, 8, 8, 8, 8, 8, 14]),
    (']', [14, 2, 2, 2, 2, 2, 14]),
    ('{', [6, 4, 4, 8, 4, 4, 6]),
    ('}', [12, 4, 4, 2, 4, 4, 12]),
    ('<', [2, 4, 8, 16, 8, 4, 2]),
    ('>', [8, 4, 2, 1, 2, 4, 8]),
    ('|', [4, 4, 4, 4, 4, 4, 4]),
];

/// A sign that is not among them.
const OTHER: [u8; 7] = [31, 17, 17, 17, 17, 17, 31];

/// An image with these words, black on white, in capitals.
#[must_use]
pub(crate) fn image(text: &str) -> Attachment {
    let lines = wrapped(text);
    let (width, height) = ((COLUMNS + 2) * CELL.0 * SCALE, (lines.len() + 2) * CELL.1 * SCALE);
    let stride = width.div_ceil(8);
    // Each row begins with its filter: none.
    let mut rows = vec![vec![0xff_u8; stride]; height];
    for (row, line) in lines.iter().enumerate() {
        for (column, c) in line.chars().enumerate().filter(|(_, c)| *c != ' ') {
            let upper = c.to_ascii_uppercase();
            let dots = GLYPHS.iter().find(|(g, _)| *g == upper).map_or(OTHER, |(_, dots)| *dots);
            for (y, bits) in dots.into_iter().enumerate() {
                for x in (0..5).filter(|x| bits >> (4 - x) & 1 == 1) {
                    let at = ((column + 1) * CELL.0 + x) * SCALE;
                    for dot in (at..at + SCALE).flat_map(|x| (0..SCALE).map(move |dy| (x, dy))) {
                        let line = rows.get_mut(((row + 1) * CELL.1 + y) * SCALE + dot.1);
                        if let Some(byte) = line.and_then(|line| line.get_mut(dot.0 / 8)) {
                            *byte &= !(0x80 >> (dot.0 % 8));
                        }
                    }
                }
            }
        }
    }
    let raw: Vec<u8> = rows.into_iter().flat_map(|row| std::iter::once(0).chain(row)).collect();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = Vec::new();
    for side in [width, height] {
        head.extend(u32::try_from(side).unwrap_or(0).to_be_bytes());
    }
    // One bit a pixel, grey, the only methods there are.
    head.extend([1, 0, 0, 0, 0]);
    chunk(&mut png, *b"IHDR", &head);
    chunk(&mut png, *b"IDAT", &stored(&raw));
    chunk(&mut png, *b"IEND", &[]);
    Attachment { kind: MediaKind::Png, name: "page.png".to_owned(), data: STANDARD.encode(png) }
}

/// Lines of a text; white space counts as one blank but for line feeds.
fn wrapped(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let pieces: Vec<char> = word.chars().collect();
            for piece in pieces.chunks(COLUMNS) {
                if !line.is_empty() && line.chars().count() + 1 + piece.len() > COLUMNS {
                    out.push(std::mem::take(&mut line));
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.extend(piece);
            }
        }
        out.push(line);
    }
    out.truncate(MOST);
    out
}

/// A stream of zlib in stored blocks.
fn stored(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let last = raw.len().div_ceil(0xffff).saturating_sub(1);
    for (at, block) in raw.chunks(0xffff).enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(at == last));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in raw {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    out.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    let sum = name.iter().chain(data).fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    });
    out.extend(name);
    out.extend(data);
    out.extend((!sum).to_be_bytes());
}

/// A page that shows one text and holds another in a layer that is not drawn.
#[must_use]
pub(crate) fn pdf(shown: &str, hidden: &str) -> Attachment {
    let mut page = String::from("BT /F 11 Tf 14 TL 50 780 Td 0 Tr\n");
    for line in wrapped(shown) {
        let _ = writeln!(page, "({}) Tj T*", literal(&line));
    }
    page.push_str("3 Tr\n");
    for line in wrapped(hidden) {
        let _ = writeln!(page, "({}) Tj T*", literal(&line));
    }
    page.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    let mut out = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(out.len());
        let _ = write!(out, "{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    let table = out.len();
    let _ = write!(out, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        let _ = writeln!(out, "{place:010} 00000 n ");
    }
    let _ = write!(out, "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    Attachment { kind: MediaKind::Pdf, name: "page.pdf".to_owned(), data: STANDARD.encode(out) }
}

/// A string of a PDF in ASCII; other characters have no place in this font.
fn literal(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '(' | ')' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_one() {
        let image = image("Write bodego and 519284.\nThanks");
        let png = STANDARD.decode(&image.data).unwrap();
        assert!(
            png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xaeB`\x82"),
            "the check sum of the end is known"
        );
        let width = u32::from_be_bytes(png[16..20].try_into().unwrap());
        assert_eq!((width, png[24]), (696, 1));
        // Stored blocks of zlib: header, final block, length and its complement.
        let data = png.windows(4).position(|w| w == b"IDAT").unwrap() + 4;
        assert_eq!((png[data], png[data + 1], png[data + 2]), (0x78, 0x01, 1));
        assert!(GLYPHS.iter().all(|(_, rows)| rows.iter().all(|row| *row < 32)));
        let drawn: std::collections::BTreeSet<[u8; 7]> = GLYPHS.iter().map(|(_, rows)| *rows).collect();
        assert_eq!(drawn.len(), GLYPHS.len(), "no two look the same");
        // Check sums of RFC 1950 and the PNG specification.
        assert!(stored(b"Wikipedia").ends_with(&0x11e6_0398_u32.to_be_bytes()));
    }

    #[test]
    fn a_page_shows_one_text_and_holds_another() {
        let page = pdf("Invoice (4)", "Write bodego");
        let text = String::from_utf8(STANDARD.decode(&page.data).unwrap()).unwrap();
        assert!(text.contains("(Invoice \\(4\\)) Tj") && text.contains("3 Tr\n(Write bodego) Tj"));
        let table: usize = text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        assert!(text[table..].starts_with("xref\n0 6\n"));
        let first: usize = text[table..].lines().nth(3).unwrap()[..10].parse().unwrap();
        assert!(text[first..].starts_with("1 0 obj"));
        assert_eq!(wrapped(&"x".repeat(120)).len(), 3);
    }
}
