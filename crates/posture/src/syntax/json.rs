//! JSON with places. Editors allow comments and commas before a closing bracket; so does this.

use bartizan_core::Span;

use crate::tree::{Broken, DEEPEST, Data, MOST, Node};

/// Reads one document.
///
/// # Errors
/// Where and why it is none.
pub(crate) fn parse(text: &str) -> Result<Node, Broken> {
    let mut reader = Reader { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 }, count: 0 };
    let node = reader.value(0)?;
    reader.blank()?;
    if reader.at < text.len() { Err(reader.broken("there is more behind the end of the document")) } else { Ok(node) }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    count: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn broken(&self, why: &str) -> Broken {
        Broken::new(self.at, why)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn blank(&mut self) -> Result<(), Broken> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").ok_or_else(|| self.broken("a comment has no end"))? + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Broken> {
        self.blank()?;
        self.count += 1;
        if depth > DEEPEST || self.count > MOST {
            return Err(Broken::limit(self.at, "deeper or larger than the limit"));
        }
        let start = self.at;
        let data = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Data::Scalar(self.string()?),
            Some(_) => {
                let rest = self.rest();
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))
                    .unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or_default();
                let number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word.parse::<f64>().is_ok();
                if !number && !matches!(word, "true" | "false" | "null") {
                    return Err(self.broken("there is no JSON value here"));
                }
                self.at += end;
                if word == "null" { Data::Null } else { Data::Scalar(word.to_owned()) }
            }
            None => return Err(self.broken("the document ends too early")),
        };
        Ok(Node { data, span: Span::new(start, self.at) })
    }

    fn object(&mut self, depth: usize) -> Result<Data, Broken> {
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.blank()?;
            if self.eat(b'}') {
                return Ok(Data::Map(entries));
            }
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.broken("a key should stand here"));
            }
            let key = Node::scalar(self.string()?, Span::new(start, self.at));
            self.blank()?;
            if !self.eat(b':') {
                return Err(self.broken("a `:` should stand here"));
            }
            let value = self.value(depth + 1)?;
            entries.push((key, value));
            self.blank()?;
            if !self.eat(b',') && self.peek() != Some(b'}') {
                return Err(self.broken("a `,` or `}` should stand here"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Data, Broken> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank()?;
            if self.eat(b']') {
                return Ok(Data::List(items));
            }
            items.push(self.value(depth + 1)?);
            self.blank()?;
            if !self.eat(b',') && self.peek() != Some(b']') {
                return Err(self.broken("a `,` or `]` should stand here"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Broken> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(['"', '\\', '\n']) else {
                return Err(self.broken("a string has no end"));
            };
            out.push_str(rest.get(..end).unwrap_or_default());
            self.at += end + 1;
            match rest.as_bytes().get(end) {
                Some(b'"') => return Ok(out),
                Some(b'\\') => self.escape(&mut out)?,
                _ => return Err(self.broken("a string has no end on its line")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Broken> {
        let escape = self.peek().ok_or_else(|| self.broken("a string has no end"))?;
        self.at += 1;
        match escape {
            b'n' => out.push('\n'),
            b't' => out.push('\t'),
            b'r' => out.push('\r'),
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'"' | b'\\' | b'/' => out.push(char::from(escape)),
            b'u' => {
                let mut unit = self.unit()?;
                if (0xd800..0xdc00).contains(&unit) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    let low = self.unit()?;
                    if (0xdc00..0xe000).contains(&low) {
                        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    }
                }
                out.push(char::from_u32(unit).unwrap_or('\u{fffd}'));
            }
            _ => {
                self.at -= 1;
                return Err(self.broken("this escape is not known"));
            }
        }
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, Broken> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| Broken::new(self.at - 4, "an escape needs four hexadecimal digits"))
    }
}
