//! Corpora that replies must not repeat.

use std::path::PathBuf;
use std::sync::Arc;

use bartizan_core::Detector;
use bartizan_protected::{Index, ProtectedText};
use bartizan_rules::output::protected_text;
use bartizan_sign::{SecretRef, hex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guard::GuardError;
use crate::settings::Settings;

/// A corpus that replies must not repeat, as `bartizan privacy protect build` made it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedCorpus {
    /// File of the index.
    pub index: PathBuf,
    /// The key that it was made with: `env:NAME` or `file:PATH`.
    pub key: SecretRef,
    /// The index, once whoever reads the configuration has opened it: the guard opens no files.
    #[serde(skip)]
    pub opened: Option<Arc<Index>>,
}

impl PartialEq for ProtectedCorpus {
    fn eq(&self, other: &Self) -> bool {
        (&self.index, &self.key, self.digest()) == (&other.index, &other.key, other.digest())
    }
}

impl ProtectedCorpus {
    /// Names what is in the index; `None` before it is open.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        self.opened.as_ref().map(|index| hex(&index.digest()))
    }
}

/// The detector for the corpora of the settings; `None` without any.
pub(crate) fn detector(settings: &Settings) -> Result<Option<Box<dyn Detector>>, GuardError> {
    let open = |corpus: &ProtectedCorpus| {
        corpus.opened.clone().ok_or_else(|| GuardError::Protected(corpus.index.display().to_string()))
    };
    let indexes: Vec<_> = settings.protected.iter().map(open).collect::<Result<_, _>>()?;
    let detector = || Box::new(ProtectedText::new(protected_text::RULE.clone(), indexes)) as Box<dyn Detector>;
    Ok((!settings.protected.is_empty()).then(detector))
}

/// What names the content of all corpora.
pub(crate) fn digests(settings: &Settings) -> Vec<Option<String>> {
    settings.protected.iter().map(ProtectedCorpus::digest).collect()
}
