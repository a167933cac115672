//! Envelope encryption: content under a data key (AES-256-GCM), data keys under a master key that is kept elsewhere.
//!
//! Sealed content is bound to its place: tenant, record and direction are authenticated with it, so a body put in
//! another row, or under another tenant, does not open. A nonce is 12 random bytes; with a data key for each tenant and
//! day, the 2^32 messages at which NIST SP 800-38D bounds random nonces are out of reach.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use bartizan_core::{Direction, KeyPurpose, Sealed, TenantId, WrappedKey};

use crate::SignError;
use crate::hex::hex;

/// First byte of everything sealed: the form and algorithm.
const VERSION: u8 = 1;

/// 32 secret bytes. They are overwritten when they go and never shown.
pub struct Secret([u8; 32]);

impl Secret {
    /// Fresh ones.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, SignError> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SignError::Random)?;
        Ok(Self(bytes))
    }

    /// Given ones.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0 = std::hint::black_box([0; 32]);
        std::hint::black_box(&self.0);
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Where sealed content belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// The record about it.
    pub event: &'a str,
    /// Which way it went.
    pub direction: Direction,
}

/// A key that seals content.
pub struct DataKey {
    id: String,
    key: LessSafeKey,
}

impl DataKey {
    /// A key under its id.
    ///
    /// # Errors
    /// Never for 32 bytes; the library's word for it.
    pub fn new(id: &str, secret: &Secret) -> Result<Self, SignError> {
        Ok(Self { id: id.to_owned(), key: aead(secret)? })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a body in its place.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn seal(&self, place: Place<'_>, mut body: Vec<u8>) -> Result<Sealed<Vec<u8>>, SignError> {
        let nonce = nonce()?;
        let aad = Aad::from(self.bound(place));
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| SignError::Sealed("it is too long"))?;
        Ok(Sealed::from_parts(self.id.clone(), nonce, body))
    }

    /// Opens a body.
    ///
    /// # Errors
    /// It was sealed with another key or for another place, or was changed.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed<Vec<u8>>) -> Result<Vec<u8>, SignError> {
        let mut body = sealed.ciphertext.clone();
        let aad = Aad::from(self.bound(place));
        let open = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(sealed.nonce), aad, &mut body)
            .map_err(|_| SignError::Sealed("it was changed, or belongs to another key or place"))?
            .len();
        body.truncate(open);
        Ok(body)
    }

    fn bound(&self, place: Place<'_>) -> Vec<u8> {
        let parts = ["bartizan content", &self.id, place.tenant.as_str(), place.event, place.direction.as_str()];
        bound(&parts)
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

/// What a sealed thing is bound to. Lengths go before parts, so that no two lists run together.
fn bound(parts: &[&str]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}

fn aead(secret: &Secret) -> Result<LessSafeKey, SignError> {
    let key = UnboundKey::new(&AES_256_GCM, secret.bytes()).map_err(|_| SignError::Key("not an AES-256 key"))?;
    Ok(LessSafeKey::new(key))
}

fn nonce() -> Result<[u8; 12], SignError> {
    let mut nonce = [0; 12];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| SignError::Random)?;
    Ok(nonce)
}

/// The key over all data keys. It may be in this process or behind a command.
pub trait Master: Send + Sync {
    /// Encrypts a data key. `key` says which, without the key.
    ///
    /// # Errors
    /// The master key cannot be used.
    fn wrap(&self, key: &WrappedKey, secret: &Secret) -> Result<Vec<u8>, SignError>;

    /// Decrypts a data key.
    ///
    /// # Errors
    /// The master key cannot be used, or is another one, or the wrapped key was changed.
    fn unwrap(&self, key: &WrappedKey) -> Result<Secret, SignError>;
}

/// A master key in the memory of this process, from a file or the environment.
pub struct LocalMaster {
    key: LessSafeKey,
    id: [u8; 4],
}

impl LocalMaster {
    /// Least length of the text that a master key is given as.
    pub const LEAST: usize = 32;

    /// A master key from a text of high entropy, such as `openssl rand -hex 32` prints.
    ///
    /// # Errors
    /// It is shorter than [`LocalMaster::LEAST`].
    pub fn from_text(text: &str) -> Result<Self, SignError> {
        if text.len() < Self::LEAST {
            return Err(SignError::Key("a master key has at least 32 characters, as `openssl rand -hex 32` prints"));
        }
        let parent = hkdf::Salt::new(hkdf::HKDF_SHA256, b"bartizan master key 1").extract(text.as_bytes());
        let mut secret = [0; 32];
        let derived = parent.expand(&[b"wrap"], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut secret));
        derived.map_err(|_| SignError::Key("no key can be derived"))?;
        let secret = Secret::from_bytes(secret);
        let mut id = [0; 4];
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()), b"bartizan master key id");
        for (to, from) in id.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        Ok(Self { key: aead(&secret)?, id })
    }
}

/// What a wrapped key is bound to.
fn key_bound(key: &WrappedKey) -> Vec<u8> {
    bound(&["bartizan key", &key.id, key.tenant.as_str(), key.purpose.as_str(), &key.day])
}

impl Master for LocalMaster {
    fn wrap(&self, key: &WrappedKey, secret: &Secret) -> Result<Vec<u8>, SignError> {
        let nonce = nonce()?;
        let mut body = secret.bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(key_bound(key)), &mut body)
            .map_err(|_| SignError::Sealed("it cannot be wrapped"))?;
        Ok([&[VERSION], self.id.as_slice(), &nonce, &body].concat())
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Secret, SignError> {
        let broken = SignError::Sealed("the wrapped key was changed");
        let (&version, rest) = key.wrapped.split_first().ok_or(SignError::Destroyed)?;
        if version != VERSION {
            return Err(SignError::Sealed("the wrapped key is of a newer form, or of a master key behind a command"));
        }
        let (Some((id, rest)), true) = (rest.split_first_chunk::<4>(), key.destroyed.is_empty()) else {
            return Err(broken);
        };
        if *id != self.id {
            return Err(SignError::Sealed("the key was wrapped with another master key"));
        }
        let Some((nonce, body)) = rest.split_first_chunk::<12>() else { return Err(broken) };
        let mut body = body.to_vec();
        let open = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(key_bound(key)), &mut body)
            .map_err(|_| SignError::Sealed("the wrapped key was changed"))?;
        let bytes = <[u8; 32]>::try_from(&*open).map_err(|_| SignError::Sealed("the wrapped key was changed"))?;
        Ok(Secret::from_bytes(bytes))
    }
}

/// A description of a key that is about to be wrapped.
#[must_use]
pub fn unwrapped(id: &str, tenant: &TenantId, purpose: KeyPurpose, day: &str) -> WrappedKey {
    WrappedKey {
        id: id.to_owned(),
        tenant: tenant.clone(),
        purpose,
        day: day.to_owned(),
        wrapped: Vec::new(),
        destroyed: String::new(),
    }
}

/// A tenant's key for pseudonyms and digests: equal inputs have equal outputs, to nobody else's key.
#[derive(Clone)]
pub struct Pseudonyms(hmac::Key);

impl Pseudonyms {
    /// With a key.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()))
    }

    /// The pseudonym of a name of a kind, hex. The same name of another kind has another one.
    #[must_use]
    pub fn name(&self, kind: &str, name: &str) -> String {
        self.tag(&[kind.as_bytes(), b"\0", name.as_bytes()])
    }

    /// A secret for another purpose, of a name.
    #[must_use]
    pub fn derive(&self, purpose: &str, name: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [b"derive\0", purpose.as_bytes(), b"\0", name.as_bytes()] {
            context.update(part);
        }
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        out
    }

    /// The digest of a body, hex.
    #[must_use]
    pub fn digest(&self, body: &[u8]) -> String {
        self.tag(&[b"body\0", body])
    }

    fn tag(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        hex(context.sign().as_ref())
    }
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::authenticated(name).unwrap()
    }

    fn master(text: &str) -> LocalMaster {
        LocalMaster::from_text(&text.repeat(40)).unwrap()
    }

    proptest! {
        #[test]
        fn only_the_right_key_and_place_open(body in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
            let (a, b) = (tenant("a"), tenant("b"));
            let key = DataKey::new("k1", &Secret::generate().unwrap()).unwrap();
            let place = Place { tenant: &a, event: "e1", direction: Direction::Request };
            let sealed = key.seal(place, body.clone()).unwrap();
            prop_assert_eq!(key.open(place, &sealed).unwrap(), body.clone());
            for wrong in [
                Place { tenant: &b, ..place },
                Place { event: "e2", ..place },
                Place { direction: Direction::Reply, ..place },
            ] {
                prop_assert!(key.open(wrong, &sealed).is_err());
            }
            prop_assert!(DataKey::new("k1", &Secret::generate().unwrap()).unwrap().open(place, &sealed).is_err());
            let mut changed = sealed.clone();
            let at = at.index(changed.ciphertext.len());
            changed.ciphertext[at] ^= 1;
            prop_assert!(key.open(place, &changed).is_err());
            prop_assert_ne!(key.seal(place, body).unwrap().nonce, sealed.nonce);
        }
    }

    #[test]
    fn a_data_key_is_bound_to_its_row_and_master() {
        let secret = Secret::generate().unwrap();
        let key = unwrapped("k1", &tenant("a"), KeyPurpose::Content, "2026-01-02");
        let key = WrappedKey { wrapped: master("m").wrap(&key, &secret).unwrap(), ..key };
        assert_eq!(master("m").unwrap(&key).unwrap().bytes(), secret.bytes());
        assert!(master("n").unwrap(&key).unwrap_err().to_string().contains("another master key"));
        for wrong in [
            WrappedKey { id: "k2".to_owned(), ..key.clone() },
            WrappedKey { tenant: tenant("b"), ..key.clone() },
            WrappedKey { purpose: KeyPurpose::Pseudonym, ..key.clone() },
            WrappedKey { day: "2026-01-03".to_owned(), ..key.clone() },
            WrappedKey { wrapped: key.wrapped[..9].to_vec(), ..key.clone() },
        ] {
            assert!(master("m").unwrap(&wrong).is_err());
        }
        let gone = WrappedKey { wrapped: Vec::new(), destroyed: "2026".to_owned(), ..key };
        assert!(matches!(master("m").unwrap(&gone), Err(SignError::Destroyed)));
        assert!(LocalMaster::from_text("short").is_err());
    }

    #[test]
    fn pseudonyms_are_equal_for_equal_names_of_a_kind_under_one_key() {
        let one = Pseudonyms::new(&Secret::from_bytes([1; 32]));
        let two = Pseudonyms::new(&Secret::from_bytes([2; 32]));
        assert_eq!(one.name("user", "ann"), one.name("user", "ann"));
        for other in [one.name("user", "bob"), one.name("team", "ann"), two.name("user", "ann")] {
            assert_ne!(one.name("user", "ann"), other);
        }
        assert!(!format!("{one:?} {:?}", Secret::from_bytes([1; 32])).contains('1'));
    }
}
