//! What a request asks for besides an answer: log probabilities, and a bias of them.

use std::borrow::Cow;

use bartizan_core::{Exchange, Limits};

use crate::body::reread;
use crate::error::WireError;
use crate::json::{Doc, NodeKind};
use crate::splice::{Patch, merge, splice};

/// What a request asks for besides an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// Log probabilities of what is written or read.
    pub logprobs: bool,
    /// The logit bias as it is written, where there is one that biases anything.
    pub bias: Option<String>,
}

/// Members at the top of a request that ask for log probabilities: OpenAI chat and completions, Responses, vLLM.
const MEMBERS: [&str; 3] = ["logprobs", "top_logprobs", "prompt_logprobs"];
/// The same in the `generationConfig` of Gemini.
const OF_GEMINI: [&str; 2] = ["responseLogprobs", "logprobs"];
/// An element of `include` in OpenAI Responses.
const INCLUDED: &str = "message.output_text.logprobs";

/// What a request asks for. What cannot be read asks for nothing; whoever forwards it has read it before.
#[must_use]
pub fn sampling(exchange: &Exchange, limits: &Limits) -> Sampling {
    if !may_ask(&exchange.body) {
        return Sampling::default();
    }
    let Ok(doc) = Doc::parse(&exchange.body, limits) else { return Sampling::default() };
    let bias = doc.get(0, "logit_bias").filter(|at| doc.children(*at).next().is_some());
    Sampling { logprobs: !patches(&doc).is_empty(), bias: bias.map(|at| doc.literal(at).to_owned()) }
}

/// The request without a wish for log probabilities; `None` where it has none. Other bytes stay as they are.
///
/// # Errors
/// What reading the result refuses.
pub fn without_logprobs(exchange: &Exchange, limits: &Limits) -> Result<Option<Exchange>, WireError> {
    if !may_ask(&exchange.body) {
        return Ok(None);
    }
    let doc = Doc::parse(&exchange.body, limits)?;
    let patches = patches(&doc);
    if patches.is_empty() {
        return Ok(None);
    }
    let body = splice(doc.text(), &merge(patches)).into_bytes();
    let changed = reread(exchange, body, limits)?;
    // The path may have said what the body does not.
    Ok(Some(Exchange { model: exchange.model.clone(), stream: exchange.stream, ..changed }))
}

/// A quick look that most requests end with. Escapes can spell any key.
fn may_ask(body: &[u8]) -> bool {
    body.windows(5).any(|word| matches!(word, b"gprob" | b"t_bia")) || has_escape(body)
}

fn has_escape(body: &[u8]) -> bool {
    body.windows(2).any(|pair| pair == b"\\u")
}

/// What puts every wish for log probabilities out: `null` in place of a number, `false` in place of `true`, and a list
/// without the element.
fn patches(doc: &Doc<'_>) -> Vec<Patch<'static>> {
    let mut out = Vec::new();
    let gemini = ["generationConfig", "generation_config"].into_iter().filter_map(|key| doc.get(0, key));
    let top = MEMBERS.iter().filter_map(|key| doc.get(0, key));
    let inner = gemini.flat_map(|config| OF_GEMINI.iter().filter_map(move |key| doc.get(config, key)));
    for at in top.chain(inner) {
        let Some(node) = doc.node(at) else { continue };
        match node.kind {
            NodeKind::Bool if doc.literal(at) == "true" => out.push((node.literal(), Cow::Borrowed("false"))),
            NodeKind::Number => out.push((node.literal(), Cow::Borrowed("null"))),
            _ => {}
        }
    }
    if let Some(list) = doc.get(0, "include").filter(|at| doc.kind(*at) == Some(NodeKind::Array))
        && doc.children(list).any(|at| doc.is(at, INCLUDED))
    {
        let rest: Vec<&str> =
            doc.children(list).filter(|at| !doc.is(*at, INCLUDED)).map(|at| doc.literal(at)).collect();
        if let Some(node) = doc.node(list) {
            out.push((node.literal(), Cow::Owned(format!("[{}]", rest.join(",")))));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::Protocol;

    fn read(protocol: Protocol, body: &str) -> Exchange {
        crate::request(protocol, body.as_bytes().to_vec(), &Limits::default()).unwrap()
    }

    #[test]
    fn log_probabilities_are_found_and_taken_out_in_every_dialect() {
        let limits = Limits::default();
        let messages = r#""messages":[{"role":"user","content":"hello"}]"#;
        let cases = [
            (
                Protocol::OpenaiChat,
                format!(r#"{{"model":"m","logprobs": true,"top_logprobs":20,{messages}}}"#),
                format!(r#"{{"model":"m","logprobs": false,"top_logprobs":null,{messages}}}"#),
            ),
            (
                Protocol::OpenaiChat,
                format!(r#"{{"model":"m","\u006cogprobs":true,{messages}}}"#),
                format!(r#"{{"model":"m","\u006cogprobs":false,{messages}}}"#),
            ),
            (
                Protocol::OpenaiCompletions,
                r#"{"model":"m","prompt":"hello","logprobs":0,"echo":true}"#.to_owned(),
                r#"{"model":"m","prompt":"hello","logprobs":null,"echo":true}"#.to_owned(),
            ),
            (
                Protocol::OpenaiResponses,
                r#"{"model":"m","input":"hello","include":["a","message.output_text.logprobs","b"]}"#.to_owned(),
                r#"{"model":"m","input":"hello","include":["a","b"]}"#.to_owned(),
            ),
            (
                Protocol::Gemini,
                r#"{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"responseLogprobs":true,"logprobs":3}}"#
                    .to_owned(),
                r#"{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"responseLogprobs":false,"logprobs":null}}"#
                    .to_owned(),
            ),
        ];
        for (protocol, body, expected) in cases {
            let mut exchange = read(protocol, &body);
            exchange.stream = true;
            assert!(sampling(&exchange, &limits).logprobs, "{body}");
            let changed = without_logprobs(&exchange, &limits).unwrap().unwrap();
            assert_eq!(String::from_utf8(changed.body.clone()).unwrap(), expected);
            assert!(changed.stream && changed.model == exchange.model);
            assert!(!sampling(&changed, &limits).logprobs, "{expected}");
            assert_eq!(without_logprobs(&changed, &limits).unwrap(), None);
        }
    }

    #[test]
    fn a_bias_is_read_and_an_empty_one_is_none() {
        let limits = Limits::default();
        let bias = |bias: &str| {
            let body = format!(r#"{{"model":"m","logit_bias":{bias},"messages":[{{"role":"user","content":"x"}}]}}"#);
            sampling(&read(Protocol::OpenaiChat, &body), &limits)
        };
        assert_eq!(bias(r#"{"50256":-100}"#).bias.as_deref(), Some(r#"{"50256":-100}"#));
        assert_eq!((bias("{}").bias, bias("null").bias), (None, None));
        assert!(!bias(r#"{"1":1}"#).logprobs);
    }

    #[test]
    fn what_says_no_asks_for_nothing() {
        let body = r#"{"logprobs":false,"top_logprobs":null,"messages":[{"role":"user","content":"logprobs: true"}]}"#;
        let exchange = read(Protocol::OpenaiChat, body);
        assert_eq!(sampling(&exchange, &Limits::default()), Sampling::default());
    }
}
