//! Passwords, hashed with Argon2id (RFC 9106) at the least cost that OWASP's cheat sheet of password storage names:
//! 19 MiB, two passes, one lane.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params};

use crate::error::AccessError;

/// Dearest hash that is computed: KiB of memory, and passes. A dearer one would take the gateway's memory.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 64;

/// Longest password, in bytes.
const LONGEST: usize = 1024;

/// The hash of a password, with a salt of its own, in the form of the Password Hashing Competition (PHC).
///
/// # Errors
/// [`AccessError::Password`]: it is too long, or the system gives no random bytes.
pub fn hash_password(password: &str) -> Result<String, AccessError> {
    if password.len() > LONGEST {
        return Err(AccessError::Password);
    }
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| AccessError::Password)?;
    Ok(hash.to_string())
}

/// True for a hash that passwords can be compared with, at a cost that can be borne.
#[must_use]
pub fn is_password_hash(hash: &str) -> bool {
    read(hash).is_some()
}

/// True where this is the password. Takes memory and processor time: not for async workers.
#[must_use]
pub fn verify_password(password: &str, hash: &str) -> bool {
    let Some(hash) = read(hash) else { return false };
    password.len() <= LONGEST && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

fn read(hash: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bearable = params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_PASSES && params.p_cost() <= 16;
    let whole = hash.salt.is_some() && hash.hash.is_some();
    (hash.algorithm == Algorithm::Argon2id.ident() && bearable && whole).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits_and_each_hash_is_another() {
        let hash = hash_password("a long sentence of mine").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify_password("a long sentence of mine", &hash));
        for wrong in ["a long sentence of min", "A long sentence of mine", "", " a long sentence of mine"] {
            assert!(!verify_password(wrong, &hash), "{wrong}");
        }
        assert_ne!(hash, hash_password("a long sentence of mine").unwrap());
        assert!(hash_password(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn what_is_no_hash_of_ours_fits_nothing() {
        let good = hash_password("x").unwrap();
        for bad in [
            String::new(),
            "x".to_owned(),
            good.replace("argon2id", "argon2i"),
            good.replace("m=19456", "m=4194304"),
            good.replace("t=2", "t=100"),
            good.rsplit_once('$').unwrap().0.to_owned(),
        ] {
            assert!(!is_password_hash(&bad) && !verify_password("x", &bad), "{bad}");
        }
    }
}
