//! Python source as logical lines of tokens. Texts, comments and brackets are told apart; nothing is evaluated.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Deepest nesting of expressions in formatted texts.
const DEPTH: u8 = 16;

/// One token. Texts carry what stands between their quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Text(&'a str),
    Number,
    Sign(char),
}

/// A simple or compound statement, or what follows `;`.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Columns before the first token; a tab goes to the next eighth one.
    pub(super) indent: usize,
    /// Byte offset of the first token.
    pub(super) at: usize,
    pub(super) tokens: Vec<Token<'a>>,
}

/// How far source was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All of it.
    Whole,
    /// It stops inside of a text or of brackets.
    Cut,
    /// What follows may be Python and is not understood.
    Lost,
    /// It is not Python.
    Wrong,
}

/// Source as the language reads it: a carriage return ends a line, and names are in their compatible form.
pub(super) fn plain(source: &str) -> Cow<'_, str> {
    let bytes = source.as_bytes();
    let alone = |at: &usize| bytes.get(at + 1) != Some(&b'\n');
    let mut source = Cow::Borrowed(source);
    let mut from = 0;
    let mut out = String::new();
    for at in memchr::memchr_iter(b'\r', bytes).filter(alone) {
        out.push_str(source.get(from..at).unwrap_or_default());
        out.push('\n');
        from = at + 1;
    }
    if from > 0 {
        out.push_str(source.get(from..).unwrap_or_default());
        source = Cow::Owned(out);
    }
    if source.is_ascii() {
        return source;
    }
    let mut lexer = Lexer::new(&source);
    lexer.run();
    let (mut out, mut from) = (String::new(), 0);
    for (start, end) in lexer.foreign {
        out.push_str(source.get(from..start).unwrap_or_default());
        out.extend(source.get(start..end).unwrap_or_default().nfkc());
        from = end;
    }
    if from == 0 {
        return source;
    }
    out.push_str(source.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// Reads source.
pub(super) fn lines(source: &str) -> (Vec<Line<'_>>, End) {
    let mut lexer = Lexer::new(source);
    let end = match lexer.run() {
        Some(()) if lexer.open == 0 => End::Whole,
        _ if lexer.lost => End::Lost,
        _ if lexer.at >= source.len() => End::Cut,
        _ => End::Wrong,
    };
    (lexer.lines, end)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    lines: Vec<Line<'a>>,
    /// Brackets that are open.
    open: usize,
    depth: u8,
    /// Formatted texts are nested deeper than the limit.
    lost: bool,
    /// Names with other characters than those of ASCII.
    foreign: Vec<(usize, usize)>,
}

impl<'a> Lexer<'a> {
    fn new(source: &'a str) -> Self {
        Self { source, at: 0, lines: Vec::new(), open: 0, depth: 0, lost: false, foreign: Vec::new() }
    }

    fn peek(&self) -> Option<char> {
        self.source.get(self.at..)?.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip_while(&mut self, fits: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&fits) {
            self.bump();
        }
    }

    /// `None` where a text does not end or a character is none of the language.
    fn run(&mut self) -> Option<()> {
        let (mut fresh, mut indent) = (true, 0);
        while let Some(c) = self.peek() {
            let start = self.at;
            match c {
                '\n' => {
                    self.bump();
                    if self.open == 0 {
                        (fresh, indent) = (true, 0);
                    }
                }
                ' ' | '\t' | '\x0c' | '\r' | '\u{feff}' => {
                    self.bump();
                    if fresh {
                        indent = match c {
                            ' ' => indent + 1,
                            '\t' => (indent / 8 + 1) * 8,
                            '\x0c' => 0,
                            _ => indent,
                        };
                    }
                }
                '\\' => {
                    self.bump();
                    self.skip_while(|c| c == '\r');
                    if self.bump()? != '\n' {
                        return None;
                    }
                }
                '#' => self.skip_while(|c| c != '\n'),
                ';' if self.open == 0 => {
                    self.bump();
                    fresh = true;
                }
                _ => {
                    if std::mem::take(&mut fresh) {
                        self.lines.push(Line { indent, at: start, tokens: Vec::new() });
                    }
                    self.token(c, start)?;
                }
            }
        }
        Some(())
    }

    fn push(&mut self, token: Token<'a>) {
        if let Some(line) = self.lines.last_mut() {
            line.tokens.push(token);
        }
    }

    fn token(&mut self, c: char, start: usize) -> Option<()> {
        // What is not ASCII can only be part of a name: which characters those may be differs between versions.
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        if begins(c) {
            self.skip_while(|c| begins(c) || c.is_ascii_digit());
            let name = self.source.get(start..self.at)?;
            if !name.is_ascii() {
                self.foreign.push((start, self.at));
            }
            let prefix = name.len() <= 2 && name.chars().all(|c| "rRbBfFuUtT".contains(c));
            if prefix && matches!(self.peek(), Some('"' | '\'')) {
                return self.text(name.contains(['f', 'F', 't', 'T']), name.contains(['r', 'R']));
            }
            self.push(Token::Name(name));
        } else if c.is_ascii_digit() {
            self.skip_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
            self.push(Token::Number);
        } else if matches!(c, '"' | '\'') {
            return self.text(false, false);
        } else {
            match c {
                '(' | '[' | '{' => self.open += 1,
                ')' | ']' | '}' => self.open = self.open.checked_sub(1)?,
                '+' | '-' | '*' | '/' | '%' | '@' | '&' | '|' | '^' | '~' | '<' | '>' | '=' | '!' | '.' | ',' | ':' => {
                }
                _ => return None,
            }
            self.bump();
            self.push(Token::Sign(c));
        }
        Some(())
    }

    fn text(&mut self, formatted: bool, raw: bool) -> Option<()> {
        let quote = self.bump()?;
        let triple = self.twice(quote);
        let start = self.at;
        let line = self.lines.len().checked_sub(1)?;
        let slot = self.lines.last()?.tokens.len();
        self.push(Token::Text(""));
        loop {
            let here = self.at;
            match self.bump()? {
                '\\' => self.escaped(formatted, raw)?,
                '\n' if !triple => {
                    self.at = here;
                    return None;
                }
                c if c == quote && (!triple || self.twice(quote)) => {
                    let inner = self.source.get(start..here)?;
                    *self.lines.get_mut(line)?.tokens.get_mut(slot)? = Token::Text(inner);
                    return Some(());
                }
                '{' if formatted && self.peek() == Some('{') => {
                    self.bump();
                }
                '{' if formatted => self.field(raw)?,
                _ => {}
            }
        }
    }

    /// Takes two further quotes, if they are there.
    fn twice(&mut self, quote: char) -> bool {
        let mut chars = self.source.get(self.at..).unwrap_or_default().chars();
        let both = chars.next() == Some(quote) && chars.next() == Some(quote);
        self.at += if both { 2 } else { 0 };
        both
    }

    /// What follows a backslash in a text. A brace there is none in a formatted one, and a name of a character has its
    /// own. In a raw text, too, a quote behind a backslash does not end it.
    fn escaped(&mut self, formatted: bool, raw: bool) -> Option<()> {
        if formatted && matches!(self.peek()?, '{' | '}') {
            return Some(());
        }
        if self.bump()? == 'N' && formatted && !raw && self.peek() == Some('{') {
            self.skip_while(|c| !matches!(c, '}' | '\'' | '"' | '\n'));
        }
        Some(())
    }

    /// An expression in the braces of a formatted text: it is evaluated with it.
    fn field(&mut self, raw: bool) -> Option<()> {
        self.lost |= self.depth >= DEPTH;
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= DEPTH)?;
        let outside = std::mem::take(&mut self.open);
        self.push(Token::Sign('('));
        self.expression(raw)?;
        self.push(Token::Sign(')'));
        self.open = outside;
        self.depth -= 1;
        Some(())
    }

    fn expression(&mut self, raw: bool) -> Option<()> {
        loop {
            let start = self.at;
            let c = self.peek()?;
            match c {
                '}' | ':' if self.open == 0 => {
                    self.bump();
                    if c == '}' {
                        return Some(());
                    }
                    break;
                }
                ' ' | '\t' | '\x0c' | '\r' | '\n' => {
                    self.bump();
                }
                '\\' => {
                    self.bump();
                    self.skip_while(|c| c == '\r');
                    self.bump().filter(|c| *c == '\n')?;
                }
                '#' => self.skip_while(|c| c != '\n'),
                _ => self.token(c, start)?,
            }
        }
        // How the value is written: text with expressions of its own.
        loop {
            match self.bump()? {
                '}' => return Some(()),
                '{' => self.field(raw)?,
                '\\' => self.escaped(true, raw)?,
                '\'' | '"' => return None,
                _ => {}
            }
        }
    }
}
