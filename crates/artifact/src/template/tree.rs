//! The walk over a parsed template.

use std::collections::{HashMap, HashSet};

use bartizan_core::Severity;
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
    let mut walk = Walk { offset, tainted: HashSet::new(), listed: HashMap::new(), macros: HashSet::new() };
    // Twice: a variable may be set behind the condition that reads it, in a loop.
    walk.collect(statements);
    walk.collect(statements);
    walk.statements(statements, desk);
}

struct Walk<'a> {
    offset: usize,
    /// Variables that hold content of messages.
    tainted: HashSet<&'a str>,
    /// Variables that go through a list of words, with one of them.
    listed: HashMap<&'a str, String>,
    /// Macros of the template.
    macros: HashSet<&'a str>,
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

/// The text that an expression is, put together from its pieces.
fn fold(expression: &Expr<'_>, depth: usize) -> Option<String> {
    match expression {
        Expr::Const(c) => c.value.as_str().map(str::to_owned),
        Expr::BinOp(b) if matches!(b.op, BinOpKind::Add | BinOpKind::Concat) && depth < FOLD => {
            Some(fold(&b.left, depth + 1)? + &fold(&b.right, depth + 1)?)
        }
        // `['__cla', 'ss__']|join`
        Expr::Filter(f) if f.name == "join" && f.args.is_empty() => match f.expr.as_ref()? {
            Expr::List(l) if depth < FOLD => l.items.iter().map(|i| fold(i, depth + 1)).collect(),
            _ => None,
        },
        Expr::Filter(f) if matches!(f.name, "lower" | "trim" | "string" | "safe") && depth < FOLD => {
            fold(f.expr.as_ref()?, depth + 1)
        }
        Expr::Filter(f) if f.name == "reverse" && depth < FOLD => {
            Some(fold(f.expr.as_ref()?, depth + 1)?.chars().rev().collect())
        }
        _ => None,
    }
}

impl<'a> Walk<'a> {
    fn collect(&mut self, statements: &[Stmt<'a>]) {
        let mut open: Vec<&[Stmt<'a>]> = vec![statements];
        while let Some(statements) = open.pop() {
            for statement in statements {
                match statement {
                    Stmt::Set(s) if self.is_content(&s.expr) => self.taint(&s.target),
                    Stmt::ForLoop(f) if self.is_content(&f.iter) => self.taint(&f.target),
                    Stmt::ForLoop(f) => {
                        let word = list(&f.iter).iter().find_map(|item| fold(item, 0).filter(|word| is_plain(word)));
                        if let (Expr::Var(v), Some(word)) = (&f.target, word) {
                            self.listed.insert(v.id, word);
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

    fn taint(&mut self, target: &Expr<'a>) {
        match target {
            Expr::Var(v) => {
                self.tainted.insert(v.id);
            }
            Expr::GetAttr(g) => {
                self.tainted.insert(g.name);
            }
            _ => {}
        }
    }

    /// True where the value of an expression comes from what somebody said.
    fn is_content(&self, expression: &Expr<'_>) -> bool {
        all(expression).into_iter().any(|e| match e {
            Expr::GetAttr(g) => matches!(g.name, "content" | "text") || self.tainted.contains(g.name),
            Expr::GetItem(g) => {
                matches!(&g.subscript_expr, Expr::Const(c) if matches!(c.value.as_str(), Some("content" | "text")))
            }
            Expr::Var(v) => self.tainted.contains(v.id),
            _ => false,
        })
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
                    if let Some(text) = fold(&i.true_expr, 0).filter(|text| sentence(text)) {
                        self.trigger(&i.test_expr, text.len(), at, desk);
                    }
                }
                _ => {}
            }
            let text = fold(part, 0);
            let internal = text.as_deref().is_some_and(|text| {
                text.split(['.', '[', ']', '(', ')', '\'', '"', ' '])
                    .any(|word| word.starts_with("__") && is_internal(word))
            });
            if internal {
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
        let added = body.iter().find_map(|statement| match statement {
            Stmt::EmitRaw(raw) => sentence(raw.raw).then(|| raw.raw.to_owned()),
            Stmt::EmitExpr(e) => all(&e.expr).into_iter().find_map(|e| fold(e, 0).filter(|t| sentence(t))),
            Stmt::Set(s) => all(&s.expr).into_iter().find_map(|e| fold(e, 0).filter(|t| sentence(t))),
            _ => None,
        });
        if let Some(added) = added {
            self.trigger(test, added.len(), at, desk);
        }
    }

    /// What in a condition looks for a word in a message, or for a date.
    fn trigger(&self, test: &Expr<'_>, len: usize, at: usize, desk: &mut Desk<'_>) {
        let parts = all(test);
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
                        if matches!(g.name, "startswith" | "endswith" | "find" | "count" | "index" | "rfind")
                            && self.is_content(&g.expr) =>
                    {
                        c.args.iter().map(argument).find_map(|a| fold(a, 0)).filter(|w| is_plain(w))
                    }
                    _ => None,
                },
                Expr::Test(t) if self.is_content(&t.expr) => {
                    t.args.iter().map(argument).find_map(|a| fold(a, 0)).filter(|w| is_plain(w))
                }
                _ => None,
            };
            if let Some(word) = word {
                condition(&word, at, len, desk);
            }
            let dated = matches!(part, Expr::Call(c) if matches!(&c.expr, Expr::Var(v) if v.id == "strftime_now"));
            if dated && compared {
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
                list(needle).iter().find_map(|item| fold(item, 0).filter(|w| is_plain(w)))
            }
            other => fold(other, 0).filter(|word| is_plain(word)),
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
