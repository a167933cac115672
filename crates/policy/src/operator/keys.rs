//! Keys of a tenant for operators.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("a tenant's key cannot be used")]
pub struct KeyError;

/// Keys of a tenant for operators, derived from one secret. Equal inputs have equal outputs under them, so that a
/// conversation that is sent again is the same again.
pub struct Keys {
    /// For digests, one for each purpose.
    digest: hmac::Key,
    /// For nonces out of what is sealed.
    nonce: hmac::Key,
    seal: LessSafeKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Out of 32 secret bytes.
    ///
    /// # Errors
    /// Never for 32 bytes; the library's word for it.
    pub fn new(secret: &[u8; 32]) -> Result<Self, KeyError> {
        let parent = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |purpose: &str| hmac::sign(&parent, format!("bartizan operator {purpose}").as_bytes());
        let seal = UnboundKey::new(&AES_256_GCM, derive("seal").as_ref()).map_err(|_| KeyError)?;
        Ok(Self {
            digest: hmac::Key::new(hmac::HMAC_SHA256, derive("digest").as_ref()),
            nonce: hmac::Key::new(hmac::HMAC_SHA256, derive("nonce").as_ref()),
            seal: LessSafeKey::new(seal),
        })
    }

    /// A keyed digest of parts for a purpose. Lengths go before parts, so that no two lists run together.
    #[must_use]
    pub fn digest(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        tag(&self.digest, std::iter::once(purpose).chain(parts.iter().copied()).map(str::as_bytes))
    }

    /// Days that dates of a conversation are moved by: 1 to 365, either way.
    pub(crate) fn days(&self, conversation: &str) -> i32 {
        let [a, b, sign, ..] = self.digest("days", &[conversation]);
        let days = i32::from(u16::from_be_bytes([a, b]) % 365) + 1;
        if sign & 1 == 0 { days } else { -days }
    }

    /// Seals a value in its place. The nonce comes from what is sealed, so that the same value in the same place is the
    /// same again; nothing but that equality shows (the construction of RFC 5297 with AES-GCM inside).
    #[must_use]
    pub fn seal(&self, place: &[&str], value: &[u8]) -> Option<Vec<u8>> {
        let place = bound(place.iter().map(|part| part.as_bytes()));
        let tag = tag(&self.nonce, [place.as_slice(), value].into_iter());
        let nonce = *tag.first_chunk::<NONCE_LEN>()?;
        let mut body = value.to_vec();
        let sealed = self.seal.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place.as_slice()),
            &mut body,
        );
        sealed.ok()?;
        Some([nonce.as_slice(), &body].concat())
    }

    /// Opens what was sealed in a place; `None` where it was changed, or belongs to another key or place.
    #[must_use]
    pub fn open(&self, place: &[&str], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let place = bound(place.iter().map(|part| part.as_bytes()));
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.seal.open_in_place(nonce, Aad::from(place.as_slice()), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

fn bound<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend((part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn tag<'a>(key: &hmac::Key, parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut out = [0; 32];
    let tag = hmac::sign(key, &bound(parts));
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_under_its_key_only() {
        let (one, two) = (Keys::new(&[1; 32]).unwrap(), Keys::new(&[2; 32]).unwrap());
        let sealed = one.seal(&["a", "b"], b"value").unwrap();
        assert_eq!(one.seal(&["a", "b"], b"value").unwrap(), sealed);
        assert_ne!(one.seal(&["a", "b"], b"other").unwrap()[..12], sealed[..12]);
        assert_eq!(one.open(&["a", "b"], &sealed).unwrap(), b"value");
        assert!(one.open(&["ab", ""], &sealed).is_none() && two.open(&["a", "b"], &sealed).is_none());
        assert!(one.open(&["a", "b"], &sealed[..9]).is_none());
        assert_ne!(one.digest("x", &["a", "b"]), one.digest("x", &["ab"]));
        assert!((1..=365).contains(&one.days("c").abs()));
        assert_eq!(format!("{one:?}"), "Keys");
    }
}
