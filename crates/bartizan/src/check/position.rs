//! Lines and columns.

use bartizan_core::Span;

/// A place in a text as people count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// From 1.
    pub(crate) line: usize,
    /// In code points, from 1.
    pub(crate) column: usize,
    /// Code points before it.
    pub(crate) code_points: usize,
}

const START: Position = Position { line: 1, column: 1, code_points: 0 };

/// Works out positions. Findings come sorted by place, so all of them together cost one pass over the text.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    position: Position,
}

impl<'a> Cursor<'a> {
    /// A cursor in no text.
    pub(crate) const fn new() -> Self {
        Self { text: "", at: 0, position: START }
    }

    /// Where a range of `text` begins and ends.
    pub(crate) fn span(&mut self, text: &'a str, span: Span) -> (Position, Position) {
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end.max(start));
        if !std::ptr::eq(text, self.text) || start < self.at {
            *self = Self { text, ..Self::new() };
        }
        self.position = advance(self.position, &text[self.at..start]);
        self.at = start;
        (self.position, advance(self.position, &text[start..end]))
    }
}

/// The position behind a piece of text.
fn advance(from: Position, piece: &str) -> Position {
    let code_points = from.code_points + piece.chars().count();
    match piece.rsplit_once('\n') {
        Some((before, last)) => Position {
            line: from.line + before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
            code_points,
        },
        None => Position { column: from.column + (code_points - from.code_points), code_points, ..from },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_do_not_depend_on_the_order_of_questions() {
        let text = "é\nab\n\nc";
        let mut cursor = Cursor::new();
        let mut ask = |start, end| {
            let (a, b) = cursor.span(text, Span::new(start, end));
            [(a.line, a.column, a.code_points), (b.line, b.column, b.code_points)]
        };
        for _ in 0..2 {
            assert_eq!(ask(0, 2), [(1, 1, 0), (1, 2, 1)]);
            assert_eq!(ask(4, 8), [(2, 2, 3), (4, 2, 7)]);
            assert_eq!(ask(3, 6), [(2, 1, 2), (3, 1, 5)]);
            assert_eq!(ask(8, 99), [(4, 2, 7), (4, 2, 7)]);
        }
    }
}
