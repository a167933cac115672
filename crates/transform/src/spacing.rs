//! Something between the letters.

/// `filler` between every two characters.
pub(crate) fn between(text: &str, filler: &str) -> String {
    let mut out = String::with_capacity(text.len() * (1 + filler.len()));
    for (at, c) in text.chars().enumerate() {
        if at > 0 {
            out.push_str(filler);
        }
        out.push(c);
    }
    out
}

/// `letter` between the characters of a word, `word` between words.
pub(crate) fn letters(text: &str, letter: &str, word: &str) -> String {
    text.split_whitespace().map(|w| between(w, letter)).collect::<Vec<_>>().join(word)
}
