//! Corpora as records: each row of JSON lines, each member of a JSON array, and each text file is one.

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
    has_ending(path, &["jsonl", "ndjson"])
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
    let mut of_row = |row: &Value| {
        let mut text = String::new();
        match column {
            Some(column) => text.push_str(row.get(column).and_then(Value::as_str).unwrap_or_default()),
            None => strings(row, &mut text),
        }
        each(&text)
    };
    if is_rows(path) {
        return rows(path, BufReader::with_capacity(1 << 18, file), |_, row| of_row(&row));
    }
    if let Some(form) = unread(path) {
        let why = format!("it is {form}, which is not read here; write it as JSON lines (.jsonl), a record each");
        return Err(PrivacyError::read(path, why));
    }
    let mut text = String::new();
    let read = file.take(LONGEST_TEXT + 1).read_to_string(&mut text).map_err(|e| PrivacyError::read(path, e))?;
    if read as u64 > LONGEST_TEXT {
        return Err(PrivacyError::read(path, "it is larger than 1 GiB; make it JSON lines, a record each"));
    }
    if !has_ending(path, &["json"]) {
        return each(&text);
    }
    let wrong = |e: serde_json::Error| PrivacyError::Row {
        path: path.display().to_string(),
        line: e.line(),
        reason: format!("it is no JSON at column {}", e.column()),
    };
    match serde_json::from_str::<Value>(&text).map_err(wrong)? {
        Value::Array(all) => all.iter().try_for_each(of_row),
        one => of_row(&one),
    }
}

fn has_ending(path: &Path, of: &[&str]) -> bool {
    path.extension().is_some_and(|end| of.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// What a file is by its name, where its records are not lines of text or of JSON. Read as one text, its table or its
/// compressed bytes would be protected and its records would not.
fn unread(path: &Path) -> Option<&'static str> {
    let forms: [(&[&str], &str); 5] = [
        (&["csv", "tsv"], "a table"),
        (&["parquet", "arrow", "feather"], "a table of columns"),
        (&["gz", "zst", "bz2", "xz", "lz4", "zip", "tar", "tgz"], "compressed or an archive"),
        (&["pdf", "docx", "odt", "xlsx", "rtf", "doc"], "a document with a form of its own"),
        (&["html", "htm", "eml", "xml"], "text with markup"),
    ];
    forms.iter().find(|(endings, _)| has_ending(path, endings)).map(|(_, form)| *form)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<String>, PrivacyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut all = Vec::new();
        records(&path, None, |text| {
            all.push(text.trim().to_owned());
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn members_of_an_array_are_records() {
        assert_eq!(read("a.json", r#"[{"t":"one"},"two",{"t":{"x":"three"}}]"#).unwrap(), ["one", "two", "three"]);
        assert_eq!(read("a.JSON", r#"{"t":"one"}"#).unwrap(), ["one"]);
        let error = read("a.json", "[1,\nsecret]").unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_form_that_is_not_read_is_refused_and_not_taken_for_text() {
        for name in ["a.csv", "a.Parquet", "a.jsonl.gz", "a.pdf", "a.html"] {
            assert!(read(name, "one two").unwrap_err().to_string().contains("JSON lines"), "{name}");
        }
        assert_eq!(read("a.md", "one two").unwrap(), ["one two"]);
    }
}
