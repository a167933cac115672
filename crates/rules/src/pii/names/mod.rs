//! Names of people, firms and places, and addresses: what has no form of its own.
//!
//! Words are looked up in a gazetteer and read by a small sequence model; see `model` for why its answers do not depend
//! on how a text is cut. Both files are written by `cargo xtask train pii` from committed templates and published lists.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, Views,
};

use self::gazetteer::Gazetteer;
use self::spans::{Frozen, Kind, Name};
use self::token::Token;
use crate::{RulesError, Settings};

mod gazetteer;
mod model;
mod sift;
mod spans;
mod token;

static GAZETTEER: Gazetteer<'static> = Gazetteer(include_bytes!("gazetteer.bin"));
static MODEL: &[u8] = include_bytes!("model.bin");

/// Bytes that are read at a time, so that long texts need little memory.
const BLOCK: usize = 1 << 15;
/// What a name may depend on, in bytes: before its start, and behind it with the name itself.
const BEFORE: usize = bartizan_core::detector::LOOKBEHIND;
const BEHIND: usize = spans::LONGEST + 130;

macro_rules! rule {
    ($id:literal, $summary:literal, $doc:literal, $severity:ident) => {
        Rule {
            id: RuleId::new($id),
            summary: Cow::Borrowed($summary),
            doc: Cow::Borrowed(include_str!($doc)),
            severity: Severity::$severity,
            confidence: Confidence::Medium,
            persona: Persona::Regular,
            references: Cow::Borrowed(&[
                Reference::new("OWASP-LLM", "LLM02"),
                Reference::new("CWE", "CWE-359"),
                Reference::new(
                    "PAPER",
                    "Collins, Discriminative Training Methods for Hidden Markov Models, EMNLP 2002",
                ),
            ]),
            since: Cow::Borrowed("0.1.0"),
        }
    };
}

static RULES: [Rule; 4] = [
    rule!("pii/person", "name of a person", "../person.md", Low),
    rule!("pii/organization", "name of a firm or institution", "../organization.md", Info),
    rule!("pii/location", "name of a place", "../location.md", Info),
    rule!("pii/address", "street address", "../address.md", Low),
];

impl Kind {
    fn rule(self) -> (&'static Rule, &'static str) {
        let [person, organization, location, address] = &RULES;
        match self {
            Self::Person => (person, "PERSON"),
            Self::Organization => (organization, "ORGANIZATION"),
            Self::Location => (location, "LOCATION"),
            Self::Address => (address, "LOCATION"),
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    token::tokens(text, |hash| GAZETTEER.classes(hash))
}

/// The names in a text, with the postal codes next to towns.
fn names(text: &str, mut found: impl FnMut(Name, Option<Span>)) {
    let weights = Frozen::new(MODEL);
    let mut from = 0;
    while from < text.len() {
        let to = text.floor_char_boundary(from.saturating_add(BLOCK));
        let start = text.floor_char_boundary(from.saturating_sub(2 * BEFORE));
        let end = text.floor_char_boundary(to.saturating_add(2 * BEHIND));
        let part = text.get(start..end).unwrap_or_default();
        let all = tokens(part);
        let tags = model::tag(&all, &weights);
        for name in sift::sift(part, &all, spans::names(&all, &tags)) {
            let postal = if name.kind == Kind::Location { spans::postal(part, &all, &name) } else { None };
            let name = Name { start: name.start + start, end: name.end + start, ..name };
            if (from..to).contains(&name.start) {
                found(name, postal.map(|(from, to)| Span::new(from + start, to + start)));
            }
        }
        from = to;
    }
}

/// The detector of names.
struct Names;

impl Detector for Names {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(BEHIND)
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors::ALWAYS
    }

    fn live(&self, tail: &str) -> usize {
        token::open_bytes(tail, &tokens(tail)).min(BEHIND)
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        for text in subject.views(self.views()) {
            names(&text.text, |name, postal| {
                let (rule, entity) = name.kind.rule();
                out.report(Report::new(rule, text, Span::new(name.start, name.end)).entity(entity));
                if let Some(span) = postal {
                    out.report(Report::new(rule, text, span).entity("ZIP_CODE"));
                }
            });
        }
    }
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(Names))
}
