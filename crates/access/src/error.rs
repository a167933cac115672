/// Why something about access cannot be done.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// A key set cannot be read.
    #[error("the key set cannot be used: {0}")]
    KeySet(String),
    /// A password cannot be hashed.
    #[error("the password cannot be hashed")]
    Password,
    /// The settings of tokens do not fit together.
    #[error("setting `jwt.{key}` {reason}")]
    Jwt {
        /// Which setting.
        key: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}
