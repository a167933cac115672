//! Shell scripts and command lines: simple commands with their words. Nothing is expanded here.

use bartizan_core::Span;

use super::env::{Variable, is_name};

/// One word, quotes taken off. A `$` between single quotes is written `$$`.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// One simple command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Command {
    /// `NAME=value` before the first word; alone they are for all that follows.
    pub(crate) sets: Vec<Variable>,
    pub(crate) words: Vec<Word>,
    /// It reads what the command before it writes.
    pub(crate) piped: bool,
}

/// Longest word that is kept; what is longer is cut.
const LONGEST: usize = 64 << 10;

/// Reads all commands of a script. `offset` is where the text begins in the file.
pub(crate) fn parse(text: &str, offset: usize) -> Vec<Command> {
    let mut lexer = Lexer { offset, ..Lexer::default() };
    let mut chars = text.char_indices().peekable();
    let mut quote = None;
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        if let Some(open) = quote {
            match c {
                _ if c == open => quote = None,
                '\\' if open == '"' && matches!(next, Some('"' | '\\' | '$' | '`' | '\n')) => {
                    if let Some((_, c)) = chars.next() {
                        match c {
                            '\n' => {}
                            '$' => lexer.push_text("$$"),
                            c => lexer.push(at, c),
                        }
                    }
                }
                '$' if open == '\'' => lexer.push_text("$$"),
                c => lexer.push(at, c),
            }
            lexer.end = at + c.len_utf8();
            continue;
        }
        match c {
            '\'' | '"' => {
                lexer.begin(at);
                quote = Some(c);
            }
            '\\' => match chars.next() {
                Some((_, '\n')) | None => {}
                Some((_, '\r')) => {
                    chars.next_if(|(_, c)| *c == '\n');
                }
                Some((_, c)) => lexer.push(at, c),
            },
            '#' if lexer.word.is_none() => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            '\n' => {
                lexer.end_command(false);
                if let Some(delimiter) = lexer.heredoc.take() {
                    skip_lines(text, at + 1, &delimiter, &mut chars);
                }
            }
            // `A=(b c)`: the items of an array are one value.
            '(' if lexer.opens_array() => {
                while let Some((at, c)) = chars.next_if(|(_, c)| *c != ')') {
                    match c {
                        '"' | '\'' => {}
                        '\n' | '\\' => lexer.push(at, ' '),
                        c => lexer.push(at, c),
                    }
                }
                chars.next();
            }
            ';' | '(' | ')' => lexer.end_command(false),
            // `$(…)` and `${…}` stay in their word; commands inside are read as words of it.
            '$' if matches!(next, Some('{' | '(')) => {
                lexer.push(at, '$');
                let (open, close) = if next == Some('{') { ('{', '}') } else { ('(', ')') };
                let mut depth = 0_usize;
                while let Some((at, c)) = chars.next_if(|(_, c)| *c != '\n') {
                    lexer.push(at, c);
                    depth = if c == open { depth + 1 } else { depth - usize::from(c == close && depth > 0) };
                    if depth == 0 {
                        break;
                    }
                }
            }
            '|' => {
                chars.next_if(|(_, c)| *c == '&');
                let or = chars.next_if(|(_, c)| *c == '|').is_some();
                lexer.end_command(!or);
            }
            '&' if next == Some('>') => {}
            '&' => {
                chars.next_if(|(_, c)| *c == '&');
                lexer.end_command(false);
            }
            '<' | '>' => {
                let here = c == '<' && chars.next_if(|(_, c)| *c == '<').is_some();
                lexer.end_word();
                chars.next_if(|(_, c)| matches!(c, '>' | '&' | '-' | '<'));
                lexer.redirect = Some(here);
            }
            c if c.is_whitespace() => lexer.end_word(),
            c => lexer.push(at, c),
        }
    }
    lexer.end_command(false);
    lexer.done
}

type Chars<'t> = std::iter::Peekable<std::str::CharIndices<'t>>;

/// Steps over the lines of a here-document.
fn skip_lines(text: &str, from: usize, delimiter: &str, chars: &mut Chars<'_>) {
    let mut end = from;
    for line in text.get(from..).unwrap_or_default().split_inclusive('\n') {
        end += line.len();
        if line.trim() == delimiter {
            break;
        }
    }
    while chars.next_if(|(at, _)| *at < end).is_some() {}
}

#[derive(Default)]
struct Lexer {
    offset: usize,
    word: Option<(usize, String)>,
    end: usize,
    command: Command,
    done: Vec<Command>,
    /// The next word is where to, not what; true for a here-document.
    redirect: Option<bool>,
    heredoc: Option<String>,
}

impl Lexer {
    fn begin(&mut self, at: usize) {
        self.word.get_or_insert_with(|| (at, String::new()));
    }

    fn push(&mut self, at: usize, c: char) {
        self.end = at + c.len_utf8();
        let (_, text) = self.word.get_or_insert_with(|| (at, String::new()));
        if text.len() < LONGEST {
            text.push(c);
        }
    }

    /// True behind `NAME=`.
    fn opens_array(&self) -> bool {
        let name = self.word.as_ref().and_then(|(_, text)| text.strip_suffix('='));
        name.is_some_and(is_name) && self.command.words.is_empty()
    }

    fn push_text(&mut self, piece: &str) {
        if let Some((_, text)) = &mut self.word
            && text.len() < LONGEST
        {
            text.push_str(piece);
        }
    }

    fn end_word(&mut self) {
        let Some((start, text)) = self.word.take() else { return };
        match self.redirect.take() {
            Some(true) => self.heredoc = Some(text),
            Some(false) => {}
            None => {
                let span = Span::new(self.offset + start, self.offset + self.end.max(start));
                self.place(Word { text, span });
            }
        }
    }

    fn place(&mut self, word: Word) {
        let exported = self.command.words.first().is_some_and(|w| matches!(w.text.as_str(), "export" | "env" | "set"))
            && self.command.words.len() == 1;
        if (self.command.words.is_empty() || exported)
            && let Some((name, value)) = word.text.split_once('=')
            && is_name(name)
        {
            let start = word.span.end.saturating_sub(value.len()).max(word.span.start);
            let span = if value.is_empty() { word.span } else { Span::new(start, word.span.end) };
            self.command.sets.push(Variable { name: name.to_owned(), value: value.to_owned(), span });
            return;
        }
        self.command.words.push(word);
    }

    fn end_command(&mut self, pipes: bool) {
        self.end_word();
        self.redirect = None;
        let command = std::mem::take(&mut self.command);
        if !command.words.is_empty() || !command.sets.is_empty() {
            self.done.push(command);
        }
        self.command.piped = pipes;
    }
}
