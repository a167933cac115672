//! Values of the same form that belong to nobody.
//!
//! Where there is a range that is reserved for examples, values come from there: e-mail and web addresses of
//! `example.com` (RFC 2606), IP addresses of RFC 5737 and RFC 3849, locally administered MAC addresses, telephone numbers
//! of the prefix 999 that ITU-T E.164 has given to nobody and `555-01xx`, social security numbers of area 000, cards of the
//! major industry identifier 9, which no card scheme issues, IBANs of a bank with the code 0. Check digits are right.

use super::keys::Keys;

const GIVEN: [&str; 32] = [
    "Alex", "Robin", "Sam", "Jamie", "Chris", "Kim", "Lee", "Dana", "Terry", "Pat", "Morgan", "Casey", "Jordan",
    "Taylor", "Avery", "Riley", "Quinn", "Rowan", "Sage", "Blake", "Drew", "Frankie", "Harper", "Jesse", "Kai",
    "Logan", "Marley", "Noel", "Parker", "Reese", "Skyler", "Toni",
];
const FAMILY: [&str; 32] = [
    "Arden", "Birch", "Calder", "Dale", "Elm", "Fenwick", "Garland", "Hollis", "Ives", "Jarrow", "Kestrel", "Lorne",
    "Marsh", "Norden", "Oakley", "Penrose", "Quill", "Ravel", "Selwyn", "Thorne", "Ulmer", "Vale", "Wexford", "Yarrow",
    "Ashby", "Brook", "Corwin", "Dunmore", "Eastman", "Farrow", "Glenn", "Hale",
];

/// Digits, letters and choices that follow from a key and a value.
struct Draw<'a> {
    keys: &'a Keys,
    parts: [&'a str; 3],
    block: Vec<u8>,
    round: u32,
}

impl Draw<'_> {
    fn byte(&mut self) -> u8 {
        if self.block.is_empty() {
            self.round += 1;
            let [conversation, kind, value] = self.parts;
            self.block = self.keys.digest("surrogate", &[conversation, kind, value, &self.round.to_string()]).to_vec();
        }
        self.block.pop().unwrap_or_default()
    }

    /// Below a bound of at most 64. The unevenness of the remainder does not matter for invented values.
    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound.max(1)
    }

    fn digit(&mut self) -> char {
        char::from(b'0' + self.below(10))
    }

    fn pick<'b>(&mut self, list: &[&'b str]) -> &'b str {
        let count = u8::try_from(list.len()).unwrap_or(u8::MAX);
        list.get(usize::from(self.below(count))).copied().unwrap_or_default()
    }

    fn hex(&mut self) -> String {
        format!("{:02x}", self.byte())
    }

    /// The same signs with other digits and letters.
    fn shaped(&mut self, value: &str) -> String {
        let other = |c: char| match c {
            '0'..='9' => self.digit(),
            'a'..='z' => char::from(b'a' + self.below(26)),
            c if c.is_lowercase() => char::from(b'a' + self.below(26)),
            c if c.is_alphabetic() => char::from(b'A' + self.below(26)),
            c if c.is_numeric() => self.digit(),
            c => c,
        };
        value.chars().map(other).collect()
    }
}

/// A value of the same form, the same for the same value of a conversation.
pub(super) fn surrogate(keys: &Keys, conversation: &str, kind: &str, value: &str) -> String {
    let mut draw = Draw { keys, parts: [conversation, kind, value], block: Vec::new(), round: 0 };
    match kind {
        "PERSON" => person(&mut draw, value),
        "EMAIL_ADDRESS" => {
            let name = format!("{}.{}", draw.pick(&GIVEN), draw.pick(&FAMILY)).to_lowercase();
            format!("{name}{}{}@example.com", draw.digit(), draw.digit())
        }
        "PHONE_NUMBER" => phone(&mut draw, value),
        "CREDIT_CARD" => card(&mut draw, value),
        "IBAN_CODE" => iban(&mut draw, value),
        "US_SSN" => lead(&mut draw, value, "000"),
        "IP_ADDRESS" if value.contains(':') => {
            format!("2001:db8::{}{}:{}{}", draw.hex(), draw.hex(), draw.hex(), draw.hex())
        }
        "IP_ADDRESS" => format!("{}.{}", draw.pick(&["192.0.2", "198.51.100", "203.0.113"]), draw.byte()),
        "MAC_ADDRESS" => {
            let sign = if value.contains('-') { "-" } else { ":" };
            let rest: Vec<String> = (0..5).map(|_| draw.hex()).collect();
            format!("02{sign}{}", rest.join(sign))
        }
        "URL" => format!("https://example.com/{}{}{}{}", draw.hex(), draw.hex(), draw.hex(), draw.hex()),
        _ => draw.shaped(value),
    }
}

/// As many words as the name has, at most three.
fn person(draw: &mut Draw<'_>, value: &str) -> String {
    let words = value.split_whitespace().count().clamp(1, 3);
    let mut name = vec![draw.pick(&GIVEN)];
    name.extend((2..words).map(|_| draw.pick(&GIVEN)));
    if words > 1 {
        name.push(draw.pick(&FAMILY));
    }
    name.join(" ")
}

/// Other digits in the same places, the first of them given.
fn lead(draw: &mut Draw<'_>, value: &str, first: &str) -> String {
    let mut first = first.chars();
    let other = |c: char| if c.is_ascii_digit() { first.next().unwrap_or_else(|| draw.digit()) } else { c };
    value.chars().map(other).collect()
}

fn phone(draw: &mut Draw<'_>, value: &str) -> String {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let american = digits.len() == 10 || (digits.len() == 11 && digits.starts_with('1'));
    if american && !value.trim_start().starts_with('+') || digits.len() == 11 && digits.starts_with('1') {
        // Country and area stay.
        let area: String = digits.chars().take(digits.len() - 7).collect();
        return lead(draw, value, &format!("{area}55501"));
    }
    lead(draw, value, "999")
}

/// The digits of a text put in the places of the digits and letters of a pattern.
fn laid_out(pattern: &str, signs: &str) -> String {
    let mut signs = signs.chars();
    let place = |c: char| if c.is_ascii_alphanumeric() { signs.next().unwrap_or(c) } else { c };
    pattern.chars().map(place).collect()
}

fn card(draw: &mut Draw<'_>, value: &str) -> String {
    let count = value.chars().filter(char::is_ascii_digit).count();
    let mut digits = String::from("9");
    while digits.len() + 1 < count {
        digits.push(draw.digit());
    }
    let check = ('0'..='9').find(|check| luhn(&format!("{digits}{check}"))).unwrap_or('0');
    digits.push(check);
    laid_out(value, &digits)
}

/// The checksum of ISO/IEC 7812-1.
fn luhn(digits: &str) -> bool {
    let doubled = |(at, digit): (usize, u32)| match at % 2 {
        0 => digit,
        _ if digit > 4 => digit * 2 - 9,
        _ => digit * 2,
    };
    let sum: u32 = digits.chars().rev().filter_map(|c| c.to_digit(10)).enumerate().map(doubled).sum();
    sum.is_multiple_of(10)
}

/// Country and length stay, the account begins with zeros, the check digits are right (ISO 13616).
fn iban(draw: &mut Draw<'_>, value: &str) -> String {
    let compact: String = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    let country: String = compact.chars().take(2).collect();
    let mut zeros = 4;
    let account: String = compact
        .chars()
        .skip(4)
        .map(|c| match c {
            '0'..='9' if zeros > 0 => {
                zeros -= 1;
                '0'
            }
            '0'..='9' => draw.digit(),
            _ => char::from(b'A' + draw.below(26)),
        })
        .collect();
    let check = 98 - remainder(&format!("{account}{country}00"));
    laid_out(value, &format!("{country}{check:02}{account}"))
}

/// Modulo 97, letters as two digits.
fn remainder(text: &str) -> u32 {
    let add = |sum: u32, c: char| {
        let value = c.to_digit(36).unwrap_or_default();
        if value > 9 { (sum * 100 + value) % 97 } else { (sum * 10 + value) % 97 }
    };
    text.chars().fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(kind: &str, value: &str) -> String {
        surrogate(&Keys::new(&[1; 32]).unwrap(), "c", kind, value)
    }

    #[test]
    fn values_keep_their_form_and_belong_to_nobody() {
        let card = of("CREDIT_CARD", "4111 1111-1111 1111");
        assert!(card.starts_with('9') && luhn(&card) && card.len() == 19 && &card[9..10] == "-", "{card}");
        let iban = of("IBAN_CODE", "DE89 3704 0044 0532 0130 00");
        let compact: String = iban.chars().filter(|c| *c != ' ').collect();
        assert!(iban.starts_with("DE") && &iban[5..9] == "0000" && iban.len() == 27, "{iban}");
        assert_eq!(remainder(&format!("{}{}", &compact[4..], &compact[..4])), 1);
        assert!(of("US_SSN", "219-09-9999").starts_with("000-"));
        assert!(of("PHONE_NUMBER", "+49 151 23456789").starts_with("+99 9"));
        assert!(of("PHONE_NUMBER", "(415) 867-5309").starts_with("(415) 555-01"));
        assert!(of("PHONE_NUMBER", "+1 415 867 5309").starts_with("+1 415 555 01"));
        assert!(of("IP_ADDRESS", "fe80::1").starts_with("2001:db8::"));
        assert!(of("EMAIL_ADDRESS", "a@b.de").ends_with("@example.com"));
        assert_eq!(of("PERSON", "Ann Maria Lee").split(' ').count(), 3);
        let shaped = of("PL_PESEL", "AB-4405");
        assert!(shaped.len() == 7 && &shaped[2..3] == "-" && shaped != "AB-4405", "{shaped}");
    }

    #[test]
    fn a_value_has_one_surrogate_in_a_conversation() {
        let keys = Keys::new(&[1; 32]).unwrap();
        let one = surrogate(&keys, "c", "CREDIT_CARD", "4111111111111111");
        assert_eq!(one, surrogate(&keys, "c", "CREDIT_CARD", "4111111111111111"));
        assert_ne!(one, surrogate(&keys, "d", "CREDIT_CARD", "4111111111111111"));
        assert_ne!(one, surrogate(&keys, "c", "CREDIT_CARD", "4111111111111129"));
    }

    proptest! {
        #[test]
        fn nothing_panics(kind in "PERSON|PHONE_NUMBER|CREDIT_CARD|IBAN_CODE|US_SSN|IP_ADDRESS|X", value in ".{0,40}") {
            let _ = of(&kind, &value);
        }
    }
}
