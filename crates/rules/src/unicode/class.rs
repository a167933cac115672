//! Which characters show nothing, and the surroundings in which they belong.

use unicode_script::{Script, UnicodeScript};

/// What a character that shows nothing is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Shows something, or is a blank or line break.
    Visible,
    /// Tag characters, U+E0000 to U+E007F.
    Tag,
    /// Variation selectors 1 to 256.
    Selector,
    /// Zero width joiner and non-joiner.
    Joiner,
    /// Zero width space.
    ZeroWidthSpace,
    /// Word joiner.
    WordJoiner,
    /// Byte order mark.
    Bom,
    /// Left-to-right, right-to-left and Arabic letter mark.
    DirectionMark,
    /// Opening of an embedding or isolate.
    DirectionOpen,
    /// Opening of a direction override.
    Override,
    /// End of an embedding, override or isolate.
    DirectionClose,
    /// Soft hyphen.
    SoftHyphen,
    /// Combining grapheme joiner.
    GraphemeJoiner,
    /// Hangul fillers.
    HangulFiller,
    /// The blank Braille pattern.
    BrailleBlank,
    /// Function application and other invisible operators.
    Operator,
    /// Format characters of one script or notation.
    Notation,
    /// Deprecated or unassigned characters that programs do not show.
    Stray,
    /// C0 controls other than tab, line breaks, form feed and escape; and delete.
    Control,
    /// C1 controls.
    C1,
    /// Private use.
    Private,
}

impl Class {
    /// The class of a character.
    pub(super) const fn of(c: char) -> Self {
        match c as u32 {
            // Escape is the business of the rule on terminal sequences.
            0..=8 | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F => Self::Control,
            0x09..=0x7E => Self::Visible,
            0x85 => Self::Visible,
            0x80..=0x9F => Self::C1,
            0xAD => Self::SoftHyphen,
            0x034F => Self::GraphemeJoiner,
            0x061C | 0x200E | 0x200F => Self::DirectionMark,
            0x115F | 0x1160 | 0x3164 | 0xFFA0 => Self::HangulFiller,
            0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A => {
                Self::Notation
            }
            0x200B => Self::ZeroWidthSpace,
            0x200C | 0x200D => Self::Joiner,
            0x202A | 0x202B | 0x2066..=0x2068 => Self::DirectionOpen,
            0x202D | 0x202E => Self::Override,
            0x202C | 0x2069 => Self::DirectionClose,
            0x2060 => Self::WordJoiner,
            0x2061..=0x2064 => Self::Operator,
            0x2065 | 0x206A..=0x206F | 0xFFF0..=0xFFFB => Self::Stray,
            0x2800 => Self::BrailleBlank,
            0xFE00..=0xFE0F | 0xE0100..=0xE01EF => Self::Selector,
            0xFEFF => Self::Bom,
            0xE0000..=0xE007F => Self::Tag,
            0xE0080..=0xE00FF | 0xE01F0..=0xE0FFF => Self::Stray,
            0xE000..=0xF8FF | 0xF0000..=0x10FFFF => Self::Private,
            _ => Self::Visible,
        }
    }

    /// True where the character shows nothing at all. Private use and C1 show a box or nothing, by font.
    pub(super) const fn hides(self) -> bool {
        !matches!(self, Self::Visible | Self::C1 | Self::Private)
    }
}

/// Scripts whose letters join or stack, so that joiners are part of spelling.
fn joins(script: Script) -> bool {
    use Script as S;
    matches!(
        script,
        S::Arabic
            | S::Syriac
            | S::Nko
            | S::Mandaic
            | S::Mongolian
            | S::Phags_Pa
            | S::Adlam
            | S::Hanifi_Rohingya
            | S::Manichaean
            | S::Psalter_Pahlavi
            | S::Sogdian
            | S::Chorasmian
            | S::Old_Uyghur
    ) || stacks(script)
}

/// Scripts with virama and conjuncts.
fn stacks(script: Script) -> bool {
    use Script as S;
    matches!(
        script,
        S::Devanagari
            | S::Bengali
            | S::Gurmukhi
            | S::Gujarati
            | S::Oriya
            | S::Tamil
            | S::Telugu
            | S::Kannada
            | S::Malayalam
            | S::Sinhala
            | S::Tibetan
            | S::Myanmar
            | S::Khmer
            | S::Balinese
            | S::Javanese
            | S::Sundanese
            | S::Chakma
            | S::Kaithi
            | S::Brahmi
            | S::Grantha
            | S::Newa
            | S::Tirhuta
            | S::Modi
            | S::Sharada
            | S::Siddham
            | S::Syloti_Nagri
            | S::Meetei_Mayek
            | S::Tai_Tham
            | S::Limbu
            | S::Lepcha
            | S::Buginese
            | S::Batak
            | S::Rejang
            | S::Cham
    )
}

/// Scripts written without blanks between words, where a zero width space marks a word border.
fn runs_words_together(script: Script) -> bool {
    use Script as S;
    matches!(
        script,
        S::Thai
            | S::Lao
            | S::Khmer
            | S::Myanmar
            | S::Tibetan
            | S::Han
            | S::Hiragana
            | S::Katakana
            | S::Bopomofo
            | S::Yi
            | S::Tai_Le
            | S::New_Tai_Lue
            | S::Tai_Tham
            | S::Tai_Viet
            | S::Balinese
            | S::Javanese
            | S::Sundanese
            | S::Buginese
            | S::Cham
            | S::Lisu
            | S::Ethiopic
    )
}

/// Scripts written from right to left.
pub(super) fn right_to_left(c: char) -> bool {
    matches!(c as u32, 0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
        && c.is_alphanumeric()
}

/// A character that emoji sequences are made of.
pub(super) const fn emoji(c: char) -> bool {
    matches!(c as u32,
        0x23 | 0x2A | 0x30..=0x39 | 0xA9 | 0xAE | 0x203C | 0x2049 | 0x20E3 | 0x2122 | 0x2139 | 0x2190..=0x21FF
        | 0x2300..=0x23FF | 0x2460..=0x27BF | 0x2900..=0x297F | 0x2B00..=0x2BFF | 0x3030 | 0x303D | 0x3297 | 0x3299
        | 0x1F000..=0x1FAFF)
}

/// True where a variation sequence with this base is standardised, or common although it is not.
pub(super) fn takes_selector(base: char, selector: char) -> bool {
    let han = matches!(base as u32, 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF);
    match selector as u32 {
        0xFE0E | 0xFE0F => emoji(base) || base.script() == Script::Common && !base.is_ascii() && !base.is_whitespace(),
        0xFE00..=0xFE0D => {
            han || matches!(base as u32,
                0x30 | 0x2018..=0x201D | 0x2190..=0x22FF | 0x2300..=0x23FF | 0x2500..=0x27BF | 0x2900..=0x2BFF
                | 0x3000..=0x3002 | 0xFF01..=0xFF1F | 0x1000..=0x109F | 0xAA60..=0xAA7F | 0xA840..=0xA877
                | 0x10AC0..=0x10AFF | 0x13000..=0x1345F | 0x1F000..=0x1FAFF)
        }
        _ => han,
    }
}

/// The first letter of a real script, past punctuation, digits, blanks and marks.
fn first_script(mut chars: impl Iterator<Item = char>) -> Option<Script> {
    chars.find_map(|c| match c.script() {
        Script::Common | Script::Inherited | Script::Unknown => None,
        script => Some(script),
    })
}

/// The characters before and after a place, nearest first. Both are bounded by the caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// Text that ends where the run of hidden characters starts.
    pub(super) before: &'a str,
    /// Text that starts where the run ends.
    pub(super) after: &'a str,
}

impl Around<'_> {
    fn script(self, wanted: fn(Script) -> bool) -> bool {
        self.script_before(wanted) || first_script(self.after.chars()).is_some_and(wanted)
    }

    fn script_before(self, wanted: fn(Script) -> bool) -> bool {
        first_script(self.before.chars().rev()).is_some_and(wanted)
    }

    fn next_to(self, wanted: fn(char) -> bool) -> bool {
        self.last().is_some_and(wanted) || self.after.chars().next().is_some_and(wanted)
    }

    fn any(self, wanted: fn(char) -> bool) -> bool {
        self.before.chars().chain(self.after.chars()).any(wanted)
    }

    /// The character before, past variation selectors and skin tones.
    fn last(self) -> Option<char> {
        self.before.chars().rev().find(|c| !matches!(Class::of(*c), Class::Selector | Class::Tag))
    }

    /// True where it is in right-to-left text.
    pub(super) fn right_to_left(self) -> bool {
        self.any(right_to_left)
    }

    /// True where a letter or digit stands on both sides: a word is split.
    pub(super) fn inside_word(self) -> bool {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        letter(self.before.chars().next_back()) && letter(self.after.chars().next())
    }

    /// True where two letters or more stand on both sides, as hyphenation leaves them.
    fn hyphenates(self) -> bool {
        let letters = |chars: &mut dyn Iterator<Item = char>| chars.take(2).filter(|c| c.is_alphabetic()).count() == 2;
        let ends_line = self.after.chars().next().is_none_or(|c| !c.is_alphanumeric());
        letters(&mut self.before.chars().rev()) && (ends_line || letters(&mut self.after.chars()))
    }

    /// True where the character has a job in these surroundings.
    pub(super) fn excuse(self, c: char, at_start: bool) -> bool {
        let previous = self.before.chars().next_back();
        match Class::of(c) {
            Class::Visible => true,
            Class::Selector => match previous {
                Some(base) if takes_selector(base, c) => true,
                // What is left of an emoji that some program took out, or a selector written twice.
                Some(base) => {
                    matches!(c, '\u{FE0E}' | '\u{FE0F}')
                        && (!base.is_alphanumeric() || base.script() == Script::Common)
                        && Class::of(base) != Class::Selector
                        || c == '\u{FE0F}' && base == c
                }
                None => matches!(c, '\u{FE0E}' | '\u{FE0F}'),
            },
            Class::Joiner => self.script(joins) || c == '\u{200D}' && self.last().is_some_and(emoji),
            Class::ZeroWidthSpace => self.script(runs_words_together) || self.script(stacks),
            Class::WordJoiner => !self.inside_word() || self.script(runs_words_together) || self.script(joins),
            // It was the word joiner once, and still is in older text.
            Class::Bom => at_start || !self.inside_word(),
            Class::DirectionMark => self.right_to_left(),
            Class::DirectionOpen => self.right_to_left() || c == '\u{2068}' && self.after.contains('\u{2069}'),
            Class::DirectionClose => self.right_to_left() || c == '\u{2069}' && self.before.contains('\u{2068}'),
            Class::SoftHyphen => self.hyphenates(),
            Class::GraphemeJoiner => {
                let mark = |p: char| p.script() == Script::Inherited;
                self.next_to(mark) || self.script(|s| s == Script::Hebrew)
            }
            Class::HangulFiller => {
                self.next_to(|p| matches!(p as u32, 0x1100..=0x11FF | 0xA960..=0xA97F | 0xD7B0..=0xD7FF))
            }
            Class::BrailleBlank => self.any(|p| matches!(p as u32, 0x2801..=0x28FF)),
            Class::Operator => {
                self.next_to(|p| p.is_ascii_digit() || matches!(p, '(' | ')' | '[' | '{'))
                    || self.next_to(|p| matches!(p as u32, 0x2200..=0x22FF | 0x1D400..=0x1D7FF | 0x0370..=0x03FF))
            }
            Class::Notation => match c as u32 {
                0x17B4 | 0x17B5 => self.script(|s| s == Script::Khmer),
                0x180B..=0x180F => self.script(|s| matches!(s, Script::Mongolian | Script::Phags_Pa)),
                0x13430..=0x1343F => self.script(|s| s == Script::Egyptian_Hieroglyphs),
                0x1BCA0..=0x1BCA3 => self.script(|s| s == Script::Duployan),
                _ => self.any(|p| matches!(p as u32, 0x1D100..=0x1D1FF)),
            },
            Class::Tag | Class::Override | Class::Stray | Class::Control | Class::C1 | Class::Private => false,
        }
    }

    /// True where what stands before is enough to excuse the character, whatever follows.
    pub(super) fn excused_already(self, c: char) -> bool {
        match Class::of(c) {
            Class::Selector => self.excuse(c, false),
            Class::Joiner => self.script_before(joins) || c == '\u{200D}' && self.last().is_some_and(emoji),
            Class::ZeroWidthSpace => self.script_before(runs_words_together) || self.script_before(stacks),
            Class::DirectionMark | Class::DirectionOpen | Class::DirectionClose => {
                self.before.chars().any(right_to_left)
            }
            _ => false,
        }
    }
}
