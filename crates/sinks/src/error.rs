//! Why a delivery failed.

/// Why records did not get to a sink. It is tried again, and nothing is skipped.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A setting is wrong.
    #[error("sink `{name}`: {reason}")]
    Settings {
        /// The sink.
        name: String,
        /// What is wrong, without secrets.
        reason: String,
    },
    /// It could not be reached or broke off.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It answered, and not with success.
    #[error("it answers {0}")]
    Status(u16),
    /// It did not answer in time.
    #[error("it does not answer in time")]
    Timeout,
    /// The place of the last delivery cannot be read or kept.
    #[error("cannot keep the place of the last delivery: {0}")]
    Cursor(#[from] std::io::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] bartizan_core::StoreError),
}
