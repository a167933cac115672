//! Corpora as records: each row of JSON lines, and each text file, is one.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::PrivacyError;

/// Longest row, bytes.
const LONGEST_ROW: u64 = 64 << 20;
/// Longest text file, bytes.
const LONGEST_TEXT: u64 = 1 << 30;
/// Deepest folder.
const DEEPEST: usize = 64;

/// All regular files that are named or are below a folder that is named, in a fixed order. Hidden ones and links below
/// folders are left out.
///
/// # Errors
/// A path that cannot be read, or folders too deep.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, PrivacyError> {
    let mut all = Vec::new();
    for path in paths {
        let kind = std::fs::metadata(path).map_err(|e| PrivacyError::read(path, e))?;
        if kind.is_dir() {
            walk(path, 0, &mut all)?;
        } else if kind.is_file() {
            all.push(path.clone());
        } else {
            return Err(PrivacyError::read(path, "it is no regular file"));
        }
    }
    Ok(all)
}

fn walk(folder: &Path, depth: usize, all: &mut Vec<PathBuf>) -> Result<(), PrivacyError> {
    let failed = |e: std::io::Error| PrivacyError::read(folder, e);
    if depth > DEEPEST {
        return Err(PrivacyError::read(folder, format!("it is more than {DEEPEST} folders deep")));
    }
    let mut entries = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(&entry.path(), depth + 1, all)?;
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
    Ok(())
}

/// True for a file of which each line is a row.
#[must_use]
pub fn is_rows(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("jsonl") || end.eq_ignore_ascii_case("ndjson"))
}

/// Calls `each` with every record of a file. The text of a row is the string in `column`, or without one all strings in
/// the row, a line each.
///
/// # Errors
/// The file cannot be read, or a row is no JSON object, or too long; or what `each` answers.
pub fn records(
    path: &Path,
    column: Option<&str>,
    mut each: impl FnMut(&str) -> Result<(), PrivacyError>,
) -> Result<(), PrivacyError> {
    let file = File::open(path).map_err(|e| PrivacyError::read(path, e))?;
    if !is_rows(path) {
        let mut text = String::new();
        let read = file.take(LONGEST_TEXT + 1).read_to_string(&mut text).map_err(|e| PrivacyError::read(path, e))?;
        if read as u64 > LONGEST_TEXT {
            return Err(PrivacyError::read(path, "it is larger than 1 GiB; make it JSON lines, a record each"));
        }
        return each(&text);
    }
    rows(path, BufReader::with_capacity(1 << 18, file), |_, row| {
        let mut text = String::new();
        match column {
            Some(column) => text.push_str(row.get(column).and_then(Value::as_str).unwrap_or_default()),
            None => strings(&row, &mut text),
        }
        each(&text)
    })
}

/// Calls `each` with the number, from 1, and the value of every row.
///
/// # Errors
/// As [`records`].
pub fn rows(
    path: &Path,
    mut from: impl std::io::BufRead,
    mut each: impl FnMut(usize, Value) -> Result<(), PrivacyError>,
) -> Result<(), PrivacyError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let wrong = |reason: String| PrivacyError::Row { path: path.display().to_string(), line: number, reason };
        let read = from.by_ref().take(LONGEST_ROW + 1).read_until(b'\n', &mut line);
        let read = read.map_err(|e| PrivacyError::read(path, e))?;
        if read == 0 {
            break;
        }
        if read as u64 > LONGEST_ROW {
            return Err(wrong("the row is longer than 64 MiB".to_owned()));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // What the reader says would repeat no content but a character; its place is enough.
        let row: Value =
            serde_json::from_slice(&line).map_err(|e| wrong(format!("it is no JSON at column {}", e.column())))?;
        if !row.is_object() {
            return Err(wrong("it is no JSON object".to_owned()));
        }
        each(number, row)?;
    }
    Ok(())
}

fn strings(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(text);
            out.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(members) => members.values().for_each(|item| strings(item, out)),
        _ => {}
    }
}
