//! Whether the value of a name is a secret, from its characters alone.

use bartizan_core::Confidence;

use super::{made_up, quality, rarity, stand_for};
use crate::tape::Class;

/// What leads to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// A name of a key: its value looks random.
    Key,
    /// A name that ends in `key` or `auth` and may be of anything: its value looks very random.
    Weak,
    /// A name of a password: its value may be chosen by people.
    Password,
    /// The scheme of an `Authorization` header.
    Scheme,
    /// `://`, before user and password, or the user of a command such as `curl -u`.
    User,
}

/// How a value is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// In quotes.
    Quoted,
    /// Without quotes, to the end of a word.
    Plain,
    /// Without quotes, where code would have the name of a variable or type.
    Code,
    /// Announced by a sentence.
    Prose,
}

/// Values whose name says that they are the secret itself may be UUIDs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) lead: Lead,
    pub(super) writing: Writing,
    /// True where the name ends with the word that leads here.
    pub(super) named: bool,
}

/// What is in no key: coordinates of packages, images, hosts and ports have colons (keys with one have rules of their
/// own), expressions of code have brackets.
const NO_KEY: Class = Class::of(b":()[]{}<>\"'");

/// Sums of [`rarity::of`] below which a value is drawn: the plainer the name, the surer.
const DRAWN: f32 = -3.5;
const SURELY: f32 = -10.0;

/// How likely the value is a secret.
pub(super) fn judge(value: Value<'_>) -> Option<Confidence> {
    let Value { bytes, lead, writing, named } = value;
    if quality::is_placeholder(bytes) || stand_for::is_published(bytes) || is_reference(bytes) {
        return None;
    }
    let digits = bytes.iter().any(u8::is_ascii_digit);
    let lower = bytes.iter().any(u8::is_ascii_lowercase);
    let upper = bytes.iter().any(u8::is_ascii_uppercase);
    let marks = bytes.iter().any(u8::is_ascii_punctuation);
    let kinds = usize::from(digits) + usize::from(lower) + usize::from(upper) + usize::from(marks);
    let entropy = quality::entropy(bytes);
    let rarity = rarity::of(bytes);
    let mean = rarity / bytes.len().max(1) as f32;
    let mixed = digits && (lower || upper);
    let drawn = rarity <= DRAWN && mean <= -0.2 && !quality::is_wordy(bytes);
    let surely = rarity <= SURELY && mean <= -0.6 && !quality::is_wordy(bytes);
    if matches!(lead, Lead::Key | Lead::Weak) && bytes.iter().any(|b| NO_KEY.has(*b)) {
        return None;
    }
    if is_measure(bytes) || bytes.windows(3).any(|w| w == b"...") {
        return None;
    }
    if stand_for::is_known_pair(bytes) || (lead == Lead::User && stand_for::is_known_password(bytes)) {
        return None;
    }
    let found = match (lead, writing) {
        (Lead::User, _) => {
            bytes.len() >= 4
                && entropy >= 1.9
                && (kinds >= 2 || bytes.len() >= 8)
                && !quality::is_common_password(bytes)
        }
        (Lead::Scheme, _) => bytes.len() >= 16 && entropy >= 3.0 && drawn && (digits || (lower && upper)),
        (Lead::Key, Writing::Plain | Writing::Quoted) => {
            (bytes.len() >= 10 && entropy >= 2.9 && mixed && drawn)
                || (bytes.len() >= 20 && entropy >= 3.3 && surely)
                || (named && mixed && entropy >= 2.9 && quality::is_uuid(bytes))
        }
        (Lead::Key, Writing::Code | Writing::Prose) => bytes.len() >= 12 && entropy >= 3.0 && mixed && surely,
        (Lead::Weak, Writing::Plain | Writing::Quoted) => {
            bytes.len() >= 16 && entropy >= 3.2 && mixed && surely && !looks_like_digest(bytes)
        }
        (Lead::Weak, Writing::Code | Writing::Prose) => false,
        (Lead::Password, Writing::Quoted) => {
            // Chosen passwords mix kinds of characters; plain words are more often names of fields.
            let chosen = bytes.len() >= 8 && kinds >= 3 && !quality::is_phrase(bytes);
            let odd = bytes.len() >= 6 && kinds >= 2 && (digits || marks) && !quality::is_wordy(bytes) && mean <= 0.2;
            let random = bytes.len() >= 12 && surely;
            entropy >= 2.3 && (chosen || odd || random) && !quality::is_common_password(bytes)
        }
        (Lead::Password, Writing::Plain) => {
            bytes.len() >= 6
                && entropy >= 2.3
                && ((digits && kinds >= 2 && !quality::is_wordy(bytes) && mean <= 0.2) || surely)
                && !quality::is_common_password(bytes)
        }
        (Lead::Password, Writing::Code) => bytes.len() >= 8 && entropy >= 2.8 && mixed && surely,
        (Lead::Password, Writing::Prose) => {
            bytes.len() >= 8 && entropy >= 2.5 && digits && kinds >= 3 && !quality::is_wordy(bytes)
        }
    };
    // People do choose such passwords; nobody is given such a key.
    let typed = || matches!(lead, Lead::Key | Lead::Weak | Lead::Scheme) && made_up::is_made_up(bytes);
    (found && !typed()).then_some(Confidence::Medium)
}

/// True for characters that nobody chose: for places where chosen words are examples.
pub(super) fn looks_drawn(bytes: &[u8]) -> bool {
    let rarity = rarity::of(bytes);
    bytes.len() >= 10 && rarity <= DRAWN && rarity / bytes.len() as f32 <= -0.2
}

/// True for a number with a point or an exponent, and for a date or time of ISO 8601.
fn is_measure(value: &[u8]) -> bool {
    let number = || value.contains(&b'.') && std::str::from_utf8(value).is_ok_and(|text| text.parse::<f64>().is_ok());
    let date = || {
        let digits = |range: std::ops::Range<usize>| value.get(range).is_some_and(|p| p.iter().all(u8::is_ascii_digit));
        digits(0..4) && value.get(4) == Some(&b'-') && digits(5..7) && value.get(7) == Some(&b'-') && digits(8..10)
    };
    let signs = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b'+' | b'T' | b'Z' | b'e' | b'E');
    value.iter().all(signs) && (number() || date())
}

/// Hexadecimal digits of the length of a digest: where the name does not say what it is, it is one.
fn looks_like_digest(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 32 | 40 | 56 | 64 | 96 | 128) && bytes.iter().all(u8::is_ascii_hexdigit)
}

/// True for a variable, a template or a path in place of a value: `$TOKEN`, `${TOKEN}`, `%TOKEN%`, `{{ token }}`,
/// `<token>`, `env:TOKEN`, `/run/secrets/token`.
pub(super) fn is_reference(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or_default();
    let upper_name =
        || value.iter().skip(1).all(|b| Class::WORD.has(*b) || matches!(b, b'{' | b'}' | b'(' | b')' | b'%' | b'.'));
    let holds = |words: &[&[u8]]| words.iter().any(|w| value.windows(w.len()).any(|part| part.eq_ignore_ascii_case(w)));
    matches!(first, b'<' | b'{' | b'[' | b'*' | b'/' | b'.' | b'(')
        || (matches!(first, b'$' | b'%' | b'@' | b'&') && upper_name())
        || holds(&[b"${", b"{{", b"#{", b"$(", b"%(", b"<%", b"%s", b"::", b"->", b"://", b"()"])
        // Regular expressions that a value must fit.
        || (first == b'^' && value.ends_with(b"$"))
        || holds(&[b"(?", b"[a-z", b"[0-9"])
        || holds(&[b"process.env", b"os.environ", b"getenv", b"config.", b".json", b".pem", b".key", b".yml", b".yaml"])
        || [b"env:".as_slice(), b"file:", b"http", b"arn:", b"ENC[", b"vault:", b"secret/", b"op://", b"!"]
            .iter()
            .any(|p| value.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fires(lead: Lead, writing: Writing, text: &str) -> bool {
        judge(Value { bytes: text.as_bytes(), lead, writing, named: true }).is_some()
    }

    #[test]
    fn keys_are_told_from_names() {
        for text in ["f3Qz81LmVx0Tb7Rw24Nc", "7d1e9c2ba40f4e6d8a35", "dafa7817-e246-48f3-91a7-e87653d587b8"] {
            assert!(fires(Lead::Key, Writing::Quoted, text), "{text}");
        }
        for text in
            ["X509CertificateTemplate", "org.example.graph2-api", "kubernetes-1.29.3-token", "rc0.15.0_20231217"]
        {
            assert!(!fires(Lead::Key, Writing::Quoted, text), "{text}");
        }
        assert!(!fires(Lead::Key, Writing::Code, "PBKDF2_HMAC_SHA384"));
    }

    #[test]
    fn passwords_may_be_chosen() {
        for text in ["Summer!2031x", "kT9#vLq2wX", "c0rrect-h0rse"] {
            assert!(fires(Lead::Password, Writing::Quoted, text), "{text}");
        }
        for text in ["password123", "changeit", "user_password", "secret", "os.environ.get"] {
            assert!(!fires(Lead::Password, Writing::Quoted, text), "{text}");
        }
    }

    #[test]
    fn measures_and_cut_values_are_no_keys() {
        for text in
            ["1.44375e-07", "2016-09-08T21:47:36Z", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...", "Jobs[-1].Jo7Id2"]
        {
            assert!(!fires(Lead::Key, Writing::Quoted, text), "{text}");
            assert!(!fires(Lead::Key, Writing::Plain, text), "{text}");
        }
        assert!(fires(Lead::Key, Writing::Quoted, "1e7.f3Qz81LmVx0Tb7Rw24"));
    }

    #[test]
    fn references_are_no_values() {
        for text in ["${TOKEN}", "$DB_PASSWORD", "vault:secret/db#pw", "ENC[AES256,data:x1]", "%APP_TOKEN%"] {
            assert!(is_reference(text.as_bytes()), "{text}");
        }
        assert!(!is_reference(b"pa$$w0rd"));
    }
}
