//! Python files beside a model: what runs when a loader imports them, or builds the model that they define.

mod lexer;
mod reader;

use bartizan_core::Reason;

use self::lexer::{End, Line, Token};
use self::reader::Reader;
use crate::bytes::{contains, piece, show};
use crate::desk::Desk;

/// Words of the language that stand before or behind names.
const WORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// True where the text is Python: it can be told apart into tokens and defines, imports or runs something. Where it
/// cannot, its lines have to be more than words.
fn is_source(lines: &[Line<'_>], end: End) -> bool {
    let fits = matches!(end, End::Whole | End::Lost);
    let mut strong = 0;
    for line in lines.iter().filter(|l| l.indent == 0) {
        strong += match line.tokens.as_slice() {
            [Token::Name("exec" | "eval" | "__import__"), Token::Sign('('), ..] => 1,
            tokens if !fits => usize::from(is_whole(tokens)),
            [Token::Name("import" | "from" | "def" | "class" | "async"), Token::Name(_), ..]
            | [Token::Sign('@'), Token::Name(_), ..]
            | [Token::Name("from"), Token::Sign('.'), ..] => 1,
            _ => 0,
        };
    }
    strong >= if fits { 1 } else { 2 } || fits && is_statements(lines)
}

/// True for an import, or the head of a function or class, as the language has them.
fn is_whole(tokens: &[Token<'_>]) -> bool {
    let list = |tokens: &[Token<'_>]| {
        tokens.split(|t| *t == Token::Sign(',')).all(|part| {
            let len = dotted(part).map_or(0, |(_, len)| len);
            let rest = part.get(len..).unwrap_or_default();
            len > 0 && matches!(rest, [] | [Token::Name("as"), Token::Name(_)])
        })
    };
    match tokens {
        [Token::Name("import"), rest @ ..] => list(rest),
        [Token::Name("from"), rest @ ..] => {
            let dots = rest.iter().take_while(|t| **t == Token::Sign('.')).count();
            let rest = rest.get(dots..).unwrap_or_default();
            let len = dotted(rest).filter(|(parts, _)| parts.first() != Some(&"import")).map_or(0, |(_, len)| len);
            match rest.get(len..) {
                Some([Token::Name("import"), names @ ..]) if dots + len > 0 => {
                    let bracket = |t: &Token<'_>| matches!(t, Token::Sign('(' | ')'));
                    let names: Vec<Token<'_>> = names.iter().copied().filter(|t| !bracket(t)).collect();
                    let names = names.strip_suffix(&[Token::Sign(',')]).unwrap_or(&names);
                    names == [Token::Sign('*')] || list(names)
                }
                _ => false,
            }
        }
        [Token::Name("async"), Token::Name("def"), Token::Name(_), Token::Sign('('), rest @ ..]
        | [Token::Name("def"), Token::Name(_), Token::Sign('('), rest @ ..] => rest.contains(&Token::Sign(':')),
        [Token::Name("class"), Token::Name(_), Token::Sign('(' | ':'), rest @ ..] => {
            rest.is_empty() || rest.contains(&Token::Sign(':'))
        }
        _ => false,
    }
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
    let mut reader = Reader::new(lines.iter().any(renames));
    for line in &lines {
        reader.line(line);
    }
    reader.finish(desk);
    // What is no Python never runs: its lines were read in case they are quoted.
    if !matches!(end, End::Whole | End::Wrong) {
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

fn before<'t, 'a>(tokens: &'t [Token<'a>], at: usize) -> Option<&'t Token<'a>> {
    at.checked_sub(1).and_then(|before| tokens.get(before))
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
