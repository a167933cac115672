//! `ToUnicode` maps (ISO 32000-2, 9.10.3): from character codes to characters.

use std::collections::BTreeMap;

use super::lex::{Lexer, Token};

/// Most entries of a map. Ranges stay ranges: one entry may cover all codes there are.
const ENTRIES: usize = 1 << 17;

/// Ranges that may begin before a code and still cover it.
const BACK: usize = 8;

/// A map.
#[derive(Debug, Default)]
pub(super) struct CMap {
    /// Ranges by length in bytes and first code: last code and the characters of the first.
    ranges: BTreeMap<(usize, u32), (u32, Vec<u16>)>,
    /// Lengths of codes with the bounds of their bytes.
    spaces: Vec<(usize, u32, u32)>,
}

impl CMap {
    /// Reads a map. What makes no sense in it is left out.
    pub(super) fn parse(data: &[u8]) -> Self {
        let mut map = Self::default();
        let mut lexer = Lexer::new(data, 0, 0);
        let mut codes: Vec<Vec<u8>> = Vec::new();
        // Where a list of targets of a range stands: its codes, counted on.
        let mut list: Option<(u32, usize)> = None;
        let mut section = Section::None;
        while let Some(token) = lexer.token() {
            match token {
                Token::Word(b"begincodespacerange") => section = Section::Space,
                Token::Word(b"beginbfchar" | b"begincidchar") => section = Section::Char,
                Token::Word(b"beginbfrange") => section = Section::Range,
                Token::Word(word) if word.starts_with(b"end") => section = Section::None,
                Token::ListOpen if section == Section::Range && codes.len() == 2 => {
                    list = codes.first().map(|first| (code(first), first.len()));
                    codes.clear();
                    continue;
                }
                Token::ListClose => list = None,
                Token::Text(text) => {
                    if let Some((next, length)) = &mut list {
                        map.put(*length, *next, *next, units(&text));
                        *next = next.saturating_add(1);
                    } else {
                        codes.push(text);
                    }
                    if map.ranges.len() >= ENTRIES {
                        return map;
                    }
                }
                _ => {}
            }
            match (section, codes.as_slice()) {
                (Section::None, _) => codes.clear(),
                (Section::Space, [low, high]) => {
                    if map.spaces.len() < 64 {
                        map.spaces.push((low.len(), code(low), code(high)));
                    }
                    codes.clear();
                }
                (Section::Char, [from, to]) => {
                    map.put(from.len(), code(from), code(from), units(to));
                    codes.clear();
                }
                (Section::Range, [low, high, to]) => {
                    map.put(low.len(), code(low), code(high), units(to));
                    codes.clear();
                }
                _ => {}
            }
        }
        map
    }

    fn put(&mut self, length: usize, low: u32, high: u32, to: Vec<u16>) {
        if (1..=4).contains(&length) && high >= low && to.len() <= 64 {
            self.ranges.insert((length, low), (high, to));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// True where codes of one byte are the only ones.
    pub(super) fn is_single(&self) -> bool {
        self.ranges.keys().all(|(length, _)| *length == 1) && self.spaces.iter().all(|(length, ..)| *length == 1)
    }

    /// Reads one code from the bytes: its length and its characters.
    pub(super) fn next(&self, bytes: &[u8], width: usize) -> (usize, Option<Vec<u16>>) {
        for length in 1..=bytes.len().min(4) {
            let value = code(bytes.get(..length).unwrap_or_default());
            let inside = |&(len, low, high): &(usize, u32, u32)| len == length && within(value, low, high, length);
            if self.spaces.iter().any(inside) || (self.spaces.is_empty() && length == width) {
                return (length, self.get(length, value));
            }
        }
        let length = width.min(bytes.len()).max(1);
        (length, self.get(length, code(bytes.get(..length).unwrap_or_default())))
    }

    fn get(&self, length: usize, value: u32) -> Option<Vec<u16>> {
        let before = self.ranges.range(..=(length, value)).rev().take(BACK);
        for (&(of, low), (high, to)) in before {
            if of == length && value <= *high {
                let mut to = to.clone();
                if let Some(last) = to.last_mut() {
                    *last = last.wrapping_add((value - low) as u16);
                }
                return Some(to);
            }
        }
        None
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    None,
    Space,
    Char,
    Range,
}

/// Each byte of a code has bounds of its own (9.7.6.2).
fn within(value: u32, low: u32, high: u32, length: usize) -> bool {
    (0..length).all(|i| {
        let byte = |n: u32| n >> (8 * i) & 0xFF;
        byte(low) <= byte(value) && byte(value) <= byte(high)
    })
}

fn code(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |all, b| all << 8 | u32::from(*b))
}

fn units(bytes: &[u8]) -> Vec<u16> {
    match bytes {
        [one] => vec![u16::from(*one)],
        _ => bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |all, b| all << 8 | u16::from(*b))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lists_and_single_codes_are_read() {
        let map = CMap::parse(
            b"1 begincodespacerange <0000> <FFFF> endcodespacerange
              2 beginbfchar <0003> <0020> <0004> <00660069> endbfchar
              2 beginbfrange <0010> <0012> <0041> <0020> <0021> [<0061> <0062>] endbfrange",
        );
        let read = |bytes: &[u8]| {
            let (length, to) = map.next(bytes, 2);
            (length, to.map(|to| String::from_utf16_lossy(&to)))
        };
        assert_eq!(read(&[0, 3]), (2, Some(" ".into())));
        assert_eq!(read(&[0, 4]), (2, Some("fi".into())));
        assert_eq!(read(&[0, 0x12]), (2, Some("C".into())));
        assert_eq!(read(&[0, 0x21]), (2, Some("b".into())));
        assert_eq!(read(&[0, 0x22]), (2, None));
    }

    #[test]
    fn a_range_of_all_codes_is_one_entry() {
        let map = CMap::parse(b"1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange");
        assert_eq!(map.ranges.len(), 1);
        assert_eq!(map.next(&[0, 0, 0, 1], 4), (4, Some(vec![0x42])));
    }
}
