//! Content that is safe to keep, by type.

use std::fmt;

use serde::{Serialize, Serializer};

/// A secret as it may be shown: its beginning and its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<T>(T);

impl Redacted<String> {
    /// Shows at most the first four characters, never more than a quarter of the text, and its length.
    #[must_use]
    pub fn excerpt(text: &str) -> Self {
        let length = text.chars().count();
        let shown: String = text.chars().take((length / 4).min(4)).collect();
        Self(format!("{shown}… ({length} characters)"))
    }
}

impl<T> Redacted<T> {
    /// What is left.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: fmt::Debug> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Raw content under authenticated encryption with a tenant's key: the only raw content that reaches a disk.
/// Sealing and opening are the store's business; here is the shape.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    /// Which key.
    pub key_id: String,
    /// Nonce, 12 bytes.
    pub nonce: [u8; 12],
    /// Ciphertext with its tag.
    pub ciphertext: Vec<u8>,
    content: std::marker::PhantomData<T>,
}

impl<T> Sealed<T> {
    /// Wraps what an AEAD produced.
    #[must_use]
    pub const fn from_parts(key_id: String, nonce: [u8; 12], ciphertext: Vec<u8>) -> Self {
        Self { key_id, nonce, ciphertext, content: std::marker::PhantomData }
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes under `{}`)", self.ciphertext.len(), self.key_id)
    }
}
