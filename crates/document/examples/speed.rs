//! How fast text layers are read, by format: `cargo run --release -p bartizan-document --example speed`.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures and prints")]

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::time::Instant;

use bartizan_core::Limits;
use bartizan_document::Extractor;

const WORDS: &str = "The third quarter brought no surprises, and the board asked for the figures of the next one. ";

/// Bytes of text in each document.
const SIZE: usize = 1 << 20;

fn lines() -> usize {
    SIZE / WORDS.len()
}

fn pdf() -> Vec<u8> {
    let mut out = "%PDF-1.7\n1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n".to_owned();
    let pages = lines() / 50;
    let kids: String = (0..pages).fold(String::new(), |mut kids, n| {
        let _ = write!(kids, "{} 0 R ", 10 + 2 * n);
        kids
    });
    let _ = writeln!(out, "2 0 obj << /Type /Pages /Kids [{kids}] >> endobj");
    out.push_str("3 0 obj << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> endobj\n");
    for page in 0..pages {
        let mut content = "BT /F 10 Tf 12 TL 50 780 Td\n".to_owned();
        for _ in 0..50 {
            let _ = writeln!(content, "[({}) -20 ({})] TJ T*", &WORDS[..40], &WORDS[40..]);
        }
        content.push_str("ET");
        let (number, stream) = (10 + 2 * page, 11 + 2 * page);
        let resources = "/Resources << /Font << /F 3 0 R >> >>";
        let _ = writeln!(out, "{number} 0 obj << /Type /Page /Contents {stream} 0 R {resources} >> endobj");
        let length = content.len();
        let _ = writeln!(out, "{stream} 0 obj << /Length {length} >>\nstream\n{content}\nendstream endobj");
    }
    out.push_str("trailer << /Root 1 0 R >>\n%%EOF");
    out.into_bytes()
}

fn docx() -> Vec<u8> {
    let mut xml = "<?xml version=\"1.0\"?><w:document xmlns:w=\"u\"><w:body>".to_owned();
    for line in 0..lines() {
        let _ = write!(
            xml,
            "<w:p w:rsidR=\"00A{line:05}\"><w:r><w:rPr><w:b/></w:rPr><w:t>{line} {WORDS}</w:t></w:r></w:p>"
        );
    }
    xml.push_str("</w:body></w:document>");
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let _ = out.start_file("word/document.xml", zip::write::SimpleFileOptions::default());
    let _ = out.write_all(xml.as_bytes());
    out.finish().map(Cursor::into_inner).unwrap_or_default()
}

fn html() -> Vec<u8> {
    let mut out = "<!DOCTYPE html><html><body>".to_owned();
    for line in 0..lines() {
        let _ = write!(out, "<p class=\"c{line}\" title=\"a short title\"><b>{line}</b> {WORDS}</p>\n<!-- c -->");
    }
    out.into_bytes()
}

fn mail() -> Vec<u8> {
    let mut out =
        "From: a@example.com\r\nTo: b@example.com\r\nSubject: s\r\nContent-Type: text/plain\r\n\r\n".to_owned();
    for _ in 0..lines() {
        out.push_str(WORDS);
        out.push_str("\r\n");
    }
    out.into_bytes()
}

fn main() {
    for (name, bytes) in [("pdf", pdf()), ("docx", docx()), ("html", html()), ("mail", mail())] {
        let mut best = f64::MAX;
        let mut text = 0;
        for _ in 0..15 {
            let start = Instant::now();
            let document = Extractor::new(&Limits::default()).read(&bytes, None);
            best = best.min(start.elapsed().as_secs_f64());
            text = document.map_or(0, |d| d.passages.iter().map(|p| p.text.len()).sum());
        }
        let rate = |size: usize| size as f64 / best / 1e6;
        println!(
            "{name}: {} bytes, {text} of text: {:.0} MB/s of text, {:.0} MB/s of file",
            bytes.len(),
            rate(text),
            rate(bytes.len())
        );
    }
}
