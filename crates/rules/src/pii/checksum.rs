//! Checksums of identifiers.

/// Luhn over the digits among `bytes` (ISO/IEC 7812-1 annex B). False without digits.
#[must_use]
pub(crate) fn luhn(bytes: &[u8]) -> bool {
    let mut sum = 0;
    let mut count = 0_usize;
    for digit in bytes.iter().rev().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0')) {
        sum += match (count % 2, digit) {
            (0, d) => d,
            (_, d) if d > 4 => 2 * d - 9,
            (_, d) => 2 * d,
        };
        count += 1;
    }
    count > 1 && sum % 10 == 0
}

/// ISO 7064 mod 97-10 as an IBAN uses it (ISO 13616): the first four characters move to the end, letters count as
/// two digits, and the rest must be 1. Characters that are neither letters nor digits are passed over.
#[must_use]
pub(crate) fn mod97(bytes: &[u8]) -> bool {
    let characters = || bytes.iter().filter(|b| b.is_ascii_alphanumeric());
    let rest = characters().skip(4).chain(characters().take(4)).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert!(luhn(b"79927398713"));
        assert!(!luhn(b"79927398710"));
        assert!(!luhn(b""));
        assert!(mod97(b"GB82 WEST 1234 5698 7654 32"));
        assert!(!mod97(b"GB82 WEST 1234 5698 7654 33"));
    }

    #[test]
    fn every_single_error_is_seen() {
        let number = b"4539578763621486";
        assert!(luhn(number));
        for at in 0..number.len() {
            for digit in (b'0'..=b'9').filter(|d| *d != number[at]) {
                let mut wrong = *number;
                wrong[at] = digit;
                assert!(!luhn(&wrong));
            }
        }
    }
}
