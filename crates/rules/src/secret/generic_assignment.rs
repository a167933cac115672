//! Values that are given to a name such as `password` or `api_key`.

use std::borrow::Cow;

use aho_corasick::AhoCorasick;
use bartizan_core::{
    Anchors, Confidence, Cost, Detector, HitKind, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity,
    Sink, Span, Subject, Views,
};

use super::quality;
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Longest value that is looked at; longer ones are reported up to here.
const VALUE: usize = 512;
/// Most bytes from the start of a name to its value.
const REACH: usize = 112;

/// What a value is given to, or what introduces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// A name of a key: its value looks random.
    Key,
    /// A name of a password: its value may be chosen by people.
    Password,
    /// The scheme of an `Authorization` header.
    Scheme,
    /// `://`, before user and password.
    Address,
}

const LEADS: [(&str, Lead); 24] = [
    ("token", Lead::Key),
    ("secret", Lead::Key),
    ("apikey", Lead::Key),
    ("api_key", Lead::Key),
    ("api-key", Lead::Key),
    ("api key", Lead::Key),
    ("accesskey", Lead::Key),
    ("access_key", Lead::Key),
    ("access-key", Lead::Key),
    ("auth_key", Lead::Key),
    ("authkey", Lead::Key),
    ("private_key", Lead::Key),
    ("privatekey", Lead::Key),
    ("signing_key", Lead::Key),
    ("signingkey", Lead::Key),
    ("encryption_key", Lead::Key),
    ("credential", Lead::Key),
    ("password", Lead::Password),
    ("passwd", Lead::Password),
    ("passphrase", Lead::Password),
    ("pwd", Lead::Password),
    ("bearer ", Lead::Scheme),
    ("basic ", Lead::Scheme),
    ("://", Lead::Address),
];

/// Ends of names whose values say something about a secret and are none.
const ABOUT: [&[u8]; 22] = [
    b"id",
    b"ids",
    b"name",
    b"names",
    b"file",
    b"path",
    b"url",
    b"uri",
    b"type",
    b"length",
    b"count",
    b"limit",
    b"hash",
    b"digest",
    b"version",
    b"expiry",
    b"expires",
    b"endpoint",
    b"policy",
    b"fingerprint",
    b"thumbprint",
    b"index",
];

/// Beginnings of names whose values are public by design.
const PUBLIC: [&[u8]; 8] = [b"csrf", b"xsrf", b"public", b"authenticity", b"page", b"next", b"cursor", b"device"];

const NAME: Class = Class::WORD.or(Class::of(b"-."));
/// What a value without quotes may hold.
const BARE: Class = Class::ALNUM.or(Class::of(b"_-.+/=~!@#$%^&*?|"));
/// What a value in quotes may hold: anything that can be seen, but for quotes and brackets of markup.
const QUOTED: Class = Class::range(b'!', b'~');

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

/// Where the value after a lead begins, and the quote that it ends at.
fn value_start(tape: &Tape<'_>, lead: Lead, hit: Span) -> Option<(usize, Option<u8>)> {
    let blank = Class::of(b" \t");
    match lead {
        Lead::Address => {
            // The user name may be empty.
            let user = Class::range(b'!', b'~');
            let stop = |b: u8| matches!(b, b'/' | b':' | b'@' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>');
            let mut at = hit.end;
            while at < hit.end + 64 && tape.at(at).is_some_and(|b| user.has(b) && !stop(b)) {
                at += 1;
            }
            return (tape.at(at) == Some(b':')).then_some((at + 1, Some(b'@')));
        }
        Lead::Scheme => {
            if tape.before(hit.start).is_some_and(|b| Class::WORD.has(b)) {
                return None;
            }
            return Some((tape.run(hit.end, hit.end + 4, blank), None));
        }
        Lead::Key | Lead::Password => {}
    }
    let limit = hit.start + REACH;
    let name_end = tape.run(hit.end, hit.end + 32, NAME);
    if name_end == hit.end + 32 || is_about(tape.slice(Span::new(hit.end, name_end))) {
        return None;
    }
    let name = tape.slice(Span::new(tape.run_back(hit.start, hit.start.saturating_sub(24), NAME), hit.start));
    let name = name.to_ascii_lowercase();
    if PUBLIC.iter().any(|p| name.strip_suffix(b"_").or(name.strip_suffix(b"-")).unwrap_or(&name).ends_with(p)) {
        return None;
    }
    // `"password"`, `['password']`, `password)`, `-- password`.
    let mut at = tape.run(name_end, name_end + 3, Class::of(b"\"'`])"));
    at = tape.run(at, at + 16, blank);
    // The attribute form of configuration files: `key="password" value="…"`.
    if tape.starts(at, b"value") {
        at = tape.run(at + 5, at + 9, blank);
    }
    // `password string = …`
    if tape.starts(at, b"string ") {
        at += 7;
    }
    let operator = tape.run(at, at + 3, Class::of(b"=:?+.|>,(~"));
    let spaced = name_end < at;
    let assigns = |b: &u8| matches!(b, b'=' | b':' | b'>' | b',' | b'(');
    if !tape.slice(Span::new(at, operator)).iter().any(assigns) {
        // On a command line a blank is enough: `--password …`.
        let option = tape.run_back(hit.start, hit.start.saturating_sub(24), NAME);
        if !(spaced && tape.slice(Span::new(option, hit.start)).starts_with(b"--")) {
            return None;
        }
    }
    let space = tape.run(operator, limit, Class::SPACE);
    let quotes = Class::of(b"\"'`");
    // Quotes inside a quoted text come with a backslash.
    let slash = tape.run(space, space + 2, Class::of(b"\\"));
    match tape.at(slash)? {
        quote if quotes.has(quote) => Some((tape.run(slash, slash + 3, quotes), Some(quote))),
        _ => Some((space, None)),
    }
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

/// The value that starts at `start`, where it is one.
fn value(tape: &Tape<'_>, lead: Lead, start: usize, quote: Option<u8>) -> Option<(Span, Confidence)> {
    let limit = start + VALUE;
    let mut end = start;
    let accepts = |byte: u8| match (lead, quote) {
        (Lead::Address, _) => {
            QUOTED.has(byte) && !matches!(byte, b'/' | b'@' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>')
        }
        (_, Some(quote)) => QUOTED.has(byte) && byte != quote && byte != b'\\',
        (_, None) => BARE.has(byte),
    };
    while end < limit && tape.at(end).is_some_and(accepts) {
        // Behind a value without quotes, `=` pads; elsewhere it gives the next name its value.
        if quote.is_none() && tape.at(end) == Some(b'=') && tape.at(end + 1).is_some_and(|b| Class::WORD.has(b)) {
            break;
        }
        end += 1;
    }
    let next = tape.at(end);
    match (lead, quote) {
        // A password stands before the `@` of a host.
        (Lead::Address, _)
            if next != Some(b'@') || !tape.at(end + 1).is_some_and(|b| Class::ALNUM.has(b) || b == b'[') =>
        {
            return None;
        }
        (Lead::Address, _) => {}
        (_, Some(quote)) if end < limit && next != Some(quote) && next != Some(b'\\') => return None,
        // Code: `token = read(…)`, `key = list[0]`, `password: {…}`.
        (_, None) if matches!(next, Some(b'(' | b'[' | b'{')) => return None,
        _ => {}
    }
    if quote.is_none() {
        let text = tape.slice(Span::new(start, end));
        end -= text.iter().rev().take_while(|b| matches!(b, b'.' | b',' | b':' | b'?' | b'!')).count();
    }
    let span = Span::new(start, end);
    judge(lead, tape.slice(span), quote.is_some()).map(|confidence| (span, confidence))
}

/// How likely the characters are a secret.
fn judge(lead: Lead, value: &[u8], quoted: bool) -> Option<Confidence> {
    let kinds = [
        value.iter().any(u8::is_ascii_digit),
        value.iter().any(u8::is_ascii_lowercase),
        value.iter().any(u8::is_ascii_uppercase),
        value.iter().any(u8::is_ascii_punctuation),
    ];
    let [digits, lower, upper, marks] = kinds;
    let entropy = quality::entropy(value);
    let random = digits && (lower || upper) && !quality::is_wordy(value);
    let confidence = match lead {
        Lead::Address => (value.len() >= 4 && entropy >= 1.9 && !names_itself(value)).then_some(Confidence::Medium),
        Lead::Scheme => {
            (value.len() >= 16 && entropy >= 3.0 && (random || (lower && upper))).then_some(Confidence::Medium)
        }
        Lead::Key if value.len() >= 10 && entropy >= 2.9 && random => Some(Confidence::Medium),
        Lead::Password if value.len() >= 6 && entropy >= 2.3 => {
            // Chosen passwords mix kinds of characters; plain words are more often names of fields.
            let letters = lower || upper;
            let chosen = quoted && value.len() >= 8 && digits && lower && upper && !marks;
            let mixed = usize::from(digits) + usize::from(letters) + usize::from(marks) >= 2;
            (chosen || (mixed && (quoted || digits) && !quality::is_wordy(value))).then_some(Confidence::Medium)
        }
        _ => None,
    };
    confidence.filter(|_| !quality::is_placeholder(value) && !is_reference(value))
}

/// True where the place of a password is shown by its name, `https://user:password@host`.
fn names_itself(value: &[u8]) -> bool {
    [b"password".as_slice(), b"passwd", b"pass", b"secret", b"token", b"pwd"]
        .iter()
        .any(|w| value.eq_ignore_ascii_case(w))
}

/// True for a variable, a template or a path in place of a value: `$TOKEN`, `${TOKEN}`, `%TOKEN%`, `{{ token }}`,
/// `<token>`, `env:TOKEN`, `/run/secrets/token`.
fn is_reference(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or_default();
    let upper_name =
        || value.iter().skip(1).all(|b| Class::WORD.has(*b) || matches!(b, b'{' | b'}' | b'(' | b')' | b'%' | b'.'));
    matches!(first, b'<' | b'{' | b'[' | b'*' | b'/' | b'.' | b'(')
        || (matches!(first, b'$' | b'%' | b'@' | b'&') && upper_name())
        || value.windows(2).any(|w| matches!(w, b"${" | b"{{" | b"#{" | b"$(" | b"%(" | b"<%" | b"::" | b"->"))
        || value.starts_with(b"env:")
        || value.starts_with(b"file:")
        || value.starts_with(b"http")
        || value.starts_with(b"arn:")
}

impl GenericAssignment {
    fn try_hit(tape: &Tape<'_>, literal: usize, hit: Span) -> Option<(Span, Confidence)> {
        let (_, lead) = LEADS.get(literal)?;
        let (start, quote) = value_start(tape, *lead, hit)?;
        (start <= hit.start + REACH).then(|| value(tape, *lead, start, quote)).flatten()
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
        Hold::Bounded(VALUE + 2)
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
        let word = tape.run_back(tail.len(), tail.len().saturating_sub(VALUE + 2), QUOTED);
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
            if let Some((start, quote)) = value_start(&tape, *lead, hit)
                && start <= hit.start + REACH
            {
                let _ = value(&tape, *lead, start, quote);
                if tape.take_open() {
                    first = first.min(start);
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
