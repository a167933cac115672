//! A pack at work: one detector that reports under the rules of all its rows.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::AhoCorasick;
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
use crate::secret::assign::{self, By, Given, NAME};
use crate::secret::rarity;
use crate::tape::{Class, Tape, word_before, word_starts};

/// Most bytes before a token in which a context word may start: what a detector may look back.
const MAX_WITHIN: usize = bartizan_core::detector::LOOKBEHIND - 8;

/// What of a token is compared to the habits of names: longer names are rare, and the work stays bounded.
const NAME_LENGTH: usize = 64;

/// Literals are hardly longer; what a text ends with is compared to their beginnings up to here.
const LONGEST_LITERAL: usize = 128;

/// Memory that one compiled regex may take.
const REGEX_SIZE: usize = 1 << 18;

/// One row, ready to match.
#[derive(Debug)]
struct Matcher {
    shapes: Vec<Shape>,
    regex: Option<Pattern>,
    keywords: Vec<Vec<u8>>,
    named: bool,
    context: Vec<Vec<u8>>,
    public: Vec<Vec<u8>>,
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
    /// A shape that is the value of the name with this word in it.
    Value { row: usize },
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
    weight: Weight,
}

/// How much a token counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// As its rule says.
    Full,
    /// One step less.
    Lowered,
    /// Least: it is made to be shown.
    Public,
}

/// A pack as a detector.
#[derive(Debug)]
pub(super) struct Pack {
    rules: Vec<Rule>,
    rows: Vec<Matcher>,
    literals: Vec<Cow<'static, str>>,
    targets: Vec<Vec<Target>>,
    /// Finds the literals, for streams.
    finder: AhoCorasick,
    /// The literals that tokens begin with, by their first byte.
    starts: Vec<Vec<(Box<[u8]>, Target)>>,
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
        let mut pack = Self::empty()?;
        let rows = pack.read(toml)?;
        pack.finish()?;
        Ok((pack, rows))
    }

    /// A pack without rules, to [`read`](Self::read) files into and then [`finish`](Self::finish).
    pub(super) fn empty() -> Result<Self, PackError> {
        Ok(Self {
            rules: vec![],
            rows: vec![],
            literals: vec![],
            targets: vec![],
            finder: finder(&[])?,
            starts: vec![],
            readers: 0,
        })
    }

    /// Adds the rules of a file and gives back its rows.
    pub(super) fn read(&mut self, toml: &str) -> Result<Vec<Row>, PackError> {
        let file: File = toml::from_str(toml).map_err(|error| {
            let (line, column) = place(toml, error.span().map_or(0, |s| s.start));
            PackError::Toml { line, column, reason: error.message().trim().to_owned() }
        })?;
        for row in &file.rule {
            self.add(row, &file.defaults, toml)?;
        }
        Ok(file.rule)
    }

    /// Builds what streams ask, once all rules are in.
    pub(super) fn finish(&mut self) -> Result<(), PackError> {
        self.finder = finder(&self.literals)?;
        self.starts = vec![Vec::new(); 128];
        for (row, matcher) in self.rows.iter().enumerate().filter(|(_, m)| m.keywords.is_empty()) {
            for (number, shape) in matcher.shapes.iter().enumerate() {
                if let Start::Literal(literal) = &shape.start
                    && let Some(first) = literal.needle().first()
                    && let Some(bucket) = self.starts.get_mut(usize::from(*first))
                {
                    bucket.push((literal.needle().into(), Target::Shape { row, shape: number }));
                }
            }
        }
        Ok(())
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
        if row.references(defaults).is_empty() {
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
        if row.public.iter().any(|c| c.len() < 3 || !c.is_ascii() || c.len() > row.within) {
            return Err(bad(
                &row.id,
                "a word of `public` has at least three ASCII characters and is shorter than `within`".to_owned(),
            ));
        }
        if row.shapes.is_empty() == row.regex.is_none() {
            return Err(bad(&row.id, "give either `shapes` or `regex`".to_owned()));
        }
        let required = || "give a severity and a confidence, here or in `[defaults]`".to_owned();
        let severity = row.severity.or(defaults.severity).ok_or_else(|| bad(&row.id, required()))?;
        let confidence = row.confidence.or(defaults.confidence).ok_or_else(|| bad(&row.id, required()))?;
        if row.keywords.iter().any(|k| k.len() < 3 || !k.bytes().all(|b| NAME.has(b)) || k.len() > 40) {
            return Err(bad(
                &row.id,
                "a keyword is part of a name: 3 to 40 letters, digits, `_`, `-` and `.`".to_owned(),
            ));
        }
        if !row.keywords.is_empty() && (row.regex.is_some() || !row.context.is_empty()) {
            return Err(bad(&row.id, "`keywords` go with `shapes`, and not with `context`".to_owned()));
        }
        let index = self.rows.len();
        for keyword in &row.keywords {
            self.anchor(keyword.as_bytes(), Target::Value { row: index });
        }
        let mut shapes = Vec::new();
        for text in &row.shapes {
            let shape = Shape::parse(text.get_ref(), &mut self.readers).map_err(|reason| bad(text, reason))?;
            let target = Target::Shape { row: index, shape: shapes.len() };
            if !row.keywords.is_empty() {
                shapes.push(shape);
                continue;
            }
            match &shape.start {
                Start::Literal(literal) => self.anchor(literal.needle(), target),
                Start::Middle(literal, _) => self.anchor(literal, target),
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
            severity,
            confidence,
            persona: row.persona,
            references: row.references(defaults).iter().map(|r| schema::reference(r)).collect(),
            since: row.since.clone().into(),
        });
        self.rows.push(Matcher {
            shapes,
            regex,
            context: row.context.iter().map(|c| c.as_bytes().to_vec()).collect(),
            public: row.public.iter().map(|c| c.as_bytes().to_vec()).collect(),
            within: row.within,
            keywords: row.keywords.iter().map(|k| k.to_ascii_lowercase().into_bytes()).collect(),
            named: row.named,
            entropy: row.least_entropy(defaults),
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
                    && let Some(weight) = matcher.accept(pass, pattern.reader, &fit)
                {
                    found(Token::new(
                        &fit,
                        row,
                        pattern.literals.iter().map(|l| l.needle().len()).max().unwrap_or(0),
                        weight,
                    ));
                }
            }
            Target::Value { row } => {
                let Some(matcher) = self.rows.get(row) else { return };
                let Some(given) = matcher.value_of(&pass.tape, hit) else { return };
                for shape in &matcher.shapes {
                    if let Some(fit) = shape.fit(&pass.tape, given.start, true)
                        && ends_value(&pass.tape, given, fit.span.end)
                        && let Some(weight) = matcher.accept(pass, shape.reader, &fit)
                    {
                        found(Token::new(&fit, row, shape.specific + 1, weight));
                    }
                }
            }
            Target::Shape { row, shape } => {
                let Some(matcher) = self.rows.get(row) else { return };
                let Some(shape) = matcher.shapes.get(shape) else { return };
                let mut at = |pass: &mut Pass<'_>, start: usize| {
                    if (!matcher.bounded || shape.may_start(&pass.tape, start))
                        && let Some(fit) = shape.fit(&pass.tape, start, matcher.bounded)
                        && let Some(weight) = matcher.accept(pass, shape.reader, &fit)
                    {
                        found(Token::new(&fit, row, shape.specific, weight));
                    }
                };
                match &shape.start {
                    Start::Literal(_) => at(pass, hit.start),
                    Start::Middle(..) => {
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
    const fn new(fit: &Fit, row: usize, specific: usize, weight: Weight) -> Self {
        Self { text: 0, start: fit.span.start, rank: std::cmp::Reverse(specific), row, end: fit.span.end, weight }
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
    /// Whether a fit counts, and how much.
    fn accept(&self, pass: &mut Pass<'_>, reader: usize, fit: &Fit) -> Option<Weight> {
        let Pass { tape, weakness, .. } = pass;
        if !self.in_context(tape, fit.span.start)
            || weakness.of(tape, reader, &fit.runs, self.entropy)
            || (self.bounded && is_name(tape, fit))
        {
            return None;
        }
        let words = || self.public.iter().map(Vec::as_slice).collect::<Vec<_>>();
        if !self.public.is_empty() && word_before(tape, fit.span.start, self.within, &words(), false) {
            return Some(Weight::Public);
        }
        if self.checksum == Checksum::None {
            return Some(Weight::Full);
        }
        let runs: Vec<u8> = fit.runs.iter().flat_map(|r| tape.slice(*r)).copied().collect();
        match (self.checksum.holds(&runs), self.mismatch) {
            (true, _) => Some(Weight::Full),
            (false, Mismatch::Lower) => Some(Weight::Lowered),
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

/// True where the longest run of a token, as far as it matters, reads like a name in code.
fn is_name(tape: &Tape<'_>, fit: &Fit) -> bool {
    let Some(run) = fit.runs.iter().max_by_key(|run| run.len()) else { return false };
    let bytes = tape.slice(Span::new(run.start, run.end.min(run.start + NAME_LENGTH)));
    bytes.len() >= 16 && rarity::of(bytes) > 0.45 * bytes.len() as f32
}

/// Words that names of keys go on with, where they are written without a capital or sign between.
const GOES_ON: [&[u8]; 12] =
    [b"api", b"app", b"access", b"auth", b"client", b"key", b"token", b"secret", b"id", b"pass", b"pat", b"webhook"];

/// Words that say that the value of a name is a credential.
const CREDENTIAL: [&[u8]; 13] = [
    b"key", b"token", b"secret", b"auth", b"api", b"pass", b"pwd", b"cred", b"client", b"access", b"app", b"dsn",
    b"_pat",
];

/// Ends of names whose values are about something public.
const PUBLIC: [&[u8]; 20] = [
    b"hash",
    b"digest",
    b"checksum",
    b"sum",
    b"sha",
    b"sha1",
    b"sha256",
    b"md5",
    b"commit",
    b"revision",
    b"rev",
    b"etag",
    b"fingerprint",
    b"thumbprint",
    b"url",
    b"uri",
    b"path",
    b"file",
    b"version",
    b"image",
];

impl Matcher {
    /// What is given to the name in which a keyword stands.
    fn value_of(&self, tape: &Tape<'_>, hit: Span) -> Option<Given> {
        let word = tape.slice(hit);
        // A part of a name: `oktaToken` and `my-okta-token`, but not `rookTable`.
        if let (Some(before), Some(first)) = (tape.before(hit.start), word.first()) {
            let hump = before.is_ascii_lowercase() && first.is_ascii_uppercase();
            if before.is_ascii_alphabetic() && first.is_ascii_alphabetic() && !hump {
                return None;
            }
        }
        let rest = assign::rest_of_name(tape, hit)?;
        let tail = tape.slice(rest);
        let joined = tail.first().zip(word.last()).is_some_and(|(next, last)| {
            next.is_ascii_lowercase() && last.is_ascii_alphabetic()
                || (next.is_ascii_uppercase() && last.is_ascii_uppercase())
        });
        let goes_on = |w: &&[u8]| tail.get(..w.len()).is_some_and(|t| t.eq_ignore_ascii_case(w));
        if joined && !GOES_ON.iter().any(goes_on) {
            return None;
        }
        let last = tail.rsplit(|b| !b.is_ascii_alphanumeric()).next().unwrap_or_default();
        if PUBLIC.iter().any(|w| last.eq_ignore_ascii_case(w)) {
            return None;
        }
        if self.named {
            let start = tape.run_back(hit.start, hit.start.saturating_sub(24), NAME);
            let name = tape.slice(Span::new(start, rest.end));
            let says = |w: &&[u8]| name.windows(w.len()).any(|part| part.eq_ignore_ascii_case(w));
            if !CREDENTIAL.iter().any(says) {
                return None;
            }
        }
        let given = assign::value_after(tape, hit.start, rest.end, true)?;
        (given.start <= hit.start + assign::REACH).then_some(given)
    }
}

/// True where a value ends at `end`: neither a word nor a number goes on, and it is no type before a value.
fn ends_value(tape: &Tape<'_>, given: Given, end: usize) -> bool {
    match tape.at(end) {
        Some(b' ') if given.quote.is_none() && given.by == By::Colon => tape.at(end + 1) != Some(b'='),
        Some(b'-' | b'/' | b'+' | b'=' | b'@' | b'~' | b'(' | b'[') => false,
        Some(b'.' | b':') => tape.at(end + 1).is_none_or(|b| !Class::WORD.has(b)),
        Some(byte) => !Class::WORD.has(byte),
        None => true,
    }
}

/// One automaton over all literals.
fn finder(literals: &[Cow<'static, str>]) -> Result<AhoCorasick, PackError> {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(literals.iter().map(|l| l.as_bytes()))
        .map_err(|error| PackError::Toml { line: 1, column: 1, reason: format!("too many literals: {error}") })
}

impl Pack {
    /// Where the first token may begin that more text can change, at or after `word`, the start of the last word, or
    /// for shapes that cover white space at or after `window`.
    fn open_from(&self, tape: &Tape<'_>, tail: &str, window: usize, word: usize) -> usize {
        let bytes = tail.as_bytes();
        let mut first = tail.len();
        let mut contexts: Vec<(usize, usize)> = Vec::new();
        // What leads to a token that begins in the last word stands at most so far before it.
        let from = tail.floor_char_boundary(word.saturating_sub(assign::REACH.max(MAX_WITHIN)));
        for found in self.finder.find_overlapping_iter(tail.get(from..).unwrap_or_default()) {
            let hit = Span::new(from + found.start(), from + found.end());
            for target in self.targets.get(found.pattern().as_usize()).into_iter().flatten() {
                match *target {
                    Target::Shape { row, shape } => match self.shape(row, shape).map(|(_, s)| &s.start) {
                        Some(Start::Literal(_))
                            if (word..first).contains(&hit.start) && self.is_open(tape, row, shape, hit.start) =>
                        {
                            first = hit.start;
                        }
                        Some(Start::Context | Start::Middle(..)) if !contexts.contains(&(row, shape)) => {
                            contexts.push((row, shape));
                        }
                        _ => {}
                    },
                    Target::Value { row } => {
                        let Some(matcher) = self.rows.get(row) else { continue };
                        tape.take_open();
                        let Some(given) = matcher.value_of(tape, hit).filter(|g| g.start < first) else { continue };
                        let open = |shape: &Shape| {
                            tape.take_open();
                            let _ = shape.fit(tape, given.start, true).map(|fit| ends_value(tape, given, fit.span.end));
                            tape.take_open()
                        };
                        if matcher.shapes.iter().any(open) {
                            first = given.start;
                        }
                    }
                    Target::Regex { .. } => {}
                }
            }
        }
        // The end of the text may be the beginning of a literal.
        for at in word.max(tail.len().saturating_sub(LONGEST_LITERAL))..tail.len().min(first) {
            let rest = bytes.get(at..).unwrap_or_default();
            let bucket = rest.first().and_then(|b| self.starts.get(usize::from(*b)));
            let open = |(literal, target): &(Box<[u8]>, Target)| {
                let Target::Shape { row, shape } = *target else { return false };
                rest.len() < literal.len() && literal.starts_with(rest) && self.is_open(tape, row, shape, at)
            };
            if bucket.into_iter().flatten().any(open) {
                first = at;
                break;
            }
        }
        for (row, matcher) in self.rows.iter().enumerate() {
            for (number, shape) in matcher.shapes.iter().enumerate() {
                match &shape.start {
                    _ if !matcher.keywords.is_empty() => {}
                    Start::Literal(literal) if shape.spaced => {
                        let text = bytes.get(window..).unwrap_or_default();
                        let open = |at: &usize| *at < first && self.is_open(tape, row, number, *at);
                        let whole = literal.find_iter(text).map(|at| window + at).find(open);
                        let cut = || partial(bytes, literal.needle()).filter(|at| *at >= window).filter(open);
                        first = whole.or_else(cut).unwrap_or(first);
                    }
                    // Before its middle has come, a shape has no anchor.
                    Start::Middle(..) | Start::Context
                        if matches!(shape.start, Start::Middle(..)) || contexts.contains(&(row, number)) =>
                    {
                        let from = if shape.spaced { window } else { word };
                        let from = from.max(tail.len().saturating_sub(shape.longest + 1));
                        first = (from..first).find(|at| self.is_open(tape, row, number, *at)).unwrap_or(first);
                    }
                    _ => {}
                }
            }
            if let Some(start) = matcher.regex.as_ref().and_then(|p| p.live(tape, tail)) {
                first = first.min(start);
            }
        }
        first
    }

    fn shape(&self, row: usize, shape: usize) -> Option<(&Matcher, &Shape)> {
        let matcher = self.rows.get(row)?;
        Some((matcher, matcher.shapes.get(shape)?))
    }

    /// True where a shape may begin at `at` and asks for bytes behind the end.
    fn is_open(&self, tape: &Tape<'_>, row: usize, shape: usize, at: usize) -> bool {
        let Some((matcher, shape)) = self.shape(row, shape) else { return false };
        if matcher.bounded && !shape.may_start(tape, at) {
            return false;
        }
        tape.take_open();
        let _ = shape.fit(tape, at, matcher.bounded);
        tape.take_open() && (!matches!(shape.start, Start::Context) || matcher.in_context(tape, at))
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
        let tape = Tape::new(tail);
        let window = tail.len().saturating_sub(LONGEST);
        let word = tape.run_back(tail.len(), window, Class::range(b'!', b'~'));
        tail.len() - self.open_from(&tape, tail, window, word)
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
            out.report(match (token.weight, rule.confidence) {
                (Weight::Full, _) => report,
                (Weight::Lowered, Confidence::High) => report.confidence(Confidence::Medium),
                (Weight::Lowered | Weight::Public, _) => report.confidence(Confidence::Low),
            });
        }
    }
}
