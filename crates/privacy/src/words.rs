//! Words of a text, as blanks part them.

/// Where words begin and end, bytes.
pub(crate) fn places(text: &str) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let mut from = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_whitespace(), from) {
            (true, Some(start)) => {
                all.push((start, at));
                from = None;
            }
            (false, None) => from = Some(at),
            _ => {}
        }
    }
    all
}
