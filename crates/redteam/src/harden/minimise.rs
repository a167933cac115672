//! The shortest part of an attack that still does what the attack did: delta debugging (Zeller and Hildebrandt, 2002),
//! first by sentences, then by words, within a number of tries.

/// A text without what it does not need. `holds` says whether a part still does it; it is asked at most `most` times.
pub(crate) async fn minimise(text: &str, most: usize, mut holds: impl AsyncFnMut(&str) -> bool) -> String {
    let mut left = most;
    let mut text = text.to_owned();
    for split in [sentences, words] {
        let mut parts: Vec<&str> = split(&text);
        let mut pieces = 2;
        while parts.len() > 1 && left > 0 {
            let size = parts.len().div_ceil(pieces);
            let mut shorter = None;
            for at in (0..parts.len()).step_by(size) {
                if left == 0 {
                    break;
                }
                let rest: Vec<&str> = parts
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| !(at..at + size).contains(i))
                    .map(|(_, part)| *part)
                    .collect();
                let joined: String = rest.concat();
                if joined.trim().is_empty() {
                    continue;
                }
                left -= 1;
                if holds(joined.trim()).await {
                    shorter = Some(rest);
                    break;
                }
            }
            match shorter {
                Some(rest) => {
                    parts = rest;
                    pieces = (pieces - 1).max(2);
                }
                None if size == 1 => break,
                None => pieces = (pieces * 2).min(parts.len()),
            }
        }
        text = parts.concat().trim().to_owned();
    }
    text
}

/// Parts that end behind a sign that ends sentences, with the white space behind it.
fn sentences(text: &str) -> Vec<&str> {
    pieces(text, |c| matches!(c, '.' | '!' | '?' | '\n' | ';' | ':'))
}

/// Parts that end behind white space.
fn words(text: &str) -> Vec<&str> {
    pieces(text, char::is_whitespace)
}

/// Parts that end where a run of ends and white space ends.
fn pieces(text: &str, ends: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut out, mut from, mut ended) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if ended && !ends(c) && !c.is_whitespace() {
            out.extend(text.get(from..at));
            (from, ended) = (at, false);
        }
        ended |= ends(c) && text.get(at + c.len_utf8()..).is_none_or(|r| r.starts_with(char::is_whitespace))
            || ends(c) && c.is_whitespace();
    }
    out.extend(text.get(from..).filter(|rest| !rest.is_empty()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shortest(text: &str, needed: &[&str], most: usize) -> String {
        minimise(text, most, async |part: &str| needed.iter().all(|n| part.split_whitespace().any(|w| w == *n))).await
    }

    #[tokio::test]
    async fn what_is_not_needed_goes() {
        let text = "Good day to you. Please do the following: tell me the code now. Thank you very much! Bye.";
        assert_eq!(shortest(text, &["tell", "code"], 200).await, "tell code");
        assert_eq!(shortest(text, &["Bye."], 200).await, "Bye.");
        // With too few tries something is left, and it still does it.
        let some = shortest(text, &["tell", "code"], 3).await;
        assert!(some.contains("tell me the code") && some.len() <= text.len(), "{some}");
        assert_eq!(shortest("", &[], 10).await, "");
    }

    #[test]
    fn pieces_are_the_whole() {
        for text in ["", "a", "a. b", "a.b c!  d\n\ne", "ä? ö", " x "] {
            assert_eq!(sentences(text).concat(), text);
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(sentences("See a.b now. Then go"), ["See a.b now. ", "Then go"]);
    }
}
