//! The manifest of a corpus that was cleaned: an in-toto statement about what was written, with what it was made of.

use std::collections::BTreeMap;

use bartizan_core::{Action, Coverage, CoverageStatus, EngineId, Severity};
use bartizan_sign::{ModelManifest, Resource, Statement, hex, unhex};
use serde::Deserialize as _;
use serde_json::json;

use super::Cleaned;
use crate::error::DataError;

/// Type of the predicate.
pub const CORPUS: &str = "urn:bartizan:corpus:1";

/// What a corpus is, and how it was made.
#[derive(Debug)]
pub struct Manifest<'a> {
    /// Its name: that of its folder or file.
    pub name: &'a str,
    /// True where it is one file.
    pub file: bool,
    /// Its files.
    pub files: &'a [Cleaned],
    /// Version of this program.
    pub version: &'a str,
    /// The rules.
    pub rules: &'a EngineId,
    /// What was chosen, `WHAT=CHOICE`.
    pub choices: Vec<String>,
    /// What tells the key of surrogates apart from others.
    pub key: Option<String>,
    /// True where something at the gate is left in it.
    pub denied: bool,
    /// The worst that is left in it.
    pub worst: Option<Severity>,
    /// What was not read, and so is not in it.
    pub coverage: &'a Coverage,
}

impl Manifest<'_> {
    /// Every file that was written with its digest, in the order that the digest of the whole takes.
    fn model(&self) -> ModelManifest {
        let digest = |sha256: &str| unhex::<32>(sha256).unwrap_or_default();
        let written = self.files.iter().filter_map(|file| file.output.as_ref());
        let name = |name: &str| if self.file { ".".to_owned() } else { name.to_owned() };
        let files = written.map(|written| (name(&written.name), digest(&written.sha256)));
        ModelManifest::new(self.name, files, Vec::new(), false)
    }

    /// The statement to sign. It holds no time, so that the same run makes the same statement.
    #[must_use]
    pub fn statement(&self) -> Statement {
        let model = self.model();
        let mut subject = vec![Resource::sha256(self.name, hex(&model.digest()))];
        if !self.file {
            subject.extend(model.entries.iter().map(|entry| Resource::sha256(entry.path.as_str(), hex(&entry.sha256))));
        }
        let mut actions: BTreeMap<Action, u64> = BTreeMap::new();
        for (action, count) in self.files.iter().flat_map(|file| &file.actions) {
            *actions.entry(*action).or_default() += count;
        }
        let predicate = json!({
            "program": { "uri": "pkg:cargo/bartizan", "version": self.version },
            "rules": self.rules,
            "choices": self.choices,
            "surrogateKey": self.key,
            "file": self.file,
            "files": self.files,
            "actions": actions,
            "verdict": if self.denied { "deny" } else { "allow" },
            "worst": self.worst,
            "coverage": self.coverage,
        });
        Statement::new(subject, CORPUS, predicate)
    }
}

/// What a manifest says.
#[derive(Clone, Debug)]
pub struct Said {
    /// The files.
    pub files: ModelManifest,
    /// SHA-256 that stands for the whole, lower-case hex.
    pub sha256: String,
    /// True where something at the gate was left.
    pub denied: bool,
    /// The worst that was left.
    pub worst: Option<Severity>,
    /// How much of what it was made of was read.
    pub coverage: CoverageStatus,
}

/// Reads what a statement says of a corpus; `None` where it is about something else.
///
/// # Errors
/// It is malformed, or what it says does not fit together.
pub fn said(statement: &Statement) -> Result<Option<Said>, DataError> {
    if statement.predicate_type != CORPUS {
        return Ok(None);
    }
    let wrong = |why: &str| DataError::Manifest(why.to_owned());
    let one = &statement.predicate;
    let (first, rest) = statement.subject.split_first().ok_or_else(|| wrong("it names nothing"))?;
    let file = one["file"].as_bool().ok_or_else(|| wrong("it does not say whether it is about a file"))?;
    let digest =
        |of: &Resource| of.sha256_hex().and_then(unhex::<32>).ok_or_else(|| wrong("a digest is not 64 hex digits"));
    let mut files = Vec::new();
    if file {
        files.push((".".to_owned(), digest(first)?));
    } else {
        for of in rest {
            let inside = !of.name.is_empty()
                && of.name.split('/').all(|part| !part.is_empty() && !matches!(part, "." | ".."))
                && !of.name.contains('\\');
            if !inside {
                return Err(wrong("a path leads out of the corpus"));
            }
            files.push((of.name.clone(), digest(of)?));
        }
    }
    let files = ModelManifest::new(&first.name, files, Vec::new(), false);
    let sha256 = hex(&digest(first)?);
    if hex(&files.digest()) != sha256 {
        return Err(wrong("the digest of the whole is not that of its files"));
    }
    let denied = match one["verdict"].as_str() {
        Some("allow") => false,
        Some("deny") => true,
        _ => return Err(wrong("it has no verdict")),
    };
    let worst = Option::<Severity>::deserialize(&one["worst"]).map_err(|_| wrong("`worst` is no severity"))?;
    let coverage =
        CoverageStatus::deserialize(&one["coverage"]["status"]).map_err(|_| wrong("it does not say what was read"))?;
    Ok(Some(Said { files, sha256, denied, worst, coverage }))
}
