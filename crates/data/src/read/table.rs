//! Comma and tab separated values (RFC 4180).

use std::io::BufRead;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::bounded::{Allowance, Bounded};
use super::{Body, Out, Reading, Shape, Stop};
use crate::cell::Cell;

/// Most records that tell how a table is written.
const TOLD: usize = 200;
/// What may be between fields.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Words of a field that is a text, and no name.
const WORDS: usize = 5;

/// The first records of a table, the last one of which may be cut short.
fn first(beginning: &[u8], delimiter: u8, quoting: bool) -> Vec<Vec<String>> {
    let mut reader = ReaderBuilder::new();
    let reader = reader.delimiter(delimiter).quoting(quoting).flexible(true).has_headers(false);
    let records = reader.from_reader(beginning).into_byte_records().take(TOLD).map_while(Result::ok);
    let field = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
    records.map(|record| record.iter().map(field).collect()).collect()
}

/// What is between the fields: what cuts nearly all records into as many as the first, at least two; a comma where nothing does.
pub(super) fn delimiter(beginning: &[u8]) -> u8 {
    let even = |delimiter: &u8| {
        let records = first(beginning, *delimiter, true);
        let long = records.first().map_or(0, Vec::len);
        let same = records.iter().filter(|record| record.len() == long).count();
        if long < 2 { 0 } else { same * 100 / records.len().max(1) }
    };
    let best = DELIMITERS.iter().rev().map(|delimiter| (even(delimiter), *delimiter)).max_by_key(|(even, _)| *even);
    best.filter(|(even, _)| *even >= 80).map_or(b',', |(_, delimiter)| delimiter)
}

/// True where the first record names the columns. Where it is a row like the others there are numbers where others have
/// numbers, texts where others have texts, or values that come again below.
pub(super) fn headed(beginning: &[u8], delimiter: u8, quoting: bool) -> bool {
    let records = first(beginning, delimiter, quoting);
    let Some((names, rows)) = records.split_first() else { return true };
    let number = |field: &str| field.parse::<f64>().is_ok();
    let again =
        |at: usize, name: &str| rows.iter().filter(|row| row.get(at).is_some_and(|field| field == name)).count();
    let named = |(at, name): (usize, &String)| crate::layout::known(name) && again(at, name) == 0;
    if rows.is_empty() || names.iter().enumerate().any(named) {
        return true;
    }
    // Columns that are called by their number.
    let counted = names.iter().filter(|name| !name.is_empty()).map(|name| name.parse::<i64>().ok());
    let counted: Vec<Option<i64>> = counted.collect();
    let in_order = |pair: &[Option<i64>]| matches!(pair, [Some(a), Some(b)] if a.checked_add(1) == Some(*b));
    if counted.len() > 1 && matches!(counted.first(), Some(Some(0 | 1))) && counted.windows(2).all(in_order) {
        return true;
    }
    let words = |field: &str| field.split_whitespace().count();
    !names.iter().enumerate().any(|(at, name)| {
        let below = || rows.iter().filter_map(|row| row.get(at)).filter(|field| !field.is_empty());
        let all = below().count();
        let most = |such: &dyn Fn(&str) -> bool| all > 0 && below().filter(|field| such(field)).count() * 10 >= all * 9;
        !name.is_empty()
            && (number(name) && most(&number)
                || words(name) >= WORDS && below().map(|field| words(field)).sum::<usize>() >= all * WORDS
                || again(at, name) * 50 >= all.max(100))
    })
}

/// Every record under the names of the first one where it is `headed`. Fields without a name are called by their number.
pub(super) fn rows(
    input: impl BufRead,
    delimiter: u8,
    quoting: bool,
    headed: bool,
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
    if !headed {
        out.form(Shape::Table { delimiter, quoting, head: Vec::new() })?;
        names = Some(Vec::new());
    }
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
