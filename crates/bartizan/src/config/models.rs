//! What has to be on record of the models behind upstreams.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An upstream gets requests only while its model is what signed records say. Looked at when the program starts and
/// whenever the configuration or one of these files changes. One that fails is held back: its requests are answered 503.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Models {
    /// Public keys in PEM that may have signed.
    pub(crate) public_keys: Vec<PathBuf>,
    /// Root certificates in PEM that may have issued those of signers.
    pub(crate) certificate_chain: Vec<PathBuf>,
    /// Only signers with certificates that name them so.
    pub(crate) identity: Option<String>,
    /// The models.
    pub(crate) artifact: Vec<ModelArtifact>,
}

/// The model behind an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelArtifact {
    /// Name of the upstream.
    pub(crate) upstream: String,
    /// What has to be on record.
    pub(crate) require: Require,
    /// The model: a folder or file. All of it is hashed at every look.
    #[serde(default)]
    pub(crate) path: Option<PathBuf>,
    /// Where it is not on this machine, its digest, as `sha256:HEX`: what `bartizan sign model` prints.
    #[serde(default)]
    pub(crate) digest: Option<String>,
    /// Its signature.
    #[serde(default)]
    pub(crate) signature: Option<PathBuf>,
    /// Signed statements about it and what it was made from: files, and folders of them.
    #[serde(default)]
    pub(crate) statements: Vec<PathBuf>,
}

/// What has to be on record of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Require {
    /// A signed examination (`bartizan scan model --attest`) that read all of it and found nothing high or critical.
    Scan,
    /// That, and a signature over every file.
    Signature,
    /// These, and a chain of signed statements back to its data.
    Chain,
}

impl Models {
    /// Every file that a look at the models reads besides the models.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.public_keys.iter().chain(&self.certificate_chain).cloned().collect();
        for artifact in &self.artifact {
            files.extend(artifact.signature.clone());
            for path in &artifact.statements {
                // The folder itself shows what is added to it.
                files.push(path.clone());
                if let Ok(entries) = std::fs::read_dir(path) {
                    files.extend(entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_file()));
                }
            }
        }
        files
    }
}
