//! SQL that leaves its literal or runs more than one statement.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::sink::{Breakout, SinkDetector, SinkKind, SinkRule, word};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Most bytes that are read ahead.
const REACH: usize = 192;
/// Longest keyword or name that is told from others.
const WORD: usize = 32;

static RULE: SinkRule = SinkRule {
    id: "output/sql-injection",
    sink: SinkKind::Sql,
    summary: "SQL that leaves its literal or adds a statement, in a reply that is put into a query",
    doc: include_str!("sql_injection.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-89"),
        Reference::new("CWE", "CWE-116"),
        Reference::new("PAPER", "Halfond, Viegas and Orso, A Classification of SQL Injection Attacks, 2006"),
    ],
    first: Class::of(b";'\"|").or(Class::LOWER).or(Class::UPPER),
    non_ascii: false,
    longest: REACH + 160,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(SinkDetector::boxed(&RULE, settings))
}

const fn high(end: usize) -> Breakout {
    Breakout::new(end, Severity::High, Confidence::High)
}

const fn medium(end: usize) -> Breakout {
    Breakout::new(end, Severity::Medium, Confidence::Medium)
}

fn find(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let limit = start + REACH;
    match tape.at(start)? {
        b';' => statement(tape, start + 1, limit).map(high),
        quote @ (b'\'' | b'"') => cut_off(tape, start, quote, limit),
        b'|' => (tape.at(start + 1)? == b'|').then(|| condition(tape, start + 2, limit))?.map(high),
        _ if tape.before(start).is_some_and(|b| Class::WORD.has(b)) => None,
        _ => by_word(tape, start, limit),
    }
}

/// Skips blanks and comments; what stands in a MySQL executable comment counts as code.
fn skip(tape: &Tape<'_>, from: usize, limit: usize) -> usize {
    let mut at = from;
    loop {
        at = tape.run(at, limit, Class::SPACE.or(Class::of(b"+")));
        if at >= limit {
            return at;
        }
        match (tape.at(at), tape.at(at + 1)) {
            (Some(b'/'), Some(b'*')) => {}
            // The end of an executable comment.
            (Some(b'*'), Some(b'/')) => {
                at += 2;
                continue;
            }
            _ => return at,
        }
        if tape.at(at + 2) == Some(b'!') {
            at = tape.run(at + 3, at + 9, Class::DIGIT);
            continue;
        }
        at += 2;
        while at < limit && tape.at(at).is_some() && !(tape.at(at) == Some(b'*') && tape.at(at + 1) == Some(b'/')) {
            at += 1;
        }
        at += 2;
    }
}

/// Where a statement begins after `from`: a verb with the word that has to follow it.
fn statement(tape: &Tape<'_>, from: usize, limit: usize) -> Option<usize> {
    let at = skip(tape, from, limit);
    let (verb, end) = word(tape, at, WORD);
    let next = skip(tape, end, limit);
    let (object, object_end) = word(tape, next, WORD);
    let is = |words: &[&str]| words.iter().any(|w| w.as_bytes() == object.as_slice());
    let named = !object.is_empty();
    let objects: &[&str] = &[
        "table",
        "database",
        "schema",
        "user",
        "login",
        "view",
        "index",
        "function",
        "procedure",
        "trigger",
        "role",
        "temporary",
        "temp",
        "or",
        "extension",
        "server",
        "event",
        "sequence",
        "column",
        "all",
    ];
    let fits = match verb.as_slice() {
        b"select" => named || matches!(tape.at(next), Some(b'*' | b'@' | b'\'' | b'"' | b'(' | b'`')),
        b"insert" | b"replace" | b"merge" => is(&["into"]),
        b"delete" => is(&["from"]),
        b"drop" | b"alter" | b"create" => is(objects),
        b"truncate" => is(&["table"]) || (named && ends_statement(tape, skip(tape, object_end, limit))),
        b"update" => named && word(tape, skip(tape, object_end, limit), WORD).0 == b"set",
        b"grant" | b"revoke" => is(&["all", "select", "insert", "update", "delete", "usage", "execute", "dba"]),
        b"exec" | b"execute" | b"call" => {
            object.starts_with(b"xp_")
                || object.starts_with(b"sp_")
                || matches!(tape.at(next), Some(b'(' | b'@'))
                || (named && matches!(tape.at(object_end), Some(b'(' | b'.')))
        }
        b"declare" | b"set" => tape.at(next) == Some(b'@'),
        b"waitfor" => is(&["delay", "time"]),
        b"shutdown" => ends_statement(tape, next) || is(&["with"]),
        b"attach" | b"backup" | b"restore" => is(&["database"]),
        b"load" => is(&["data", "extension"]),
        b"copy" => named && matches!(word(tape, skip(tape, object_end, limit), WORD).0.as_slice(), b"from" | b"to"),
        _ => false,
    };
    fits.then_some(if named { object_end } else { end })
}

/// True where a statement is over: nothing more, another one, or a comment.
fn ends_statement(tape: &Tape<'_>, at: usize) -> bool {
    matches!(tape.at(at), None | Some(b';' | b'#')) || (tape.at(at) == Some(b'-') && tape.at(at + 1) == Some(b'-'))
}

/// A quote after which the rest of the query is commented out: `admin'--`, `x') #`.
fn cut_off(tape: &Tape<'_>, start: usize, quote: u8, limit: usize) -> Option<Breakout> {
    // A doubled quote is a quote in the literal.
    if tape.at(start + 1) == Some(quote) || tape.before(start) == Some(b'\\') {
        return None;
    }
    let at = tape.run(start + 1, limit, Class::SPACE.or(Class::of(b")+")));
    let blank = |at: usize| tape.at(at).is_none_or(|b| Class::SPACE.has(b) || b == b'+');
    match tape.at(at)? {
        b'-' if tape.at(at + 1) == Some(b'-') && (blank(at + 2) || at == start + 1) => Some(medium(at + 2)),
        b'#' if blank(at + 1) => Some(medium(at + 1)),
        b'/' if tape.at(at + 1) == Some(b'*') => Some(medium(at + 2)),
        b';' if tape.at(at + 1) == Some(b'-') && tape.at(at + 2) == Some(b'-') => Some(high(at + 3)),
        _ => None,
    }
}

fn by_word(tape: &Tape<'_>, start: usize, limit: usize) -> Option<Breakout> {
    let (name, end) = word(tape, start, WORD);
    match name.as_slice() {
        b"or" | b"xor" => condition(tape, end, limit).map(high),
        // Builders of queries write `WHERE 1=1` to have something to add to.
        b"and" | b"having" | b"where" => condition(tape, end, limit).map(medium),
        b"union" => union(tape, start, end, limit),
        b"into" => matches!(word(tape, skip(tape, end, limit), WORD).0.as_slice(), b"outfile" | b"dumpfile")
            .then(|| high(skip(tape, end, limit) + 7)),
        b"waitfor" => {
            matches!(word(tape, skip(tape, end, limit), WORD).0.as_slice(), b"delay" | b"time").then(|| high(end))
        }
        // Waiting, files, processes and the network: what a query over data has no use for.
        b"pg_sleep" | b"sleep" | b"benchmark" | b"load_file" | b"sys_eval" | b"sys_exec" | b"extractvalue"
        | b"updatexml" | b"pg_read_file" | b"pg_ls_dir" | b"lo_import" | b"lo_export" | b"dblink"
        | b"load_extension" | b"openrowset" | b"writefile" | b"readfile" => {
            (tape.at(skip(tape, end, limit)) == Some(b'(')).then(|| high(end + 1))
        }
        b"utl_http" | b"utl_inaddr" | b"utl_file" | b"dbms_pipe" | b"dbms_scheduler" | b"dbms_lock" | b"dbms_ldap" => {
            (tape.at(end) == Some(b'.')).then(|| high(end))
        }
        b"xp_cmdshell" | b"xp_dirtree" | b"xp_regread" | b"sp_oacreate" | b"sp_configure" => Some(high(end)),
        b"program" => {
            let at = skip(tape, end, limit);
            (matches!(tape.at(at), Some(b'\'')) && copies(tape, start)).then(|| high(at))
        }
        _ => None,
    }
}

/// True where `COPY … FROM PROGRAM` or `… TO PROGRAM` reads so far.
fn copies(tape: &Tape<'_>, start: usize) -> bool {
    let before = tape.slice(Span::new(start.saturating_sub(8), start)).to_ascii_lowercase();
    before.trim_ascii_end().ends_with(b"from") || before.trim_ascii_end().ends_with(b"to")
}

/// `UNION SELECT` with columns that carry no data, or that read the catalogue.
fn union(tape: &Tape<'_>, start: usize, end: usize, limit: usize) -> Option<Breakout> {
    let mut at = skip(tape, end, limit);
    let (mut name, mut after) = word(tape, at, WORD);
    if matches!(name.as_slice(), b"all" | b"distinct") {
        at = skip(tape, after, limit);
        (name, after) = word(tape, at, WORD);
    }
    if name != b"select" {
        return None;
    }
    let (column, column_end) = word(tape, skip(tape, after, limit), WORD);
    let next = tape.at(skip(tape, column_end, limit));
    let empty = matches!(column.as_slice(), b"null") || (!column.is_empty() && column.iter().all(u8::is_ascii_digit));
    let hidden = tape.slice(Span::new(start, after)).windows(2).any(|w| w == b"/*");
    if (empty && matches!(next, Some(b',') | None)) || hidden || next == Some(b'@') {
        return Some(high(after));
    }
    // A second query after a closed literal is what both a query and a breakout look like.
    let closed = tape.run_back(start, start.saturating_sub(16), Class::SPACE.or(Class::of(b")")));
    matches!(tape.before(closed), Some(b'\'' | b'"')).then(|| medium(after))
}

/// An operand of a condition.
#[derive(Debug, PartialEq, Eq)]
enum Operand<'a> {
    /// The same in every row: a literal.
    Constant(&'a [u8]),
    /// A name.
    Name(&'a [u8]),
}

/// The end of a condition after `from` that is the same in every row: `1=1`, `'a'='a`, `x=x`, `TRUE`.
fn condition(tape: &Tape<'_>, from: usize, limit: usize) -> Option<usize> {
    let mut at = skip(tape, from, limit);
    if word(tape, at, 4).0 == b"not" {
        at = skip(tape, at + 3, limit);
    }
    while at < limit && tape.at(at) == Some(b'(') {
        at = skip(tape, at + 1, limit);
    }
    let (left, end) = operand(tape, at, limit)?;
    if matches!(&left, Operand::Name(name) if name.eq_ignore_ascii_case(b"true") || name.eq_ignore_ascii_case(b"false"))
    {
        let next = skip(tape, end, limit);
        return (ends_statement(tape, next) || tape.at(next) == Some(b')')).then_some(end);
    }
    let next = skip(tape, end, limit);
    let Some(compared) = comparison(tape, next) else {
        // `OR 1` with the rest cut off.
        let cut = (tape.at(next) == Some(b'-') && tape.at(next + 1) == Some(b'-')) || tape.at(next) == Some(b'#');
        return (cut && matches!(left, Operand::Constant(_))).then_some(next + 1);
    };
    let (right, end) = operand(tape, skip(tape, compared, limit), limit)?;
    let same = match (&left, &right) {
        (Operand::Constant(_), Operand::Constant(_)) => true,
        (Operand::Name(a), Operand::Name(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    };
    same.then_some(end)
}

/// The end of a comparison operator.
fn comparison(tape: &Tape<'_>, at: usize) -> Option<usize> {
    let signs = tape.run(at, at + 3, Class::of(b"=<>!"));
    if signs > at {
        return Some(signs);
    }
    let (name, end) = word(tape, at, WORD);
    matches!(name.as_slice(), b"like" | b"rlike" | b"regexp" | b"is" | b"between" | b"glob").then_some(end)
}

/// A literal or a name. The literal at the end of a breakout is closed by the query it is put into.
fn operand<'a>(tape: &Tape<'a>, at: usize, limit: usize) -> Option<(Operand<'a>, usize)> {
    let first = tape.at(at)?;
    if matches!(first, b'\'' | b'"') {
        let mut end = at + 1;
        while end < limit && tape.at(end).is_some_and(|b| b != first && b != b'\n') {
            end += 1;
        }
        let inside = tape.slice(Span::new(at + 1, end));
        let closed = end < limit && tape.at(end) == Some(first);
        return Some((Operand::Constant(inside), if closed { end + 1 } else { end }));
    }
    let digits = tape.run(at, at + WORD, Class::DIGIT.or(Class::of(b".")));
    if digits > at && first != b'.' {
        let ends = !tape.at(digits).is_some_and(|b| Class::WORD.has(b));
        return ends.then(|| (Operand::Constant(tape.slice(Span::new(at, digits))), digits));
    }
    let name = Class::WORD.or(Class::of(b".@`"));
    let end = tape.run(at, at + 2 * WORD, name);
    (end > at).then(|| (Operand::Name(tape.slice(Span::new(at, end))), end))
}
