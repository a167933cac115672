//! Credentials.

pub(crate) mod assign;
pub mod generic_assignment;
mod judge;
pub mod keys;
pub mod kubernetes_secret;
pub(crate) mod quality;
pub(crate) mod rarity;
