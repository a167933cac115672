//! The walk over a parsed template.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use bartizan_core::{Reason, Severity};
use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, Stmt};

use super::{condition, is_internal, is_plain, sentence};
use crate::bytes::show;
use crate::desk::Desk;
use crate::rules;

/// Depth to which concatenations of texts are put together.
const FOLD: usize = 32;

/// Names of the renderer that lead to Python's modules.
const ROOTS: &[&str] = &[
    "lipsum",
    "cycler",
    "joiner",
    "self",
    "config",
    "request",
    "session",
    "g",
    "url_for",
    "get_flashed_messages",
    "os",
    "sys",
    "subprocess",
    "__builtins__",
];

/// Functions that renderers of chat templates bring.
const FUNCTIONS: &[&str] = &[
    "raise_exception",
    "strftime_now",
    "range",
    "namespace",
    "dict",
    "list",
    "super",
    "caller",
    "debug",
    "len",
    "str",
    "int",
    "cycler",
    "joiner",
    "lipsum",
];

/// Examines the statements of a template that stands at `offset`.
pub(super) fn examine(statements: &[Stmt<'_>], offset: usize, desk: &mut Desk<'_>) {
    let mut walk = Walk {
        offset,
        tainted: HashSet::new(),
        listed: HashMap::new(),
        macros: HashSet::new(),
        texts: HashMap::new(),
        dated: HashSet::new(),
        switched: HashSet::new(),
        work: Cell::new(WORK),
    };
    // A variable may be set behind the condition that reads it, in a loop.
    for _ in 0..PASSES {
        walk.collect(statements);
    }
    walk.statements(statements, desk);
    if walk.work.get() == 0 {
        desk.partial(Reason::TooLong, 0, "the template puts more texts together than the limit");
    }
}

struct Walk<'a> {
    offset: usize,
    /// Variables that hold content of messages.
    tainted: HashSet<&'a str>,
    /// Variables that go through a list of words, with one of them.
    listed: HashMap<&'a str, String>,
    /// Macros of the template.
    macros: HashSet<&'a str>,
    /// Variables and attributes that are set, with the texts that they may be.
    texts: HashMap<&'a str, Vec<String>>,
    /// Variables that hold a date.
    dated: HashSet<&'a str>,
    /// Variables that are set where a date is compared.
    switched: HashSet<&'a str>,
    /// Bytes that may still be put together.
    work: Cell<usize>,
}

/// What a statement sets.
fn target<'a>(expression: &Expr<'a>) -> Option<&'a str> {
    match expression {
        Expr::Var(v) => Some(v.id),
        Expr::GetAttr(g) => Some(g.name),
        _ => None,
    }
}

/// The bodies of a statement.
fn bodies<'s, 'a>(statement: &'s Stmt<'a>) -> Vec<&'s [Stmt<'a>]> {
    match statement {
        Stmt::Template(t) => vec![&t.children],
        Stmt::ForLoop(f) => vec![&f.body, &f.else_body],
        Stmt::IfCond(i) => vec![&i.true_body, &i.false_body],
        Stmt::WithBlock(w) => vec![&w.body],
        Stmt::SetBlock(s) => vec![&s.body],
        Stmt::AutoEscape(a) => vec![&a.body],
        Stmt::FilterBlock(f) => vec![&f.body],
        Stmt::Block(b) => vec![&b.body],
        Stmt::Macro(m) => vec![&m.body],
        Stmt::CallBlock(c) => vec![&c.macro_decl.body],
        _ => Vec::new(),
    }
}

/// The expressions of a statement itself.
fn expressions<'s, 'a>(statement: &'s Stmt<'a>) -> Vec<&'s Expr<'a>> {
    match statement {
        Stmt::EmitExpr(e) => vec![&e.expr],
        Stmt::ForLoop(f) => [Some(&f.target), Some(&f.iter), f.filter_expr.as_ref()].into_iter().flatten().collect(),
        Stmt::IfCond(i) => vec![&i.expr],
        Stmt::WithBlock(w) => w.assignments.iter().flat_map(|(a, b)| [a, b]).collect(),
        Stmt::Set(s) => vec![&s.target, &s.expr],
        Stmt::SetBlock(s) => std::iter::once(&s.target).chain(s.filter.as_ref()).collect(),
        Stmt::AutoEscape(a) => vec![&a.enabled],
        Stmt::FilterBlock(f) => vec![&f.filter],
        Stmt::Macro(m) => m.args.iter().chain(&m.defaults).collect(),
        Stmt::CallBlock(c) => std::iter::once(&c.call.expr).chain(c.call.args.iter().map(argument)).collect(),
        Stmt::Do(d) => std::iter::once(&d.call.expr).chain(d.call.args.iter().map(argument)).collect(),
        _ => Vec::new(),
    }
}

fn argument<'s, 'a>(argument: &'s CallArg<'a>) -> &'s Expr<'a> {
    match argument {
        CallArg::Pos(e) | CallArg::Kwarg(_, e) | CallArg::PosSplat(e) | CallArg::KwargSplat(e) => e,
    }
}

/// The expressions directly inside of one.
fn inside<'s, 'a>(expression: &'s Expr<'a>) -> Vec<&'s Expr<'a>> {
    match expression {
        Expr::Var(_) | Expr::Const(_) => Vec::new(),
        Expr::Slice(s) => {
            [Some(&s.expr), s.start.as_ref(), s.stop.as_ref(), s.step.as_ref()].into_iter().flatten().collect()
        }
        Expr::UnaryOp(u) => vec![&u.expr],
        Expr::BinOp(b) => vec![&b.left, &b.right],
        Expr::Compare(c) => std::iter::once(&c.expr).chain(c.ops.iter().map(|o| &o.expr)).collect(),
        Expr::IfExpr(i) => {
            [Some(&i.test_expr), Some(&i.true_expr), i.false_expr.as_ref()].into_iter().flatten().collect()
        }
        Expr::Filter(f) => f.expr.iter().chain(f.args.iter().map(argument)).collect(),
        Expr::Test(t) => std::iter::once(&t.expr).chain(t.args.iter().map(argument)).collect(),
        Expr::GetAttr(g) => vec![&g.expr],
        Expr::GetItem(g) => vec![&g.expr, &g.subscript_expr],
        Expr::Call(c) => std::iter::once(&c.expr).chain(c.args.iter().map(argument)).collect(),
        Expr::List(l) => l.items.iter().collect(),
        Expr::Tuple(t) => t.items.iter().collect(),
        Expr::Map(m) => m.keys.iter().chain(&m.values).collect(),
    }
}

/// An expression and all inside of it.
fn all<'s, 'a>(expression: &'s Expr<'a>) -> Vec<&'s Expr<'a>> {
    let (mut open, mut found) = (vec![expression], Vec::new());
    while let Some(expression) = open.pop() {
        found.push(expression);
        open.extend(inside(expression));
    }
    found
}

/// Texts that a variable or an expression may be, and no more.
const TEXTS: usize = 8;
/// Longest text that is put together, bytes.
const LONGEST: usize = 4096;
/// Bytes that are put together for one template.
const WORK: usize = 32 << 20;
/// Passes over the statements: what is set may be of what is set behind it.
const PASSES: usize = 4;

/// What every renderer brings. No template asks them for an item.
const GLOBALS: &[&str] =
    &["cycler", "joiner", "lipsum", "namespace", "self", "raise_exception", "strftime_now", "range", "dict"];

/// `'%c%s'|format(95, '_')` and `'%s' % '_'`.
fn formatted(pattern: &str, values: &[String]) -> String {
    let mut values = values.iter();
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c == '%').then(|| chars.next()).flatten() {
            Some('c') => {
                let value = values.next().map(String::as_str).unwrap_or_default();
                let code = value.parse().ok().and_then(char::from_u32);
                out.extend(code.into_iter().chain(value.chars().take(usize::from(code.is_none()))));
            }
            Some('s' | 'd' | 'i' | 'r') => out.push_str(values.next().map(String::as_str).unwrap_or_default()),
            Some(other) => out.push(other),
            None => out.push(c),
        }
    }
    out
}

/// Python's slice of a text.
fn slice(text: &str, start: Option<i64>, stop: Option<i64>, step: i64) -> String {
    let chars: Vec<char> = text.chars().collect();
    let len = i64::try_from(chars.len()).unwrap_or(i64::MAX);
    let place = |at: i64| (if at < 0 { at + len } else { at }).clamp(0, len);
    let (low, high) = (start.map_or(0, place), stop.map_or(len, place));
    let pick = |at: i64| usize::try_from(at).ok().and_then(|at| chars.get(at)).copied();
    let width = usize::try_from(step.unsigned_abs().max(1)).unwrap_or(1);
    if step < 0 {
        let (low, high) = (stop.map_or(0, |s| place(s) + 1), start.map_or(len, |s| (place(s) + 1).min(len)));
        return (low..high).rev().step_by(width).filter_map(pick).collect();
    }
    (low..high).step_by(width).filter_map(pick).collect()
}

fn integer(expression: &Expr<'_>) -> Option<i64> {
    match expression {
        Expr::Const(c) => i64::try_from(c.value.clone()).ok(),
        Expr::UnaryOp(u) => integer(&u.expr).and_then(i64::checked_neg),
        _ => None,
    }
}

impl<'a> Walk<'a> {
    fn collect(&mut self, statements: &[Stmt<'a>]) {
        let mut open: Vec<&[Stmt<'a>]> = vec![statements];
        while let Some(statements) = open.pop() {
            for statement in statements {
                match statement {
                    Stmt::Set(s) => self.set(&s.target, &s.expr),
                    Stmt::WithBlock(w) => w.assignments.iter().for_each(|(to, from)| self.set(to, from)),
                    Stmt::ForLoop(f) if self.is_content(&f.iter) => self.taint(&f.target),
                    Stmt::ForLoop(f) => {
                        let words: Vec<String> = list(&f.iter).iter().flat_map(|item| self.texts(item, 0)).collect();
                        if let Expr::Var(v) = &f.target {
                            if let Some(word) = words.iter().find(|word| is_plain(word)) {
                                self.listed.insert(v.id, word.clone());
                            }
                            self.remember(v.id, words);
                        }
                    }
                    Stmt::IfCond(i) if all(&i.expr).into_iter().any(|e| self.is_dated(e)) => {
                        let compared = all(&i.expr).into_iter().any(|e| matches!(e, Expr::Compare(_) | Expr::BinOp(_)));
                        for statement in i.true_body.iter().chain(&i.false_body).filter(|_| compared) {
                            if let Stmt::Set(s) = statement
                                && matches!(s.expr, Expr::Const(_))
                            {
                                self.switched.extend(target(&s.target));
                            }
                        }
                    }
                    Stmt::Macro(m) => {
                        self.macros.insert(m.name);
                    }
                    _ => {}
                }
                open.extend(bodies(statement));
            }
        }
    }

    fn taint(&mut self, expression: &Expr<'a>) {
        self.tainted.extend(target(expression));
    }

    fn set(&mut self, to: &Expr<'a>, from: &Expr<'a>) {
        if self.is_content(from) {
            self.taint(to);
        }
        if self.is_dated(from) {
            self.dated.extend(target(to));
        }
        let texts = self.texts(from, 0);
        if let Some(name) = target(to) {
            self.remember(name, texts);
        }
        // `namespace(u='_')`
        if let Expr::Call(c) = from {
            for argument in &c.args {
                if let CallArg::Kwarg(name, value) = argument {
                    let texts = self.texts(value, 0);
                    self.remember(name, texts);
                }
            }
        }
        for (to, from) in list(to).iter().zip(list(from)) {
            self.set(to, from);
        }
    }

    fn remember(&mut self, name: &'a str, texts: Vec<String>) {
        let known = self.texts.entry(name).or_default();
        for text in texts {
            if known.len() < TEXTS && !known.contains(&text) {
                known.push(text);
            }
        }
    }

    /// The text that an expression is, put together from its pieces.
    fn fold(&self, expression: &Expr<'_>, depth: usize) -> Option<String> {
        self.texts(expression, depth).into_iter().next()
    }

    /// The texts that an expression may be.
    fn texts(&self, expression: &Expr<'_>, depth: usize) -> Vec<String> {
        if depth >= FOLD {
            return Vec::new();
        }
        let inner = |e: &Expr<'_>| self.texts(e, depth + 1);
        let mut found: Vec<String> = match expression {
            Expr::Const(c) => match c.value.as_str() {
                Some(text) => vec![text.to_owned()],
                None => integer(expression).map(|number| number.to_string()).into_iter().collect(),
            },
            Expr::Var(v) => self.texts.get(v.id).cloned().unwrap_or_default(),
            Expr::GetAttr(g) => self.texts.get(g.name).cloned().unwrap_or_default(),
            Expr::BinOp(b) => match b.op {
                BinOpKind::Add | BinOpKind::Concat => {
                    let (left, right) = (inner(&b.left), inner(&b.right));
                    left.iter().flat_map(|l| right.iter().map(move |r| format!("{l}{r}"))).take(TEXTS).collect()
                }
                BinOpKind::Mul => {
                    let (text, count) = match (integer(&b.left), integer(&b.right)) {
                        (_, Some(count)) => (&b.left, count),
                        (Some(count), _) => (&b.right, count),
                        _ => return Vec::new(),
                    };
                    let count = usize::try_from(count).unwrap_or(0);
                    let fits = |text: &String| text.len().saturating_mul(count) <= LONGEST;
                    inner(text).into_iter().filter(fits).map(|text| text.repeat(count)).collect()
                }
                BinOpKind::Rem => {
                    let values: Vec<String> = match &b.right {
                        right @ (Expr::List(_) | Expr::Tuple(_)) => {
                            list(right).iter().filter_map(|v| inner(v).into_iter().next()).collect()
                        }
                        other => inner(other).into_iter().take(1).collect(),
                    };
                    inner(&b.left).iter().map(|pattern| formatted(pattern, &values)).collect()
                }
                _ => Vec::new(),
            },
            Expr::Slice(s) => {
                let step = s.step.as_ref().map_or(Some(1), integer).unwrap_or(1);
                let (start, stop) = (s.start.as_ref().and_then(integer), s.stop.as_ref().and_then(integer));
                inner(&s.expr).iter().map(|text| slice(text, start, stop, step)).collect()
            }
            Expr::GetItem(g) => match (&g.expr, integer(&g.subscript_expr)) {
                (items @ (Expr::List(_) | Expr::Tuple(_)), Some(at)) => {
                    usize::try_from(at).ok().and_then(|at| list(items).get(at)).map(inner).unwrap_or_default()
                }
                (text, Some(at)) => {
                    let end = if at == -1 { None } else { at.checked_add(1) };
                    inner(text).iter().map(|text| slice(text, Some(at), end, 1)).collect()
                }
                _ => Vec::new(),
            },
            Expr::IfExpr(i) => {
                inner(&i.true_expr).into_iter().chain(i.false_expr.iter().flat_map(inner)).take(TEXTS).collect()
            }
            Expr::Filter(f) => {
                let Some(of) = f.expr.as_ref() else { return Vec::new() };
                self.filtered(f.name, of, &f.args, depth)
            }
            Expr::Call(c) => match &c.expr {
                Expr::GetAttr(g) => self.filtered(g.name, &g.expr, &c.args, depth),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        found.retain(|text| matches!(expression, Expr::Const(_)) || text.len() <= LONGEST);
        let work = found.iter().map(|text| text.len() + 1).sum();
        self.work.set(self.work.get().saturating_sub(work));
        if self.work.get() == 0 { Vec::new() } else { found }
    }

    /// The texts that a filter or a method makes of what it is given.
    fn filtered(&self, name: &str, of: &Expr<'_>, args: &[CallArg<'_>], depth: usize) -> Vec<String> {
        let inner = |e: &Expr<'_>| self.texts(e, depth + 1);
        let value = |at: usize| args.get(at).map(argument).and_then(|e| inner(e).into_iter().next());
        match name {
            // `['__cla', 'ss__']|join`, `'_'.join(['', 'x'])`
            "join" => {
                let (items, between) = match of {
                    Expr::List(_) | Expr::Tuple(_) => (Some(of), value(0).unwrap_or_default()),
                    other => (args.first().map(argument), inner(other).into_iter().next().unwrap_or_default()),
                };
                let parts: Option<Vec<String>> = items
                    .map(list)
                    .map(|all| all.iter().map(|i| inner(i).into_iter().next()).collect())
                    .unwrap_or_default();
                parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(&between)).into_iter().collect()
            }
            "first" | "last" => match of {
                Expr::List(_) | Expr::Tuple(_) => {
                    let item = if name == "first" { list(of).first() } else { list(of).last() };
                    item.map(inner).unwrap_or_default()
                }
                _ => inner(of)
                    .iter()
                    .map(|t| if name == "first" { slice(t, None, Some(1), 1) } else { slice(t, Some(-1), None, 1) })
                    .collect(),
            },
            "lower" => inner(of).iter().map(|text| text.to_lowercase()).collect(),
            "upper" => inner(of).iter().map(|text| text.to_uppercase()).collect(),
            "trim" | "strip" | "string" | "safe" | "escape" | "e" => inner(of),
            "reverse" => inner(of).iter().map(|text| text.chars().rev().collect()).collect(),
            "replace" => match (value(0), value(1)) {
                (Some(from), Some(to)) if !from.is_empty() => {
                    let fits = |text: &&String| text.len().saturating_mul(to.len() + 1) <= LONGEST * 16;
                    inner(of).iter().filter(fits).map(|text| text.replace(&from, &to)).collect()
                }
                _ => Vec::new(),
            },
            "format" => {
                let values: Vec<String> = (0..args.len().min(LONGEST)).filter_map(value).collect();
                // Python's own has braces.
                inner(of).iter().map(|text| formatted(&text.replace("{}", "%s"), &values)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// True where a value is a date, whatever it was turned into. A text with a date in it is none.
    fn is_dated(&self, expression: &Expr<'_>) -> bool {
        let mut at = expression;
        for _ in 0..FOLD {
            at = match at {
                Expr::Var(v) => return self.dated.contains(v.id),
                Expr::Call(c) => match &c.expr {
                    Expr::Var(v) if v.id == "strftime_now" => return true,
                    Expr::GetAttr(g) => &g.expr,
                    _ => return false,
                },
                Expr::GetAttr(g) if self.dated.contains(g.name) => return true,
                Expr::Filter(f) => match f.expr.as_ref() {
                    Some(of) => of,
                    None => return false,
                },
                Expr::Slice(s) => &s.expr,
                Expr::GetItem(g) => &g.expr,
                Expr::BinOp(b) if matches!(b.op, BinOpKind::Sub | BinOpKind::Add) && integer(&b.right).is_some() => {
                    &b.left
                }
                _ => return false,
            };
        }
        false
    }

    /// True where the value of an expression comes from what somebody said.
    fn is_content(&self, expression: &Expr<'_>) -> bool {
        all(expression).into_iter().any(|e| match e {
            Expr::GetAttr(g) => matches!(g.name, "content" | "text") || self.tainted.contains(g.name),
            Expr::GetItem(g) => {
                matches!(&g.subscript_expr, Expr::Const(c) if matches!(c.value.as_str(), Some("content" | "text")))
            }
            Expr::Var(v) => self.tainted.contains(v.id),
            // `messages|map(attribute='content')`
            Expr::Filter(f) if f.name == "map" => f
                .args
                .iter()
                .any(|a| matches!(argument(a), Expr::Const(c) if matches!(c.value.as_str(), Some("content" | "text")))),
            _ => false,
        })
    }

    /// What an item is asked for by, where no template asks so.
    fn subscript(&self, of: &Expr<'_>, by: &Expr<'_>) -> Option<&'static str> {
        if let Expr::Var(v) = of
            && GLOBALS.contains(&v.id)
            && !self.texts.contains_key(v.id)
        {
            return Some("an expression asks for an item of what the renderer brings");
        }
        let made = !matches!(by, Expr::Const(_))
            && all(by).into_iter().any(|e| self.texts(e, 0).iter().any(|t| t.contains("__")));
        made.then_some("an expression asks for an item by a name that is put together")
    }

    /// A word of what somebody said that becomes another one.
    fn rewritten(&self, of: &Expr<'_>, args: &[CallArg<'_>]) -> Option<(String, String)> {
        let plain = |text: &String| {
            text.chars().filter(|c| c.is_alphabetic()).count() >= 3
                && !text.contains(['<', '>', '[', ']', '|', '{', '}', '`'])
        };
        let [from, to] = args else { return None };
        let (from, to) = (self.fold(argument(from), 0).filter(plain)?, self.fold(argument(to), 0).filter(plain)?);
        self.is_content(of).then_some((from, to))
    }

    fn statements(&mut self, statements: &[Stmt<'a>], desk: &mut Desk<'_>) {
        let mut open: Vec<&[Stmt<'a>]> = vec![statements];
        while let Some(statements) = open.pop() {
            for statement in statements {
                let at = self.offset + place(statement);
                for expression in expressions(statement) {
                    self.expression(expression, at, desk);
                }
                match statement {
                    Stmt::IfCond(i) => self.branch(&i.expr, &i.true_body, at, desk),
                    Stmt::Import(_) | Stmt::FromImport(_) | Stmt::Extends(_) | Stmt::Include(_) => {
                        desk.find(&rules::TEMPLATE, "the template loads another one", at, 0);
                    }
                    _ => {}
                }
                open.extend(bodies(statement));
            }
        }
    }

    fn expression(&self, expression: &Expr<'_>, at: usize, desk: &mut Desk<'_>) {
        for part in all(expression) {
            match part {
                Expr::GetAttr(g) if is_internal(g.name) => {
                    desk.find(&rules::TEMPLATE, format!("an expression uses the attribute `{}`", show(g.name)), at, 0);
                }
                Expr::GetAttr(g) => {
                    if let Expr::Var(v) = &g.expr
                        && ROOTS.contains(&v.id)
                        && !matches!(g.name, "next" | "current" | "reset")
                    {
                        desk.find(&rules::TEMPLATE, format!("an expression reaches into `{}`", show(v.id)), at, 0);
                    }
                }
                Expr::Filter(f) if f.name == "attr" => {
                    desk.find(&rules::TEMPLATE, "an expression uses the filter `attr`", at, 0);
                }
                Expr::Call(c) => self.call(&c.expr, at, desk),
                Expr::IfExpr(i) => {
                    if let Some(text) = self.fold(&i.true_expr, 0) {
                        self.trigger(&i.test_expr, &text, at, desk);
                    }
                }
                Expr::GetItem(g) => {
                    if let Some(what) = self.subscript(&g.expr, &g.subscript_expr) {
                        desk.find(&rules::TEMPLATE, what, at, 0);
                    }
                }
                _ => {}
            }
            let rewritten = match part {
                Expr::Filter(f) if f.name == "replace" => f.expr.as_ref().and_then(|of| self.rewritten(of, &f.args)),
                Expr::Call(c) => match &c.expr {
                    Expr::GetAttr(g) if g.name == "replace" => self.rewritten(&g.expr, &c.args),
                    _ => None,
                },
                _ => None,
            };
            if let Some((from, to)) = rewritten {
                let what = format!("in what somebody said, the template writes `{}` for `{}`", show(&to), show(&from));
                // Addresses, and words that look the same, are what attackers write over; others are notices of the format.
                let letters = |text: &str| {
                    let mut all: Vec<char> = text.chars().collect();
                    all.sort_unstable();
                    all
                };
                let near = letters(&from) == letters(&to);
                let address = |text: &str| text.contains("://") || text.contains('@') || text.contains("www.");
                let severe = near || address(&from) || address(&to);
                let severity = if severe { Severity::High } else { Severity::Medium };
                desk.find_as(&rules::CONDITION, severity, what, (at, 0), Vec::new());
            }
            let args = match part {
                Expr::Call(c) => &c.args[..],
                Expr::Filter(f) => &f.args[..],
                _ => &[],
            };
            let named = args.iter().any(|a| matches!(a, CallArg::Kwarg(name, _) if is_internal(name)));
            let texts = self.texts(part, 0);
            for text in &texts {
                super::hidden(text, at, desk);
            }
            let internal = texts.iter().any(|text| {
                text.split(['.', '[', ']', '(', ')', '\'', '"', ' '])
                    .any(|word| word.starts_with("__") && is_internal(word))
            });
            if internal || named {
                desk.find(&rules::TEMPLATE, "an expression holds the name of an internal attribute", at, 0);
            }
        }
    }

    fn call(&self, callee: &Expr<'_>, at: usize, desk: &mut Desk<'_>) {
        match callee {
            Expr::Var(v) if !FUNCTIONS.contains(&v.id) && !self.macros.contains(v.id) => {
                let severity = if ROOTS.contains(&v.id) || matches!(v.id, "eval" | "exec" | "open" | "getattr") {
                    Severity::High
                } else {
                    Severity::Low
                };
                let what = format!("the template calls `{}`, which it does not define", show(v.id));
                desk.find_as(&rules::TEMPLATE, severity, what, (at, 0), Vec::new());
            }
            Expr::GetAttr(g) if matches!(g.name, "popen" | "system" | "mro" | "eval" | "exec" | "import_module") => {
                desk.find(&rules::TEMPLATE, format!("the template calls `{}`", show(g.name)), at, 0);
            }
            _ => {}
        }
    }

    /// A condition and the text that it adds.
    fn branch(&self, test: &Expr<'_>, body: &[Stmt<'_>], at: usize, desk: &mut Desk<'_>) {
        let of =
            |expression: &Expr<'_>| all(expression).into_iter().find_map(|e| self.fold(e, 0).filter(|t| sentence(t)));
        let added = body.iter().find_map(|statement| match statement {
            Stmt::EmitRaw(raw) => sentence(raw.raw).then(|| raw.raw.to_owned()),
            Stmt::EmitExpr(e) => of(&e.expr),
            Stmt::Set(s) => of(&s.expr),
            _ => None,
        });
        if let Some(added) = added {
            self.trigger(test, &added, at, desk);
        }
    }

    /// What in a condition looks for a word in a message, or for a date.
    fn trigger(&self, test: &Expr<'_>, added: &str, at: usize, desk: &mut Desk<'_>) {
        let (parts, len) = (all(test), added.len());
        let long = sentence(added);
        let empty = |e: &Expr<'_>| matches!(e, Expr::Const(c) if c.value.is_none() || c.value.as_str() == Some(""));
        // Whatever is compared with a date, even a few words behind it are none that the format needs.
        let dated = |left: &Expr<'_>, right: &Expr<'_>| self.is_dated(left) && !empty(right);
        let compared = parts.iter().any(|e| matches!(e, Expr::Compare(_) | Expr::BinOp(_)));
        for part in parts {
            let word = match part {
                Expr::BinOp(b) if matches!(b.op, BinOpKind::In | BinOpKind::Eq) => {
                    self.word(&b.left, &b.right).or_else(|| self.word(&b.right, &b.left))
                }
                Expr::Compare(c) => c.ops.iter().find_map(|o| {
                    matches!(o.op, CompareOpKind::In | CompareOpKind::Eq)
                        .then(|| self.word(&c.expr, &o.expr).or_else(|| self.word(&o.expr, &c.expr)))
                        .flatten()
                }),
                Expr::Call(c) => match &c.expr {
                    Expr::GetAttr(g)
                        if matches!(
                            g.name,
                            "startswith"
                                | "endswith"
                                | "find"
                                | "count"
                                | "index"
                                | "rfind"
                                | "split"
                                | "rsplit"
                                | "partition"
                                | "rpartition"
                                | "replace"
                                | "removeprefix"
                                | "removesuffix"
                        ) && self.is_content(&g.expr) =>
                    {
                        c.args.iter().map(argument).find_map(|a| self.fold(a, 0)).filter(|w| is_plain(w))
                    }
                    _ => None,
                },
                Expr::Filter(f) if f.name == "replace" && f.expr.as_ref().is_some_and(|of| self.is_content(of)) => {
                    f.args.first().map(argument).and_then(|a| self.fold(a, 0)).filter(|w| is_plain(w))
                }
                Expr::Filter(f) if matches!(f.name, "selectattr" | "rejectattr") => {
                    let mut args = f.args.iter().map(argument);
                    let content = args
                        .next()
                        .and_then(|a| self.fold(a, 0))
                        .is_some_and(|a| matches!(a.as_str(), "content" | "text"));
                    args.skip(1).flat_map(all).find_map(|a| self.fold(a, 0)).filter(|w| content && is_plain(w))
                }
                Expr::Test(t) if self.is_content(&t.expr) => {
                    t.args.iter().map(argument).find_map(|a| self.fold(a, 0)).filter(|w| is_plain(w))
                }
                _ => None,
            };
            if let Some(word) = word.filter(|_| long) {
                condition(&word, at, len, desk);
            }
            let by_date = match part {
                Expr::BinOp(b) if !matches!(b.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                    dated(&b.left, &b.right) || dated(&b.right, &b.left)
                }
                Expr::Compare(c) => c.ops.iter().any(|o| dated(&c.expr, &o.expr) || dated(&o.expr, &c.expr)),
                Expr::Call(c) => compared && long && matches!(&c.expr, Expr::Var(v) if v.id == "strftime_now"),
                Expr::Var(v) => long && self.switched.contains(v.id),
                Expr::GetAttr(g) => long && self.switched.contains(g.name),
                _ => false,
            };
            let chance = long && matches!(part, Expr::Filter(f) if f.name == "random");
            if chance {
                desk.find(&rules::CONDITION, "by chance, the template adds a text of its own", at, len);
            }
            if by_date && added.split_whitespace().count() >= 2 {
                desk.find(&rules::CONDITION, "from a date on, the template adds a text of its own", at, len);
            }
        }
    }

    /// A plain word that is looked for in what somebody said.
    fn word(&self, needle: &Expr<'_>, hay: &Expr<'_>) -> Option<String> {
        if !self.is_content(hay) || self.is_content(needle) {
            return None;
        }
        match needle {
            Expr::Var(v) => self.listed.get(v.id).cloned(),
            Expr::List(_) | Expr::Tuple(_) => {
                list(needle).iter().find_map(|item| self.fold(item, 0).filter(|w| is_plain(w)))
            }
            other => self.fold(other, 0).filter(|word| is_plain(word)),
        }
    }
}

/// The items of a list or tuple.
fn list<'s, 'a>(expression: &'s Expr<'a>) -> &'s [Expr<'a>] {
    match expression {
        Expr::List(l) => &l.items,
        Expr::Tuple(t) => &t.items,
        _ => &[],
    }
}

/// Where a statement stands in the template.
fn place(statement: &Stmt<'_>) -> usize {
    let span = match statement {
        Stmt::EmitExpr(s) => s.span(),
        Stmt::ForLoop(s) => s.span(),
        Stmt::IfCond(s) => s.span(),
        Stmt::Set(s) => s.span(),
        Stmt::Macro(s) => s.span(),
        Stmt::Include(s) => s.span(),
        Stmt::Import(s) => s.span(),
        Stmt::Do(s) => s.span(),
        _ => return 0,
    };
    usize::try_from(span.start_offset).unwrap_or(0)
}
