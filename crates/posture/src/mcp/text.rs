//! Texts that agents take as instructions. That they instruct is their purpose; what none of them needs is to hide from
//! the person, to fetch secrets for somebody else, or to be written in characters that nobody sees.

use bartizan_core::{Severity, Span};

use super::recorded::Recorded;
use crate::report::Desk;
use crate::rules;

/// Words that keep something from the person.
const CONCEAL: &[&str] = &[
    "do not tell the user",
    "don't tell the user",
    "do not mention this to the user",
    "don't mention this to the user",
    "do not inform the user",
    "don't inform the user",
    "do not let the user know",
    "don't let the user know",
    "without telling the user",
    "without informing the user",
    "without the user's knowledge",
    "without the user knowing",
    "without the user noticing",
    "do not reveal this to the user",
    "never tell the user",
    "never mention this to the user",
    "hide this from the user",
    "do not show this to the user",
    "keep this secret from the user",
    "the user must not know",
    "do not disclose this to the user",
    "user does not need to know about this",
    "do not notify the user",
];
/// Words for what is nobody else's.
const PRIVATE: &[&str] = &[
    "id_rsa",
    "id_ed25519",
    ".ssh/",
    "~/.ssh",
    ".aws/credentials",
    ".env file",
    "contents of .env",
    ".netrc",
    "mcp.json",
    "claude_desktop_config",
    "api key",
    "api_key",
    "access token",
    "password",
    "private key",
    "credentials",
    "session cookie",
    "conversation history",
    "environment variables",
    "system prompt",
    "chat history",
    "/etc/passwd",
    "keychain",
];
/// Words that carry something away.
const CARRY: &[&str] = &[
    "send it to",
    "send them to",
    "send the",
    "upload",
    "post it to",
    "post them to",
    "exfiltrate",
    "forward it to",
    "forward them to",
    "curl ",
    "wget ",
    "http request to",
    "append it to the url",
    "pass it as",
    "pass its content",
    "include it in",
    "email it to",
    "encode it",
    "base64",
];
/// Words that lift other instructions.
const OVERRIDE: &[&str] = &[
    "ignore all previous instructions",
    "ignore previous instructions",
    "ignore the system prompt",
    "disregard all previous",
    "disregard the system prompt",
    "override your instructions",
    "ignore any other instructions",
    "ignore your instructions",
];

/// Examines one text that begins at byte `offset` of the file.
pub(super) fn examine(text: &str, offset: usize, desk: &mut Desk) {
    hidden(text, offset, desk);
    let mut start = 0;
    // One instruction is a paragraph at most.
    for part in text.split_inclusive("\n\n") {
        let at = start;
        start += part.len();
        paragraph(part, offset + at, desk);
    }
}

fn find(text: &str, words: &[&str]) -> Option<(usize, usize)> {
    words.iter().filter_map(|word| text.find(word).map(|at| (at, word.len()))).min()
}

fn paragraph(part: &str, offset: usize, desk: &mut Desk) {
    // Lower case of ASCII keeps places.
    let lower = part.to_ascii_lowercase().replace('’', "'");
    let same = lower.len() == part.len();
    let conceal = find(&lower, CONCEAL);
    let private = find(&lower, PRIVATE);
    let carry = find(&lower, CARRY);
    let lifted = find(&lower, OVERRIDE);
    let what = match (conceal, private, carry, lifted) {
        (Some(place), Some(_), Some(_), _) => {
            Some((place, Severity::Critical, "it has the agent carry secrets away and keep that from the person"))
        }
        (Some(place), _, _, Some(_)) | (_, Some(_), Some(_), Some(place)) => Some((
            place,
            Severity::High,
            "it lifts other instructions, and reaches for secrets or keeps that from the person",
        )),
        (Some(place), Some(_), None, None) | (Some(place), None, Some(_), None) => {
            Some((place, Severity::High, "it has the agent do something and keep that from the person"))
        }
        _ => None,
    };
    if let Some(((at, length), severity, what)) = what {
        let span =
            if same { Span::new(offset + at, offset + at + length) } else { Span::new(offset, offset + part.len()) };
        desk.find_as(
            &rules::COVERT_INSTRUCTION,
            severity,
            rules::COVERT_INSTRUCTION.confidence,
            span,
            what,
            "find out who wrote it; do not use the file or server until you know",
        );
    }
}

/// Characters that nobody sees and models read. Joiners between letters of scripts that need them, and emoji, are text.
fn hidden(text: &str, offset: usize, desk: &mut Desk) {
    let (mut run, mut start) = (0_usize, 0);
    let mut previous = '\n';
    for (at, c) in text.char_indices().chain([(text.len(), '\n')]) {
        let unseen = match c {
            // Tags: a whole alphabet that is not drawn. Flags of regions use it behind U+1F3F4.
            '\u{e0020}'..='\u{e007f}' => {
                previous != '\u{1f3f4}' && !('\u{e0020}'..='\u{e007f}').contains(&previous) || run > 0
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
            '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{180e}' | '\u{115f}' | '\u{1160}' | '\u{3164}' => true,
            '\u{200c}' | '\u{200d}' => previous.is_ascii_alphanumeric() || run > 0,
            '\u{feff}' => at > 0,
            // Variation selectors carry bytes where there are many.
            '\u{e0100}'..='\u{e01ef}' => true,
            _ => false,
        };
        if unseen {
            if run == 0 {
                start = at;
            }
            run += 1;
        } else {
            // One zero-width space is a break for long words.
            if run > 1 || run == 1 && matches!(previous, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                let severity = if run >= 8 { Severity::High } else { Severity::Medium };
                desk.find_as(
                    &rules::HIDDEN_TEXT,
                    severity,
                    rules::HIDDEN_TEXT.confidence,
                    Span::new(offset + start, offset + at),
                    format!("{run} characters here are not seen by people, and are read by models"),
                    "take them out, and find out who put them there",
                );
            }
            run = 0;
        }
        previous = c;
    }
}

/// What a server says of its tools, prompts and resources.
pub(super) fn definitions(recorded: &Recorded, desk: &mut Desk) {
    recorded.leaves(&mut |_, leaf| {
        if let Some(text) = leaf.text().filter(|t| t.len() > 8) {
            // Escapes of JSON may hide characters from the bytes of the file.
            let mut inner = Desk::default();
            examine(text, 0, &mut inner);
            desk.take(inner, leaf.span);
        }
    });
}
