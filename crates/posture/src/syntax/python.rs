//! Python as far as configurations go: calls with literal arguments, entries of dictionaries, assignments. No
//! expression is computed.

use bartizan_core::Span;

use crate::tree::{Broken, MOST};

/// What is written as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// A string; strings of a list are joined by commas.
    Text(String),
    /// A number, a name, `True`, `None`.
    Word(String),
    /// Anything that would have to be computed.
    Other,
}

/// An argument of a call, or an entry of a dictionary.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    /// `None` for an argument by place.
    pub(crate) name: Option<String>,
    pub(crate) value: Literal,
    /// From the name on.
    pub(crate) span: Span,
}

/// A call; the callee of a dictionary is `{}`.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Dotted; empty for what is called on the result of something else.
    pub(crate) callee: String,
    pub(crate) arguments: Vec<Argument>,
    /// The callee.
    pub(crate) span: Span,
}

/// All that was found of one file.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) calls: Vec<Call>,
    /// Assignments at any depth of blocks; `a["b"] = c` has the target `a.b`.
    pub(crate) assignments: Vec<Argument>,
}

/// Deepest nesting of brackets.
const DEEPEST: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    Number(String),
    Text(String),
    Mark(char),
    /// `==`, `->` and the like: nothing that gives a value.
    Operator,
    Line,
}

struct Frame {
    /// `None` for a list or a group.
    call: Option<Call>,
    close: char,
    name: Option<String>,
    start: Option<usize>,
    values: Vec<Literal>,
    texts: Vec<String>,
}

/// Reads a module.
///
/// # Errors
/// Strings without end, and limits.
pub(crate) fn parse(text: &str) -> Result<Module, Broken> {
    let tokens = tokens(text)?;
    let mut module = Module::default();
    let mut frames: Vec<Frame> = Vec::new();
    let mut target: Option<(String, Span)> = None;
    let mut pending: Option<(String, Span)> = None;
    let mut iter = tokens.into_iter().peekable();
    while let Some((token, span)) = iter.next() {
        let next = iter.peek().map(|(t, _)| t.clone());
        match token {
            Token::Name(name) if next == Some(Token::Mark('(')) => {
                iter.next();
                frames.push(frame(Some((name, span)), ')', &frames, span)?);
            }
            Token::Name(name) if next == Some(Token::Mark('[')) && frames.is_empty() => target = Some((name, span)),
            Token::Name(name) if next == Some(Token::Mark('=')) => match frames.last_mut() {
                Some(frame) => {
                    iter.next();
                    frame.name = Some(name);
                    frame.start = Some(span.start);
                    frame.values.clear();
                }
                None => {
                    iter.next();
                    pending = Some((name, span));
                }
            },
            Token::Text(text) if next == Some(Token::Mark(':')) && frames.last().is_some_and(|f| f.close == '}') => {
                iter.next();
                if let Some(frame) = frames.last_mut() {
                    frame.name = Some(text);
                    frame.start = Some(span.start);
                    frame.values.clear();
                }
            }
            Token::Mark('(') => frames.push(frame(Some((String::new(), span)), ')', &frames, span)?),
            Token::Mark('[') => frames.push(frame(None, ']', &frames, span)?),
            Token::Mark('{') => frames.push(frame(Some(("{}".to_owned(), span)), '}', &frames, span)?),
            Token::Mark(',') => {
                if let Some(frame) = frames.last_mut() {
                    finish(frame, span.start);
                }
            }
            Token::Mark(close @ (')' | ']' | '}')) => {
                let Some(mut done) = frames.pop_if(|f| f.close == close) else { continue };
                finish(&mut done, span.start);
                let value = if done.texts.is_empty() { Literal::Other } else { Literal::Text(done.texts.join(",")) };
                if frames.is_empty()
                    && close == ']'
                    && let Some((name, span)) = target.take()
                    && let (Literal::Text(key), Some((Token::Mark('='), _))) = (&value, iter.peek())
                {
                    iter.next();
                    pending = Some((format!("{name}.{key}"), span));
                    continue;
                }
                let is_list = close == ']';
                if let Some(call) = done.call.filter(|c| !c.callee.is_empty() || !c.arguments.is_empty()) {
                    module.calls.push(call);
                }
                give(&mut frames, &mut pending, &mut module, if is_list { value } else { Literal::Other }, span);
            }
            Token::Text(text) => give(&mut frames, &mut pending, &mut module, Literal::Text(text), span),
            Token::Name(word) | Token::Number(word) => {
                give(&mut frames, &mut pending, &mut module, Literal::Word(word), span);
            }
            Token::Mark(_) | Token::Operator => {
                // Part of an expression: its value is not what the next literal says.
                if let Some(frame) = frames.last_mut() {
                    frame.values.push(Literal::Other);
                }
            }
            Token::Line => {
                if frames.is_empty() {
                    (pending, target) = (None, None);
                }
            }
        }
    }
    if frames.is_empty() { Ok(module) } else { Err(Broken::new(text.len(), "a bracket is not closed")) }
}

fn frame(call: Option<(String, Span)>, close: char, frames: &[Frame], at: Span) -> Result<Frame, Broken> {
    if frames.len() >= DEEPEST {
        return Err(Broken::limit(at.start, "nested deeper than the limit"));
    }
    let call = call.map(|(callee, span)| Call { callee, arguments: Vec::new(), span });
    Ok(Frame { call, close, name: None, start: None, values: Vec::new(), texts: Vec::new() })
}

/// Ends the argument that is open.
fn finish(frame: &mut Frame, end: usize) {
    let values = std::mem::take(&mut frame.values);
    let (name, start) = (frame.name.take(), frame.start.take());
    let value = match <[Literal; 1]>::try_from(values) {
        Ok([value]) => value,
        Err(values) if values.is_empty() && name.is_none() => return,
        Err(_) => Literal::Other,
    };
    if name.is_none()
        && let Literal::Text(text) = &value
        && frame.texts.len() < 100
    {
        frame.texts.push(text.clone());
    }
    if let Some(call) = &mut frame.call {
        call.arguments.push(Argument { name, value, span: Span::new(start.unwrap_or(end), end) });
    }
}

fn give(frames: &mut [Frame], pending: &mut Option<(String, Span)>, module: &mut Module, value: Literal, span: Span) {
    if let Some(frame) = frames.last_mut() {
        frame.start.get_or_insert(span.start);
        frame.values.push(value);
    } else if let Some((name, at)) = pending.take() {
        module.assignments.push(Argument { name: Some(name), value, span: Span::new(at.start, span.end) });
    }
}

fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Broken> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|t| t.chars().next()) {
        if all.len() > MOST {
            return Err(Broken::limit(at, "more words than the limit"));
        }
        let rest = text.get(at..).unwrap_or_default();
        let start = at;
        let token = match c {
            '\n' => Token::Line,
            '\\' if rest.starts_with("\\\n") => {
                at += 2;
                continue;
            }
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' | '\'' => {
                let (value, length) = string(rest, false).ok_or_else(|| Broken::new(at, "a string has no end"))?;
                at += length;
                all.push((Token::Text(value), Span::new(start, at)));
                continue;
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.')).unwrap_or(rest.len());
                let name = rest.get(..end).unwrap_or_default();
                let after = rest.get(end..).unwrap_or_default();
                if after.starts_with(['"', '\'']) && end <= 2 && name.bytes().all(|b| b"rRbBuUfFtT".contains(&b)) {
                    let raw = name.contains(['r', 'R']);
                    let (value, length) = string(after, raw).ok_or_else(|| Broken::new(at, "a string has no end"))?;
                    at += end + length;
                    // What a format string becomes is not known.
                    let computed = name.contains(['f', 'F', 't', 'T']) && value.contains('{');
                    let token = if computed { Token::Operator } else { Token::Text(value) };
                    all.push((token, Span::new(start, at)));
                    continue;
                }
                at += end;
                all.push((Token::Name(name.trim_end_matches('.').to_owned()), Span::new(start, at)));
                continue;
            }
            c if c.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.')).unwrap_or(rest.len());
                at += end;
                all.push((Token::Number(rest.get(..end).unwrap_or_default().to_owned()), Span::new(start, at)));
                continue;
            }
            '=' | '!' | '<' | '>' | '-' | '+' | '*' | '/' | '%' | '|' | '&' | '^' | '@' | '~'
                if c != '=' || rest.starts_with("==") =>
            {
                let end = rest.find(|c: char| !"=!<>-+*/%|&^@~".contains(c)).unwrap_or(rest.len());
                at += end;
                all.push((Token::Operator, Span::new(start, at)));
                continue;
            }
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            c => Token::Mark(c),
        };
        at += c.len_utf8();
        all.push((token, Span::new(start, at)));
    }
    Ok(all)
}

/// The value of a string literal and its length with quotes. Escapes but those of quotes stay as they are.
fn string(rest: &str, raw: bool) -> Option<(String, usize)> {
    let quote = rest.chars().next()?;
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let long = rest.starts_with(&triple);
    let open = if long { 3 } else { 1 };
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(open);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if !raw => match chars.next() {
                Some((_, '\n')) | None => {}
                Some((_, c)) => out.push(c),
            },
            '\\' => {
                out.push(c);
                out.extend(chars.next().map(|(_, c)| c));
            }
            '\n' if !long => return None,
            c if c == quote && !long => return Some((out, at + 1)),
            c if c == quote && rest.get(at..).is_some_and(|t| t.starts_with(&triple)) => return Some((out, at + 3)),
            c => out.push(c),
        }
    }
    None
}
