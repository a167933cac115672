//! Content packs: rules, weights and profiles for the program, in one signed file.
//!
//! The file is the eight bytes `BZPACK1` and a line feed, the length of the signature as eight bytes (little endian), the signature (a bundle with an
//! in-toto statement), and then the files without anything between them, in the order in which the statement names
//! them. The statement says name, version, length and SHA-256 of all; no byte of a file is looked at before the
//! signature verifies.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::Bundle;
use crate::ecdsa::SigningKey;
use crate::hex::hex;
use crate::statement::{Resource, Statement};
use crate::trust::{Signer, Trust};
use crate::{SignError, open};

/// What the file begins with.
const MAGIC: &[u8; 8] = b"BZPACK1\n";
/// Longest file, bytes.
pub const LONGEST_PACK: usize = 256 << 20;
/// Longest signature in it, bytes.
const LONGEST_BUNDLE: usize = 1 << 20;
/// Most files in it.
const MOST: usize = 256;
/// Type of the predicate.
const PREDICATE: &str = "urn:bartizan:content-pack:1";
/// The annotation with the length of a file.
const BYTES: &str = "bytes";

/// What a pack says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackInfo {
    /// Its name.
    pub name: String,
    /// Grows with each pack of that name.
    pub version: u64,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The oldest program that can use it, as `0.1.0`.
    pub program: String,
}

/// A pack whose signature and digests hold.
#[derive(Clone, Debug)]
pub struct ContentPack {
    /// What it says of itself.
    pub info: PackInfo,
    /// Its files: path with `/`, and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// Who signed it.
    pub signer: Signer,
    /// SHA-256 of the statement, hex: it names the pack and everything in it.
    pub digest: String,
}

fn bad(why: impl Into<String>) -> SignError {
    SignError::Pack(why.into())
}

impl ContentPack {
    /// Makes a pack.
    ///
    /// # Errors
    /// A name or path that cannot be in one, too much of anything, or the system gives no random bytes.
    pub fn build(
        info: &PackInfo,
        files: &[(String, Vec<u8>)],
        key: &SigningKey,
        certificates: Vec<Vec<u8>>,
    ) -> Result<Vec<u8>, SignError> {
        checked(info)?;
        let subjects: Vec<Resource> = files
            .iter()
            .map(|(path, bytes)| {
                Resource::sha256(path, hex(digest(&SHA256, bytes).as_ref())).annotated(BYTES, bytes.len())
            })
            .collect();
        named(&subjects)?;
        let predicate = serde_json::to_value(info).map_err(|e| bad(e.to_string()))?;
        let statement = Statement::new(subjects, PREDICATE, predicate).to_json()?;
        let bundle = Bundle::sign(statement, key, certificates)?.to_json()?;
        let length = u64::try_from(bundle.len()).map_err(|_| bad("its signature is too long"))?;
        let mut out = [MAGIC.as_slice(), &length.to_le_bytes(), bundle.as_bytes()].concat();
        for (_, bytes) in files {
            out.extend_from_slice(bytes);
        }
        if out.len() > LONGEST_PACK || bundle.len() > LONGEST_BUNDLE {
            return Err(bad("it is too long"));
        }
        Ok(out)
    }

    /// Reads a pack that somebody trusted signed.
    ///
    /// # Errors
    /// [`SignError::Unverified`] where nobody trusted signed it; others where it is malformed, cut short, longer than it
    /// says, or a file is not the one that was signed.
    pub fn open(file: &[u8], trusted: &[Trust]) -> Result<Self, SignError> {
        if file.len() > LONGEST_PACK {
            return Err(bad("it is too long"));
        }
        let rest = file.strip_prefix(MAGIC).ok_or_else(|| bad("it is not a content pack of this version"))?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(|| bad("it is cut short"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > LONGEST_BUNDLE {
            return Err(bad("its signature is too long"));
        }
        let (bundle, mut rest) = rest.split_at_checked(length).ok_or_else(|| bad("it is cut short"))?;
        let bundle = Bundle::parse(bundle)?;
        let signed = open(trusted, &bundle)?;
        let statement = signed.statement;
        if statement.predicate_type != PREDICATE {
            return Err(bad("what is signed is not a content pack"));
        }
        let info: PackInfo = serde_json::from_value(statement.predicate).map_err(|e| bad(e.to_string()))?;
        checked(&info)?;
        named(&statement.subject)?;
        let mut files = Vec::with_capacity(statement.subject.len());
        for subject in &statement.subject {
            let length = subject.annotations.get(BYTES).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            let length = length.ok_or_else(|| bad(format!("`{}` has no length", subject.name)))?;
            let (bytes, after) = rest.split_at_checked(length).ok_or_else(|| bad("it is cut short"))?;
            rest = after;
            if subject.sha256_hex() != Some(hex(digest(&SHA256, bytes).as_ref()).as_str()) {
                return Err(SignError::Unverified(format!("`{}` is not the file that was signed", subject.name)));
            }
            files.push((subject.name.clone(), bytes.to_vec()));
        }
        if !rest.is_empty() {
            return Err(bad("it is longer than it says"));
        }
        Ok(Self { info, files, signer: signed.signer, digest: hex(digest(&SHA256, &bundle.payload).as_ref()) })
    }

    /// The bytes of a file in it.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.iter().find(|(name, _)| name == path).map(|(_, bytes)| bytes.as_slice())
    }

    /// Name and version, as people and records call it.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.info.name, self.info.version)
    }
}

impl PackInfo {
    /// True where a program of that version can use it. Versions are three numbers.
    #[must_use]
    pub fn fits(&self, program: &str) -> bool {
        numbers(&self.program).is_some_and(|least| numbers(program).is_some_and(|have| have >= least))
    }
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    // It is printed as it is.
    if !version.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c)) {
        return None;
    }
    let plain = version.split(['-', '+']).next()?;
    let parts: Option<Vec<u64>> = plain.split('.').map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

fn checked(info: &PackInfo) -> Result<(), SignError> {
    if !is_plain(&info.name) || info.name.len() > 64 {
        return Err(bad("its name is 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`"));
    }
    if info.version == 0 {
        return Err(bad("its version is 1 or more"));
    }
    if info.made.parse::<jiff::Timestamp>().is_err() {
        return Err(bad("the time at which it was made is no time"));
    }
    match numbers(&info.program) {
        Some(_) => Ok(()),
        None => Err(bad("the program that it is for is not named as `0.1.0`")),
    }
}

/// Paths are few, plain and different.
fn named(subjects: &[Resource]) -> Result<(), SignError> {
    if subjects.is_empty() || subjects.len() > MOST {
        return Err(bad(format!("it has 1 to {MOST} files")));
    }
    let mut seen = BTreeSet::new();
    for subject in subjects {
        let path = subject.name.as_str();
        if path.len() > 200 || !path.split('/').all(is_plain) || !seen.insert(path) {
            return Err(bad("a path in it is too long, not plain, or there twice"));
        }
    }
    Ok(())
}

fn is_plain(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecdsa::tests::pem;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_pem(pem(0).as_bytes()).unwrap()
    }

    fn trust(key: &SigningKey) -> Vec<Trust> {
        vec![Trust::Keys(vec![key.public().clone()])]
    }

    fn info() -> PackInfo {
        PackInfo { name: "c".into(), version: 7, made: "2026-01-02T03:04:05Z".into(), program: "0.1.0".into() }
    }

    fn files() -> Vec<(String, Vec<u8>)> {
        vec![("rules/a.toml".into(), b"one".to_vec()), ("x".into(), Vec::new()), ("y.bin".into(), vec![0; 999])]
    }

    #[test]
    fn a_pack_comes_back_for_those_who_trust_its_key() {
        let key = key();
        let pack = ContentPack::build(&info(), &files(), &key, Vec::new()).unwrap();
        let open = ContentPack::open(&pack, &trust(&key)).unwrap();
        assert_eq!((open.info.clone(), open.files.clone(), open.digest.len()), (info(), files(), 64));
        assert_eq!((open.title().as_str(), open.file("rules/a.toml")), ("c 7", Some(b"one".as_slice())));
        let other = SigningKey::from_pem(pem(0).as_bytes()).unwrap();
        for trusted in [trust(&other), Vec::new()] {
            assert!(matches!(ContentPack::open(&pack, &trusted), Err(SignError::Unverified(_))));
        }
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let key = key();
        let pack = ContentPack::build(&info(), &files(), &key, Vec::new()).unwrap();
        let trusted = trust(&key);
        let digest = ContentPack::open(&pack, &trusted).unwrap().digest;
        for at in 0..pack.len() {
            let mut changed = pack.clone();
            changed[at] ^= 1;
            // Parts of a bundle are not signed, such as white space; what it says is.
            if let Ok(open) = ContentPack::open(&changed, &trusted) {
                assert_eq!((open.digest, open.files, open.info), (digest.clone(), files(), info()), "{at}");
            }
        }
        for cut in [0, 7, 12, 40, pack.len() - 1] {
            assert!(ContentPack::open(&pack[..cut], &trusted).is_err(), "{cut}");
        }
        assert!(ContentPack::open(&[pack.as_slice(), b"x"].concat(), &trusted).is_err());
    }

    #[test]
    fn what_cannot_be_in_one_is_refused() {
        let key = key();
        let made = |info: PackInfo, files: &[(String, Vec<u8>)]| ContentPack::build(&info, files, &key, Vec::new());
        for path in ["", "../a", "/a", "a//b", ".a", "a/../b", "a b", "ä"] {
            assert!(made(info(), &[(path.into(), Vec::new())]).is_err(), "{path}");
        }
        assert!(made(info(), &[]).is_err());
        assert!(made(info(), &[files().remove(0), files().remove(0)]).is_err());
        for wrong in [
            PackInfo { version: 0, ..info() },
            PackInfo { name: "a b".into(), ..info() },
            PackInfo { made: "today".into(), ..info() },
            PackInfo { program: "1".into(), ..info() },
            PackInfo { program: "0.1.0-\u{1b}[2J".into(), ..info() },
        ] {
            assert!(made(wrong, &files()).is_err());
        }
        // A signature over something else is no pack.
        let statement = Statement::new(vec![], "urn:other", Value::Null).to_json().unwrap();
        let bundle = Bundle::sign(statement, &key, Vec::new()).unwrap().to_json().unwrap();
        let file = [MAGIC.as_slice(), &(bundle.len() as u64).to_le_bytes(), bundle.as_bytes()].concat();
        let error = ContentPack::open(&file, &trust(&key)).unwrap_err().to_string();
        assert!(error.contains("not a content pack"), "{error}");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (least, have, fits) in [
            ("0.1.0", "0.1.0", true),
            ("0.9.0", "0.10.0", true),
            ("0.2.0", "0.1.9", false),
            ("1.0.0", "1.0.1-rc1", true),
        ] {
            assert_eq!(PackInfo { program: least.into(), ..info() }.fits(have), fits, "{least} {have}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), length in any::<u64>()) {
            let file = [MAGIC.as_slice(), &length.to_le_bytes(), &bytes].concat();
            prop_assert!(ContentPack::open(&file, &[]).is_err());
            prop_assert!(ContentPack::open(&bytes, &[]).is_err());
        }
    }
}
