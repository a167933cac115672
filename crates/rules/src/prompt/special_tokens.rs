//! Reserved tokens of chat templates, written out in a text.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Fix, HitKind, Hold, Limits, Persona, Reference, Report, Rule, RuleId,
    Severity, Sink, Span, Subject, Views,
};

use crate::{RulesError, Settings};

/// Longest token that is recognised, in bytes.
const BOUND: usize = 64;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/special-tokens"),
    summary: Cow::Borrowed("reserved tokens of a chat template in a text"),
    doc: Cow::Borrowed(include_str!("special_tokens.md")),
    severity: Severity::Medium,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("CWE", "CWE-140"),
        Reference::new(
            "PAPER",
            "Jiang et al., ChatBug: A Common Vulnerability of Aligned LLMs Induced by Chat Templates, 2024",
        ),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// What a token does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Opens a turn, or says whose it is.
    Turn,
    /// Ends a turn or a text.
    End,
    /// Calls a tool or answers one.
    Tool,
}

/// How a token goes on after its literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// It is complete.
    Nothing,
    /// Letters, digits and `_`, then `|>`.
    Pipe,
}

/// Reserved tokens as facts of the published templates. Full-width bars are ordinary ones in the views read.
const TOKENS: &[(&str, Rest, Role)] = &[
    // ChatML (OpenAI, Qwen, Yi, InternLM and others).
    ("<|im_start|>", Rest::Nothing, Role::Turn),
    ("<|im_end|>", Rest::Nothing, Role::End),
    ("<|im_sep|>", Rest::Nothing, Role::Turn),
    ("<|im_", Rest::Pipe, Role::Turn),
    // OpenAI: text completion, harmony.
    ("<|endoftext|>", Rest::Nothing, Role::End),
    ("<|endofprompt|>", Rest::Nothing, Role::End),
    ("<|startoftext|>", Rest::Nothing, Role::Turn),
    ("<|channel|>", Rest::Nothing, Role::Turn),
    ("<|message|>", Rest::Nothing, Role::Turn),
    ("<|constrain|>", Rest::Nothing, Role::Tool),
    ("<|return|>", Rest::Nothing, Role::End),
    ("<|call|>", Rest::Nothing, Role::Tool),
    ("<|start|>", Rest::Nothing, Role::Turn),
    ("<|end|>", Rest::Nothing, Role::End),
    ("<|fim_", Rest::Pipe, Role::Tool),
    // Llama 3 and 4.
    ("<|begin_", Rest::Pipe, Role::Turn),
    ("<|start_", Rest::Pipe, Role::Turn),
    ("<|end_", Rest::Pipe, Role::End),
    ("<|header_", Rest::Pipe, Role::Turn),
    ("<|eot", Rest::Pipe, Role::End),
    ("<|eom", Rest::Pipe, Role::End),
    ("<|python_", Rest::Pipe, Role::Tool),
    // Phi, Zephyr, GLM, Granite, Command R.
    ("<|user|>", Rest::Nothing, Role::Turn),
    ("<|assistant|>", Rest::Nothing, Role::Turn),
    ("<|system|>", Rest::Nothing, Role::Turn),
    ("<|developer|>", Rest::Nothing, Role::Turn),
    ("<|tool|>", Rest::Nothing, Role::Tool),
    ("<|observation|>", Rest::Nothing, Role::Tool),
    ("<|tool_", Rest::Pipe, Role::Tool),
    ("<|user_", Rest::Pipe, Role::Turn),
    ("<|system_", Rest::Pipe, Role::Turn),
    ("<|chatbot_", Rest::Pipe, Role::Turn),
    // DeepSeek, whose blanks are U+2581.
    ("<|begin\u{2581}", Rest::Pipe, Role::Turn),
    ("<|end\u{2581}", Rest::Pipe, Role::End),
    ("<|tool\u{2581}", Rest::Pipe, Role::Tool),
    // Llama 2 and Mistral.
    ("[INST]", Rest::Nothing, Role::Turn),
    ("[/INST]", Rest::Nothing, Role::Turn),
    ("<<SYS>>", Rest::Nothing, Role::Turn),
    ("<</SYS>>", Rest::Nothing, Role::Turn),
    ("[SYSTEM_PROMPT]", Rest::Nothing, Role::Turn),
    ("[/SYSTEM_PROMPT]", Rest::Nothing, Role::Turn),
    ("[AVAILABLE_TOOLS]", Rest::Nothing, Role::Tool),
    ("[/AVAILABLE_TOOLS]", Rest::Nothing, Role::Tool),
    ("[TOOL_CALLS]", Rest::Nothing, Role::Tool),
    ("[TOOL_RESULTS]", Rest::Nothing, Role::Tool),
    ("[/TOOL_RESULTS]", Rest::Nothing, Role::Tool),
    // Gemma.
    ("<start_of_turn>", Rest::Nothing, Role::Turn),
    ("<end_of_turn>", Rest::Nothing, Role::End),
    // Tool calls of Qwen, Hermes and Claude.
    ("<tool_call>", Rest::Nothing, Role::Tool),
    ("</tool_call>", Rest::Nothing, Role::Tool),
    ("<tool_response>", Rest::Nothing, Role::Tool),
    ("</tool_response>", Rest::Nothing, Role::Tool),
    ("<function_calls>", Rest::Nothing, Role::Tool),
    ("</function_calls>", Rest::Nothing, Role::Tool),
    ("<function_results>", Rest::Nothing, Role::Tool),
    ("</function_results>", Rest::Nothing, Role::Tool),
];

struct SpecialTokens {
    literals: Vec<Cow<'static, str>>,
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(SpecialTokens { literals: TOKENS.iter().map(|(literal, ..)| Cow::Borrowed(*literal)).collect() }))
}

impl Detector for SpecialTokens {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(BOUND)
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn live(&self, tail: &str) -> usize {
        let bytes = tail.as_bytes();
        let from = bytes.len().saturating_sub(BOUND - 1);
        let opens = (from..bytes.len()).filter(|i| matches!(bytes.get(*i), Some(b'<' | b'[')));
        opens
            .map(|i| bytes.len() - i)
            .find(|n| unfinished(bytes.get(bytes.len() - n..).unwrap_or_default()))
            .unwrap_or(0)
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let mut last = (usize::MAX, Span::default());
        for (text, hit) in subject.anchored() {
            let HitKind::Literal(index) = hit.kind else { continue };
            let Some((_, rest, role)) = TOKENS.get(index) else { continue };
            let end = match rest {
                Rest::Nothing => Some(hit.span.end),
                Rest::Pipe => name_end(text.text.as_bytes(), hit.span),
            };
            let Some(end) = end else { continue };
            let span = Span::new(hit.span.start, end);
            // `<|im_start|>` is in the table whole, so that it has its own role, and by its beginning.
            if last == (hit.text, span) {
                continue;
            }
            last = (hit.text, span);
            let severity = match role {
                Role::Turn => Severity::High,
                Role::End | Role::Tool => Severity::Medium,
            };
            let report = Report::new(rule, text, span).severity(severity).entity("CHAT_TEMPLATE_TOKEN");
            out.report(report.fix(Fix::Replace(visible(span.of(&text.text)))));
        }
    }
}

/// A character that names of tokens go on with.
const fn in_name(byte: u8) -> bool {
    // Bytes outside ASCII: the blank of DeepSeek's tokens.
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// End of a token with this beginning, if it is one.
fn name_end(bytes: &[u8], beginning: Span) -> Option<usize> {
    let rest = bytes.get(beginning.end..(beginning.start + BOUND).min(bytes.len()))?;
    let name = rest.iter().take_while(|b| in_name(**b)).count();
    rest.get(name..)?.starts_with(b"|>").then_some(beginning.end + name + 2)
}

/// True where more text could make a token of these last bytes.
fn unfinished(end: &[u8]) -> bool {
    TOKENS.iter().any(|(literal, rest, _)| {
        let literal = literal.as_bytes();
        let shared = literal.len().min(end.len());
        let (Some(a), Some(b)) = (literal.get(..shared), end.get(..shared)) else { return false };
        if !a.eq_ignore_ascii_case(b) {
            return false;
        }
        if end.len() < literal.len() {
            return true;
        }
        let more = end.get(shared..).unwrap_or_default();
        let name = more.iter().take_while(|b| in_name(**b)).count();
        *rest == Rest::Pipe && matches!(more.get(name..), Some([] | [b'|']))
    })
}

/// The token as a person still reads it and a tokeniser does not.
fn visible(token: &str) -> String {
    let mut text = String::with_capacity(token.len() + 8);
    for c in token.chars() {
        text.push(match c {
            '<' => '\u{2039}',
            '>' => '\u{203A}',
            '[' => '\u{27E6}',
            ']' => '\u{27E7}',
            c => c,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_held_back_until_it_is_complete() {
        let detector = make(&Settings::default()).unwrap();
        for (literal, rest, _) in TOKENS {
            let token = if *rest == Rest::Pipe { format!("{literal}x|>") } else { (*literal).to_owned() };
            assert!(token.len() <= BOUND);
            for (end, _) in token.char_indices().skip(1) {
                let tail = format!("prose {}", &token[..end]);
                assert_eq!(detector.live(&tail), end, "{tail}");
            }
            assert_eq!(detector.live(&format!("{token} x")), 0);
            assert!(!visible(&token).contains(['<', '[']));
        }
        assert_eq!(detector.live("a < b and [1"), 0);
    }
}
