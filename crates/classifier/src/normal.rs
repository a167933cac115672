//! The normal form of a segment: words in small letters with one blank between, and what stood between them.
//!
//! Whatever reads a text reads it segment by segment, so that memory stays small and nothing depends on what stands
//! far away: the same sentence scores the same in a short and in a long text.

/// A segment ends at the end of a sentence or line once it has so many bytes in normal form.
const LEAST: usize = 24;
/// A segment ends at a word once it has so many.
const MOST: usize = 320;

/// One word, or one character of a script that writes words together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Token {
    /// Byte range in the normal form.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Hash of the word.
    pub(crate) hash: u32,
    /// Hash of the marks between the word before and this one; 0 where there are none but blanks and commas.
    pub(crate) marks: u32,
    /// True where a clause begins: at the start, and after any mark.
    pub(crate) leads: bool,
    /// True where every letter is a capital, four or more.
    pub(crate) shouts: bool,
    /// True for one character of a script without blanks.
    pub(crate) single: bool,
}

/// One segment of a text.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// Byte range in the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Words with one blank between.
    pub(crate) normal: Vec<u8>,
    pub(crate) tokens: Vec<Token>,
}

const SEED: u32 = 0x811c_9dc5;

/// One step of a hash: FNV-1a with a stronger multiplier is not needed, every feature is mixed once more.
pub(crate) const fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(0x0100_0193)
}

/// Scripts without blanks between words: every character is a word of its own.
pub(crate) const fn is_single(c: char) -> bool {
    matches!(c as u32, 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// The same, and Arabic, which writes some words together with the next.
pub(crate) const fn is_joined(c: char) -> bool {
    is_single(c) || matches!(c as u32, 0x0600..=0x06FF)
}

/// Marks on letters that are dropped: some views have them and some have not.
const fn is_dropped(c: char) -> bool {
    matches!(c as u32, 0x0300..=0x036F | 0x064B..=0x065F | 0x0640 | 0x0591..=0x05C7 | 0x200B..=0x200F | 0x00AD | 0xFE00..=0xFE0F)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c as u32, 0x093C | 0x094D | 0x09CD | 0x0BCD | 0x0E31..=0x0E4E)
}

/// The form of a letter that the word lists are written in.
fn fold(c: char) -> char {
    match c {
        'й' => 'и',
        'ё' => 'е',
        'ı' | 'İ' => 'i',
        'đ' => 'd',
        'ł' => 'l',
        'ø' => 'o',
        'ß' => 's',
        'أ' | 'إ' | 'آ' => 'ا',
        'ى' => 'ي',
        'ة' => 'ه',
        c => c,
    }
}

/// Pushes a character in its normal form.
fn push(c: char, out: &mut Vec<u8>) -> u32 {
    let mut hash = 0;
    let mut buffer = [0; 4];
    for lower in c.to_lowercase() {
        for byte in fold(lower).encode_utf8(&mut buffer).bytes() {
            out.push(byte);
            hash = step(hash, byte);
        }
    }
    hash
}

const fn stops(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | ';' | '|' | '。' | '！' | '？' | '；' | '।' | '؟' | '\n' | '\r')
}

impl Segment {
    /// Takes a word. Of a word that is repeated again and again the third and later ones are left out: saying it more often
    /// says no more.
    fn push(&mut self, token: Token) {
        if let [.., before, last] = self.tokens.as_slice()
            && before.hash == token.hash
            && last.hash == token.hash
        {
            self.normal.truncate(last.end);
            return;
        }
        self.tokens.push(token);
    }

    /// Reads the segment that begins at `from`. Answers where the next one begins; never `from` itself.
    pub(crate) fn read(&mut self, text: &str, from: usize) -> usize {
        self.normal.clear();
        self.tokens.clear();
        self.start = from;
        let mut marks = 0u32;
        let mut leads = true;
        let rest = text.get(from..).unwrap_or_default();
        let mut chars = rest.char_indices().peekable();
        // The word that is being read: its start in the normal form, and what it consists of.
        let mut word: Option<(usize, u32)> = None;
        let (mut capitals, mut small) = (0usize, 0usize);
        let mut open = true;
        while let Some((at, c)) = chars.next() {
            if is_dropped(c) {
                continue;
            }
            let single = !c.is_ascii() && is_single(c);
            if is_word(c) && !single {
                if word.is_none() {
                    if self.normal.len() >= MOST {
                        self.end = from + at;
                        return from + at;
                    }
                    if open && !self.normal.is_empty() {
                        self.normal.push(b' ');
                    }
                    open = true;
                    word = Some((self.normal.len(), SEED));
                    (capitals, small) = (0, 0);
                }
                if c.is_ascii() {
                    let lower = c.to_ascii_lowercase() as u8;
                    self.normal.push(lower);
                    if c.is_ascii_uppercase() {
                        capitals += 1;
                    } else if !c.is_ascii_digit() {
                        small += 1;
                    }
                    if let Some((_, hash)) = &mut word {
                        *hash = step(*hash, lower);
                    }
                } else {
                    small += usize::from(!c.is_uppercase());
                    capitals += usize::from(c.is_uppercase());
                    let hashed = push(c, &mut self.normal);
                    if let Some((_, hash)) = &mut word {
                        *hash = step(*hash ^ hashed, 0xff);
                    }
                }
                let long = word.is_some_and(|(start, _)| self.normal.len() - start > MOST);
                if !long {
                    continue;
                }
            }
            if let Some((start, hash)) = word.take() {
                let shouts = capitals >= 4 && small == 0;
                self.push(Token { start, end: self.normal.len(), hash, marks, leads, shouts, single: false });
                (marks, leads) = (0, false);
            }
            if single {
                if self.normal.len() >= MOST {
                    self.end = from + at;
                    return from + at;
                }
                if open && !self.normal.is_empty() {
                    self.normal.push(b' ');
                }
                open = false;
                let start = self.normal.len();
                let hash = push(c, &mut self.normal);
                self.push(Token {
                    start,
                    end: self.normal.len(),
                    hash: step(hash, 1),
                    marks,
                    leads,
                    shouts: false,
                    single: true,
                });
                (marks, leads) = (0, false);
                continue;
            }
            if c.is_whitespace() && c != '\n' && c != '\r' {
                open = true;
                continue;
            }
            open = true;
            if !matches!(c, ',' | '\'' | '\u{2019}' | '-' | '_' | '\n' | '\r') {
                marks = step(if marks == 0 { SEED } else { marks }, (c as u32 & 0xff) as u8);
            }
            leads |= !matches!(c, '\'' | '\u{2019}' | '-' | '_');
            let ends = stops(c) && (c != '.' || chars.peek().is_none_or(|(_, n)| n.is_whitespace()));
            if ends && self.normal.len() >= LEAST {
                let next = from + at + c.len_utf8();
                self.end = next;
                return next;
            }
        }
        if let Some((start, hash)) = word {
            self.push(Token {
                start,
                end: self.normal.len(),
                hash,
                marks,
                leads,
                shouts: capitals >= 4 && small == 0,
                single: false,
            });
        }
        self.end = text.len();
        text.len()
    }
}

/// The normal form of a short text, all of it.
pub(crate) fn normal(text: &str) -> String {
    let mut out = Vec::new();
    let mut segment = Segment::default();
    let mut at = 0;
    while at < text.len() {
        at = segment.read(text, at);
        out.extend_from_slice(&segment.normal);
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_small_letters() {
        assert_eq!(normal("Don't STOP--me  now!"), "don t stop me now");
        assert_eq!(normal("你好 World，再见"), "你好 world 再见");
        assert_eq!(normal("Йод е\u{301}"), "иод е");
    }

    #[test]
    fn segments_end_at_sentences_and_cover_the_text() {
        let text = "This is the first sentence here. And this is another one of them.\nOk. Then 3.5 more words follow.";
        let mut segment = Segment::default();
        let (mut at, mut all) = (0, Vec::new());
        while at < text.len() {
            at = segment.read(text, at);
            all.push(&text[segment.start..segment.end]);
        }
        assert_eq!(all.concat(), text);
        assert_eq!(all.len(), 3, "{all:?}");
    }

    #[test]
    fn a_repeated_word_counts_twice() {
        assert_eq!(normal(&"word ".repeat(34)), "word word");
        assert_eq!(normal("ha ha ha, he said"), "ha ha he said");
    }
}
