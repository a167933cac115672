//! What a path says about a request before its body is read.

use bartizan_core::Protocol;
use http::Uri;

use crate::settings::Dialect;

/// One way to ask a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Surface {
    /// How the body is read.
    pub(crate) protocol: Protocol,
    /// Which upstreams serve it, and how the provider's key is sent.
    pub(crate) dialect: Dialect,
    /// The model, where the path names it.
    pub(crate) model: Option<String>,
    /// The reply is a stream, where the path says so.
    pub(crate) stream: bool,
    /// A model answers in words, so that a refusal can look like an answer.
    pub(crate) answers: bool,
}

impl From<Protocol> for Surface {
    fn from(protocol: Protocol) -> Self {
        let dialect = match protocol {
            Protocol::AnthropicMessages => Dialect::Anthropic,
            Protocol::Gemini => Dialect::Gemini,
            Protocol::BedrockConverse => Dialect::Bedrock,
            _ => Dialect::Openai,
        };
        let answers = protocol != Protocol::OpenaiEmbeddings;
        Self { protocol, dialect, model: None, stream: false, answers }
    }
}

impl Surface {
    /// The request of a conversation of which only the tokens are counted.
    pub(crate) fn counter(protocol: Protocol) -> Self {
        Self { answers: false, ..protocol.into() }
    }

    /// Azure OpenAI: the deployment in the path is the model, where there is one.
    pub(crate) fn azure(protocol: Protocol, uri: &Uri) -> Self {
        let model = uri.path().strip_prefix("/openai/deployments/").and_then(|rest| rest.split('/').next());
        Self { dialect: Dialect::Azure, model: model.map(str::to_owned), ..protocol.into() }
    }

    /// Gemini: `…/models/MODEL:METHOD`.
    ///
    /// # Errors
    /// What to do instead, where the method is not served.
    pub(crate) fn gemini(uri: &Uri) -> Result<Self, &'static str> {
        let call = uri.path().rsplit('/').next().unwrap_or_default();
        let (model, method) = call.rsplit_once(':').unwrap_or((call, ""));
        let surface = Self { model: Some(model.to_owned()), ..Protocol::Gemini.into() };
        match method {
            "generateContent" => Ok(surface),
            "countTokens" => Ok(Self { answers: false, ..surface }),
            "streamGenerateContent" if uri.query().is_some_and(|q| q.split('&').any(|p| p == "alt=sse")) => {
                Ok(Self { stream: true, ..surface })
            }
            "streamGenerateContent" => Err("streams are served as server-sent events: add `?alt=sse`"),
            _ => Err("this method is not served; served are generateContent, streamGenerateContent and countTokens"),
        }
    }

    /// Bedrock: `/model/MODEL/converse`.
    ///
    /// # Errors
    /// What to do instead, where the operation is not served.
    pub(crate) fn bedrock(uri: &Uri) -> Result<Self, &'static str> {
        let rest = uri.path().strip_prefix("/model/").unwrap_or_default();
        match rest.split_once('/') {
            Some((model, "converse")) => {
                let model = plain_path(model).unwrap_or_else(|| model.to_owned());
                Ok(Self { model: Some(model), ..Protocol::BedrockConverse.into() })
            }
            Some((_, "converse-stream")) => {
                Err("replies in the binary framing of AWS event streams are not read; use \
                                                 `converse` instead of `converse-stream`")
            }
            _ => Err("this operation is not served; served is `/model/MODEL/converse`"),
        }
    }
}

/// A path with the percent escapes taken out that clients write in model names: of `:`, and in an ARN of `/`. `None`
/// where any other is in it.
pub(crate) fn plain_path(path: &str) -> Option<String> {
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    let mut out = String::with_capacity(path.len());
    let mut pieces = path.split('%');
    out.push_str(pieces.next().unwrap_or_default());
    let arn = path.strip_prefix("/model/").unwrap_or(path).starts_with("arn");
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        match code {
            "3A" | "3a" => out.push(':'),
            "2F" | "2f" if arn => out.push('/'),
            _ => return None,
        }
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &'static str) -> Uri {
        Uri::from_static(text)
    }

    #[test]
    fn models_are_read_from_paths() {
        let azure =
            Surface::azure(Protocol::OpenaiChat, &uri("/openai/deployments/d-1/chat/completions?api-version=x"));
        assert_eq!((azure.dialect, azure.model.as_deref()), (Dialect::Azure, Some("d-1")));
        assert_eq!(Surface::azure(Protocol::OpenaiChat, &uri("/openai/v1/chat/completions")).model, None);
        let gemini = Surface::gemini(&uri("/v1beta/models/gemini-x:streamGenerateContent?x=1&alt=sse")).unwrap();
        assert_eq!((gemini.model.as_deref(), gemini.stream), (Some("gemini-x"), true));
        assert!(!Surface::gemini(&uri("/v1beta/models/m:countTokens")).unwrap().answers);
        for refused in ["/v1beta/models/m:streamGenerateContent", "/v1beta/models/m:embedContent", "/v1beta/models/m"] {
            assert!(Surface::gemini(&uri(refused)).is_err(), "{refused}");
        }
        let bedrock = Surface::bedrock(&uri("/model/vendor.model-v1%3A0/converse")).unwrap();
        assert_eq!(bedrock.model.as_deref(), Some("vendor.model-v1:0"));
        for refused in ["/model/m/converse-stream", "/model/m/invoke", "/model/m"] {
            assert!(Surface::bedrock(&uri(refused)).is_err(), "{refused}");
        }
    }

    #[test]
    fn few_escapes_are_read() {
        assert_eq!(plain_path("/model/arn%3Aaws%3Ax%2Fy/converse").as_deref(), Some("/model/arn:aws:x/y/converse"));
        for refused in ["/v1/a%2Fb", "/v1/%2e%2e", "/v1/%", "/v1/%4", "/v1/%é"] {
            assert_eq!(plain_path(refused), None, "{refused}");
        }
    }
}
