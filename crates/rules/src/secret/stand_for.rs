//! Values that have the form of a secret and that everybody has or may have.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::judge::is_reference;
use super::quality;

/// Beginnings of values that specifications and manuals print: RFC 5849 and OAuth Core 1.0, RFC 6749, 6750, 7009, 7617,
/// OpenID Connect Core, the keys of local emulators of storage and databases, the token on the front page of jwt.io.
const PRINTED: [&[u8]; 29] = [
    b"QWxhZGRpbjpvcGVu",
    b"Eby8vdM02xNOcqFl",
    b"C2y6yDjf5/R+ob0N",
    b"eyJzdWIiOiIxMjM0NTY3ODkwIi",
    b"wJalrXUtnFEMI",
    b"2YotnFZFEjr1zC",
    b"tGzv3JOkF0XG5Qx",
    b"SplxlOBeZQQYbY",
    b"czZCaGRSa3F0Mzp",
    b"7Fjfp0ZBr1KtDRb",
    b"gX1fBat3bV",
    b"mF_9.B5f-4.1JqM",
    b"45ghiukldjahdnhz",
    b"kd94hf93k423kf44",
    b"hh5s93j4hdidpola",
    b"hdhd0244k9j7ao03",
    b"dh893hdasih9",
    b"nnch734d00sl2jdk",
    b"pfkkdhi9sl3r4s00",
    b"9djdj82h48djs9d2",
    b"kkk9d7dh3k39sjv7",
    b"j49sk3j29djd",
    b"h480djs93hd8",
    b"0685bd9184jfhq22",
    b"ad180jjd733klru7",
    b"SlAV32hkKG",
    b"8xLOxBtZp8",
    b"ZT4WgAk3",
    b"dBjftJeZ4CVP",
];

/// Beginnings of what is public by its kind: SSH public keys, and certificates and public keys that were encoded again.
const PUBLIC: [&[u8]; 5] =
    [b"AAAAB3NzaC1", b"AAAAC3NzaC1", b"AAAAE2VjZHNh", b"LS0tLS1CRUdJTiBDRVJU", b"LS0tLS1CRUdJTiBQVUJMSUM"];

/// True for a value that specifications or manuals print, and for one that is public by its kind.
#[must_use]
pub(super) fn is_published(value: &[u8]) -> bool {
    PRINTED.iter().chain(&PUBLIC).any(|known| value.starts_with(known))
}

/// Longest value that is decoded: user and password.
const PAIR: usize = 256;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// True for base64 of a user and a password that everybody knows or that stands for one, as in the header of RFC 7617,
/// and for base64 of a sentence.
pub(super) fn is_known_pair(value: &[u8]) -> bool {
    if value.len() < 8 || value.len() > PAIR {
        return false;
    }
    let Ok(text) = BASE64.decode(value) else { return false };
    if text.is_empty() || !text.iter().all(|b| (b' '..=b'~').contains(b)) {
        return false;
    }
    let password = match text.iter().position(|b| *b == b':') {
        Some(at)
            if text.get(..at).is_some_and(|user| user.eq_ignore_ascii_case(text.get(at + 1..).unwrap_or_default())) =>
        {
            return true;
        }
        Some(at) => text.get(at + 1..).unwrap_or_default(),
        None => text.as_slice(),
    };
    let blanks = password.iter().filter(|b| **b == b' ').count();
    let sentence = blanks >= 2 && password.iter().all(|b| b.is_ascii_alphabetic() || *b == b' ');
    let stands =
        || quality::is_common_password(password) || quality::is_placeholder(password) || is_reference(password);
    sentence || (password.len() < text.len() && stands())
}

/// True for the password of an address that everybody knows, also where its signs are written as `%40`.
pub(super) fn is_known_password(value: &[u8]) -> bool {
    // `cvs://:pserver:anoncvs@…`
    let last = value.rsplit(|b| *b == b':').next().unwrap_or_default();
    quality::is_common_password(last) || (value.contains(&b'%') && quality::is_common_password(&unescaped(value)))
}

/// The value without its percent escapes (RFC 3986, section 2.1).
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, tail)) = rest.split_first() {
        let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if let (Some(high), Some(low)) = (hex(high), hex(low)) => {
                out.push(high << 4 | low);
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_everybody_knows_are_told() {
        let encode = |text: &str| BASE64.encode(text);
        for text in ["user:password", "admin:admin", "username:", "reader:${PASS}", "isaacs:not my real password"] {
            assert!(is_known_pair(encode(text).as_bytes()), "{text}");
        }
        for text in ["reader:pl3nty0Fish", "pl3nty0Fish", "johndoe:d0694b1b-c171"] {
            assert!(!is_known_pair(encode(text).as_bytes()), "{text}");
        }
        assert!(!is_known_pair(b"q8Zt3LmX0vRb7Nw24TcYp1Ks"));
    }

    #[test]
    fn known_passwords_are_read_through_escapes() {
        for text in ["pass%20pass", "p%40ssw0rd", "pserver:anoncvs", "postgres"] {
            assert!(is_known_password(text.as_bytes()), "{text}");
        }
        for text in ["pl3nty0Fish", "pl3nty%200Fish", "pl3nty0%", "pl3nty0%4"] {
            assert!(!is_known_password(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn public_keys_are_published() {
        assert!(is_published(b"AAAAB3NzaC1yc2EAAAADAQABAAABgQC7"));
        assert!(is_published(b"2YotnFZFEjr1zCsicMWpAA"));
        assert!(!is_published(b"q8Zt3LmX0vRb7Nw24TcYp1Ks"));
    }
}
