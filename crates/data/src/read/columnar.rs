//! Parquet and Arrow.

use std::fs::File;
use std::io::BufReader;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::{Batch, Body, Item, Out, Reading, Shape, Stop};
use crate::cell::Cell;

/// Rows of a batch of Parquet.
const BATCH: usize = 512;
/// Deepest nesting of lists and structs.
const DEEPEST: usize = 32;

/// Row group by row group: one that is broken does not hide the others.
pub(super) fn parquet(file: File, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    let metadata = match ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()) {
        Ok(metadata) => metadata,
        Err(error) => return out.rest("the whole", format!("it is no Parquet that can be read: {error}")),
    };
    let file_metadata = metadata.metadata().file_metadata();
    let notes = file_metadata.key_value_metadata().cloned().unwrap_or_default();
    let column = metadata.metadata().row_groups().first().and_then(|group| group.columns().first());
    let compression = column.map_or(parquet::basic::Compression::SNAPPY, |column| column.compression());
    let schema = metadata.schema().clone();
    out.form(Shape::Parquet { schema, compression, notes })?;
    let mut first = 0_u64;
    for group in 0..metadata.metadata().num_row_groups() {
        let rows = u64::try_from(metadata.metadata().row_group(group).num_rows()).unwrap_or(0);
        out.row = first;
        first = first.saturating_add(rows);
        let batches = file.try_clone().map_err(|e| e.to_string()).and_then(|file| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
                .with_row_groups(vec![group])
                .with_batch_size(BATCH)
                .build()
                .map_err(|e| e.to_string())
        });
        let failed = match batches {
            Ok(batches) => all(batches, group, reading, out)?,
            Err(why) => Some(why),
        };
        if let Some(why) = failed {
            let from = out.row;
            out.rest(format!("rows {from} to {} (row group {group})", first.saturating_sub(1)), why)?;
        } else if out.row != first {
            let from = out.row;
            out.rest(
                format!("row group {group}"),
                format!("it has {} rows and not {rows}", rows - first.abs_diff(from)),
            )?;
        }
    }
    Ok(())
}

/// The Arrow file format, also called Feather 2.
pub(super) fn arrow_file(file: File, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    match FileReader::try_new(BufReader::new(file), None) {
        Ok(batches) => {
            out.form(Shape::ArrowFile(batches.schema()))?;
            ipc(batches, reading, out)
        }
        Err(error) => out.rest("the whole", format!("it is no Arrow file that can be read: {error}")),
    }
}

/// The Arrow stream format, as Hugging Face `datasets` writes it.
pub(super) fn arrow_stream(file: File, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    match StreamReader::try_new(BufReader::new(file), None) {
        Ok(batches) => {
            out.form(Shape::ArrowStream(batches.schema()))?;
            ipc(batches, reading, out)
        }
        Err(error) => out.rest("the whole", format!("it is no Arrow stream that can be read: {error}")),
    }
}

fn ipc(
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    reading: &Reading,
    out: &mut Out<'_, '_>,
) -> Result<(), Stop> {
    if let Some(why) = all(batches, 0, reading, out)? {
        let row = out.row;
        out.rest(format!("row {row} and what follows"), why)?;
    }
    Ok(())
}

/// Every row up to the first error, which is returned.
fn all(
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    group: usize,
    reading: &Reading,
    out: &mut Out<'_, '_>,
) -> Result<Option<String>, Stop> {
    for batch in batches {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Ok(Some(format!("it cannot be read: {error}"))),
        };
        if out.batches {
            let (first, rows) = (out.row, batch.num_rows() as u64);
            out.send(Item::Batch(Box::new(Batch { first, group, rows: batch })))?;
            out.row += rows;
            continue;
        }
        for row in 0..batch.num_rows() {
            let cell = cells(&batch, row);
            let size = cell.size();
            if size > reading.max_row {
                let place = format!("row {}", out.row);
                out.broken(place, format!("the row is longer than {} bytes", reading.max_row), size)?;
            } else {
                out.row(Body::Cell(cell))?;
            }
        }
    }
    Ok(None)
}

/// One row of a batch.
pub(crate) fn cells(batch: &RecordBatch, row: usize) -> Cell {
    let names = batch.schema_ref().fields().iter().map(|f| f.name().clone());
    Cell::Map(names.zip(batch.columns().iter().map(|column| cell(column.as_ref(), row, DEEPEST))).collect())
}

fn text(bytes: &[u8]) -> Cell {
    std::str::from_utf8(bytes).map_or(Cell::Opaque(bytes.len()), |text| Cell::Text(text.to_owned()))
}

fn cell(array: &dyn Array, row: usize, deep: usize) -> Cell {
    if row >= array.len() || array.is_null(row) || deep == 0 {
        return if deep == 0 { Cell::Deep } else { Cell::Null };
    }
    macro_rules! number {
        ($kind:ty) => {
            Cell::Number(array.as_primitive::<$kind>().value(row).to_string())
        };
    }
    macro_rules! decimal {
        ($kind:ty) => {
            Cell::Number(array.as_primitive::<$kind>().value_as_string(row))
        };
    }
    macro_rules! run {
        ($kind:ty) => {
            array.as_run_opt::<$kind>().map(|runs| (runs.values(), runs.get_physical_index(row)))
        };
    }
    let list = |items: &dyn Array| Cell::List((0..items.len()).map(|at| cell(items, at, deep - 1)).collect());
    match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row).to_owned()),
        DataType::Binary => text(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => text(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => text(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => text(array.as_fixed_size_binary().value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Decimal32(..) => decimal!(Decimal32Type),
        DataType::Decimal64(..) => decimal!(Decimal64Type),
        DataType::Decimal128(..) => decimal!(Decimal128Type),
        DataType::Decimal256(..) => decimal!(Decimal256Type),
        DataType::Date32 => number!(Date32Type),
        DataType::Date64 => number!(Date64Type),
        DataType::Timestamp(TimeUnit::Second, _) => number!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => number!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => number!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => number!(TimestampNanosecondType),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::ListView(_) => list(&array.as_list_view::<i32>().value(row)),
        DataType::LargeListView(_) => list(&array.as_list_view::<i64>().value(row)),
        DataType::Union(..) => cell(array.as_union().value(row).as_ref(), 0, deep - 1),
        DataType::RunEndEncoded(..) => run!(Int16Type)
            .or_else(|| run!(Int32Type))
            .or_else(|| run!(Int64Type))
            .map_or(Cell::Deep, |(values, at)| cell(values.as_ref(), at, deep - 1)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let pairs = fields.iter().zip(columns).map(|(f, c)| (f.name().clone(), cell(c.as_ref(), row, deep - 1)));
            Cell::Map(pairs.collect())
        }
        DataType::Map(..) => list(&array.as_map().value(row)),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = cell(dictionary.keys(), row, deep).word().and_then(|key| key.parse().ok());
            cell(dictionary.values().as_ref(), key.unwrap_or(usize::MAX), deep - 1)
        }
        other => Cell::Opaque(other.primitive_width().unwrap_or(1)),
    }
}
