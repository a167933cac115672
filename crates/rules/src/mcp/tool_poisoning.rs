//! Definitions of tools that tell the model to do something else than the tool is for.

use std::borrow::Cow;

use bartizan_core::{
    Confidence, Context, Cost, Detector, Hold, Limits, Origin, Persona, Reference, Report, Rule, RuleId, Severity,
    Sink, Source, Span, Subject, Views,
};
use regex::bytes::{Regex, RegexBuilder};

use crate::{RulesError, Settings};

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("mcp/tool-poisoning"),
    summary: Cow::Borrowed("a tool definition with orders that the tool's purpose does not need"),
    doc: Cow::Borrowed(include_str!("tool_poisoning.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-AGENTIC", "ASI01"),
        Reference::new("OWASP-AGENTIC", "ASI04"),
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("ATLAS", "AML.T0110"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// Longest definition that is read for signs; the rest is not, and coverage says so.
const LONGEST: usize = 64 << 10;

/// What a definition may say that tools do not need to say. One sign alone is everyday writing. Within a sentence only, so
/// that two remarks do not make one order; verbs are in the imperative, since "reads the settings" describes.
const SIGNS: [(Sign, &str); 8] = [
    // To read places of credentials and of other servers' settings.
    (
        Sign::PLACE,
        r"\b(?:read|open|cat|load|fetch|get|access|retrieve|include|send|copy|upload|attach|pass)\b[^.!?\n]{0,60}(?:[/\\]\.ssh\b|~/\.ssh|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\.aws[/\\]|\.kube[/\\]config|\.gnupg|\.netrc\b|\.npmrc\b|\.pypirc\b|\.git-credentials|\.(?:cursor|vscode|claude|codeium)[/\\]|\bmcp\.json\b|claude_desktop_config|/etc/(?:passwd|shadow)|[\s/'`(\x22]\.env\b|\.bash_history|\bwallet\.dat\b|\bkeychain\b)",
    ),
    // To hand over what was said before, or by whom the model is operated.
    (
        Sign::HANDOVER,
        r"\b(?:pass|send|put|include|provide|append|attach|copy|insert|place|submit|embed|forward|add|supply)\b[^.!?\n]{0,60}\b(?:(?:conversation|chat|message|dialogue?)[ _-](?:history|logs?|so far|transcript)|(?:entire|whole|full|complete)(?: of)?(?: the)? (?:conversation|chat|dialogue?)|(?:previous|prior|earlier) (?:messages|conversations?|tool (?:calls|results|outputs?|responses))|(?:system|developer) (?:prompt|message|instructions))\b[^.!?\n]{0,60}\b(?:as|in|into|to|with|using|via|through)\b[^.!?\n]{0,24}(?:\b(?:parameters?|arguments?|params?|fields?|side ?notes?|notes?|request|call|query|url|body)\b|[`'\x22][a-z_]+[`'\x22])",
    ),
    (
        Sign::TALK,
        r"\b(?:conversation|chat|message|dialogue?)[ _-](?:history|logs?|so far|transcript)\b|\b(?:previous|prior|earlier) (?:messages|conversations?|tool (?:calls|results|outputs?|responses))\b|\b(?:system|developer) (?:prompt|message|instructions)\b",
    ),
    // What opens doors.
    (
        Sign::SECRET,
        r"\b(?:api|access|private|ssh|secret|signing|encryption)[ _-]?(?:keys?|tokens?)\b|\bcredentials?\b|\bpasswords?\b|\benvironment variables?\b|\bauth(?:entication|orization)? tokens?\b|\bsession cookies?\b",
    ),
    // To hand something over, in an argument or otherwise.
    (
        Sign::PASS,
        r"\b(?:pass|send|put|include|provide|append|attach|copy|insert|place|submit|embed|forward|add|supply)\b[^.!?\n]{0,90}\b(?:as|in|into|to|with|using|via|through)\b[^.!?\n]{0,24}(?:\b(?:parameters?|arguments?|params?|fields?|side ?notes?|notes?|bcc|request|call|query|url|body)\b|[`'\x22][a-z_]+[`'\x22])",
    ),
    // To keep something from the user.
    (
        Sign::CONCEAL,
        r"\b(?:do not|don't|dont|never|must not|should not|without|avoid)\b[^.!?\n]{0,30}\b(?:tell(?:ing)?|mention(?:ing)?|inform(?:ing)?|notify(?:ing)?|reveal(?:ing)?|disclos(?:e|ing)|alert(?:ing)?|let(?:ting)?|asking|warn(?:ing)?)\b[^.!?\n]{0,40}\b(?:users?|humans?|person|anyone|anybody|operator|them|him|her)\b|\b(?:do not|don't|dont|never|must not)\b[^.!?\n]{0,16}\b(?:mention|reveal|disclose|talk about)\b[^.!?\n]{0,16}\b(?:this|it|that|these)\b|\bkeep (?:this|it|that) (?:secret|hidden|quiet|between)\b|\b(?:silently|secretly|covertly|in secret|behind the scenes)\b",
    ),
    // Tags that a model may take for its operator's.
    (
        Sign::TAG,
        r"<\s*/?\s*(?:important|system|instructions?|hidden|secret|critical|admin|override)\s*/?>|\[\s*/?(?:system|instructions?|inst)\s*\]",
    ),
    // To come before what the tool was called for, or before other tools.
    (
        Sign::BEFORE,
        r"\b(?:before|prior to|whenever|each time|every time|any time|when)\b[^.!?\n]{0,30}\b(?:us(?:e|ing|ed)|call(?:ing|ed)?|invok(?:e|ing|ed)|run(?:ning)?|answering|responding)\b|\b(?:otherwise|or else|if you (?:do not|don't))\b[^.!?\n]{0,40}\b(?:tool|function|system|it|this)\b[^.!?\n]{0,20}\b(?:fail|not work|crash|break|error|locked|unavailable)",
    ),
];

/// A set of signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sign(u8);

impl Sign {
    const PLACE: Self = Self(1);
    const TALK: Self = Self(1 << 1);
    const SECRET: Self = Self(1 << 2);
    const PASS: Self = Self(1 << 3);
    const CONCEAL: Self = Self(1 << 4);
    const TAG: Self = Self(1 << 5);
    const BEFORE: Self = Self(1 << 6);
    const HANDOVER: Self = Self(1 << 7);

    /// True where any of the signs is there.
    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How sure two or more signs are.
    const fn confidence(self) -> Option<Confidence> {
        let shady = self.has(Self::CONCEAL.or(Self::TAG));
        let high = (self.has(Self::PLACE) && self.has(Self::PASS.or(Self::BEFORE).or(Self::CONCEAL).or(Self::TAG)))
            || (self.has(Self::HANDOVER) && (shady || self.has(Self::BEFORE)))
            || (self.has(Self::CONCEAL) && self.has(Self::PASS) && self.has(Self::SECRET.or(Self::TALK)));
        if high {
            return Some(Confidence::High);
        }
        if self.has(Self::HANDOVER) || (self.has(Self::TAG) && self.has(Self::TALK.or(Self::CONCEAL))) {
            return Some(Confidence::Medium);
        }
        let low = (self.has(Self::CONCEAL) && self.has(Self::BEFORE.or(Self::PASS)))
            || (self.has(Self::TAG) && self.has(Self::PASS.or(Self::BEFORE).or(Self::SECRET)));
        if low { Some(Confidence::Low) } else { None }
    }
}

struct ToolPoisoning {
    signs: Vec<(Sign, Regex)>,
}

/// Builds the detector.
///
/// # Errors
/// A pattern does not compile.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let compile = |(sign, pattern): &(Sign, &str)| {
        let regex = RegexBuilder::new(pattern).case_insensitive(true).unicode(false).build();
        let failed = |e: regex::Error| RulesError::Pattern { rule: RULES[0].id.to_string(), reason: e.to_string() };
        regex.map(|regex| (*sign, regex)).map_err(failed)
    };
    Ok(Box::new(ToolPoisoning { signs: SIGNS.iter().map(compile).collect::<Result<_, _>>()? }))
}

impl Detector for ToolPoisoning {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::FOLDED.with(Views::SKELETON).with(Views::DECODED)
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Regex
    }

    fn concerns(&self, origin: &Origin, _: &Context<'_>) -> bool {
        origin.source == Source::Definition
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        if subject.origin.source != Source::Definition {
            return;
        }
        let mut best: Option<Confidence> = None;
        for view in subject.views(self.views()) {
            let mut end = view.text.len().min(LONGEST);
            while !view.text.is_char_boundary(end) {
                end -= 1;
            }
            if end < view.text.len() {
                out.partial(bartizan_core::Reason::TooLong, view.text.len() - end);
            }
            let text = view.text.get(..end).unwrap_or_default();
            let mut signs = Sign::default();
            let mut extent: Option<Span> = None;
            for (sign, regex) in &self.signs {
                // Every pattern begins and ends with an ASCII character, so the ends are character boundaries.
                let Some(found) = regex.find(text.as_bytes()) else { continue };
                signs = Sign(signs.0 | sign.0);
                let known = extent.unwrap_or(Span::new(found.start(), found.end()));
                extent = Some(Span::new(known.start.min(found.start()), known.end.max(found.end())));
            }
            // What an encoded payload says is not said by accident, but it is said once.
            if let (Some(confidence), Some(extent)) = (signs.confidence(), extent)
                && best.is_none_or(|best| confidence > best)
            {
                best = Some(confidence);
                out.report(Report::new(rule, view, extent).confidence(confidence));
            }
        }
    }
}
