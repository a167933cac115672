//! What a file of rows is, as far as it takes to write another one like it.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;

/// A format and its compression.
#[derive(Clone, Debug)]
pub struct Form {
    /// How the whole is compressed.
    pub coding: Coding,
    /// The format.
    pub shape: Shape,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// By the first bytes.
    pub(crate) fn of(head: &[u8]) -> Self {
        if head.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }
}

/// A format.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A JSON value per line.
    JsonLines,
    /// A JSON list of rows.
    JsonList,
    /// A JSON object that is nothing but a list of rows.
    JsonWrapped {
        /// Up to the list.
        before: Vec<u8>,
        /// After it.
        after: Vec<u8>,
    },
    /// One JSON value that is the row.
    JsonDocument,
    /// Separated values.
    Table {
        /// Between fields.
        delimiter: u8,
        /// True where fields may be quoted.
        quoting: bool,
        /// The names, as they are written.
        head: Vec<Vec<u8>>,
    },
    /// Plain text.
    Text {
        /// A row per line; otherwise rows follow on one another without a break.
        lines: bool,
    },
    /// Parquet.
    Parquet {
        /// Columns.
        schema: SchemaRef,
        /// How pages of the first column are compressed.
        compression: Compression,
        /// What else the file says of itself.
        notes: Vec<KeyValue>,
    },
    /// The Arrow file format.
    ArrowFile(SchemaRef),
    /// The Arrow stream format.
    ArrowStream(SchemaRef),
}

/// Rows of a columnar format.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Number of the first.
    pub first: u64,
    /// The row group that they are in.
    pub group: usize,
    /// The rows.
    pub rows: RecordBatch,
}
