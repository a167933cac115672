//! Whether characters look like a key, or like something that stands for one.

/// Shannon entropy in bits a character; 0 for an empty text.
#[must_use]
pub(crate) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    entropy_of(&counts, bytes.len())
}

/// The same of a text of which only the number of each byte is known.
#[must_use]
pub(crate) fn entropy_of(counts: &[u32; 256], total: usize) -> f32 {
    let total = total as f32;
    counts.iter().filter(|c| **c > 0).map(|c| *c as f32 / total).map(|p| -p * p.log2()).sum()
}

/// Words that authors of documentation write where a key belongs. Four letters or more, so that random characters
/// hardly ever form one.
const STAND_INS: [&[u8]; 36] = [
    b"example",
    b"your+",
    b"_here",
    b"-here",
    b"foobar",
    b"mysecret",
    b"1234-1234",
    b"placeholder",
    b"changeme",
    b"change_me",
    b"change-me",
    b"redacted",
    b"dummy",
    b"your_",
    b"your-",
    b"yourkey",
    b"yourtoken",
    b"insert",
    b"sample",
    b"xxxx",
    b"replace",
    b"notreal",
    b"secret_here",
    b"invalid",
    b"randomstring",
    b"goeshere",
    b"goes-here",
    b"goes_here",
    b"put-your",
    b"put_your",
    b"not-a-real",
    b"not_a_real",
    b"notasecret",
    b"qwertyui",
    b"asdfghjk",
    b"zxcvbnm",
];

/// Same character this often in a row is nobody's key.
const REPEATED: usize = 6;

/// Characters that count up or down this long are nobody's key.
const COUNTED: usize = 8;

/// True for documentation stand-ins, repeated characters, and characters that count up or down.
#[must_use]
pub(crate) fn is_placeholder(bytes: &[u8]) -> bool {
    names_stand_in(bytes)
        || is_variable(bytes)
        || has_steps(bytes, 0, REPEATED)
        || has_steps(bytes, 1, COUNTED)
        || has_steps(bytes, -1, COUNTED)
}

/// True for the variables of Windows' shell: `%APP_TOKEN%`.
fn is_variable(bytes: &[u8]) -> bool {
    let name = bytes.strip_prefix(b"%").and_then(|rest| rest.strip_suffix(b"%"));
    name.is_some_and(|n| !n.is_empty() && n.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_'))
}

/// True where one of the words that stand in for a key is in it.
#[must_use]
pub(crate) fn names_stand_in(bytes: &[u8]) -> bool {
    STAND_INS.iter().any(|word| bytes.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word)))
}

/// True where `length` characters in a row each differ by `step` from the one before.
fn has_steps(bytes: &[u8], step: i16, length: usize) -> bool {
    let mut run = 1;
    bytes.windows(2).any(|pair| {
        let [a, b] = pair else { return false };
        run = if i16::from(*b) - i16::from(*a) == step { run + 1 } else { 1 };
        run >= length
    })
}

/// True for a word, a word with a short number behind it, or a short number.
#[must_use]
pub(crate) fn is_word(part: &[u8]) -> bool {
    let letters = part.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (word, number) = part.split_at_checked(letters).unwrap_or_default();
    let vowels = word.iter().filter(|b| b"aeiouyAEIOUY".contains(b)).count();
    let humps =
        word.windows(2).filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase())).count();
    // Words have a vowel now and then, and names in code a capital; random letters have too few or too many.
    number.len() <= 3
        && number.iter().all(u8::is_ascii_digit)
        && (letters <= 3 || (vowels * 6 >= letters && humps * 4 <= letters))
}

/// True where the parts between `-`, `_`, `.`, `/` and `:` are words or short numbers, as in names of things; and for
/// UUIDs, which are ids.
#[must_use]
pub(crate) fn is_wordy(value: &[u8]) -> bool {
    let mut parts = value.split(|b| matches!(b, b'-' | b'_' | b'.' | b'/' | b':')).filter(|p| !p.is_empty());
    is_uuid(value)
        || parts.all(|part| {
            is_word(part) || is_number(part) || (part.len() <= 4 && part.iter().all(u8::is_ascii_alphabetic))
        })
}

/// True for a date, a time or an id of digits.
fn is_number(part: &[u8]) -> bool {
    part.len() <= 14 && part.iter().all(u8::is_ascii_digit)
}

/// True for a UUID in its usual form.
#[must_use]
pub(crate) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
        && value.split(|b| *b == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12])
}

/// True for words joined by `_`, `-` and the like, as in names of things, with a mark behind them.
#[must_use]
pub(crate) fn is_phrase(value: &[u8]) -> bool {
    let end = value.len() - value.iter().rev().take_while(|b| matches!(b, b'!' | b'?' | b'.')).count();
    let value = value.get(..end).unwrap_or_default();
    let joined = value.iter().any(|b| matches!(b, b'-' | b'_' | b'.' | b'/' | b':'));
    (joined || !value.iter().any(u8::is_ascii_digit)) && is_wordy(value)
}

/// Passwords of manuals and tests, and words that show the place of one.
const COMMON: [&[u8]; 43] = [
    b"admin",
    b"administrator",
    b"root",
    b"user",
    b"username",
    b"guest",
    b"test",
    b"tester",
    b"testing",
    b"demo",
    b"default",
    b"pass",
    b"passwd",
    b"password",
    b"passphrase",
    b"passw0rd",
    b"p@ssword",
    b"p@ssw0rd",
    b"pwd",
    b"pw",
    b"secret",
    b"secrets",
    b"token",
    b"key",
    b"letmein",
    b"welcome",
    b"qwerty",
    b"hunter2",
    b"foobar",
    b"foo",
    b"bar",
    b"baz",
    b"opensesame",
    b"correcthorsebatterystaple",
    b"supersecret",
    b"postgres",
    b"mysql",
    b"mongo",
    b"elastic",
    b"rabbitmq",
    b"minioadmin",
    b"anonymous",
    b"anoncvs",
];

/// True for a password that everybody knows, with a short number or exclamation marks behind it.
#[must_use]
pub(crate) fn is_common_password(value: &[u8]) -> bool {
    let tail = value.iter().rev().take_while(|b| b.is_ascii_digit() || **b == b'!').count();
    let word = if tail <= 5 { value.len() - tail } else { value.len() };
    let stem = value.get(..word).unwrap_or_default();
    let stem: Vec<u8> = stem.iter().filter(|b| b.is_ascii_alphanumeric() || **b == b'@').copied().collect();
    // `CleartextPassword1` says what it stands for.
    let called = stem.iter().all(u8::is_ascii_alphabetic)
        && [b"password".as_slice(), b"passwd", b"passphrase"].iter().any(|c| {
            stem.len().checked_sub(c.len()).and_then(|at| stem.get(at..)).is_some_and(|s| s.eq_ignore_ascii_case(c))
        });
    stem.len() < 3
        || called
        || COMMON.iter().any(|c| stem.eq_ignore_ascii_case(c) || value.eq_ignore_ascii_case(c))
        || COMMON.iter().any(|c| {
            // `mypassword`, `testsecret`, `secretpass`.
            stem.len() > c.len()
                && stem.get(..c.len()).is_some_and(|s| s.eq_ignore_ascii_case(c))
                && stem.get(c.len()..).is_some_and(|s| COMMON.iter().any(|d| s.eq_ignore_ascii_case(d)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_bits_a_character() {
        assert_eq!(entropy(b""), 0.0);
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert!((entropy(b"abcdabcd") - 2.0).abs() < 1e-6);
    }

    #[test]
    fn words_are_told_from_random_characters() {
        for text in ["user-name", "Section2", "io.example.GitHubClient", "123e4567-e89b-12d3-a456-426614174000"] {
            assert!(is_wordy(text.as_bytes()), "{text}");
        }
        for text in ["k9Zt3LmX0vRb", "aGVsbGdXbYxDdRsQ", "xkcdqwrtpsdf", "report-8a3f99c01b"] {
            assert!(!is_wordy(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn stand_ins_are_known() {
        for text in
            ["AKIAIOSFODNN7EXAMPLE", "xxxxxxxx", "aaaaaa1", "12345678", "zz87654321", "your-key-here", "%APP_TOKEN%"]
        {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        assert!(!is_placeholder(b"a8Kq0ZpW3mR7tYbN1cXv"));
    }
}
