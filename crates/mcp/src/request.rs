//! What a server asks of its client: that its model writes something, or that its user says something.

use bartizan_core::Confidence;
use serde_json::Value;

use crate::link::{Reach, unsafe_link};
use crate::note::{Note, rules};

/// What nobody is asked for in a form (2025-11-25, client/elicitation: "Servers MUST NOT use form mode elicitation to
/// request sensitive information"). Words are compared without case, and blanks, `_` and `-` are the same.
const SECRETS: [&str; 34] = [
    "password",
    "passwort",
    "passphrase",
    "passcode",
    "contraseña",
    "mot de passe",
    "api key",
    "apikey",
    "api token",
    "access token",
    "auth token",
    "bearer token",
    "refresh token",
    "session token",
    "access key",
    "secret key",
    "client secret",
    "private key",
    "ssh key",
    "seed phrase",
    "recovery phrase",
    "recovery code",
    "mnemonic",
    "cvv",
    "cvc",
    "card number",
    "credit card",
    "social security",
    "ssn",
    "pin code",
    "otp",
    "one time code",
    "verification code",
    "credentials",
];

/// Most requests in one result that are read.
const MOST: usize = 256;

/// Looks at a request of a server (`method`, `params`), whose parameters are at the JSON Pointer `at` + `/params`; and,
/// for a result that asks for input instead (2026-07-28, `resultType: input_required`), at each of its requests.
#[must_use]
pub fn requested(message: &Value, at: &str, reach: Reach) -> Vec<Note> {
    let mut notes = Vec::new();
    one(message, at, reach, &mut notes);
    let asked = message.get("result").and_then(|result| result.get("inputRequests")).and_then(Value::as_object);
    for (key, request) in asked.into_iter().flatten().take(MOST) {
        let key = key.replace('~', "~0").replace('/', "~1");
        one(request, &format!("{at}/result/inputRequests/{key}"), reach, &mut notes);
    }
    notes
}

fn one(request: &Value, at: &str, reach: Reach, notes: &mut Vec<Note>) {
    let params = request.get("params").unwrap_or(&Value::Null);
    match request.get("method").and_then(Value::as_str) {
        Some("sampling/createMessage") => {
            notes.push(Note::new(rules::SAMPLING, format!("{at}/method"), Confidence::High));
        }
        Some("elicitation/create") => {
            if let Some(link) = params.get("url").and_then(Value::as_str)
                && (unsafe_link(link, reach) || !link.to_ascii_lowercase().starts_with("https://"))
            {
                notes.push(Note::new(rules::LINK, format!("{at}/params/url"), Confidence::High));
            }
            // In URL mode the secret goes to the page and neither the client nor its model sees it.
            if params.get("url").is_none() {
                form(params, at, notes);
            }
        }
        _ => {}
    }
}

/// A form: the message, and the names, titles and descriptions of its fields.
fn form(params: &Value, at: &str, notes: &mut Vec<Note>) {
    if params.get("message").and_then(Value::as_str).is_some_and(asks_for_secret) {
        notes.push(Note::new(rules::ELICITED, format!("{at}/params/message"), Confidence::High));
    }
    let fields = params.get("requestedSchema").and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    for (name, field) in fields.into_iter().flatten() {
        let text = |key| field.get(key).and_then(Value::as_str).unwrap_or_default();
        let secret = text("format") == "password";
        if secret || [name.as_str(), text("title"), text("description")].iter().any(|said| asks_for_secret(said)) {
            let name = name.replace('~', "~0").replace('/', "~1");
            let pointer = format!("{at}/params/requestedSchema/properties/{name}");
            notes.push(Note::new(rules::ELICITED, pointer, Confidence::High));
        }
    }
}

fn asks_for_secret(text: &str) -> bool {
    let mut words = String::with_capacity(text.len() + 2);
    let mut before = ' ';
    for c in text.chars() {
        let word = c.is_alphanumeric();
        // `apiKey` is two words.
        if (!word && !words.ends_with(' ')) || (c.is_uppercase() && before.is_lowercase()) {
            words.push(' ');
        }
        if word {
            words.extend(c.to_lowercase());
        }
        before = c;
    }
    let words = format!(" {} ", words.trim());
    SECRETS.iter().any(|secret| words.contains(&format!(" {secret} ")) || words.contains(&format!(" {secret}s ")))
}
