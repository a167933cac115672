//! What an endpoint tells about probabilities: those of a given text, those of what it samples, or only text.

use std::sync::atomic::{AtomicBool, Ordering};

use bartizan_client::{Ask, Completion, FailureKind, Reply, Role, Token, Turn};
use serde::{Deserialize, Serialize};

use crate::journal::{Asked, Missing};
use crate::stats::Estimate;

/// Alternatives that are asked for, and fewer where the endpoint gives no more.
const ALTERNATIVES: [u8; 2] = [20, 5];
/// Probability of a token that counts as more than 1 because of rounding.
const ROUNDING: f64 = 1e-3;
/// How far two statements about the same token may be apart, in nats: one of them may be rounded.
const SAME: f64 = 0.1;
/// Most tokens of a continuation that are asked for one by one.
const LONGEST: usize = 256;

/// The best signal first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Probabilities of every token of a given text.
    Echo,
    /// Probabilities of sampled tokens and of the likeliest alternatives.
    Sampled,
    /// Text only, as the continuation of a text.
    Text,
    /// Text only, as replies in a conversation.
    Chat,
}

impl Signal {
    /// What can and cannot be said with it.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Echo => "probabilities of given texts (echo): exposure, extraction and membership are measured",
            Self::Sampled => {
                "probabilities of sampled tokens only: a given text is scored token by token among the likeliest \
                 alternatives, and its tokenisation is assumed; what falls outside is a bound; membership is not measured"
            }
            Self::Text => {
                "text only: extraction is counted over samples, exposure is a lower bound from it, and membership is not \
                 measured; what was not extracted may still be memorised"
            }
            Self::Chat => {
                "replies of a conversation only: extraction is counted over samples, exposure is a lower bound from it, \
                 and membership is not measured; what was not extracted may still be memorised, and a prompt in another \
                 form may extract it"
            }
        }
    }
}

/// An endpoint and what it tells.
pub struct Probe {
    /// Who is asked.
    pub asked: Asked,
    /// What it tells.
    pub signal: Signal,
    alternatives: u8,
    /// It gave a probability that cannot be one.
    is_untrue: AtomicBool,
    /// Its probabilities are not used any more.
    has_fallen_back: bool,
}

/// Logarithm of the probability of a text after another, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The logarithm.
    pub log: f64,
    /// False where some token was not among the alternatives: the probability is then at most this.
    pub exact: bool,
}

impl Scored {
    /// The probability. Of a bound nothing is known but its upper end, so that its value is what is sure: none.
    #[must_use]
    pub fn probability(self) -> Estimate {
        let p = self.log.exp();
        if self.exact { Estimate { value: p, low: p, high: p } } else { Estimate { value: 0.0, low: 0.0, high: p } }
    }
}

fn raw(prompt: &str, echo: bool, max_tokens: u32, logprobs: Option<u8>) -> Ask {
    Ask {
        completion: Some(Completion { prompt: prompt.to_owned(), echo }),
        max_tokens: Some(max_tokens),
        temperature: Some(1.0),
        logprobs,
        ..Ask::default()
    }
}

/// True for the logarithm of a probability.
fn is_log(log: f64) -> bool {
    log.is_finite() && log <= ROUNDING
}

/// An error that says nothing of what an endpoint tells: it would answer later, or for somebody else. A server that does not
/// know a question may end with an error of its own, so that this one does not count.
fn passing(reply: Result<Reply, Missing>) -> Result<(), Missing> {
    match reply {
        Err(Missing::Failed(kind)) if !matches!(kind, FailureKind::Server | FailureKind::Malformed) => {
            Err(Missing::Failed(kind))
        }
        _ => Ok(()),
    }
}

/// True where no token claims what cannot be a probability, alone or together with its alternatives. Tokens that exclude
/// each other have at most 1 together; what is printed is rounded.
fn is_true(tokens: &[Token]) -> bool {
    tokens.iter().all(|token| {
        let sum: f64 = token.top.iter().map(|(_, log)| log.exp()).sum();
        // Tokens of parts of a character are shown alike.
        let is_whole = !token.text.contains('\u{fffd}');
        let agrees =
            |log: f64| token.top.iter().all(|(text, of)| *text != token.text || !is_whole || (log - of).abs() < SAME);
        let own = token.logprob.is_none_or(|log| is_log(log) && agrees(log));
        own && token.top.iter().all(|(_, log)| is_log(*log)) && sum <= 1.01
    })
}

/// Tokens that cover a text from its beginning, with the byte where each starts; `None` if they do not, or if what they
/// claim are no probabilities.
fn covering<'t>(tokens: &'t [Token], text: &str) -> Option<Vec<(usize, &'t Token)>> {
    let mut at = 0;
    let mut all = Vec::new();
    for token in tokens {
        if at >= text.len() {
            break;
        }
        let rest = text.get(at..)?;
        // A token may go on beyond the text, or begin with a blank or mark that the tokeniser puts before a text.
        let fits = rest.starts_with(&token.text) || token.text.starts_with(rest);
        if !fits && !(at == 0 && (token.text.is_empty() || token.text.starts_with('<'))) {
            return None;
        }
        if at > 0 && !token.logprob.is_some_and(is_log) {
            return None;
        }
        all.push((at, token));
        at += if fits { token.text.len() } else { 0 };
    }
    (at >= text.len()).then_some(all)
}

impl Probe {
    const fn new(asked: Asked, signal: Signal, alternatives: u8) -> Self {
        Self { asked, signal, alternatives, is_untrue: AtomicBool::new(false), has_fallen_back: false }
    }

    /// True once it gave a probability that cannot be one. What was measured with its probabilities is then worth nothing.
    #[must_use]
    pub fn is_untrue(&self) -> bool {
        self.is_untrue.load(Ordering::Relaxed)
    }

    /// Uses only text from now on.
    pub fn fall_back(&mut self) {
        self.signal = self.signal.max(Signal::Text);
        self.is_untrue = AtomicBool::new(false);
        self.has_fallen_back = true;
    }

    pub(crate) const fn has_fallen_back(&self) -> bool {
        self.has_fallen_back
    }

    pub(crate) fn distrust(&self) -> Missing {
        self.is_untrue.store(true, Ordering::Relaxed);
        Missing::Inconsistent
    }

    /// Asks for probabilities, which must be some.
    async fn scored(&self, ask: &Ask) -> Result<Reply, Missing> {
        let reply = self.asked.ask(ask).await?;
        if is_true(&reply.tokens) { Ok(reply) } else { Err(self.distrust()) }
    }

    /// Finds out what the endpoint tells, from `best` on. A signal that is claimed and then turns out truncated or
    /// wrong is not used.
    ///
    /// # Errors
    /// Not even text comes.
    pub async fn detect(asked: Asked, best: Signal) -> Result<Self, Missing> {
        const TEXT: &str = "The quick brown fox jumps over the lazy dog";
        if best <= Signal::Echo {
            let reply = asked.ask(&raw(TEXT, true, 1, Some(1))).await;
            let tells = |reply: &Reply| {
                let known = covering(&reply.tokens, TEXT).unwrap_or_default();
                // No model is sure of every word of a sentence.
                let is_sure = known.iter().all(|(_, token)| token.logprob.is_none_or(|log| log == 0.0));
                known.len() > 3 && !is_sure && is_true(&reply.tokens)
            };
            if reply.as_ref().is_ok_and(tells) {
                return Ok(Self::new(asked, Signal::Echo, 1));
            }
            passing(reply)?;
        }
        if best <= Signal::Sampled {
            for alternatives in ALTERNATIVES {
                let reply = asked.ask(&raw(TEXT, false, 1, Some(alternatives))).await;
                let tells = |reply: &Reply| {
                    let first = reply.tokens.first();
                    first.is_some_and(|token| token.top.len() > 1 && token.logprob.is_some()) && is_true(&reply.tokens)
                };
                if reply.as_ref().is_ok_and(tells) {
                    return Ok(Self::new(asked, Signal::Sampled, alternatives));
                }
                passing(reply)?;
            }
        }
        if best <= Signal::Text {
            let reply = asked.ask(&raw(TEXT, false, 1, None)).await;
            if reply.is_ok() {
                return Ok(Self::new(asked, Signal::Text, 0));
            }
            passing(reply)?;
        }
        let chat = Ask { max_tokens: Some(1), ..Ask::chat(vec![Turn::new(Role::User, TEXT)]) };
        asked.ask(&chat).await?;
        Ok(Self::new(asked, Signal::Chat, 0))
    }

    /// The probabilities of all tokens of a text, with the byte where each starts. Only with [`Signal::Echo`].
    ///
    /// # Errors
    /// There is no reply, or its tokens do not cover the text.
    pub async fn tokens(&self, text: &str, alternatives: u8) -> Result<Vec<(usize, Token)>, Missing> {
        let reply = self.scored(&raw(text, true, 1, Some(alternatives.max(1)))).await?;
        let all = covering(&reply.tokens, text).ok_or(Missing::Rejected)?;
        Ok(all.into_iter().map(|(at, token)| (at, token.clone())).collect())
    }

    /// The probability of a text after another.
    ///
    /// # Errors
    /// There is no reply, or the endpoint tells no probabilities.
    pub async fn score(&self, prefix: &str, rest: &str) -> Result<Scored, Missing> {
        match self.signal {
            Signal::Echo => {
                let tokens = self.tokens(&format!("{prefix}{rest}"), 1).await?;
                // A token across the border belongs to the rest: it was chosen together with it.
                let of_rest = tokens.iter().filter(|(at, token)| at + token.text.len() > prefix.len());
                Ok(Scored { log: of_rest.filter_map(|(_, token)| token.logprob).sum(), exact: true })
            }
            Signal::Sampled => self.forced(prefix, rest).await,
            Signal::Text | Signal::Chat => Err(Missing::Rejected),
        }
    }

    /// Token by token: of the alternatives that the rest begins with, the longest.
    async fn forced(&self, prefix: &str, rest: &str) -> Result<Scored, Missing> {
        let (mut at, mut log) = (0, 0.0);
        for _ in 0..LONGEST {
            let left = rest.get(at..).unwrap_or_default();
            if left.is_empty() {
                return Ok(Scored { log, exact: true });
            }
            let ask =
                raw(&format!("{prefix}{}", rest.get(..at).unwrap_or_default()), false, 1, Some(self.alternatives));
            let reply = self.scored(&ask).await?;
            let first = reply.tokens.first().ok_or(Missing::Rejected)?;
            let own = (first.text.as_str(), first.logprob.ok_or_else(|| self.distrust())?);
            let all = first.top.iter().map(|(text, log)| (text.as_str(), *log)).chain([own]);
            let best =
                all.filter(|(text, _)| !text.is_empty() && left.starts_with(text)).max_by_key(|(text, _)| text.len());
            match best {
                Some((text, token)) => {
                    at += text.len();
                    log += token;
                }
                None => {
                    // Less likely than every alternative, and than all that is left beside them.
                    let least = first.top.iter().map(|(_, log)| *log).fold(0.0, f64::min);
                    let seen: f64 = first.top.iter().map(|(_, log)| log.exp()).sum();
                    return Ok(Scored { log: log + least.min(f64::max(1.0 - seen, 1e-12).ln()), exact: false });
                }
            }
        }
        Ok(Scored { log, exact: false })
    }

    /// One sample of what follows a text, at temperature 1, with the logarithm of its probability where the endpoint
    /// tells those of all its tokens.
    ///
    /// # Errors
    /// There is no reply.
    pub async fn sample_scored(
        &self,
        prefix: &str,
        number: u64,
        max_tokens: u32,
    ) -> Result<(String, Option<f64>), Missing> {
        if matches!(self.signal, Signal::Text | Signal::Chat) {
            return Ok((self.sample(prefix, number, max_tokens, 1.0).await?, None));
        }
        let ask = Ask { seed: Some(number), ..raw(prefix, false, max_tokens, Some(1)) };
        let reply = self.scored(&ask).await?;
        let logs: Option<Vec<f64>> = reply.tokens.iter().map(|token| token.logprob).collect();
        let whole = covering(&reply.tokens, &reply.text).is_some() && !reply.tokens.is_empty();
        Ok((reply.text, logs.filter(|_| whole).map(|logs| logs.iter().sum())))
    }

    /// One sample of what follows a text.
    ///
    /// # Errors
    /// There is no reply.
    pub async fn sample(
        &self,
        prefix: &str,
        number: u64,
        max_tokens: u32,
        temperature: f64,
    ) -> Result<String, Missing> {
        let ask = match self.signal {
            Signal::Chat => Ask::chat(vec![Turn::new(Role::User, prefix)]),
            _ => raw(prefix, false, max_tokens, None),
        };
        let ask = Ask { max_tokens: Some(max_tokens), temperature: Some(temperature), seed: Some(number), ..ask };
        Ok(self.asked.ask(&ask).await?.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_probability_is_told() {
        let token = |logprob: Option<f64>, top: &[(&str, f64)]| Token {
            text: "a".to_owned(),
            logprob,
            top: top.iter().map(|(text, log)| ((*text).to_owned(), *log)).collect(),
        };
        for fair in [
            token(None, &[]),
            token(Some(-0.5), &[("a", -0.52), ("b", -1.0)]),
            token(Some(-9999.0), &[("b", -0.001)]),
            token(Some(0.0005), &[]),
        ] {
            assert!(is_true(std::slice::from_ref(&fair)), "{fair:?}");
        }
        for untrue in [
            token(Some(0.5), &[]),
            token(Some(f64::NAN), &[]),
            token(Some(-1.0), &[("b", 0.1)]),
            token(Some(0.0), &[("a", -2.0)]),
            token(Some(-0.5), &[("a", -0.5), ("b", -0.5)]),
        ] {
            assert!(!is_true(std::slice::from_ref(&untrue)), "{untrue:?}");
        }
    }
}
