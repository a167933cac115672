//! Content packs: rules, weights and profiles that are newer than the program, in a signed file of their own.
//!
//! The installed pack is a file, and so is the one before it. Each is verified whenever it is read, not only when it is
//! installed.

pub(crate) mod args;
mod build;
mod install;
mod update;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bartizan_guard::Content;
use bartizan_rules::PackFile;
use bartizan_sign::{ContentPack, PackInfo, Signer, Trust, VerifyingKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Profile};
use crate::problem::Problem;
use crate::signing::read_bytes;

pub(crate) use build::run as pack;
pub(crate) use install::Place;
pub(crate) use update::run as update;

/// Longest file with a key, bytes.
const LONGEST_KEY: usize = 1 << 16;
/// The weights of the classifier's first stage in a pack.
const WEIGHTS: &str = "classifier/injection.bin";
/// Model and tokenizer of its second stage.
const ENCODER: &str = "classifier/encoder.onnx";
const TOKENIZER: &str = "classifier/encoder.json";
/// Profiles, by name.
const PROFILES: &str = "profiles.toml";

/// Content packs, which `bartizan update` installs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ContentSettings {
    /// Public keys in PEM: a pack that none of them signed is not used.
    pub(crate) public_keys: Vec<PathBuf>,
    /// Folder of the installed pack and the one before [default: `store.path` with `.content` at its end].
    pub(crate) folder: Option<PathBuf>,
}

impl ContentSettings {
    /// Whose packs are used.
    ///
    /// # Errors
    /// A key cannot be read.
    pub(crate) fn trust(&self) -> anyhow::Result<Vec<Trust>> {
        let mut keys = Vec::new();
        for path in &self.public_keys {
            let key = VerifyingKey::from_pem(&read_bytes(path, LONGEST_KEY)?);
            keys.push(key.map_err(|error| Problem::new(format!("`{}`: {error}", path.display())))?);
        }
        if keys.is_empty() {
            return Err(Problem::new("no key is trusted to sign content packs")
                .help("name it in bartizan.toml: [content] public_keys = [\"content.pub\"]")
                .into());
        }
        Ok(vec![Trust::Keys(keys)])
    }
}

/// The pack in force.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) info: PackInfo,
    pub(crate) signer: Signer,
    /// SHA-256 of what was signed, hex.
    pub(crate) digest: String,
    pub(crate) content: Arc<Content>,
    pub(crate) profiles: BTreeMap<String, Profile>,
}

impl PartialEq for Installed {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Installed {
    /// Sorts what is in a pack. Everything in it has to be known: a part that is passed over would be missing unseen.
    pub(crate) fn of(pack: ContentPack) -> Result<Self, Problem> {
        let title = pack.title();
        let bad = |path: &str, why: String| Problem::new(format!("content pack `{title}`: `{path}`: {why}"));
        if !pack.info.fits(env!("CARGO_PKG_VERSION")) {
            let title = format!("content pack `{title}` is for bartizan {} and later", pack.info.program);
            return Err(Problem::new(title).help("install a newer program first"));
        }
        let ContentPack { info, files, signer, digest } = pack;
        let mut content = Content { digest: digest.clone(), ..Content::default() };
        let (mut model, mut words) = (None, None);
        let mut profiles: BTreeMap<String, Profile> = BTreeMap::new();
        for (path, bytes) in files {
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| bad(&path, "it is not UTF-8".to_owned()));
            let rules = path.strip_prefix("rules/").and_then(|name| name.strip_suffix(".toml"));
            match (path.as_str(), rules) {
                (WEIGHTS, _) => content.weights = Some(bytes),
                (ENCODER, _) => model = Some(bytes),
                (TOKENIZER, _) => words = Some(bytes),
                (PROFILES, _) => {
                    profiles = toml::from_str(&text(bytes)?).map_err(|e| bad(&path, e.message().to_owned()))?;
                }
                (_, Some(name)) if bartizan_rules::secret::keys::tables().any(|table| table == name) => {
                    content.tables.insert(name.to_owned(), text(bytes)?);
                }
                (_, Some(_)) => {
                    let text = Some(text(bytes)?);
                    content.packs.push(PackFile { path: format!("{}/{path}", info.name), text });
                }
                _ => return Err(bad(&path, "this program has no place for it".to_owned())),
            }
        }
        content.encoder = match (model, words) {
            (Some(model), Some(words)) => Some((model, words)),
            (None, None) => None,
            _ => return Err(bad(ENCODER, format!("it goes with `{TOKENIZER}`"))),
        };
        for (name, profile) in &profiles {
            let rules = profile.rules.as_ref().is_some_and(|rules| !rules.packs.is_empty());
            if rules || profile.policy.as_ref().is_some_and(|policy| policy.agents.policy.is_some()) {
                return Err(bad(PROFILES, format!("profile `{name}` names a file, which a pack must not")));
            }
        }
        Ok(Self { info, signer, digest, content: Arc::new(content), profiles })
    }

    /// Name and version.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.info.name, self.info.version)
    }
}

/// Reads the pack that is installed, if one is.
///
/// # Errors
/// It cannot be read, nobody trusted signed it, or this program cannot use it. It is then not passed over: what guards
/// would be another than what was chosen.
pub(crate) fn installed(config: &Config) -> anyhow::Result<Option<Installed>> {
    let Some(place) = Place::of(config) else { return Ok(None) };
    let Some(bytes) = place.current()? else { return Ok(None) };
    let wrong = |why: String| {
        Problem::new(format!("the installed content pack `{}`: {why}", place.current_file().display()))
            .help("`bartizan update --roll-back` puts the one before in its place")
    };
    let pack = ContentPack::open(&bytes, &config.content.trust()?).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(Installed::of(pack)?))
}
