//! Why there is no answer.

use serde::{Deserialize, Serialize};

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// No connection.
    Unreachable,
    /// No whole answer in time.
    Timeout,
    /// The endpoint says 408: the question did not arrive in time.
    SlowRequest,
    /// The endpoint says 429: too many questions.
    RateLimited,
    /// The endpoint says 5xx.
    Server,
    /// The endpoint says 401 or 403.
    Unauthorized,
    /// The endpoint takes the question for wrong: another 4xx, or a redirect.
    Rejected,
    /// The answer cannot be understood.
    Malformed,
    /// The answer is larger than the limit.
    TooLarge,
    /// The connection broke off within the answer.
    Broken,
    /// The command ended with an error or cannot be started.
    Command,
    /// The budget is used up; nothing was sent.
    Budget,
}

impl FailureKind {
    /// Its name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::SlowRequest => "slow-request",
            Self::RateLimited => "rate-limited",
            Self::Server => "server",
            Self::Unauthorized => "unauthorized",
            Self::Rejected => "rejected",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::Broken => "broken",
            Self::Command => "command",
            Self::Budget => "budget",
        }
    }

    /// True where asking again may help, and where the question was not worked on. A time-out is not among them: the
    /// model may still be at work, and asking again would double it.
    #[must_use]
    pub const fn may_be_repeated(self) -> bool {
        matches!(self, Self::Unreachable | Self::SlowRequest | Self::RateLimited | Self::Server)
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no answer. As text it holds nothing of the question or of the body that came; that is in [`Self::said`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// More, such as the status.
    pub detail: String,
    /// The status of HTTP, where one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A piece of what the endpoint said about it, without the keys that were sent. It may repeat the question.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Where a redirect pointed, which is not followed; without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// How often it was asked.
    #[serde(default)]
    pub attempts: u32,
    /// Seconds after which the endpoint wants to be asked again.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Failure {
    /// A failure of a kind.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        let (detail, said) = (detail.into(), String::new());
        Self { kind, detail, status: None, said, redirect: None, attempts: 0, retry_after: None }
    }

    pub(crate) fn saying(self, said: impl Into<String>) -> Self {
        Self { said: said.into(), ..self }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Malformed, detail)
    }
}
