//! Single values: kept in part, digested, encrypted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keys::Keys;

/// Stars for all but the last `keep` letters and digits; what stands between stays. Of a value that would show more than
/// half, nothing is shown.
pub(super) fn keep_last(value: &str, keep: usize) -> String {
    let count = value.chars().filter(|c| c.is_alphanumeric()).count();
    let hidden = if keep.saturating_mul(2) > count { count } else { count - keep };
    let mut seen = 0;
    let cover = |c: char| {
        if !c.is_alphanumeric() {
            return c;
        }
        seen += 1;
        if seen <= hidden { '*' } else { c }
    };
    value.chars().map(cover).collect()
}

/// `[KIND:digest]` with 48 bits of a keyed digest.
pub(super) fn hash(keys: &Keys, kind: &str, value: &str) -> String {
    let digest = keys.digest("hash", &[kind, value]);
    let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("[{kind}:{hex}]")
}

/// What stands between the type and the sealed value.
const SEALED: &str = ":enc:";

/// `[KIND:enc:token]`.
pub(super) fn encrypt(keys: &Keys, kind: &str, value: &str) -> Option<String> {
    let sealed = keys.seal(&["encrypt", kind], value.as_bytes())?;
    Some(format!("[{kind}{SEALED}{}]", URL_SAFE_NO_PAD.encode(sealed)))
}

/// The value of what [`encrypt`] has made.
pub(super) fn decrypt(keys: &Keys, token: &str) -> Option<String> {
    let inner = token.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (kind, sealed) = inner.split_once(SEALED)?;
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    String::from_utf8(keys.open(&["encrypt", kind], &sealed)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_value_stays() {
        assert_eq!(keep_last("4111 1111 1111 1234", 4), "**** **** **** 1234");
        assert_eq!(keep_last("ab-12", 4), "**-**");
        assert_eq!(keep_last("Müller 12345678", 2), "****** ******78");
        assert_eq!(keep_last("abc", 0), "***");
    }

    #[test]
    fn digests_and_tokens_depend_on_key_and_type() {
        let (one, two) = (Keys::new(&[1; 32]).unwrap(), Keys::new(&[2; 32]).unwrap());
        let hashed = hash(&one, "PERSON", "Ann");
        assert_eq!(hashed, hash(&one, "PERSON", "Ann"));
        assert_eq!(hashed.len(), "[PERSON:0123456789ab]".len());
        for other in [hash(&one, "TITLE", "Ann"), hash(&one, "PERSON", "Bob"), hash(&two, "PERSON", "Ann")] {
            assert_ne!(hashed, other);
        }
        let token = encrypt(&one, "PERSON", "Ann \"é\"").unwrap();
        assert_eq!(decrypt(&one, &format!(" {token}\n")).unwrap(), "Ann \"é\"");
        assert!(decrypt(&two, &token).is_none());
        assert!(decrypt(&one, &token.replace("PERSON", "TITLE")).is_none());
        assert!(decrypt(&one, "[PERSON:enc:]").is_none() && decrypt(&one, "x").is_none());
    }
}
