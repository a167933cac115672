//! Files of rows: what is in them, row by row, and what of them could not be read.
//!
//! Formats are told by content; a name decides only between forms of plain text. Nothing ends a scan: what cannot be
//! read becomes a [`Gap`] with its place and reason, and the rest goes on.

mod bounded;
mod coded;
mod columnar;
mod form;
mod json;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod walk;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use columnar::cells;
pub use form::{Batch, Coding, Form, Shape};
pub use walk::{Unit, units};

use crate::cell::Cell;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Most bytes of one row.
    pub max_row: usize,
    /// Plain text is a row per line; otherwise a row per file, cut at line ends where the file is long.
    pub lines: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { max_row: 16 << 20, lines: false }
    }
}

/// A row as it was read.
#[derive(Debug)]
pub struct Record {
    /// Its number in the unit, from 0.
    pub row: u64,
    /// What it says.
    pub body: Body,
}

/// What a row says, perhaps not yet taken apart: that is done on many threads.
#[derive(Debug)]
pub enum Body {
    /// One JSON value as text.
    Json(Vec<u8>),
    /// A value.
    Cell(Cell),
}

impl Record {
    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.body {
            Body::Json(bytes) => bytes.len(),
            Body::Cell(cell) => cell.size(),
        }
    }

    /// The value of the row.
    ///
    /// # Errors
    /// Why it is no value.
    pub fn cell(self) -> Result<Cell, String> {
        match self.body {
            Body::Cell(cell) => Ok(cell),
            Body::Json(bytes) => json::value(&bytes),
        }
    }
}

/// Something that was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// File or stream.
    pub source: String,
    /// Row from 0, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// Place in words: line, byte, row group.
    pub place: String,
    /// Why.
    pub why: String,
    /// How many bytes, where known.
    pub bytes: u64,
    /// True where what was left out holds no text.
    pub structural: bool,
    /// The row that would have come next.
    #[serde(skip)]
    pub next: u64,
}

/// What comes out of a unit. A row may be refused by an error, which ends the reading.
#[derive(Debug)]
pub enum Item {
    /// What the unit is; comes first, and not at all where that could not be told.
    Form(Box<Form>),
    /// A row.
    Row(Record),
    /// Rows of a columnar format, where they are asked for together.
    Batch(Box<Batch>),
    /// Something that was not read.
    Gap(Gap),
}

/// Gets what comes out of a unit.
pub type Sink<'a> = dyn FnMut(Item) -> std::io::Result<()> + 'a;

/// Where items go, with the name of the unit.
pub(crate) struct Out<'a, 'b> {
    source: &'a str,
    sink: &'a mut Sink<'b>,
    /// The next row.
    pub(crate) row: u64,
    /// How the unit is compressed.
    coding: Coding,
    /// Rows of columnar formats are handed on together.
    batches: bool,
    /// Set where the receiver refused.
    stopped: Option<std::io::Error>,
}

/// The receiver wants no more.
#[derive(Debug)]
pub(crate) struct Stop;

impl Out<'_, '_> {
    pub(crate) fn row(&mut self, body: Body) -> Result<(), Stop> {
        let row = self.row;
        self.row += 1;
        self.send(Item::Row(Record { row, body }))
    }

    /// A row that cannot be read. It keeps its number.
    pub(crate) fn broken(&mut self, place: String, why: impl Into<String>, bytes: usize) -> Result<(), Stop> {
        let row = Some(self.row);
        self.row += 1;
        self.gap(row, place, why.into(), bytes as u64, false)
    }

    /// What follows in the unit, or a part of it.
    pub(crate) fn rest(&mut self, place: impl Into<String>, why: impl Into<String>) -> Result<(), Stop> {
        self.gap(None, place.into(), why.into(), 0, false)
    }

    fn gap(&mut self, row: Option<u64>, place: String, why: String, bytes: u64, structural: bool) -> Result<(), Stop> {
        let source = self.source.to_owned();
        let next = row.unwrap_or(self.row);
        self.send(Item::Gap(Gap { source, row, place, why, bytes, structural, next }))
    }

    fn form(&mut self, shape: Shape) -> Result<(), Stop> {
        let coding = self.coding;
        self.send(Item::Form(Box::new(Form { coding, shape })))
    }

    fn send(&mut self, item: Item) -> Result<(), Stop> {
        (self.sink)(item).map_err(|error| {
            self.stopped = Some(error);
            Stop
        })
    }
}

/// Reads every row of a unit.
///
/// # Errors
/// Only what the receiver returned.
pub fn read(unit: &Unit, reading: &Reading, sink: &mut Sink<'_>) -> std::io::Result<()> {
    read_as(unit, reading, false, sink)
}

/// The same, with the rows of columnar formats in the batches that they are stored in where `batches`.
pub(crate) fn read_as(unit: &Unit, reading: &Reading, batches: bool, sink: &mut Sink<'_>) -> std::io::Result<()> {
    let mut out = Out { source: &unit.name, sink, row: 0, coding: Coding::Plain, batches, stopped: None };
    // The readers of columnar formats are not ours, and files are hostile.
    let ran = catch_unwind(AssertUnwindSafe(|| {
        if let Some(why) = &unit.left {
            return out.rest("the whole", why.as_str());
        }
        match File::open(&unit.path) {
            Ok(file) => content(file, &unit.path, reading, &mut out),
            Err(error) => out.rest("the whole", format!("it cannot be opened: {error}")),
        }
    }));
    if ran.is_err() && out.stopped.is_none() {
        let row = out.row;
        // Whether the receiver refuses is looked at below.
        let _ = out.rest(format!("row {row} and what follows"), "its reader gave up on it");
    }
    out.stopped.map_or(Ok(()), Err)
}

/// How many bytes are looked at to tell a format.
const HEAD: usize = 4096;
/// How many of a table are looked at to tell how it is written.
const BEGINNING: u64 = 1 << 16;

fn content(mut file: File, path: &Path, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    let mut head = Vec::with_capacity(HEAD);
    let told = (&mut file).take(HEAD as u64).read_to_end(&mut head).and_then(|_| file.rewind());
    if let Err(error) = told {
        return out.rest("the whole", format!("it cannot be read: {error}"));
    }
    if head.starts_with(b"PAR1") || head.starts_with(b"PARE") {
        return columnar::parquet(file, reading, out);
    }
    if head.starts_with(b"ARROW1") {
        return columnar::arrow_file(file, reading, out);
    }
    // The stream format begins with a continuation mark and the length of the schema.
    if head.starts_with(&[0xff; 4]) {
        return columnar::arrow_stream(file, reading, out);
    }
    let name = plain_name(path);
    out.coding = Coding::of(&head);
    match coded::decoder(BufReader::with_capacity(1 << 16, file), &head) {
        Ok(Some(input)) => rows(BufReader::with_capacity(1 << 16, input), &name, reading, out),
        Ok(None) => match File::open(path) {
            Ok(file) => rows(BufReader::with_capacity(1 << 16, file), &name, reading, out),
            Err(error) => out.rest("the whole", format!("it cannot be opened: {error}")),
        },
        Err(error) => out.rest("the whole", format!("it cannot be decompressed: {error}")),
    }
}

/// The name without what says how it is compressed.
fn plain_name(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain = [".gz", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end));
    plain.unwrap_or(&name).to_owned()
}

/// What is text: its form is told by its beginning and its name.
fn rows(mut input: impl BufRead, name: &str, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    let head: Vec<u8> = match input.fill_buf() {
        Ok(head) => head.iter().copied().take(HEAD).collect(),
        Err(error) => return out.rest("the whole", format!("it cannot be read: {error}")),
    };
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return out.rest("the whole", "it is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8");
    }
    if head.starts_with(b"PAR1") {
        return out.rest("the whole", "it is compressed Parquet; decompress it first");
    }
    if head.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    let has = |end: &str| name.ends_with(end);
    let table = if has(".csv") {
        Some(true)
    } else if has(".tsv") || has(".tab") {
        Some(false)
    } else {
        None
    };
    if let Some(quoting) = table {
        let mut beginning = Vec::new();
        if let Err(error) = (&mut input).take(BEGINNING).read_to_end(&mut beginning) {
            return out.rest("the whole", format!("it cannot be read: {error}"));
        }
        let delimiter = if quoting { table::delimiter(&beginning) } else { b'\t' };
        let headed = table::headed(&beginning, delimiter, quoting);
        return table::rows(std::io::Cursor::new(beginning).chain(input), delimiter, quoting, headed, reading, out);
    }
    let first = head.iter().copied().find(|b| !b.is_ascii_whitespace() && !matches!(b, 0xef | 0xbb | 0xbf));
    if has(".jsonl") || has(".ndjson") {
        return json::lines(input, reading, out);
    }
    if has(".json") && json::may_wrap(&head) {
        let mut bytes = Vec::new();
        if let Err(error) = (&mut input).take(reading.max_row as u64 + 1).read_to_end(&mut bytes) {
            return out.rest("the whole", format!("it cannot be read: {error}"));
        }
        if let Some(all) = json::wrapped(&bytes).filter(|_| bytes.len() <= reading.max_row) {
            let json::Wrapped { before, rows, after } = all;
            out.form(Shape::JsonWrapped { before, after })?;
            return rows.into_iter().try_for_each(|row| out.row(Body::Json(row)));
        }
        let input = std::io::Cursor::new(bytes).chain(input);
        return if json::is_lines(&head) {
            json::lines(input, reading, out)
        } else {
            json::document(input, reading, out)
        };
    }
    match first {
        Some(b'[') if has(".json") => json::list(input, reading, out),
        Some(b'{') if json::is_lines(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head)) => {
            json::lines(input, reading, out)
        }
        Some(b'{' | b'[') if has(".json") => json::document(input, reading, out),
        _ if head.contains(&0) => out.gap(None, "the whole".to_owned(), "it holds no text".to_owned(), 0, true),
        _ => text::rows(input, reading, out),
    }
}

/// The way a path is shown.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A spool of standard input: a corpus is read twice.
///
/// # Errors
/// Standard input or the temporary folder cannot be used.
pub fn spool(input: &mut dyn Read) -> std::io::Result<(tempfile::TempPath, PathBuf)> {
    let mut file = tempfile::NamedTempFile::new()?;
    std::io::copy(input, file.as_file_mut())?;
    let path = file.into_temp_path();
    let at = path.to_path_buf();
    Ok((path, at))
}
