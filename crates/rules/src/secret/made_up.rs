//! Whether somebody made a value up at a keyboard, in place of a key.
//!
//! Hands that type anything run along the rows of the keyboard, count, or say the same again. Keys that were drawn do
//! none of it: the limits here let fewer than one drawn value in a thousand of ten characters go, and fewer than one
//! in ten thousand of sixteen.

/// The rows of a keyboard, without capitals and signs.
const ROWS: [&[u8]; 4] = [b"1234567890", b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];
/// The row that hands rest on.
const HOME: usize = 2;

/// Shortest value that can be told.
const LEAST: usize = 8;
/// Longest value that somebody types; longer ones are copied.
const MOST: usize = 32;
/// How much of a value must run along the keyboard; drawn values have 0.4 on average.
const RUNS: f32 = 1.15;
/// Letters that must all lie on the home row: of 26 letters nine do.
const RESTING: usize = 8;
/// Share of steps that count up or down by one, or stay.
const COUNTS: f32 = 0.6;

/// True for values that were typed, counted or said twice.
#[must_use]
pub(crate) fn is_made_up(value: &[u8]) -> bool {
    value.len() >= LEAST && (repeats(value) || counts(value) || (value.len() <= MOST && is_typed(value)))
}

/// A block that is there twice or more and is all there is: `ab12ab12`.
fn repeats(value: &[u8]) -> bool {
    (1..=value.len() / 2).any(|period| value.iter().zip(value.iter().skip(period)).all(|(a, b)| a == b))
}

fn share(count: usize, all: usize) -> f32 {
    count as f32 / all.max(1) as f32
}

/// `abc123def456`.
fn counts(value: &[u8]) -> bool {
    let steps = value.windows(2).filter(|pair| matches!(pair, [a, b] if a.abs_diff(*b) <= 1)).count();
    value.len() >= 10 && share(steps, value.len() - 1) >= COUNTS
}

/// Row and column of a key.
fn place(byte: u8) -> Option<(usize, usize)> {
    ROWS.iter().enumerate().find_map(|(row, keys)| Some((row, keys.iter().position(|key| *key == byte)?)))
}

/// `asdkjh234lkj`. Hexadecimal digits are too few keys to tell by.
fn is_typed(value: &[u8]) -> bool {
    if value.iter().all(u8::is_ascii_hexdigit) || value.iter().any(u8::is_ascii_uppercase) {
        return false;
    }
    let places: Vec<_> = value.iter().map(|b| place(*b)).collect();
    let (mut near, mut along) = (0, 0);
    for pair in places.windows(2) {
        if let [Some((row, column)), Some((next, to))] = pair
            && row == next
        {
            along += 1;
            near += usize::from(column.abs_diff(*to) <= 2);
        }
    }
    let letters = places.iter().flatten().filter(|(row, _)| *row > 0).count();
    let home = places.iter().flatten().filter(|(row, _)| *row == HOME).count();
    let steps = value.len() - 1;
    let runs = share(near, steps) + 0.5 * share(along, steps) + 0.5 * share(home, letters);
    (value.len() >= 10 && runs >= RUNS) || (letters >= RESTING && home == letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_are_told_from_drawn_ones() {
        for text in [
            "qwe089234lkjsdf",
            "lsdajfh923874",
            "hjk34h5kjh345kjh",
            "asdfghjkl1234",
            "k8sj2hd92hs8dk2h",
            "abc123def456",
            "x7Kq0ZpWx7Kq0ZpW",
        ] {
            assert!(is_made_up(text.as_bytes()), "{text}");
        }
        for text in ["7d1e9c2ba40f4e6d8a35", "a8kq0zpw3mr7tybn", "f3Qz81LmVx0Tb7Rw24Nc", "x2xsjrgi5v9owc", "sdf"] {
            assert!(!is_made_up(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn drawn_values_are_hardly_ever_taken_for_typed_ones() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut drawn = |alphabet: &[u8], length: usize| -> Vec<u8> {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()]
            };
            (0..length).map(|_| next()).collect()
        };
        for (alphabet, length, most) in [
            (b"abcdefghijklmnopqrstuvwxyz0123456789".as_slice(), 10, 30),
            (b"abcdefghijklmnopqrstuvwxyz0123456789", 16, 6),
            (b"abcdefghijklmnopqrstuvwxyz0123456789", 32, 2),
            (b"0123456789abcdef", 16, 30),
            (b"0123456789abcdef", 32, 3),
        ] {
            let taken = (0..10_000).filter(|_| is_made_up(&drawn(alphabet, length))).count();
            assert!(taken <= most, "{taken} of 10,000 with {length} of {} characters", alphabet.len());
        }
    }
}
