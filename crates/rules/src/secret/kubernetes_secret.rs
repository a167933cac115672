//! Values of Kubernetes Secrets, written down in YAML.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, Views,
};

use super::{judge, quality};
use crate::{RulesError, Settings};

/// What introduces a Secret. Kinds such as `ExternalSecret` and `SealedSecret` hold references or ciphertext.
const KINDS: [&str; 3] = ["kind: secret", "kind: 'secret'", "kind: \"secret\""];

/// How far around its kind a manifest is read, in bytes: etcd holds objects of up to 1.5 MiB, manifests are written
/// by people.
const AROUND: usize = 16 << 10;

/// Shortest encoded value: shorter ones say less than nine bytes.
const ENCODED: usize = 12;

/// Least entropy of an encoded value in bits a character: `xxxxxxxxxxxx` has none.
const LEAST_ENTROPY: f32 = 2.0;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("secret/kubernetes-secret"),
    summary: Cow::Borrowed("value of a Kubernetes Secret"),
    doc: Cow::Borrowed(include_str!("kubernetes_secret.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-798"),
        Reference::new("URL", "https://kubernetes.io/docs/concepts/configuration/secret/"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct KubernetesSecret {
    literals: Vec<Cow<'static, str>>,
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(KubernetesSecret { literals: KINDS.iter().map(|l| Cow::Borrowed(*l)).collect() }))
}

/// The document around `at`: from the `---` before to the `---` behind it.
fn document(text: &str, at: usize) -> Span {
    let from = text.floor_char_boundary(at.saturating_sub(AROUND));
    let until = text.ceil_char_boundary((at + AROUND).min(text.len()));
    let before = text.get(from..at).unwrap_or_default();
    let after = text.get(at..until).unwrap_or_default();
    Span::new(from + before.rfind("\n---").map_or(0, |i| i + 4), at + after.find("\n---").unwrap_or(after.len()))
}

/// The values of the map below `data:` and `stringData:`, with whether they are encoded.
fn values(text: &str, document: Span) -> impl Iterator<Item = (Span, bool)> {
    let mut at = document.start;
    let mut map: Option<(usize, bool)> = None;
    let mut block = false;
    text.get(document.start..document.end).unwrap_or_default().split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let body = line.trim();
        let indent = line.len() - line.trim_start().len();
        if body.is_empty() || body.starts_with('#') {
            return None;
        }
        if matches!(body, "data:" | "stringData:") {
            map = Some((indent, body == "data:"));
            block = false;
            return None;
        }
        let (depth, encoded) = map?;
        if indent <= depth {
            map = None;
            return None;
        }
        let value = match body.split_once(':') {
            Some((_, rest)) if !block || rest.starts_with(' ') => {
                let rest = rest.trim();
                block = matches!(rest.get(..1), Some("|" | ">"));
                if block {
                    return None;
                }
                rest
            }
            _ if block => body,
            _ => return None,
        };
        let bare = value.trim_matches(|c| matches!(c, '"' | '\''));
        let offset = line.rfind(bare).filter(|_| !bare.is_empty())?;
        Some((Span::new(start + offset, start + offset + bare.len()), encoded))
    })
}

fn is_secret(value: &str, encoded: bool) -> bool {
    let bytes = value.as_bytes();
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if encoded {
        // Zeros are encoded as a row of `A`, and are nothing odd in a key.
        bytes.len() >= ENCODED
            && bytes.iter().all(base64)
            && !quality::names_stand_in(bytes)
            && quality::entropy(bytes) >= LEAST_ENTROPY
    } else {
        bytes.len() >= 6 && !quality::is_placeholder(bytes) && !judge::is_reference(bytes)
    }
}

impl Detector for KubernetesSecret {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let mut done = (usize::MAX, 0);
        for (text, hit) in subject.anchored() {
            let whole = |end: usize| text.text.get(end..).and_then(|rest| rest.chars().next());
            if (done.0 == hit.text && hit.span.start < done.1)
                || whole(hit.span.end).is_some_and(|c| c.is_alphanumeric())
            {
                continue;
            }
            let document = document(&text.text, hit.span.start);
            done = (hit.text, document.end);
            for (span, encoded) in values(&text.text, document) {
                if is_secret(span.of(&text.text), encoded) {
                    out.report(Report::new(rule, text, span).entity("KUBERNETES_SECRET"));
                }
            }
        }
    }
}
