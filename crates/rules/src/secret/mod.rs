//! Credentials.

pub mod keys;
pub(crate) mod quality;
