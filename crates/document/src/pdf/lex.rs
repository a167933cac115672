//! Tokens and values of PDF (ISO 32000-2, 7.2 and 7.3), the same in files and in content streams.

use std::collections::BTreeMap;

/// A dictionary.
pub(super) type Dict = BTreeMap<Vec<u8>, Value>;

/// A value. Streams are not values here: they are found with their objects.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// `null`, `true`, `false`, and what is none of the others.
    Null,
    /// A number.
    Number(f64),
    /// A name, without the slash.
    Name(Vec<u8>),
    /// A string.
    Text(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A dictionary.
    Dict(Dict),
    /// A reference to the object of that number.
    Reference(u32),
}

impl Value {
    pub(super) const fn number(&self) -> Option<f64> {
        if let Self::Number(n) = self { Some(*n) } else { None }
    }

    /// A number that counts something.
    pub(super) fn count(&self) -> Option<usize> {
        self.number().filter(|n| (0.0..=1e12).contains(n)).map(|n| n as usize)
    }

    pub(super) fn name(&self) -> Option<&[u8]> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    pub(super) const fn dict(&self) -> Option<&Dict> {
        if let Self::Dict(dict) = self { Some(dict) } else { None }
    }
}

/// Deepest nesting of lists and dictionaries.
const DEPTH: usize = 48;

/// A token.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Number(f64),
    Name(Vec<u8>),
    Text(Vec<u8>),
    ListOpen,
    ListClose,
    DictOpen,
    DictClose,
    /// Anything else: a keyword or an operator.
    Word(&'a [u8]),
}

/// What [`Lexer::operand`] comes upon.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Value(Value),
    Word(&'a [u8]),
}

/// Reads tokens. It always moves on.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    pub(super) data: &'a [u8],
    pub(super) at: usize,
    /// Values that may still be made.
    pub(super) left: usize,
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

pub(super) const fn is_regular(byte: u8) -> bool {
    !is_space(byte) && !is_delimiter(byte)
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(data: &'a [u8], at: usize, left: usize) -> Self {
        Self { data, at, left }
    }

    fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                self.at += memchr::memchr2(b'\n', b'\r', self.rest()).unwrap_or(self.rest().len());
            } else if is_space(byte) {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn regular(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|b| !is_regular(*b)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    pub(super) fn token(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let first = self.peek()?;
        let second = self.data.get(self.at + 1).copied();
        let (token, length) = match (first, second) {
            (b'(', _) => return Some(Token::Text(self.literal())),
            (b'<', Some(b'<')) => (Token::DictOpen, 2),
            (b'<', _) => return Some(Token::Text(self.hexadecimal())),
            (b'>', Some(b'>')) => (Token::DictClose, 2),
            (b'[', _) => (Token::ListOpen, 1),
            (b']', _) => (Token::ListClose, 1),
            (b'/', _) => {
                self.at += 1;
                return Some(Token::Name(name(self.regular())));
            }
            (b'{' | b'}' | b')' | b'>', _) => (Token::Word(self.rest().get(..1).unwrap_or_default()), 1),
            _ => {
                let word = self.regular();
                return Some(number(word).map_or(Token::Word(word), Token::Number));
            }
        };
        self.at += length;
        Some(token)
    }

    /// The next value or word. Brackets that close nothing are words.
    pub(super) fn operand(&mut self) -> Option<Item<'a>> {
        let token = self.token()?;
        self.item(token, DEPTH)
    }

    /// The next value; `None` where something else comes.
    pub(super) fn value(&mut self) -> Option<Value> {
        match self.operand()? {
            Item::Value(value) => Some(value),
            Item::Word(b"null" | b"true" | b"false") => Some(Value::Null),
            Item::Word(_) => None,
        }
    }

    fn item(&mut self, token: Token<'a>, depth: usize) -> Option<Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Item::Value(match token {
            Token::Number(n) => self.reference(n).unwrap_or(Value::Number(n)),
            Token::Name(name) => Value::Name(name),
            Token::Text(text) => Value::Text(text),
            Token::ListOpen => self.list(depth.checked_sub(1)?)?,
            Token::DictOpen => self.dict(depth.checked_sub(1)?)?,
            Token::ListClose => return Some(Item::Word(b"]")),
            Token::DictClose => return Some(Item::Word(b">>")),
            Token::Word(word) => return Some(Item::Word(word)),
        }))
    }

    /// `7 0 R`, where the number just read begins one.
    fn reference(&mut self, first: f64) -> Option<Value> {
        if !(0.0..4e9).contains(&first) || first.fract() != 0.0 || !self.peek().is_some_and(is_space) {
            return None;
        }
        let mut ahead = Self { left: 0, ..*self };
        ahead.skip_space();
        let generation = ahead.regular();
        if generation.is_empty() || generation.len() > 5 || !generation.iter().all(u8::is_ascii_digit) {
            return None;
        }
        ahead.skip_space();
        if ahead.regular() != b"R" {
            return None;
        }
        self.at = ahead.at;
        Some(Value::Reference(first as u32))
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut list = Vec::new();
        loop {
            match self.token() {
                None | Some(Token::ListClose) => return Some(Value::List(list)),
                // What cannot stand in a list ends it: a bracket is missing.
                Some(Token::Word(b"endobj" | b"stream" | b"obj")) => return Some(Value::List(list)),
                Some(Token::DictClose) => return Some(Value::List(list)),
                Some(Token::Word(_)) => {
                    self.left = self.left.checked_sub(1)?;
                    list.push(Value::Null);
                }
                Some(token) => {
                    if let Item::Value(value) = self.item(token, depth)? {
                        list.push(value);
                    }
                }
            }
        }
    }

    fn dict(&mut self, depth: usize) -> Option<Value> {
        let mut dict = Dict::new();
        loop {
            let key = match self.token() {
                None | Some(Token::DictClose) => return Some(Value::Dict(dict)),
                Some(Token::Name(key)) => key,
                Some(Token::Word(b"endobj" | b"stream" | b"obj")) => return Some(Value::Dict(dict)),
                Some(_) => continue,
            };
            let before = self.at;
            match self.token() {
                None => return Some(Value::Dict(dict)),
                Some(Token::DictClose) => {
                    dict.insert(key, Value::Null);
                    return Some(Value::Dict(dict));
                }
                Some(Token::Word(b"endobj" | b"stream" | b"obj")) => {
                    self.at = before;
                    return Some(Value::Dict(dict));
                }
                Some(token) => {
                    let value = match self.item(token, depth)? {
                        Item::Value(value) => value,
                        Item::Word(_) => Value::Null,
                    };
                    dict.insert(key, value);
                }
            }
        }
    }

    /// A string in parentheses (7.3.4.2).
    fn literal(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'(' => {
                    open += 1;
                    if open > 1 {
                        out.push(byte);
                    }
                }
                b')' => {
                    open -= 1;
                    if open == 0 {
                        break;
                    }
                    out.push(byte);
                }
                b'\\' => self.escape(&mut out),
                _ => out.push(byte),
            }
        }
        out
    }

    fn escape(&mut self, out: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        match byte {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'\n' => {}
            b'\r' => {
                if self.peek() == Some(b'\n') {
                    self.at += 1;
                }
            }
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    match self.peek() {
                        Some(digit @ b'0'..=b'7') => {
                            code = code * 8 + u32::from(digit - b'0');
                            self.at += 1;
                        }
                        _ => break,
                    }
                }
                out.push((code & 0xFF) as u8);
            }
            _ => out.push(byte),
        }
    }

    /// A string in angle brackets (7.3.4.3).
    fn hexadecimal(&mut self) -> Vec<u8> {
        self.at += 1;
        let rest = self.rest();
        let end = memchr::memchr(b'>', rest).unwrap_or(rest.len());
        self.at += (end + 1).min(rest.len());
        let mut out = Vec::new();
        let mut high = None;
        for digit in rest.get(..end).unwrap_or_default().iter().filter_map(|b| char::from(*b).to_digit(16)) {
            match high.take() {
                None => high = Some(digit),
                Some(high) => out.push((high << 4 | digit) as u8),
            }
        }
        out.extend(high.map(|high| (high << 4) as u8));
        out
    }
}

fn name(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'#', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

fn number(word: &[u8]) -> Option<f64> {
    let first = word.first()?;
    if word.len() > 32 || !(first.is_ascii_digit() || b"+-.".contains(first)) {
        return None;
    }
    let text = std::str::from_utf8(word).ok()?;
    // Some writers make `--5` and `1.-3`; readers take what makes sense of it.
    text.parse::<f64>().ok().filter(|n| n.is_finite()).or_else(|| {
        let sane = text.trim_start_matches(['-', '+']).split('-').next()?;
        let value: f64 = sane.parse().ok()?;
        Some(if text.starts_with('-') { -value } else { value })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_standard_writes_them() {
        let source = br"<< /A#20b [1 -2.5 (a\(b\)\101(c)) <48 65 6> 7 0 R true] /C << /D /E >> >> stream";
        let mut lexer = Lexer::new(source, 0, 100);
        let value = lexer.value().unwrap();
        let dict = value.dict().unwrap();
        let list = dict[&b"A b"[..]].list().unwrap();
        assert_eq!(list[..2], [Value::Number(1.0), Value::Number(-2.5)]);
        assert_eq!(list[2..4], [Value::Text(b"a(b)A(c)".to_vec()), Value::Text(b"He`".to_vec())]);
        assert_eq!(list[4..], [Value::Reference(7), Value::Null]);
        assert_eq!(dict[&b"C"[..]].dict().unwrap()[&b"D"[..]], Value::Name(b"E".to_vec()));
        assert_eq!(lexer.token(), Some(Token::Word(b"stream")));
    }

    #[test]
    fn nesting_is_bounded() {
        let source = b"[".repeat(100_000);
        assert!(Lexer::new(&source, 0, 1_000_000).value().is_none());
    }
}
