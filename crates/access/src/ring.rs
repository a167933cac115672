//! The keys that callers are authenticated against.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bartizan_core::KeyRecord;

use crate::key::{KeyHasher, id_of};

/// Longest text that is looked at: no key is longer.
const LONGEST: usize = 128;

/// Why a key is not good. For the operator; a caller is told nothing but that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No key has this id, or the secret is another.
    Wrong,
    /// It is past its date, or was taken back.
    Lapsed,
}

/// The keys that are not revoked, by id.
#[derive(Debug)]
pub struct KeyRing {
    hasher: KeyHasher,
    keys: HashMap<String, Arc<KeyRecord>>,
}

/// What a verification costs. It is the same whatever is wrong with a key, so that the time says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Work {
    hashes: u32,
    comparisons: u32,
}

impl KeyRing {
    /// A ring of these keys.
    #[must_use]
    pub fn new(hasher: KeyHasher, keys: Vec<KeyRecord>) -> Self {
        Self { hasher, keys: keys.into_iter().map(|key| (key.id.clone(), Arc::new(key))).collect() }
    }

    /// The hasher of the installation.
    #[must_use]
    pub const fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// True where there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.values().map(|key| &**key)
    }

    /// The record of a key that a caller shows. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn verify(&self, text: &str, now: i64) -> Result<Arc<KeyRecord>, KeyError> {
        self.verify_counted(text, now, &mut Work::default())
    }

    /// One hash, two comparisons and every check, whatever the outcome.
    fn verify_counted(&self, text: &str, now: i64, work: &mut Work) -> Result<Arc<KeyRecord>, KeyError> {
        let text = text.get(..text.len().min(LONGEST)).unwrap_or_default();
        let record = id_of(text).and_then(|id| self.keys.get(id));
        work.hashes += 1;
        let hash = self.hasher.hash(text);
        // Nobody knows a text with this hash.
        let nobody = [0; 32];
        let current = record.map_or(&nobody, |r| &r.hash);
        let (previous, until) = record.and_then(|r| r.previous.as_ref()).map_or((&nobody, i64::MIN), |(h, u)| (h, *u));
        work.comparisons += 2;
        let is_current = verify_slices_are_equal(current, &hash).is_ok();
        let is_previous = verify_slices_are_equal(previous, &hash).is_ok();
        let record = record.filter(|_| is_current | is_previous).ok_or(KeyError::Wrong)?;
        let lapsed = record.revoked.is_some()
            | record.expires.is_some_and(|at| now >= at)
            | (is_previous && !is_current && now >= until);
        if lapsed { Err(KeyError::Lapsed) } else { Ok(Arc::clone(record)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewKey;
    use bartizan_core::{Grant, TenantId};

    fn ring() -> (KeyRing, NewKey, NewKey) {
        let hasher = KeyHasher::new(&[1; 32]);
        let old = NewKey::generate().unwrap();
        let new = NewKey::for_id(&old.id).unwrap();
        let record = KeyRecord {
            id: old.id.clone(),
            name: "ci".into(),
            tenant: TenantId::sole(),
            hash: hasher.hash(new.text()),
            previous: Some((hasher.hash(old.text()), 1000)),
            grant: Arc::new(Grant::default()),
            created: 0,
            expires: Some(2000),
            revoked: None,
        };
        (KeyRing::new(hasher, vec![record]), old, new)
    }

    #[test]
    fn a_rotated_key_works_for_its_grace_and_the_new_one_until_it_expires() {
        let (ring, old, new) = ring();
        assert!(ring.verify(old.text(), 999).is_ok());
        assert_eq!(ring.verify(old.text(), 1000), Err(KeyError::Lapsed));
        assert!(ring.verify(new.text(), 1999).is_ok());
        assert_eq!(ring.verify(new.text(), 2000), Err(KeyError::Lapsed));
    }

    #[test]
    fn whatever_is_wrong_the_work_is_the_same() {
        let (ring, old, new) = ring();
        let unknown = NewKey::generate().unwrap();
        let wrong = NewKey::for_id(&new.id).unwrap();
        let long = "x".repeat(100_000);
        let wide = "é".repeat(100_000);
        let cases = [
            (new.text(), 0, true),
            (old.text(), 0, true),
            (old.text(), 1500, false),
            (new.text(), 3000, false),
            (unknown.text(), 0, false),
            (wrong.text(), 0, false),
            ("", 0, false),
            ("not a key", 0, false),
            (long.as_str(), 0, false),
            (wide.as_str(), 0, false),
        ];
        for (text, now, good) in cases {
            let mut work = Work::default();
            assert_eq!(ring.verify_counted(text, now, &mut work).is_ok(), good);
            assert_eq!(work, Work { hashes: 1, comparisons: 2 });
        }
    }

    #[test]
    fn no_prefix_of_a_key_is_one() {
        let (ring, _, new) = ring();
        for end in 0..new.text().len() {
            assert!(ring.verify(&new.text()[..end], 0).is_err());
        }
        assert!(ring.verify(&format!("{} ", new.text()), 0).is_err());
    }
}
