//! Checksums that tokens carry.

use serde::Deserialize;

/// How a token proves that it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Checksum {
    /// It does not.
    #[default]
    None,
    /// The last six characters are the CRC-32 of the characters before, in base 62, as in GitHub's and npm's tokens.
    /// Source: GitHub engineering blog, "Behind GitHub's new authentication token formats", 2021.
    Crc32Base62,
    /// Luhn over the digits (ISO/IEC 7812-1 annex B).
    Luhn,
    /// ISO 7064 mod 97-10 as in an IBAN: four characters moved to the end, letters as two digits, rest 1.
    Mod97,
}

impl Checksum {
    /// True where `runs`, the characters of the token without its literal parts, carry the right checksum.
    pub(super) fn holds(self, runs: &[u8]) -> bool {
        match self {
            Self::None => true,
            Self::Crc32Base62 => runs
                .len()
                .checked_sub(6)
                .and_then(|n| runs.split_at_checked(n))
                .is_some_and(|(body, sum)| base62(crc32(body)) == sum),
            Self::Luhn => crate::pii::checksum::luhn(runs),
            Self::Mod97 => crate::pii::checksum::mod97(runs),
        }
    }
}

/// CRC-32 (IEEE 802.3), bit by bit: tokens are short.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Six characters, `0-9A-Za-z`, most significant first.
pub(super) fn base62(mut value: u32) -> [u8; 6] {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = [b'0'; 6];
    for place in out.iter_mut().rev() {
        *place = ALPHABET.get((value % 62) as usize).copied().unwrap_or(b'0');
        value /= 62;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_of_the_check_string() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        // The worked example of GitHub's article: these thirty characters end in `0mLq17`.
        assert_eq!(&base62(crc32(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ")), b"0mLq17");
    }
}
