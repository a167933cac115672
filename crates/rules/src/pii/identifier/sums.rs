//! Check digits of identifiers, over their compact form: upper case, no separators.
//!
//! Sources are the issuing authorities' publications and the ISO standards named at each function; the shapes and who
//! uses what are in [`table`](super::table).

use crate::pii::checksum::luhn;

/// The digit at `at`; a letter counts as nothing.
pub(super) fn digit(id: &[u8], at: usize) -> u32 {
    id.get(at).filter(|b| b.is_ascii_digit()).map_or(0, |b| u32::from(b - b'0'))
}

/// The byte at `at`.
pub(super) fn byte(id: &[u8], at: usize) -> u8 {
    id.get(at).copied().unwrap_or_default()
}

/// Part of it.
pub(super) fn part(id: &[u8], from: usize, to: usize) -> &[u8] {
    id.get(from..to).unwrap_or_default()
}

/// The number that the digits from `from` to `to` write.
pub(super) fn number(id: &[u8], from: usize, to: usize) -> u64 {
    part(id, from, to).iter().filter(|b| b.is_ascii_digit()).fold(0, |n, b| n.wrapping_mul(10) + u64::from(b - b'0'))
}

/// Value in base 36: digits as they are, letters from 10.
pub(super) fn value36(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

/// Weighted sum of digits; letters count in base 36.
pub(super) fn weigh(id: &[u8], weights: &[u32]) -> u32 {
    id.iter().zip(weights).map(|(b, w)| value36(*b) * w).sum()
}

/// Weighted sum in which products of two digits count as the sum of these.
pub(super) fn cross(id: &[u8], weights: &[u32]) -> u32 {
    id.iter().zip(weights).map(|(b, w)| value36(*b) * w).map(|p| p / 10 + p % 10).sum()
}

/// True where all characters are the same: nobody's number.
pub(super) fn uniform(id: &[u8]) -> bool {
    id.windows(2).all(|w| w.first() == w.last())
}

/// Luhn, and not all the same digit.
pub(super) fn luhn_real(id: &[u8]) -> bool {
    !uniform(id) && luhn(id)
}

/// ISO 7064 mod 11,10: a pure decimal system.
pub(super) fn mod11_10(id: &[u8]) -> bool {
    let Some((last, body)) = id.split_last() else { return false };
    let rest = body.iter().fold(10, |rest, b| {
        let sum = (rest + value36(*b)) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - rest) % 10 == value36(*last)
}

/// ISO 7064 mod 11-2, `X` standing for ten.
pub(super) fn mod11_2(id: &[u8]) -> bool {
    let Some((last, body)) = id.split_last() else { return false };
    let rest = body.iter().fold(0, |rest, b| (rest + value36(*b)) * 2 % 11);
    let check = (12 - rest) % 11;
    if *last == b'X' { check == 10 } else { check == value36(*last) && last.is_ascii_digit() }
}

/// ISO 7064 mod 97-10 over the whole, letters as two digits: the rest is 1 (LEI, ISO 17442).
pub(super) fn mod97_whole(id: &[u8]) -> bool {
    rest97(id) == 1
}

/// The rest by 97, letters as two digits.
pub(super) fn rest97(id: &[u8]) -> u32 {
    id.iter().map(|b| value36(*b)).fold(0, |rest, v| (if v > 9 { rest * 100 + v } else { rest * 10 + v }) % 97)
}

/// Verhoeff's dihedral check (J. Verhoeff, Error Detecting Decimal Codes, 1969). The tables follow from the group D5.
pub(super) fn verhoeff(id: &[u8]) -> bool {
    fn product(a: u32, b: u32) -> u32 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => (a + b - 5) % 5 + 5,
            (false, true) => (a + 5 - b) % 5 + 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    const TURN: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let turned =
        |digit: u32, times: usize| (0..times % 8).fold(digit, |d, _| TURN.get(d as usize).copied().unwrap_or_default());
    !uniform(id) && id.iter().rev().enumerate().fold(0, |sum, (at, b)| product(sum, turned(value36(*b), at))) == 0
}

/// The weights 7, 3, 1 of ICAO Doc 9303, `<` counting as nothing.
pub(in crate::pii) fn icao(field: &[u8], check: u8) -> bool {
    let sum: u32 = field.iter().zip([7, 3, 1].iter().cycle()).map(|(b, w)| value36(*b) * w).sum();
    let check = if check == b'<' { b'0' } else { check };
    check.is_ascii_digit() && sum % 10 == value36(check)
}

/// True where `day`, `month` may be a date in some year.
pub(super) const fn is_day(day: u64, month: u64) -> bool {
    let most = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 29,
        _ => 31,
    };
    month >= 1 && month <= 12 && day >= 1 && day <= most
}

/// `YYMMDD` from `at` on.
pub(super) fn ymd(id: &[u8], at: usize) -> bool {
    is_day(number(id, at + 4, at + 6), number(id, at + 2, at + 4))
}

/// `DDMMYY` from `at` on.
pub(super) fn dmy(id: &[u8], at: usize) -> bool {
    is_day(number(id, at, at + 2), number(id, at + 2, at + 4))
}

/// The last digit is what is missing to the next ten of the weighted sum before it.
pub(super) fn ten(id: &[u8], weights: &[u32]) -> bool {
    id.split_last().is_some_and(|(last, body)| (10 - weigh(body, weights) % 10) % 10 == value36(*last)) && !uniform(id)
}

/// The last digit is the weighted sum before it by 11, ten counting as `ten`; `None` where ten is not given out.
pub(super) fn eleven(id: &[u8], weights: &[u32], ten: Option<u32>) -> bool {
    id.split_last().is_some_and(|(last, body)| {
        let rest = weigh(body, weights) % 11;
        (if rest == 10 { ten } else { Some(rest) }) == Some(value36(*last))
    }) && !uniform(id)
}

/// The last digit completes the weighted sum before it to a multiple of 11: 11 counts as nothing, ten as `ten`.
pub(super) fn to_eleven(id: &[u8], weights: &[u32], ten: Option<u32>) -> bool {
    id.split_last().is_some_and(|(last, body)| {
        let check = (11 - weigh(body, weights) % 11) % 11;
        (if check == 10 { ten } else { Some(check) }) == Some(value36(*last))
    }) && !uniform(id)
}

/// The character of `alphabet` that the number by its length names.
pub(super) fn letter_of(number: u64, alphabet: &[u8]) -> u8 {
    usize::try_from(number).ok().and_then(|n| alphabet.get(n % alphabet.len().max(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_examples() {
        assert!(mod11_10(b"07945") && !mod11_10(b"07946"));
        assert!(mod11_2(b"079X") && !mod11_2(b"0790"));
        assert!(verhoeff(b"2363") && !verhoeff(b"2364"));
    }
}
