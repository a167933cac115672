//! The words: what is reported, and what is counted for it.

use bartizan_core::RuleId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pattern of use that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Queries that cover far more ground than the key's usual ones, or that are no natural language.
    Coverage,
    /// One template with changing values.
    Probing,
    /// Log probabilities, or logit biases that change from request to request.
    Logprobs,
    /// Many distinct inputs embedded.
    Embeddings,
    /// Tokens or money.
    Usage,
    /// A refused text again and again, each time a little different.
    Retries,
}

impl Signal {
    /// Every signal, in documentation order.
    pub const ALL: [Self; 6] =
        [Self::Coverage, Self::Probing, Self::Logprobs, Self::Embeddings, Self::Usage, Self::Retries];

    /// The word in configuration, metrics and lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coverage => "coverage",
            Self::Probing => "probing",
            Self::Logprobs => "logprobs",
            Self::Embeddings => "embeddings",
            Self::Usage => "usage",
            Self::Retries => "retries",
        }
    }

    /// The rule that it is reported under.
    #[must_use]
    pub const fn rule(self) -> RuleId {
        RuleId::new(match self {
            Self::Coverage => "limits/broad-coverage",
            Self::Probing => "limits/templated-probing",
            Self::Logprobs => "limits/logprob-harvest",
            Self::Embeddings => "limits/embedding-dump",
            Self::Usage => "limits/usage-anomaly",
            Self::Retries => "limits/refusal-retries",
        })
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals(u8);

impl Signals {
    /// Adds one.
    pub fn add(&mut self, signal: Signal) {
        self.0 |= signal.bit();
    }

    /// True where it is in the set.
    #[must_use]
    pub const fn has(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }

    /// True where there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in both.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub const fn either(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its members, in documentation order.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(move |signal| self.has(*signal))
    }
}

/// What is counted of a key, by day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Words that the key has not used in the last weeks.
    NewWords,
    /// Requests of six words or more with hardly a word that is common in what the key says.
    UnnaturalRequests,
    /// Requests that are nearly the same as one of the latest, and not the very same.
    NearDuplicates,
    /// Requests that ask for log probabilities.
    LogprobRequests,
    /// Requests with a logit bias that none of the latest had.
    VariedBiases,
    /// Distinct inputs that were embedded, estimated.
    EmbeddedInputs,
    /// Tokens of the busiest hour, in and out.
    HourTokens,
    /// Money of the busiest hour, in millionths of the currency of the prices.
    HourSpend,
    /// Distinct texts that were refused.
    Refused,
    /// Variants of one refused text.
    Variants,
}

impl Measure {
    /// Every measure, in the order in which they are kept.
    pub const ALL: [Self; 10] = [
        Self::NewWords,
        Self::UnnaturalRequests,
        Self::NearDuplicates,
        Self::LogprobRequests,
        Self::VariedBiases,
        Self::EmbeddedInputs,
        Self::HourTokens,
        Self::HourSpend,
        Self::Refused,
        Self::Variants,
    ];

    /// How many there are.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// The word in configuration and lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewWords => "new_words",
            Self::UnnaturalRequests => "unnatural_requests",
            Self::NearDuplicates => "near_duplicates",
            Self::LogprobRequests => "logprob_requests",
            Self::VariedBiases => "varied_biases",
            Self::EmbeddedInputs => "embedded_inputs",
            Self::HourTokens => "hour_tokens",
            Self::HourSpend => "hour_spend",
            Self::Refused => "refused",
            Self::Variants => "variants",
        }
    }

    /// What it is evidence of.
    #[must_use]
    pub const fn signal(self) -> Signal {
        match self {
            Self::NewWords | Self::UnnaturalRequests => Signal::Coverage,
            Self::NearDuplicates => Signal::Probing,
            Self::LogprobRequests | Self::VariedBiases => Signal::Logprobs,
            Self::EmbeddedInputs => Signal::Embeddings,
            Self::HourTokens | Self::HourSpend => Signal::Usage,
            Self::Refused | Self::Variants => Signal::Retries,
        }
    }

    /// True for those that are sums of a day: what is a little more every day adds up in them.
    pub(crate) const fn adds_up(self) -> bool {
        !matches!(self, Self::HourTokens | Self::HourSpend)
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
