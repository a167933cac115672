//! Addresses of crypto-currency accounts.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};
use sha2::Digest as _;

use super::entity::{Entity, EntityDetector, Match, Places};
use crate::tape::{Class, Tape, word_starts};
use crate::{RulesError, Settings};

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Version bytes of Base58Check addresses: Bitcoin, Litecoin, Dogecoin, Dash, Tron. Source: SLIP-0044 and the
/// projects' chain parameters.
const VERSIONS: [u8; 8] = [0x00, 0x05, 0x30, 0x32, 0x1E, 0x4C, 0x16, 0x41];
/// Human-readable parts of Bech32 addresses on main networks.
const HUMAN: [&[u8]; 2] = [b"bc", b"ltc"];

static ENTITY: Entity = Entity {
    id: "pii/crypto-address",
    name: "CRYPTO",
    summary: "address of a crypto-currency account",
    doc: include_str!("crypto_address.md"),
    severity: Severity::Medium,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("URL", "https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki"),
        Reference::new("URL", "https://eips.ethereum.org/EIPS/eip-55"),
    ],
    places: Places::Word(Class::of(b"013bBlLMDTX79A")),
    longest: 90,
    ahead: 1,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(EntityDetector::new(&ENTITY)))
}

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let first = tape.at(at).filter(|b| b"013bBlLMDTX79A".contains(b))?;
    if !word_starts(tape, at) {
        return None;
    }
    // What begins like a word of prose is soon told apart, so that nothing is held back for it.
    let second = tape.at(at + 1)?;
    let plausible = match first {
        b'0' => second == b'x',
        b'b' | b'l' => (second == b'c' || second == b't') && tape.at(at + 2)? != b' ',
        _ => BASE58.contains(&second),
    };
    if !plausible {
        return None;
    }
    let end = tape.run(at, at + 91, Class::ALNUM);
    let text = tape.slice(Span::new(at, end));
    let valid = match first {
        b'0' => text.len() == 42 && ethereum(text),
        b'b' | b'B' | b'l' if text.len() > 40 => bech32(text),
        _ => (26..=35).contains(&text.len()) && base58_check(text),
    };
    (valid && !tape.at(end).is_some_and(|b| Class::WORD.has(b))).then_some(Match::new(end, Confidence::High))
}

/// Twenty-one bytes and four of a double SHA-256, in base 58.
fn base58_check(text: &[u8]) -> bool {
    let mut bytes = [0_u8; 25];
    for c in text {
        let Some(value) = BASE58.iter().position(|b| b == c) else { return false };
        let mut carry = value;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry % 256).unwrap_or_default();
            carry /= 256;
        }
        if carry > 0 {
            return false;
        }
    }
    let (Some(body), Some(check)) = (bytes.get(..21), bytes.get(21..)) else { return false };
    let sum = sha2::Sha256::digest(sha2::Sha256::digest(body));
    bytes.first().is_some_and(|v| VERSIONS.contains(v)) && sum.get(..4) == Some(check)
}

/// BIP 173 and BIP 350.
fn bech32(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    if lower != text && text.to_ascii_uppercase() != text {
        return false;
    }
    let Some(human) = HUMAN.iter().find(|h| lower.starts_with(h) && lower.get(h.len()) == Some(&b'1')) else {
        return false;
    };
    let step = |sum: u32, value: u32| {
        const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
        let top = sum >> 25;
        GENERATOR
            .iter()
            .enumerate()
            .fold((sum & 0x01FF_FFFF) << 5 ^ value, |s, (i, g)| if top >> i & 1 == 1 { s ^ g } else { s })
    };
    let mut sum = human.iter().fold(1, |s, c| step(s, u32::from(c >> 5)));
    sum = step(sum, 0);
    sum = human.iter().fold(sum, |s, c| step(s, u32::from(c & 31)));
    for c in lower.iter().skip(human.len() + 1) {
        let Some(value) = BECH32.iter().position(|b| b == c).and_then(|v| u32::try_from(v).ok()) else {
            return false;
        };
        sum = step(sum, value);
    }
    matches!(sum, 1 | 0x2BC8_30A3)
}

/// Forty hexadecimal digits; where their case is mixed it is a checksum (EIP-55).
fn ethereum(text: &[u8]) -> bool {
    let Some(digits) = text.strip_prefix(b"0x").filter(|d| d.iter().all(u8::is_ascii_hexdigit)) else { return false };
    let lower = digits.to_ascii_lowercase();
    let distinct = (b'0'..=b'f').filter(|b| lower.contains(b)).count();
    if distinct < 6 {
        return false;
    }
    if digits == lower.as_slice() || digits == digits.to_ascii_uppercase().as_slice() {
        return true;
    }
    let hash = sha3::Keccak256::digest(&lower);
    digits.iter().enumerate().all(|(at, digit)| {
        let nibble = hash.get(at / 2).map_or(0, |b| if at % 2 == 0 { b >> 4 } else { b & 15 });
        !digit.is_ascii_alphabetic() || digit.is_ascii_uppercase() == (nibble >= 8)
    })
}
