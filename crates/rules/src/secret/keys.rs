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

/// Names of the tables, which [`Settings::tables`] may replace.
pub fn tables() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(|(name, _)| *name)
}

/// Builds the detector.
///
/// # Errors
/// A table that takes the place of a shipped one cannot be used. The shipped ones are tested with the build.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    crate::pack::built_in(&PACKS.map(|(name, text)| (name, settings.tables.get(name).map_or(text, String::as_str))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_a_shipped_one() {
        let rules = |settings: &Settings| -> Vec<String> {
            make(settings).unwrap().rules().iter().map(|rule| rule.id.to_string()).collect()
        };
        let shipped = rules(&Settings::default());
        let text = PACKS[6].1;
        assert_eq!(
            rules(&Settings { tables: [("secrets_generic".into(), text.into())].into(), ..Settings::default() }),
            shipped
        );
        let less = Settings { tables: [("secrets_ai".into(), "rule = []".into())].into(), ..Settings::default() };
        let left = rules(&less);
        assert!(!left.is_empty() && left.len() < shipped.len());
        let broken = Settings { tables: [("secrets_ai".into(), "rule = 1".into())].into(), ..Settings::default() };
        assert!(make(&broken).err().unwrap().to_string().contains("secrets_ai"));
        assert!(tables().any(|name| name == "secrets_ai"));
    }
}
