//! Signed notes (C2SP signed-note) and checkpoints of the chain in them (C2SP tlog-checkpoint), signed with Ed25519.
//!
//! A checkpoint is a text of lines: origin, number of records, root of the Merkle tree over the hashes of the records
//! (base64), and two extension lines, `head HASH` (hex hash of the last record) and `time RFC3339`. The origin names the
//! chain and what the note is for, so that one that says that records were pruned cannot be made from one that vouches
//! for them.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::SignError;
use crate::hex::{hex, unhex};
use crate::merkle::Hash;

/// The algorithm byte of Ed25519 in signed-note.
const ED25519_NOTE: u8 = 1;

/// What begins a signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Longest note that is read, bytes.
const LONGEST: usize = 16 << 10;

/// A key that signs notes, in the text form of signed-note implementations: `PRIVATE+KEY+NAME+HASH+BASE64`.
pub struct NoteKey {
    name: String,
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

impl NoteKey {
    /// A new key.
    ///
    /// # Errors
    /// The name cannot be one, or the system gives no random bytes.
    pub fn generate(name: &str) -> Result<Self, SignError> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| SignError::Random)?;
        Self::from_seed(name, seed)
    }

    fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, SignError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SignError::Key("not an Ed25519 seed"))?;
        Ok(Self { name: name.to_owned(), pair, seed })
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// It is not such a key. The text is not repeated.
    pub fn parse(text: &str) -> Result<Self, SignError> {
        let wrong = SignError::Key("a signing key is `PRIVATE+KEY+NAME+HASH+BASE64`");
        let mut parts = text.trim().strip_prefix("PRIVATE+KEY+").ok_or(wrong)?.splitn(3, '+');
        let (Some(name), Some(id), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SignError::Key("a signing key is `PRIVATE+KEY+NAME+HASH+BASE64`"));
        };
        let key = Self::from_seed(name, key_bytes(data)?)?;
        if hex(&key.verifier().id()) != id {
            return Err(SignError::Key("the hash in the signing key does not fit it"));
        }
        Ok(key)
    }

    /// The text form, which is the secret.
    #[must_use]
    pub fn secret(&self) -> String {
        let data = [&[ED25519_NOTE], self.seed.as_slice()].concat();
        format!("PRIVATE+KEY+{}+{}+{}", self.name, hex(&self.verifier().id()), STANDARD.encode(data))
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> NoteVerifier {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(self.pair.public_key().as_ref()) {
            *to = *from;
        }
        NoteVerifier { name: self.name.clone(), key }
    }

    /// Signs a text, which has to end with a newline.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let signature = [self.verifier().id().as_slice(), self.pair.sign(text.as_bytes()).as_ref()].concat();
        format!("{text}\n{DASH}{} {}\n", self.name, STANDARD.encode(signature))
    }
}

impl std::fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoteKey({})", self.name)
    }
}

/// The public half of a key, in the text form `NAME+HASH+BASE64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    key: [u8; 32],
}

impl NoteVerifier {
    /// Reads the text form.
    ///
    /// # Errors
    /// It is not such a key.
    pub fn parse(text: &str) -> Result<Self, SignError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SignError::Key("a public key is `NAME+HASH+BASE64`"));
        };
        check_name(name)?;
        let verifier = Self { name: name.to_owned(), key: key_bytes(data)? };
        if hex(&verifier.id()) != id {
            return Err(SignError::Key("the hash in the public key does not fit it"));
        }
        Ok(verifier)
    }

    /// The first four bytes of SHA-256 over name, newline, algorithm and key.
    fn id(&self) -> [u8; 4] {
        let text = [self.name.as_bytes(), &[b'\n', ED25519_NOTE], &self.key].concat();
        let mut id = [0; 4];
        for (to, from) in id.iter_mut().zip(digest::digest(&digest::SHA256, &text).as_ref()) {
            *to = *from;
        }
        id
    }

    /// The text of a note that this key signed. Signatures of others are passed over.
    ///
    /// # Errors
    /// It is not a note, or this key did not sign it.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, SignError> {
        if note.len() > LONGEST {
            return Err(SignError::Note("it is too long"));
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(SignError::Note("it has no signatures"))?;
        let text = note.get(..text.len() + 1).ok_or(SignError::Note("it has no text"))?;
        for line in signatures.lines() {
            let Some((name, data)) = line.strip_prefix(DASH).and_then(|l| l.split_once(' ')) else {
                return Err(SignError::Note("a signature line is none"));
            };
            if name != self.name {
                continue;
            }
            let Ok(data) = STANDARD.decode(data) else { return Err(SignError::Note("a signature is not base64")) };
            let id = self.id();
            if let Some(signature) = data.strip_prefix(id.as_slice())
                && UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
            {
                return Ok(text);
            }
        }
        Err(SignError::Note("this key did not sign it"))
    }
}

impl std::fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let data = [&[ED25519_NOTE], self.key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(data))
    }
}

fn check_name(name: &str) -> Result<(), SignError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.len() > 200 || name.contains(bad) {
        return Err(SignError::Key("the name of a key is empty, too long, or holds spaces or `+`"));
    }
    Ok(())
}

fn key_bytes(data: &str) -> Result<[u8; 32], SignError> {
    let data = STANDARD.decode(data).map_err(|_| SignError::Key("the key is not base64"))?;
    let key = data.strip_prefix(&[ED25519_NOTE]).ok_or(SignError::Key("the key is not an Ed25519 one"))?;
    key.try_into().map_err(|_| SignError::Key("the key has the wrong length"))
}

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// These records were there.
    Checkpoint,
    /// These records were taken away by whoever holds the key.
    Pruned,
}

impl Claim {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Checkpoint => "bartizan.evidence/chain/",
            Self::Pruned => "bartizan.evidence/pruned/",
        }
    }
}

/// The state of a chain at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// What it says about the records.
    pub claim: Claim,
    /// Which chain.
    pub chain_id: String,
    /// Number of records since the chain began.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// Hash of the last one, hex.
    pub head: String,
    /// When, RFC 3339.
    pub time: String,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { claim, chain_id, size, root, head, time } = self;
        format!("{}{chain_id}\n{size}\n{}\nhead {head}\ntime {time}\n", claim.prefix(), STANDARD.encode(root))
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// It is not a checkpoint of such a chain.
    pub fn parse(text: &str) -> Result<Self, SignError> {
        let wrong = |what| SignError::Note(what);
        let mut lines = text.lines();
        let origin = lines.next().ok_or(wrong("it is empty"))?;
        let (claim, chain_id) = [Claim::Checkpoint, Claim::Pruned]
            .into_iter()
            .find_map(|claim| Some((claim, origin.strip_prefix(claim.prefix())?)))
            .ok_or(wrong("it is not about a chain of evidence"))?;
        let size = lines.next().and_then(|l| l.parse().ok()).ok_or(wrong("its size is no number"))?;
        let root = lines.next().and_then(|l| STANDARD.decode(l).ok()?.try_into().ok());
        let head = lines.next().and_then(|l| l.strip_prefix("head ")).ok_or(wrong("it has no head"))?;
        unhex::<32>(head).ok_or(wrong("its head is no hash"))?;
        let time = lines.next().and_then(|l| l.strip_prefix("time ")).ok_or(wrong("it has no time"))?;
        Ok(Self {
            claim,
            chain_id: chain_id.to_owned(),
            size,
            root: root.ok_or(wrong("its root is no hash"))?,
            head: head.to_owned(),
            time: time.to_owned(),
        })
    }
}

/// The notes of a file with one after the other. A note ends where a line of text follows a signature.
#[must_use]
pub fn notes(file: &str) -> Vec<&str> {
    let mut notes = Vec::new();
    let (mut start, mut at, mut signed) = (0, 0, false);
    for line in file.split_inclusive('\n') {
        let signature = line.starts_with(DASH);
        if signed && !signature && !line.trim().is_empty() {
            notes.extend(file.get(start..at));
            start = at;
            signed = false;
        }
        signed |= signature;
        at += line.len();
    }
    notes.extend(file.get(start..).filter(|rest| !rest.trim().is_empty()));
    notes.into_iter().map(|note| note.trim_end_matches('\n')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            claim: Claim::Checkpoint,
            chain_id: "c1".to_owned(),
            size: 7,
            root: [7; 32],
            head: hex(&[9; 32]),
            time: "2026-01-02T03:04:05Z".to_owned(),
        }
    }

    #[test]
    fn a_signed_checkpoint_comes_back() {
        let key = NoteKey::generate("evidence.example").unwrap();
        let public = NoteVerifier::parse(&key.verifier().to_string()).unwrap();
        let again = NoteKey::parse(&key.secret()).unwrap();
        let note = again.sign(&checkpoint().text());
        let text = public.open(&note).unwrap();
        assert_eq!(Checkpoint::parse(text).unwrap(), checkpoint());

        let other = NoteKey::generate("evidence.example").unwrap();
        assert!(other.verifier().open(&note).is_err());
        assert!(public.open(&note.replace("\n7\n", "\n8\n")).is_err());
        assert!(!format!("{key:?}").contains(&key.secret()[20..]));
        let two = [note.as_str(), "\n", other.sign(&checkpoint().text()).as_str()].concat();
        assert_eq!(notes(&two).len(), 2);
        assert!(public.open(notes(&two)[0]).is_ok() && other.verifier().open(notes(&two)[1]).is_ok());
    }

    #[test]
    fn a_pruning_is_not_a_checkpoint() {
        let pruned = Checkpoint { claim: Claim::Pruned, ..checkpoint() };
        assert_ne!(pruned.text(), checkpoint().text());
        assert_eq!(Checkpoint::parse(&pruned.text()).unwrap().claim, Claim::Pruned);
    }

    /// The key and note that the documentation of Go's `golang.org/x/mod/sumdb/note` gives as its example.
    #[test]
    fn notes_of_other_implementations_are_read() {
        let public = NoteVerifier::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert!(public.open(note).unwrap().ends_with("what your problem is.\n"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}", lines in proptest::collection::vec("[ -~\u{2014}]{0,40}", 0..8)) {
            let key = NoteKey::from_seed("k", [1; 32]).unwrap().verifier();
            for text in [text, lines.join("\n"), lines.join("\n\n")] {
                let _ = (key.open(&text), Checkpoint::parse(&text), NoteKey::parse(&text), NoteVerifier::parse(&text));
                let _ = notes(&text);
            }
        }
    }
}
