//! A pack at work: one detector that reports under the rules of all its rows.

use std::borrow::Cow;
use std::ops::Range;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, HitKind, Hold, Limits, Report, Rule, RuleId, Sink, Span, Subject, Views,
};
use memchr::memmem;
use regex::{Regex, RegexBuilder};
use toml::Spanned;

use super::checksum::Checksum;
use super::schema::{Defaults, File, Mismatch, Row};
use super::shape::{Fit, Shape, Start};
use super::weak::Weakness;
use super::{LONGEST, PackError, example, page, place, schema};
use crate::tape::{Class, Tape, word_before, word_starts};

/// Most bytes before a token in which a context word may start: what a detector may look back.
const MAX_WITHIN: usize = bartizan_core::detector::LOOKBEHIND - 8;

/// Memory that one compiled regex may take.
const REGEX_SIZE: usize = 1 << 18;

/// One row, ready to match.
#[derive(Debug)]
struct Matcher {
    shapes: Vec<Shape>,
    regex: Option<Pattern>,
    context: Vec<Vec<u8>>,
    within: usize,
    entropy: f32,
    checksum: Checksum,
    mismatch: Mismatch,
    bounded: bool,
    entity: String,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    literals: Vec<memmem::Finder<'static>>,
    longest: usize,
    reader: usize,
}

/// What to try where an anchor was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// A shape that begins here, or whose middle is here, or that this word leads to.
    Shape { row: usize, shape: usize },
    /// A regex that begins here.
    Regex { row: usize },
}

/// A token that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Token {
    text: usize,
    start: usize,
    /// Longer literal text first, so that the most telling rule of several wins.
    rank: std::cmp::Reverse<usize>,
    row: usize,
    end: usize,
    lowered: bool,
}

/// A pack as a detector.
#[derive(Debug)]
pub(super) struct Pack {
    rules: Vec<Rule>,
    rows: Vec<Matcher>,
    literals: Vec<Cow<'static, str>>,
    targets: Vec<Vec<Target>>,
    /// How many numbers were given to shapes and regexes, under which a [`Pass`] remembers for them.
    readers: usize,
}

/// What is remembered while one text is read from its start to its end, so that places that overlap cost no more than
/// others.
struct Pass<'a> {
    tape: Tape<'a>,
    weakness: Weakness,
    /// By reader: starts that a context word led to.
    tried: Vec<Span>,
}

impl<'a> Pass<'a> {
    fn new(text: &'a str) -> Self {
        Self { tape: Tape::new(text), weakness: Weakness::default(), tried: Vec::new() }
    }

    /// What of `from..until` was not tried yet, as far as the last words tell.
    fn untried(&mut self, reader: usize, from: usize, until: usize) -> Range<usize> {
        if self.tried.len() <= reader {
            self.tried.resize(reader + 1, Span::default());
        }
        let Some(tried) = self.tried.get_mut(reader) else { return from..until };
        let known = if tried.start <= from && from <= tried.end { *tried } else { Span::new(from, from) };
        *tried = Span::new(known.start, known.end.max(until));
        known.end..until
    }
}

fn fail(toml: &str, at: &std::ops::Range<usize>, rule: &str, reason: String) -> PackError {
    let (line, column) = place(toml, at.start);
    PackError::Rule { line, column, rule: rule.to_owned(), reason }
}

impl Pack {
    /// Builds the detector and gives back the rows, for their examples.
    pub(super) fn build(toml: &str) -> Result<(Self, Vec<Row>), PackError> {
        let file: File = toml::from_str(toml).map_err(|error| {
            let (line, column) = place(toml, error.span().map_or(0, |s| s.start));
            PackError::Toml { line, column, reason: error.message().trim().to_owned() }
        })?;
        let mut pack = Self { rules: vec![], rows: vec![], literals: vec![], targets: vec![], readers: 0 };
        for row in &file.rule {
            pack.add(row, &file.defaults, toml)?;
        }
        Ok((pack, file.rule))
    }

    fn add(&mut self, row: &Row, defaults: &Defaults, toml: &str) -> Result<(), PackError> {
        let id = row.id.get_ref();
        let bad = |at: &Spanned<String>, reason: String| fail(toml, &at.span(), id, reason);
        let rule_id = RuleId::parse(id).map_err(|reason| bad(&row.id, reason))?;
        if self.rules.iter().any(|r| r.id == rule_id) {
            return Err(bad(&row.id, "the id is used twice; give every rule its own".to_owned()));
        }
        if row.fire.is_empty() || row.silent.is_empty() {
            return Err(bad(&row.id, "`fire` and `silent` need at least one example each".to_owned()));
        }
        if row.references.is_empty() {
            return Err(bad(&row.id, "`references` needs at least one entry".to_owned()));
        }
        if row.within > MAX_WITHIN {
            return Err(bad(&row.id, format!("`within` is at most {MAX_WITHIN}")));
        }
        if row.context.iter().any(|c| c.len() < 3 || !c.is_ascii() || c.len() > row.within) {
            return Err(bad(
                &row.id,
                "a context word has at least three ASCII characters and is shorter than `within`".to_owned(),
            ));
        }
        if row.shapes.is_empty() == row.regex.is_none() {
            return Err(bad(&row.id, "give either `shapes` or `regex`".to_owned()));
        }
        let index = self.rows.len();
        let mut shapes = Vec::new();
        for text in &row.shapes {
            let shape = Shape::parse(text.get_ref(), &mut self.readers).map_err(|reason| bad(text, reason))?;
            let target = Target::Shape { row: index, shape: shapes.len() };
            match &shape.start {
                Start::Literal(literal) => self.anchor(literal.needle(), target),
                Start::Middle(literal) => self.anchor(literal, target),
                Start::Context if row.context.is_empty() => {
                    return Err(bad(
                        text,
                        "a shape without literal text of three characters at or near its start needs `context`"
                            .to_owned(),
                    ));
                }
                Start::Context => row.context.iter().for_each(|word| self.anchor(word.as_bytes(), target)),
            }
            shapes.push(shape);
        }
        let regex = match &row.regex {
            Some(text) => Some(self.pattern(row, text, index).map_err(|reason| bad(text, reason))?),
            None => None,
        };
        let expand = |list: &[Spanned<String>]| {
            list.iter()
                .map(|text| example::expand(text.get_ref()).map_err(|reason| bad(text, reason)))
                .collect::<Result<Vec<_>, _>>()
        };
        let doc = page::render(row, defaults, &expand(&row.fire)?, &expand(&row.silent)?);
        self.rules.push(Rule {
            id: rule_id,
            summary: row.summary.clone().into(),
            doc: doc.into(),
            severity: row.severity,
            confidence: row.confidence,
            persona: row.persona,
            references: row.references.iter().map(|r| schema::reference(r)).collect(),
            since: row.since.clone().into(),
        });
        self.rows.push(Matcher {
            shapes,
            regex,
            context: row.context.iter().map(|c| c.as_bytes().to_vec()).collect(),
            within: row.within,
            entropy: row.entropy,
            checksum: row.checksum,
            mismatch: row.mismatch,
            bounded: row.boundary,
            entity: row.entity.clone(),
        });
        Ok(())
    }

    fn pattern(&mut self, row: &Row, text: &Spanned<String>, index: usize) -> Result<Pattern, String> {
        if row.literals.is_empty() || row.literals.iter().any(|l| l.len() < 3 || !l.is_ascii()) {
            return Err("a regex needs `literals`, what it begins with: three ASCII characters or more each".to_owned());
        }
        if row.max_length == 0 || row.max_length > LONGEST {
            return Err(format!("`max_length` lies between 1 and {LONGEST}"));
        }
        let regex = RegexBuilder::new(&format!("^(?:{})", text.get_ref()))
            .size_limit(REGEX_SIZE)
            .dfa_size_limit(REGEX_SIZE)
            .nest_limit(32)
            .build()
            .map_err(|error| error.to_string())?;
        for literal in &row.literals {
            self.anchor(literal.as_bytes(), Target::Regex { row: index });
        }
        let literals = row.literals.iter().map(|l| memmem::Finder::new(l).into_owned()).collect();
        let reader = self.readers;
        self.readers += 1;
        Ok(Pattern { regex, literals, longest: row.max_length, reader })
    }

    /// Anchors are found without regard to case, so literals that differ only in case share one.
    fn anchor(&mut self, literal: &[u8], target: Target) {
        let lower = String::from_utf8_lossy(literal).to_ascii_lowercase();
        let at = self.literals.iter().position(|l| *l == lower).unwrap_or_else(|| {
            self.literals.push(lower.into());
            self.targets.push(Vec::new());
            self.literals.len() - 1
        });
        if let Some(targets) = self.targets.get_mut(at)
            && !targets.contains(&target)
        {
            targets.push(target);
        }
    }

    /// Tries a target at a hit; calls `found` with every token.
    fn try_target(&self, pass: &mut Pass<'_>, target: Target, hit: Span, mut found: impl FnMut(Token)) {
        match target {
            Target::Regex { row } => {
                if let Some(matcher) = self.rows.get(row)
                    && let Some(pattern) = &matcher.regex
                    && let Some(fit) = pattern.fit(&pass.tape, hit.start, matcher.bounded)
                    && let Some(lowered) = matcher.accept(pass, pattern.reader, &fit)
                {
                    found(Token::new(
                        &fit,
                        row,
                        pattern.literals.iter().map(|l| l.needle().len()).max().unwrap_or(0),
                        lowered,
                    ));
                }
            }
            Target::Shape { row, shape } => {
                let Some(matcher) = self.rows.get(row) else { return };
                let Some(shape) = matcher.shapes.get(shape) else { return };
                let mut at = |pass: &mut Pass<'_>, start: usize| {
                    if (!matcher.bounded || shape.may_start(&pass.tape, start))
                        && let Some(fit) = shape.fit(&pass.tape, start, matcher.bounded)
                        && let Some(lowered) = matcher.accept(pass, shape.reader, &fit)
                    {
                        found(Token::new(&fit, row, shape.specific, lowered));
                    }
                };
                match &shape.start {
                    Start::Literal(_) => at(pass, hit.start),
                    Start::Middle(_) => {
                        let start = shape.start_before(&pass.tape, hit.start);
                        at(pass, start);
                    }
                    Start::Context => {
                        let until = pass.tape.len().min(hit.start + matcher.within + 1);
                        pass.untried(shape.reader, hit.end, until).for_each(|start| at(pass, start));
                    }
                }
            }
        }
    }
}

impl Token {
    const fn new(fit: &Fit, row: usize, specific: usize, lowered: bool) -> Self {
        Self { text: 0, start: fit.span.start, rank: std::cmp::Reverse(specific), row, end: fit.span.end, lowered }
    }
}

impl Pattern {
    /// Runs the regex on a window that begins at `start`.
    fn fit(&self, tape: &Tape<'_>, start: usize, bounded: bool) -> Option<Fit> {
        if !self.literals.iter().any(|l| tape.starts(start, l.needle())) || (bounded && !word_starts(tape, start)) {
            return None;
        }
        // One byte more than a match may cover, for what a pattern says about its end.
        let stop = start + self.longest + 1;
        if stop > tape.len() {
            // Marks the tape: more text may change the answer.
            tape.at(stop);
        }
        let window = tape.slice(Span::new(start, stop.min(tape.len())));
        let window = match std::str::from_utf8(window) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(window.get(..error.valid_up_to())?).ok()?,
        };
        let groups = self.regex.captures(window)?;
        let token = groups.name("token").or_else(|| groups.get(0)).filter(|m| !m.is_empty())?;
        let span = Span::new(start + token.start(), start + token.end());
        (token.end() <= self.longest).then(|| Fit { span, runs: vec![span] })
    }

    /// Where a regex that may still change begins.
    fn live(&self, tape: &Tape<'_>, tail: &str) -> Option<usize> {
        let from = tail.len().saturating_sub(self.longest + 1);
        let bytes = tail.as_bytes();
        let window = bytes.get(from..)?;
        self.literals
            .iter()
            .filter_map(|literal| {
                let whole = literal.find(window).map(|at| from + at);
                let whole = whole.filter(|start| start + self.longest + 1 > tape.len());
                whole.or_else(|| partial(bytes, literal.needle()))
            })
            .min()
    }
}

/// Where the end of `bytes` may be the start of `literal`.
fn partial(bytes: &[u8], literal: &[u8]) -> Option<usize> {
    (1..literal.len())
        .rev()
        .find(|n| literal.get(..*n).is_some_and(|start| bytes.ends_with(start)))
        .map(|n| bytes.len() - n)
}

impl Matcher {
    /// Whether a fit counts; true inside where it counts for less.
    fn accept(&self, pass: &mut Pass<'_>, reader: usize, fit: &Fit) -> Option<bool> {
        let Pass { tape, weakness, .. } = pass;
        if !self.in_context(tape, fit.span.start) || weakness.of(tape, reader, &fit.runs, self.entropy) {
            return None;
        }
        if self.checksum == Checksum::None {
            return Some(false);
        }
        let runs: Vec<u8> = fit.runs.iter().flat_map(|r| tape.slice(*r)).copied().collect();
        match (self.checksum.holds(&runs), self.mismatch) {
            (true, _) => Some(false),
            (false, Mismatch::Lower) => Some(true),
            (false, Mismatch::Drop) => None,
        }
    }

    fn in_context(&self, tape: &Tape<'_>, start: usize) -> bool {
        if self.context.is_empty() {
            return true;
        }
        let words: Vec<&[u8]> = self.context.iter().map(Vec::as_slice).collect();
        word_before(tape, start, self.within, &words, false)
    }
}

/// The first place in `bytes[from..]` where `shape` may begin and asks for bytes behind the end.
fn open_from(matcher: &Matcher, shape: &Shape, tape: &Tape<'_>, tail: &[u8], from: usize) -> Option<usize> {
    let open = |start: &usize| {
        if matcher.bounded && !shape.may_start(tape, *start) {
            return false;
        }
        let _ = shape.fit(tape, *start, matcher.bounded);
        tape.take_open() && (!matches!(shape.start, Start::Context) || matcher.in_context(tape, *start))
    };
    match &shape.start {
        Start::Literal(literal) => {
            let window = tail.get(from..)?;
            let whole = literal.find_iter(window).map(|at| from + at).find(open);
            whole.or_else(|| partial(tail, literal.needle()).filter(|at| *at >= from).filter(open))
        }
        Start::Middle(_) | Start::Context => {
            let from = from.max(tail.len().saturating_sub(shape.longest + 1));
            (from..tail.len()).find(open)
        }
    }
}

impl Detector for Pack {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(LONGEST)
    }

    fn cost(&self) -> Cost {
        if self.rows.iter().any(|r| r.regex.is_some()) { Cost::Regex } else { Cost::Literal }
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn live(&self, tail: &str) -> usize {
        let bytes = tail.as_bytes();
        let tape = Tape::new(tail);
        let window = tail.len().saturating_sub(LONGEST);
        let graphic = Class::range(b'!', b'~');
        let word = tape.run_back(tail.len(), window, graphic);
        let mut first = tail.len();
        for matcher in &self.rows {
            for shape in &matcher.shapes {
                // Only shapes that may cover white space can have begun before the last word.
                let from = if shape.spaced { window } else { word };
                if let Some(start) = open_from(matcher, shape, &tape, bytes, from) {
                    first = first.min(start);
                }
            }
            if let Some(start) = matcher.regex.as_ref().and_then(|p| p.live(&tape, tail)) {
                first = first.min(start);
            }
        }
        tail.len() - first
    }

    fn inspect(&self, subject: &Subject<'_>, limits: &Limits, out: &mut Sink<'_>) {
        if out.is_full() {
            return;
        }
        let mut tokens: Vec<Token> = Vec::new();
        let mut pass = (usize::MAX, Pass::new(""));
        for (text, hit) in subject.anchored() {
            let HitKind::Literal(literal) = hit.kind else { continue };
            if pass.0 != hit.text {
                pass = (hit.text, Pass::new(&text.text));
            }
            for target in self.targets.get(literal).into_iter().flatten() {
                self.try_target(&mut pass.1, *target, hit.span, |token| tokens.push(Token { text: hit.text, ..token }));
            }
            if tokens.len() > limits.max_findings.saturating_mul(8) {
                break;
            }
        }
        tokens.sort_unstable();
        tokens.dedup_by_key(|t| (t.text, t.start));
        for token in tokens {
            let (Some(text), Some(rule), Some(matcher)) =
                (subject.texts.get(token.text), self.rules.get(token.row), self.rows.get(token.row))
            else {
                continue;
            };
            let report = Report::new(rule, text, Span::new(token.start, token.end)).entity(matcher.entity.clone());
            let lower = match rule.confidence {
                Confidence::High => Confidence::Medium,
                _ => Confidence::Low,
            };
            out.report(if token.lowered { report.confidence(lower) } else { report });
        }
    }
}
