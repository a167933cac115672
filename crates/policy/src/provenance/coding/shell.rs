//! Shell command lines as simple commands with their words (POSIX.1-2024, XCU 2; what Bash adds where agents use it).
//!
//! It does not expand anything: what only a shell can know is [`Word::dynamic`]. What it does not understand it says.

/// Longest command line that is read, in bytes.
const LONGEST: usize = 64 << 10;
/// Most simple commands, and how deep one may stand in another.
const MOST: usize = 512;
const DEPTH: usize = 8;

/// One word after quotes are taken off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// A part of it is only known when it runs: a variable, a substitution, a pattern.
    pub(crate) dynamic: bool,
    /// It may begin with a sign of a flag that does not stand here.
    pub(crate) open: bool,
    /// It may become several words, or none.
    pub(crate) splits: bool,
    /// What is known at the start of it, or makes it several words: names of variables, empty for other expansions, and
    /// whether that stands in quotes.
    pub(crate) heads: Vec<(String, bool)>,
}

/// Stands in words for what is only known when they run.
pub(crate) const UNKNOWN: char = '\0';

impl Word {
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), dynamic: text.contains(UNKNOWN), ..Self::default() }
    }

    /// What another program puts there.
    pub(crate) fn unknown() -> Self {
        Self { text: UNKNOWN.to_string(), dynamic: true, open: true, splits: true, heads: Vec::new() }
    }

    fn expanded(&mut self, name: &str, quoted: bool) {
        if self.text.is_empty() || !quoted || name.is_empty() && self.text.ends_with(UNKNOWN) {
            self.heads.push((name.to_owned(), quoted));
            self.open = true;
            self.splits |= !quoted;
        }
        self.text.push(UNKNOWN);
        self.dynamic = true;
    }
}

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    /// What is set in front of it: a name, `=` and a value.
    pub(crate) sets: Vec<Word>,
    pub(crate) words: Vec<Word>,
    /// Files that it writes by redirection.
    pub(crate) writes: Vec<Word>,
    /// Files that it reads by redirection.
    pub(crate) reads: Vec<Word>,
}

/// A command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Every command in it, those in substitutions too.
    pub(crate) commands: Vec<Simple>,
    /// Something in it was not understood.
    pub(crate) unclear: bool,
}

/// Reads a command line.
pub(crate) fn read(text: &str) -> Line {
    let mut line = Line::default();
    read_into(text, 0, &mut line);
    line
}

fn read_into(text: &str, depth: usize, line: &mut Line) {
    if text.len() > LONGEST || depth > DEPTH || text.contains([UNKNOWN, '\r']) {
        line.unclear = true;
        return;
    }
    let mut reader =
        Reader { chars: text.chars().collect::<Vec<_>>().into_iter().peekable(), depth, documents: Vec::new() };
    reader.commands(line);
}

/// Words that only hold commands together.
const KEYWORDS: [&str; 12] = ["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "{", "}"];

struct Reader {
    chars: std::iter::Peekable<std::vec::IntoIter<char>>,
    depth: usize,
    /// Ends of texts that begin with the next line, whether tabs are taken off, and whether they are expanded.
    documents: Vec<(String, bool, bool)>,
}

impl Reader {
    fn next_is(&mut self, wanted: char) -> bool {
        self.chars.next_if_eq(&wanted).is_some()
    }

    fn commands(&mut self, line: &mut Line) {
        let mut one = Simple::default();
        loop {
            if line.commands.len() >= MOST {
                line.unclear = true;
                return;
            }
            let Some(c) = self.chars.peek().copied() else { break };
            match c {
                ' ' | '\t' => _ = self.chars.next(),
                '\n' => {
                    self.chars.next();
                    self.end(&mut one, line);
                    self.skip_documents(line);
                }
                ';' | '(' | ')' => {
                    self.chars.next();
                    self.end(&mut one, line);
                }
                '&' => {
                    self.chars.next();
                    if self.next_is('>') {
                        self.next_is('>');
                        self.redirected(&mut one, line, true);
                    } else {
                        self.next_is('&');
                        self.end(&mut one, line);
                    }
                }
                '|' => {
                    self.chars.next();
                    let _ = self.next_is('|') || self.next_is('&');
                    self.end(&mut one, line);
                }
                '#' => while self.chars.next_if(|c| *c != '\n').is_some() {},
                '<' | '>' => self.redirection(&mut one, line),
                _ => {
                    let word = self.word(line);
                    self.take(word, &mut one, line);
                }
            }
        }
        self.end(&mut one, line);
        line.unclear |= !self.documents.is_empty();
    }

    fn take(&mut self, word: Word, one: &mut Simple, line: &mut Line) {
        let text = word.text.as_str();
        if one.words.is_empty() && !word.dynamic && KEYWORDS.contains(&text) {
            return;
        }
        if one.words.is_empty() && matches!(text, "case" | "esac" | "function" | "select" | "coproc" | "[[") {
            line.unclear |= text != "[[";
        }
        // A number in front of a redirection is no word.
        if text.len() == 1 && text.bytes().all(|b| b.is_ascii_digit()) && matches!(self.chars.peek(), Some('<' | '>')) {
            return;
        }
        let set = one.words.is_empty()
            && text.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            });
        if set {
            one.sets.push(word);
        } else {
            one.words.push(word);
        }
    }

    fn end(&mut self, one: &mut Simple, line: &mut Line) {
        let done = std::mem::take(one);
        if !done.words.is_empty() || !done.sets.is_empty() || !done.writes.is_empty() || !done.reads.is_empty() {
            line.commands.push(done);
        }
    }

    fn redirection(&mut self, one: &mut Simple, line: &mut Line) {
        let out = self.chars.next() == Some('>');
        if !out && self.next_is('<') {
            if self.next_is('<') {
                self.skip_blanks();
                self.word(line);
                return;
            }
            let tabs = self.next_is('-');
            self.skip_blanks();
            let quoted = matches!(self.chars.peek(), Some('\'' | '"' | '\\'));
            let end = self.word(line);
            line.unclear |= end.text.is_empty() || end.dynamic;
            self.documents.push((end.text, tabs, !quoted));
            return;
        }
        if self.next_is('(') {
            let inner = self.until_closed(line);
            read_into(&inner, self.depth + 1, line);
            return;
        }
        if out {
            self.next_is('>');
            self.next_is('|');
        } else if self.next_is('>') {
            return self.redirected(one, line, true);
        }
        if self.next_is('&') {
            // Another number of this process.
            self.skip_blanks();
            let to = self.word(line);
            line.unclear |=
                to.dynamic || to.text.is_empty() || !to.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            return;
        }
        self.redirected(one, line, out);
    }

    fn redirected(&mut self, one: &mut Simple, line: &mut Line, out: bool) {
        self.skip_blanks();
        let file = self.word(line);
        line.unclear |= file.text.is_empty() && !file.dynamic;
        if out { one.writes.push(file) } else { one.reads.push(file) }
    }

    fn skip_blanks(&mut self) {
        while self.chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    }

    /// Texts that stand below a line, up to their ends. A substitution in one would run.
    fn skip_documents(&mut self, line: &mut Line) {
        for (end, tabs, expanded) in std::mem::take(&mut self.documents) {
            loop {
                let mut text = String::new();
                let mut any = false;
                for c in self.chars.by_ref() {
                    any = true;
                    if c == '\n' {
                        break;
                    }
                    text.push(c);
                }
                let known = if tabs { text.trim_start_matches('\t') } else { text.as_str() };
                if known == end {
                    break;
                }
                // A text that is expanded may run commands, and hide its end.
                line.unclear |= expanded
                    && (text.ends_with('\\')
                        || text.contains('`')
                        || ["$(", "${", "$["].iter().any(|s| text.contains(s)));
                if !any {
                    line.unclear = true;
                    return;
                }
            }
        }
    }

    fn word(&mut self, line: &mut Line) -> Word {
        let mut word = Word::default();
        let mut braces = false;
        while let Some(c) = self.chars.peek().copied() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | ')' => break,
                '(' => {
                    // A function, an array, an extended pattern.
                    line.unclear = true;
                    break;
                }
                '\'' => {
                    self.chars.next();
                    loop {
                        match self.chars.next() {
                            Some('\'') => break,
                            Some(c) => word.text.push(c),
                            None => {
                                line.unclear = true;
                                break;
                            }
                        }
                    }
                }
                '"' => {
                    self.chars.next();
                    self.quoted(&mut word, line);
                }
                '\\' => {
                    self.chars.next();
                    match self.chars.next() {
                        Some('\n') => {}
                        Some(c) => word.text.push(c),
                        None => line.unclear = true,
                    }
                }
                '$' | '`' => self.expansion(&mut word, line, false),
                '*' | '?' | '[' => {
                    self.chars.next();
                    word.text.push(c);
                    word.dynamic |= c != '[' || !word.text.starts_with('[');
                }
                c => {
                    self.chars.next();
                    word.text.push(c);
                    braces |= c == '{';
                }
            }
        }
        // `{a,b}` is several words.
        if braces && (word.text.contains(',') || word.text.contains("..")) {
            word.dynamic = true;
            word.splits = true;
            if word.text.starts_with('{') {
                word.heads.push((String::new(), false));
                word.open = true;
            }
        }
        word
    }

    fn quoted(&mut self, word: &mut Word, line: &mut Line) {
        loop {
            match self.chars.peek().copied() {
                Some('"') => {
                    self.chars.next();
                    return;
                }
                Some('\\') => {
                    self.chars.next();
                    match self.chars.next() {
                        Some(c @ ('"' | '\\' | '$' | '`')) => word.text.push(c),
                        Some('\n') => {}
                        Some(c) => {
                            word.text.push('\\');
                            word.text.push(c);
                        }
                        None => line.unclear = true,
                    }
                }
                Some('$' | '`') => self.expansion(word, line, true),
                Some(c) => {
                    self.chars.next();
                    word.text.push(c);
                }
                None => {
                    line.unclear = true;
                    return;
                }
            }
        }
    }

    /// A variable, or a command whose output is meant.
    fn expansion(&mut self, word: &mut Word, line: &mut Line, quoted: bool) {
        let sign = self.chars.next();
        if sign == Some('`') {
            let mut inner = String::new();
            loop {
                match self.chars.next() {
                    Some('`') => break,
                    Some('\\') => inner.extend(self.chars.next()),
                    Some(c) => inner.push(c),
                    None => {
                        line.unclear = true;
                        break;
                    }
                }
            }
            word.expanded("", quoted);
            return read_into(&inner, self.depth + 1, line);
        }
        match self.chars.peek().copied() {
            Some('(') => {
                self.chars.next();
                let inner = self.until_closed(line);
                word.expanded("", quoted);
                if !is_sum(&inner) {
                    line.unclear |= inner.starts_with('(');
                    read_into(&inner, self.depth + 1, line);
                }
            }
            Some('{') => {
                self.chars.next();
                let mut inner = String::new();
                while let Some(c) = self.chars.next_if(|c| *c != '}') {
                    inner.push(c);
                }
                line.unclear |= self.chars.next().is_none() || !is_plain_parameter(&inner);
                let is_name = inner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                word.expanded(if is_name { &inner } else { "" }, quoted);
            }
            // `$[...]` is a sum too.
            Some('[') => {
                line.unclear = true;
                word.expanded("", quoted);
            }
            Some('\'' | '"') => {
                // `$'...'` spells characters.
                line.unclear = true;
                word.expanded("", quoted);
            }
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, '_' | '?' | '@' | '*' | '#' | '$' | '!' | '-') => {
                self.chars.next();
                let mut name = String::new();
                if c.is_ascii_alphabetic() || c == '_' {
                    name.push(c);
                    while let Some(c) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        name.push(c);
                    }
                }
                // All arguments are words of their own even in quotes.
                word.expanded(&name, quoted && c != '@');
            }
            _ => word.text.push('$'),
        }
    }

    /// The text up to the parenthesis that closes one which was opened.
    fn until_closed(&mut self, line: &mut Line) -> String {
        let mut inner = String::new();
        let mut open = 1_usize;
        let mut quote = None;
        while let Some(c) = self.chars.next() {
            match (quote, c) {
                (Some('\''), '\'') | (Some('"'), '"') => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None | Some('"'), '\\') => {
                    inner.push(c);
                    inner.extend(self.chars.next());
                    continue;
                }
                (None, '(') => open += 1,
                (None, ')') => {
                    open -= 1;
                    if open == 0 {
                        return inner;
                    }
                }
                _ => {}
            }
            inner.push(c);
        }
        line.unclear = true;
        inner
    }
}

/// True for what stands between the outer parentheses of `$((1 + 2))`. Names are looked up as sums, which may run commands.
fn is_sum(inner: &str) -> bool {
    let Some(sum) = inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return false };
    let mut open = 0_usize;
    for c in sum.chars() {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return false,
            ')' => open -= 1,
            '0'..='9' | ' ' | '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=' | '!' => {}
            _ => return false,
        }
    }
    open == 0
}

/// True for the inside of `${name}`, alone or with a default or a part taken off.
fn is_plain_parameter(inner: &str) -> bool {
    let inner = inner.strip_prefix('#').unwrap_or(inner);
    let after = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let known = after.is_empty()
        || after.starts_with(['%', '#', '-', '+', '/', '^', ','])
        || [":-", ":+", ":?"].iter().any(|front| after.starts_with(front));
    known && after.len() < inner.len() && !after.contains(['$', '`', '(', '@', '[', '!', '=', '\\', '\'', '"', '{'])
}
