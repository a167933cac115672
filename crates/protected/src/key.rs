//! The key of an index, and what is derived from it.

use aws_lc_rs::{aead, hmac};
use siphasher::sip::SipHasher24;

use crate::words::modulo;
use crate::{GRAM, ProtectedError};

/// Fewest characters of a key.
const SHORTEST: usize = 32;

/// A key, with everything that is derived from it. It is never shown.
#[derive(Clone)]
pub struct Key {
    /// Where the polynomial over the characters of a word is evaluated.
    pub(crate) letter: u64,
    /// Where the polynomial over words is evaluated.
    pub(crate) word: u64,
    /// `word` to the power of [`GRAM`].
    pub(crate) word_out: u64,
    grams: SipHasher24,
    contexts: SipHasher24,
    mac: hmac::Key,
    seal: [u8; 32],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The key that a secret stands for: HMAC-SHA256 of a label for each purpose.
    ///
    /// # Errors
    /// The secret is shorter than 32 characters: the text of an index could then be guessed word by word.
    pub fn new(secret: &str) -> Result<Self, ProtectedError> {
        let length = secret.chars().count();
        if length < SHORTEST {
            return Err(ProtectedError::WeakKey(length));
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let word = point(&root, "word");
        Ok(Self {
            letter: point(&root, "letter"),
            word,
            word_out: (0..GRAM).fold(1, |power, _| modulo(u128::from(power) * u128::from(word))),
            grams: SipHasher24::new_with_key(&half(&root, "grams")),
            contexts: SipHasher24::new_with_key(&half(&root, "contexts")),
            mac: hmac::Key::new(hmac::HMAC_SHA256, &derived(&root, "mac")),
            seal: derived(&root, "seal"),
        })
    }

    /// The fingerprint of a run of words.
    pub(crate) fn gram(&self, rolled: u64) -> u64 {
        self.grams.hash(&rolled.to_le_bytes())
    }

    /// Two bits of a word.
    pub(crate) fn context(&self, word: u64) -> u8 {
        (self.contexts.hash(&word.to_le_bytes()) & 3) as u8
    }

    pub(crate) fn tag(&self, head: &[u8]) -> [u8; 32] {
        bytes(hmac::sign(&self.mac, head).as_ref())
    }

    /// Compares in constant time.
    pub(crate) fn is_tag(&self, head: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.mac, head, tag).is_ok()
    }

    /// Nonce, then sealed text, then tag.
    pub(crate) fn seal(&self, mut text: Vec<u8>) -> Result<Vec<u8>, ProtectedError> {
        let key = aead::RandomizedNonceKey::new(&aead::AES_256_GCM, &self.seal).map_err(|_| ProtectedError::Crypto)?;
        let nonce = key.seal_in_place_append_tag(aead::Aad::empty(), &mut text).map_err(|_| ProtectedError::Crypto)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// What [`Key::seal`] sealed.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, ProtectedError> {
        let (nonce, text) = sealed.split_at_checked(aead::NONCE_LEN).ok_or(ProtectedError::Changed)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| ProtectedError::Changed)?;
        let key = aead::RandomizedNonceKey::new(&aead::AES_256_GCM, &self.seal).map_err(|_| ProtectedError::Crypto)?;
        let mut text = text.to_vec();
        let length =
            key.open_in_place(nonce, aead::Aad::empty(), &mut text).map_err(|_| ProtectedError::Changed)?.len();
        text.truncate(length);
        Ok(text)
    }
}

fn derived(root: &hmac::Key, label: &str) -> [u8; 32] {
    bytes(hmac::sign(root, format!("bartizan protected text 1 {label}").as_bytes()).as_ref())
}

fn bytes<const N: usize>(from: &[u8]) -> [u8; N] {
    from.get(..N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

fn half(root: &hmac::Key, label: &str) -> [u8; 16] {
    bytes(&derived(root, label))
}

/// A number below the prime of [`modulo`], not 0.
fn point(root: &hmac::Key, label: &str) -> u64 {
    modulo(u128::from(u64::from_le_bytes(bytes(&derived(root, label))))).max(2)
}
