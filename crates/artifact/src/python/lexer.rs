//! Python source as logical lines of tokens. Texts, comments and brackets are told apart; nothing is evaluated.

/// Deepest nesting of expressions in formatted texts.
const DEPTH: u8 = 3;

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

/// Reads source; false where it is not Python to its end.
pub(super) fn lines(source: &str) -> (Vec<Line<'_>>, bool) {
    let mut lexer = Lexer { source, at: 0, lines: Vec::new(), open: 0, depth: 0 };
    let whole = lexer.run().is_some() && lexer.open == 0;
    (lexer.lines, whole)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    lines: Vec<Line<'a>>,
    /// Brackets that are open.
    open: usize,
    depth: u8,
}

impl<'a> Lexer<'a> {
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
        if c.is_alphabetic() || c == '_' {
            self.skip_while(|c| c.is_alphanumeric() || c == '_');
            let name = self.source.get(start..self.at)?;
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
        let rest = self.source.get(self.at..)?;
        let mut chars = rest.chars();
        let triple = chars.next() == Some(quote) && chars.next() == Some(quote);
        if triple {
            self.at += 2;
        }
        let start = self.at;
        loop {
            let here = self.at;
            match self.bump()? {
                '\\' => {
                    // In a raw text, too, a quote behind a backslash does not end it.
                    let _ = raw;
                    self.bump()?;
                }
                '\n' if !triple => return None,
                c if c == quote => {
                    let closed = !triple
                        || self.source.get(self.at..).is_some_and(|rest| {
                            let mut chars = rest.chars();
                            chars.next() == Some(quote) && chars.next() == Some(quote)
                        });
                    if closed {
                        if triple {
                            self.at += 2;
                        }
                        let inner = self.source.get(start..here)?;
                        self.push(Token::Text(inner));
                        if formatted && self.depth < DEPTH {
                            self.formatted(inner);
                        }
                        return Some(());
                    }
                }
                _ => {}
            }
        }
    }

    /// Expressions in the braces of a formatted text are evaluated with it.
    fn formatted(&mut self, text: &'a str) {
        let mut rest = text;
        while let Some((_, tail)) = rest.split_once('{') {
            if let Some(tail) = tail.strip_prefix('{') {
                rest = tail;
                continue;
            }
            let Some((inner, after)) = tail.split_once('}') else { return };
            let mut inside = Lexer { source: inner, at: 0, lines: Vec::new(), open: 0, depth: self.depth + 1 };
            inside.run();
            self.push(Token::Sign('('));
            for token in inside.lines.into_iter().flat_map(|line| line.tokens) {
                self.push(token);
            }
            self.push(Token::Sign(')'));
            rest = after;
        }
    }
}
