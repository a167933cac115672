//! What a model signature says (OpenSSF Model Signing, specification 1.0): every file of a model with its digest.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::SignError;
use crate::hex::{hex, unhex};
use crate::statement::{Resource as Subject, Statement};

/// Type of the predicate.
pub const MODEL_SIGNATURE: &str = "https://model_signing/signature/v1.0";

/// What signers leave out at the root of a model; so do verifiers, whatever the signature says.
pub const GIT_PATHS: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// A SHA-256 value.
pub type Sha256 = [u8; 32];

/// What was signed of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelManifest {
    /// Name of the model: that of its folder.
    pub name: String,
    /// Files or parts of files, in the order of the signature.
    pub entries: Vec<Entry>,
    /// Paths that the signer left out, below the folder.
    pub ignored: Vec<String>,
    /// True where links were followed.
    pub links: bool,
}

/// A file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path below the folder, with `/`; `.` where the model is one file.
    pub path: String,
    /// The part, in bytes from the start; `None` for the whole file.
    pub range: Option<(u64, u64)>,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash_type: Option<String>,
    #[serde(default)]
    allow_symlinks: bool,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

impl ModelManifest {
    /// Of whole files. They are put in the order of the reference implementation: by the parts of their paths.
    #[must_use]
    pub fn new(
        name: &str,
        files: impl IntoIterator<Item = (String, Sha256)>,
        ignored: Vec<String>,
        links: bool,
    ) -> Self {
        let mut entries: Vec<_> = files.into_iter().map(|(path, sha256)| Entry { path, range: None, sha256 }).collect();
        entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        Self { name: name.to_owned(), entries, ignored, links }
    }

    /// What statements about the model name it by: one file by its own digest, a folder by its root.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        match self.entries.as_slice() {
            [only] if self.is_one_file() => only.sha256,
            _ => self.root(),
        }
    }

    /// True where the model is one file, and not a folder.
    #[must_use]
    pub fn is_one_file(&self) -> bool {
        matches!(self.entries.as_slice(), [only] if only.path == "." && only.range.is_none())
    }

    /// The digest that stands for a folder: SHA-256 over the digests of all entries in their order.
    #[must_use]
    pub fn root(&self) -> Sha256 {
        let mut context = digest::Context::new(&digest::SHA256);
        for entry in &self.entries {
            context.update(&entry.sha256);
        }
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        out
    }

    /// The statement to sign. Parts of files are not written.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn statement(&self) -> Result<Statement, SignError> {
        let predicate = Predicate {
            serialization: Serialization {
                method: "files".to_owned(),
                hash_type: Some("sha256".to_owned()),
                allow_symlinks: self.links,
                ignore_paths: self.ignored.clone(),
            },
            resources: self
                .entries
                .iter()
                .map(|e| Resource { name: e.path.clone(), algorithm: "sha256".to_owned(), digest: hex(&e.sha256) })
                .collect(),
        };
        let predicate = serde_json::to_value(predicate).map_err(|error| SignError::Statement(error.to_string()))?;
        Ok(Statement::new(vec![Subject::sha256(&self.name, hex(&self.root()))], MODEL_SIGNATURE, predicate))
    }

    /// Reads what a statement says of a model.
    ///
    /// # Errors
    /// It is not a model signature, says things that do not fit together, or names paths outside of the model.
    pub fn from_statement(statement: &Statement) -> Result<Self, SignError> {
        let wrong = |why: String| SignError::Statement(why);
        if statement.predicate_type != MODEL_SIGNATURE {
            let kind: String = statement.predicate_type.chars().take(80).collect();
            return Err(wrong(format!("it is not a model signature but `{kind}`")));
        }
        let [subject] = statement.subject.as_slice() else {
            return Err(wrong("a model signature has exactly one subject".to_owned()));
        };
        let predicate = Predicate::deserialize(&statement.predicate)
            .map_err(|error| wrong(format!("its model predicate is malformed: {error}")))?;
        let sharded = match predicate.serialization.method.as_str() {
            "files" => false,
            "shards" => true,
            other => return Err(wrong(format!("its method `{}` is not known", shown(other)))),
        };
        let mut entries = Vec::with_capacity(predicate.resources.len());
        let mut seen = BTreeSet::new();
        for resource in &predicate.resources {
            if !seen.insert(resource.name.as_str()) {
                return Err(wrong(format!("`{}` is named twice", shown(&resource.name))));
            }
            entries.push(resource.entry(sharded)?);
        }
        let manifest = Self {
            name: subject.name.clone(),
            entries,
            ignored: predicate.serialization.ignore_paths,
            links: predicate.serialization.allow_symlinks,
        };
        if subject.sha256_hex() != Some(hex(&manifest.root()).as_str()) {
            return Err(wrong("its subject is not the digest over its files".to_owned()));
        }
        Ok(manifest)
    }
}

impl Resource {
    fn entry(&self, sharded: bool) -> Result<Entry, SignError> {
        // The reference writes the size of parts into the name of the algorithm, the specification does not.
        let known = self.algorithm == "sha256" || (sharded && self.algorithm.starts_with("sha256-sharded-"));
        if !known {
            let what = shown(&self.algorithm);
            return Err(SignError::Statement(format!("files are hashed with `{what}`; only `sha256` is read")));
        }
        let sha256 = unhex::<32>(&self.digest).ok_or_else(|| {
            SignError::Statement(format!("the digest of `{}` is not SHA-256 in hex", shown(&self.name)))
        })?;
        let wrong = || SignError::Statement(format!("`{}` is not a part of a file", shown(&self.name)));
        let (path, range) = if sharded {
            // From the right: the path may hold colons.
            let mut parts = self.name.rsplitn(3, ':');
            let end = parts.next().and_then(|n| n.parse::<u64>().ok()).ok_or_else(wrong)?;
            let start = parts.next().and_then(|n| n.parse::<u64>().ok()).ok_or_else(wrong)?;
            (parts.next().ok_or_else(wrong)?, Some((start, end)))
        } else {
            (self.name.as_str(), None)
        };
        if range.is_some_and(|(start, end)| start >= end) {
            return Err(wrong());
        }
        if !is_inside(path) {
            return Err(SignError::Statement(format!("`{}` is not a path inside of the model", shown(&self.name))));
        }
        Ok(Entry { path: path.to_owned(), range, sha256 })
    }
}

/// True for a relative path without ways out; `.` is the model itself, where that is one file.
fn is_inside(path: &str) -> bool {
    path == "." || (!path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn two() -> ModelManifest {
        ModelManifest::new(
            "m",
            [("a.txt".to_owned(), [1; 32]), ("a/b".to_owned(), [2; 32])],
            vec![".git".to_owned()],
            false,
        )
    }

    #[test]
    fn a_manifest_comes_back_in_the_order_of_path_parts() {
        let manifest = two();
        assert_eq!(manifest.entries[0].path, "a/b");
        let json = manifest.statement().unwrap().to_json().unwrap();
        let again = ModelManifest::from_statement(&Statement::parse(&json).unwrap()).unwrap();
        assert_eq!(again, manifest);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        type Change = fn(&mut Statement);
        let changes: [(&str, Change); 9] = [
            ("not the digest over", |s| s.predicate["resources"][0]["digest"] = "0".repeat(64).into()),
            ("named twice", |s| s.predicate["resources"][0]["name"] = "a.txt".into()),
            ("not a path inside", |s| s.predicate["resources"][0]["name"] = "../x".into()),
            ("not a path inside", |s| s.predicate["resources"][0]["name"] = "/x".into()),
            ("not a path inside", |s| s.predicate["resources"][0]["name"] = "a//x".into()),
            ("only `sha256` is read", |s| s.predicate["resources"][0]["algorithm"] = "blake3".into()),
            ("is not SHA-256", |s| s.predicate["resources"][0]["digest"] = "00".into()),
            ("exactly one subject", |s| s.subject.clear()),
            ("is not known", |s| s.predicate["serialization"]["method"] = "tensors".into()),
        ];
        for (why, change) in changes {
            let mut statement = two().statement().unwrap();
            change(&mut statement);
            let error = ModelManifest::from_statement(&statement).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn parts_of_files_are_read_in_both_spellings() {
        for algorithm in ["sha256", "sha256-sharded-4"] {
            let mut statement = two().statement().unwrap();
            statement.predicate["serialization"]["method"] = "shards".into();
            statement.predicate["serialization"]["shard_size"] = json!(4.0);
            for (at, name) in ["a:b:0:4", "a:b:4:6"].iter().enumerate() {
                statement.predicate["resources"][at]["name"] = (*name).into();
                statement.predicate["resources"][at]["algorithm"] = algorithm.into();
            }
            let manifest = ModelManifest::from_statement(&statement).unwrap();
            assert_eq!((manifest.entries[1].path.as_str(), manifest.entries[1].range), ("a:b", Some((4, 6))));
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(name in "\\PC{0,40}", sharded: bool) {
            let resource = Resource { name: name.clone(), algorithm: "sha256".to_owned(), digest: "00".repeat(32) };
            if let Ok(entry) = resource.entry(sharded) {
                prop_assert!(!entry.path.split('/').any(|p| p == ".."));
                prop_assert!(!entry.path.starts_with('/'));
            }
        }
    }
}
