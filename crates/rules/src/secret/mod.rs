//! Credentials.

pub mod generic_assignment;
pub mod keys;
pub(crate) mod quality;
