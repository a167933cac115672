//! Links, images and styles that lead to hosts which are not allowed.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, ViewText, Views,
};

use super::address::{Allowed, Payload, Target, target};
use super::markup::{Construct, LONGEST, Use, construct_at};
use crate::tape::{Tape, live_from};
use crate::{RulesError, Settings};

/// What every address with a host has, and the ways to write one without it.
const LITERALS: [Cow<'static, str>; 23] = [
    Cow::Borrowed("://"),
    Cow::Borrowed("](//"),
    Cow::Borrowed("](<//"),
    Cow::Borrowed("]: //"),
    Cow::Borrowed("=//"),
    Cow::Borrowed("=\"//"),
    Cow::Borrowed("='//"),
    Cow::Borrowed("url(//"),
    Cow::Borrowed("](\\\\"),
    Cow::Borrowed("](/\\"),
    Cow::Borrowed(":\\\\"),
    Cow::Borrowed(":/\\"),
    Cow::Borrowed("](http"),
    Cow::Borrowed("src=\"http"),
    Cow::Borrowed("&colon;"),
    Cow::Borrowed("&#58;"),
    Cow::Borrowed("&#x3a;"),
    Cow::Borrowed("script:"),
    Cow::Borrowed("&tab;"),
    Cow::Borrowed("&newline;"),
    Cow::Borrowed("&#x"),
    Cow::Borrowed("&#1"),
    Cow::Borrowed("](data:"),
];

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("egress/markup-link"),
    summary: Cow::Borrowed("link or picture that leads to a host which is not allowed"),
    doc: Cow::Borrowed(include_str!("markup_link.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-200"),
        Reference::new("CVE", "CVE-2025-32711"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct MarkupLink {
    allowed: Allowed,
}

/// Builds the detector.
///
/// # Errors
/// An entry of `egress.allow_hosts` that is no host.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let allowed = Allowed::new(&settings.egress.allow_hosts).map_err(|(value, reason)| RulesError::Setting {
        key: "egress.allow_hosts",
        value,
        reason,
    })?;
    Ok(Box::new(MarkupLink { allowed }))
}

/// How bad and how sure, from how an address is used and what it carries.
const fn weigh(used: Use, target: Target) -> Option<(Severity, Confidence)> {
    use Confidence::{High, Low, Medium};
    Some(match (target, used) {
        (Target::Home, _) => return None,
        (Target::Active, _) => (Severity::High, High),
        (Target::Away(Payload::Opaque | Payload::Token), Use::Fetched) => (Severity::High, High),
        (Target::Away(Payload::Words), Use::Fetched) => (Severity::High, Medium),
        (Target::Away(Payload::None), Use::Fetched) => (Severity::Medium, High),
        // Whether it is fetched is said where it is used.
        (Target::Away(Payload::Opaque), Use::Definition) => (Severity::High, Medium),
        (Target::Away(Payload::Token | Payload::Words), Use::Definition) => (Severity::Medium, Medium),
        (Target::Away(Payload::Opaque), Use::Link | Use::Bare) => (Severity::Medium, Medium),
        // Searches and titles are words in addresses, too, and commits and documents have ids.
        (Target::Away(Payload::Words | Payload::Token), Use::Link | Use::Bare) => (Severity::Medium, Low),
        (Target::Away(Payload::None), _) => (Severity::Info, High),
    })
}

impl MarkupLink {
    fn judge(&self, tape: &Tape<'_>, construct: &Construct) -> Option<(Severity, Confidence)> {
        construct
            .addresses
            .iter()
            .filter_map(|(used, span)| weigh(*used, target(&String::from_utf8_lossy(tape.slice(*span)), &self.allowed)))
            .max()
    }

    /// Reports the constructs that start in `range` and reach behind `hit`; `until` is where the last one ends.
    fn read(&self, text: &ViewText<'_>, range: Span, hit: usize, until: &mut usize, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let tape = Tape::new(&text.text);
        for start in range.start..range.end {
            let Some(construct) = construct_at(&tape, start).filter(|c| c.span.end > hit) else { continue };
            // What stands inside a link or tag is no finding beside it.
            let opens = matches!(tape.at(start), Some(b'!' | b'[' | b'<'));
            if !opens && start < *until {
                continue;
            }
            *until = construct.span.end.max(*until);
            if let Some((severity, confidence)) = self.judge(&tape, &construct) {
                out.report(Report::new(rule, text, construct.span).severity(severity).confidence(confidence));
            }
        }
    }
}

impl Detector for MarkupLink {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(LONGEST)
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &LITERALS, ..Anchors::default() }
    }

    fn live(&self, tail: &str) -> usize {
        live_from(tail, LONGEST + 1, |tape, at| {
            construct_at(tape, at);
        })
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        // Where constructs around the hits can start, each byte once.
        let mut done = (usize::MAX, 0);
        let mut until = 0;
        for (text, hit) in subject.anchored() {
            if done.0 != hit.text {
                done = (hit.text, 0);
                until = 0;
            }
            let hit = hit.span.start;
            let start = hit.saturating_sub(LONGEST).max(done.1);
            self.read(text, Span::new(start, hit + 1), hit, &mut until, out);
            done.1 = hit + 1;
            if out.is_full() {
                break;
            }
        }
    }
}
