//! Identifiers: what they look like, how they check, what they are called.
//!
//! A row is data. `shape` is the printed form: `9` a digit, `A` a letter, `X` either, and `-`, `.`, `/`, blank places
//! where a separator may stand (all of them or none; a blank, hyphen, full stop or slash each time). Shapes, check
//! digits and country facts are from the issuing authorities' own publications; the entity names are Presidio's where
//! it has one.

use super::sums::{
    byte, cross, digit, dmy, eleven, icao, is_day, letter_of, luhn_real, mod11_2, mod11_10, mod97_whole, number, part,
    rest97, ten, to_eleven, uniform, value36, verhoeff, weigh, ymd,
};
use Kind::{Bank, Device, Driving, Health, National, Passport, Tax, Vehicle};
use Trust::{Fair, Grouped, Named, Printed, Sure};

/// Which rule reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    National,
    Tax,
    Health,
    Passport,
    Driving,
    Vehicle,
    Device,
    Bank,
}

/// What a match is worth where no word announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// High confidence: hardly anything else looks so and checks.
    Sure,
    /// Medium confidence.
    Fair,
    /// Medium confidence where it is written with its separators, else nothing.
    Printed,
    /// Low confidence where it is written with its separators, which telephone and order numbers have too, else nothing.
    Grouped,
    /// Nothing.
    Named,
}

/// One identifier.
pub(super) struct Id {
    pub(super) kind: Kind,
    /// Entity type.
    pub(super) name: &'static str,
    /// Printed forms.
    pub(super) shapes: &'static [&'static str],
    pub(super) trust: Trust,
    /// True where the compact form checks.
    pub(super) check: fn(&[u8]) -> bool,
    /// Words that announce it, in lower case.
    pub(super) words: &'static [&'static str],
}

const fn id(
    kind: Kind,
    name: &'static str,
    shapes: &'static [&'static str],
    trust: Trust,
    check: fn(&[u8]) -> bool,
    words: &'static [&'static str],
) -> Id {
    Id { kind, name, shapes, trust, check, words }
}

fn any(id: &[u8]) -> bool {
    !uniform(id)
}

fn nie(id: &[u8]) -> bool {
    const LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let (lead, from) = match byte(id, 0) {
        b'X' => (0, 1),
        b'Y' => (10_000_000, 1),
        b'Z' => (20_000_000, 1),
        b'0'..=b'9' => (0, 0),
        _ => return false,
    };
    letter_of(lead + number(id, from, 8), LETTERS) == byte(id, 8)
}

fn cif(id: &[u8]) -> bool {
    let sum = cross(part(id, 1, 8), &[2, 1, 2, 1, 2, 1, 2]);
    let check = (10 - sum % 10) % 10;
    b"ABCDEFGHJNPQRSUVW".contains(&byte(id, 0))
        && (byte(id, 8) == letter_of(u64::from(check), b"JABCDEFGHI")
            || byte(id, 8).is_ascii_digit() && digit(id, 8) == check)
}

fn fiscal_code(id: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let index = |b: u8| if b.is_ascii_digit() { u32::from(b - b'0') } else { value36(b).saturating_sub(10) };
    let Some((last, body)) = id.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(at, b)| {
            let value = index(*b);
            if at % 2 == 0 { ODD.get(value as usize).copied().unwrap_or_default() } else { value }
        })
        .sum();
    b"ABCDEHLMPRST".contains(&byte(id, 8)) && u32::from(last.saturating_sub(b'A')) == sum % 26
}

fn pesel(id: &[u8]) -> bool {
    let month = number(id, 2, 4) % 20;
    ten(id, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) && is_day(number(id, 4, 6), month)
}

fn nordic(id: &[u8]) -> bool {
    let plausible = is_day(number(id, 0, 2) % 40, number(id, 2, 4) % 40);
    plausible
        && to_eleven(part(id, 0, 10), &[3, 7, 6, 1, 8, 9, 4, 5, 2], None)
        && to_eleven(id, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], None)
}

fn personnummer(id: &[u8]) -> bool {
    let short = part(id, id.len().saturating_sub(10), id.len());
    // Coordination numbers add sixty to the day.
    is_day(number(short, 4, 6) % 60, number(short, 2, 4)) && luhn_real(short)
}

fn hetu(id: &[u8]) -> bool {
    const CHECKS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let serial = number(id, id.len() - 4, id.len() - 1);
    dmy(id, 0) && serial >= 2 && letter_of(number(id, 0, 6) * 1000 + serial, CHECKS) == byte(id, id.len() - 1)
}

fn czech(id: &[u8]) -> bool {
    let month = number(id, 2, 4) % 50 % 20;
    let whole = number(id, 0, 10);
    is_day(number(id, 4, 6), month) && (whole.is_multiple_of(11) || number(id, 0, 9) % 11 == 10 && digit(id, 9) == 0)
}

fn baltic(id: &[u8]) -> bool {
    let body = part(id, 0, 10);
    let first = weigh(body, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let check = if first == 10 { weigh(body, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10 } else { first };
    (1..=8).contains(&digit(id, 0)) && ymd(id, 1) && digit(id, 10) == check
}

fn jmbg(id: &[u8]) -> bool {
    let check = (11 - weigh(part(id, 0, 12), &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    dmy(id, 0) && matches!(byte(id, 4), b'0' | b'9') && check == digit(id, 12)
}

fn cnp(id: &[u8]) -> bool {
    let rest = weigh(part(id, 0, 12), &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    (1..=9).contains(&digit(id, 0)) && ymd(id, 1) && digit(id, 12) == if rest == 10 { 1 } else { rest }
}

fn egn(id: &[u8]) -> bool {
    let month = number(id, 2, 4) % 20;
    let rest = weigh(part(id, 0, 9), &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    is_day(number(id, 4, 6), month) && digit(id, 9) == rest
}

fn tckn(id: &[u8]) -> bool {
    let odd: u32 = [0, 2, 4, 6, 8].iter().map(|i| digit(id, *i)).sum();
    let even: u32 = [1, 3, 5, 7].iter().map(|i| digit(id, *i)).sum();
    let all: u32 = (0..10).map(|i| digit(id, i)).sum();
    digit(id, 0) > 0 && (odd * 7 + 100 - even) % 10 == digit(id, 9) && all % 10 == digit(id, 10)
}

fn cpf(id: &[u8]) -> bool {
    let zero = |n: u32| if n < 2 { 0 } else { 11 - n };
    !uniform(id)
        && zero(weigh(part(id, 0, 9), &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) == digit(id, 9)
        && zero(weigh(part(id, 0, 10), &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) == digit(id, 10)
}

fn cnpj(id: &[u8]) -> bool {
    let zero = |n: u32| if n < 2 { 0 } else { 11 - n };
    !uniform(id)
        && zero(weigh(part(id, 0, 12), &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) == digit(id, 12)
        && zero(weigh(part(id, 0, 13), &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) == digit(id, 13)
}

fn rut(id: &[u8]) -> bool {
    let Some((last, body)) = id.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip([2, 3, 4, 5, 6, 7].iter().cycle()).map(|(b, w)| value36(*b) * w).sum();
    let check = (11 - sum % 11) % 11;
    !uniform(body) && if *last == b'K' { check == 10 } else { last.is_ascii_digit() && check == value36(*last) }
}

fn nit(id: &[u8]) -> bool {
    let Some((last, body)) = id.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip([3, 7, 13, 17, 19, 23, 29, 37, 41, 43]).map(|(b, w)| value36(*b) * w).sum();
    let rest = sum % 11;
    !uniform(id) && value36(*last) == if rest > 1 { 11 - rest } else { rest }
}

fn curp(id: &[u8]) -> bool {
    // The alphabet has Ñ between N and O.
    let value = |b: u8| if b >= b'O' { value36(b) + 1 } else { value36(b) };
    let sum: u32 = part(id, 0, 17).iter().zip((2..=18).rev()).map(|(b, w)| value(*b) * w).sum();
    ymd(id, 4) && matches!(byte(id, 10), b'H' | b'M' | b'X') && (10 - sum % 10) % 10 == digit(id, 17)
}

fn rfc(id: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ";
    let value = |b: u8| ALPHABET.iter().position(|a| *a == b).map_or(0, |p| u32::try_from(p).unwrap_or_default());
    let names = id.len().saturating_sub(9);
    // The names of companies have three letters; a blank, worth 37, stands before.
    let lead = if names == 3 { 37 * 13 } else { 0 };
    let body = part(id, 0, id.len() - 1);
    let from = 14 - u32::try_from(id.len()).unwrap_or(14);
    let sum: u32 = lead + body.iter().zip((2..=13 - (from - 1)).rev()).map(|(b, w)| value(*b) * w).sum::<u32>();
    let check = (11 - sum % 11) % 11;
    ymd(id, names) && if check == 10 { byte(id, id.len() - 1) == b'A' } else { digit(id, id.len() - 1) == check }
}

fn china(id: &[u8]) -> bool {
    (11..=82).contains(&number(id, 0, 2))
        && (18..=20).contains(&number(id, 6, 8))
        && is_day(number(id, 12, 14), number(id, 10, 12))
        && mod11_2(id)
}

fn uscc(id: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let value = |b: u8| ALPHABET.iter().position(|a| *a == b).and_then(|p| u64::try_from(p).ok());
    let mut sum = 0;
    let mut weight = 1_u64;
    for b in part(id, 0, 17) {
        let Some(v) = value(*b) else { return false };
        sum += v * weight;
        weight = weight * 3 % 31;
    }
    b"159Y".contains(&byte(id, 0)) && !uniform(part(id, 2, 17)) && letter_of(31 - sum % 31, ALPHABET) == byte(id, 17)
}

fn taiwan(id: &[u8]) -> bool {
    const ORDER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some(at) = ORDER.iter().position(|l| *l == byte(id, 0)) else { return false };
    let code = u32::try_from(at).unwrap_or_default() + 10;
    let sum = code / 10 + code % 10 * 9 + weigh(part(id, 1, 9), &[8, 7, 6, 5, 4, 3, 2, 1]) + digit(id, 9);
    matches!(byte(id, 1), b'1' | b'2' | b'8' | b'9') && sum.is_multiple_of(10)
}

fn hong_kong(id: &[u8]) -> bool {
    let letters = id.len().saturating_sub(7);
    let lead = if letters == 1 { 36 * 9 } else { value36(byte(id, 0)) * 9 };
    let first = value36(byte(id, letters - 1)) * 8;
    let sum = lead + first + weigh(part(id, letters, letters + 6), &[7, 6, 5, 4, 3, 2]);
    let check = (11 - sum % 11) % 11;
    let last = byte(id, id.len() - 1);
    if check == 10 { last == b'A' } else { last.is_ascii_digit() && value36(last) == check }
}

fn my_number(id: &[u8]) -> bool {
    let rest = weigh(part(id, 0, 11), &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    !uniform(id) && digit(id, 11) == if rest <= 1 { 0 } else { 11 - rest }
}

fn korea(id: &[u8]) -> bool {
    // Numbers given out since October 2020 have no check digit, so the date and the century digit decide.
    ymd(id, 0) && (1..=8).contains(&digit(id, 6))
}

fn korean_company(id: &[u8]) -> bool {
    let sum = weigh(part(id, 0, 9), &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + digit(id, 8) * 5 / 10;
    !uniform(id) && (10 - sum % 10) % 10 == digit(id, 9)
}

fn singapore(id: &[u8]) -> bool {
    let base = weigh(part(id, 1, 8), &[2, 7, 6, 5, 4, 3, 2]);
    let (add, letters): (u32, &[u8]) = match byte(id, 0) {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"KLJNPQRTUWX"),
        _ => return false,
    };
    let rest = (base + add) % 11;
    let rest = if byte(id, 0) == b'M' { 10 - rest } else { rest };
    // The tables of S, T, F and G run with the rest itself.
    letter_of(u64::from(rest), letters) == byte(id, 8)
}

fn malaysia(id: &[u8]) -> bool {
    let place = number(id, 6, 8);
    ymd(id, 0) && ((1..=59).contains(&place) && !(17..=20).contains(&place) || (71..=99).contains(&place))
}

fn thailand(id: &[u8]) -> bool {
    digit(id, 0) > 0
        && !uniform(id)
        && (11 - weigh(part(id, 0, 12), &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == digit(id, 12)
}

fn indonesia(id: &[u8]) -> bool {
    // Women add forty to the day.
    (11..=96).contains(&number(id, 0, 2)) && is_day(number(id, 6, 8) % 40, number(id, 8, 10)) && number(id, 12, 16) > 0
}

fn gstin(id: &[u8]) -> bool {
    let sum: u32 = part(id, 0, 14)
        .iter()
        .enumerate()
        .map(|(at, b)| value36(*b) * if at % 2 == 0 { 1 } else { 2 })
        .map(|p| p / 36 + p % 36)
        .sum();
    (1..=38).contains(&number(id, 0, 2)) && byte(id, 13) == b'Z' && (36 - sum % 36) % 36 == value36(byte(id, 14))
}

fn pan(id: &[u8]) -> bool {
    b"ABCFGHJKLPT".contains(&byte(id, 3)) && number(id, 5, 9) > 0
}

fn tfn(id: &[u8]) -> bool {
    !uniform(id) && weigh(id, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

fn abn(id: &[u8]) -> bool {
    digit(id, 0) > 0 && (weigh(id, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10).is_multiple_of(89)
}

fn medicare_au(id: &[u8]) -> bool {
    (2..=6).contains(&digit(id, 0)) && weigh(part(id, 0, 8), &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digit(id, 8)
}

fn ird(id: &[u8]) -> bool {
    let whole = number(id, 0, id.len());
    let padded = format!("{whole:09}");
    let body = padded.as_bytes();
    let check = |weights: &[u32]| (11 - weigh(part(body, 0, 8), weights) % 11) % 11;
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let sum = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..150_000_000).contains(&whole) && sum == digit(body, 8)
}

fn nhi(id: &[u8]) -> bool {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let value = |b: u8| {
        LETTERS.iter().position(|l| *l == b).map_or_else(|| value36(b), |p| u32::try_from(p).unwrap_or_default() + 1)
    };
    let sum: u32 = part(id, 0, 6).iter().zip((2..=7).rev()).map(|(b, w)| value(*b) * w).sum();
    let old = !sum.is_multiple_of(11) && (11 - sum % 11) % 10 == digit(id, 6);
    old && !part(id, 0, 3).iter().any(|b| matches!(b, b'I' | b'O'))
}

fn emirates(id: &[u8]) -> bool {
    part(id, 0, 3) == b"784" && (19..=20).contains(&number(id, 3, 5)) && luhn_real(id)
}

fn kuwait(id: &[u8]) -> bool {
    let rest = weigh(part(id, 0, 11), &[2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    matches!(byte(id, 0), b'2' | b'3') && ymd(id, 1) && 11 - rest == digit(id, 11)
}

fn egypt(id: &[u8]) -> bool {
    matches!(byte(id, 0), b'2' | b'3') && ymd(id, 1) && matches!(number(id, 7, 9), 1..=35 | 88)
}

fn iran(id: &[u8]) -> bool {
    let rest = weigh(part(id, 0, 9), &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    !uniform(id) && digit(id, 9) == if rest < 2 { rest } else { 11 - rest }
}

fn nir(id: &[u8]) -> bool {
    let department = match part(id, 5, 7) {
        b"2A" => 19,
        b"2B" => 18,
        _ => number(id, 5, 7),
    };
    let body = number(id, 0, 5) * 100_000_000 + department * 1_000_000 + number(id, 7, 13);
    matches!(byte(id, 0), b'1' | b'2' | b'3' | b'4' | b'7' | b'8')
        && (byte(id, 6).is_ascii_digit() || matches!(part(id, 5, 7), b"2A" | b"2B"))
        && (number(id, 3, 5) <= 12 || number(id, 3, 5) >= 20)
        && 97 - body % 97 == number(id, 13, 15)
}

fn belgium(id: &[u8]) -> bool {
    let body = number(id, 0, 9);
    let month = number(id, 2, 4) % 20;
    let check = number(id, 9, 11);
    (month == 0 || is_day(number(id, 4, 6).max(1), month))
        && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

fn bsn(id: &[u8]) -> bool {
    !uniform(id)
        && number(id, 0, 9) > 9_999_999
        && (weigh(part(id, 0, 8), &[9, 8, 7, 6, 5, 4, 3, 2]) + 11 - digit(id, 8)).is_multiple_of(11)
}

fn ahv(id: &[u8]) -> bool {
    part(id, 0, 3) == b"756" && ten(id, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3])
}

fn austria(id: &[u8]) -> bool {
    let body = [part(id, 0, 3), part(id, 4, 10)].concat();
    let check = weigh(&body, &[3, 7, 9, 5, 8, 4, 2, 1, 6]) % 11;
    digit(id, 0) > 0 && number(id, 6, 8) <= 15 && number(id, 4, 6) <= 31 && check == digit(id, 3)
}

fn german_tax(id: &[u8]) -> bool {
    // In the first ten digits one digit occurs two or three times, the others once or not at all.
    let times = |d: u8| part(id, 0, 10).iter().filter(|b| **b == d).count();
    let repeated = (b'0'..=b'9').filter(|d| times(*d) > 1).count();
    digit(id, 0) > 0 && repeated == 1 && (b'0'..=b'9').all(|d| times(d) <= 3) && mod11_10(id)
}

fn german_pension(id: &[u8]) -> bool {
    let letter = value36(byte(id, 8)).saturating_sub(9);
    let digits = format!("{:08}{letter:02}{:02}", number(id, 0, 8), number(id, 9, 11));
    is_day(number(id, 2, 4) % 50, number(id, 4, 6))
        && cross(digits.as_bytes(), &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]) % 10 == digit(id, 11)
}

fn german_health(id: &[u8]) -> bool {
    let digits = format!("{:02}{:08}", value36(byte(id, 0)).saturating_sub(9), number(id, 1, 9));
    cross(digits.as_bytes(), &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == digit(id, 9)
}

fn german_card(id: &[u8]) -> bool {
    let body = part(id, 0, 9);
    body.iter().all(|b| b.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(b))
        && body.iter().any(u8::is_ascii_digit)
        && (id.len() == 9 || icao(body, byte(id, 9)))
}

fn polish_card(id: &[u8]) -> bool {
    let sum = weigh(part(id, 0, 3), &[7, 3, 1]) + weigh(part(id, 4, 9), &[7, 3, 1, 7, 3]);
    sum % 10 == digit(id, 3)
}

fn polish_passport(id: &[u8]) -> bool {
    let sum = weigh(part(id, 0, 2), &[7, 3]) + weigh(part(id, 3, 9), &[1, 7, 3, 1, 7, 3]);
    (sum + digit(id, 2) * 9).is_multiple_of(10)
}

fn nhs(id: &[u8]) -> bool {
    to_eleven(id, &[10, 9, 8, 7, 6, 5, 4, 3, 2], None)
}

fn nino(id: &[u8]) -> bool {
    let pair = part(id, 0, 2);
    !pair.iter().any(|b| b"DFIQUV".contains(b))
        && byte(id, 1) != b'O'
        && ![b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].iter().any(|p| p.as_slice() == pair)
        && matches!(byte(id, 8), b'A'..=b'D')
}

fn british_driver(id: &[u8]) -> bool {
    // Five characters of the surname, then the birth date with the decade first and 50 added to the month for women.
    let month = number(id, 6, 8) % 50;
    let name = part(id, 0, 5);
    let letters = name.iter().take_while(|b| b.is_ascii_uppercase()).count();
    letters >= 1
        && name.iter().skip(letters).all(|b| *b == b'9')
        && is_day(number(id, 8, 10), month)
        && part(id, 5, 11).iter().all(u8::is_ascii_digit)
        && (byte(id, 11).is_ascii_uppercase())
        && (byte(id, 12).is_ascii_uppercase() || byte(id, 12) == b'9')
}

fn utr(id: &[u8]) -> bool {
    const CHECKS: &[u8] = b"21987654321";
    letter_of(u64::from(weigh(part(id, 1, 10), &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11), CHECKS) == byte(id, 0)
}

fn itin(id: &[u8]) -> bool {
    byte(id, 0) == b'9' && matches!(number(id, 3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn aba(id: &[u8]) -> bool {
    matches!(number(id, 0, 2), 0..=12 | 21..=32 | 61..=72 | 80)
        && !uniform(id)
        && weigh(id, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

fn npi(id: &[u8]) -> bool {
    matches!(byte(id, 0), b'1' | b'2') && !uniform(id) && crate::pii::checksum::luhn(&[b"80840", id].concat())
}

fn mbi(id: &[u8]) -> bool {
    let letter = |at| byte(id, at).is_ascii_uppercase() && !b"SLOIBZ".contains(&byte(id, at));
    let digit = |at| byte(id, at).is_ascii_digit();
    let either = |at| letter(at) || digit(at);
    (b'1'..=b'9').contains(&byte(id, 0))
        && letter(1)
        && either(2)
        && digit(3)
        && letter(4)
        && either(5)
        && digit(6)
        && letter(7)
        && letter(8)
        && digit(9)
        && digit(10)
}

fn dea(id: &[u8]) -> bool {
    let sum = digit(id, 2) + digit(id, 4) + digit(id, 6) + 2 * (digit(id, 3) + digit(id, 5) + digit(id, 7));
    b"ABCDEFGHJKLMPRSTUX".contains(&byte(id, 0)) && !uniform(part(id, 2, 9)) && sum % 10 == digit(id, 8)
}

fn vin(id: &[u8]) -> bool {
    // ISO 3779: no I, O, Q. The ninth character checks in North America and China.
    let value = |b: u8| match b {
        b'A'..=b'H' => u32::from(b - b'A') + 1,
        b'J'..=b'R' => u32::from(b - b'J') + 1,
        b'S'..=b'Z' => u32::from(b - b'S') + 2,
        _ => value36(b),
    };
    let sum: u32 =
        id.iter().zip([8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]).map(|(b, w)| value(*b) * w).sum();
    let check = if byte(id, 8) == b'X' { 10 } else { value36(byte(id, 8)) };
    vehicle_alphabet(id) && sum % 11 == check
}

fn vehicle_alphabet(id: &[u8]) -> bool {
    !id.iter().any(|b| b"IOQ".contains(b))
        && id.iter().filter(|b| b.is_ascii_digit()).count() >= 3
        && id.iter().filter(|b| b.is_ascii_uppercase()).count() >= 3
        && part(id, 13, 17).iter().all(u8::is_ascii_digit)
}

fn isin(id: &[u8]) -> bool {
    let digits: String = id.iter().map(|b| value36(*b).to_string()).collect();
    part(id, 0, 2).iter().all(u8::is_ascii_uppercase) && luhn_real(digits.as_bytes())
}

fn bic(id: &[u8]) -> bool {
    part(id, 0, 6).iter().all(u8::is_ascii_uppercase)
}

fn russia10(id: &[u8]) -> bool {
    !uniform(id) && weigh(part(id, 0, 9), &[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(id, 9)
}

fn russia12(id: &[u8]) -> bool {
    !uniform(id)
        && weigh(part(id, 0, 10), &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(id, 10)
        && weigh(part(id, 0, 11), &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(id, 11)
}

fn snils(id: &[u8]) -> bool {
    let sum = u64::from(weigh(part(id, 0, 9), &[9, 8, 7, 6, 5, 4, 3, 2, 1]));
    number(id, 0, 9) > 1_001_998 && sum % 101 % 100 == number(id, 9, 11)
}

fn kazakh(id: &[u8]) -> bool {
    let first = weigh(part(id, 0, 11), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
    let check = if first == 10 { weigh(part(id, 0, 11), &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11 } else { first };
    ymd(id, 0) && (1..=6).contains(&digit(id, 6)) && check == digit(id, 11)
}

fn ecuador(id: &[u8]) -> bool {
    let sum: u32 = cross_luhn(part(id, 0, 9));
    matches!(number(id, 0, 2), 1..=24 | 30) && digit(id, 2) < 6 && (10 - sum % 10) % 10 == digit(id, 9)
}

fn cross_luhn(body: &[u8]) -> u32 {
    cross(body, &[2, 1, 2, 1, 2, 1, 2, 1, 2])
}

fn french_tax(id: &[u8]) -> bool {
    matches!(byte(id, 0), b'0'..=b'3') && number(id, 0, 10) % 511 == number(id, 10, 13) && !uniform(id)
}

fn irish(id: &[u8]) -> bool {
    // The second letter counts since 2013, from `A` on; `W`, `T` and `X` are older and do not.
    let extra = match (id.len(), byte(id, 8)) {
        (8, _) | (9, b'W' | b'T' | b'X') => 0,
        (9, letter @ b'A'..=b'I') => (value36(letter) - 9) * 9,
        _ => return false,
    };
    letter_of(u64::from(weigh(part(id, 0, 7), &[8, 7, 6, 5, 4, 3, 2]) + extra) % 23, b"WABCDEFGHIJKLMNOPQRSTUV")
        == byte(id, 7)
}

fn greek_amka(id: &[u8]) -> bool {
    dmy(id, 0) && luhn_real(id)
}

fn greek_afm(id: &[u8]) -> bool {
    number(id, 0, 9) > 0 && weigh(part(id, 0, 8), &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == digit(id, 8)
}

fn cyprus(id: &[u8]) -> bool {
    const EVEN: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let sum: u32 = (0..8)
        .map(|at| {
            let d = digit(id, at);
            if at % 2 == 0 { EVEN.get(d as usize).copied().unwrap_or_default() } else { d }
        })
        .sum();
    part(id, 0, 2) != b"12" && letter_of(u64::from(sum), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ") == byte(id, 8)
}

fn spanish_security(id: &[u8]) -> bool {
    let (province, serial) = (number(id, 0, 2), number(id, 2, 10));
    let body = if serial < 10_000_000 { province * 10_000_000 + serial } else { province * 100_000_000 + serial };
    (1..=66).contains(&province) && body % 97 == number(id, 10, 12)
}

fn nip(id: &[u8]) -> bool {
    eleven(id, &[6, 5, 7, 2, 3, 4, 5, 6, 7], None)
}

fn cuit(id: &[u8]) -> bool {
    matches!(number(id, 0, 2), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34)
        && to_eleven(id, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], Some(9))
}

fn venezuela(id: &[u8]) -> bool {
    let lead = match byte(id, 0) {
        b'V' => 4,
        b'E' => 8,
        b'J' => 12,
        b'P' => 16,
        b'G' => 20,
        _ => return false,
    };
    let sum = lead + weigh(part(id, 1, 9), &[3, 2, 7, 6, 5, 4, 3, 2]);
    letter_of(u64::from(sum % 11), b"00987654321") == byte(id, 9)
}

fn paraguay(id: &[u8]) -> bool {
    let Some((last, body)) = id.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip(2..).map(|(b, w)| value36(*b) * w).sum();
    (11 - sum % 11) % 11 % 10 == value36(*last) && !uniform(id)
}

fn clabe(id: &[u8]) -> bool {
    let sum: u32 = part(id, 0, 17).iter().zip([3, 7, 1].iter().cycle()).map(|(b, w)| value36(*b) * w % 10).sum();
    !uniform(id) && (10 - sum % 10) % 10 == digit(id, 17)
}

fn south_africa(id: &[u8]) -> bool {
    ymd(id, 0) && matches!(byte(id, 10), b'0' | b'1' | b'2') && luhn_real(id)
}

fn latvia(id: &[u8]) -> bool {
    if part(id, 0, 2) == b"32" {
        return true;
    }
    let sum = weigh(part(id, 0, 10), &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    dmy(id, 0) && (1 + sum) % 11 % 10 == digit(id, 10)
}

fn hungarian_tax(id: &[u8]) -> bool {
    byte(id, 0) == b'8' && weigh(part(id, 0, 9), &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == digit(id, 9)
}

/// SIREN, and a number of the establishment. The post office's establishments add up to a multiple of five instead.
fn siret(id: &[u8]) -> bool {
    let post = part(id, 0, 9) == b"356000000" && weigh(id, &[1; 14]).is_multiple_of(5);
    luhn_real(part(id, 0, 9)) && (luhn_real(id) || post)
}

fn italian_vat(id: &[u8]) -> bool {
    // The office of the province that gave it out.
    luhn_real(id) && matches!(number(id, 7, 10), 1..=100 | 120 | 121 | 888 | 999)
}

/// The three kinds of Singapore's entity numbers (ACRA): businesses, companies by year, and all others.
fn uen(id: &[u8]) -> bool {
    let letter = byte(id, id.len().saturating_sub(1));
    let by = |weights: &[u32], letters| letter_of(u64::from(weigh(id, weights)) % 11, letters) == letter;
    match (id.len(), byte(id, 0)) {
        (9, b'0'..=b'9') => by(&[10, 4, 9, 3, 8, 2, 7, 1], b"XMKECAWLJDB"),
        (10, b'0'..=b'9') => matches!(number(id, 0, 2), 18..=20) && by(&[10, 8, 6, 4, 9, 7, 5, 3, 1], b"ZKCMDNERGWH"),
        (10, b'R' | b'S' | b'T') => {
            const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
            let value = |b: &u8| ALPHABET.iter().position(|a| a == b).unwrap_or_default();
            let sum: usize = id.iter().zip([4, 3, 5, 3, 10, 2, 2, 5, 7]).map(|(b, w)| value(b) * w).sum();
            ALPHABET.get((sum + 11 * 11 - 5) % 11) == Some(&letter)
        }
        _ => false,
    }
}

fn regon(id: &[u8]) -> bool {
    let whole = || eleven(id, &[2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8], Some(0));
    (id.len() < 14 || whole()) && eleven(part(id, 0, 9), &[8, 9, 2, 3, 4, 5, 6, 7], Some(0))
}

fn ukraine(id: &[u8]) -> bool {
    // The first five digits count days from the end of 1899.
    let sum = number_signed(id);
    (3_000..=55_000).contains(&number(id, 0, 5)) && sum % 11 % 10 == digit(id, 9)
}

fn number_signed(id: &[u8]) -> u32 {
    // The first weight is minus one; ten times it is the same by 11.
    weigh(part(id, 0, 9), &[10, 5, 7, 9, 4, 6, 10, 5, 7])
}

/// Every identifier, by country.
pub(super) const IDS: &[Id] = &[
    // Europe
    id(
        National,
        "AT_SOCIAL_SECURITY",
        &["9999 999999"],
        Named,
        austria,
        &["svnr", "sv-nummer", "sozialversicherung", "versicherungsnummer", "austrian social", "e-card"],
    ),
    id(
        Tax,
        "AT_VAT_ID",
        &["A-AA99999999", "AAA99999999"],
        Fair,
        |i| {
            part(i, 0, 3) == b"ATU"
                && (10 - (cross(part(i, 3, 10), &[1, 2, 1, 2, 1, 2, 1]) + 4) % 10) % 10 == digit(i, 10)
        },
        &["uid", "vat", "umsatzsteuer", "mwst"],
    ),
    id(
        National,
        "BE_NATIONAL_NUMBER",
        &["99.99.99-999.99"],
        Printed,
        belgium,
        &[
            "rijksregister",
            "registre national",
            "national register",
            "nrn",
            "niss",
            "insz",
            "belgian national",
            "numéro national",
            "nationalregister",
        ],
    ),
    id(
        Tax,
        "BE_VAT_ID",
        &["AA 9999.999.999"],
        Fair,
        |i| part(i, 0, 2) == b"BE" && 97 - number(i, 2, 10) % 97 == number(i, 10, 12),
        &["btw", "tva", "vat", "ondernemingsnummer"],
    ),
    id(National, "BG_EGN", &["9999999999"], Named, egn, &["egn", "егн", "единен граждански", "bulgarian"]),
    id(
        National,
        "CH_AHV",
        &["999.9999.9999.99"],
        Sure,
        ahv,
        &["ahv", "avs", "sozialversicherung", "navs", "oasi", "assicurato"],
    ),
    id(
        Tax,
        "CH_UID",
        &["AAA-999.999.999"],
        Fair,
        |i| part(i, 0, 3) == b"CHE" && to_eleven(part(i, 3, 12), &[5, 4, 3, 2, 7, 6, 5, 4], None),
        &["uid", "mwst", "tva", "ide"],
    ),
    id(National, "CY_TAX_ID", &["99999999A"], Named, cyprus, &["tic", "cyprus", "cypriot"]),
    id(
        National,
        "CZ_BIRTH_NUMBER",
        &["999999/9999"],
        Printed,
        czech,
        &["rodné číslo", "rodne cislo", "rodného čísla", "rodné č", "birth number", "rč", "r.č."],
    ),
    id(
        Tax,
        "DE_TAX_ID",
        &["99 999 999 999"],
        Named,
        german_tax,
        &["steuer", "idnr", "tin", "tax id", "german tax", "tax number", "tax identification", "identifikationsnummer"],
    ),
    id(
        Tax,
        "DE_VAT_ID",
        &["AA 999 999 999", "AA999999999"],
        Fair,
        |i| part(i, 0, 2) == b"DE" && byte(i, 2) != b'0' && mod11_10(part(i, 2, 11)),
        &["ust", "umsatzsteuer", "vat", "mwst"],
    ),
    id(
        National,
        "DE_SOCIAL_SECURITY",
        &["99 999999 A 999", "99999999A999"],
        Fair,
        german_pension,
        &["rentenversicherung", "sozialversicherung", "rvnr", "versicherungsnummer", "svnr"],
    ),
    id(
        Health,
        "DE_HEALTH_INSURANCE",
        &["A999999999"],
        Named,
        german_health,
        &["krankenversicher", "versichertennummer", "kvnr", "health insurance", "krankenkasse", "gesundheitskarte"],
    ),
    id(
        National,
        "DE_ID_CARD",
        &["XXXXXXXXX9", "XXXXXXXXX"],
        Named,
        german_card,
        &["personalausweis", "ausweisnummer", "ausweis-nr", "id card", "identity card", "perso"],
    ),
    id(
        Passport,
        "DE_PASSPORT",
        &["XXXXXXXXX9", "XXXXXXXXX"],
        Named,
        german_card,
        &["reisepass", "passnummer", "pass-nr", "german passport"],
    ),
    id(
        Driving,
        "DE_DRIVER_LICENSE",
        &["X99XXXXXX9X"],
        Named,
        any,
        &["führerschein", "fahrerlaubnis", "fuehrerschein", "german driving"],
    ),
    id(
        National,
        "DK_CPR",
        &["999999-9999"],
        Named,
        |i| dmy(i, 0),
        &["cpr", "personnummer", "danish personal", "central person"],
    ),
    id(
        National,
        "EE_PERSONAL_CODE",
        &["99999999999"],
        Named,
        baltic,
        &["isikukood", "estonian", "personal code", "id code"],
    ),
    id(National, "LT_PERSONAL_CODE", &["99999999999"], Named, baltic, &["asmens kod", "lithuanian"]),
    id(National, "LV_PERSONAL_CODE", &["999999-99999"], Named, latvia, &["personas kod", "latvian", "personal code"]),
    id(National, "ES_NIF", &["99999999-A"], Fair, nie, &["nif", "dni", "documento nacional"]),
    id(National, "ES_NIE", &["A-9999999-A"], Fair, nie, &["nie", "extranjero"]),
    id(Tax, "ES_CIF", &["A-9999999-X"], Named, cif, &["cif", "nif", "empresa", "sociedad"]),
    id(
        National,
        "ES_SOCIAL_SECURITY",
        &["99/99999999/99", "99 9999999999"],
        Named,
        spanish_security,
        &["seguridad social", "nuss", "afiliación", "afiliacion", "nss"],
    ),
    id(Passport, "ES_PASSPORT", &["AAA999999"], Named, any, &["pasaporte", "passport"]),
    id(
        National,
        "FI_PERSONAL_IDENTITY_CODE",
        &["999999-999X", "999999A999X"],
        Sure,
        hetu,
        &["hetu", "henkilötunnus", "personal identity"],
    ),
    id(
        National,
        "FR_NIR",
        &["9 99 99 99 999 999 99", "9 99 99 9A 999 999 99"],
        Fair,
        nir,
        &["nir", "sécurité sociale", "securite sociale", "insee", "numéro de sécu", "social security"],
    ),
    id(Tax, "FR_SIRET", &["999 999 999 99999"], Named, siret, &["siret"]),
    id(Tax, "FR_SIREN", &["999 999 999"], Named, luhn_real, &["siren", "rcs"]),
    id(
        Tax,
        "FR_VAT_ID",
        &["AA 99 999 999 999", "AA99999999999"],
        Fair,
        |i| {
            part(i, 0, 2) == b"FR"
                && luhn_real(part(i, 4, 13))
                && (12 + 3 * (number(i, 4, 13) % 97)) % 97 == number(i, 2, 4)
        },
        &["tva", "vat"],
    ),
    id(
        Tax,
        "FR_TAX_ID",
        &["99 99 999 999 999"],
        Named,
        french_tax,
        &["numéro fiscal", "numero fiscal", "spi", "tax number", "identifiant fiscal"],
    ),
    id(Passport, "FR_PASSPORT", &["99AA99999"], Named, any, &["passeport", "passport"]),
    id(Health, "UK_NHS", &["999 999 9999"], Grouped, nhs, &["nhs", "national health", "health service"]),
    id(National, "UK_NINO", &["AA 99 99 99 A"], Fair, nino, &["national insurance", "nino", "ni number", "ni no"]),
    id(
        Driving,
        "UK_DRIVING_LICENCE",
        &["XXXXX999999AXXAA", "XXXXX 999999 AXXAA"],
        Fair,
        british_driver,
        &["driving licence", "driver", "dvla", "licence"],
    ),
    id(Passport, "UK_PASSPORT", &["999999999", "AA9999999"], Named, any, &["british passport", "uk passport", "hmpo"]),
    id(Tax, "UK_UTR", &["99999 99999"], Named, utr, &["utr", "unique taxpayer", "taxpayer reference"]),
    id(
        Tax,
        "GB_VAT_ID",
        &["AA 999 9999 99"],
        Fair,
        |i| {
            let sum = u64::from(weigh(part(i, 2, 9), &[8, 7, 6, 5, 4, 3, 2])) + number(i, 9, 11);
            part(i, 0, 2) == b"GB" && matches!(sum % 97, 0 | 42 | 55)
        },
        &["vat"],
    ),
    id(
        Vehicle,
        "UK_VEHICLE_REGISTRATION",
        &["AA99 AAA"],
        Named,
        any,
        &["registration", "number plate", "licence plate", "license plate", "vehicle", "vrm", "reg"],
    ),
    id(National, "GR_AMKA", &["99999999999"], Named, greek_amka, &["amka", "αμκα", "α.μ.κ.α"]),
    id(Tax, "GR_AFM", &["999999999"], Named, greek_afm, &["afm", "αφμ", "α.φ.μ", "greek vat", "greek tax"]),
    id(National, "HR_OIB", &["99999999999"], Named, mod11_10, &["oib", "osobni identifikacijski"]),
    id(
        Health,
        "HU_TAJ",
        &["999 999 999"],
        Named,
        |i| ten(i, &[3, 7, 3, 7, 3, 7, 3, 7]) || weigh(part(i, 0, 8), &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == digit(i, 8),
        &["taj", "társadalombiztosítási"],
    ),
    id(
        Tax,
        "HU_TAX_ID",
        &["9999999999"],
        Named,
        hungarian_tax,
        &["adóazonosító", "adoazonosito", "adószám", "hungarian tax"],
    ),
    id(National, "IE_PPS", &["9999999AA", "9999999A"], Fair, irish, &["pps", "ppsn", "personal public service"]),
    id(
        National,
        "IS_KENNITALA",
        &["999999-9999"],
        Named,
        |i| {
            is_day(number(i, 0, 2) % 40, number(i, 2, 4))
                && matches!(byte(i, 9), b'0' | b'8' | b'9')
                && to_eleven(part(i, 0, 9), &[3, 2, 7, 6, 5, 4, 3, 2], None)
        },
        &["kennitala", "icelandic"],
    ),
    id(
        Tax,
        "IT_FISCAL_CODE",
        &["AAAAAA99A99A999A", "AAA AAA 99A99 A999A"],
        Sure,
        fiscal_code,
        &["codice fiscale", "fiscal code", "cf"],
    ),
    id(Tax, "IT_VAT_CODE", &["99999999999"], Named, italian_vat, &["partita iva", "p.iva", "p. iva", "piva", "vat"]),
    id(Passport, "IT_PASSPORT", &["AA9999999"], Named, any, &["passaporto", "passport"]),
    id(
        National,
        "IT_IDENTITY_CARD",
        &["AA 9999999", "AA 99999 AA", "AA99999AA"],
        Named,
        any,
        &["carta d'identità", "carta di identit", "carta d'identita", "identity card", "carta identit"],
    ),
    id(
        Driving,
        "IT_DRIVER_LICENSE",
        &["AA9999999A", "A19999999A"],
        Named,
        any,
        &["patente", "driving licen", "driver"],
    ),
    id(
        National,
        "LU_NATIONAL_ID",
        &["9999 9999 99999"],
        Named,
        |i| luhn_real(part(i, 0, 12)) && is_day(number(i, 6, 8), number(i, 4, 6)),
        &["matricule", "luxembourg"],
    ),
    id(
        National,
        "MD_IDNP",
        &["9999999999999"],
        Named,
        |i| weigh(part(i, 0, 12), &[7, 3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1]) % 10 == digit(i, 12),
        &["idnp", "moldova"],
    ),
    id(
        National,
        "MT_IDENTITY_CARD",
        &["9999999A"],
        Named,
        |i| b"MGAPLHBZ".contains(&byte(i, 7)),
        &["malta", "maltese"],
    ),
    id(
        National,
        "NL_BSN",
        &["999999999", "999.999.999", "9999.99.999"],
        Named,
        bsn,
        &["bsn", "burgerservice", "sofi", "citizen service"],
    ),
    id(
        Tax,
        "NL_VAT_ID",
        &["AA999999999A99"],
        Fair,
        |i| part(i, 0, 2) == b"NL" && byte(i, 11) == b'B' && (bsn(part(i, 2, 11)) || rest97(i) == 1),
        &["btw", "vat"],
    ),
    id(
        National,
        "NO_FODSELSNUMMER",
        &["999999 99999"],
        Fair,
        nordic,
        &["fødselsnummer", "fodselsnummer", "personnummer", "fnr", "norwegian"],
    ),
    id(
        Tax,
        "NO_ORGANISATION_NUMBER",
        &["999 999 999"],
        Named,
        |i| to_eleven(i, &[3, 2, 7, 6, 5, 4, 3, 2], None),
        &["organisasjonsnummer", "org.nr", "orgnr"],
    ),
    id(National, "PL_PESEL", &["99999999999"], Named, pesel, &["pesel"]),
    id(Tax, "PL_NIP", &["999-999-99-99", "999-99-99-999", "9999999999"], Named, nip, &["nip", "podatkow", "tax id"]),
    id(Tax, "PL_REGON", &["999999999", "99999999999999"], Named, regon, &["regon"]),
    id(
        National,
        "PL_ID_CARD",
        &["AAA 999999"],
        Named,
        polish_card,
        &["dowód", "dowod", "dowodu", "id card", "identity card"],
    ),
    id(Passport, "PL_PASSPORT", &["AA 9999999"], Named, polish_passport, &["paszport", "passport"]),
    id(
        Tax,
        "PT_NIF",
        &["999 999 999"],
        Named,
        |i| (1..=9).contains(&digit(i, 0)) && to_eleven(i, &[9, 8, 7, 6, 5, 4, 3, 2], Some(0)),
        &["nif", "contribuinte", "número fiscal", "numero fiscal"],
    ),
    id(
        National,
        "PT_CITIZEN_CARD",
        &["99999999 9 XX9", "999999999XX9"],
        Named,
        |i| {
            let sum: u32 = i
                .iter()
                .rev()
                .enumerate()
                .map(|(at, b)| (at, value36(*b)))
                .map(|(at, v)| {
                    if at % 2 == 0 {
                        v
                    } else if v * 2 > 9 {
                        v * 2 - 9
                    } else {
                        v * 2
                    }
                })
                .sum();
            sum.is_multiple_of(10)
        },
        &["cartão de cidadão", "cartao de cidadao", "citizen card", "cidadão"],
    ),
    id(National, "RO_CNP", &["9999999999999"], Named, cnp, &["cnp", "cod numeric", "romanian"]),
    id(National, "RS_JMBG", &["9999999999999"], Named, jmbg, &["jmbg", "matični broj", "maticni broj", "јмбг"]),
    id(
        National,
        "BA_JMBG",
        &["9999999999999"],
        Named,
        |i| jmbg(i) && (10..=19).contains(&number(i, 7, 9)),
        &["bosnia", "bosnian", "bosne"],
    ),
    id(
        National,
        "ME_JMBG",
        &["9999999999999"],
        Named,
        |i| jmbg(i) && (20..=29).contains(&number(i, 7, 9)),
        &["montenegr", "crna gora", "crne gore"],
    ),
    id(National, "MK_EMBG", &["9999999999999"], Named, jmbg, &["embg", "ембг", "матичен број"]),
    id(National, "SI_EMSO", &["9999999999999"], Named, jmbg, &["emšo", "emso"]),
    id(National, "SK_BIRTH_NUMBER", &["999999/9999"], Named, czech, &["rodné číslo sr", "slovak birth", "slovak"]),
    id(
        National,
        "SE_PERSONNUMMER",
        &["999999-9999", "99999999-9999"],
        Printed,
        personnummer,
        &["personnummer", "swedish personal", "personal identity", "samordningsnummer"],
    ),
    id(
        Tax,
        "SE_ORGANISATIONSNUMMER",
        &["999999-9999"],
        Named,
        |i| digit(i, 2) >= 2 && luhn_real(i),
        &["organisationsnummer", "org.nr", "orgnr", "org nr"],
    ),
    id(
        National,
        "TR_TCKN",
        &["99999999999"],
        Named,
        tckn,
        &["tckn", "t.c. kimlik", "tc kimlik", "kimlik no", "kimlik num", "turkish id", "turkish identif"],
    ),
    id(
        Tax,
        "UA_RNTRC",
        &["9999999999"],
        Named,
        ukraine,
        &["рнокпп", "іпн", "ідентифікаційний", "rnokpp", "ukrainian tax"],
    ),
    id(Tax, "RU_INN", &["9999999999"], Named, russia10, &["инн", "inn"]),
    id(Tax, "RU_INN", &["999999999999"], Named, russia12, &["инн", "inn"]),
    id(National, "RU_SNILS", &["999-999-999 99"], Printed, snils, &["снилс", "snils"]),
    id(Passport, "RU_PASSPORT", &["99 99 999999", "9999 999999"], Named, any, &["паспорт", "russian passport"]),
    // Americas
    id(Tax, "AR_CUIT", &["99-99999999-9"], Printed, cuit, &["cuit", "cuil"]),
    id(Tax, "BR_CPF", &["999.999.999-99"], Printed, cpf, &["cpf", "pessoa física", "pessoa fisica"]),
    id(Tax, "BR_CNPJ", &["99.999.999/9999-99"], Printed, cnpj, &["cnpj"]),
    id(
        National,
        "BR_PIS",
        &["999.99999.99-9"],
        Printed,
        |i| to_eleven(i, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2], Some(0)),
        &["pis", "pasep", "nis"],
    ),
    id(
        National,
        "CA_SIN",
        &["999 999 999"],
        Named,
        |i| !matches!(byte(i, 0), b'0' | b'8') && luhn_real(i),
        &["sin", "social insurance", "assurance sociale", "nas"],
    ),
    id(
        Health,
        "CA_HEALTH_NUMBER",
        &["9999 999 999", "9999-999-999-AA"],
        Named,
        |i| luhn_real(part(i, 0, 10)),
        &["ohip", "health card", "health number", "phn"],
    ),
    id(Passport, "CA_PASSPORT", &["AA999999", "A999999AA"], Named, any, &["canadian passport", "passeport"]),
    id(
        National,
        "CL_RUT",
        &["99.999.999-X", "9.999.999-X", "99999999-X", "9999999-X"],
        Printed,
        rut,
        &["rut", "run", "rol único", "rol unico"],
    ),
    id(
        Tax,
        "CO_NIT",
        &["999.999.999-9", "999999999-9", "9999999999"],
        Named,
        nit,
        &["nit", "número de identificación tributaria"],
    ),
    id(National, "DO_CEDULA", &["999-9999999-9"], Printed, luhn_real, &["cédula", "cedula", "jce"]),
    id(National, "EC_CEDULA", &["999999999-9"], Named, ecuador, &["cédula", "cedula", "ecuador"]),
    id(Tax, "EC_RUC", &["9999999999999"], Named, |i| ecuador(part(i, 0, 10)) && number(i, 10, 13) > 0, &["ruc"]),
    id(
        Tax,
        "GT_NIT",
        &["9999999-X", "99999999-X"],
        Named,
        |i| {
            let Some((last, body)) = i.split_last() else { return false };
            let sum: u32 = body.iter().rev().zip(2..).map(|(b, w)| value36(*b) * w).sum();
            let check = (11 - sum % 11) % 11;
            if *last == b'K' { check == 10 } else { last.is_ascii_digit() && check == value36(*last) }
        },
        &["nit"],
    ),
    id(National, "MX_CURP", &["AAAA999999AAAAAAX9"], Sure, curp, &["curp"]),
    id(Tax, "MX_RFC", &["AAAA999999XXX", "AAAA-999999-XXX", "AAA999999XXX"], Fair, rfc, &["rfc", "registro federal"]),
    id(Bank, "MX_CLABE", &["999999999999999999"], Named, clabe, &["clabe", "interbancaria"]),
    id(
        Tax,
        "PE_RUC",
        &["99999999999"],
        Named,
        |i| {
            matches!(number(i, 0, 2), 10 | 15 | 16 | 17 | 20) && {
                let check = 11 - weigh(part(i, 0, 10), &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
                check % 10 == digit(i, 10)
            }
        },
        &["ruc"],
    ),
    id(Tax, "PY_RUC", &["99999999-9", "9999999-9", "999999-9"], Named, paraguay, &["ruc"]),
    id(
        National,
        "UY_CI",
        &["9.999.999-9", "99999999"],
        Named,
        |i| !uniform(i) && weigh(i, &[2, 9, 8, 7, 6, 3, 4, 1]).is_multiple_of(10),
        &["cédula", "cedula", "uruguay"],
    ),
    id(Tax, "VE_RIF", &["A-99999999-9"], Printed, venezuela, &["rif"]),
    id(National, "US_ITIN", &["999-99-9999"], Printed, itin, &["itin", "individual taxpayer", "taxpayer", "tax id"]),
    id(
        Tax,
        "US_EIN",
        &["99-9999999"],
        Named,
        |i| !matches!(number(i, 0, 2), 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97),
        &["ein", "employer identification", "fein", "federal tax"],
    ),
    id(Bank, "ABA_ROUTING_NUMBER", &["9999-9999-9", "999999999"], Named, aba, &["aba", "routing", "rtn", "transit"]),
    id(
        Bank,
        "US_BANK_NUMBER",
        &[
            "99999999",
            "999999999",
            "9999999999",
            "99999999999",
            "999999999999",
            "9999999999999",
            "99999999999999",
            "999999999999999",
            "9999999999999999",
            "99999999999999999",
        ],
        Named,
        any,
        &["bank account", "account number", "account no", "checking account", "savings account", "acct", "bank acct"],
    ),
    id(Health, "US_NPI", &["9999999999"], Named, npi, &["npi", "national provider"]),
    id(Health, "US_MBI", &["9XX9-XX9-XX99", "9XX9XX9XX99"], Fair, mbi, &["mbi", "medicare"]),
    id(
        Health,
        "MEDICAL_LICENSE",
        &["AA9999999"],
        Named,
        dea,
        &["dea", "medical licen", "prescriber", "drug enforcement", "certificate"],
    ),
    id(
        Passport,
        "US_PASSPORT",
        &["999999999", "A99999999"],
        Named,
        any,
        &["us passport", "u.s. passport", "american passport", "passport", "travel document"],
    ),
    id(
        Driving,
        "US_DRIVER_LICENSE",
        &[
            "A9999999",
            "A99999999",
            "A999999999999",
            "A99999999999999",
            "A999-9999-9999",
            "A999-9999-9999-99",
            "AA999999",
            "AA999999A",
            "9999999",
            "99999999",
            "999999999",
            "99-999-9999",
            "999-99-9999",
            "A99-99-9999",
            "99AAA9999",
            "A999-999-99-999-9",
        ],
        Named,
        any,
        &[
            "driver's licen",
            "drivers licen",
            "driver licen",
            "driver\u{2019}s licen",
            "driving licen",
            "driving permit",
            "dl number",
            "dl#",
            "dl no",
            "dl:",
            "license number",
            "licence number",
        ],
    ),
    // Asia and the Pacific
    id(Tax, "AU_ABN", &["99 999 999 999"], Printed, abn, &["abn", "australian business"]),
    id(Tax, "AU_ACN", &["999 999 999"], Named, |i| ten(i, &[8, 7, 6, 5, 4, 3, 2, 1]), &["acn", "australian company"]),
    id(Tax, "AU_TFN", &["999 999 999"], Named, tfn, &["tfn", "tax file"]),
    id(Health, "AU_MEDICARE", &["9999 99999 9"], Named, medicare_au, &["medicare"]),
    id(Passport, "AU_PASSPORT", &["A9999999", "AA9999999"], Named, any, &["australian passport"]),
    id(
        National,
        "CN_RESIDENT_ID",
        &["99999999999999999X"],
        Sure,
        china,
        &["身份证", "resident id", "identity card", "chinese id"],
    ),
    id(Tax, "CN_USCC", &["XX999999XXXXXXXXXX"], Fair, uscc, &["统一社会信用代码", "uscc", "social credit"]),
    id(
        National,
        "HK_ID",
        &["A999999(X)", "AA999999(X)", "A999999X", "AA999999X"],
        Printed,
        hong_kong,
        &["hkid", "hong kong id", "身份證"],
    ),
    id(National, "ID_NIK", &["9999999999999999"], Named, indonesia, &["nik", "ktp", "kependudukan"]),
    id(
        National,
        "IN_AADHAAR",
        &["9999 9999 9999"],
        Printed,
        |i| digit(i, 0) > 1 && verhoeff(i),
        &["aadhaar", "aadhar", "uidai", "आधार"],
    ),
    id(Tax, "IN_PAN", &["AAAAA9999A"], Fair, pan, &["pan", "permanent account", "income tax"]),
    id(Tax, "IN_GSTIN", &["99AAAAA9999AXAX"], Sure, gstin, &["gstin", "gst"]),
    id(National, "IN_VOTER", &["AAA9999999"], Named, any, &["voter", "epic", "election"]),
    id(Passport, "IN_PASSPORT", &["A9999999", "A 9999999"], Named, any, &["indian passport", "passport"]),
    id(
        Vehicle,
        "IN_VEHICLE_REGISTRATION",
        &["AA99AA9999", "AA 99 AA 9999", "AA99A9999", "AA9AA9999"],
        Named,
        |i| {
            [
                &b"AN"[..],
                b"AP",
                b"AR",
                b"AS",
                b"BR",
                b"CG",
                b"CH",
                b"DD",
                b"DL",
                b"DN",
                b"GA",
                b"GJ",
                b"HP",
                b"HR",
                b"JH",
                b"JK",
                b"KA",
                b"KL",
                b"LA",
                b"LD",
                b"MH",
                b"ML",
                b"MN",
                b"MP",
                b"MZ",
                b"NL",
                b"OD",
                b"OR",
                b"PB",
                b"PY",
                b"RJ",
                b"SK",
                b"TN",
                b"TR",
                b"TS",
                b"UK",
                b"UP",
                b"WB",
            ]
            .contains(&part(i, 0, 2))
        },
        &["vehicle", "registration", "number plate", "license plate", "car", "rto"],
    ),
    id(National, "JP_MY_NUMBER", &["9999 9999 9999"], Named, my_number, &["my number", "マイナンバー", "個人番号"]),
    id(
        Tax,
        "JP_CORPORATE_NUMBER",
        &["9999999999999"],
        Named,
        |i| 9 - weigh(part(i, 1, 13), &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]) % 9 == digit(i, 0),
        &["法人番号", "corporate number"],
    ),
    id(
        National,
        "KR_RRN",
        &["999999-9999999"],
        Printed,
        |i| korea(i) && matches!(byte(i, 6), b'1'..=b'4'),
        &["주민등록번호", "주민번호", "rrn", "resident registration"],
    ),
    id(
        National,
        "KR_FRN",
        &["999999-9999999"],
        Printed,
        |i| korea(i) && matches!(byte(i, 6), b'5'..=b'8'),
        &["외국인등록번호", "frn", "foreigner registration", "alien registration"],
    ),
    id(Tax, "KR_BRN", &["999-99-99999"], Printed, korean_company, &["사업자등록번호", "brn", "business registration"]),
    id(Passport, "KR_PASSPORT", &["A99999999", "A999A9999"], Named, any, &["여권", "korean passport"]),
    id(
        Driving,
        "KR_DRIVER_LICENSE",
        &["99-99-999999-99"],
        Named,
        any,
        &["운전면허", "korean driver", "driver's licen", "driving licen"],
    ),
    id(
        National,
        "LK_NIC",
        &["999999999A", "999999999999"],
        Named,
        |i| i.len() == 12 || matches!(byte(i, 9), b'V' | b'X'),
        &["nic", "sri lanka"],
    ),
    id(National, "MY_NRIC", &["999999-99-9999"], Printed, malaysia, &["nric", "mykad", "kad pengenalan"]),
    id(Tax, "NZ_IRD", &["99-999-999", "999-999-999"], Named, ird, &["ird", "inland revenue"]),
    id(Health, "NZ_NHI", &["AAA9999"], Named, nhi, &["nhi", "national health index"]),
    id(
        National,
        "PH_PHILSYS",
        &["9999-9999-9999-9999", "9999-9999-9999"],
        Named,
        any,
        &["philsys", "philippine id", "psn", "pcn"],
    ),
    id(Tax, "PH_TIN", &["999-999-999-999", "999-999-999"], Named, any, &["tin", "philippine tax"]),
    id(
        National,
        "PK_CNIC",
        &["99999-9999999-9"],
        Printed,
        |i| (1..=8).contains(&digit(i, 0)),
        &["cnic", "nadra", "shanakhti"],
    ),
    id(National, "SG_NRIC_FIN", &["A9999999A"], Fair, singapore, &["nric", "fin", "singapore"]),
    id(Tax, "SG_UEN", &["999999999A", "99999999A", "A99AA9999A"], Named, uen, &["uen", "unique entity"]),
    id(
        National,
        "TH_TNIN",
        &["9-9999-99999-99-9"],
        Printed,
        thailand,
        &["บัตรประชาชน", "เลขประจำตัว", "thai national", "thai id", "national id"],
    ),
    id(National, "TW_NATIONAL_ID", &["A999999999"], Fair, taiwan, &["身分證", "taiwan", "national id"]),
    id(
        National,
        "VN_CCCD",
        &["999999999999"],
        Named,
        |i| (1..=96).contains(&number(i, 0, 3)),
        &["cccd", "căn cước", "citizen id", "vietnam"],
    ),
    // Middle East, Central Asia and Africa
    id(National, "AE_EMIRATES_ID", &["999-9999-9999999-9"], Sure, emirates, &["emirates id", "eid"]),
    id(National, "EG_NATIONAL_ID", &["99999999999999"], Named, egypt, &["الرقم القومي", "egypt", "national id"]),
    id(
        National,
        "IL_ID",
        &["999999999", "99999999-9"],
        Named,
        luhn_real,
        &["teudat zehut", "תעודת זהות", "ת.ז", "israeli id", "israel id"],
    ),
    id(
        National,
        "IR_NATIONAL_ID",
        &["999-999999-9", "9999999999"],
        Named,
        iran,
        &["کد ملی", "melli", "iranian national", "iran"],
    ),
    id(National, "KW_CIVIL_ID", &["999999999999"], Named, kuwait, &["kuwait", "civil id", "الرقم المدني"]),
    id(Tax, "KZ_IIN", &["999999999999"], Named, kazakh, &["жсн", "иин", "iin", "kazakh"]),
    id(National, "NG_NIN", &["99999999999"], Named, any, &["nin", "nigerian", "national identification"]),
    id(
        National,
        "SA_NATIONAL_ID",
        &["9999999999"],
        Named,
        |i| matches!(byte(i, 0), b'1' | b'2') && luhn_real(i),
        &["iqama", "saudi", "الهوية الوطنية", "absher"],
    ),
    id(
        National,
        "ZA_ID",
        &["999999 9999 99 9", "9999999999999"],
        Fair,
        south_africa,
        &["south african id", "sa id", "id number", "rsa id", "identity number"],
    ),
    id(National, "KE_NATIONAL_ID", &["99999999"], Named, any, &["kenyan id", "kenya national id", "huduma"]),
    id(National, "GH_CARD", &["AAA-999999999-9"], Fair, |i| part(i, 0, 3) == b"GHA", &["ghana card", "ghanacard"]),
    // Everywhere
    id(
        Vehicle,
        "VEHICLE_IDENTIFICATION_NUMBER",
        &["XXXXXXXXXXXXXXXXX"],
        Fair,
        vin,
        &["vin", "chassis", "vehicle", "fahrgestell", "fin", "bastidor", "châssis"],
    ),
    id(
        Vehicle,
        "VEHICLE_IDENTIFICATION_NUMBER",
        &["XXXXXXXXXXXXXXXXX"],
        Named,
        vehicle_alphabet,
        &["vin", "chassis", "fahrgestell", "fahrzeug-ident", "bastidor", "châssis", "telaio"],
    ),
    id(Device, "IMEI", &["99-999999-999999-9", "999999999999999"], Named, luhn_real, &["imei", "device id", "handset"]),
    id(Device, "IMSI", &["999999999999999"], Named, |i| (202..=750).contains(&number(i, 0, 3)), &["imsi"]),
    id(
        Device,
        "ICCID",
        &["9999999999999999999", "99999999999999999999"],
        Named,
        |i| part(i, 0, 2) == b"89",
        &["iccid", "sim card", "sim number", "sim"],
    ),
    id(
        Bank,
        "LEI",
        &["XXXXXXXXXXXXXXXXXX99"],
        Fair,
        |i| {
            i.iter().filter(|b| b.is_ascii_uppercase()).count() >= 3
                && i.iter().filter(|b| b.is_ascii_digit()).count() >= 6
                && mod97_whole(i)
        },
        &["lei", "legal entity"],
    ),
    id(Bank, "ISIN", &["AAXXXXXXXXX9"], Named, isin, &["isin", "security", "wkn", "bond", "fund", "share"]),
    id(Bank, "SWIFT_CODE", &["AAAAAAXXXXX", "AAAAAAXX"], Named, bic, &["swift", "bic"]),
];
