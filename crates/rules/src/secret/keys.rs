//! Keys and tokens with a form of their own: the rows of `packs/secrets.toml`.

use bartizan_core::Detector;

use crate::{RulesError, Settings};

/// Builds the detector.
///
/// # Errors
/// None in a tested build: the pack is part of the program.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    crate::pack::built_in("secrets", include_str!("../../packs/secrets.toml"))
}
