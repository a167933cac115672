//! Follows names through a file: what they stand for, what uses them, and when that runs.

use std::collections::HashMap;

use bartizan_core::Severity;

use super::lexer::{Line, Token};
use super::{before, dotted, is_program, split};
use crate::bytes::show;
use crate::danger::{self, Force};
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

/// Methods that run when a class is called.
const MADE: &[&str] = &["__init__", "__new__", "__post_init__", "__call__"];
/// Longest name that another one stands for.
const LONGEST: usize = 256;
/// Modules all of whose names are imported, in one file.
const STARS: usize = 16;
/// Brackets around a function that are looked at.
const NEAREST: usize = 32;
/// The body of the file itself, and what stands where nothing calls it.
const FILE: usize = 0;
const NOWHERE: usize = 1;

/// When a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Import,
    /// A loader or server calls it.
    Built,
    /// A program has to call it.
    Called,
    /// Only where the file itself is the program.
    Program,
}

/// A body of statements that run together.
struct Scope<'a> {
    name: &'a str,
    /// The class that it is a method of.
    class: Option<&'a str>,
    when: When,
}

/// A use of what reaches something.
struct Use {
    scope: usize,
    force: Force,
    name: String,
    called: bool,
    at: usize,
}

/// A call of something that may be of this file.
struct Call<'a> {
    scope: usize,
    name: &'a str,
    /// It is called as an attribute of something.
    method: bool,
}

/// Reads a file line by line; what it found is said at the end.
pub(super) struct Reader<'a> {
    /// What a name stands for, by imports and plain assignments.
    names: HashMap<String, String>,
    /// Modules all of whose names were imported.
    stars: Vec<String>,
    scopes: Vec<Scope<'a>>,
    /// Bodies that are open: their indentation, and the scope or class.
    open: Vec<(usize, Body<'a>)>,
    uses: Vec<Use>,
    calls: Vec<Call<'a>>,
    /// The name of the module may be changed.
    renamed: bool,
}

#[derive(Clone, Copy)]
enum Body<'a> {
    Scope(usize),
    Class(&'a str),
}

impl<'a> Reader<'a> {
    pub(super) fn new(renamed: bool) -> Self {
        let scope = |when| Scope { name: "", class: None, when };
        Self {
            names: HashMap::new(),
            stars: Vec::new(),
            scopes: vec![scope(When::Import), scope(When::Called)],
            open: Vec::new(),
            uses: Vec::new(),
            calls: Vec::new(),
            renamed,
        }
    }

    fn scope(&mut self, name: &'a str, class: Option<&'a str>, when: When) -> usize {
        self.scopes.push(Scope { name, class, when });
        self.scopes.len() - 1
    }

    fn when(&self, scope: usize) -> When {
        self.scopes.get(scope).map_or(When::Called, |scope| scope.when)
    }

    pub(super) fn line(&mut self, line: &Line<'a>) {
        while self.open.last().is_some_and(|(indent, _)| line.indent <= *indent) {
            self.open.pop();
        }
        // A function in a function runs when the outer one is called, if at all; a method that is built runs anyway.
        let mut within = self.open.iter().filter_map(|(_, body)| match body {
            Body::Scope(scope) => Some(*scope),
            Body::Class(_) => None,
        });
        let least = within.clone().map(|scope| self.when(scope)).min();
        let outer = within.next_back().unwrap_or(FILE);
        let class = match self.open.last() {
            Some((_, Body::Class(name))) => Some(*name),
            _ => None,
        };
        let tokens = line.tokens.as_slice();
        let inner = match tokens {
            [Token::Name("def"), Token::Name(name), ..]
            | [Token::Name("async"), Token::Name("def"), Token::Name(name), ..] => {
                let own = if BUILT.contains(name) { When::Built } else { When::Called };
                let when = least.filter(|when| *when != When::Import).map_or(own, |least| least.min(own));
                Some(Body::Scope(self.scope(name, class, when)))
            }
            [Token::Name("class"), Token::Name(name), ..] => Some(Body::Class(name)),
            _ if is_program(tokens) && !self.renamed => {
                let when = least.map_or(When::Program, |least| least.min(When::Program));
                Some(Body::Scope(self.scope("", None, when)))
            }
            _ => None,
        };
        match inner {
            Some(inner) => {
                let (head, body) = split(tokens);
                self.statement(head, outer, line.at);
                let scope = match inner {
                    Body::Scope(scope) => scope,
                    Body::Class(_) => outer,
                };
                if body.is_empty() {
                    self.open.push((line.indent, inner));
                } else {
                    self.statement(body, scope, line.at);
                }
            }
            None => self.statement(tokens, outer, line.at),
        }
    }

    fn statement(&mut self, tokens: &[Token<'a>], scope: usize, at: usize) {
        // What follows the colon of an `if`, `try` or `class` on the same line is a statement of its own.
        let start = tokens.iter().position(|t| matches!(t, Token::Name("import" | "from")));
        let begins = |at: usize| at == 0 || matches!(tokens.get(at - 1), Some(Token::Sign(':')));
        if let Some(place) = start.filter(|place| begins(*place)) {
            let (before, import) = tokens.split_at(place);
            self.import(import);
            self.uses(before, scope, at);
            return;
        }
        if let [Token::Name(name), Token::Sign('='), rest @ ..] = tokens
            && !matches!(rest.first(), Some(Token::Sign('=')))
        {
            match dotted(rest).filter(|(_, len)| *len == rest.len()).map(|(parts, _)| self.resolve(&parts)) {
                // Each line may make a name longer than the one before.
                Some(target) if target.len() <= LONGEST => self.names.insert((*name).to_owned(), target),
                _ => self.names.remove(*name),
            };
            // A function under another name.
            if let [Token::Name("lambda"), ..] = rest {
                let inner = self.scope(name, None, When::Called);
                self.uses(rest.get(1..).unwrap_or_default(), inner, at);
                return;
            }
        }
        self.uses(tokens, scope, at);
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

    fn uses(&mut self, tokens: &[Token<'a>], scope: usize, line: usize) {
        let closing = brackets(tokens);
        let mut at = 0;
        // Nothing behind `lambda` runs where it stands, but where it is called at once or handed to a call.
        let mut open: Vec<usize> = Vec::new();
        let mut deferred: Option<usize> = None;
        while let Some(token) = tokens.get(at) {
            let here = if deferred.is_some() { NOWHERE } else { scope };
            match token {
                Token::Sign('(' | '[' | '{') => open.push(at),
                Token::Sign(')' | ']' | '}') => {
                    open.pop();
                    deferred = deferred.filter(|depth| open.len() >= *depth);
                }
                Token::Sign(',') => deferred = deferred.filter(|depth| open.len() > *depth),
                Token::Name("lambda") => {
                    let runs = open.iter().rev().take(NEAREST).any(|bracket| runs_inside(tokens, &closing, *bracket));
                    deferred = deferred.or((!runs).then_some(open.len()));
                }
                // The ways from any object to all others, whatever they start from.
                Token::Name(name @ ("__subclasses__" | "__globals__" | "__builtins__")) => {
                    self.note(here, Force::Executes, (*name).to_owned(), false, line);
                }
                // An attribute of a value that an expression makes.
                Token::Name(name)
                    if before(tokens, at) == Some(&Token::Sign('.'))
                        && tokens.get(at + 1) == Some(&Token::Sign('(')) =>
                {
                    self.calls.push(Call { scope: here, name, method: true });
                    if let Some(force) = danger::attribute(name) {
                        self.note(here, force, format!("….{name}"), true, line);
                    }
                }
                // What is defined, or is an attribute of a value, is another thing of the same name.
                Token::Name(_)
                    if !matches!(before(tokens, at), Some(Token::Sign('.') | Token::Name("def" | "class"))) =>
                {
                    let (parts, len) = dotted(tokens.get(at..).unwrap_or_default()).unwrap_or_default();
                    let next = tokens.get(at + len);
                    let called = next == Some(&Token::Sign('('));
                    // The name of an argument or of a parameter.
                    if !called && matches!(next, Some(Token::Sign('=' | ':'))) {
                        at += len;
                        continue;
                    }
                    let decorates = at == 1 && tokens.first() == Some(&Token::Sign('@'));
                    let arguments = tokens.get(at + len + 1..).unwrap_or_default();
                    self.used(&parts, called || decorates, arguments, here, line);
                    at += len.max(1);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn used(&mut self, parts: &[&'a str], called: bool, arguments: &[Token<'_>], scope: usize, line: usize) {
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
        if called && let (Some(last), Some(first)) = (parts.last(), parts.first()) {
            self.calls.push(Call { scope, name: last, method: parts.len() > 1 });
            // An attribute of something that cannot be told.
            let own = matches!(*first, "self" | "cls" | "super") && parts.len() == 2;
            if force.is_none() && parts.len() > 1 && !own && !self.names.contains_key(*first) {
                force = danger::attribute(last);
            }
        }
        let Some(force) = force else { return };
        if called || force == Force::Executes && name != "builtins.compile" {
            self.note(scope, force, name.strip_prefix("builtins.").unwrap_or(&name).to_owned(), called, line);
        }
    }

    fn note(&mut self, scope: usize, force: Force, name: String, called: bool, at: usize) {
        self.uses.push(Use { scope, force, name, called, at });
    }

    /// Says what was found, with functions and classes of the file running when they are called.
    pub(super) fn finish(mut self, desk: &mut Desk<'_>) {
        self.promote();
        for one in &self.uses {
            let when = self.when(one.scope);
            // A name that is handed on runs elsewhere; only those that run code are worth it.
            if one.called || one.name.starts_with("__") || matches!(when, When::Import | When::Built) {
                say(one, when, desk);
            }
        }
    }

    fn promote(&mut self) {
        let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, scope) in self.scopes.iter().enumerate().filter(|(_, scope)| !scope.name.is_empty()) {
            named.entry(scope.name).or_default().push(at);
            if let Some(class) = scope.class.filter(|_| MADE.contains(&scope.name)) {
                named.entry(class).or_default().push(at);
            }
        }
        let mut made: HashMap<usize, Vec<&Call<'_>>> = HashMap::new();
        for call in &self.calls {
            made.entry(call.scope).or_default().push(call);
        }
        // What a name stands for is gone through twice at most: when it is built, and when it is imported.
        let mut done: HashMap<(&str, bool), When> = HashMap::new();
        let mut changed: Vec<usize> = (0..self.scopes.len()).filter(|at| *at != NOWHERE).collect();
        while let Some(caller) = changed.pop() {
            let when = self.scopes.get(caller).map_or(When::Called, |scope| scope.when);
            if when > When::Built {
                continue;
            }
            for call in made.get(&caller).map(Vec::as_slice).unwrap_or_default() {
                if done.get(&(call.name, call.method)).is_some_and(|before| *before <= when) {
                    continue;
                }
                done.insert((call.name, call.method), when);
                for callee in named.get(call.name).map(Vec::as_slice).unwrap_or_default() {
                    if let Some(scope) = self.scopes.get_mut(*callee)
                        && scope.when > when
                        && (call.method || scope.class.is_none() || scope.class == Some(call.name))
                    {
                        scope.when = when;
                        changed.push(*callee);
                    }
                }
            }
        }
    }
}

/// Where each bracket closes.
fn brackets(tokens: &[Token<'_>]) -> HashMap<usize, usize> {
    let mut open = Vec::new();
    let mut closing = HashMap::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[' | '{') => open.push(at),
            Token::Sign(')' | ']' | '}') => {
                closing.extend(open.pop().map(|start| (start, at)));
            }
            _ => {}
        }
    }
    closing
}

/// True where a function that stands in the bracket is called: by what the bracket calls, or by what follows it.
fn runs_inside(tokens: &[Token<'_>], closing: &HashMap<usize, usize>, bracket: usize) -> bool {
    let follows = closing.get(&bracket).and_then(|end| tokens.get(end + 1)) == Some(&Token::Sign('('));
    let calls = tokens.get(bracket) == Some(&Token::Sign('('))
        && matches!(before(tokens, bracket), Some(Token::Sign(')' | ']')))
        || tokens.get(bracket) == Some(&Token::Sign('('))
            && matches!(before(tokens, bracket), Some(Token::Name(name)) if !super::WORDS.contains(name));
    follows || calls
}

fn say(one: &Use, when: When, desk: &mut Desk<'_>) {
    let severity = match (when, one.force) {
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
    let verb = if one.called { "calls" } else { "hands on" };
    desk.find_as(&rules::PYTHON, severity, format!("{verb} `{}` {time}", show(&one.name)), (one.at, 0), Vec::new());
}
