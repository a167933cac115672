//! Arrow batches in, the same rows and one column more out: what a worker of a cluster engine calls.

use std::io::{Read, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray, StructArray};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use bartizan_guard::Guard;
use rayon::prelude::*;

use crate::error::DataError;
use crate::examine::{RowReport, examine};
use crate::layout::{Columns, Row};
use crate::read::cells;

/// The column that is added.
const COLUMN: &str = "bartizan";

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("verdict", DataType::Utf8, false),
        Field::new("injection", DataType::Float32, true),
        Field::new("findings", DataType::Utf8, false),
        Field::new("coverage", DataType::Utf8, false),
    ])
}

/// Examines a stream of batches (the Arrow IPC stream format) row by row. Each row comes out as it came in, with a struct
/// column `bartizan` of `verdict`, `injection`, `findings` (the JSON of a list, as in the JSON lines) and `coverage`.
/// Gives the reports to `see`, with rows numbered from 0.
///
/// # Errors
/// The stream is broken, has a column of that name already, or lacks a column that is asked for; or a pipe is closed.
pub fn arrow(
    guard: &Guard,
    columns: &Columns,
    input: impl Read,
    output: impl Write,
    see: &mut dyn FnMut(&RowReport),
) -> Result<(), DataError> {
    let batches = StreamReader::try_new(input, None)?;
    let schema = batches.schema();
    for column in [&columns.text, &columns.output, &columns.label].into_iter().flatten() {
        if schema.field_with_name(column).is_err() {
            return Err(DataError::NoColumn { column: column.clone() });
        }
    }
    if schema.field_with_name(COLUMN).is_ok() {
        return Err(ArrowError::SchemaError(format!("there is a column `{COLUMN}` already")).into());
    }
    let added = Field::new(COLUMN, DataType::Struct(fields()), false);
    let all = schema.fields().iter().cloned().chain(std::iter::once(Arc::new(added)));
    let wide = Arc::new(Schema::new_with_metadata(all.collect::<Vec<_>>(), schema.metadata().clone()));
    let mut writer = StreamWriter::try_new(output, &wide)?;
    let mut first = 0;
    for batch in batches {
        let batch = batch?;
        let reports: Vec<RowReport> = (0..batch.num_rows())
            .into_par_iter()
            .map(|row| examine(guard, "<stdin>", first + row as u64, &Row::new(&cells(&batch, row), columns)))
            .collect();
        first += batch.num_rows() as u64;
        reports.iter().for_each(&mut *see);
        let mut arrays = batch.columns().to_vec();
        arrays.push(column(&reports)?);
        writer.write(&RecordBatch::try_new(Arc::clone(&wide), arrays)?)?;
    }
    writer.finish()?;
    Ok(())
}

fn column(reports: &[RowReport]) -> Result<ArrayRef, ArrowError> {
    let text = |said: fn(&RowReport) -> String| -> ArrayRef {
        Arc::new(reports.iter().map(|report| Some(said(report))).collect::<StringArray>())
    };
    let injection: ArrayRef = Arc::new(reports.iter().map(|r| r.scores.injection).collect::<Float32Array>());
    let arrays = vec![
        text(|r| r.verdict.as_str().to_owned()),
        injection,
        text(|r| serde_json::to_string(&r.findings).unwrap_or_else(|_| "[]".to_owned())),
        text(|r| r.coverage.status.as_str().to_owned()),
    ];
    Ok(Arc::new(StructArray::try_new(fields(), arrays, None)?))
}
