//! Comma and tab separated values (RFC 4180).

use std::io::BufRead;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::bounded::{Allowance, Bounded};
use super::{Body, Out, Reading, Shape, Stop};
use crate::cell::Cell;

/// Every record under the names of the first one. Fields without a name are called by their number.
pub(super) fn rows(
    input: impl BufRead,
    delimiter: u8,
    quoting: bool,
    reading: &Reading,
    out: &mut Out<'_, '_>,
) -> Result<(), Stop> {
    let allowance = Allowance::new(reading.max_row);
    let input = Bounded { input, allowance: allowance.clone() };
    // A quote in tab separated values is a character like any other.
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).quoting(quoting).flexible(true).has_headers(false).from_reader(input);
    let mut record = ByteRecord::new();
    let mut names: Option<Vec<String>> = None;
    // They go with the first row that can be read.
    let mut first: Option<Vec<String>> = None;
    loop {
        let line = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(false) if names.is_none() => return out.form(Shape::Table { delimiter, quoting, head: Vec::new() }),
            Ok(false) => {
                let alone = |names| Body::Cell(Cell::Headed(names, Box::new(Cell::Map(Vec::new()))));
                return first.map_or(Ok(()), |names| out.row(alone(names)));
            }
            Ok(true) => {}
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::Io(error) if error.to_string().contains("too long") => {
                        format!("a row is longer than {} bytes; is a quote left open?", reading.max_row)
                    }
                    _ => format!("it cannot be read: {error}"),
                };
                return out.rest(format!("line {line} and what follows"), why);
            }
        }
        allowance.renew();
        let Some(names) = &names else {
            let head = record.iter().map(<[u8]>::to_vec).collect();
            out.form(Shape::Table { delimiter, quoting, head })?;
            first = Some(record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect());
            names = Some(record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect());
            continue;
        };
        match cells(&record, names) {
            Ok(cell) => out.row(Body::Cell(match first.take() {
                Some(names) => Cell::Headed(names, Box::new(cell)),
                None => cell,
            }))?,
            Err(why) => out.broken(format!("line {line}"), why, record.as_slice().len())?,
        }
    }
}

fn cells(record: &ByteRecord, names: &[String]) -> Result<Cell, String> {
    let mut pairs = Vec::with_capacity(record.len());
    for (at, field) in record.iter().enumerate() {
        let name = names.get(at).filter(|name| !name.is_empty()).cloned();
        let name = name.unwrap_or_else(|| format!("column {}", at + 1));
        let text = std::str::from_utf8(field)
            .map_err(|e| format!("field `{name}` is not UTF-8: invalid byte at offset {}", e.valid_up_to()))?;
        pairs.push((name, Cell::Text(text.to_owned())));
    }
    Ok(Cell::Map(pairs))
}
