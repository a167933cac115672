//! Keys and tokens with a form of their own: the rows of `packs/secrets.toml`.

use bartizan_core::Detector;

use crate::{RulesError, Settings};

/// The packs: well-known services, then by area, then what a name has to tell.
const PACKS: [(&str, &str); 7] = [
    ("secrets", include_str!("../../packs/secrets.toml")),
    ("secrets_ai", include_str!("../../packs/secrets_ai.toml")),
    ("secrets_cloud", include_str!("../../packs/secrets_cloud.toml")),
    ("secrets_dev", include_str!("../../packs/secrets_dev.toml")),
    ("secrets_comm", include_str!("../../packs/secrets_comm.toml")),
    ("secrets_business", include_str!("../../packs/secrets_business.toml")),
    ("secrets_generic", include_str!("../../packs/secrets_generic.toml")),
];

/// Builds the detector.
///
/// # Errors
/// None in a tested build: the pack is part of the program.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    crate::pack::built_in(&PACKS)
}
