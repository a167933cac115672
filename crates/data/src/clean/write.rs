//! Files of rows in the format that others were read in.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::concat::concat_batches;
use aws_lc_rs::digest;
use bartizan_sign::Sha256;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::arrays::compacted;
use crate::cell::Cell;
use crate::read::{Coding, Form, Shape};

/// Bytes of a frame of Zstandard. Frames may follow on one another.
const FRAME: usize = 4 << 20;

/// A file that is written as a whole or not at all.
pub(super) struct Output {
    part: PathBuf,
    path: PathBuf,
    kind: Kind,
    group: usize,
    /// Rows that were written.
    pub(super) rows: u64,
}

enum Kind {
    Lines(Coded),
    /// With what comes after the list.
    List(Coded, Vec<u8>),
    Document(Coded),
    Table(Box<csv::Writer<Coded>>),
    Text(Coded, bool),
    Parquet(Box<ArrowWriter<BufWriter<File>>>, SchemaRef),
    File(Box<FileWriter<BufWriter<File>>>, SchemaRef, Whole),
    Stream(Box<StreamWriter<BufWriter<File>>>, SchemaRef),
}

/// How the rows of an Arrow file are written.
enum Whole {
    /// Batch by batch.
    InParts,
    /// As one batch at the end, because the format has one dictionary for all batches: the batches and their bytes.
    Held(Vec<RecordBatch>, usize),
}

/// Most bytes of rows that are held until all are known.
const HELD: usize = 2 << 30;

/// True where values are in a dictionary.
fn coded(kind: &DataType) -> bool {
    let mut open = vec![kind];
    while let Some(kind) = open.pop() {
        match kind {
            DataType::Dictionary(..) => return true,
            DataType::List(of)
            | DataType::LargeList(of)
            | DataType::ListView(of)
            | DataType::LargeListView(of)
            | DataType::FixedSizeList(of, _)
            | DataType::RunEndEncoded(_, of)
            | DataType::Map(of, _) => {
                open.push(of.data_type());
            }
            DataType::Union(fields, _) => open.extend(fields.iter().map(|(_, field)| field.data_type())),
            DataType::Struct(fields) => open.extend(fields.iter().map(|field| field.data_type())),
            _ => {}
        }
    }
    false
}

fn one_dictionary(why: impl std::fmt::Display) -> io::Error {
    let what = "an Arrow file has one dictionary for all rows, which cannot be made anew";
    io::Error::other(format!("{what}: {why}; convert the file to an Arrow stream or Parquet first"))
}

/// Creates a file that nobody else can read.
pub(super) fn sealed(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Where there are rows that have no place in a format.
fn misplaced() -> io::Error {
    io::Error::other("a row does not fit the format of its file")
}

fn arrow(error: ArrowError) -> io::Error {
    io::Error::other(error)
}

impl Output {
    /// Begins a file of a form, which nobody else can read where it is `private`.
    pub(super) fn new(path: &Path, form: &Form, private: bool) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let part = part_of(path);
        let file = BufWriter::with_capacity(1 << 18, if private { sealed(&part)? } else { File::create(&part)? });
        let plain = |file| Coded::new(file, form.coding);
        let kind = match &form.shape {
            Shape::JsonLines => Kind::Lines(plain(file)),
            Shape::JsonList => {
                let mut list = plain(file);
                list.write_all(b"[")?;
                Kind::List(list, b"\n".to_vec())
            }
            Shape::JsonWrapped { before, after } => {
                let mut list = plain(file);
                list.write_all(before)?;
                list.write_all(b"[")?;
                Kind::List(list, after.clone())
            }
            Shape::JsonDocument => Kind::Document(plain(file)),
            Shape::Table { delimiter, quoting, head } => {
                let style = if *quoting { csv::QuoteStyle::Necessary } else { csv::QuoteStyle::Never };
                let mut table = csv::WriterBuilder::new()
                    .delimiter(*delimiter)
                    .quote_style(style)
                    .flexible(true)
                    .from_writer(plain(file));
                if !head.is_empty() {
                    table.write_record(head)?;
                }
                Kind::Table(Box::new(table))
            }
            Shape::Text { lines } => Kind::Text(plain(file), *lines),
            Shape::Parquet { schema, compression, notes } => {
                // The schema is written anew from the columns.
                let notes = notes.iter().filter(|note| note.key != "ARROW:schema").cloned().collect();
                let properties =
                    WriterProperties::builder().set_compression(*compression).set_key_value_metadata(Some(notes));
                let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties.build()))?;
                Kind::Parquet(Box::new(writer), schema.clone())
            }
            Shape::ArrowFile(schema) => {
                let whole = if schema.fields().iter().any(|field| coded(field.data_type())) {
                    Whole::Held(Vec::new(), 0)
                } else {
                    Whole::InParts
                };
                Kind::File(Box::new(FileWriter::try_new(file, schema).map_err(arrow)?), schema.clone(), whole)
            }
            Shape::ArrowStream(schema) => {
                Kind::Stream(Box::new(StreamWriter::try_new(file, schema).map_err(arrow)?), schema.clone())
            }
        };
        Ok(Self { part, path: path.to_owned(), kind, group: 0, rows: 0 })
    }

    /// A row that is JSON.
    pub(super) fn json(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.kind {
            Kind::Lines(out) => {
                out.write_all(bytes)?;
                out.write_all(b"\n")?;
            }
            Kind::List(out, _) => {
                out.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
                out.write_all(bytes)?;
            }
            Kind::Document(out) => out.write_all(bytes)?,
            _ => return Err(misplaced()),
        }
        self.rows += 1;
        Ok(())
    }

    /// A row of a table or of plain text.
    pub(super) fn cell(&mut self, cell: &Cell) -> io::Result<()> {
        let pairs = match cell {
            Cell::Map(pairs) => pairs,
            Cell::Headed(_, row) => match row.as_ref() {
                // A table of names only.
                Cell::Map(pairs) if pairs.is_empty() => return Ok(()),
                Cell::Map(pairs) => pairs,
                _ => return Err(misplaced()),
            },
            _ => return Err(misplaced()),
        };
        let text = |cell: &Cell| cell.word().unwrap_or_default();
        match &mut self.kind {
            Kind::Table(out) => {
                out.write_record(pairs.iter().map(|(_, value)| text(value)))?;
            }
            Kind::Text(out, lines) => {
                for (_, value) in pairs {
                    out.write_all(text(value).as_bytes())?;
                }
                if *lines {
                    out.write_all(b"\n")?;
                }
            }
            _ => return Err(misplaced()),
        }
        self.rows += 1;
        Ok(())
    }

    /// Rows of a row group.
    pub(super) fn batch(&mut self, group: usize, batch: &RecordBatch) -> io::Result<()> {
        let as_written = |schema: &SchemaRef| compacted(batch, schema).map_err(arrow);
        match &mut self.kind {
            Kind::Parquet(out, schema) => {
                if std::mem::replace(&mut self.group, group) != group {
                    out.flush()?;
                }
                out.write(&as_written(schema)?)?;
            }
            Kind::File(out, schema, Whole::InParts) => out.write(&as_written(schema)?).map_err(arrow)?,
            Kind::File(_, schema, Whole::Held(batches, bytes)) => {
                let batch = as_written(schema)?;
                *bytes = bytes.saturating_add(batch.get_array_memory_size());
                if *bytes > HELD {
                    return Err(one_dictionary(format!("its rows take more than {HELD} bytes")));
                }
                batches.push(batch);
            }
            Kind::Stream(out, schema) => out.write(&as_written(schema)?).map_err(arrow)?,
            _ => return Err(misplaced()),
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Takes the file back.
    pub(super) fn discard(self) -> io::Result<()> {
        let Self { part, kind, .. } = self;
        drop(kind);
        std::fs::remove_file(part)
    }

    /// Ends the file and gives it its name.
    pub(super) fn finish(self) -> io::Result<()> {
        let Self { part, path, kind, rows, .. } = self;
        let file = match kind {
            Kind::Lines(out) | Kind::Document(out) | Kind::Text(out, _) => out.finish()?,
            Kind::List(mut out, after) => {
                out.write_all(if rows == 0 { b"]" } else { b"\n]" })?;
                out.write_all(&after)?;
                out.finish()?
            }
            Kind::Table(out) => out.into_inner().map_err(|error| io::Error::other(error.to_string()))?.finish()?,
            Kind::Parquet(out, _) => out.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?,
            Kind::File(mut out, schema, whole) => {
                if let Whole::Held(batches, _) = whole
                    && !batches.is_empty()
                {
                    let all = concat_batches(&schema, &batches).map_err(one_dictionary)?;
                    drop(batches);
                    out.write(&compacted(&all, &schema).map_err(arrow)?).map_err(arrow)?;
                }
                out.into_inner().map_err(arrow)?.into_inner().map_err(io::IntoInnerError::into_error)?
            }
            Kind::Stream(out, _) => {
                out.into_inner().map_err(arrow)?.into_inner().map_err(io::IntoInnerError::into_error)?
            }
        };
        file.sync_all()?;
        std::fs::rename(part, path)
    }
}

/// The name of a file while it is written.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

/// Size and SHA-256 of a file.
pub(crate) fn hashed(path: &Path) -> io::Result<(u64, Sha256)> {
    let mut file = File::open(path)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let (mut buffer, mut size) = (vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                context.update(buffer.get(..read).unwrap_or_default());
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    Ok((size, out))
}

/// Bytes on their way into a file, perhaps compressed.
enum Coded {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Zstd(BufWriter<File>, Vec<u8>),
}

impl Coded {
    fn new(file: BufWriter<File>, coding: Coding) -> Self {
        match coding {
            Coding::Plain => Self::Plain(file),
            // No time and no name in the header: the same rows are the same bytes.
            Coding::Gzip => Self::Gzip(Box::new(GzEncoder::new(file, Compression::default()))),
            Coding::Zstd => Self::Zstd(file, Vec::new()),
        }
    }

    fn finish(self) -> io::Result<File> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Gzip(out) => out.finish()?,
            Self::Zstd(mut file, held) => {
                file.write_all(&compress_to_vec(&held[..], CompressionLevel::Fastest))?;
                file
            }
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Coded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Zstd(file, held) => {
                held.extend_from_slice(bytes);
                if held.len() >= FRAME {
                    file.write_all(&compress_to_vec(&held[..], CompressionLevel::Fastest))?;
                    held.clear();
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) | Self::Zstd(file, _) => file.flush(),
            Self::Gzip(out) => out.flush(),
        }
    }
}
