//! What can go wrong when a model is loaded.

/// Why there is no classifier.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The word lists do not compile.
    #[error("the word lists do not compile: {0}")]
    Words(String),
    /// Not a model of this version.
    #[error("the model cannot be read: {0}; write it anew with `cargo xtask train injection` or `bartizan tune`")]
    Model(&'static str),
    /// Not an encoder of this version.
    #[error("the encoder cannot be read: {0}; fit it anew with `cargo xtask train encoder MINILM`")]
    Encoder(&'static str),
}
