//! Credentials.

mod around;
pub(crate) mod assign;
pub mod generic_assignment;
mod judge;
pub mod keys;
pub mod kubernetes_secret;
mod made_up;
pub(crate) mod quality;
pub(crate) mod rarity;
mod stand_for;
