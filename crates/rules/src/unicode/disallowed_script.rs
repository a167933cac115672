//! Characters outside the scripts and classes that a route expects.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Context, Cost, Detector, Hold, Kind, Limits, Origin, Persona, Reference, Report, Rule, RuleId,
    Severity, Sink, Source, Span, Subject, Views,
};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RulesError, Settings};

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("unicode/disallowed-script"),
    summary: Cow::Borrowed("characters outside the scripts and classes that the route allows"),
    doc: Cow::Borrowed(include_str!("disallowed_script.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("CWE", "CWE-184"),
        Reference::new("URL", "https://www.unicode.org/reports/tr24/"),
        Reference::new("URL", "https://www.unicode.org/reports/tr39/"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// What kind of character something is, by its general category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CharClass {
    /// Letters of any script, with their marks.
    Letters,
    /// Digits and other numbers.
    Numbers,
    /// Punctuation.
    Punctuation,
    /// Mathematical, currency and other symbols, pictures among them.
    Symbols,
    /// Emoji, with what joins and colours them.
    Emoji,
    /// Control and format characters.
    Controls,
    /// Private use and unassigned characters.
    Unassigned,
}

impl CharClass {
    /// The class as a set of a regular expression.
    const fn set(self) -> &'static str {
        match self {
            Self::Letters => r"\p{L}\p{M}",
            Self::Numbers => r"\p{N}",
            Self::Punctuation => r"\p{P}\p{Z}",
            Self::Symbols => r"\p{S}",
            Self::Emoji => r"\p{Extended_Pictographic}\p{Emoji_Component}\x{200d}",
            Self::Controls => r"\p{Cc}\p{Cf}",
            Self::Unassigned => r"\p{Co}\p{Cn}",
        }
    }
}

/// Which characters are expected. A character must be in an allowed script and in an allowed class. Blanks and line
/// breaks always are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scripts {
    /// Scripts by their Unicode name: `Latin`, `Cyrillic`, `Han`. `Common` are digits, punctuation and symbols that
    /// many scripts share. Marks follow their letters. Empty is every script.
    pub allow: Vec<String>,
    /// Classes: `letters`, `numbers`, `punctuation`, `symbols`, `emoji`, `controls`, `unassigned`. Empty is every class.
    pub classes: Vec<CharClass>,
}

impl Scripts {
    /// What finds runs of characters that are not allowed; none where everything is.
    fn compile(&self) -> Result<Option<Regex>, RulesError> {
        if self.allow.is_empty() && self.classes.is_empty() {
            return Ok(None);
        }
        let mut scripts = String::new();
        for name in &self.allow {
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
            let known = plain && Regex::new(&format!(r"\p{{sc={name}}}")).is_ok();
            if !known {
                let reason = "is not the name of a Unicode script; names are like `Latin`, `Cyrillic`, `Han`, `Common`";
                return Err(RulesError::Setting {
                    key: "rules.scripts.allow",
                    value: name.clone(),
                    reason: reason.to_owned(),
                });
            }
            scripts.push_str(&format!(r"\p{{sc={name}}}\p{{scx={name}}}"));
        }
        let scripts = if scripts.is_empty() { r"\x{0}-\x{10ffff}".to_owned() } else { scripts + r"\p{sc=Inherited}" };
        let classes: String = self.classes.iter().map(|class| class.set()).collect();
        let classes = if classes.is_empty() { r"\x{0}-\x{10ffff}" } else { &classes };
        let pattern = format!(r"[^\t\n\r\x20[[{scripts}]&&[{classes}]]]+");
        Regex::new(&pattern).map(Some).map_err(|error| RulesError::Pattern {
            rule: "unicode/disallowed-script".to_owned(),
            reason: error.to_string(),
        })
    }
}

struct DisallowedScript {
    /// By profile: what finds runs that are not allowed.
    by_profile: Vec<Option<Regex>>,
    anchors: Anchors<'static>,
}

/// Builds the detector. Where no profile allows only some characters, nothing leads to it.
///
/// # Errors
/// A script that Unicode does not know.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let by_profile = settings
        .by_profile(|route| route.and_then(|r| r.scripts.as_ref()).unwrap_or(&settings.scripts).compile())
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let ascii: String = (0..128_u8).map(char::from).collect();
    let anchors = match by_profile.iter().flatten().map(|r| r.is_match(&ascii)).max() {
        None => Anchors { literals: &[], digits: false, non_ascii: false, always: false },
        Some(false) => Anchors::NON_ASCII,
        Some(true) => Anchors::ALWAYS,
    };
    Ok(Box::new(DisallowedScript { by_profile, anchors }))
}

impl Detector for DisallowedScript {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::RAW
    }

    /// A run goes on for as long as its script does.
    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Regex
    }

    fn anchors(&self) -> Anchors<'_> {
        self.anchors
    }

    fn concerns(&self, origin: &Origin, context: &Context<'_>) -> bool {
        matches!(origin.source, Source::User | Source::Tool | Source::Document | Source::Memory | Source::Model)
            && self.by_profile.get(context.profile.0).is_some_and(Option::is_some)
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let Some(Some(regex)) = self.by_profile.get(subject.context.profile.0) else { return };
        if matches!(subject.kind, Kind::Name | Kind::Key | Kind::Number) {
            return;
        }
        for text in subject.views(self.views()) {
            let mut last: Option<Span> = None;
            for found in regex.find_iter(&text.text) {
                let run = Span::new(found.start(), found.end());
                // Words of one passage are one finding: only blanks and punctuation stand between them.
                let joins = last
                    .is_some_and(|last| !Span::new(last.end, run.start).of(&text.text).contains(char::is_alphanumeric));
                last = match last {
                    Some(last) if joins => Some(Span::new(last.start, run.end)),
                    Some(last) => {
                        out.report(Report::new(rule, text, last));
                        Some(run)
                    }
                    None => Some(run),
                };
                if out.is_full() {
                    return;
                }
            }
            if let Some(last) = last {
                out.report(Report::new(rule, text, last));
            }
        }
    }
}
