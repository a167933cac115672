//! What a content pack puts in the place of what is shipped. Whoever reads the pack verifies it; the guard opens no files.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bartizan_classifier::{ClassifierError, Given};
use bartizan_rules::PackFile;

use crate::settings::Settings;

/// Rules and weights of a content pack.
#[derive(Debug, Default)]
pub struct Content {
    /// SHA-256 of what was signed, hex.
    pub digest: String,
    /// Weights of the first stage of the classifier.
    pub weights: Option<Vec<u8>>,
    /// Model and tokenizer of the second stage. They need weights that were fitted with them.
    pub encoder: Option<(Vec<u8>, Vec<u8>)>,
    /// Tables of rules in the place of shipped ones, by name.
    pub tables: BTreeMap<String, String>,
    /// More rules.
    pub packs: Vec<PackFile>,
    /// The classifier, made when the first guard needs it.
    pub given: OnceLock<Given>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Content {
    /// The classifier that it brings; `None` where it brings none.
    ///
    /// # Errors
    /// Its weights cannot be read, or do not belong together.
    pub(crate) fn classifier(&self) -> Result<Option<&Given>, ClassifierError> {
        let Some(weights) = &self.weights else {
            return match &self.encoder {
                Some(_) => Err(ClassifierError::Model("a second stage needs weights that were fitted with it")),
                None => Ok(None),
            };
        };
        if self.given.get().is_none() {
            let encoder = self.encoder.as_ref().map(|(model, words)| (model.clone(), words.as_slice()));
            let given = Given::parse(weights, encoder)?;
            return Ok(Some(self.given.get_or_init(|| given)));
        }
        Ok(self.given.get())
    }
}

impl Settings {
    /// The settings of the rules with what a content pack brings.
    #[must_use]
    pub fn rules_in_force(&self) -> bartizan_rules::Settings {
        let mut rules = self.rules.clone();
        if let Some(content) = &self.content {
            rules.tables.clone_from(&content.tables);
            rules.packs.extend(content.packs.iter().cloned());
        }
        rules
    }
}
