//! The same bytes over and over.

use std::borrow::Cow;

use bartizan_core::{
    Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span, Subject,
    Views,
};
use memchr::memmem;

use crate::{RulesError, Settings};

/// Longest unit that is repeated, in bytes.
const PERIOD: usize = 192;
/// Bytes compared to see whether a place recurs soon.
const PROBE: usize = 32;
/// Distance of two probes. A run of [`RUN`] bytes holds one that finds it.
const STEP: usize = 512;
/// Bytes from which a repetition is reported.
const RUN: usize = 2048;
/// Times that a unit has to be repeated.
const TIMES: usize = 16;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("limits/repetition"),
    summary: Cow::Borrowed("the same token, line or block repeated over and over"),
    doc: Cow::Borrowed(include_str!("repetition.md")),
    severity: Severity::Low,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM10"),
        Reference::new(
            "PAPER",
            "Nasr et al., Scalable Extraction of Training Data from (Production) Language Models, 2023",
        ),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct Repetition;

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(Repetition))
}

impl Detector for Repetition {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::CLEAN
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        for text in subject.views(self.views()) {
            let bytes = text.text.as_bytes();
            let mut at = 0;
            while at + RUN <= bytes.len() + STEP {
                let Some(period) = recurs(bytes, at) else {
                    at += STEP;
                    continue;
                };
                let run = extend(bytes, at, period);
                if run.len() >= RUN && run.len() >= period * TIMES {
                    let start = (run.start..run.end).find(|i| text.text.is_char_boundary(*i)).unwrap_or(run.end);
                    let end = (start..=run.end).rev().find(|i| text.text.is_char_boundary(*i)).unwrap_or(start);
                    out.report(Report::new(rule, text, Span::new(start, end)));
                }
                at = run.end.max(at + STEP);
            }
        }
    }
}

/// How far behind a place its bytes come again, if soon.
fn recurs(bytes: &[u8], at: usize) -> Option<usize> {
    let probe = bytes.get(at..at + PROBE)?;
    let end = (at + 1 + PERIOD + PROBE).min(bytes.len());
    memmem::find(bytes.get(at + 1..end)?, probe).map(|i| i + 1)
}

/// The longest stretch around a place in which every byte equals the one a period away.
fn extend(bytes: &[u8], at: usize, period: usize) -> Span {
    let ahead = |from: usize| {
        let (a, b) = (bytes.get(from..).unwrap_or_default(), bytes.get(from + period..).unwrap_or_default());
        a.iter().zip(b).take_while(|(a, b)| a == b).count()
    };
    let (a, b) = (bytes.get(..at).unwrap_or_default(), bytes.get(..at + period).unwrap_or_default());
    let behind = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    // What lies before the last probe was compared then, unless it belongs to this run.
    Span::new(at - behind.min(at), at + ahead(at) + period)
}
