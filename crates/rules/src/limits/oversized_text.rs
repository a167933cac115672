//! One unbroken run that no reader or writer of prose produces.

use std::borrow::Cow;

use bartizan_core::{
    Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span, Subject,
    Views,
};

use crate::{RulesError, Settings};

/// Bytes without a blank or line break from which a run counts as oversized. The longest unbroken runs of ordinary
/// traffic are pictures in `data:` addresses and signed tokens, which stay below 16 KiB in prose.
const RUN: usize = 32 * 1024;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("limits/oversized-text"),
    summary: Cow::Borrowed("a very long run without a blank or line break"),
    doc: Cow::Borrowed(include_str!("oversized_text.md")),
    severity: Severity::Low,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[Reference::new("OWASP-LLM", "LLM10"), Reference::new("CWE", "CWE-400")]),
    since: Cow::Borrowed("0.1.0"),
}];

struct OversizedText;

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(OversizedText))
}

impl Detector for OversizedText {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::RAW
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        if subject.text.len() < RUN {
            return;
        }
        let [rule] = &RULES;
        for text in subject.views(self.views()) {
            let mut start = 0;
            for end in memchr::memchr3_iter(b' ', b'\n', b'\t', text.text.as_bytes()).chain([text.text.len()]) {
                // Scripts without blanks between words write long runs as a matter of course; their sentences
                // end in marks that are not ASCII, so only runs of ASCII count.
                if end - start >= RUN && Span::new(start, end).of(&text.text).is_ascii() {
                    out.report(Report::new(rule, text, Span::new(start, end)));
                }
                start = end + 1;
            }
        }
    }
}
