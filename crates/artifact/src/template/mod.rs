//! Jinja chat templates: parsed, and each expression and condition judged. What does not parse is read as text.

mod lexical;
mod tree;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bartizan_core::{Reason, Severity};
use minijinja::machinery::{ast, parse};
use minijinja::syntax::SyntaxConfig;

use crate::bytes::show;
use crate::desk::Desk;
use crate::rules;

/// Longest expression or statement that is parsed, in bytes: the parser recurses over some operators, and its trees
/// are taken down by recursion.
const CODE: usize = 4096;
/// Longest template that is parsed, in bytes.
const TEMPLATE: usize = 1 << 20;
/// Minus signs in a row.
const RUN: usize = 200;
/// Operators in one of them, for the same reason.
const OPERATORS: usize = 512;
/// Branches of conditions in one template.
const BRANCHES: usize = 400;

/// Examines a template that stands at `offset`.
pub(crate) fn examine(source: &str, offset: usize, desk: &mut Desk<'_>) {
    hidden(source, offset, desk);
    // Marks for training, which no other program knows, change nothing here.
    let plain = source.contains("generation").then(|| without_marks(source));
    let source = plain.as_deref().unwrap_or(source);
    if !is_moderate(source) {
        // Prose has braces, too.
        if source.contains("{%") {
            desk.partial(
                Reason::TooLong,
                source.len(),
                "the template, or an expression in it, is longer than the limit",
            );
        }
        lexical::examine(source, offset, desk);
        return;
    }
    let parsed = catch_unwind(AssertUnwindSafe(|| parse(source, "template", SyntaxConfig::default())));
    match parsed {
        Ok(Ok(ast::Stmt::Template(template))) => tree::examine(&template.children, offset, desk),
        _ => lexical::examine(source, offset, desk),
    }
}

/// `{% generation %}` and its end as a condition that always holds, of the same length.
fn without_marks(source: &str) -> String {
    let mut out = source.to_owned();
    for (mark, word) in [("generation", "if 1"), ("endgeneration", "endif")] {
        for (open, close) in [("{%", "%}"), ("{%-", "-%}"), ("{%-", "%}"), ("{%", "-%}")] {
            for blank in ["", " "] {
                let from = format!("{open}{blank}{mark}{blank}{close}");
                let to = format!("{open}{blank}{word:<len$}{blank}{close}", len = mark.len());
                out = out.replace(&from, &to);
            }
        }
    }
    out
}

/// True where every expression is short and has few operators, and no minus stands before many others.
///
/// A comment or raw text may look like an expression here and not to the parser. It then counts as a long one, or hides
/// no more than the longest one may have.
fn is_moderate(source: &str) -> bool {
    if source.len() > TEMPLATE || has_long_run(source) {
        return false;
    }
    let mut rest = source;
    let mut branches = 0;
    while let Some(open) = opening(rest, b"{%") {
        let Some(tail) = rest.get(open + 2..) else { return true };
        let close = if rest.get(open..open + 2) == Some("{{") { '}' } else { '%' };
        let (end, operators) = code(tail, close);
        branches += usize::from(tail.get(..end).is_some_and(|code| code.contains("if ")));
        if end > CODE || branches > BRANCHES || operators > OPERATORS {
            return false;
        }
        rest = tail.get(end..).unwrap_or_default();
    }
    true
}

/// Where a brace stands before one of `marks`.
fn opening(text: &str, marks: &[u8]) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'{', bytes).find(|at| bytes.get(at + 1).is_some_and(|next| marks.contains(next)))
}

/// Where an expression or statement ends, and its operators, both outside of texts.
fn code(tail: &str, close: char) -> (usize, usize) {
    let (mut quote, mut operators, mut escaped, mut last) = (None, 0, false, ' ');
    let mut braces = 0usize;
    for (at, c) in tail.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            // Braces of a map inside do not end it.
            None if c == '{' => braces += 1,
            None if c == '}' && braces > 0 => {
                braces -= 1;
                last = ' ';
                continue;
            }
            None if c == '}' && last == close => return (at, operators),
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None => {
                operators += usize::from(matches!(
                    c,
                    '-' | '+' | '~' | '.' | '|' | '[' | '(' | '*' | '/' | '%' | '<' | '>' | '='
                ));
            }
        }
        last = if quote.is_some() { ' ' } else { c };
        if at > CODE {
            return (at, operators);
        }
    }
    (tail.len(), operators)
}

/// True where a minus follows a minus for long: the parser calls itself for each.
fn has_long_run(source: &str) -> bool {
    let mut run = 0;
    for byte in source.bytes().filter(|b| !b.is_ascii_whitespace()) {
        run = if byte == b'-' { run + 1 } else { 0 };
        if run > RUN {
            return true;
        }
    }
    false
}

/// Characters that nobody sees, in runs that carry text or change its direction.
fn hidden(source: &str, offset: usize, desk: &mut Desk<'_>) {
    let tags = source.chars().filter(|c| matches!(c, '\u{e0020}'..='\u{e007e}')).count();
    // Python's long escapes, which the parser here leaves as they are.
    let tags = tags + source.match_indices("\\U000").filter(|(at, _)| is_tag(source, at + 5)).count();
    let turns = source.chars().filter(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')).count();
    let zero = source.chars().filter(|c| matches!(c, '\u{200b}' | '\u{2060}'..='\u{2064}')).count();
    if tags >= 4 || turns > 0 || zero >= 8 {
        let what = format!("the template holds {} characters that are not seen", tags + turns + zero);
        desk.find_as(&rules::CONDITION, Severity::High, what, (offset, source.len()), Vec::new());
    }
}

/// True where five digits stand for a character of the tags.
fn is_tag(source: &str, at: usize) -> bool {
    let code = source.get(at..at + 5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    code.is_some_and(|code| (0xe0020..=0xe007e).contains(&code))
}

/// Says that a text is added where a message holds a word.
fn condition(word: &str, at: usize, len: usize, desk: &mut Desk<'_>) {
    let what = format!("when a message holds `{}`, the template adds a text of its own", show(word));
    desk.find(&rules::CONDITION, what, at, len);
}

/// Several words in a row.
fn sentence(text: &str) -> bool {
    text.split_whitespace().filter(|w| w.chars().filter(|c| c.is_alphabetic()).count() >= 2).count() >= 4
}

/// A plain word: marks of the format, such as `</think>` or `tool_call`, are what templates look for all day.
fn is_plain(word: &str) -> bool {
    word.chars().filter(|c| c.is_alphabetic()).count() >= 3
        && !word.contains(['<', '>', '[', ']', '|', '{', '}', '_', '/', '#', '*', '`'])
}

/// Names of Python's internals.
fn is_internal(name: &str) -> bool {
    let bare = name.trim();
    bare.len() > 4
        && bare.starts_with("__")
        && bare.ends_with("__")
        && bare.chars().all(|c| c.is_alphanumeric() || c == '_')
        || matches!(
            bare,
            "gi_frame"
                | "gi_code"
                | "f_globals"
                | "f_builtins"
                | "f_locals"
                | "func_globals"
                | "func_code"
                | "cr_frame"
                | "cr_code"
                | "ag_frame"
                | "tb_frame"
                | "mro"
                | "im_func"
                | "im_self"
        )
}
