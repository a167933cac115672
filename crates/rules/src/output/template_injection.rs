//! Expressions and statements of template languages.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::sink::{Breakout, SinkDetector, SinkKind, SinkRule, word};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Longest expression that is read; a longer one is reported up to here.
const REACH: usize = 512;

static RULE: SinkRule = SinkRule {
    id: "output/template-injection",
    sink: SinkKind::Template,
    summary: "template expression in a reply that is put into the source of a template",
    doc: include_str!("template_injection.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-1336"),
        Reference::new("CWE", "CWE-94"),
        Reference::new("CWE", "CWE-917"),
        Reference::new("PAPER", "Kettle, Server-Side Template Injection: RCE for the Modern Web App, 2015"),
    ],
    first: Class::of(b"{$#<*@[~"),
    non_ascii: false,
    longest: REACH + 16,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(SinkDetector::boxed(&RULE, settings))
}

/// What opens an expression or a statement, what closes it, and whether it is a statement by itself.
const FORMS: [(&[u8], &[u8], bool); 12] = [
    (b"{{", b"}}", false),
    (b"{%", b"%}", true),
    (b"<%", b"%>", true),
    (b"${", b"}", false),
    (b"#{", b"}", false),
    (b"*{", b"}", false),
    (b"~{", b"}", false),
    (b"@{", b"}", false),
    (b"@(", b")", false),
    (b"[[", b"]]", false),
    (b"[(", b")]", false),
    (b"<#", b">", true),
];

/// Directives of Velocity.
const DIRECTIVES: [&[u8]; 8] = [b"set", b"if", b"foreach", b"evaluate", b"include", b"parse", b"macro", b"define"];

/// Source: the syntax of Jinja, Twig, Liquid, Handlebars, ERB, JSP, Freemarker, Velocity, Thymeleaf, Razor and the
/// Jakarta and Spring expression languages.
fn find(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let first = tape.at(start)?;
    let second = tape.at(start + 1)?;
    if first == b'#' {
        let (name, end) = word(tape, start + 1, 16);
        if DIRECTIVES.contains(&name.as_slice()) && tape.at(end) == Some(b'(') {
            return Some(Breakout::new(end + 1, Severity::High, Confidence::High));
        }
    }
    let (_, close, statement) = FORMS.iter().find(|(open, ..)| **open == [first, second])?;
    // The third brace of `{{{` and the inner one of `${{` were read with the first.
    if first == b'{' && tape.before(start) == Some(b'{') {
        return None;
    }
    // `[[…]]` and `[(…)]` are links and lists elsewhere; in Thymeleaf they hold another form.
    if first == b'[' && !matches!(tape.at(start + 2), Some(b'$' | b'#' | b'*' | b'@' | b'~')) {
        return None;
    }
    if (first, second) == (b'<', b'#') && !tape.at(start + 2)?.is_ascii_alphabetic() {
        return None;
    }
    let limit = start + REACH;
    let mut end = start + 2;
    loop {
        if end >= limit {
            break;
        }
        // Without its end it is no expression.
        let byte = tape.at(end)?;
        if Some(&byte) == close.first() && close.get(1).is_none_or(|second| tape.at(end + 1) == Some(*second)) {
            break;
        }
        end += 1;
    }
    let inside = tape.slice(Span::new(start + 2, end));
    let end = (end + close.len()).min(limit);
    if *statement || reaches(inside) {
        return Some(Breakout::new(end, Severity::High, Confidence::High));
    }
    let says = inside.iter().any(u8::is_ascii_alphanumeric);
    says.then(|| Breakout::new(end, Severity::Medium, Confidence::Medium))
}

/// True where an expression does more than name a value: it calls, computes, subscripts, filters with arguments, or
/// reaches for what is behind an object.
fn reaches(inside: &[u8]) -> bool {
    let mut previous = b' ';
    let mut quote = None;
    for (at, byte) in inside.iter().enumerate() {
        match (quote, *byte) {
            (Some(open), b) if b == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'(') if Class::WORD.has(previous) || previous == b')' => return true,
            (None, b'[') if Class::WORD.has(previous) || matches!(previous, b')' | b']') => return true,
            (None, b'*' | b'/' | b'+' | b'%' | b'^') if at > 0 && previous.is_ascii_digit() => return true,
            (None, b'-') if previous.is_ascii_digit() => return true,
            (None, b'?') if inside.get(at + 1).is_some_and(u8::is_ascii_alphabetic) => return true,
            // A command of JavaScript, an assignment, an import by type.
            (None, b'=') if inside.get(at + 1) != Some(&b'=') && previous != b'=' && previous != b'!' => return true,
            _ => {}
        }
        if !Class::SPACE.has(*byte) {
            previous = *byte;
        }
    }
    let dunder = inside.windows(2).any(|w| w == b"__");
    let behind = [&b".class"[..], b".constructor", b".prototype", b".env", b"#with", b"lookup "]
        .iter()
        .any(|name| inside.windows(name.len()).any(|w| w.eq_ignore_ascii_case(name)));
    dunder || behind
}
