//! SentencePiece's vocabularies: messages of pieces with their scores and types.
//!
//! <https://github.com/google/sentencepiece>, `sentencepiece_model.proto`.

use crate::proto::{Value, fields, is_message};

/// True where the bytes are a vocabulary.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    if !is_message(bytes, u64::MAX) {
        return false;
    }
    let (mut pieces, mut typed) = (0, 0);
    for field in fields(bytes) {
        match (field.number, field.value) {
            (1, Value::Bytes(piece)) => {
                let Some(is_typed) = is_piece(piece) else { return false };
                pieces += 1;
                typed += usize::from(is_typed);
            }
            (2..=5, Value::Bytes(specification)) if is_message(specification, u64::MAX) => {}
            (200.., _) => {}
            _ => return false,
        }
    }
    // One at least stands for what is unknown.
    pieces >= 3 && typed >= 1
}

/// Whether a piece has a type other than the usual one; `None` where it is none.
fn is_piece(bytes: &[u8]) -> Option<bool> {
    let (mut named, mut typed) = (false, false);
    for field in fields(bytes) {
        match (field.number, field.value) {
            (1, Value::Bytes(text)) => named = std::str::from_utf8(text).is_ok(),
            (2, Value::Fixed(_)) => {}
            (3, Value::Number(kind @ 1..=6)) => typed = kind > 1,
            _ => return None,
        }
    }
    (named && is_message(bytes, 3)).then_some(typed)
}
