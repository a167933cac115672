//! Client keys: `bz_<id>_<secret><checksum>`.
//!
//! The id is public: it finds the record. The secret is 256 random bits, so a fast keyed hash is enough to keep. The
//! checksum lets a scanner for leaked keys tell one from noise, offline.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use bartizan_core::TenantId;

use crate::error::AccessError;

const PREFIX: &str = "bz_";
/// Characters of the id: 71 bits.
const ID: usize = 12;
/// Characters of the secret: 256 bits.
const SECRET: usize = 43;
/// Characters of the checksum.
const CHECK: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key that was just made. Its text is shown once.
pub struct NewKey {
    /// The public part.
    pub id: String,
    text: String,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl NewKey {
    /// A key with a fresh id.
    ///
    /// # Errors
    /// [`AccessError::Random`].
    pub fn generate() -> Result<Self, AccessError> {
        Self::for_id(&random(ID)?)
    }

    /// Another secret for a key that is there.
    ///
    /// # Errors
    /// [`AccessError::Random`].
    pub fn for_id(id: &str) -> Result<Self, AccessError> {
        let open = format!("{PREFIX}{id}_{}", random(SECRET)?);
        let text = format!("{open}{}", checksum(&open));
        Ok(Self { id: id.to_owned(), text })
    }

    /// The key itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// True where a text has the form and the checksum of a key. It need not be one that works.
#[must_use]
pub fn looks_like_key(text: &str) -> bool {
    id_of(text).is_some_and(|_| {
        let at = text.len() - CHECK;
        text.split_at_checked(at).is_some_and(|(open, check)| checksum(open) == check)
    })
}

/// The id in a text that has the form of a key.
pub(crate) fn id_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(PREFIX)?;
    let (id, secret) = rest.split_once('_')?;
    let plain = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain(id, ID) && plain(secret, SECRET + CHECK)).then_some(id)
}

fn checksum(open: &str) -> String {
    let hash = digest::digest(&digest::SHA256, open.as_bytes());
    let mut number = hash.as_ref().iter().take(8).fold(0u64, |n, b| (n << 8) | u64::from(*b));
    let mut out = String::with_capacity(CHECK);
    for _ in 0..CHECK {
        out.push(letter(number % 62));
        number /= 62;
    }
    out
}

fn letter(number: u64) -> char {
    usize::try_from(number).ok().and_then(|n| ALPHABET.get(n)).map_or('0', |b| char::from(*b))
}

/// Even over the alphabet: bytes that would favour some letters are drawn again.
fn random(length: usize) -> Result<String, AccessError> {
    let mut out = String::with_capacity(length);
    let mut bytes = [0; 64];
    while out.len() < length {
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| AccessError::Random)?;
        let room = length - out.len();
        out.extend(bytes.iter().filter(|b| **b < 248).take(room).map(|b| letter(u64::from(*b) % 62)));
    }
    Ok(out)
}

/// Hashes keys, and gives people pseudonyms, under a key of the installation.
#[derive(Clone)]
pub struct KeyHasher(hmac::Key);

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher")
    }
}

impl KeyHasher {
    /// A hasher under that key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// HMAC-SHA-256 of a key's text.
    #[must_use]
    pub fn hash(&self, text: &str) -> [u8; 32] {
        self.tagged(&[b"key", text.as_bytes()])
    }

    /// A name that stands for a person or session of a tenant: 16 hex digits, the same on every day.
    #[must_use]
    pub fn pseudonym(&self, tenant: &TenantId, name: &str) -> String {
        use fmt::Write as _;
        let hash = self.tagged(&[b"pseudonym", tenant.as_str().as_bytes(), name.as_bytes()]);
        hash.iter().take(8).fold(String::with_capacity(16), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }

    /// The lengths go in too, so that no two lists run together.
    fn tagged(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_form_that_scanners_can_tell() {
        let key = NewKey::generate().unwrap();
        assert_eq!(key.text().len(), PREFIX.len() + ID + 1 + SECRET + CHECK);
        assert_eq!(id_of(key.text()), Some(key.id.as_str()));
        assert!(looks_like_key(key.text()));
        let other = NewKey::for_id(&key.id).unwrap();
        assert_ne!(other.text(), key.text());
        let mut changed = key.text().to_owned();
        let last = changed.pop().unwrap();
        changed.push(if last == '0' { '1' } else { '0' });
        assert!(!looks_like_key(&changed));
        for bad in ["", "bz_", "bz__", "bz_é_", &key.text().replace("bz_", "bx_"), &key.text()[..20]] {
            assert!(!looks_like_key(bad), "{bad}");
        }
    }

    #[test]
    fn a_debug_print_shows_no_secret() {
        let key = NewKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(&key.text()[20..40]));
    }

    #[test]
    fn pseudonyms_are_of_one_tenant() {
        let hasher = KeyHasher::new(&[7; 32]);
        let (a, b) = (TenantId::authenticated("a").unwrap(), TenantId::authenticated("b").unwrap());
        assert_eq!(hasher.pseudonym(&a, "ann"), hasher.pseudonym(&a, "ann"));
        assert_ne!(hasher.pseudonym(&a, "ann"), hasher.pseudonym(&b, "ann"));
        assert_ne!(hasher.pseudonym(&a, "bann"), hasher.pseudonym(&TenantId::authenticated("ab").unwrap(), "ann"));
    }
}
