//! Replies that a deployment puts into a language: a page, a query, a command, a template, a log.
//!
//! A sink is declared, so its rules may be strict: they read the reply as the language would and look for the places
//! at which it stops being data. Each rule is a matcher that is tried at one place and reads a bounded stretch ahead
//! through a `Tape`, which makes it exact in streams too.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Context, Cost, Detector, Direction, Fix, Hold, Kind, Limits, Origin, Persona, Reference,
    Report, Rule, RuleId, Severity, Sink, Source, Span, Subject, Views,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::html::border;
use crate::tape::{Class, Tape, live_from};

/// What an application puts the model's replies into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// A page, without escaping.
    Html,
    /// A query or a value in one.
    Sql,
    /// A command line or an argument in one.
    Shell,
    /// The source of a template (Jinja, ERB, Freemarker, Velocity, Thymeleaf, Handlebars, Razor, expression languages).
    Template,
    /// A line of a log.
    Log,
    /// Markdown that a client renders.
    Markdown,
}

/// A place at which a reply stops being data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Breakout {
    /// One past the last byte.
    pub(super) end: usize,
    pub(super) severity: Severity,
    pub(super) confidence: Confidence,
    pub(super) fix: Fix,
}

impl Breakout {
    /// A breakout that is masked where policy redacts.
    pub(super) const fn new(end: usize, severity: Severity, confidence: Confidence) -> Self {
        Self { end, severity, confidence, fix: Fix::Mask }
    }

    /// The same with a fix of its own.
    pub(super) fn fix(self, fix: Fix) -> Self {
        Self { fix, ..self }
    }
}

/// The rule of one sink.
pub(super) struct SinkRule {
    pub(super) id: &'static str,
    pub(super) sink: SinkKind,
    pub(super) summary: &'static str,
    pub(super) doc: &'static str,
    pub(super) severity: Severity,
    pub(super) references: &'static [Reference],
    /// ASCII bytes at which a breakout may begin.
    pub(super) first: Class,
    /// True where it may begin at a byte outside ASCII as well.
    pub(super) non_ascii: bool,
    /// Most bytes that `find` reads ahead.
    pub(super) longest: usize,
    /// The breakout that begins at a byte, if one does.
    pub(super) find: fn(&Tape<'_>, usize) -> Option<Breakout>,
}

/// The detector of a sink. Where no profile declares the sink, nothing leads to it.
pub(super) struct SinkDetector {
    what: &'static SinkRule,
    rule: [Rule; 1],
    /// By profile: whether the sink is declared.
    declared: Vec<bool>,
}

impl SinkDetector {
    pub(super) fn boxed(what: &'static SinkRule, settings: &Settings) -> Box<dyn Detector> {
        let rule = Rule {
            id: RuleId::new(what.id),
            summary: Cow::Borrowed(what.summary),
            doc: Cow::Borrowed(what.doc),
            severity: what.severity,
            confidence: Confidence::Medium,
            persona: Persona::Regular,
            references: Cow::Borrowed(what.references),
            since: Cow::Borrowed("0.1.0"),
        };
        let declared = settings
            .by_profile(|route| route.and_then(|r| r.sink.as_ref()).unwrap_or(&settings.sink).contains(&what.sink));
        Box::new(Self { what, rule: [rule], declared })
    }

    fn begins(&self, byte: u8) -> bool {
        self.what.first.has(byte) || (self.what.non_ascii && byte >= 0xc0)
    }
}

impl Detector for SinkDetector {
    fn rules(&self) -> &[Rule] {
        &self.rule
    }

    /// A sink gets the reply as it is.
    fn views(&self) -> Views {
        Views::RAW
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(self.what.longest)
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    fn anchors(&self) -> Anchors<'_> {
        if self.declared.contains(&true) { Anchors::ALWAYS } else { Anchors::default() }
    }

    fn concerns(&self, origin: &Origin, context: &Context<'_>) -> bool {
        origin.source == Source::Model
            && context.direction == Direction::Reply
            && self.declared.get(context.profile.0).copied().unwrap_or(false)
    }

    fn live(&self, tail: &str) -> usize {
        live_from(tail, self.what.longest, |tape, at| {
            if tape.slice(Span::new(at, at + 1)).first().is_some_and(|b| self.begins(*b)) {
                (self.what.find)(tape, at);
            }
        })
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &self.rule;
        if subject.kind != Kind::Text {
            return;
        }
        for text in subject.views(Views::RAW) {
            let tape = Tape::new(&text.text);
            for (at, _) in text.text.bytes().enumerate().filter(|(_, b)| self.begins(*b)) {
                let Some(found) = (self.what.find)(&tape, at) else { continue };
                let span = Span::new(at, border(&tape, found.end).max(at + 1));
                let report = Report::new(rule, text, span).severity(found.severity);
                out.report(report.confidence(found.confidence).fix(found.fix));
                if out.is_full() {
                    return;
                }
            }
        }
    }
}

/// The word that begins at a place: letters, digits and underscores, at most `most` bytes, in lower case.
pub(super) fn word(tape: &Tape<'_>, at: usize, most: usize) -> (Vec<u8>, usize) {
    let end = tape.run(at, at + most, Class::WORD);
    (tape.slice(Span::new(at, end)).to_ascii_lowercase(), end)
}
