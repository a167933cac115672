//! Personal data.
//!
//! An entity type is one `entity::Entity`: its name, where to try, and a function that finds one at a place. A type
//! with a checksum adds a function to `checksum`, not a detector of its own.

pub(crate) mod checksum;
pub mod credit_card;
pub mod email;
mod entity;
mod groups;
pub mod iban;
pub mod phone;
pub mod us_ssn;
