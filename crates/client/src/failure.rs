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

/// Why there is no answer. Nothing of the question or of the body that came is part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// More, such as the status.
    pub detail: String,
    /// How often it was asked.
    #[serde(default)]
    pub attempts: u32,
    /// Seconds after which the endpoint wants to be asked again.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

impl Failure {
    /// A failure of a kind.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), attempts: 0, retry_after: None }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Malformed, detail)
    }
}
