//! Questions about stored responses: `/v1/responses/{id}` and what is below it.

use bartizan_wire::ErrorKind;
use http::Uri;

use crate::failure::Failure;

/// Parameters that the API has for them.
const KNOWN: [&str; 9] =
    ["include", "include_obfuscation", "starting_after", "stream", "after", "before", "limit", "order", "api-version"];

/// Longest id or value, in bytes.
const LONGEST: usize = 128;

/// What of a question does not go to the upstream as it came.
#[derive(Debug, Default)]
pub(crate) struct Question {
    /// Number of the last event that the caller has. The upstream is asked for the stream from its first event, and
    /// what the caller has is not sent again: a text that went over the border would be examined in half otherwise.
    pub(crate) after: Option<u64>,
    /// The list of what to include is written with brackets.
    brackets: bool,
}

impl Question {
    /// Checks path and query and takes out what the gateway does itself.
    ///
    /// # Errors
    /// An id that is no plain name, or a parameter that the API does not have.
    pub(crate) fn take(uri: &mut Uri) -> Result<Self, Failure> {
        let refuse = |what: &str| Failure::new(ErrorKind::InvalidRequest, "query", what);
        let path = uri.path();
        let ids = path.split_once("/responses/").map_or("", |(_, ids)| ids);
        if !ids.split('/').all(is_plain) {
            return Err(refuse("the id of a response is letters, digits, `_` and `-`"));
        }
        let mut out = Self::default();
        let mut kept = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bare = ["%5B%5D", "%5b%5d", "[]"].iter().find_map(|end| name.strip_suffix(end));
            let name = bare.unwrap_or(name);
            let list = name == "include";
            if !KNOWN.contains(&name) || (bare.is_some() && !list) || !is_value(value) {
                return Err(refuse("a parameter of the query is not known or not plain"));
            }
            out.brackets |= bare.is_some();
            if name == "starting_after" {
                let number = value.parse().map_err(|_| refuse("`starting_after` must be the number of an event"))?;
                if out.after.replace(number).is_some() {
                    return Err(refuse("`starting_after` is given twice"));
                }
                continue;
            }
            kept.push(format!("{name}={value}"));
        }
        let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        // The authority stays: the admission looks at it.
        let unusable = || refuse("this path cannot be passed on");
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(format!("{path}{query}").parse().map_err(|_| unusable())?);
        *uri = Uri::from_parts(parts).map_err(|_| unusable())?;
        Ok(out)
    }

    /// The path and query for the upstream.
    pub(crate) fn path(&self, checked: String) -> String {
        if !self.brackets {
            return checked;
        }
        checked.replace("?include=", "?include%5B%5D=").replace("&include=", "&include%5B%5D=")
    }
}

fn is_plain(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn is_value(value: &str) -> bool {
    value.len() <= LONGEST && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(uri: &str) -> Option<(String, Option<u64>)> {
        let mut uri: Uri = uri.parse().ok()?;
        let question = Question::take(&mut uri).ok()?;
        Some((question.path(uri.to_string()), question.after))
    }

    #[test]
    fn what_the_api_has_passes() {
        let same = |uri: &str| (uri.to_owned(), None);
        assert_eq!(take("/v1/responses/resp_1"), Some(same("/v1/responses/resp_1")));
        let azure = "/openai/responses/a?api-version=2025-04-01-preview";
        assert_eq!(take(azure), Some(same(azure)));
        assert_eq!(take("/v1/responses/a/cancel"), Some(same("/v1/responses/a/cancel")));
        let list = "/v1/responses/a/input_items?include%5B%5D=file_search_call.results&limit=5";
        assert_eq!(take(list), Some(same(list)));
        assert_eq!(take("/v1/responses/a?include=x"), Some(same("/v1/responses/a?include=x")));
        let resumed = take("/v1/responses/a?stream=true&starting_after=42");
        assert_eq!(resumed, Some(("/v1/responses/a?stream=true".to_owned(), Some(42))));
    }

    #[test]
    fn nothing_else_passes() {
        for uri in [
            "/v1/responses/a%2Fb",
            "/v1/responses/a.b",
            "/v1/responses/..",
            "/v1/responses/a//cancel",
            "/v1/responses/a?url=x",
            "/v1/responses/a?stream[]=true",
            "/v1/responses/a?starting_after=-1",
            "/v1/responses/a?starting_after=1&starting_after=2",
            "/v1/responses/a?include=%3Cscript%3E",
        ] {
            assert_eq!(take(uri), None, "{uri}");
        }
    }
}
