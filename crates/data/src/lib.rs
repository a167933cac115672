//! Corpora of text, row by row and as a whole.
