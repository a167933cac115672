//! Numbers and words of a reply that operators count: tokens and why the model stopped.

use bartizan_core::{Kind, Text};

/// Most reasons that are kept.
const REASONS: usize = 8;

/// What a model server says of its own reply. Never content: numbers, and words of the protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyFacts {
    /// Tokens of the request.
    pub input_tokens: Option<u64>,
    /// Tokens of the reply.
    pub output_tokens: Option<u64>,
    /// Why the model stopped, one for each choice.
    pub finish_reasons: Vec<String>,
}

impl ReplyFacts {
    /// Adds what these leaves of a reply, or of an event of a stream, say. Later numbers stand.
    pub fn read<'a>(&mut self, texts: impl IntoIterator<Item = &'a Text>) {
        for text in texts {
            let Some((above, name)) = text.pointer.rsplit_once('/') else { continue };
            let parent = above.rsplit('/').next().unwrap_or_default();
            match (parent, name) {
                ("usage" | "usageMetadata", _) if text.kind == Kind::Number => {
                    let number = text.value.parse::<u64>().ok();
                    match name {
                        "prompt_tokens" | "input_tokens" | "inputTokens" | "promptTokenCount" => {
                            self.input_tokens = number.or(self.input_tokens);
                        }
                        "completion_tokens" | "output_tokens" | "outputTokens" | "candidatesTokenCount" => {
                            self.output_tokens = number.or(self.output_tokens);
                        }
                        _ => {}
                    }
                }
                (_, "finish_reason" | "stop_reason" | "finishReason" | "stopReason") => self.reason(&text.value),
                _ => {}
            }
        }
    }

    fn reason(&mut self, word: &str) {
        let plain = !word.is_empty() && word.len() <= 32 && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        if plain && self.finish_reasons.len() < REASONS {
            self.finish_reasons.push(word.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{Limits, Protocol};

    #[test]
    fn tokens_and_reasons_of_the_dialects() {
        for (protocol, body) in [
            (
                Protocol::OpenaiChat,
                r#"{"id":"i","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],
                    "usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}}"#,
            ),
            (
                Protocol::AnthropicMessages,
                r#"{"id":"i","type":"message","role":"assistant","content":[{"type":"text","text":"x"}],
                    "stop_reason":"stop","usage":{"input_tokens":7,"output_tokens":9}}"#,
            ),
        ] {
            let exchange = bartizan_wire::reply(protocol, body.as_bytes().to_vec(), &Limits::default()).unwrap();
            let mut facts = ReplyFacts::default();
            facts.read(&exchange.texts);
            assert_eq!((facts.input_tokens, facts.output_tokens), (Some(7), Some(9)), "{protocol}");
            assert_eq!(facts.finish_reasons, ["stop"]);
        }
    }

    #[test]
    fn a_reason_cannot_carry_content() {
        let mut facts = ReplyFacts::default();
        facts.reason("my ssn is 078-05-1120");
        assert!(facts.finish_reasons.is_empty());
    }
}
