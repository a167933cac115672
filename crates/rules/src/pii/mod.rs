//! Personal data.
//!
//! An entity type is one `entity::Entity`: its name, where to try, and a function that finds one at a place. Numbers
//! with check digits are rows of `identifier`'s table, not detectors of their own. What has no form of its own (names,
//! firms, places, addresses) is read by the sequence model in `names`.

pub mod age;
pub(crate) mod checksum;
pub mod coordinates;
pub mod credentials;
pub mod credit_card;
pub mod crypto_address;
pub mod date;
pub mod email;
mod entity;
mod groups;
pub mod iban;
pub mod identifier;
pub mod names;
pub mod nationality;
pub mod network_address;
pub mod phone;
pub mod title;
pub mod travel_document;
pub mod url;
pub mod us_ssn;
mod words;
pub mod zip_code;
