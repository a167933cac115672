//! Plain text.

use std::io::{BufRead, Result};

use super::{Body, Out, Reading, Shape, Stop};
use crate::cell::Cell;

/// Plain text without line ends is cut into rows of this many bytes.
const PIECE: usize = 1 << 20;

/// Reads a line without its end. `None` at the end of the input; otherwise how many bytes of it did not fit.
pub(super) fn line(input: &mut impl BufRead, most: usize, line: &mut Vec<u8>) -> Result<Option<usize>> {
    let (mut skipped, mut any) = (0, false);
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(any.then_some(skipped));
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        let taken = piece.len().min(most.saturating_sub(line.len()));
        line.extend_from_slice(piece.get(..taken).unwrap_or_default());
        skipped += piece.len() - taken;
        let read = end.map_or(buffer.len(), |end| end + 1);
        input.consume(read);
        if end.is_some() {
            return Ok(Some(skipped));
        }
    }
}

/// A row per line, or per file.
pub(super) fn rows(mut input: impl BufRead, reading: &Reading, out: &mut Out<'_, '_>) -> std::result::Result<(), Stop> {
    out.form(Shape::Text { lines: reading.lines })?;
    let most = if reading.lines { reading.max_row } else { PIECE.min(reading.max_row) };
    let (mut next, mut held) = (Vec::new(), Vec::new());
    let mut number = 0_u64;
    loop {
        next.clear();
        number += 1;
        // A piece of a line that is too long is a row of its own, and the next piece goes on.
        let end = match piece(&mut input, most, &mut next) {
            Ok(end) => end,
            Err(error) => {
                flush(&mut held, number, out)?;
                return out.rest(format!("line {number} and what follows"), format!("it cannot be read: {error}"));
            }
        };
        if reading.lines {
            if !next.trim_ascii().is_empty() {
                let text = next.strip_suffix(b"\n").unwrap_or(&next);
                held.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                flush(&mut held, number, out)?;
            }
        } else {
            if held.len() + next.len() > most {
                flush(&mut held, number, out)?;
            }
            held.extend_from_slice(&next);
        }
        if end {
            return flush(&mut held, number, out);
        }
    }
}

/// Reads up to a line end, which is kept, or `most` bytes. True at the end of the input.
fn piece(input: &mut impl BufRead, most: usize, into: &mut Vec<u8>) -> Result<bool> {
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(true);
        }
        let room = most.saturating_sub(into.len());
        let end = memchr::memchr(b'\n', buffer).map(|end| end + 1);
        let mut taken = end.unwrap_or(buffer.len()).min(room);
        // Never in the middle of a character: what begins one goes to the next piece.
        if end.is_none_or(|end| end > taken) && into.len() + taken >= most {
            while taken > 1 && buffer.get(taken).is_some_and(|b| b & 0xc0 == 0x80) {
                taken -= 1;
            }
        }
        into.extend_from_slice(buffer.get(..taken).unwrap_or_default());
        input.consume(taken);
        if end == Some(taken) || into.len() + 4 > most {
            return Ok(false);
        }
    }
}

fn flush(held: &mut Vec<u8>, number: u64, out: &mut Out<'_, '_>) -> std::result::Result<(), Stop> {
    if held.trim_ascii().is_empty() {
        held.clear();
        return Ok(());
    }
    match String::from_utf8(std::mem::take(held)) {
        Ok(text) => out.row(Body::Cell(Cell::Map(vec![("text".to_owned(), Cell::Text(text))]))),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let why = format!("it is not UTF-8: invalid byte at offset {at} of the row");
            out.broken(format!("up to line {number}"), why, error.as_bytes().len())
        }
    }
}
