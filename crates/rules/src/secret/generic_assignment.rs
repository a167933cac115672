//! Values that are given to a name such as `password` or `api_key`.

use std::borrow::Cow;

use aho_corasick::AhoCorasick;
use bartizan_core::{
    Anchors, Confidence, Cost, Detector, HitKind, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity,
    Sink, Span, Subject, Views,
};

use super::around;
use super::assign::{self, By, Given, REACH};
use super::judge::{self, Lead, Value, Writing};
use crate::tape::{Class, Tape, word_before};
use crate::{RulesError, Settings};

/// Longest value that is looked at; longer ones are reported up to here.
const VALUE: usize = 512;

const LEADS: [(&str, Lead); 35] = [
    ("token", Lead::Key),
    ("secret", Lead::Key),
    ("apikey", Lead::Key),
    ("api_key", Lead::Key),
    ("api-key", Lead::Key),
    ("api key", Lead::Key),
    ("accesskey", Lead::Key),
    ("access_key", Lead::Key),
    ("access-key", Lead::Key),
    ("access key", Lead::Key),
    ("auth_key", Lead::Key),
    ("authkey", Lead::Key),
    ("private_key", Lead::Key),
    ("privatekey", Lead::Key),
    ("signing_key", Lead::Key),
    ("signingkey", Lead::Key),
    ("encryption_key", Lead::Key),
    ("accountkey", Lead::Key),
    ("sharedkey", Lead::Key),
    ("credential", Lead::Key),
    ("creds", Lead::Key),
    ("_key", Lead::Weak),
    ("-key", Lead::Weak),
    ("_auth", Lead::Weak),
    ("-auth", Lead::Weak),
    ("password", Lead::Password),
    ("passwd", Lead::Password),
    ("passphrase", Lead::Password),
    ("pwd", Lead::Password),
    ("_pass", Lead::Password),
    ("bearer ", Lead::Scheme),
    ("basic ", Lead::Scheme),
    ("://", Lead::User),
    (" -u", Lead::User),
    ("--user", Lead::User),
];

/// Ends of names whose values say something about a secret and are none.
const ABOUT: [&[u8]; 46] = [
    b"id",
    b"ids",
    b"name",
    b"names",
    b"file",
    b"filename",
    b"path",
    b"dir",
    b"url",
    b"uri",
    b"type",
    b"kind",
    b"length",
    b"len",
    b"size",
    b"count",
    b"limit",
    b"hash",
    b"digest",
    b"checksum",
    b"version",
    b"expiry",
    b"expires",
    b"endpoint",
    b"policy",
    b"fingerprint",
    b"thumbprint",
    b"index",
    b"alg",
    b"algorithm",
    b"format",
    b"ref",
    b"host",
    b"regex",
    b"regexp",
    b"pattern",
    b"field",
    b"label",
    b"hint",
    b"placeholder",
    b"column",
    b"header",
    b"prefix",
    b"scope",
    b"scopes",
    b"arn",
];

/// What a value without quotes may hold.
const BARE: Class = Class::ALNUM.or(Class::of(b"_-.+/=~!@#$%^&*?|:"));
/// What a value in quotes may hold: anything that can be seen, but for quotes and brackets of markup.
const QUOTED: Class = Class::range(b'!', b'~');
/// Where nobody's accounts are: names that RFC 2606 and RFC 6761 set aside.
const NOWHERE: [&[u8]; 6] = [b"example.", b"localhost", b"host", b"127.0.0.1", b"foo", b"hostname"];

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("secret/generic-assignment"),
    summary: Cow::Borrowed("value of a password, key or token"),
    doc: Cow::Borrowed(include_str!("generic_assignment.md")),
    severity: Severity::High,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-798")]),
    since: Cow::Borrowed("0.1.0"),
}];

struct GenericAssignment {
    literals: Vec<Cow<'static, str>>,
    finder: AhoCorasick,
}

/// Builds the detector.
///
/// # Errors
/// None: the literals are constant.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let finder = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(LEADS.iter().map(|(literal, _)| literal))
        .map_err(|e| RulesError::Pattern { rule: "secret/generic-assignment".to_owned(), reason: e.to_string() })?;
    Ok(Box::new(GenericAssignment { literals: LEADS.iter().map(|(l, _)| Cow::Borrowed(*l)).collect(), finder }))
}

/// Where the value after a lead begins, and how it is written.
fn given(tape: &Tape<'_>, lead: Lead, hit: Span) -> Option<(Given, bool)> {
    match lead {
        Lead::User => user(tape, hit).map(|start| (Given { start, quote: Some(b'@'), by: By::Equals }, true)),
        Lead::Scheme => {
            if tape.before(hit.start).is_some_and(|b| Class::WORD.has(b)) {
                return None;
            }
            let start = tape.run(hit.end, hit.end + 4, Class::of(b" \t"));
            Some((Given { start, quote: None, by: By::Blank }, true))
        }
        Lead::Key | Lead::Weak | Lead::Password => {
            let rest = assign::rest_of_name(tape, hit)?;
            let tail = tape.slice(rest);
            let short = lead == Lead::Weak || tape.slice(hit).eq_ignore_ascii_case(b"_pass");
            let before = assign::name_before(tape, hit, 24);
            if is_about(tail)
                || (short && !tail.is_empty())
                || around::is_public(tape, before, hit.start)
                || around::is_disowned(before)
            {
                return None;
            }
            let given = assign::value_after(tape, hit.start, rest.end, false)
                .or_else(|| (lead == Lead::Password && tail.is_empty()).then(|| netrc(tape, hit)).flatten())?;
            // `set_password("…")`, but not `should_pass("…")`.
            if given.by == By::Call && (short || !tail.is_empty()) {
                return None;
            }
            Some((given, tail.is_empty() || tail == b"s"))
        }
    }
}

/// The password of a line of `.netrc`: `machine … login … password …`.
fn netrc(tape: &Tape<'_>, hit: Span) -> Option<Given> {
    let start = tape.run(hit.end, hit.end + 8, Class::of(b" \t"));
    let login = word_before(tape, hit.start, 100, &[b"login ".as_slice(), b"machine "], true);
    (start > hit.end && login).then_some(Given { start, quote: None, by: By::Blank })
}

/// Where the password begins behind `://` or `curl -u`, and a user name that may be empty.
fn user(tape: &Tape<'_>, hit: Span) -> Option<usize> {
    let mut at = hit.end;
    if tape.slice(hit) != b"://" {
        // Other commands call other things so.
        if !word_before(tape, hit.start + 1, 120, &[b"curl ".as_slice(), b"http ", b"wget "], true) {
            return None;
        }
        at = tape.run(at, at + 10, Class::of(b"=\"' \tname"));
    }
    let seen = Class::range(b'!', b'~');
    let stop = |b: u8| matches!(b, b'/' | b':' | b'@' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>');
    let limit = at + 64;
    while at < limit && tape.at(at).is_some_and(|b| seen.has(b) && !stop(b)) {
        at += 1;
    }
    (tape.at(at) == Some(b':')).then_some(at + 1)
}

/// True where the rest of a name says that its value is no secret. The last part counts, `_id`, `Id` or `.id`.
fn is_about(rest: &[u8]) -> bool {
    ABOUT.iter().any(|end| {
        let Some(at) = rest.len().checked_sub(end.len()) else { return false };
        let Some((before, tail)) = rest.split_at_checked(at) else { return false };
        let starts_part = before.last().is_none_or(|b| !b.is_ascii_alphanumeric())
            || tail.first().is_some_and(u8::is_ascii_uppercase);
        tail.eq_ignore_ascii_case(end) && starts_part
    })
}

/// The value that is given, where it is one.
fn value(tape: &Tape<'_>, lead: Lead, hit: Span, given: Given, named: bool) -> Option<(Span, Confidence)> {
    let Given { start, quote, by } = given;
    let limit = start + VALUE;
    let address = lead == Lead::User && tape.slice(hit) == b"://";
    let mut end = start;
    let accepts = |byte: u8| match (lead, quote) {
        (Lead::User, _) if address => {
            QUOTED.has(byte) && !matches!(byte, b'/' | b'@' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>')
        }
        (Lead::User, _) => QUOTED.has(byte) && !matches!(byte, b'"' | b'\'' | b'`' | b'\\'),
        (_, Some(quote)) => QUOTED.has(byte) && byte != quote && byte != b'\\',
        (_, None) => BARE.has(byte),
    };
    while end < limit && tape.at(end).is_some_and(accepts) {
        let byte = tape.at(end);
        if quote.is_none() {
            // Between parts of an address, and before the next name of a query.
            let word = || tape.at(end + 1).is_some_and(|b| Class::WORD.has(b));
            if (byte == Some(b'&') && (lead == Lead::Key || word())) || (byte == Some(b':') && !word()) {
                break;
            }
        }
        end += 1;
    }
    let next = tape.at(end);
    match (lead, quote) {
        // A password stands before the `@` of a host.
        (Lead::User, _) if address => {
            if next != Some(b'@') || !tape.at(end + 1).is_some_and(|b| Class::ALNUM.has(b) || b == b'[') {
                return None;
            }
            if NOWHERE.iter().any(|host| tape.starts(end + 1, host))
                && !judge::looks_drawn(tape.slice(Span::new(start, end)))
            {
                return None;
            }
        }
        (Lead::User | Lead::Scheme, _) => {}
        (_, Some(quote)) if end < limit && next != Some(quote) && next != Some(b'\\') => return None,
        // Code: `token = read(…)`, `key = list[0]`, `password: {…}`.
        (_, None) if matches!(next, Some(b'(' | b'[' | b'{' | b'<')) && by != By::Tag => return None,
        _ => {}
    }
    if quote.is_none() {
        let text = tape.slice(Span::new(start, end));
        if text.ends_with(b"...") {
            return None;
        }
        end -= text.iter().rev().take_while(|b| matches!(b, b'.' | b',' | b':' | b'?' | b'!')).count();
    }
    let span = Span::new(start, end);
    let bytes = tape.slice(span);
    let variable = bytes.iter().all(|b| Class::WORD.has(*b) || matches!(b, b'.' | b'*' | b'&'));
    if quote.is_some() && around::closes(tape, hit, given) {
        return None;
    }
    if by == By::Argument && around::is_listed(tape, hit, given, end) {
        return None;
    }
    if lead == Lead::User {
        // `postgres:postgres`, `root:root`.
        let user = tape.slice(Span::new(hit.end, start.saturating_sub(1)));
        let from = user.iter().position(u8::is_ascii_alphanumeric).unwrap_or(user.len());
        if user.get(from..).is_some_and(|user| user.eq_ignore_ascii_case(bytes)) {
            return None;
        }
    }
    let query = tape.before(hit.start).is_some_and(|b| matches!(b, b'?' | b'&'));
    if query && bytes.len() <= 10 {
        // Tokens of badges and buttons: short, and meant to be seen.
        return None;
    }
    let annotated = by == By::Colon && next == Some(b' ') && tape.at(end + 1) == Some(b'=');
    let writing = match (quote, by) {
        (Some(_), _) => Writing::Quoted,
        (None, By::Sentence) => Writing::Prose,
        (None, By::Colon | By::Equals)
            if variable && (annotated || matches!(next, Some(b';' | b',' | b')' | b'*' | b'>' | b'}'))) =>
        {
            Writing::Code
        }
        _ => Writing::Plain,
    };
    let confidence = judge::judge(Value { bytes, lead, writing, named })?;
    let shipped =
        matches!(lead, Lead::Key | Lead::Weak) && quote.is_some() && around::is_shipped(tape, hit, given, end);
    Some((span, if shipped { Confidence::Low } else { confidence }))
}

impl GenericAssignment {
    fn try_hit(tape: &Tape<'_>, literal: usize, hit: Span) -> Option<(Span, Confidence)> {
        let (_, lead) = LEADS.get(literal)?;
        let (given, named) = given(tape, *lead, hit)?;
        if given.start > hit.start + REACH {
            return None;
        }
        value(tape, *lead, hit, given, named)
    }
}

impl Detector for GenericAssignment {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(VALUE + 4)
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    /// Nothing is held for a name: only once a value has begun can it become a finding.
    fn live(&self, tail: &str) -> usize {
        let tape = Tape::new(tail);
        // A value has no blanks, so the last word is all that can still change.
        let word = tape.run_back(tail.len(), tail.len().saturating_sub(VALUE + 4), QUOTED);
        if word == tail.len() {
            return 0;
        }
        let from = tail.floor_char_boundary(word.saturating_sub(REACH));
        let window = tail.get(from..).unwrap_or_default();
        let mut first = tail.len();
        for found in self.finder.find_overlapping_iter(window) {
            let hit = Span::new(from + found.start(), from + found.end());
            let Some((_, lead)) = LEADS.get(found.pattern().as_usize()) else { continue };
            tape.take_open();
            if let Some((given, named)) = given(&tape, *lead, hit)
                && given.start <= hit.start + REACH
            {
                let _ = value(&tape, *lead, hit, given, named);
                if tape.take_open() {
                    first = first.min(given.start);
                }
            }
        }
        tail.len() - first.max(word)
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let mut last = (usize::MAX, Span::default());
        for (text, hit) in subject.anchored() {
            let HitKind::Literal(literal) = hit.kind else { continue };
            let tape = Tape::new(&text.text);
            let Some((span, confidence)) = Self::try_hit(&tape, literal, hit.span) else { continue };
            // `access_token_secret = …` leads to one value three times.
            if last != (hit.text, span) {
                last = (hit.text, span);
                out.report(Report::new(rule, text, span).entity("SECRET").confidence(confidence));
            }
        }
    }
}
