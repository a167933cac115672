//! Python files beside a model: what runs when a loader imports them, or builds the model that they define.

mod danger;
mod lexer;

use std::collections::HashMap;

use bartizan_core::{Reason, Severity};

use self::danger::Force;
use self::lexer::{End, Line, Token};
use crate::bytes::{contains, piece, show};
use crate::desk::Desk;
use crate::rules;

/// Methods that a loader or server calls by itself once the class is there.
const BUILT: &[&str] = &[
    "__init__",
    "__new__",
    "__init_subclass__",
    "__set_name__",
    "__getattr__",
    "__call__",
    "__del__",
    "__setstate__",
    "__reduce__",
    "__post_init__",
    "forward",
    "call",
    "build",
    "from_pretrained",
    "from_config",
    "get_config",
    "initialize",
    "preprocess",
    "inference",
    "postprocess",
    "handle",
    "load_model",
    "load_context",
    "_load_pyfunc",
    "model_fn",
    "input_fn",
    "predict_fn",
    "predict",
];

/// Longest name that another one stands for.
const LONGEST: usize = 256;
/// Modules all of whose names are imported, in one file.
const STARS: usize = 16;

/// When a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Import,
    /// A loader or server calls it.
    Built,
    /// A program has to call it.
    Called,
    /// Only where the file itself is the program.
    Program,
}

/// Words of the language that stand before or behind names.
const WORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// True where the text is Python: it can be told apart into tokens and defines, imports or runs something.
fn is_source(lines: &[Line<'_>], end: End) -> bool {
    let heads = lines.iter().filter(|l| l.indent == 0).filter_map(|l| Some((l.tokens.first()?, l.tokens.get(1))));
    let mut strong = 0;
    for (first, second) in heads {
        strong += match (first, second) {
            (Token::Name("import" | "from" | "def" | "class" | "async"), Some(Token::Name(_)))
            | (Token::Sign('@'), Some(Token::Name(_))) => 1,
            (Token::Name("from"), Some(Token::Sign('.'))) => 1,
            (Token::Name("exec" | "eval" | "__import__"), Some(Token::Sign('('))) => 1,
            _ => 0,
        };
    }
    let fits = matches!(end, End::Whole | End::Lost);
    strong >= if fits { 1 } else { 2 } || fits && is_statements(lines)
}

/// True where something is imported or run anywhere, and no line has names in a row as only prose has.
fn is_statements(lines: &[Line<'_>]) -> bool {
    let mut strong = false;
    for line in lines {
        for (at, pair) in line.tokens.windows(2).enumerate() {
            let begins = at == 0 || before(&line.tokens, at) == Some(&Token::Sign(':'));
            match pair {
                [Token::Name("import" | "from"), Token::Name(_)] if begins => strong = true,
                [Token::Name("exec" | "eval" | "__import__" | "open" | "getattr"), Token::Sign('(')]
                | [_, Token::Name("__subclasses__" | "__globals__" | "__builtins__")] => strong = true,
                [Token::Name(first), Token::Name(second)] => {
                    let soft = at == 0 && matches!(*first, "match" | "case" | "type");
                    if !soft && !WORDS.contains(first) && !WORDS.contains(second) {
                        return false;
                    }
                }
                _ => {}
            }
        }
    }
    strong
}

/// The encoding that the first two lines declare.
///
/// <https://peps.python.org/pep-0263/>
fn encoding(bytes: &[u8]) -> Option<String> {
    let head = piece(bytes, 0, bytes.len().min(4096)).unwrap_or_default();
    for line in head.split(|b| matches!(b, b'\n' | b'\r')).filter(|line| !line.is_empty()).take(2) {
        let line = String::from_utf8_lossy(line);
        let Some(comment) = line.trim_start_matches(['\u{feff}', ' ', '\t', '\x0c']).strip_prefix('#') else {
            continue;
        };
        for (at, _) in comment.match_indices("coding") {
            let rest = comment.get(at + 6..).and_then(|rest| rest.strip_prefix([':', '=']));
            let rest = rest.unwrap_or_default().trim_start_matches([' ', '\t']);
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
            let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let name = name.to_ascii_lowercase().replace('_', "-");
            let short = [
                "ascii",
                "gbk",
                "hz",
                "johab",
                "punycode",
                "idna",
                "mbcs",
                "oem",
                "undefined",
                "sjis",
                "uhc",
                "palmos",
            ];
            // Prose says `coding:` as well, and then no name of an encoding.
            if short.contains(&name.as_str()) || name.contains(|c: char| c.is_ascii_digit() || c == '-') {
                return Some(name);
            }
        }
    }
    None
}

/// True for the encodings that are read: each byte of ASCII is itself.
fn is_read(encoding: &str) -> bool {
    matches!(encoding, "utf-8" | "utf8" | "utf-8-sig" | "ascii" | "us-ascii")
        || ["latin-1", "latin1", "iso-8859-1", "iso8859-1", "iso-latin-1"].contains(&encoding)
        || encoding.starts_with("utf-8-")
}

/// Source that is not UTF-8 and says so, one character for each byte.
pub(crate) fn decoded(bytes: &[u8]) -> Option<String> {
    encoding(bytes).map(|_| bytes.iter().map(|b| char::from(*b)).collect())
}

/// Bytes by which a text that is too long is judged.
const HEAD: usize = 1 << 16;

/// True where a text that is too long may be Python that does something.
fn may_be_source(source: &str) -> bool {
    let mut end = HEAD.min(source.len());
    while !source.is_char_boundary(end) {
        end += 1;
    }
    let (lines, how) = lexer::lines(source.get(..end).unwrap_or_default());
    let words: [&[u8]; 7] =
        [b"import ", b"import\t", b"__import__", b"exec", b"eval", b"__globals__", b"__subclasses__"];
    // The head stops anywhere.
    let how = if how == End::Cut { End::Lost } else { how };
    how != End::Wrong && (is_source(&lines, how) || words.iter().any(|word| contains(source.as_bytes(), word)))
        || how == End::Wrong && is_source(&lines, how)
}

/// Examines a text; false where it is no Python.
pub(crate) fn examine(source: &str, desk: &mut Desk<'_>) -> bool {
    if let Some(name) = encoding(source.as_bytes()).filter(|name| !is_read(name)) {
        let why = format!("Python source in the encoding `{}` is not read", show(&name));
        desk.partial(Reason::Malformed, source.len(), why);
        return true;
    }
    if source.len() > desk.budget.document {
        let found = may_be_source(source);
        if found {
            desk.partial(Reason::TooLong, source.len(), "the Python source is longer than the limit");
        }
        return found;
    }
    let source = lexer::plain(source);
    let (lines, end) = lexer::lines(&source);
    if !is_source(&lines, end) {
        return false;
    }
    let mut reader = Reader { renamed: lines.iter().any(renames), ..Reader::default() };
    for line in &lines {
        reader.line(line, desk);
    }
    if end != End::Whole {
        desk.partial(Reason::Malformed, source.len(), "the Python source cannot be read to its end");
    }
    true
}

/// True where a line may give `__name__` another value.
fn renames(line: &Line<'_>) -> bool {
    line.tokens.iter().enumerate().filter(|(_, token)| **token == Token::Name("__name__")).any(|(at, _)| {
        let next = (line.tokens.get(at + 1), line.tokens.get(at + 2));
        let set = match next {
            (Some(Token::Sign('=')), after) => after != Some(&Token::Sign('=')),
            (Some(Token::Sign(':')), after) => after == Some(&Token::Sign('=')),
            (next, _) => next == Some(&Token::Name("in")),
        };
        let bound = ["as", "for", "def", "class", "import", "global"];
        set || match before(&line.tokens, at) {
            None => true,
            Some(Token::Name(word)) => bound.contains(word),
            _ => false,
        }
    })
}

/// True for the head of what runs only where the file is the program.
fn is_program(tokens: &[Token<'_>]) -> bool {
    matches!(
        tokens,
        [
            Token::Name("if"),
            Token::Name("__name__"),
            Token::Sign('='),
            Token::Sign('='),
            Token::Text("__main__"),
            Token::Sign(':'),
            ..
        ]
    )
}

#[derive(Default)]
struct Reader {
    /// What a name stands for, by imports and plain assignments.
    names: HashMap<String, String>,
    /// Modules all of whose names were imported.
    stars: Vec<String>,
    /// Functions and other bodies that are open: their indentation, and when they run.
    open: Vec<(usize, When)>,
    /// The name of the module may be changed.
    renamed: bool,
}

impl Reader {
    fn line(&mut self, line: &Line<'_>, desk: &mut Desk<'_>) {
        while self.open.last().is_some_and(|(indent, _)| line.indent <= *indent) {
            self.open.pop();
        }
        // A function in a function runs when the outer one is called, if at all; a method that is built runs anyway.
        let outer = self.open.iter().map(|(_, when)| *when).min_by_key(|when| *when as u8);
        let outer = if self.open.is_empty() { When::Import } else { outer.unwrap_or(When::Import) };
        let tokens = line.tokens.as_slice();
        let inner = match tokens {
            [Token::Name("def"), Token::Name(name), ..]
            | [Token::Name("async"), Token::Name("def"), Token::Name(name), ..] => {
                Some(if BUILT.contains(name) { When::Built } else { When::Called })
            }
            _ if is_program(tokens) && !self.renamed => Some(When::Program),
            _ => None,
        };
        match inner {
            Some(inner) => {
                let (head, body) = split(tokens);
                self.statement(head, outer, line, desk);
                if body.is_empty() {
                    self.open.push((line.indent, inner));
                } else {
                    self.statement(body, inner, line, desk);
                }
            }
            None => self.statement(tokens, outer, line, desk),
        }
    }

    fn statement(&mut self, tokens: &[Token<'_>], when: When, line: &Line<'_>, desk: &mut Desk<'_>) {
        // What follows the colon of an `if`, `try` or `class` on the same line is a statement of its own.
        let start = tokens.iter().position(|t| matches!(t, Token::Name("import" | "from")));
        let begins = |at: usize| at == 0 || matches!(tokens.get(at - 1), Some(Token::Sign(':')));
        if let Some(at) = start.filter(|at| begins(*at)) {
            let (before, import) = tokens.split_at(at);
            self.import(import);
            self.uses(before, when, line, desk);
            return;
        }
        if let [Token::Name(name), Token::Sign('='), rest @ ..] = tokens
            && !matches!(rest.first(), Some(Token::Sign('=')))
        {
            match dotted(rest).filter(|(_, len)| *len == rest.len()).map(|(parts, _)| self.resolve(&parts)) {
                // Each line may make a name longer than the one before.
                Some(target) if target.len() <= LONGEST => self.names.insert((*name).to_owned(), target),
                Some(_) => self.names.remove(*name),
                None => self.names.remove(*name),
            };
        }
        self.uses(tokens, when, line, desk);
    }

    fn import(&mut self, tokens: &[Token<'_>]) {
        match tokens {
            [Token::Name("import"), rest @ ..] => {
                for part in rest.split(|t| *t == Token::Sign(',')) {
                    let Some((parts, len)) = dotted(part) else { continue };
                    match part.get(len..) {
                        Some([Token::Name("as"), Token::Name(alias), ..]) => {
                            self.names.insert((*alias).to_owned(), parts.join("."));
                        }
                        _ => {
                            let top = parts.first().copied().unwrap_or_default();
                            self.names.insert(top.to_owned(), top.to_owned());
                        }
                    }
                }
            }
            [Token::Name("from"), rest @ ..] => {
                let dots = rest.iter().take_while(|t| **t == Token::Sign('.')).count();
                let rest = rest.get(dots..).unwrap_or_default();
                let (module, len) = dotted(rest)
                    .filter(|(parts, _)| parts.first() != Some(&"import"))
                    .map_or((String::new(), 0), |(parts, len)| (parts.join("."), len));
                // What a module of the package itself brings is judged in its own file.
                let module = if dots > 0 { format!(".{module}") } else { module };
                let names = rest.get(len + 1..).unwrap_or_default();
                for part in names.split(|t| matches!(t, Token::Sign(',' | '(' | ')'))) {
                    match part {
                        [Token::Sign('*')] if self.stars.len() < STARS => self.stars.push(module.clone()),
                        [Token::Name(name)] => {
                            self.names.insert((*name).to_owned(), format!("{module}.{name}"));
                        }
                        [Token::Name(name), Token::Name("as"), Token::Name(alias)] => {
                            self.names.insert((*alias).to_owned(), format!("{module}.{name}"));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// The full name of a dotted one.
    fn resolve(&self, parts: &[&str]) -> String {
        let Some((first, rest)) = parts.split_first() else { return String::new() };
        let mut name = match self.names.get(*first) {
            Some(known) => known.clone(),
            None => self
                .stars
                .iter()
                .map(|module| format!("{module}.{first}"))
                .find(|name| danger::force(name).is_some())
                .unwrap_or_else(|| if rest.is_empty() { format!("builtins.{first}") } else { (*first).to_owned() }),
        };
        for part in rest {
            name.push('.');
            name.push_str(part);
        }
        name
    }

    fn uses(&self, tokens: &[Token<'_>], when: When, line: &Line<'_>, desk: &mut Desk<'_>) {
        let mut at = 0;
        // Nothing behind `lambda` runs where it stands.
        let (mut depth, mut deferred) = (0usize, None);
        while let Some(token) = tokens.get(at) {
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => {
                    depth = depth.saturating_sub(1);
                    deferred = deferred.filter(|at| depth >= *at);
                }
                Token::Sign(',') => deferred = deferred.filter(|at| depth > *at),
                Token::Name("lambda") => deferred = deferred.or(Some(depth)),
                // The ways from any object to all others, whatever they start from.
                Token::Name(name @ ("__subclasses__" | "__globals__" | "__builtins__")) => {
                    let when = if deferred.is_some() { When::Called } else { when };
                    say(Force::Executes, name, false, when, line, desk);
                }
                // What is defined, or is an attribute of a value, is another thing of the same name.
                Token::Name(_)
                    if !matches!(before(tokens, at), Some(Token::Sign('.') | Token::Name("def" | "class"))) =>
                {
                    let (parts, len) = dotted(tokens.get(at..).unwrap_or_default()).unwrap_or_default();
                    let when = if deferred.is_some() { When::Called } else { when };
                    let next = tokens.get(at + len);
                    let called = next == Some(&Token::Sign('('));
                    // The name of an argument or of a parameter.
                    if !called && matches!(next, Some(Token::Sign('=' | ':'))) {
                        at += len;
                        continue;
                    }
                    let decorates = at == 1 && tokens.first() == Some(&Token::Sign('@'));
                    self.used(
                        &parts,
                        called || decorates,
                        tokens.get(at + len + 1..).unwrap_or_default(),
                        when,
                        line,
                        desk,
                    );
                    at += len.max(1);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn used(
        &self,
        parts: &[&str],
        called: bool,
        arguments: &[Token<'_>],
        when: When,
        line: &Line<'_>,
        desk: &mut Desk<'_>,
    ) {
        let name = self.resolve(parts);
        let mut force = danger::force(&name);
        match name.as_str() {
            // A file opened for writing while it is imported.
            "builtins.open" | "io.open" => {
                let writes = arguments.iter().take(12).any(|t| {
                    matches!(t, Token::Text(mode) if mode.len() <= 3 && mode.contains(['w', 'a', 'x', '+'])
                        && mode.chars().all(|c| "wabxrt+U".contains(c)))
                });
                force = writes.then_some(Force::Reaches);
            }
            // A function of a module that runs commands, by a name that is made.
            "builtins.getattr" => {
                let target = dotted(arguments).map(|(parts, _)| self.resolve(&parts)).unwrap_or_default();
                let module = target.strip_prefix("builtins.").unwrap_or(&target);
                force = danger::is_runner(module).then_some(Force::Executes);
            }
            _ => {}
        }
        let Some(force) = force else { return };
        // A name that is handed on runs elsewhere; only those that run code are worth it.
        let handed =
            force == Force::Executes && matches!(when, When::Import | When::Built) && name != "builtins.compile";
        if called || handed {
            say(force, name.strip_prefix("builtins.").unwrap_or(&name), called, when, line, desk);
        }
    }
}

fn before<'t, 'a>(tokens: &'t [Token<'a>], at: usize) -> Option<&'t Token<'a>> {
    at.checked_sub(1).and_then(|before| tokens.get(before))
}

fn say(force: Force, name: &str, called: bool, when: When, line: &Line<'_>, desk: &mut Desk<'_>) {
    let severity = match (when, force) {
        (When::Import, Force::Executes | Force::Reaches) | (When::Built, Force::Executes) => Severity::High,
        (When::Import, Force::Loads) | (When::Built, Force::Reaches) | (When::Called, Force::Executes) => {
            Severity::Medium
        }
        _ => Severity::Low,
    };
    let time = match when {
        When::Import => "when it is imported",
        When::Built => "when the model is built or used",
        When::Called => "in a function",
        When::Program => "when it is run as a program",
    };
    let verb = if called { "calls" } else { "hands on" };
    desk.find_as(&rules::PYTHON, severity, format!("{verb} `{}` {time}", show(name)), (line.at, 0), Vec::new());
}

/// A dotted name and how many tokens it takes.
fn dotted<'t>(tokens: &[Token<'t>]) -> Option<(Vec<&'t str>, usize)> {
    let Some(Token::Name(first)) = tokens.first() else { return None };
    let mut parts = vec![*first];
    let mut len = 1;
    while let (Some(Token::Sign('.')), Some(Token::Name(next))) = (tokens.get(len), tokens.get(len + 1)) {
        parts.push(next);
        len += 2;
    }
    Some((parts, len))
}

/// The head of a compound statement, and what follows its colon on the same line.
fn split<'t, 'a>(tokens: &'t [Token<'a>]) -> (&'t [Token<'a>], &'t [Token<'a>]) {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Token::Sign(':') if depth == 0 => {
                let (head, body) = tokens.split_at(at);
                return (head, body.get(1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (tokens, &[])
}
