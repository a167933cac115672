//! Records as Parquet: a row each, the parts that are asked for most as columns, the whole record as JSON in `record`.

use std::fs::File;
use std::sync::Arc;

use bartizan_core::Record;
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// Rows of a group: what is in memory at once.
const GROUP: usize = 10_000;

const SCHEMA: &str = "message record {
    required int64 seq;
    required int64 time (TIMESTAMP(MICROS, true));
    required binary kind (STRING);
    required binary id (STRING);
    required binary tenant (STRING);
    required binary key (STRING);
    required binary exchange (STRING);
    required binary verdict (STRING);
    required binary action (STRING);
    required binary rules (STRING);
    required binary hash (STRING);
    required binary record (STRING);
}";

/// Text columns, in the order of the schema.
const TEXTS: usize = 10;

/// Writes records to a Parquet file.
pub(super) struct Columns {
    writer: SerializedFileWriter<File>,
    numbers: [Vec<i64>; 2],
    texts: [Vec<ByteArray>; TEXTS],
}

impl Columns {
    pub(super) fn new(file: File) -> anyhow::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
        let writer = SerializedFileWriter::new(file, schema, properties)?;
        Ok(Self { writer, numbers: Default::default(), texts: Default::default() })
    }

    pub(super) fn put(&mut self, record: &Record) -> anyhow::Result<()> {
        let time: jiff::Timestamp = record.time().parse()?;
        let [seq, times] = &mut self.numbers;
        seq.push(i64::try_from(record.seq())?);
        times.push(time.as_microsecond());
        let (kind, key, exchange, verdict, action, rules) = match record {
            Record::Act(act) => ("act", "", "", "", act.deed.as_str(), String::new()),
            Record::Decision(event) => {
                let rules: Vec<&str> = event.rules.keys().map(bartizan_core::RuleId::as_str).collect();
                let (verdict, action) = (event.verdict.as_str(), event.action.as_str());
                ("decision", event.key.as_str(), event.exchange.as_str(), verdict, action, rules.join(" "))
            }
        };
        let whole = serde_json::to_string(record)?;
        let tenant = record.tenant().as_str();
        let row =
            [kind, record.id(), tenant, key, exchange, verdict, action, rules.as_str(), record.hash(), whole.as_str()];
        for (column, text) in self.texts.iter_mut().zip(row) {
            column.push(ByteArray::from(text));
        }
        if self.numbers[0].len() >= GROUP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if self.numbers[0].is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let (mut numbers, mut texts) = (self.numbers.iter(), self.texts.iter());
        while let Some(mut column) = group.next_column()? {
            match column.untyped() {
                ColumnWriter::Int64ColumnWriter(writer) => {
                    writer.write_batch(numbers.next().map_or(&[], Vec::as_slice), None, None)?;
                }
                ColumnWriter::ByteArrayColumnWriter(writer) => {
                    writer.write_batch(texts.next().map_or(&[], Vec::as_slice), None, None)?;
                }
                _ => anyhow::bail!("a column of the schema has no values"),
            }
            column.close()?;
        }
        group.close()?;
        self.numbers.iter_mut().for_each(Vec::clear);
        self.texts.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }
}
