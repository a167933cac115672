//! What an endpoint says about a failure. A body is hostile and may repeat what was sent: what is kept is a piece, without
//! the keys that went out.

use http::HeaderMap;
use serde_json::Value;

/// Longest piece that is kept, characters.
const LONGEST: usize = 2000;

/// Most bytes of a body that are looked at.
const READ: usize = 64 << 10;

/// Shorter ones are no secrets, and hiding them would hide words.
const SHORTEST: usize = 4;

/// Where providers put their words, the first that is there.
const PLACES: &[&str] =
    &["/error/message", "/error", "/message", "/detail", "/error_description", "/errors", "/msg", "/title"];

/// What a body says of an error, if it is JSON that says so.
pub(crate) fn message(body: &Value) -> Option<String> {
    let said = PLACES.iter().filter_map(|place| body.pointer(place)).find(|value| !value.is_null())?;
    Some(said.as_str().map_or_else(|| said.to_string(), str::to_owned))
}

/// What a body of any form says.
pub(crate) fn of_body(body: &[u8]) -> String {
    if let Some(message) = serde_json::from_slice(body).ok().as_ref().and_then(message) {
        return message;
    }
    let text = String::from_utf8_lossy(body.get(..READ).unwrap_or(body));
    if text.trim_start().starts_with('<') { without_tags(&text) } else { text.into_owned() }
}

/// The text of a page. Roughly: it is read by people.
fn without_tags(page: &str) -> String {
    let mut out = String::new();
    for piece in page.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        if !tag.starts_with("style") && !tag.starts_with("script") {
            out.push_str(text);
        }
        out.push(' ');
    }
    out
}

/// Where a redirect points. Queries hold tokens, and a user may stand before the host.
pub(crate) fn place(location: &str) -> String {
    let whole = location.split(['?', '#']).next().unwrap_or_default();
    match whole.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or_default())
        }
        None => whole.to_owned(),
    }
}

/// What must not be repeated: the secrets of a client.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let values = headers.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok());
        // The scheme before it is none: `Bearer`.
        let mut all: Vec<String> = values
            .map(|value| value.split_once(' ').map_or(value, |(_, secret)| secret).trim())
            .filter(|secret| secret.len() >= SHORTEST)
            .map(str::to_owned)
            .collect();
        // One may be a part of another.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(all)
    }

    /// One line without the secrets, of bounded length.
    pub(crate) fn tidy(&self, said: &str) -> String {
        let hidden = self.0.iter().fold(said.to_owned(), |said, secret| said.replace(secret, "***"));
        let mut line = String::new();
        let words = hidden.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        for word in words {
            if line.len() > 4 * LONGEST {
                break;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        line.chars().take(LONGEST).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_providers_are_found() {
        for (body, said) in [
            (r#"{"error":{"message":"no such model","code":7}}"#, "no such model"),
            (r#"{"error":"down"}"#, "down"),
            (r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, r#"[{"loc":["body"],"msg":"field required"}]"#),
            (r#"{"error":null,"message":"hm"}"#, "hm"),
            (r#"{"x":1}"#, r#"{"x":1}"#),
            ("upstream\n\tconnect  error", "upstream connect error"),
            ("<html><style>b{}</style><h1>502</h1> Bad <b>gateway</b></html>", "502 Bad gateway"),
            ("", ""),
        ] {
            assert_eq!(Secrets(vec![]).tidy(&of_body(body.as_bytes())), said, "{body}");
        }
        assert!(Secrets(vec![]).tidy(&"x y\n".repeat(1 << 20)).len() <= LONGEST);
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let mut headers = HeaderMap::new();
        for (name, value, sensitive) in
            [("authorization", "Bearer k-1-long", true), ("x-api-key", "k-1", true), ("accept", "text", false)]
        {
            let mut value = http::HeaderValue::from_static(value);
            value.set_sensitive(sensitive);
            headers.insert(name, value);
        }
        assert_eq!(Secrets::of(&headers).tidy("bad key k-1-long of text"), "bad key *** of text");
        for (location, shown) in [
            ("https://u:p@sso.example/login?next=x&token=y", "https://sso.example/login"),
            ("/login#t", "/login"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(place(location), shown);
        }
    }
}
