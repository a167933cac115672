//! What a model says of itself: its card, its configurations, and the folder that it lies in.
//!
//! None of this can be proven from the bytes of the model, so each fact is kept with its source and marked as declared.

use std::path::Path;

use serde_json::Value;

/// Longest document that is read, bytes.
const LONGEST: u64 = 4 << 20;
/// Longest value that is kept, characters.
const SHOWN: usize = 300;
/// Most values of one field.
const MOST: usize = 100;

/// A field of a bill of materials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Name of the model.
    Name,
    /// Revision or version.
    Version,
    /// Who made it.
    Supplier,
    /// Licence, as the source writes it.
    Licence,
    /// A model that it was made from.
    BaseModel,
    /// Data that it was made from.
    Dataset,
    /// What it is for.
    Task,
    /// Family of its architecture.
    Family,
    /// Class of its architecture.
    Architecture,
    /// Library that loads it.
    Library,
}

impl Field {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Version => "version",
            Self::Supplier => "supplier",
            Self::Licence => "licenses",
            Self::BaseModel => "base-model",
            Self::Dataset => "datasets",
            Self::Task => "task",
            Self::Family => "architecture-family",
            Self::Architecture => "architecture",
            Self::Library => "library",
        }
    }
}

/// A value and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Which field.
    pub field: Field,
    /// The value.
    pub value: String,
    /// File and key, or `path` for the folder.
    pub source: String,
}

/// All facts of a model. Earlier ones win where a field has one value.
#[derive(Clone, Debug, Default)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// Reads what lies in a folder; nothing for a single file but what its path says.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        let mut facts = Self::default();
        facts.folder(root);
        facts.card(root);
        facts.adapter(root);
        facts.config(root);
        facts
    }

    /// The first value of a field.
    #[must_use]
    pub fn first(&self, field: Field) -> Option<&Fact> {
        self.all(field).next()
    }

    /// Every value of a field.
    pub fn all(&self, field: Field) -> impl Iterator<Item = &Fact> {
        self.0.iter().filter(move |fact| fact.field == field)
    }

    /// Every fact.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.iter()
    }

    fn add(&mut self, field: Field, value: &str, source: impl Into<String>) {
        let value: String = value.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        let known = self.0.iter().any(|fact| fact.field == field && fact.value == value);
        if !value.is_empty() && !known && self.all(field).count() < MOST {
            self.0.push(Fact { field, value, source: source.into() });
        }
    }

    /// A text, or a list of texts, under a key.
    fn take(&mut self, field: Field, document: &Value, key: &str, file: &str) {
        let source = format!("{file}#{key}");
        match document.get(key) {
            Some(Value::String(text)) => self.add(field, text, source),
            Some(Value::Array(texts)) => {
                for text in texts.iter().filter_map(Value::as_str).take(MOST) {
                    self.add(field, text, source.clone());
                }
            }
            _ => {}
        }
    }

    /// `models--owner--name/snapshots/REVISION` of the Hugging Face cache.
    fn folder(&mut self, root: &Path) {
        let Ok(root) = root.canonicalize() else { return };
        let mut parts = root.ancestors().filter_map(|folder| folder.file_name()?.to_str());
        let (revision, snapshots, repository) = (parts.next(), parts.next(), parts.next());
        if let (Some(revision), Some("snapshots"), Some(repository)) = (revision, snapshots, repository)
            && let Some(name) = repository.strip_prefix("models--")
        {
            self.add(Field::Name, &name.replacen("--", "/", 1), "path");
            self.add(Field::Version, revision, "path");
            if let Some((owner, _)) = name.split_once("--") {
                self.add(Field::Supplier, owner, "path");
            }
        }
    }

    /// The front matter of `README.md`, in YAML.
    fn card(&mut self, root: &Path) {
        const FILE: &str = "README.md";
        let Some(text) = read(&root.join(FILE)) else { return };
        let Some(body) = text.strip_prefix("---").and_then(|rest| rest.split_once("\n---")) else { return };
        let Ok(card) = serde_saphyr::from_str::<Value>(body.0) else { return };
        // `other` says only that the name is beside it.
        if card.get("license").and_then(Value::as_str) != Some("other") {
            self.take(Field::Licence, &card, "license", FILE);
        }
        for (field, key) in [
            (Field::Licence, "license_name"),
            (Field::Name, "model_name"),
            (Field::Version, "version"),
            (Field::BaseModel, "base_model"),
            (Field::Dataset, "datasets"),
            (Field::Task, "pipeline_tag"),
            (Field::Library, "library_name"),
            (Field::Supplier, "model_creator"),
        ] {
            self.take(field, &card, key, FILE);
        }
    }

    /// A low-rank adapter is of no use without its base.
    fn adapter(&mut self, root: &Path) {
        const FILE: &str = "adapter_config.json";
        if let Some(config) = json(&root.join(FILE)) {
            self.take(Field::BaseModel, &config, "base_model_name_or_path", FILE);
            self.take(Field::Version, &config, "revision", FILE);
            self.take(Field::Family, &config, "peft_type", FILE);
        }
    }

    fn config(&mut self, root: &Path) {
        const FILE: &str = "config.json";
        if let Some(config) = json(&root.join(FILE)) {
            self.take(Field::Architecture, &config, "architectures", FILE);
            self.take(Field::Family, &config, "model_type", FILE);
            // A local path says nothing to others.
            let named = config.get("_name_or_path").and_then(Value::as_str).unwrap_or_default();
            if named.split('/').count() == 2 && !named.starts_with(['.', '/', '~']) {
                self.take(Field::BaseModel, &config, "_name_or_path", FILE);
            }
        }
    }

    /// True where it is an adapter for another model.
    #[must_use]
    pub fn is_adapter(root: &Path) -> bool {
        root.join("adapter_config.json").is_file()
    }
}

fn read(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim_start_matches('\u{feff}').replace("\r\n", "\n"))
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_str(&read(path)?).ok()
}

/// The SPDX identifier of a licence that a model card names; `None` where there is none for it.
#[must_use]
pub fn spdx(name: &str) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "Apache-2.0",
        "MIT",
        "MIT-0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSD-3-Clause-Clear",
        "ISC",
        "Zlib",
        "0BSD",
        "Unlicense",
        "WTFPL",
        "MPL-2.0",
        "EPL-1.0",
        "EPL-2.0",
        "EUPL-1.1",
        "EUPL-1.2",
        "OSL-3.0",
        "AFL-3.0",
        "Artistic-2.0",
        "BSL-1.0",
        "ECL-2.0",
        "MS-PL",
        "NCSA",
        "PostgreSQL",
        "LPPL-1.3c",
        "OFL-1.1",
        "GPL-2.0-only",
        "GPL-2.0-or-later",
        "GPL-3.0-only",
        "GPL-3.0-or-later",
        "LGPL-2.1-only",
        "LGPL-2.1-or-later",
        "LGPL-3.0-only",
        "LGPL-3.0-or-later",
        "AGPL-3.0-only",
        "AGPL-3.0-or-later",
        "CC0-1.0",
        "CC-BY-2.0",
        "CC-BY-2.5",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC-BY-SA-3.0",
        "CC-BY-SA-4.0",
        "CC-BY-NC-2.0",
        "CC-BY-NC-3.0",
        "CC-BY-NC-4.0",
        "CC-BY-ND-4.0",
        "CC-BY-NC-ND-3.0",
        "CC-BY-NC-ND-4.0",
        "CC-BY-NC-SA-2.0",
        "CC-BY-NC-SA-3.0",
        "CC-BY-NC-SA-4.0",
        "C-UDA-1.0",
        "CDLA-Permissive-1.0",
        "CDLA-Permissive-2.0",
        "CDLA-Sharing-1.0",
        "ODC-By-1.0",
        "ODbL-1.0",
        "PDDL-1.0",
    ];
    // Names of the hub that are not those of SPDX.
    const OTHER: &[(&str, &str)] = &[
        ("gpl-2.0", "GPL-2.0-only"),
        ("gpl-3.0", "GPL-3.0-only"),
        ("lgpl-2.1", "LGPL-2.1-only"),
        ("lgpl-3.0", "LGPL-3.0-only"),
        ("agpl-3.0", "AGPL-3.0-only"),
        ("odc-by", "ODC-By-1.0"),
        ("odbl", "ODbL-1.0"),
        ("pddl", "PDDL-1.0"),
        ("c-uda", "C-UDA-1.0"),
    ];
    KNOWN
        .iter()
        .find(|id| id.eq_ignore_ascii_case(name))
        .copied()
        .or_else(|| OTHER.iter().find(|(hub, _)| hub.eq_ignore_ascii_case(name)).map(|(_, id)| *id))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn values(facts: &Facts, field: Field) -> Vec<(&str, &str)> {
        facts.all(field).map(|f| (f.value.as_str(), f.source.as_str())).collect()
    }

    #[test]
    fn facts_come_with_their_sources() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("models--acme--tiny/snapshots/0123abcd");
        fs::create_dir_all(&root).unwrap();
        fs::write(
            root.join("README.md"),
            "---\nlicense: other\nlicense_name: acme-1\nbase_model:\n  - acme/base\ndatasets: [one, two]\npipeline_tag: text-generation\n---\n# Tiny\n",
        )
        .unwrap();
        fs::write(
            root.join("config.json"),
            r#"{"architectures":["TinyLM"],"model_type":"tiny","_name_or_path":"./out"}"#,
        )
        .unwrap();
        fs::write(root.join("adapter_config.json"), r#"{"base_model_name_or_path":"acme/base","peft_type":"LORA"}"#)
            .unwrap();
        let facts = Facts::of(&root);
        assert_eq!(values(&facts, Field::Name), [("acme/tiny", "path")]);
        assert_eq!(values(&facts, Field::Version), [("0123abcd", "path")]);
        assert_eq!(values(&facts, Field::Licence), [("acme-1", "README.md#license_name")]);
        assert_eq!(values(&facts, Field::BaseModel), [("acme/base", "README.md#base_model")]);
        assert_eq!(values(&facts, Field::Dataset), [("one", "README.md#datasets"), ("two", "README.md#datasets")]);
        assert_eq!(values(&facts, Field::Architecture), [("TinyLM", "config.json#architectures")]);
    }

    #[test]
    fn broken_cards_say_nothing() {
        let root = tempfile::tempdir().unwrap();
        for card in
            ["", "---", "---\nlicense: [\n---\n", "# no front matter", "---\nlicense: 5\ndatasets: {a: b}\n---\n"]
        {
            fs::write(root.path().join("README.md"), card).unwrap();
            assert_eq!(Facts::of(root.path()).iter().count(), 0, "{card}");
        }
    }

    #[test]
    fn licences_get_their_identifiers() {
        assert_eq!(
            (spdx("apache-2.0"), spdx("gpl-3.0"), spdx("llama3")),
            (Some("Apache-2.0"), Some("GPL-3.0-only"), None)
        );
    }
}
