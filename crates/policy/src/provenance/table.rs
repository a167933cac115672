//! Tables in the text of a result: comma-separated values, and the pipe tables of Markdown.

use std::borrow::Cow;

/// Most columns of a table, and most bytes of a column's name.
const COLUMNS: usize = 64;
const NAME: usize = 48;

/// Cells with the names of their columns.
pub(super) type Row<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// What a text holds.
#[derive(Debug, Default)]
pub(super) struct Tables<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// The lines that belong to no table.
    pub(super) rest: Vec<&'a str>,
}

/// Reads the tables of a text. No rows where there is none.
pub(super) fn read(text: &str) -> Tables<'_> {
    for separator in [',', ';', '\t'] {
        if let Some(rows) = separated(text, separator) {
            return Tables { rows, rest: Vec::new() };
        }
    }
    piped(text)
}

/// The whole text as separated values (RFC 4180): names of columns, then rows of as many cells.
fn separated(text: &str, separator: char) -> Option<Vec<Row<'_>>> {
    if !text.lines().next()?.contains(separator) {
        return None;
    }
    let mut records = records(text, separator)?.into_iter();
    let names = records.next().filter(|n| are_names(n))?;
    let rows: Vec<Row<'_>> = records.map(|cells| row(&names, cells)).collect::<Option<_>>()?;
    (!rows.is_empty()).then_some(rows)
}

/// Cells of each record. `None` where quotes are not closed or stand inside a cell: readers of such files take them for
/// text, and what somebody wrote into a cell could then pass for a row.
fn records(text: &str, separator: char) -> Option<Vec<Vec<Cow<'_, str>>>> {
    let mut records = Vec::new();
    let mut cells = Vec::new();
    let mut rest = text;
    while !rest.is_empty() || !cells.is_empty() {
        let (cell, after) = cell(rest, separator)?;
        cells.push(cell);
        rest = match after.strip_prefix(separator) {
            Some(more) => {
                rest = more;
                if cells.len() > COLUMNS {
                    return None;
                }
                continue;
            }
            None => after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after),
        };
        let record = std::mem::take(&mut cells);
        // Blank lines part nothing.
        if record.len() > 1 || record.iter().any(|c| !c.trim().is_empty()) {
            records.push(record);
        }
    }
    Some(records)
}

/// The first cell, and what stands behind it: a separator, an end of line or nothing.
fn cell(text: &str, separator: char) -> Option<(Cow<'_, str>, &str)> {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(separator) || rest.starts_with(['\n', '\r']);
    let Some(quoted) = text.strip_prefix('"') else {
        let at = text.find([separator, '\n', '\r']).unwrap_or(text.len());
        let (cell, rest) = text.split_at_checked(at)?;
        return (!cell.contains('"')).then_some((Cow::Borrowed(cell), rest));
    };
    let mut from = 0;
    loop {
        let at = from + quoted.get(from..)?.find('"')?;
        let rest = quoted.get(at + 1..)?;
        if !rest.starts_with('"') {
            let cell = quoted.get(..at)?;
            let cell = if from == 0 { Cow::Borrowed(cell) } else { Cow::Owned(cell.replace("\"\"", "\"")) };
            return ends(rest).then_some((cell, rest));
        }
        from = at + 2;
    }
}

/// Pipe tables: names, a row of dashes, rows of as many cells.
fn piped(text: &str) -> Tables<'_> {
    let mut tables = Tables::default();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let names = lines.peek().filter(|next| is_rule(next)).and_then(|_| cells(line)).filter(|n| are_names(n));
        let Some(names) = names else {
            if !line.trim().is_empty() {
                tables.rest.push(line.trim());
            }
            continue;
        };
        lines.next();
        while let Some(line) = lines.next_if(|l| l.trim_start().starts_with('|')) {
            match cells(line).and_then(|cells| row(&names, cells)) {
                Some(row) => tables.rows.push(row),
                None => tables.rest.push(line.trim()),
            }
        }
    }
    tables
}

fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.contains("--") && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

fn cells(line: &str) -> Option<Vec<Cow<'_, str>>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    // A pipe that is escaped belongs to its cell; what such a cell holds is left alone.
    (!inner.contains("\\|")).then(|| inner.split('|').map(|c| Cow::Borrowed(c.trim())).collect())
}

/// Names of columns: each once, short, with a letter.
fn are_names(cells: &[Cow<'_, str>]) -> bool {
    let name = |c: &str| {
        c.len() <= NAME
            && c.chars().any(char::is_alphabetic)
            && c.chars()
                .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | '(' | ')' | '%' | '#'))
    };
    (2..=COLUMNS).contains(&cells.len())
        && cells.iter().all(|c| name(c.trim()))
        && cells.iter().enumerate().all(|(i, c)| cells.iter().take(i).all(|other| other.trim() != c.trim()))
}

fn row<'a>(names: &[Cow<'a, str>], cells: Vec<Cow<'a, str>>) -> Option<Row<'a>> {
    (names.len() == cells.len()).then(|| {
        let cells = names.iter().cloned().zip(cells);
        cells.filter(|(_, value)| !value.trim().is_empty()).collect()
    })
}
